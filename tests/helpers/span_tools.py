"""What the tests of entity scores share: mentions from short notations, random reports."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from eval.kinds.certainty.page import VIEW as CERTAINTIES
from eval.kinds.entities.page import VIEW as SPANS
from eval.read.aligned import Inputs
from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Entity, Prediction

TYPES = ("A", "B", "C")


def e(kind: str, *spans: tuple[int, int]) -> Entity:
    """A mention at ``spans``; its text does not matter to scores."""
    return Entity(kind, tuple(spans), "x")


def from_tags(tags: Sequence[str]) -> list[Entity]:
    """Mentions of a BIO sequence, one character per tag; every I continues a mention."""
    found: list[Entity] = []
    start = 0
    for place, tag in enumerate([*tags, "O"]):
        if place and tags[place - 1] != "O" and not tag.startswith("I"):
            found.append(e(tags[place - 1][2:], (start, place)))
        if tag.startswith("B"):
            start = place
    return found


@st.composite
def tag_sequences(draw: st.DrawFn, length: int) -> list[str]:
    """A well-formed BIO sequence over :data:`TYPES`."""
    tags: list[str] = []
    while len(tags) < length:
        kind = draw(st.sampled_from(("O", "O", *TYPES)))
        if kind == "O":
            tags.append("O")
            continue
        size = draw(st.integers(1, 4))
        tags += [f"B-{kind}", *[f"I-{kind}"] * (size - 1)]
    return tags[:length]


@st.composite
def tag_pairs(draw: st.DrawFn) -> tuple[list[list[str]], list[list[str]]]:
    """Gold and predicted tags of a few sentences."""
    lengths = draw(st.lists(st.integers(1, 24), min_size=1, max_size=4))
    gold = [draw(tag_sequences(n)) for n in lengths]
    return gold, [draw(tag_sequences(n)) for n in lengths]


spans = st.builds(lambda s, n: (s, s + n), st.integers(0, 14), st.integers(1, 6))


@st.composite
def places(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    """One or two ranges apart from each other."""
    first = draw(spans)
    if draw(st.integers(0, 3)):
        return (first,)
    start = first[1] + draw(st.integers(1, 4))
    return (first, (start, start + draw(st.integers(1, 4))))


mentions = st.builds(Entity, st.sampled_from(TYPES), places(), st.just("x"))
"""Nested, overlapping, discontinuous, twice the same: all may happen."""

answers = st.one_of(mentions, mentions, mentions, st.builds(e, st.sampled_from(TYPES)))
"""The same, now and then without a place."""

FOUR_TYPES = """\
name: four-types
version: "1"
task: entities
language: en
instruction: "Find every mention. Types: {labels}."
labels:
  - {name: Disease, key: DIS, synonyms: [Disorder]}
  - {name: Anatomy}
  - {name: Drug}
  - {name: Procedure}
"""
WITH_CERTAINTIES = FOUR_TYPES + "certainties: [positive, negative, uncertain]\n"
WORDS = (
    *("the", "left", "lung", "shows", "opacity", "after", "aspirin"),
    *("and", "biopsy", "of", "nodes", "near", "old", "fibrosis"),
)
CANARY = "canaryphrase"
"""A word of every note, to see where report text goes."""


def label_set(text: str = FOUR_TYPES) -> LabelSet:
    return LabelSet.from_text(text)


def notes(
    count: int, *, seed: int = 1, certain: bool = False
) -> list[tuple[str, str, tuple[Entity, ...]]]:
    """Id, text and mentions: two to five of one to three words each."""
    draw = random.Random(seed)
    names = label_set().names
    found = []
    for number in range(count):
        parts, entities, length = [CANARY], [], len(CANARY) + 1
        for _ in range(draw.randint(2, 5)):
            gap, piece = draw.choice(WORDS), " ".join(draw.choices(WORDS, k=draw.randint(1, 3)))
            start = length + len(gap) + 1
            sure = draw.choice(list(Certainty)[:3]) if certain else None
            span = (start, start + len(piece))
            entities.append(Entity(draw.choice(names), (span,), piece, sure))
            parts += [gap, piece]
            length = span[1] + 1
        found.append((f"n{number}", " ".join(parts), tuple(entities)))
    return found


def erring(
    made: Sequence[tuple[str, str, tuple[Entity, ...]]],
    rate: float,
    *,
    seed: int = 2,
    probs: bool = False,
) -> list[tuple[Entity, ...]]:
    """What a labeler says that is wrong in a share of mentions, in every way there is."""
    draw = random.Random(seed)
    names = label_set().names
    answers = []
    for _, text, entities in made:
        said: list[Entity] = []
        for gold in entities:
            wrong = draw.random() < rate
            way = draw.randrange(6) if wrong else -1
            prob = (draw.uniform(0.1, 0.7) if wrong else draw.uniform(0.4, 1)) if probs else None
            start, end = gold.spans[0]
            sure, kind = gold.certainty, gold.type
            if way == 0:
                continue
            if way == 1:
                end = max(start + 1, end - 3)
            elif way == 2:
                kind = names[(names.index(kind) + 1) % 4]
            elif way == 3:
                said.append(Entity(kind, (), "elsewhere", sure, prob))
                continue
            elif way == 4:
                said.append(Entity(kind, ((0, 3),), text[:3], sure, prob))
            elif way == 5 and sure is not None:
                sure = next(c for c in Certainty if c is not sure)
            said.append(Entity(kind, ((start, end),), text[start:end], sure, prob))
        answers.append(tuple(said))
    return answers


def write_case(
    folder: Path,
    rates: Mapping[str, float],
    *,
    count: int = 60,
    probs: bool = True,
    certain: bool = False,
    texts: bool = True,
) -> Path:
    """``labels.yaml``, ``gold.jsonl`` and a run folder per labeler."""
    made = notes(count, certain=certain)
    text = WITH_CERTAINTIES if certain else FOUR_TYPES
    (folder / "labels.yaml").write_text(text, encoding="utf-8")
    write_jsonl(
        folder / "gold.jsonl",
        (
            {"id": i, "entities": [m.to_json() for m in entities]} | ({"text": t} if texts else {})
            for i, t, entities in made
        ),
    )
    for number, (name, rate) in enumerate(rates.items()):
        (folder / name).mkdir()
        said = erring(made, rate, seed=number + 5, probs=probs)
        write_jsonl(
            folder / name / "predictions.jsonl",
            (
                Prediction(id=i, model=name, task="entities", value=mentions).to_json()
                for (i, _, _), mentions in zip(made, said, strict=True)
            ),
        )
    return folder


def load_comparison(
    gold: Path, predictions: Mapping[str, Any], label_set: LabelSet, **more: Any
) -> Any:
    """Certainties."""
    return CERTAINTIES.load(Inputs(label_set, gold, predictions, **more))


def load_span_comparison(
    gold: Path, predictions: Mapping[str, Any], label_set: LabelSet, **more: Any
) -> Any:
    """Entities."""
    return SPANS.load(Inputs(label_set, gold, predictions, **more))
