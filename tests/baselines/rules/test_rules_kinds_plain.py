"""The shipped chexpert-14 rules on plain statements with words of history, advice or requests.

Such a word silences a finding only where the finding is what it speaks of. Expected labels follow
``docs/labeling-guide.md``, written as in ``test_rules_kinds.py``.
"""

from __future__ import annotations

import pytest
from rules_tools import said

from baselines.rules.boxes import without_unticked

HISTORY_THAT_LASTS = {
    "Patient had a nasogastric tube placed, tip in the stomach.": "SD+",
    "He had an effusion which is now smaller.": "PE+",
    "Admitted with an effusion that persists.": "PE+",
    "Admitted after a crash, found to have a sternal fracture.": "FR+",
    "Admitted with edema, now improving.": "ED+",
    "She had pneumonia last winter. Lungs clear.": "NF+",
    "Admitted with pneumonia. No effusion.": "PE- NF+",
    "Three weeks after treatment the infiltrate has shrunk.": "LO+",
    "A year after the fall the rib fractures have healed.": "FR+",
    "Two months after a pneumonia, some opacity remains.": "LO+",
    "Two months after pneumonia, the lungs are clear.": "NF+",
    "Four days after drain removal there is a tiny pneumothorax.": "SD- PT+",
    "Previous effusion in 2019.": "",
    "Healed TB with scarring of the left apex.": "LO+",
}
PAST_AND_PRESENT = {
    "The nodule was seen last year and is unchanged.": "LL+",
    "The infiltrate of last month persists.": "LO+",
    "Effusion three weeks ago, smaller today.": "PE+",
    "The edema which was present last week is gone.": "ED- NF+",
    "Previously clear, the lung shows an infiltrate.": "LO+",
    "History of asthma, now with a pneumothorax.": "PT+",
    "History of pneumonia with now clear lungs.": "NF+",
    "A history of diabetes with a new effusion.": "PE+",
    "Clinically suspected pneumonia is confirmed.": "PN+",
    "He had removal of the drain, and now has an effusion.": "SD- PE+",
    "Three weeks after treatment for pneumonia. Heart normal.": "CM- NF+",
    "The sternal fracture was fixed; plate in place.": "FR+ SD+",
    "The heart is no longer enlarged and the effusion is gone.": "CM- PE- NF+",
}
WORDS_OF_ABSENCE = {
    "Exposure to silica with a nodule in the lingula.": "LL+",
    "Two weeks after the last film the edema is unchanged.": "ED+",
    "Brought in by his father; large effusion.": "PE+",
    "The father: large effusion. Heart normal.": "CM- NF+",
    "She had a scan on Monday showing an effusion.": "PE+",
    "Nodule of unknown nature in the lingula.": "LL+",
    "The fracture is of indeterminate age.": "FR+",
    "It is uncertain whether a nodule is present.": "LL?",
    "In the absence of injury the rib fracture is old.": "FR+",
    "In the absence of an effusion there is nothing to drain.": "PE- NF+",
    "Lack of inflation of the left base from collapse.": "AT+",
    "No other finding than an effusion.": "PE+",
    "Resolved: edema.": "ED- NF+",
}
ADVICE_ON_WHAT_IS_THERE = {
    "Drain insertion is advised as the effusion is large.": "PE+",
    "Awaiting aspiration of the left effusion.": "PE+",
    "Please drain this large effusion.": "PE+",
    "Recommend withdrawing the endotracheal tube by 3 cm.": "SD+",
    "Follow-up of the lingular infiltrate in a month is advised.": "LO+",
    "Follow-up of pneumonia. No infiltrate.": "LO- NF+",
    "CT would be useful to characterise this nodule.": "LL+",
    "CT would be useful to exclude a nodule. Heart normal.": "CM- NF+",
    "Ultrasound could guide aspiration of the effusion.": "PE+",
    "The effusion may explain the opacity.": "PE+ LO+",
    "Recommend CT for evaluation of the lingular nodule.": "LL+",
    "Recommend CT to look for a nodule. No effusion.": "PE- NF+",
    "Suggest aspiration of this large effusion.": "PE+",
    "Repeat film in 4 weeks to confirm clearing of the infiltrate.": "LO+",
    "There would be merit in tapping the left effusion.": "PE+",
    "The therapy for the edema seen here is under way.": "ED+",
    "Assessment of the left base is limited by an effusion.": "PE+",
}
SAID_TO_SOMEBODY = {
    "Sister Brown was informed of the new pneumothorax.": "PT+",
    "Dr Son reviewed the left effusion.": "PE+",
    "His sister has an effusion. Heart normal.": "CM- NF+",
}
DATES = {
    "Compared with 7 May, the left effusion has grown.": "PE+",
    "Since 12 May 2024 a pneumothorax has appeared.": "PT+",
    "This may be an effusion.": "PE?",
}
WHERE_IT_IS_SEEN = {
    "Fracture of the sternum. I cannot see it on the frontal view.": "FR+",
    "Edema. I do not think it has changed.": "ED+",
    "Effusion? I don't think it is real.": "PE- NF+",
    "The catheter comes out at the right flank.": "SD+",
    "The chest tube has come out.": "SD-",
    "The mediastinum is no longer widened.": "EC- NF+",
    "Rib fracture. Not seen on the oblique view.": "FR+",
    "Edema. Not as marked as yesterday.": "ED+",
    "Edema? Not that I can see.": "ED- NF+",
    "Fluid fills the left hemithorax.": "PE+",
    "The heart is no longer large.": "CM- NF+",
}
BOXES = {
    "[x] Edema [ ] Pneumothorax [x] Effusion": "ED+ PE+",
    "Edema [ ] Pneumothorax [X] Effusion [ ]": "PT+",
    "☐ Normal chest\n☒ Rib fracture": "FR+",
    "Effusion: [ ] yes [x] no\nEdema: [x] yes [ ] no": "PE- ED+",
    "(x) Lungs clear ( ) Opacity": "NF+",
    "[ ] Effusion [ ] Edema": "",
    "Told Dr [ ] of the effusion.": "PE+",
}
TABLE = (
    HISTORY_THAT_LASTS
    | PAST_AND_PRESENT
    | WORDS_OF_ABSENCE
    | ADVICE_ON_WHAT_IS_THERE
    | SAID_TO_SOMEBODY
    | DATES
    | WHERE_IT_IS_SEEN
    | BOXES
)


@pytest.mark.parametrize("text", TABLE)
def test_what_is_said(text: str) -> None:
    assert set(said(text).split()) == set(TABLE[text].split())


@pytest.mark.parametrize("text", BOXES)
def test_boxes_leave_offsets_as_they_are(text: str) -> None:
    assert len(without_unticked(text)) == len(text)
