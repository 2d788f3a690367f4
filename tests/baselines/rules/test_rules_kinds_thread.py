"""The shipped chexpert-14 rules on what reaches beyond a clause: answers, persons, sides, run-ons.

Expected labels follow ``docs/labeling-guide.md``, written as in ``test_rules_kinds.py``.
"""

from __future__ import annotations

import pytest
from rules_tools import predict, said

ANSWERS = {
    "Query effusion. None demonstrated.": "PE- NF+",
    "Comparison is made with May, which showed a pneumothorax. Today there is none.": "PT- NF+",
    "Is there an effusion? There is not.": "PE- NF+",
    "Both parents had lung nodules. None here.": "LL- NF+",
    "The husband has a pacemaker. The patient has none.": "SD-",
    "Earlier films showed edema. It has resolved.": "ED- NF+",
    "Small pneumothorax with a chest tube last week. It is no longer seen.": "PT- SD+ NF+",
    "A mass was suspected. This is not confirmed.": "LL- NF+",
    "Any effusion? A small one at the left base.": "PE+",
    "Has the edema cleared? Not quite.": "ED+",
    "Query rib fracture. Confirmed.": "FR+",
    "Query nodule. Cannot tell.": "LL?",
    "Opacity at the base. This is not seen on the lateral view.": "LO+",
    "Effusion. Heart normal.": "PE+ CM-",
}
PERSONS = {
    "His mother had TB. She also had an effusion. His own film is normal.": "NF+",
    "Her father had a lung mass. He was treated for pneumonia. Clear lungs.": "NF+",
    "Grandfather worked with asbestos and has pleural plaques. Chest normal.": "NF+",
    "His mother has a pacemaker. He has cardiomegaly.": "CM+",
    "The patient in the next bed has pneumonia. Clear lungs here.": "NF+",
}
SIDES = {
    "No effusion on the right, small one on the left.": "PE+",
    "No pneumothorax on the right and a tiny one on the left.": "PT+",
    "Pleural effusion: None right, small left.": "PE+",
    "No effusion on the right, none on the left.": "PE- NF+",
    "Right effusion gone. The left one is unchanged.": "PE+",
    "the effusion on the left is gone the right one is still there": "PE+",
}
RUN_ON = {
    "no pneumothorax the bones show an old clavicle fracture": "PT- FR+",
    "no consolidation picc line on the right unchanged": "CO- SD+ NF+",
    "the edema is better the effusion is gone": "ED+ PE-",
    "no ptx left effusion small": "PT- PE+",
    "effusion left base resolved": "PE- NF+",
    "cardiomegaly is again noted edema has improved effusions have resolved": "CM+ ED+ PE-",
    "there was a pneumothorax on the last film i cannot see it today": "PT- NF+",
}
CHANGE = {
    "Edema: resolved.": "ED- NF+",
    "Effusion: previously moderate, now none.": "PE- NF+",
    "Edema, previously severe, is absent.": "ED- NF+",
    "The pneumothorax is no longer large.": "PT+",
    "The nodule has not grown.": "LL+",
    "The effusion has not been drained completely.": "PE+",
    "Effusions have been drained dry.": "PE- NF+",
    "No change in the effusion or atelectasis.": "PE+ AT+",
    "No effusion or atelectasis.": "PE- AT- NF+",
    "Pneumonia has left a scar.": "LO+",
    "Extubated. Heart normal.": "SD- CM- NF+",
    "Not yet extubated. Heart normal.": "CM- NF+",
    "History of rib fractures, now healed.": "FR+",
}
DOUBT = {
    "Pneumonia: not likely.": "PN?",
    "Differential: edema, infection.": "ED? PN?",
    "Cannot distinguish effusion from pleural thickening.": "PE? PO?",
    "Heart: not well assessed.": "CM?",
    "I do not think the patient has pneumonia.": "PN- NF+",
    "She had no pneumothorax.": "PT- NF+",
    "Consider CT for nodule follow-up. Normal film.": "NF+",
    "Insertion may cause a pneumothorax. Lungs clear.": "NF+",
    "Neg effusion, neg ptx.": "PE- PT- NF+",
}
SENSES = {
    "Port wine stain. Lungs clear.": "NF+",
    "Mass screening film. Normal.": "NF+",
    "Mediastinum: enlarged lymph nodes.": "",
    "Heart/mediastinum: normal.": "EC- CM- NF+",
}
SHORT = {
    "Heart sz nl, no eff/ptx/infil.": "CM- PE- PT- LO- NF+",
    "AICD. Ht enl. Pulm vasc engorged.": "SD+ CM+ ED+",
    "Mod CM, no ptx, sm L eff.": "CM+ PT- PE+",
    "prob atelectasis, doubt pna": "AT? PN?",
    "Mult pulm nods.": "LL+",
    "Drain out. CXR neg.": "SD- NF+",
    "LLL clps.": "AT+",
    "Lungs clr.": "NF+",
}
SHORT_ANSWERS = {
    "Edema: unlikely": "ED?",
    "Consolidation: possible, left base": "CO?",
    "Pneumonia: cannot exclude": "PN?",
    "Edema? Mild.": "ED+",
    "No edema. Good.": "ED- NF+",
    "Tube position? Good.": "SD+",
    "Patient had a mass in 2010, not visible now.": "LL- NF+",
    "The NG tube is not seen below the diaphragm.": "SD+",
    "Opacities, edema or hemorrhage.": "LO+ ED?",
    "Consolidation, unlike last week, is not seen.": "CO- NF+",
    "Absence of effusion, presence of pneumothorax.": "PE- PT+",
    "The pleural spaces contain no fluid.": "PE- NF+",
    "Nothing left of the effusion.": "PE- NF+",
    "The heart is not enlarged there is congestion": "CM- ED+",
    "Cannot be certain that there is no fracture.": "FR?",
    "No evidence of active TB.": "NF+",
    "Formerly had a chest drain. Lungs clear.": "NF+",
    "Were there an effusion, it would layer. Lungs clear.": "NF+",
    "For pneumonia a CT is better. Clear lungs.": "NF+",
    "Visited by a friend with pneumonia. Lungs clear.": "NF+",
    "Infection of the urinary tract. Chest clear.": "NF+",
    "Scarring of the skin. Lungs clear.": "NF+",
}
MORE = {
    "Pneumothorax: (none)": "PT- NF+",
    "Support devices: N/A. Heart normal.": "CM- NF+",
    "Infiltrate: no new.": "LO- NF+",
    "NG tube to be removed.": "SD+",
    "Chest tube removed last week.": "SD-",
    "The heart, previously enlarged, is normal.": "CM- NF+",
    "Gone are the effusions.": "PE- NF+",
    "Would not exclude pneumonia.": "PN?",
    "Not clearly a nodule.": "LL?",
    "Compatible with, but not diagnostic of, edema.": "ED?",
    "Rather atelectasis than pneumonia.": "AT+ PN-",
    "Effusion or thickening.": "PE?",
    "Correlate with signs of infection.": "PN?",
    "Her partner has TB and a cavity. Her own lungs are clear.": "NF+",
    "Mother of the child has a pacemaker. Child's heart normal.": "CM- NF+",
    "No nodule on the left, on the right there is one.": "LL+",
    "Left lung whited out.": "LO+",
    "Markings are increased at both bases.": "LO+",
    "Prior wedge resection. Opacity in the lower lobe, infarct.": "LO+",
}
PLAIN_WORDS = {
    "Old chap has a pacemaker, otherwise fine.": "SD+ NF+",
    "Air has leaked around the left lung.": "PT+",
    "Nothing to see here, normal chest.": "NF+",
    "X-ray came back clean, no pneumonia.": "PN- NF+",
    "Ticker looks normal.": "CM- NF+",
    "Fracture lines are absent.": "FR- NF+",
    "The request asks about heart failure. Normal heart size.": "CM- NF+",
    "Concern for effusion prompted this examination. No effusion.": "PE- NF+",
    "Pneumonia is to be excluded. Lungs normal.": "NF+",
    "Close contact had COVID pneumonia. Lungs clear.": "NF+",
    "We were unable to identify a pneumothorax.": "PT- NF+",
    "Not much change in the edema.": "ED+",
    "The mass was resected in 2018. Lungs clear.": "LL- NF+",
    "Treated lung cancer, no residual mass.": "LL- NF+",
    "History of asbestos exposure. No plaques.": "PO- NF+",
    "Pleural effusion in the form of plastering.": "PE+",
}
SIGNS = {
    "Months after surgery a pneumothorax persists.": "PT+",
    "Evaluation of the lungs shows consolidation.": "CO+",
    "The nodule that was seen in 2019 is unchanged.": "LL+",
    "The tube is out of view.": "SD+",
    "Opacities, ARDS or edema.": "LO+ ED?",
    "No other change in the edema.": "ED+",
    "Partial clearance of the shadowing.": "LO+",
    "Now resolved edema.": "ED- NF+",
    "Pneumonia? Didn't see one.": "PN- NF+",
    "A small effusion would not be visible.": "",
    "Density at the bases is likely due to overlying soft tissue. No effusion.": "PE- NF+",
    "Fibroatelectatic changes.": "PO+",
    "One year after an effusion was drained the lungs are clear.": "NF+",
    "Heart within limits, lungs within limits.": "CM- NF+",
    "The effusion of May has not come back.": "PE- NF+",
    "No fracture besides the old one of the clavicle.": "FR+",
    "No consolidation other than the known one.": "CO+",
    "Edema? I don't think so.": "ED- NF+",
    "Consolidation was present in June. Lungs clear now.": "NF+",
    "ptx neg consolidation pos": "PT- CO+",
    "The consolidation has cleared almost completely.": "CO+",
    "Cardiac: Enlarged. Pleura: no fluid.": "CM+ PE-",
    "No decompensation. Free sinuses.": "ED- PE- NF+",
    "Meniscus sign on the left.": "PE+",
    "A sliver of air along the apex of the lung.": "PT+",
    "Drain in place, no residual air.": "SD+ PT- NF+",
    "Coin-like shadow in the lingula.": "LO+ LL+",
    "Step of the rib, could be a crack.": "FR?",
    "The opacity is a nipple shadow. No nodule.": "LL- NF+",
    "Effusion? None that I can see.": "PE- NF+",
    "The mediastinum is wide, or is it rotation?": "EC?",
    "The opacity of June is there no more.": "LO- NF+",
    "Cardiothymic silhouette not enlarged.": "EC- CM- NF+",
}
TABLE = (
    SIGNS
    | PLAIN_WORDS
    | MORE
    | SHORT
    | SHORT_ANSWERS
    | ANSWERS
    | PERSONS
    | SIDES
    | RUN_ON
    | CHANGE
    | DOUBT
    | SENSES
)


