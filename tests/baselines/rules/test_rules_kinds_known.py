"""The shipped chexpert-14 rules on what is known, dated, drained or misspelt, behind the gate.

Expected labels follow ``docs/labeling-guide.md``; the signs are those of ``rules_tools``.
"""

from __future__ import annotations

import pytest
from rules_tools import said

from baselines.rules.spelling import one_slip

KNOWN = {
    "If the pneumothorax enlarges, a drain should be considered.": "PT+",
    "If a pneumothorax develops, a drain should be considered.": "",
    "If the effusion persists, aspiration is advised.": "PE+",
    "Consider CT for further work-up of the mass.": "LL+",
    "Consider CT for a suspected mass.": "",
    "A repeat film is advised until the consolidation clears.": "CO+",
    "Repeat film after treatment of the pneumonia is suggested.": "PN+",
    "Will need follow-up of this nodule.": "LL+",
    "Plan: drain for the right-sided empyema.": "PE+",
    "Ultrasound would show whether the effusion is loculated.": "PE+",
    "Presents with breathlessness because of a big effusion.": "PE+",
    "Presents with breathlessness, pneumonia suspected.": "",
    "The right effusion may layer.": "PE+",
}
DATED = {
    "In June 2021 a nodule was present. Now no nodule is seen.": "LL- NF+",
    "On 7 May an effusion was seen; it has resolved.": "PE- NF+",
    "In 2018 there was a mass, which is again seen today.": "LL+",
    "In 2018 there was a pneumothorax; today there is none.": "PT- NF+",
    "Last year the heart was enlarged; currently it is of normal size.": "CM- NF+",
    "By 16 March a small effusion remained. The pleural space is dry today.": "PE- NF+",
    "Had pneumonia last winter, today a new infiltrate in the lingula.": "LO+",
    "No sooner was the tube withdrawn than the pneumothorax came back.": "SD- PT+",
    "Hardly had the effusion been tapped when it recurred.": "PE+",
}
DRAINED = {
    "Drainage of the empyema was complete.": "PE- NF+",
    "Complete evacuation of the haemothorax.": "PE- NF+",
    "Incomplete drainage of the empyema.": "PE+",
    "Attempted aspiration of the effusion.": "PE+",
}
PLACED = {
    "The line is not in the right atrium.": "SD+",
    "The line no longer reaches the right atrium.": "SD+",
    "No tubes or lines remain. No effusion.": "SD- PE- NF+",
}
SIDES = {
    "There is no effusion on the right; on the left there is a small one.": "PE+",
    "No nodule in the left lung, but on the right there is a 5 mm one.": "LL+",
    "No effusion on the left. On the right there is a small one.": "PE+",
}
OPEN = {
    "Prominent vessels, perhaps mild edema.": "ED?",
    "Prominent vessels that may indicate failure.": "ED?",
    "Prominent vessels. No edema.": "ED+",
    "Edema/infection at both bases.": "ED? PN?",
    "Left basal collapse/consolidation.": "AT+ CO+",
    "Heart size cannot be judged owing to the large effusion.": "CM? PE+",
    "Unable to assess heart size. No effusion.": "CM? PE-",
    "Fibrotic lung disease in a probable UIP pattern.": "PO+",
    "Superadded infection is also a possibility.": "PN?",
    "The nodule known on CT is not visible on this film.": "LL?",
    "HAP cannot be excluded.": "PN?",
}
ASKED = {
    "?Infection. The lungs are clear.": "NF+",
    "? clavicle fracture": "FR?",
    "Question: effusion\n\nNo effusion.": "PE- NF+",
    "A normal film does not exclude pneumonia. Heart size normal.": "CM- NF+",
    "No opacity elsewhere.": "",
}
HEADED = {
    "Pleura: No effusion or thickening.": "PE- PO- NF+",
    "Mediastinum: No mass. Lungs: Nodule at the right apex.": "EC- LL+",
    "Mediastinum: Large anterior mass.": "EC+",
    "No mediastinal haematoma.": "NF+",
    "Azygos fissure, a normal variant. Lungs clear.": "NF+",
    "Lungs clear. Degenerative change, normal for age.": "NF+",
}
MISSPELT = {
    "The heart is enlagred.": "CM+",
    "No pneumothroax.": "PT- NF+",
    "Condolidation at the left base.": "CO+",
    "Hearing aid. Lungs clear.": "NF+",
}
LONG = {
    "The pleural fluid which filled the fissure has cleared completely.": "PE- NF+",
    "The effusion that was present on 3/14 has not recurred.": "PE- NF+",
    "Interval resolution of the previously seen right upper lobe pneumonia.": "PN- NF+",
    "Effusions have cleared on the left, persist on the right.": "PE+",
    "- CM\n- mild PVC": "CM+ ED+",
    "No larger effusions.": "PE- NF+",
    "The effusion is no larger than on Monday.": "PE+",
    "Pulmonary edema obscures any concurrent pneumonia.": "ED+ PN?",
    "Bilateral effusions are presumed.": "PE?",
    "If any, there is a tiny left effusion.": "PE?",
    "A small pneumothorax could well be present.": "PT?",
    "I cannot see a fracture.": "FR- NF+",
    "It is not observed pneumothorax.": "PT- NF+",
    "The left base remains collapsed.": "AT+",
    "Apical pleural thickening, likely old.": "PO+",
}
PARTS = {
    "Heart N. Lungs N.": "CM- NF+",
    "Heart/mediastinum: Heart mildly enlarged.": "CM+",
    "Normal wide mediastinum.": "EC- NF+",
    "Heart accentuated on the left, but not dilated.": "CM- NF+",
    "The heart is partly obscured but does not appear large.": "CM-",
    "Cardiac index inside the normal limits.": "CM- NF+",
    "Bones: No fracture, no suspicious lesion.": "FR- NF+",
    "Small pericardial fluid. No pleural effusion.": "PE-",
    "Effusion | no | small": "PE- NF+",
    "Oxygen by nasal cannula. Lungs clear.": "NF+",
    "Left chest drain out today. No effusion.": "SD- PE- NF+",
    "Cardiothymic silhouette normal.": "EC- NF+",
}
LIKELY = {
    "The basal opacities are likely atelectasis.": "LO+ AT?",
    "The left basal density is most likely pneumonia.": "LO+ PN?",
    "The opacities are most likely due to edema.": "LO+ ED?",
    "An effusion is more likely.": "PE?",
    "Pneumonia is likely in the lingula, no effusion.": "PN? PE-",
    "An effusion is likely on the left.": "PE?",
    "Pneumonia is not likely.": "PN?",
    "Consolidation is likely pneumonia, atelectasis is less likely.": "CO+ PN? AT?",
    "Pneumonia is possible in the lingula, no effusion.": "PN? PE-",
}
OTHERWISE = {
    "A film in four weeks is advised to confirm clearing of the consolidation.": "CO+",
    "Biapical caps, lungs otherwise normal.": "PO+",
    "Collapsed vertebra at T8. Lungs are clear.": "",
    "Both hila have a normal position and are normal in size and density.": "NF+",
    "The hilar density is normal. No effusion.": "PE- NF+",
    "Increase in density at the left base.": "LO+",
    "Shadowing in the right lower zone, infection is the main concern.": "LO+ PN?",
    "Consolidation, probably of infective aetiology.": "CO+ PN?",
    "The most likely of these is pneumonia.": "PN+",
    "No pneumothorax is seen, but a small basal one cannot be excluded.": "PT?",
    "The mediastinum appears wide, but this may well be due to the supine position.": "EC?",
    "The nodule described on an outside CT is not visible here.": "LL?",
    "Not evident effusions nor consolidation.": "PE- CO- NF+",
    "The mediastinum appears wide, which may be due to the supine projection; CT follows.": "EC?",
    "Mediastinal mass, lymphoma or germ cell tumor.": "EC+",
    "A nodule is possible, although this may be a composite shadow.": "LL?",
    "Summation shadow or nodule.": "LL?",
    "Nipple shadow or nodule on the left.": "LL?",
    "Old fracture of the fourth rib, osseously consolidated.": "FR+",
    "Cardiac silhouette difficult to value on this projection.": "CM?",
    "Report\nHistory: visa.\nNo effusion is seen. Heart normal.\nComments\nNo tuberculosis.": (
        "PE- CM- NF+"
    ),
    "Recommend drain insertion for the effusion.": "PE+",
    "Drain insertion was uneventful.": "SD+",
    "History: port placed today.\nThere is a port. No effusion.\nIMPRESSION: Good position.": (
        "SD+ PE- NF+"
    ),
    "History: cough.\nRule out effusion.\nIMPRESSION: Clear lungs.": "NF+",
}
TABLE = {
    **LONG,
    **OTHERWISE,
    **LIKELY,
    **PARTS,
    **KNOWN,
    **DATED,
    **DRAINED,
    **PLACED,
    **SIDES,
    **OPEN,
    **ASKED,
    **HEADED,
    **MISSPELT,
}


@pytest.mark.parametrize(("text", "expected"), TABLE.items())
def test_sentence(text: str, expected: str) -> None:
    assert sorted(said(text).split()) == sorted(expected.split())


def test_one_slip_is_one_letter_or_two_exchanged() -> None:
    assert one_slip("efusion", "effusion")
    assert one_slip("effussion", "effusion")
    assert one_slip("pnuemonia", "pneumonia")
    assert one_slip("consolibation", "consolidation")
    assert not one_slip("hearing", "healing", wrong=False)
    assert not one_slip("efusoin", "effusion")
    assert not one_slip("effusion", "effusion")
