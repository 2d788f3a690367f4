"""The shipped chexpert-14 rules on lists of names, other organs, suppositions and headings.

Expected labels follow ``docs/labeling-guide.md``, written as in ``test_rules_kinds.py``.
"""

from __future__ import annotations

import pytest
from rules_tools import said

NAMES_BEFORE_ONE_VERDICT = {
    "Cardiomegaly - edema is possible.": "CM+ ED?",
    "Gone: the edema. New: an effusion.": "ED- PE+",
    "Edema - pneumothorax was not seen.": "ED- PT- NF+",
    "Effusion - plaques: none.": "PE- PO- NF+",
    "Small effusion - pneumothorax not seen.": "PE+ PT-",
    "No pneumothorax - effusion on the left.": "PT- PE+",
}
ONLY_SUPPOSED = {
    "If an effusion is suspected repeat the film. It is clear.": "",
    "The opacity would look smaller on a deeper breath.": "LO+",
    "The heart would be called enlarged.": "CM+",
    "Edema? Most definitely not.": "ED- NF+",
    "An infiltrate is not what I see.": "LO- NF+",
    "Consolidation is conspicuous by its absence.": "CO- NF+",
    "We could not persuade ourselves of a fracture.": "FR?",
    "Nodules: no suspicious ones.": "LL- NF+",
    "Edema would look different. No effusion.": "PE- NF+",
    "A patch of density, query pneumonia.": "LO+ PN?",
    "Pneumothorax can be neither confirmed nor excluded.": "PT?",
    "A fracture can't be ruled in or out.": "FR?",
    "Consolidation is hard to judge behind the heart.": "CO?",
    "The extent of the effusion is difficult to judge.": "PE+",
    "The size of the pneumothorax cannot be assessed.": "PT+",
    "I could not find anything wrong.": "NF+",
    "If there were an effusion, the recess would be rounded; it is sharp.": "PE- NF+",
    "Were it an effusion, the sulcus would look blunt. It is not.": "PE- NF+",
    "A nodule in the left apex. It is sharp.": "LL+",
    "It would be surprising if this was edema.": "ED?",
    "A consolidation we did not find.": "CO- NF+",
    "Of the old effusion nothing remains.": "PE- NF+",
    "Question from the ward: is there an effusion? None seen.": "PE- NF+",
    "Fracture? On neither side.": "FR- NF+",
    "Edema: cannot judge on this film.": "ED?",
    "The mediastinum is prominent, probably from positioning.": "EC?",
}
OTHER_ORGANS = {
    "Fluid in the right chest and in the abdomen.": "PE+",
    "Edema of the lateral chest wall. No effusion.": "PE- NF+",
    "Fluid collection around the spleen. Heart size normal.": "CM- NF+",
    "Subcutaneous edema of the left breast. No effusion.": "PE-",
    "Edema of the mesenteric fat. No effusion.": "PE-",
    "Marrow edema in the sternum. No effusion.": "PE-",
    "Subphrenic effusion; no pneumothorax.": "PT- NF+",
    "The right heart chambers are of normal size. No effusion.": "PE- NF+",
}
LONGER_NEGATION = {
    "The nodule is no longer solid.": "LL+",
    "The vessels are no longer congested.": "ED- NF+",
    "The right lower lobe is no longer collapsed.": "AT- NF+",
    "The effusion has nearly entirely resolved.": "PE+",
}
DEVICES_PLANNED = {
    "Scheduled PICC placement. No effusion.": "PE- NF+",
    "Large right effusion, pigtail drain advised.": "PE+",
    "No effusion. Repeat film after drain insertion, please.": "PE- NF+",
    "Suggest inserting a drain for the large left effusion.": "PE+",
    "Nasal prongs in place, no lines.": "SD-",
    "Lumbar spine hardware.": "SD+",
    "Film before hip replacement. Lungs clear.": "NF+",
    "Known hip replacement. Lungs clear.": "SD+ NF+",
}
NOT_SEEN_YET_POSSIBLE = {
    "A clavicular fracture is not seen, though it cannot be excluded.": "FR?",
    "Effusion not identified but not excluded.": "PE?",
    "Small effusions are possibly present.": "PE?",
    "Cardiac size could not be commented on.": "CM?",
    "Nothing abnormal detected on this film.": "NF+",
    "Heart shadow hidden but probably enlarged.": "CM?",
    "UL diversion.": "ED+",
    "No pleural plaque or calcification, costophrenic angles clear.": "PO- PE- NF+",
    "Normal cardiac and mediastinal outlines.": "CM- EC- NF+",
    "Clinical info: recurrent pneumothorax. Lungs clear.": "NF+",
}
PARTS_AND_STATES = {
    "No CM. Small effusion.": "CM- PE+",
    "Heart/vessels: normal / no edema": "CM- ED- NF+",
    "Slender mediastinum.": "EC- NF+",
    "The mediastinum is wider than before.": "EC+",
    "Cardiac image at the upper limit.": "CM- NF+",
    "The heart is, if anything, a little large.": "CM+",
    "No pneumothorax the pleural spaces are clear": "PT- PE- NF+",
    "The sinuses are sharp. No opacity.": "PE- LO- NF+",
    "Right upper lobe: collapsed.": "AT+",
    "Ribs: old # on the left.": "FR+",
    "Thickening: mild, at both apices.": "PO+",
    "No pulmonary stasis.": "ED- NF+",
    "Looks like failure to me.": "ED+",
    "Repeated chest infections, exclude edema. Lungs clear.": "NF+",
}
TABLE = (
    NAMES_BEFORE_ONE_VERDICT
    | ONLY_SUPPOSED
    | OTHER_ORGANS
    | LONGER_NEGATION
    | DEVICES_PLANNED
    | NOT_SEEN_YET_POSSIBLE
    | PARTS_AND_STATES
)


@pytest.mark.parametrize("text", TABLE)
def test_what_is_said(text: str) -> None:
    assert set(said(text).split()) == set(TABLE[text].split())