@pytest.mark.parametrize("text", TABLE)
def test_what_is_said(text: str) -> None:
    assert set(said(text).split()) == set(TABLE[text].split())


HEADED = {
    "Chest. Reason for exam: pain. No edema. No effusion. Heart normal. Conclusion: Normal.": (
        "ED- PE- CM- NF+"
    ),
    "Clinical details: cough. No edema. No effusion. Heart normal. Conclusion: Normal chest.": (
        "ED- PE- CM- NF+"
    ),
    "Priors: None.\nObservations: No effusion. Heart normal.": "PE- CM- NF+",
    "Clinical: SOB ?pneumonia\nThe lungs are clear.": "NF+",
    "Hx: effusion\nResult: Cardiomegaly.": "CM+",
    "CHEST\nHistory: asthma. Mother: mass.\nLungs clear.\nConclusion: No edema.": "ED- NF+",
}


@pytest.mark.parametrize("text", HEADED)
def test_what_the_request_names_is_not_said(text: str) -> None:
    assert set(said(text).split()) == set(HEADED[text].split())


def test_an_answer_belongs_to_the_evidence() -> None:
    text = "Query effusion. None demonstrated."
    evidence = predict(text).evidence
    assert evidence is not None
    ((start, end),) = evidence["Pleural Effusion"]
    assert text[start:end] == "effusion. None demonstrated"
