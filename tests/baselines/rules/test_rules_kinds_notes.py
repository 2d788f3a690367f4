"""The shipped chexpert-14 rules on phone notes, handovers, addenda and follow-up after cancer.

Expected labels follow ``docs/labeling-guide.md``, written as in ``test_rules_kinds.py``.
"""

from __future__ import annotations

import pytest
from rules_tools import said

NOTES_AND_HANDOVERS = {
    "Complete response of lung metastases.": "LL- NF+",
    "Mediastinal nodes enlarged, lungs clear.": "",
    "No enlarged nodes. Lungs clear.": "NF+",
    "Post RT change, no recurrence.": "",
    "Perihilar streaking, no focal consolidation.": "LO+ CO-",
    "After thoracentesis no pneumothorax and hardly any fluid left.": "PT- PE+",
    "Post tap: no PTX, less fluid.": "PT- PE+",
    "No pneumothorax on this supine film, but cannot exclude a small anterior one.": "PT?",
    "No effusion seen, although I cannot exclude a tiny one.": "PE?",
    "No fracture, but cannot exclude pneumonia.": "FR- PN?",
    "The fluid is coming back.": "PE+",
    "No more fluid.": "PE- NF+",
    "No residual fluid.": "PE- NF+",
    "No pneumothorax, no more effusion.": "PT- PE- NF+",
    "Pneumonia, no effusion.": "PN+ PE-",
    "Aorta unfolded, nil else.": "",
    "Nil else to note.": "NF+",
    "Effusion drained last week, has not come back.": "PE- NF+",
    "Not sure this is pneumonia.": "PN?",
    "I am not certain that is a fracture.": "FR?",
    "None of the above changes suggests infection.": "PN- NF+",
    "None of these shadows suggests malignancy.": "LO+ LL-",
    "No misplaced tubes.": "SD+",
    "No displaced leads.": "SD+",
    "No displaced rib fracture.": "FR- NF+",
    "No consolidation obscured by the effusion.": "CO- PE+",
    "No fracture seen through the effusion.": "FR- PE+",
    "No pneumothorax seen behind the heart.": "PT- NF+",
    "No tubes.": "SD-",
    "Effusion: nil.": "PE- NF+",
    "Pneumothorax nil, effusion nil.": "PT- PE- NF+",
    "No evidence of pneumonia with the lines in good position.": "PN- SD+ NF+",
    "No edema in the known emphysema.": "ED-",
    "Without consolidation in the collapsed lobe.": "CO- AT+",
    "Possible infection in the known fibrosis.": "PN? PO+",
    "Likely edema on top of chronic interstitial disease.": "ED? LO+",
    "The opacity may be related to the known fibrosis.": "LO+ PO+",
    "No change in the nodule within the scar.": "LL+ LO+",
    "No sign of the nodule within the opacity.": "LL- LO+",
    "I see no effusion next to the mass or in the fissure.": "PE- LL+",
    "There is no new nodule; the old nodule persists.": "LL+",
    "No lobar collapse or consolidation around the tube.": "AT- CO- SD+ NF+",
    "No effusion below the left hilum.": "PE- NF+",
    "No acute finding on top of the chronic changes.": "NF+",
    "Nodule near the heart, no effusion.": "LL+ PE-",
    "Lungs clear, no pneumothorax with drain in place.": "PT- SD+ NF+",
    "Used to smoke. Lungs clear.": "NF+",
    "Was intubated yesterday. Tube out.": "SD-",
    "Was seen in clinic. Small effusion.": "PE+",
    "Was there an effusion? No.": "PE- NF+",
    "Fluid status unclear. Lungs clear.": "NF+",
    "Request: ?pneumonia. Right basal consolidation.": "CO+",
    "Probably no change in the effusion.": "PE+",
    "Pneumonia is probably not the cause.": "PN?",
    "There are probably no fractures but a small pneumothorax.": "FR? PT+",
    "Probably normal.": "",
    "Heart probably not enlarged.": "CM?",
    "Bands of scar.": "LO+",
    "Linear band at the left base.": "LO+",
    "Fibrous bands.": "PO+",
}


@pytest.mark.parametrize("text", NOTES_AND_HANDOVERS)
def test_what_a_note_says(text: str) -> None:
    assert sorted(said(text).split()) == sorted(NOTES_AND_HANDOVERS[text].split())
