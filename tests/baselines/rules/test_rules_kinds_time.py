"""The shipped chexpert-14 rules on change, short answers and plain words, behind the gate.

Expected labels follow ``docs/labeling-guide.md``; the signs are those of ``rules_tools``. Each text
is read through the gate as well, since it is what takes ``No Finding`` back.
"""

from __future__ import annotations

import pytest
from rules_tools import LABELER, said

from labelwright.labelers.gate import Gated
from labelwright.records import Certainty, Prediction, Report

GONE = {
    "Consolidation seen in June, since cleared.": "CO- NF+",
    "The effusion was since drained.": "PE- NF+",
    "Fully resolved left basal atelectasis.": "AT- NF+",
    "Last month's infiltrate left no trace.": "LO- NF+",
    "The drain has been pulled.": "SD-",
    "Both chest tubes have come out.": "SD-",
    "The pigtail catheter has been pulled back by 2 cm.": "SD+",
    "The effusion has not been drained completely.": "PE+",
    "Atelectasis came and went.": "AT- NF+",
    "Edema has given way to clear lungs.": "ED- NF+",
    "Pneumonia: no longer apparent.": "PN- NF+",
    "Awaiting a PICC. No effusion.": "PE- NF+",
    "Pacemaker to be implanted next week. No effusion.": "PE- NF+",
    "Left lower lobe collapse, meanwhile re-expanded.": "AT- NF+",
    "The infiltrate was there in spring but is not there now.": "LO- NF+",
    "Childhood pneumonia, now clear lungs.": "NF+",
}
PRESENT_AFTER_ALL = {
    "An opacity is seen that was not there before.": "LO+",
    "New mass, absent in 2018.": "LL+",
    "Pneumothorax not visible yesterday, present today.": "PT+",
    "No effusion last week, now a small one on the right.": "PE+",
    "No effusion on the left but a large one on the right.": "PE+",
    "No edema or effusion except for a trace on the left.": "ED- PE+",
    "No new mass; the known one is unchanged.": "LL+",
    "Heart size was normal and is now enlarged.": "CM+",
    "No effusion, no fracture, just some atelectasis.": "PE- FR- AT+",
    "Nodule not visible on the first film, now obvious.": "LL+",
    "Effusion, not there on Monday, has developed.": "PE+",
    "No shrinkage of the nodule.": "LL+",
    "The heart size is no longer normal.": "CM+",
    "Not without a small effusion.": "PE+",
    "No let-up in the edema.": "ED+",
    "Nothing to suggest that the pneumonia has resolved.": "PN+",
}
OPEN = {
    "A fracture cannot be discounted.": "FR?",
    "Pneumonia is not out of the question.": "PN?",
    "I would not dismiss a small nodule.": "LL?",
    "One cannot claim that there is no effusion.": "PE?",
}
ANSWERS = {
    "Effusion, pneumothorax: none.": "PE- PT- NF+",
    "Edema, effusion, nodule: all absent.": "ED- PE- LL- NF+",
    "Small effusion, pneumothorax: none.": "PE+ PT-",
    "Consolidation - nil seen.": "CO- NF+",
    "Effusion or consolidation: neither.": "PE- CO- NF+",
    "Effusion? Not seen.": "PE- NF+",
    "Pneumothorax (none).": "PT- NF+",
    "Rib fracture? None on this view.": "FR- NF+",
    "Nodules were looked for but not found.": "LL- NF+",
    "A fracture was sought in vain.": "FR- NF+",
    "A mass is nowhere to be seen.": "LL- NF+",
    "Of an effusion there is no sign.": "PE- NF+",
    "Effusion: L none, R none.": "PE- NF+",
    "Absent: edema, nodules.": "ED- LL- NF+",
}
PLAIN = {
    "Lungs look good.": "NF+",
    "Nothing broken.": "FR- NF+",
    "Water on the right side.": "PE+",
    "The heart's huge.": "CM+",
    "Effusion in the patient's brother. Heart normal.": "CM- NF+",
    "Water on the lungs.": "ED+",
    "The fluid's all gone.": "PE- NF+",
    "Needs a drain for the effusion.": "PE+",
    "No effusion, with a line in place.": "PE- SD+ NF+",
}
TERSE = {
    "No acute fx.": "FR- NF+",
    "PTX: neg. Eff: neg.": "PT- PE- NF+",
    "Neg CXR.": "NF+",
    "No abn.": "NF+",
    "CXR wnl.": "NF+",
    "Heart nl, no CHF.": "CM- ED- NF+",
    "No infilt, no eff.": "LO- PE- NF+",
    "No edema, ETT ok.": "ED- SD+ NF+",
}
TABLE = GONE | PRESENT_AFTER_ALL | OPEN | ANSWERS | PLAIN | TERSE


@pytest.mark.parametrize(("text", "expected"), TABLE.items())
def test_sentence(text: str, expected: str) -> None:
    assert sorted(said(text).split()) == sorted(expected.split())


@pytest.mark.parametrize("text", [text for text, found in TABLE.items() if "NF+" in found])
def test_the_gate_lets_a_terse_normal_text_stand(text: str) -> None:
    (result,) = Gated(LABELER).label_reports([Report("1", text, "test", 1)])
    assert isinstance(result, Prediction)
    assert result.labels["No Finding"] is Certainty.POSITIVE


@pytest.mark.parametrize("text", ["ETT ok.", "The line looks fine.", "Drain out.", "No change."])
def test_the_gate_does_not_take_a_device_for_a_normal_chest(text: str) -> None:
    (result,) = Gated(LABELER).label_reports([Report("1", text, "test", 1)])
    assert isinstance(result, Prediction)
    assert result.labels["No Finding"] is Certainty.BLANK
