"""Texts asked whole, in windows and in halves: put together it is what a whole reading says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from entity_tools import PLAIN, found_in, made
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.decode.line_probs import line_probs
from inference.decode.part_reader import PartReader, Said, halves_of, total
from inference.prompts import Prompt, PromptWriter, Refusal, split
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask
from labelwright.records import Answer, Entity, Span
from labelwright.tasks.entities.answer import parse, render
from labelwright.tasks.entities.together import merged
from labelwright.text.sentences import sentence_spans

NESTED = made(nesting=True)


@dataclass
class Reader:
    """Finds all words in texts of at most ``limit`` characters.

    Attributes:
        ends: the longest text whose answer comes to its end.
        answer: replaces the right answer to a text.
    """

    limit: int = 10**9
    ends: int = 10**9
    overlap: int = 2
    answer: Callable[[str], str] = lambda text: render(PLAIN, found_in(text))
    asked: list[str] = field(default_factory=list)

    def write(self, texts: Sequence[str]) -> list[Prompt | Refusal]:
        fits = (len(text) <= self.limit for text in texts)
        return [Prompt((1,)) if fit else Refusal("too long: x", too_long=True) for fit in fits]

    def ask(self, asks: Sequence[Ask]) -> list[Said | Refusal]:
        texts = [ask.text for ask in asks]
        self.asked += texts
        return [
            Refusal("too long: x", too_long=True)
            if len(text) > self.limit
            else Said(self.answer(text), len(text) <= self.ends, 1.0, usage={"tokens": 2})
            for text in texts
        ]

    def parts(self, text: str) -> list[Span] | Refusal:
        prompts = split(text, cast(PromptWriter, self), overlap=self.overlap)
        if isinstance(prompts, Refusal):
            return prompts
        return [prompt.span for prompt in prompts if prompt.span is not None]


def read(reader: Reader, text: str, label_set: LabelSet = PLAIN, **more: Any) -> Answer:
    answer = PartReader(label_set, reader, long="windows", **more).read([Ask(text)])[0]
    assert isinstance(answer, Answer)
    return answer


def entities(answer: Answer) -> list[tuple[str, tuple[Span, ...]]]:
    assert answer.value is not None
    return [(entity.type, entity.spans) for entity in answer.value]


def wanted(text: str) -> list[tuple[str, tuple[Span, ...]]]:
    return [(entity.type, entity.spans) for entity in found_in(text)]


SENTENCES = st.lists(
    st.sampled_from(
        [
            "Fever and cough were seen.",
            "No fever.",
            "All is well today.",
            "Aspirin was given for the cough.",
            "He took aspirin, aspirin and aspirin.",
        ]
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=150, deadline=None)
@given(SENTENCES, st.integers(40, 160), st.integers(0, 3), st.integers(40, 200))
def test_parts_of_any_size_say_what_the_whole_says(
    sentences: list[str], limit: int, overlap: int, ends: int
) -> None:
    text = "\n".join(sentences)
    reader = Reader(limit=limit, ends=ends, overlap=overlap)
    answer = read(reader, text)
    assert entities(answer) == wanted(text)
    longest = max(len(part) for part in reader.asked if len(part) <= limit)
    assert longest <= limit
    assert answer.seconds == sum(len(part) <= limit for part in reader.asked)
    assert answer.usage == {"tokens": 2 * answer.seconds}


@settings(max_examples=50, deadline=None)
@given(SENTENCES, st.integers(20, 160), st.integers(20, 200))
def test_sentence_by_sentence_says_what_the_whole_says(
    sentences: list[str], limit: int, ends: int
) -> None:
    text = "\n".join(sentences)
    reader = Reader(limit=max(limit, 40), ends=max(ends, 40))
    answer = read(reader, text, unit="sentence")
    assert entities(answer) == wanted(text)
    # Equal sentences are asked once, and only once they cost time.
    assert reader.asked == list(dict.fromkeys(sentences))
    assert answer.seconds == len(reader.asked)
    assert answer.usage == {"tokens": 2 * len(reader.asked)}
    assert answer.notes == ()


def test_a_text_that_fits_is_asked_once() -> None:
    reader = Reader()
    answer = read(reader, "No fever.")
    assert reader.asked == ["No fever."]
    assert (answer.raw, answer.notes, answer.problems) == ("Disease: fever", (), ())


def test_windows_share_sentences_and_where_they_do_the_more_central_mention_counts() -> None:
    text = " ".join(f"Line {n} tells of sign{n} now." for n in range(12))

    def blind_at_borders(part: str) -> str:
        """Nothing is seen in the first and in the last sentence of a part inside the text."""
        spans = sentence_spans(part)
        first = 0 if text.startswith(part) else 1
        last = len(spans) if text.endswith(part) else len(spans) - 1
        seen = [re.findall(r"sign\d+", part[a:b]) for a, b in spans[first:last]]
        return "\n".join(f"Disease: {sign}" for signs in seen for sign in signs) or "none"

    reader = Reader(limit=120, answer=blind_at_borders)
    answer = read(reader, text)
    assert len(reader.asked) > 4
    assert [text[a:b] for _, ((a, b),) in entities(answer)] == [f"sign{n}" for n in range(12)]
    assert f"parts: {len(reader.asked) - 1}" in answer.notes
    without = Reader(limit=120, overlap=0, answer=blind_at_borders)
    assert len(entities(read(without, text))) < 12


def test_who_decides_between_two_parts() -> None:
    text = "aaa fever bbb cough ccc"
    spans = [(0, 19), (4, 23)]

    def said(part: Span, *entities: Entity) -> tuple[Entity, ...]:
        moved = (
            replace(e, spans=tuple((a - part[0], b - part[0]) for a, b in e.spans))
            for e in entities
        )
        return tuple(moved)

    # The first part ends 10 characters behind fever, the second begins with it; cough (14 to 19)
    # ends the first and is 10 behind the beginning of the second, whose end is the text's.
    fever, cough = (4, 9), (14, 19)
    left = said(spans[0], Entity.of(text, "Disease", fever), Entity.of(text, "Drug", cough))
    right = said(spans[1], Entity.of(text, "Drug", fever), Entity.of(text, "Disease", cough))
    found = merged(PLAIN, len(text), spans, [left, right])
    assert [(e.type, e.spans) for e in found] == [("Disease", (fever,)), ("Disease", (cough,))]
    # Who decides may also decide that there is nothing.
    assert merged(PLAIN, len(text), spans, [said(spans[0]), right])[0].spans == (cough,)


def test_equal_mentions_of_two_parts_are_one_and_overlapping_ones_need_nesting() -> None:
    text = "x" * 100
    spans = [(0, 60), (40, 100)]
    # 49 to 51 is as near to one border as to the other: both parts may say it.
    same = Entity.of(text, "Disease", (49, 51))
    longer = Entity.of(text, "Disease", (48, 52))

    def at(entity: Entity, start: int) -> tuple[Entity, ...]:
        moved = tuple((a - start, b - start) for a, b in entity.spans)
        return (Entity("Disease", moved, entity.text),)

    for label_set in (PLAIN, NESTED):
        found = merged(label_set, 100, spans, [at(same, 0), at(same, 40)])
        assert [e.spans for e in found] == [((49, 51),)]
    apart = [at(same, 0), at(longer, 40)]
    assert [e.spans for e in merged(PLAIN, 100, spans, apart)] == [((49, 51),)]
    assert len(merged(NESTED, 100, spans, apart)) == 2


def test_an_answer_that_does_not_end_is_asked_in_halves_until_one_sentence() -> None:
    text = "Fever came. Cough came. Aspirin helped. Fever went."
    reader = Reader(ends=25)
    answer = read(reader, text)
    assert reader.asked == [
        text,
        "Fever came. Cough came.",
        "Aspirin helped. Fever went.",
        "Aspirin helped.",
        "Fever went.",
    ]
    assert entities(answer) == wanted(text)
    assert (answer.problems, answer.notes) == ((), ("parts: 3",))
    hopeless = read(Reader(ends=0), text)
    assert hopeless.problems == ("cut off",)
    # Of every answer that did not end, the last line is left out; here it is the only one.
    assert hopeless.value is None


def test_what_the_model_read_it_in_is_where_a_mention_is_sought() -> None:
    text = "Fever came. " + "All is well. " * 6 + "Nothing else."

    def everywhere(part: str) -> str:
        return "Disease: fever"

    answer = read(Reader(limit=40, overlap=0, answer=everywhere), text)
    assert answer.value is not None
    assert [e.spans for e in answer.value if e.spans] == [((0, 5),)]
    elsewhere = [e for e in answer.value if not e.spans]
    assert answer.problems == (f"not in the text: Disease ({len(elsewhere)})",)


def test_a_part_that_cannot_be_read_is_a_problem_and_the_others_count() -> None:
    text = "Fever came. All is well."

    def sulking(part: str) -> str:
        return "Disease: Fever" if part.startswith("Fever") else "I cannot say."

    answer = read(Reader(limit=15, answer=sulking), text)
    assert entities(answer) == [("Disease", ((0, 5),))]
    assert answer.problems == ("chatter",)
    assert read(Reader(answer=lambda _: "I cannot say."), text).value is None
    assert read(Reader(answer=lambda _: "none"), text).value == ()


def test_texts_that_cannot_be_asked_stay_refused_beside_others() -> None:
    endless = "x" * 500
    texts = ["No fever.", endless, " ".join(["Fever."] * 30), "Cough."]
    reader = PartReader(PLAIN, Reader(limit=60), long="windows")
    results = reader.read([Ask(text) for text in texts])
    assert [type(result) for result in results] == [Answer, Refusal, Answer, Answer]
    assert cast(Refusal, results[1]).reason == "too long for the model: a word without end"
    rejecting = PartReader(PLAIN, Reader(limit=60), long="reject").read(
        [Ask(text) for text in texts]
    )
    assert [type(result) for result in rejecting] == [Answer, Refusal, Refusal, Answer]


@pytest.mark.parametrize(
    ("text", "halves"),
    [
        ("One sentence only", None),
        ("", None),
        ("One. Two. Three. Four.", ["One. Two.", "Three. Four."]),
        (
            "A very very long first sentence here. Two.",
            ["A very very long first sentence here.", "Two."],
        ),
    ],
)
def test_halves(text: str, halves: list[str] | None) -> None:
    spans = halves_of(text)
    assert (None if spans is None else [text[a:b] for a, b in spans]) == halves


def test_every_window_brings_something_new() -> None:
    # Long sentences beside short ones: windows that would only repeat are left out.
    text = " ".join(["Short one.", "Short two.", "L" + "ong " * 12 + "one.", "Short."] * 4)
    prompts = split(text, cast(PromptWriter, Reader(limit=80)), overlap=2)
    assert isinstance(prompts, list)
    spans = [prompt.span for prompt in prompts if prompt.span]
    assert [b for _, b in spans] == sorted({b for _, b in spans})
    covered = {place for a, b in spans for place in range(a, b)}
    assert all(place in covered for place, char in enumerate(text) if not char.isspace())
    assert sum(b - a for a, b in spans) > len(text)


# Probabilities per line


def test_the_probability_of_a_line_is_the_mean_of_its_tokens() -> None:
    pieces = ["Disease", ":", " fever", "\n", "Drug", ":", " aspirin", ""]
    probs = [0.5, 1.0, 0.5, 1.0, 0.2, 1.0, 0.3, 0.5]
    raw = "Disease: fever\nDrug: aspirin"
    assert line_probs(pieces, probs, raw) == [0.75, 0.5]
    assert line_probs(["a\n\nb"], [0.5], "a\n\nb") == [0.5, 0.0, 0.0]
    assert line_probs(["a", ""], [0.5, 1.0], "a\nb") is None
    assert line_probs([], [], "") == [0.0]


@given(st.lists(st.sampled_from(["Disease: fever", "none", "", "chat", "Drug: x\rDrug: y"])))
def test_every_mention_gets_the_probability_of_its_own_line(lines: list[str]) -> None:
    probs = [(number + 1) / 100 for number in range(len(lines))]
    text = "fever " * len(lines) + "x y"
    parsed = parse(PLAIN, "\n".join(lines), text, probs=probs)
    said = [
        (kind, prob)
        for line, prob in zip(lines, probs, strict=True)
        for kind in re.findall("Disease|Drug", line)
    ]
    assert sorted((e.type, e.prob or 0.0) for e in parsed.value or ()) == sorted(said)


def test_sums_of_what_answers_took() -> None:
    assert total([]) is None
    assert total([None, {"cost": 1.0}, {"cost": 0.5, "prompt_tokens": 3}]) == {
        "cost": 1.5,
        "prompt_tokens": 3,
    }
