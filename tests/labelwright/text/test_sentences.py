"""Where sentences end, in reports as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from clock_tools import growth
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


HOSTILE: dict[str, Callable[[int], str]] = {
    "blanks": lambda size: " " * size,
    "stops": lambda size: "." * (size // 3),
    "lines of blanks": lambda size: ("\n" + " " * (size // 150) + "x") * 50,
    "lines": lambda size: "\nab cd" * (size // 10),
    "almost headings": lambda size: ("\n" + "a" * 39 + "b") * (size // 100),
    "one word": lambda size: "x" * size,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_take_linear_time(name: str) -> None:
    make = HOSTILE[name]
    assert growth(sentence_spans, make(750_000), make(3_000_000)) < 9
