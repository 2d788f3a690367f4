"""White space at the edges of mentions, in every format that counts characters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reading_tools import read, saved

from labelwright.annotations.edges import trimmed
from labelwright.readers import ReadOptions
from labelwright.records import Entity, Reject, Report

TEXT = "No  small\u00a0cell \n lung cancer .\r\n"
WIDE = Entity.of(TEXT, "Disease", (2, 29))  # "  small … cancer "
EXACT = Entity.of(TEXT, "Disease", (4, 28))
BLANK = (14, 17)
KEEP = ReadOptions(mention_edges="keep")


def as_brat(folder: Path, *spans: tuple[int, int]) -> Path:
    saved(folder, "a.txt", TEXT)
    lines = []
    for number, (start, end) in enumerate(spans, 1):
        words = TEXT[start:end].replace("\n", " ").replace("\r", " ")
        lines.append(f"T{number}\tDisease {start} {end}\t{words}\n")
    saved(folder, "a.ann", "".join(lines))
    return folder


def as_own(folder: Path, *spans: tuple[int, int]) -> Path:
    entities = [{"type": "Disease", "spans": [span], "text": TEXT[slice(*span)]} for span in spans]
    return saved(folder, "a.jsonl", json.dumps({"id": "a", "text": TEXT, "entities": entities}))


def as_doccano(folder: Path, *spans: tuple[int, int]) -> Path:
    labels = [[*span, "Disease"] for span in spans]
    return saved(folder, "a.jsonl", json.dumps({"id": "a", "text": TEXT, "label": labels}))


def as_label_studio(folder: Path, *spans: tuple[int, int]) -> Path:
    results: list[dict[str, Any]] = [
        {"type": "labels", "value": {"start": a, "end": b, "labels": ["Disease"]}} for a, b in spans
    ]
    task = {"id": "a", "data": {"text": TEXT}, "annotations": [{"result": results}]}
    return saved(folder, "a.json", json.dumps([task]))


FORMATS = [as_brat, as_own, as_doccano, as_label_studio]


@pytest.mark.parametrize("written", FORMATS)
def test_trimmed_and_counted_or_kept(tmp_path: Path, written: Any) -> None:
    path = written(tmp_path, (2, 29), (4, 28), (17, 22))
    (report,) = read(path)
    assert isinstance(report, Report)
    lung = Entity.of(TEXT, "Disease", (17, 21))
    assert report.entities == (EXACT, EXACT, lung)
    assert report.trimmed == 2
    (kept,) = read(path, KEEP)
    assert isinstance(kept, Report)
    assert kept.entities == (WIDE, EXACT, Entity.of(TEXT, "Disease", (17, 22)))
    assert kept.trimmed == 0


@pytest.mark.parametrize("written", FORMATS)
def test_nothing_but_white_space_is_no_mention(tmp_path: Path, written: Any) -> None:
    (rejected,) = read(written(tmp_path, (4, 28), BLANK))
    assert isinstance(rejected, Reject)
    assert rejected.reason.startswith("1 annotation that cannot be used; first at a.")
    assert rejected.reason.endswith(": it covers white space only")


def test_parts_are_trimmed_each_and_empty_ones_go() -> None:
    parts = Entity.of(TEXT, "Disease", (2, 10), BLANK, (21, 29))
    assert trimmed(TEXT, parts) == Entity.of(TEXT, "Disease", (4, 9), (22, 28))
    assert trimmed(TEXT, EXACT) is EXACT
    assert trimmed(TEXT, Entity.of(TEXT, "Disease", BLANK)) is None
