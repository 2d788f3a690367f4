"""Fields that nobody coded: no answer about them is taught, and none is measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fields.letter_tools import write_letters

from labelwright.cli import main
from sft.data import Record, open_records, read_records, value_of
from sft.encode import Encoder, Lengths

GAPS = ("Angina", "Creatinine")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty letters, of which every second has gaps."""
    folder = tmp_path_factory.mktemp("gaps")
    write_letters(folder, 40)
    rows = [json.loads(line) for line in (folder / "gold.jsonl").read_text().splitlines()]
    for row in rows[::2]:
        for name in GAPS:
            del row["fields"][name]
    (folder / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = ["--label-set", str(folder / "labels.yaml"), "--labels", str(folder / "gold.jsonl")]
    build = [str(folder / "letters.jsonl"), *given, "--split", "1,0,0"]
    assert main(["build", *build, "--out", str(folder / "data")]) == 0
    return folder / "data"


def test_gaps_are_not_taught(data: Path, tiny_checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_checkpoint)
    opened = open_records(data)
    records = list(read_records(opened.train, opened.label_set))
    assert sum(record.unknown == ("Creatinine", "Angina") for record in records) == 20
    assert sum(record.unknown == () for record in records) == 20
    given = {"limit": 2000, "on_long": "error", "label_set": opened.label_set}
    both = Encoder(tokenizer, layout="both", **given)
    line = Encoder(tokenizer, layout="line", **given)
    names = [field.name for field in opened.label_set.labels]
    items = zip(
        records,
        both.encode(records, Lengths(2000)),
        line.encode(records, Lengths(2000)),
        strict=True,
    )
    for record, item, written in items:
        alone = {
            name: decided(
                both, replace(record, unknown=tuple(other for other in names if other != name))
            )
            for name in names
        }
        assert alone["Angina"]
        known = [name for name in names if name not in record.unknown]
        assert item.own is not None
        taught = {place for place, right in enumerate(item.own.due) if right >= 0}
        assert taught == set().union(*(alone[name] for name in known))
        assert (len(item.tokens) == item.prompt) == bool(record.unknown)
        assert len(written.tokens) > written.prompt
        assert set(value_of(opened.label_set, record)) == set(known)


def decided(encoder: Encoder, record: Record) -> set[int]:
    """The decisions that a record teaches."""
    (item,) = encoder.encode([record], Lengths(2000))
    assert item.own is not None
    return {place for place, right in enumerate(item.own.due) if right >= 0}
