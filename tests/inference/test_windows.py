"""Reports longer than the context: where they are divided, and how the parts' answers join."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from clock_tools import growth
from close_tools import close
from conftest import REPORTS
from decoding_tools import KNEE, B, N, P, U, letter_tokenizer, make_loaded

from inference.engine import TextReader
from inference.labeler import Labeler, LabelerOptions
from inference.load import Loaded
from inference.prompts import MOST_WINDOWS, Prompt, PromptWriter, Refusal, split
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask
from labelwright.records import Answer, Certainty, Prediction, Reject, Report
from labelwright.tasks.certainty.together import of_windows
from labelwright.text.sentences import sentence_spans

CONTEXT = 64
LONG = " ".join(REPORTS)


@pytest.fixture(scope="module")
def narrow() -> Loaded:
    """A model with a context of 64 tokens."""
    return replace(make_loaded("qwen2, grouped heads", KNEE), context=CONTEXT)


def windows_of(text: str, writer: PromptWriter) -> list[str]:
    """The parts of a text; their prompts must be those of the parts by themselves."""
    prompts = split(text, writer)
    assert not isinstance(prompts, Refusal), prompts
    parts = []
    for prompt in prompts:
        assert prompt.span is not None
        parts.append(text[slice(*prompt.span)])
        (written,) = writer.write([parts[-1]])
        assert not isinstance(written, Refusal)
        assert written.tokens == prompt.tokens
    return parts


def test_windows_are_whole_sentences_and_as_full_as_can_be(narrow: Loaded) -> None:
    writer = PromptWriter(narrow, room=10)
    parts = windows_of(LONG, writer)
    assert len(parts) > 3
    sentences = [LONG[start:end] for start, end in sentence_spans(LONG)]
    inside = [[part[a:b] for a, b in sentence_spans(part)] for part in parts]
    assert list(itertools.chain(*inside)) == sentences
    for part, after in itertools.pairwise(inside):
        fuller = " ".join([*part, after[0]])
        assert isinstance(writer.write([fuller])[0], Refusal), "one more would have fitted"


def test_a_sentence_without_end_is_divided_at_white_space(narrow: Loaded) -> None:
    writer = PromptWriter(narrow, room=10)
    for space in (" ", "\n", "\t", " \n\t ", "\u3000", "  " * 500):
        words = ["effusion"] * (120 if len(space) < 10 else 40)
        parts = windows_of(space.join(words), writer)
        assert list(itertools.chain(*(part.split() for part in parts))) == words
        assert all(part == part.strip() for part in parts)


def test_a_word_without_end_is_rejected(narrow: Loaded) -> None:
    writer = PromptWriter(narrow, room=10)
    refusal = Refusal("too long for the model: a word without end")
    assert split("x" * 5000, writer) == refusal
    assert split(f"Clear. {'x' * 5000} Clear.", writer) == refusal


def test_a_text_that_is_no_report_is_rejected(narrow: Loaded) -> None:
    refusal = split("No effusion at all. " * 20_000, PromptWriter(narrow, room=10))
    assert refusal == Refusal(f"too long for the model: more than {MOST_WINDOWS} windows")


@pytest.mark.parametrize("text", ["Clear lungs. ", "word ", "x", "\n", "a\n", "。"])
def test_a_megabyte_is_refused_in_linear_time(text: str) -> None:
    loaded = replace(make_loaded("llama", KNEE, letter_tokenizer()), context=512)
    writer = PromptWriter(loaded, room=40)

    def refuse(size: int) -> None:
        assert isinstance(split(text * (size // len(text)), writer), Refusal)

    assert growth(refuse, 250_000, 1_000_000) < 9


def answer(label_set: LabelSet, *said: Certainty | None) -> Answer:
    labels = dict(zip(label_set.names, said, strict=True))
    return Answer(value=labels, raw="raw", seconds=0.5)


def merged(*answers: Answer) -> list[Certainty | None]:
    return list(of_windows(KNEE, answers).value.values())


def test_the_rule_by_which_windows_join() -> None:
    """Positive before uncertain before negative before blank; Normal only if all say so."""
    one = answer(KNEE, P, U, B, N, B)
    two = answer(KNEE, U, N, P, B, P)
    assert merged(one, two) == [P, U, P, N, B]
    assert merged(two, one) == [P, U, P, N, B]
    normal = answer(KNEE, N, B, B, B, P)
    assert merged(normal, normal) == [N, B, B, B, P]
    assert merged(normal, normal, one) == [P, U, B, N, B]


def test_what_a_window_left_open_stays_open_unless_another_decides_it() -> None:
    open_ = answer(KNEE, None, None, None, None, None)
    assert merged(open_, answer(KNEE, P, U, B, N, P)) == [P, None, None, None, None]
    assert merged(open_, answer(KNEE, B, B, B, B, B))[4] is None


def test_windows_that_obey_the_rules_join_to_labels_that_obey() -> None:
    kinds = [KNEE.by_name[name].certainties for name in KNEE.names]
    obeying = [
        answer(KNEE, *said)
        for said in itertools.product(*kinds)
        if not KNEE.contradictions(dict(zip(KNEE.names, said, strict=True)))
    ]
    for one, two in itertools.product(obeying[::3], obeying[::5]):
        assert not KNEE.contradictions(of_windows(KNEE, [one, two]).value)


def test_probabilities_are_those_of_the_window_that_decided() -> None:
    first = {"positive": 0.7, "blank": 0.3}
    second = {"positive": 0.4, "blank": 0.6}
    pair = [
        replace(answer(KNEE, P, B, P, B, P), probs=dict.fromkeys(KNEE.names, first)),
        replace(answer(KNEE, B, B, B, B, B), probs=dict.fromkeys(KNEE.names, second)),
    ]
    found = of_windows(KNEE, pair)
    assert found.probs == {
        "Meniscal Tear": first,
        "Joint Effusion": second,
        "Bone Bruise": first,
        "Cyst": second,
        "Normal": second,
    }
    assert found.raw == "raw\nraw"


def test_evidence_is_in_offsets_of_the_report_and_not_of_what_stands_before_it() -> None:
    """A lead of four characters: what lies in it is left out, what reaches into it is cut."""

    class Writer:
        def write(self, texts: Sequence[str]) -> list[Prompt]:
            return [Prompt((1,)) for _ in texts]

    class Decoder:
        def decode(self, prompts: Sequence[Prompt]) -> list[Answer]:
            spans = {"Cyst": [[0, 3], [3, 6], [5, 9]], "Normal": [[1, 4]]}
            return [replace(answer(KNEE, B, B, B, P, B), evidence=spans) for _ in prompts]

    reader = TextReader(KNEE, cast(Any, Writer()), cast(Any, Decoder()), long="windows")
    led, alone = reader.read([Ask("A cyst.", "1234"), Ask("A cyst.")])
    assert isinstance(led, Answer)
    assert isinstance(alone, Answer)
    assert led.evidence == {"Cyst": [[0, 2], [1, 5]]}
    assert alone.evidence == {"Cyst": [[0, 3], [3, 6], [5, 9]], "Normal": [[1, 4]]}


def report(text: str) -> Report:
    return Report(id="r", text=text, source="s", row=1)


@pytest.mark.parametrize("decode", ["one-pass", "constrained"])
def test_a_long_report_is_its_windows_joined(narrow: Loaded, decode: str) -> None:
    labeler = Labeler(narrow, LabelerOptions(decode=decode, deterministic=True))
    (prediction,) = labeler.label_reports([report(LONG)])
    assert isinstance(prediction, Prediction)
    parts = windows_of(LONG, labeler._reader.writer)
    singles = labeler.label_reports([report(part) for part in parts])
    answers = [
        Answer(value=p.value, raw=p.raw, problems=p.problems, notes=p.notes, probs=p.probs)
        for p in singles
        if isinstance(p, Prediction)
    ]
    assert len(answers) == len(parts) > 3
    wanted = of_windows(KNEE, answers)
    assert prediction.labels == wanted.value
    assert prediction.probs == close(wanted.probs)
    assert f"windows: {len(parts)}" in prediction.notes
    assert prediction.raw.count("\n") == len(parts) - 1


def test_long_and_short_reports_beside_each_other_keep_their_places(narrow: Loaded) -> None:
    labeler = Labeler(narrow, LabelerOptions(decode="one-pass"))
    texts = ["Clear.", LONG, "x" * 9000, "Tear.", LONG[::-1]]
    results = labeler.label_reports([report(text) for text in texts])
    kinds = [type(result) for result in results]
    assert kinds == [Prediction, Prediction, Reject, Prediction, Prediction]
    for index in (0, 1, 3, 4):
        (alone,) = labeler.label_reports([report(texts[index])])
        together = results[index]
        assert isinstance(alone, Prediction)
        assert isinstance(together, Prediction)
        assert alone.labels == together.labels
        assert alone.notes == together.notes


def test_long_reports_can_be_rejected_instead(narrow: Loaded) -> None:
    labeler = Labeler(narrow, LabelerOptions(decode="one-pass", long="reject"))
    rejected, labeled = labeler.label_reports([report(LONG), report("Clear.")])
    assert isinstance(labeled, Prediction)
    assert isinstance(rejected, Reject)
    assert rejected.reason.startswith("too long for the model: ")
    assert rejected.reason.endswith(f"context {CONTEXT}")
