"""Reading by sentence: what is asked, how the answers are put together, what is remembered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from decoding_tools import KNEE, B, N, P, U
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.decode.by_sentence import sentences
from inference.prompts import Refusal
from labelwright.labelers.nothing import ASIDE, HEADINGS
from labelwright.records import Answer, Certainty, Section
from labelwright.tasks.base import Part
from labelwright.tasks.certainty.together import of_sentences
from labelwright.text.sections import Composer

SAID = (P, U, N, B)
"""What outweighs what, the strongest first."""
NOTHING = "the report says nothing beside indication, comparison and the like"


def asked_of(text: str, sections: Sequence[Section] = ()) -> list[str]:
    """The sentences that are asked; each must stand in the text where it is said to stand."""
    found = sentences(text, sections)
    assert not isinstance(found, Refusal), found
    for sentence, places in found.items():
        for start, end in places:
            assert text[start:end].split() == sentence.split()
    return list(found)


def answered(**said: Mapping[Certainty, float]) -> Answer:
    """An answer of the model to one sentence; observations left out are blank."""
    probs = {
        name: dict.fromkeys(_allowed(name), 0.0) | dict(said.get(name.replace(" ", "_"), {B: 1.0}))
        for name in KNEE.names
    }
    labels: dict[str, Certainty | None] = {
        name: max(row, key=row.__getitem__) for name, row in probs.items()
    }
    written = {name: {c.value: p for c, p in row.items()} for name, row in probs.items()}
    return Answer(value=labels, seconds=0.25, probs=written)


def _allowed(name: str) -> tuple[Certainty, ...]:
    return next(label.certainties for label in KNEE.labels if label.name == name)


def places(count: int) -> list[list[tuple[int, int]]]:
    return [[(10 * number, 10 * number + 9)] for number in range(count)]


def whole(*answers: Answer) -> Answer:
    return of_sentences(
        KNEE, [Part(own, a) for own, a in zip(places(len(answers)), answers, strict=True)]
    )


# What is asked


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Clear lungs. No effusion.", ["Clear lungs.", "No effusion."]),
        ("FINDINGS: Clear lungs.\nIMPRESSION: Normal.", ["Clear lungs.", "Normal."]),
        ("FINDINGS:\n\nClear lungs.\n\nIMPRESSION:\n\nNormal.", ["Clear lungs.", "Normal."]),
        ("INDICATION: Cough.\nFINDINGS: Clear.\nCOMPARISON: None.", ["Clear."]),
        ("History: edema. The lungs are clear.", ["The lungs are clear."]),
        ("Large heart COMPARISON: none IMPRESSION: Normal.", ["Large heart", "Normal."]),
        ("FINDINGS: Large heart IMPRESSION: Cardiomegaly.", ["Large heart", "Cardiomegaly."]),
        ("FINDINGS:\nLUNGS: Clear.\nHEART: Normal.", ["LUNGS: Clear.", "HEART: Normal."]),
        ("IMPRESSION: 1. Edema.\n2. A 2.5 cm mass. 3) No.", ["Edema.", "A 2.5 cm mass.", "No."]),
        ("- Edema\n- (2) 1.5 cm nodule\n• No mass", ["Edema", "1.5 cm nodule", "No mass"]),
        ("The heart\nis   mildly\r\n\tenlarged.", ["The heart is mildly enlarged."]),
        ("Clear. 5.\n\n- - -\n\nNormal.", ["Clear.", "Normal."]),
        ("肺野清晰。没有气胸。", ["肺野清晰。", "没有气胸。"]),
    ],
)  # fmt: skip
def test_what_is_asked(text: str, wanted: list[str]) -> None:
    assert asked_of(text) == wanted


def test_only_sections_aside_are_skipped() -> None:
    headings = {
        "indication": "INDICATION", "history": "HISTORY", "comparison": "COMPARISON",
        "technique": "TECHNIQUE", "examination": "EXAMINATION", "date": "DATE",
        "signature": "DICTATED BY", "notification": "NOTIFICATION",
    }  # fmt: skip
    assert set(headings) == ASIDE
    for heading in headings.values():
        text = f"FINDINGS: Clear.\n{heading}: Effusion was known."
        assert asked_of(text) == ["Clear."]
    for heading in ("COMMENT", "ADDENDUM", "WET READ", "RECOMMENDATIONS", "CONCLUSION"):
        text = f"FINDINGS: Clear.\n{heading}: Effusion is new."
        assert asked_of(text) == ["Clear.", "Effusion is new."]


def test_sections_that_a_reader_knows_count_and_may_have_headings_inside() -> None:
    text, sections = Composer(("indication", "report")).join(
        ("Effusion?", "HISTORY: Edema.\nFINDINGS: No effusion.")
    )
    assert asked_of(text, sections) == ["No effusion."]
    text, sections = Composer(("history", "findings")).join(("Edema.", "Clear. No effusion."))
    assert asked_of(text, sections) == ["Clear.", "No effusion."]
    assert asked_of("Edema. Clear.", [Section("history", 0, 6), Section("body", 7, 13)]) == [
        "Clear."
    ]


def test_a_sentence_that_stands_twice_is_asked_once_and_has_both_places() -> None:
    text = "FINDINGS: 😀 Small\nmass. Clear.\nIMPRESSION: 1. Clear. 2. 😀 Small mass."
    again = text.rindex("😀")
    assert sentences(text) == {
        "😀 Small mass.": [(10, 23), (again, len(text))],
        "Clear.": [(24, 30), (46, 52)],
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the report is empty"),
        (" \n\t", "the report is empty"),
        ("12.5 / 3. 4.", "the report holds no words"),
        ("IMPRESSION: 1. 2.", "the report holds no words"),
        ("INDICATION: Cough.", NOTHING),
        ("COMPARISON: None.\nTECHNIQUE: Two views.", NOTHING),
        ("FINDINGS:", HEADINGS),
        ("A mass. " * 1_001, "more than 1,000 sentences"),
        ("a mass and " * 10_000, "more than 100,000 characters"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(text: str, reason: str) -> None:
    assert sentences(text) == Refusal(reason)


@given(st.text(alphabet="aB1.:;-\n İﬁ。\u00a0FINDGS", max_size=60))
def test_any_text_is_asked_where_it_stands(text: str) -> None:
    found = sentences(text)
    if isinstance(found, Refusal):
        assert found.reason
        return
    spans = sorted(span for own in found.values() for span in own)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    asked_of(text)
    assert all(any(char.isalpha() for char in sentence) for sentence in found)


# How answers are put together


@st.composite
def distributions(draw: st.DrawFn) -> dict[str, dict[Certainty, float]]:
    found = {}
    for name in KNEE.names:
        weights = [draw(st.integers(0, 9)) for _ in _allowed(name)]
        weights[-1] += 1
        found[name.replace(" ", "_")] = dict(
            zip(_allowed(name), (w / sum(weights) for w in weights), strict=True)
        )
    return found


@settings(deadline=None)
@given(st.lists(distributions(), min_size=1, max_size=3))
def test_probabilities_are_those_of_all_combinations_of_independent_sentences(
    given_: list[dict[str, dict[Certainty, float]]],
) -> None:
    found = whole(*(answered(**row) for row in given_))
    assert found.probs is not None
    for name in KNEE.names:
        rows = [row[name.replace(" ", "_")] for row in given_]
        wanted = dict.fromkeys(_allowed(name), 0.0)
        all_positive = math.prod(row[P] for row in rows)
        for said in itertools.product(_allowed(name), repeat=len(rows)):
            strongest = next(c for c in SAID if c in said)
            wanted[strongest] += math.prod(row[c] for row, c in zip(rows, said, strict=True))
        if name == "Normal":  # it heads the rule of KNEE
            wanted = {P: all_positive, B: 1 - all_positive}
        assert found.probs[name] == pytest.approx({c.value: p for c, p in wanted.items()}, abs=2e-6)
    assert not KNEE.contradictions({k: v for k, v in found.value.items() if v is not None})
    assert found.problems == ()


def test_two_doubtful_sentences_by_hand() -> None:
    """Positive 1 - 0.7·0.6 = 0.58; positive or uncertain 1 - 0.1·0.2 = 0.98; blank 0.05·0.1."""
    found = whole(
        answered(Meniscal_Tear={P: 0.3, U: 0.6, N: 0.05, B: 0.05}),
        answered(Meniscal_Tear={P: 0.4, U: 0.4, N: 0.1, B: 0.1}),
    )
    assert found.probs is not None
    assert found.probs["Meniscal Tear"] == pytest.approx(
        {"positive": 0.58, "uncertain": 0.40, "negative": 0.015, "blank": 0.005}
    )
    assert found.value["Meniscal Tear"] is P


def test_no_finding_needs_every_sentence_and_gives_way_to_a_finding() -> None:
    sure = {P: 0.9, B: 0.1}
    found = whole(*[answered(Normal=sure)] * 3)
    assert found.probs is not None
    assert found.probs["Normal"] == {"positive": 0.729, "blank": 0.271}
    assert found.value["Normal"] is P
    found = whole(*[answered(Normal=sure)] * 7)
    assert found.value["Normal"] is B, "0.9 to the 7th is 0.48"
    against = answered(Normal={P: 0.8, B: 0.2}, Cyst={P: 0.7, N: 0.0, B: 0.3})
    found = whole(answered(Normal={P: 1.0, B: 0.0}), against)
    assert (found.value["Normal"], found.value["Cyst"]) == (P, B), "0.8·0.3 is more than 0.2·0.7"
    assert found.notes == ("rule: Cyst",)


def test_evidence_are_the_sentences_that_say_it_else_the_nearest_one() -> None:
    found = whole(
        answered(Cyst={P: 0.0, N: 1.0, B: 0.0}, Meniscal_Tear={P: 0.45, U: 0.0, N: 0.0, B: 0.55}),
        answered(Cyst={P: 0.9, N: 0.1, B: 0.0}, Meniscal_Tear={P: 0.4, U: 0.0, N: 0.0, B: 0.6}),
        answered(Cyst={P: 0.8, N: 0.1, B: 0.1}),
    )
    assert found.value == {
        "Meniscal Tear": P, "Joint Effusion": B, "Bone Bruise": B, "Cyst": P, "Normal": B,
    }  # fmt: skip
    assert found.evidence == {"Cyst": [[10, 19], [20, 29]], "Meniscal Tear": [[0, 9]]}
    assert "Normal" not in (whole(answered(Normal={P: 1.0, B: 0.0})).evidence or {})


def test_without_probabilities_the_strongest_word_counts() -> None:
    one, other = (
        Answer(value=dict(zip(KNEE.names, said, strict=True)), raw=raw, notes=notes, seconds=0.25)
        for said, raw, notes in (
            ((N, B, None, P, P), "first", ("windows: 2",)),
            ((U, B, P, None, B), "second", ()),
        )
    )
    found = whole(one, other)
    assert dict(zip(KNEE.names, (U, B, P, P, B), strict=True)) == found.value
    assert (found.raw, found.probs) == ("first\nsecond", None)
    assert found.notes == ("windows: 2",), "of a long sentence; sentences are no windows"
    assert found.evidence == {
        "Meniscal Tear": [[10, 19]], "Bone Bruise": [[10, 19]], "Cyst": [[0, 9]],
    }  # fmt: skip
    assert whole(other, replace(other, value={**other.value, "Cyst": B})).value["Cyst"] is None
