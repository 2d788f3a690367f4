"""The shipped chexpert-14 rules on what one part of a text says of another, behind the gate.

Questions and their answers, requests without a heading, "as has", signs of plus and minus, spoken
marks, slips of the keyboard. Expected labels follow ``docs/labeling-guide.md``; the signs are those
of ``rules_tools``.
"""

from __future__ import annotations

import pytest
from rules_tools import LABELER, said

from labelwright.labelers.gate import Gated

GATED = Gated(LABELER)

LIKEWISE = {
    "The pneumonia has cleared and so has the effusion.": "PN- PE- NF+",
    "Edema has gone, as have the effusions.": "ED- PE- NF+",
    "The effusion has increased, as has the atelectasis.": "AT+ PE+",
    "Effusion is unlikely, as is pneumonia.": "PE? PN?",
    "Pneumonia cannot be excluded, nor can a small effusion.": "PN? PE?",
    "The consolidation has disappeared, likewise the effusion.": "CO- PE- NF+",
    "The edema has resolved and the same is true of the effusions.": "ED- PE- NF+",
    "The effusion has gone, as has most of the atelectasis.": "PE- AT+",
    "The drain has been removed, as has the endotracheal tube.": "SD-",
}
QUESTIONS = {
    "Has the heart grown large? - No, it is of normal size.": "CM- NF+",
    "Is there fluid in the pleural space? - No, both sulci are sharp.": "PE- NF+",
    "Any effusion? - Yes.": "PE+",
    "Is there a nodule? - Cannot be excluded.": "LL?",
    "Heart failure? No; the heart is normal.": "ED- CM- NF+",
    "Does the patient have pneumonia? - No sign of it.": "PN- NF+",
    "Has the pneumothorax resolved? - Yes.": "PT- NF+",
    "Has the pneumothorax resolved? - No.": "PT+",
    "Consolidation? Certainly not.": "CO- NF+",
}
REQUESTS = {
    "81M, breathless. ?effusion. Lungs clear.": "NF+",
    "Productive cough, ?pneumonia. Lungs clear.": "NF+",
    "Chest pain ?pneumothorax. No pneumothorax.": "PT- NF+",
    "SOB ?LRTI. Left basal consolidation.": "CO+",
    "Girl, 9 years. Wheeze. ?infection.\nOne view. The lungs are clear.": "NF+",
    "AP view. ?small effusion at the left base. Heart normal.": "PE? CM-",
    "Effusion at the left base, ?empyema. Fever.": "PE+",
}
SIGNED = {
    "Effusion -, pneumothorax -, consolidation +": "PE- PT- CO+",
    "Edema: +/-": "ED?",
    "PTX -, effusion ++": "PT- PE+",
    "Atelectasis ± pneumonia.": "AT+ PN?",
    "Consolidation: -\nHeart size: normal": "CO- CM- NF+",
    "No pneumothorax - small effusion": "PT- PE+",
    "-ve for PTX, +ve for rib fracture.": "PT- FR+",
    "Neg for PTX, pos for CHF.": "PT- ED+",
}
SPOKEN = {
    "No pneumothorax period The heart is enlarged period": "PT- CM+",
    "No effusion comma consolidation or pneumothorax full stop heart large": "PE- CO- PT- CM+",
    "No effusion in the early period.": "PE- NF+",
    "Atelectasis verses pneumonia.": "AT? PN?",
    "icu\nright ij line in svc no pneumothorax seen\npatchy opacity\nno edema": "SD+ PT- LO+ ED-",
    "Hert size normal.": "CM- NF+",
    "Mild pulmonary edma.": "ED+",
}
TIME = {
    "What was consolidation in May is now normal lung.": "CO- NF+",
    "The opacified right lung is now clear.": "LO- NF+",
    "Cardiomegaly has decreased, heart size now normal.": "CM- NF+",
    "Vessels prominent, no longer indistinct.": "ED+",
    "The effusion is no longer loculated.": "PE+",
    "Consolidation no longer demonstrable.": "CO- NF+",
    "On 4 May there was an empyema with a chest drain. Today the drain has been removed.": "SD-",
    "History of pneumothorax with a chest tube in place.": "SD+",
    "His twin had pneumonia. Our twin has a small effusion.": "PE+",
    "Were this an effusion, the angle would be blunt.": "PE-",
    "Lateral film to confirm the effusion.": "PE+",
    "Ultrasound to look for effusion.": "",
    "Heart prominent, probably because of the supine position.": "CM?",
}
PLACES = {
    "Thymic neoplasm in the anterior mediastinum.": "",
    "Liver metastases; lungs without nodules.": "LL- NF+",
    "Costophrenic sinuses are free.": "PE- NF+",
    "PTX s/p CT placement.": "PT+ SD+",
    "Effusion s/p CT chest yesterday.": "PE+",
    "CT to suction. Small PTX.": "SD+ PT+",
    "Opacity evocative of pneumopathy.": "LO+ PN?",
}
REGISTERS = {
    "no acute disease heart normal lungs clear": "CM- NF+",
    "no bony injury cardiac silhouette normal": "CM- NF+",
    "no acute process small left effusion": "PE+",
    "No acute findings or effusion.": "PE- NF+",
    "Heart grand. No collapse.": "CM- AT- NF+",
    "Fibro-nodular change in the left apex.": "PO+",
    "Sulci are intact. Lungs clear.": "PE- NF+",
    "C.P. angles clear.": "PE- NF+",
    "The heart is magnified by the AP view.": "CM?",
    "Radiographer comment: normal.": "NF+",
    "No obvious #. Lungs clear.": "FR- NF+",
    "Undisplaced # of the 5th rib.": "FR+",
    "Index lesion: LUL 18 mm.": "LL+",
    "Lung nodule: complete response.": "LL- NF+",
    "Partial response of the lung metastases.": "LL+",
    "Nodule no longer measurable.": "LL- NF+",
    "No sinister lesion.": "LL- NF+",
    "Alveolar pattern in both lower lobes.": "LO+",
    "No pericardial or pleural effusion.": "PE- NF+",
    "Pericardial effusion. No pleural effusion.": "PE-",
}
TABLE = LIKEWISE | QUESTIONS | REQUESTS | SIGNED | SPOKEN | TIME | PLACES | REGISTERS


@pytest.mark.parametrize(("text", "expected"), TABLE.items())
def test_text(text: str, expected: str) -> None:
    assert sorted(said(text, GATED).split()) == sorted(expected.split())
