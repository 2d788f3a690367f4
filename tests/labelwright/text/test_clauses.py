"""Clauses of a sentence: where the text marks the border, and never inside a list."""

from __future__ import annotations

from itertools import pairwise

import pytest

from inference.decode.by_sentence import sentences
from labelwright.text.sentences import clause_spans

BORDERS = {
    "but": ("No pneumothorax, but a moderate effusion persists.", 2),
    "without": ("Cardiomegaly without edema.", 2),
    "comma and no": ("Small effusion, no pneumothorax, mild edema.", 3),
    "semicolon": ("No effusion; the heart is enlarged.", 2),
    "dash": ("No pneumothorax – small effusion.", 2),
    "verb of its own": ("No effusion, heart is enlarged.", 2),
    "and the": ("The heart is enlarged and the lungs are free of infiltrate.", 2),
    "size word": ("No pneumothorax and small bilateral effusions.", 2),
    "with a size word": ("No pneumothorax with a persistent moderate left effusion.", 2),
    "hedge": ("Opacity, likely atelectasis.", 2),
    "run-on": ("no effusion no pneumothorax there is an opacity", 3),
    "polarity": ("Positive for fracture and negative for pneumothorax.", 2),
}
WHOLE = {
    "list": "No effusion, consolidation or pneumothorax is seen.",
    "list with size words": "No focal consolidation, large effusion or pneumothorax.",
    "list with semicolons": "No pneumonia; effusion; or pneumothorax.",
    "answer": "Pneumothorax - none.",
    "colon": "Pneumothorax: no evidence.",
    "no longer": "The effusion is no longer seen.",
    "no change": "Effusion with no interval change.",
    "again": "No definite pneumothorax, although a small one cannot be excluded.",
    "whether": "It is uncertain whether there is effusion.",
    "no": "No pneumothorax.",
    "there is": "There is no effusion or pneumothorax.",
    "verb and its object": "The visualized bony structures reveal no acute abnormality.",
    "versus": "Pneumonia vs. edema.",
    "normal but for": "Normal but for an effusion.",
}


@pytest.mark.parametrize("name", BORDERS)
def test_a_marked_border_ends_a_clause(name: str) -> None:
    text, count = BORDERS[name]
    spans = clause_spans(text)
    assert len(spans) == count
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)


@pytest.mark.parametrize("name", WHOLE)
def test_what_belongs_together_stays_whole(name: str) -> None:
    text = WHOLE[name]
    assert clause_spans(text) == [(0, len(text))]


def test_clauses_are_asked_with_a_capital_and_keep_their_places() -> None:
    text = "No effusion, but a small pneumothorax. Heart normal."
    found = sentences(text, clauses=True)
    assert isinstance(found, dict)
    assert list(found) == ["No effusion", "A small pneumothorax.", "Heart normal."]
    spans = [span for places in found.values() for span in places]
    assert [text[start:end] for start, end in spans] == [
        "No effusion",
        "a small pneumothorax.",
        "Heart normal.",
    ]
    whole = sentences(text)
    assert isinstance(whole, dict)
    assert list(whole) == ["No effusion, but a small pneumothorax.", "Heart normal."]
