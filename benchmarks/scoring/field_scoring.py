"""How long does scoring 10,000 documents of 74 typed fields take?

Made-up documents of made-up words state about half of 43 booleans, 15 texts, 7 categories, 5 dates
and 4 numbers; labelers miss values, invent some, take those of other fields and write some that
the document does not hold. Scoring is everything from values to all scores: equality by type, edit
distances of texts, kinds of errors, the paper's points. What intervals and tests take is printed
beside it.

    OMP_NUM_THREADS=1 python benchmarks/scoring/field_scoring.py

With ``--write DIR``, nothing is timed: the label set, the documents, the gold and runs of the
labelers are written there, as ``labelwright eval`` reads them.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Mapping
from pathlib import Path

from eval.kinds.fields.analysis import TESTED
from eval.kinds.fields.asked import asked_of
from eval.kinds.fields.counts import field_counts, pointed
from eval.kinds.fields.errors import Judge
from eval.kinds.fields.scores import points_of, score, statistics
from eval.stats.significance import CompareSettings, compare_counts
from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Prediction
from labelwright.tasks.fields.values import NOT_MENTIONED, FieldValue, Item, Status, stated

SYLLABLES = ("ra", "dio", "lo", "ne", "phri", "tis", "car", "me", "xol", "an", "gi", "ste", "um")
NUMBERS = {"boolean": 43, "text": 15, "categorical": 7, "date": 5, "number": 4}
WORDS = ("never", "former", "current")
LABELERS = {"large": (0.05, 0.01, 0.03, 0.01), "small": (0.12, 0.05, 0.1, 0.05)}
"""Shares of values missed, of nulls with an invented value, of wrong values, and of those among
them that the document does not hold."""
Fields = dict[str, FieldValue]


def label_set_text() -> str:
    """The label set's YAML."""
    more = {
        "categorical": ", values: [never, former, current]",
        "number": ", unit: mg, tolerance: 0.5",
    }
    fields = [
        f'  - {{name: "{kind} {n}", key: {kind[:2].upper()}{n}, type: {kind}{more.get(kind, "")}}}'
        for kind, count in NUMBERS.items()
        for n in range(1, count + 1)
    ]
    head = 'name: made-up-74\nversion: "1.0"\ntask: fields\nlanguage: en\n'
    return head + 'instruction: "Read the fields. {fields}"\nfields:\n' + "\n".join(fields) + "\n"


def words(rng: random.Random, least: int, most: int) -> str:
    """Some made-up words."""
    return " ".join(
        "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4)))
        for _ in range(rng.randint(least, most))
    )


def made_up(rng: random.Random, kind: str) -> tuple[str, str | float | bool]:
    """The words of a value, and the value."""
    if kind == "boolean":
        value = rng.random() < 0.6
        return ("yes" if value else "no"), value
    if kind == "categorical":
        word = rng.choice(WORDS)
        return word, word
    if kind == "date":
        year, month, day = rng.randint(1990, 2024), rng.randint(1, 12), rng.randint(1, 28)
        return f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}"
    if kind == "number":
        number = rng.randint(1, 400) / 4
        return f"{number:g} mg", number
    phrase = words(rng, 2, 9)
    return phrase, phrase


def document(rng: random.Random) -> tuple[str, Fields]:
    """A document and what it states."""
    text, found = "", {}
    for kind, count in NUMBERS.items():
        for n in range(1, count + 1):
            name = f"{kind} {n}"
            if rng.random() < 0.5:
                found[name] = NOT_MENTIONED
                continue
            raw, value = made_up(rng, kind)
            text += f"{name}: "
            found[name] = stated(Item(raw, value, "", ((len(text), len(text) + len(raw)),)))
            text += f"{raw}. "
    return text.strip(), found


