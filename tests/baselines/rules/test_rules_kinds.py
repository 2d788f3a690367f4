"""The shipped chexpert-14 rules by kinds of language, in sentences written for this test.

Expected labels follow ``docs/labeling-guide.md``. ``PE+ PT-`` means: Pleural Effusion positive,
Pneumothorax negative, every other observation blank; ``?`` is uncertain.
"""

from __future__ import annotations

import pytest
from rules_tools import predict, said

from labelwright.records import Certainty

BORDERS = {
    "No pneumothorax - moderate left effusion.": "PT- PE+",
    "No pneumothorax—moderate left effusion.": "PT- PE+",
    "No pneumothorax; moderate left effusion.": "PT- PE+",
    "No pneumothorax / effusion / consolidation.": "PT- PE- CO- NF+",
    "No edema; effusion; or pneumothorax.": "ED- PE- PT- NF+",
    "- No edema\n- Cardiomegaly\n- Effusion: none": "ED- CM+ PE-",
    "-No edema\n-Cardiomegaly": "ED- CM+",
    "1) No edema 2) Cardiomegaly": "ED- CM+",
    "• no edema • large effusion": "ED- PE+",
    "No consolidation (lobar or patchy), effusion or pneumothorax.": "CO- PE- PT- NF+",
    "No effusion (heart enlarged).": "PE- CM+",
    "No acute process (edema, pneumonia).": "ED- PN- NF+",
    "Pneumothorax\tNo\nEffusion\tYes": "PT- PE+",
    "Pneumothorax | none": "PT- NF+",
    "pneumothorax=no, effusion=small": "PT- PE+",
    "NO EFFUSION\nMILD EDEMA": "PE- ED+",
    "no effusion\nmild edema": "PE- ED+",
}
CLAUSES = {
    "No pneumothorax, an effusion is seen.": "PT- PE+",
    "No effusion, consolidation or pneumothorax is seen.": "PE- CO- PT- NF+",
    "No effusion, heart enlarged.": "PE- CM+",
    "No effusion and the heart is enlarged.": "PE- CM+",
    "No pneumothorax and a small effusion.": "PT- PE+",
    "No pneumothorax with small residual effusion.": "PT- PE+",
    "No effusion, opacity may represent pneumonia.": "PE- LO+ PN?",
    "no pneumothorax small left effusion": "PT- PE+",
    "no effusion the heart is enlarged lungs hyperinflated": "PE- CM+",
    "no definite edema question small effusion": "ED- PE?",
    "No pneumothorax after placement of a chest tube.": "PT- SD+ NF+",
    "No pneumothorax with the chest tube in place.": "PT- SD+ NF+",
    "No kink in the catheter.": "SD+",
    "The opacity, which was seen last week, is not visible today.": "LO- NF+",
    "No effusion, which would show, or pneumothorax.": "PE- PT- NF+",
    "Effusion is present and pneumonia cannot be excluded.": "PE+ PN?",
    "No effusion on the right, small on the left.": "PE+",
    "No pneumothorax, an effusion is present.": "PT- PE+",
}
NEGATION = {
    "The film doesn't show a fracture.": "FR- NF+",
    "The film doesn’t show a fracture.": "FR- NF+",
    "An effusion isnt seen.": "PE- NF+",
    "Nil effusion.": "PE- NF+",
    "Effusion nil.": "PE- NF+",
    "Effusion: nil.": "PE- NF+",
    "Effusion: none seen.": "PE- NF+",
    "Effusion - none.": "PE- NF+",
    "Effusion = no": "PE- NF+",
    "Effusion? No.": "PE- NF+",
    "Edema absent.": "ED- NF+",
    "Pneumonia has been excluded.": "PN- NF+",
    "Pneumonia excluded.": "PN- NF+",
    "A pneumothorax has not developed.": "PT- NF+",
    "The effusion is gone.": "PE- NF+",
    "Disappearance of the effusion.": "PE- NF+",
    "Effusion resolved.": "PE- NF+",
    "Resolved effusion.": "PE- NF+",
    "The effusion, now resolved.": "PE- NF+",
    "Non-enlarged heart.": "CM- NF+",
    "There is no longer a pneumothorax.": "PT- NF+",
    "The drain has been explanted.": "SD-",
    "Opacity, not atelectasis but consolidation.": "LO+ AT- CO+",
    "History of pneumonia and no effusion.": "PE- NF+",
    "No history of pneumothorax.": "PT- NF+",
    "Pneumothorax could not be identified.": "PT- NF+",
    "Consolidation is not a feature.": "CO- NF+",
    "Signs of failure are lacking.": "ED- NF+",
    "effusion (-), consolidation (+)": "PE- CO+",
    "Pneumothorax -ve.": "PT- NF+",
    "Neither lung shows consolidation.": "CO- NF+",
    "Nothing in the way of an effusion.": "PE- NF+",
    "Unable to identify a nodule.": "LL- NF+",
    "No more effusion.": "PE- NF+",
}
NO_NEGATION = {
    "No change in the effusion.": "PE+",
    "No increase in cardiomegaly.": "CM+",
    "No further growth of the nodule.": "LL+",
    "The effusion is no larger.": "PE+",
    "Pneumonia, not yet resolved.": "PN+",
    "The edema has failed to clear.": "ED+",
    "The effusion has nearly gone.": "PE+",
    "No evidence of improvement in the consolidation.": "CO+",
    "Opacity on the frontal view, not seen on the lateral view.": "LO+",
    "A nodule that was not present on the previous film.": "LL+",
    "Opacity consistent with the history of fibrosis.": "LO+ PO+",
    "No cavity within the mass.": "LL+",
    "The pneumothorax has almost completely resolved.": "PT+",
    "Pneumonia has not been ruled out.": "PN?",
    "Unable to exclude a pneumothorax.": "PT?",
    "The absence of a fracture cannot be confirmed.": "FR?",
    "No definite pneumothorax, although a tiny one cannot be excluded.": "PT?",
}
DOUBT = {
    "Consolidation or atelectasis at the left base.": "CO? AT?",
    "Atelectasis, infiltrate or effusion.": "AT? LO? PE?",
    "Effusion and/or pleural thickening.": "PE? PO?",
    "Scarring or atelectasis in the lingula.": "LO+ AT+",
    "Nodule or mass in the right lung.": "LL+",
    "No consolidation or atelectasis.": "CO- AT- NF+",
    "Edema vs. pneumonia.": "ED? PN?",
    "Unsure whether this is pneumonia.": "PN?",
    "It is uncertain whether the heart is enlarged.": "CM?",
    "Effusion unlikely.": "PE?",
    "Effusion likely, no pneumothorax.": "PE? PT-",
    "Pneumonia is favored over edema.": "PN? ED?",
    "Either edema or infection.": "ED? PN?",
    "No effusion on either side.": "PE- NF+",
    "Opacity in favor of atelectasis.": "LO+ AT+",
    "Minimal effusion, if any.": "PE?",
    "Could not rule out pneumonia.": "PN?",
    "Heart size difficult to assess.": "CM?",
    "Correlate clinically for pneumonia.": "PN?",
    "Nodule or nipple shadow.": "LL?",
    "Effusion with or without consolidation.": "PE+ CO?",
    "Hazy base, effusion or consolidation.": "LO+ PE? CO?",
    "Opacity s/o consolidation.": "LO+ CO?",
    "Patchy opacity concerning for edema versus pneumonia.": "LO+ ED? PN?",
}
ASIDE = {
    "If effusion is suspected, get an ultrasound.": "",
    "Please return if signs of pneumonia develop.": "",
    "CT would help exclude a nodule.": "",
    "Exclude fracture.": "",
    "Film taken to look for a pneumothorax.": "",
    "Insensitive for rib fractures.": "",
    "At risk for pneumonia.": "",
    "Her mother has a pacemaker.": "",
    "Father with lung cancer. Heart size normal.": "CM- NF+",
    "Pneumonia in his brother.": "",
    "The family was informed of the effusion.": "PE+",
    "Pneumonia last year.": "",
    "Should pneumonia develop, repeat the film.": "",
    "Rib fractures may be missed.": "",
    "Follow-up of pneumonia. Lungs clear.": "NF+",
    "Mum had pneumonia. Normal chest.": "NF+",
    "We looked for rib fractures.": "",
    "Exposure to pneumonia at school.": "",
    "Pneumonia jab given.": "",
    "History of emphysema without effusion.": "PE- NF+",
    "The roommate tested positive for pneumonia.": "",
    "Effusion unchanged since last year.": "PE+",
    "Lungs clear. No other opacity.": "NF+",
    "Fall. ?rib fracture\nThe ribs are intact.": "NF+",
    "Clinical details: cough.\nBasal consolidation. No effusion.\nConclusion: as above": "CO+ PE-",
}
SHORT_FORMS = {
    "ETT 3 cm above carina, NGT in stomach.": "SD+",
    "RIJ and IABP unchanged.": "SD+",
    "ECMO cannulae in situ.": "SD+",
    "No PTX, small eff on the right.": "PT- PE+",
    "RLL atx.": "AT+",
    "?PNA": "PN?",
    "Mild CMG, no CHF.": "CM+ ED-",
    "Heart nl, lungs clear.": "CM- NF+",
    "CTR increased.": "CM+",
    "Haemothorax with oedema.": "PE+ ED+",
    "Upper lobe blood diversion.": "ED+",
    "Calcified pleural plaques.": "PO+",
    "GGO in both lungs.": "LO+",
    "# left 5th rib": "FR+",
    "No #.": "FR- NF+",
    "ETT not in situ.": "SD-",
}
INFORMAL = {
    "Some fluid on the left.": "PE+",
    "Bit of fluid at the right base.": "PE+",
    "Water in the lungs.": "ED+",
    "The lungs look wet.": "ED+",
    "Collapsed right lung.": "AT+",
    "Cracked rib on the left.": "FR+",
    "Two broken ribs.": "FR+",
    "The ribs are not broken.": "FR- NF+",
    "Heart is too big.": "CM+",
    "There is a shadow at the left base.": "LO+",
    "Spot on the right lung.": "LL+",
    "Left lung whited out.": "LO+",
    "Air around the lung.": "PT+",
    "Chest infection.": "PN+",
    "The heart's rather big.": "CM+",
    "Line's in the right place.": "SD+",
    "The chest is full of fluid.": "PE+",
    "No broken bones.": "FR- NF+",
}
OTHER_PLACES = {
    "Left knee: large effusion, no fracture.": "",
    "Normal MRI of the brain.": "",
    "Abdominal ultrasound: mass in the liver, free fluid.": "",
    "Lumbar spine: no fracture.": "",
    "Thyroid nodule. The lungs are clear.": "NF+",
    "CT abdomen. Small right pleural effusion. Liver mass.": "PE+",
    "Ankle edema, lungs clear.": "NF+",
    "Fracture of the pacemaker lead.": "SD+",
    "The patient collapsed at home.": "",
    "Effusion in the pericardium.": "",
    "Breast shadows. No effusion.": "PE- NF+",
    "Renal failure. No edema.": "ED- NF+",
    "Neck X-ray: no swelling.": "",
}
TOMOGRAPHY = {
    "An increase in heart size was observed.": "CM+",
    "The cardiothoracic index increased in favor of the heart.": "CM+",
    "Pericardial effusion-thickening was not observed. Effusion was not detected.": "PE- NF+",
    "No mass or infiltrative lesion in the lung parenchyma.": "LO- LL- NF+",
    "Nodule in the adrenal gland. Lung parenchyma is normal.": "NF+",
    "Honeycombing and septal thickening.": "LO+",
}
SILENT = [
    *(
        "Report to follow.",
        "Images were sent elsewhere.",
        "Chest, two views.",
        "No change.",
        "Stable.",
    ),
    *(
        "See the earlier report.",
        "nan",
        "N/A",
        "Rotated patient.",
        "Clinical correlation is advised.",
    ),
    *("Großer Erguss rechts, kein Pneumothorax, das Herz ist nicht groß.", "xyz abc 123"),
    *("Grand épanchement pleural gauche, pas de pneumothorax.", "No comparison available."),
    *("Ankle radiograph. No fracture.", "Normal mammogram.", "Sin derrame y sin neumonía."),
]
NORMAL = [
    *("Normal chest.", "Chest X-ray: normal.", "Lungs are clear.", "No acute disease.", "NAD"),
    *("No acute cardiopulmonary abnormality.", "Unremarkable study.", "The bones are intact."),
    *("Heart and lungs are normal.", "No active disease in the chest.", "Clear lungs.", "Normal."),
    *("Mediastinum and hila are unremarkable.", "Trachea is midline.", "Nothing acute."),
]
TABLE = BORDERS | CLAUSES | NEGATION | NO_NEGATION | DOUBT | ASIDE | SHORT_FORMS | INFORMAL
TABLE |= OTHER_PLACES | TOMOGRAPHY


@pytest.mark.parametrize(("text", "expected"), TABLE.items())
def test_sentence(text: str, expected: str) -> None:
    assert sorted(said(text).split()) == sorted(expected.split())


@pytest.mark.parametrize("text", SILENT)
def test_text_that_says_nothing_is_blank_and_says_why(text: str) -> None:
    result = predict(text)
    assert set(result.labels.values()) == {Certainty.BLANK}
    assert len(result.problems) == 1
    assert not result.evidence


@pytest.mark.parametrize("text", NORMAL)
def test_normal_text_carries_its_sentence(text: str) -> None:
    result = predict(text)
    assert result.labels["No Finding"] is Certainty.POSITIVE
    assert not result.problems
    assert result.evidence is not None
    ((start, end),) = result.evidence["No Finding"]
    assert text[start:end] == text.rstrip(".")


def test_no_finding_rests_on_denials_where_no_sentence_says_so() -> None:
    text = "PICC unchanged. No effusion. No lines otherwise. The heart is not enlarged."
    result = predict(text)
    assert result.evidence is not None
    quoted = [text[a:b] for a, b in result.evidence["No Finding"]]
    assert quoted == ["No effusion", "The heart is not enlarged"]
