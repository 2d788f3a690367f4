"""How long does scoring 10,000 notes with 20 mentions each take, beside nervaluate?

Made-up notes of made-up words with mentions of four types, and labelers that miss mentions, move
their borders, take another type, invent some and write some that are not in the text. Scoring is
everything from lists of mentions to all scores: matching in all schemes, words, kinds of errors.
nervaluate (its four schemes) gets the same mentions without those that the text does not hold, on
a part of the notes; its time is scaled by the number of notes, in which it is linear.

    OMP_NUM_THREADS=1 python benchmarks/scoring/span_scoring.py

With ``--write DIR``, nothing is timed: the label set, the gold and runs of the labelers with three
seeds are written there, as ``labelwright eval`` reads them.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path

from eval.kinds.entities.counts import borders, span_counts
from eval.kinds.entities.errors import wrong_mentions
from eval.kinds.entities.scores import schemes_of, span_scores
from labelwright.io.jsonl import write_jsonl
from labelwright.records import Entity, Prediction

TYPES = ("Disease", "Anatomy", "Drug", "Procedure")
SYLLABLES = (
    "ra",
    "dio",
    "lo",
    "ne",
    "phri",
    "tis",
    "car",
    "me",
    "xol",
    "an",
    "gi",
    "o",
    "ste",
    "um",
)
LABELERS = {"large": (0.05, 0.05, 0.02, 0.02), "small": (0.14, 0.1, 0.05, 0.05)}
"""Shares of mentions missed, with moved borders, of another type, and not in the text."""
LABEL_SET = """\
name: four-types
version: "1.0"
task: entities
language: en
instruction: "Find every mention. Types: {labels}."
labels:
  - name: Disease
  - name: Anatomy
  - name: Drug
  - name: Procedure
"""
Notes = list[tuple[str, list[Entity]]]


def make_notes(count: int, mentions: int, seed: int) -> Notes:
    """Notes of about eight words per mention; a mention has one to four words."""
    draw = random.Random(seed)
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(3_000)]
    notes: Notes = []
    for _ in range(count):
        parts: list[str] = []
        length = 0
        entities = []
        for _ in range(draw.randint(mentions // 2, mentions + mentions // 2)):
            for size, kind in ((draw.randint(1, 9), ""), (draw.randint(1, 4), draw.choice(TYPES))):
                piece = " ".join(draw.choices(words, k=size))
                if kind:
                    entities.append(Entity(kind, ((length, length + len(piece)),), piece))
                parts.append(piece)
                length += len(piece) + 1
        notes.append((" ".join(parts), entities))
    return notes


def answer(notes: Notes, rates: Sequence[float], seed: int) -> list[list[Entity]]:
    """What a labeler with these error rates marks; in one of ten notes it invents a mention."""
    draw = random.Random(seed)
    missed, moved, retyped, absent = rates
    answers = []
    for text, entities in notes:
        said = [
            _mention(draw, text, gold, moved, retyped, absent)
            for gold in entities
            if draw.random() > missed
        ]
        if draw.random() < 0.1:
            end = text.index(" ")
            said.append(Entity(draw.choice(TYPES), ((0, end),), text[:end], prob=draw.random()))
        answers.append(said)
    return answers


def _mention(
    draw: random.Random, text: str, gold: Entity, moved: float, retyped: float, absent: float
) -> Entity:
    sure = draw.betavariate(6, 2)
    if draw.random() < absent:
        return Entity(gold.type, (), "not there", prob=draw.betavariate(2, 4))
    start, end = gold.spans[0]
    if draw.random() < moved:
        space = text.find(" ", start, end)
        end = text.find(" ", end + 1) if space < 0 else space
        end = len(text) if end < 0 else end
        sure = draw.betavariate(3, 3)
    kind = draw.choice(TYPES) if draw.random() < retyped else gold.type
    return Entity(kind, ((start, end),), text[start:end], prob=sure)


def score(notes: Notes, said: list[list[Entity]]) -> float:
    """Seconds of processor time for all that the page counts of one labeler."""
    begin = time.process_time()
    gold = [entities for _, entities in notes]
    words = [borders(text) for text, _ in notes]
    counts, matchings = span_counts(gold, said, TYPES, words=words)
    for truth, pred, found in zip(gold, said, matchings, strict=True):
        wrong_mentions(truth, pred, found)
    schemes = schemes_of(certainties=False, texts=True)
    span_scores(counts, TYPES, schemes=schemes)
    return time.process_time() - begin


def score_nervaluate(notes: Notes, said: list[list[Entity]]) -> float:
    """The same of nervaluate, its four schemes and their scores per type."""
    from nervaluate import Evaluator

    def rows(entities: list[Entity]) -> list[dict[str, object]]:
        return [{"label": e.type, "start": s, "end": t - 1} for e in entities for s, t in e.spans]

    gold, pred = [rows(e) for _, e in notes], [rows(e) for e in said]
    begin = time.process_time()
    Evaluator(gold, pred, tags=list(TYPES), loader="dict").evaluate()
    return time.process_time() - begin


def write(folder: Path, notes: Notes) -> None:
    """Label set, gold with texts, and three runs of each labeler."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "four-types.yaml").write_text(LABEL_SET, encoding="utf-8")
    write_jsonl(
        folder / "gold.jsonl",
        (
            {"id": f"note-{n}", "text": text, "entities": [e.to_json() for e in entities]}
            for n, (text, entities) in enumerate(notes)
        ),
    )
    for name, rates in LABELERS.items():
        for seed in (1, 2, 3):
            run = folder / f"{name}-{seed}"
            run.mkdir(exist_ok=True)
            said = answer(notes, rates, seed)
            write_jsonl(
                run / "predictions.jsonl",
                (
                    Prediction(
                        id=f"note-{n}", model=name, task="entities", value=tuple(entities)
                    ).to_json()
                    for n, entities in enumerate(said)
                ),
            )


def main() -> None:
    """Time both, or write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=10_000)
    parser.add_argument("--mentions", type=int, default=20)
    parser.add_argument("--part", type=int, default=500, help="notes for nervaluate")
    parser.add_argument("--write", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    notes = make_notes(arguments.notes, arguments.mentions, 7)
    if arguments.write:
        write(arguments.write, notes)
        return
    print(f"{len(notes)} notes, {sum(len(e) for _, e in notes)} gold mentions")
    part = notes[: arguments.part]
    for name, rates in LABELERS.items():
        said = answer(notes, rates, 1)
        ours = min(score(notes, said) for _ in range(2))
        few = min(score(part, said[: len(part)]) for _ in range(2))
        theirs = min(score_nervaluate(part, said[: len(part)]) for _ in range(2))
        print(
            f"{name}: {ours:.2f} s for all; {len(part)} notes: {few:.3f} s, nervaluate "
            f"{theirs:.3f} s ({theirs / few:.1f} times)"
        )


if __name__ == "__main__":
    main()
