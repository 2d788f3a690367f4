"""Where sentences end, in reports as people write them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.text.sentences import sentence_spans

REPORTS: list[tuple[str, list[str]]] = [
    ("Clear lungs. No effusion.", ["Clear lungs.", "No effusion."]),
    ("A 1.5 cm nodule.\nStable!", ["A 1.5 cm nodule.", "Stable!"]),
    ("Edema? Yes", ["Edema? Yes"]),
    ("Edema? Effusion? No. Stable.", ["Edema?", "Effusion? No.", "Stable."]),
    ("Scar vs. nodule. Dr. Who, e.g. here.", ["Scar vs. nodule.", "Dr. Who, e.g. here."]),
    ("clear\n-no change\n-scar", ["clear", "-no change", "-scar"]),
    ("Small opacity, ? pneumonia. Stable.", ["Small opacity, ? pneumonia.", "Stable."]),
    ("1. Clear.\n2. Effusion", ["1. Clear.", "2. Effusion"]),
    ("- one\n- two", ["- one", "- two"]),
    ("The heart\nis normal.", ["The heart\nis normal."]),
    ("Heart normal\nLungs clear", ["Heart normal", "Lungs clear"]),
    ("FINDINGS: clear\nIMPRESSION: normal", ["FINDINGS: clear", "IMPRESSION: normal"]),
    ("IMPRESSION:\nNo change", ["IMPRESSION:\nNo change"]),
    ("clear\n\nno change", ["clear", "no change"]),
    ("Clear. 5. 6.", ["Clear. 5. 6."]),
    ("  Clear.  \n", ["Clear."]),
    ("...", ["..."]),
    ("肺野清晰。未见胸腔积液！心影不大", ["肺野清晰。", "未见胸腔积液！", "心影不大"]),
    ("", []),
    (" \n\t", []),
]


@pytest.mark.parametrize(("text", "sentences"), REPORTS)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences


@given(st.text("aB1 .!?\n-:,。é\r\t\u00a0", max_size=60))
def test_nothing_but_white_space_is_between_them(text: str) -> None:
    spans = sentence_spans(text)
    at = 0
    for start, end in spans:
        assert at <= start < end
        assert not text[at:start].strip()
        assert not text[start].isspace()
        assert not text[end - 1].isspace()
        at = end
    assert not text[at:].strip()
    if len(spans) > 1:
        assert all(any(c.isalpha() for c in text[start:end]) for start, end in spans)


HOSTILE = {
    "blanks": " " * 3_000_000,
    "stops": "." * 1_000_000,
    "lines of blanks": ("\n" + " " * 20_000 + "x") * 50,
    "lines": "\nab cd" * 300_000,
    "almost headings": ("\n" + "a" * 39 + "b") * 30_000,
    "one word": "x" * 3_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_take_no_time(name: str) -> None:
    began = time.process_time()
    sentence_spans(HOSTILE[name])
    assert time.process_time() - began < 3