def labeled(rng: random.Random, text: str, gold: Fields, shares: tuple[float, ...]) -> Fields:
    """What a labeler makes of it."""
    missed, invented, wrong, unheld = shares
    found = {}
    for name, value in gold.items():
        kind, prob = name.split()[0], round(0.5 + rng.random() / 2, 3)
        states = value.status is Status.STATED
        if rng.random() < (missed if states else 1 - invented):
            found[name] = FieldValue(Status.NOT_MENTIONED, (), prob)
        elif states and rng.random() >= wrong:
            found[name] = FieldValue(value.status, value.items, prob)
        else:
            others = [v for n, v in gold.items() if n.startswith(kind) and v.items and n != name]
            raw, new = made_up(rng, kind)
            if kind == "categorical" and rng.random() < 0.2:
                item = Item(rng.choice(("moderate", "moderate", "two packs")), None)
                found[name] = stated(item, prob=prob * 0.6)
            elif rng.random() >= unheld and others:
                found[name] = FieldValue(Status.STATED, rng.choice(others).items, prob * 0.8)
            else:
                start = text.find(raw)
                spans = ((start, start + len(raw)),) if start >= 0 else ()
                found[name] = stated(Item(raw, new, "", spans), prob=prob * 0.6)
    return found


def timed(documents: int, seed: int) -> None:
    """Measure and print."""
    rng = random.Random(seed)
    label_set = LabelSet.from_text(label_set_text())
    asked = asked_of(label_set)
    texts, gold = zip(*(document(rng) for _ in range(documents)), strict=True)
    said = [labeled(rng, t, g, LABELERS["small"]) for t, g in zip(texts, gold, strict=True)]
    start = time.process_time()
    counts, wrong = field_counts(asked, gold, said)
    counted = time.process_time()
    judged = pointed(asked, said, counts, texts=texts, unknown=[0] * documents)
    judge = Judge(asked, judged)
    errors = [judge.errors(*each) for each in zip(wrong, gold, said, texts, strict=True)]
    values = sum(len(v.items) for each in said for v in each.values())
    points = points_of(counts, documents=documents, values=values, judged=judged)
    found = score(counts, undefined="zero", points=points)
    end = time.process_time()
    print(
        f"{documents:,} documents x {len(asked)} fields: {end - start:.2f} CPU s "
        f"(counts {counted - start:.2f}, errors and points {end - counted:.2f}); "
        f"{sum(map(len, errors)):,} errors, macro F1 {found.macro.f1:.3f}"
    )
    better = [labeled(rng, t, g, LABELERS["large"]) for t, g in zip(texts, gold, strict=True)]
    other, _ = field_counts(asked, gold, better)
    start = time.process_time()
    known = statistics(asked, undefined="zero")
    compare_counts(
        {"small": counts[..., :TESTED], "large": other[..., :TESTED]},
        known,
        settings=CompareSettings(statistics=tuple(known)),
        clustered=False,
    )
    print(f"intervals and tests of two labelers: {time.process_time() - start:.1f} CPU s")


def write(folder: Path, documents: int, seed: int) -> None:
    """Label set, documents, gold and runs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "label_set.yaml").write_text(label_set_text(), encoding="utf-8")
    label_set = LabelSet.from_text(label_set_text())
    rng = random.Random(seed)
    made = [(f"d{n:04d}", *document(rng)) for n in range(documents)]
    write_jsonl(
        folder / "test.reports.jsonl",
        ({"id": i, "text": t, "patient": f"p{n // 2}"} for n, (i, t, _) in enumerate(made)),
    )
    from labelwright.tasks.fields.kind import KIND

    write_jsonl(folder / "test.fields.jsonl", ({"id": i, **KIND.to_object(g)} for i, _, g in made))
    for name, shares in LABELERS.items():
        rows = [_row(rng, i, t, g, name, shares) for i, t, g in made]
        (folder / name).mkdir(exist_ok=True)
        write_jsonl(folder / name / "predictions.jsonl", (row.to_json() for row in rows))
    print(f"{folder}: {label_set.name}, {documents} documents, runs {', '.join(LABELERS)}")


def _row(
    rng: random.Random,
    identifier: str,
    text: str,
    gold: Mapping[str, FieldValue],
    name: str,
    shares: tuple[float, ...],
) -> Prediction:
    unusable = rng.random() < shares[3] / 5
    value = None if unusable else labeled(rng, text, dict(gold), shares)
    problems = ("unknown field",) if rng.random() < shares[3] else ()
    return Prediction(id=identifier, value=value, model=name, task="fields", problems=problems)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--write", type=Path, metavar="DIR")
    given = parser.parse_args()
    if given.write is None:
        timed(given.documents, given.seed)
    else:
        write(given.write, given.documents, given.seed)
