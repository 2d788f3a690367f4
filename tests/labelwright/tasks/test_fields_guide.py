"""What the guides of fields let through stands in the text, and comes to an end."""

from __future__ import annotations

import random

import pytest

from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of
from labelwright.tasks.fields.guide import AnswerGuide, LineGuide
from labelwright.tasks.fields.schema import fields_of

LABELS = LabelSet.from_text(
    """name: walk
version: "1"
task: fields
instruction: "{fields}"
fields:
  - {name: Admitted, key: AD, type: date}
  - {name: Dose, key: D, type: number, unit: mg}
  - {name: Smoking, key: SM, type: categorical, values: [never, ex, ex heavy]}
  - {name: Signs, key: SI, type: categorical, many: true, values: [cough, fever, pain]}
  - {name: Angina, key: AN, type: boolean}
  - {name: Diagnosis, key: DX, type: text, most: 24}
  - {name: Drugs, key: DR, type: text, many: true, most: 16}
  - {name: Doses, key: DD, type: number, many: true}
  - {name: Stay, key: ST, type: number, copy: false}
"""
)
KIND = kind_of(LABELS)
TEXTS = (
    "Admitted 3/4/2020 and 31/02/2020 for naïve  cough; aspirin 5 mg, statin 10 mg | rest.\nEnd.",
    "Nothing.",
    "é 12 12 12 - | - 1.5 (b) x|y",
    "",
)


def walk(guide: LineGuide | AnswerGuide, draw: random.Random, most: int = 4000) -> str:
    """A random answer, byte by byte."""
    state, written = guide.start(), b""
    for _ in range(most):
        after = {
            byte: new
            for byte in range(256)
            if (new := guide.advance(state, bytes([byte]))) is not None  # type: ignore[arg-type]
        }
        ends = guide.may_end(state)  # type: ignore[arg-type]
        if not after or (ends and draw.random() < 0.15):
            assert ends, written
            return written.decode("utf-8")
        byte = draw.choice(list(after))
        state, written = after[byte], written + bytes([byte])
    raise AssertionError("no end")


@pytest.mark.parametrize("text", TEXTS)
def test_valid_answers_say_nothing_that_the_text_does_not(text: str) -> None:
    draw = random.Random(len(text))
    plain = " ".join(text.split())
    for _ in range(12):
        answer = walk(AnswerGuide(LABELS, text), draw)
        parsed = KIND.parse(LABELS, answer, text, ended=True)
        kinds = {one.partition(":")[0].partition(" (")[0] for one in parsed.problems}
        assert kinds <= {"no such date", "no evidence"}, (answer, parsed.problems)
        assert "no evidence: Admitted" not in parsed.problems
        for name in ("Diagnosis", "Drugs"):
            for item in parsed.value[name].items:
                assert item.raw in plain
                assert item.spans
        assert len(answer) < 3000


@pytest.mark.parametrize("text", TEXTS)
def test_words_behind_a_key(text: str) -> None:
    own, draw = fields_of(LABELS), random.Random(7)
    plain = " ".join(text.split())
    for name in ("Signs", "Diagnosis", "Drugs", "Doses", "Stay"):
        guide = LineGuide(own, own.by_name[name], text)
        if guide.advance(guide.start(), b" ") is None:
            assert plain in ("", "Nothing.")
            continue
        for _ in range(8):
            line = walk(guide, draw)
            assert line.startswith(" ")
            assert line.endswith("\n")
            said = line.strip().split(" | ")
            if name == "Signs":
                assert len(set(said)) == len(said)
                assert set(said) <= {"cough", "fever", "pain"}
            elif name == "Stay":
                assert float(said[0].replace(",", ".")) >= 0
            elif "|" not in text:
                assert all(one in plain for one in said)
