"""``labelwright places``: where on their pages the values of a labeling run stand."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelwright.commands.input_flags import ReadingOptions
from labelwright.errors import InputError
from labelwright.io.delimited import escape
from labelwright.options import flag
from labelwright.records import Entity, Prediction, Report
from labelwright.results import manifest_beside, read_predictions
from labelwright.text.amounts import amount

COLUMNS = (
    *("id", "name", "text", "start", "end", "page"),
    *("left", "top", "right", "bottom", "confidence"),
)


@dataclass(frozen=True, kw_only=True)
class PlaceOptions(ReadingOptions):
    """Documents and what was found in them."""

    pred: Path = flag(
        "folder that labelwright label wrote for these documents, or its predictions.jsonl",
        required=True,
        type=Path,
        metavar="DIR|FILE",
    )
    out: Path = flag(
        "a row for every piece of a value: its page, box in points (1/72 inch) from the "
        "page's upper left corner, and the least confidence of recognition",
        required=True,
        type=Path,
        metavar="FILE.csv",
    )


OPTIONS = PlaceOptions


def run(options: PlaceOptions) -> int:
    """Read the documents again, as they were labeled, and write the table."""
    from labelwright.io.jsonl import atomic_write
    from labelwright.readers import read_reports
    from labelwright.readers.documents.reader import WORDS

    marks, reading = _marks(options.pred), options.reading
    reading = replace(reading, keep_layout=True, **_labeled(options.pred, reading.annotations()))
    counts: Counter[str] = Counter()
    with atomic_write(options.out) as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(COLUMNS)
        for item in read_reports(options.files, reading):
            if not isinstance(item, Report) or item.id not in marks:
                continue
            words = json.loads(item.meta.get(WORDS, "[]"))
            for row in _rows(item, marks[item.id], words):
                counts["pieces"] += 1
                counts["without a page"] += row[5] == ""
                table.writerow(row)
            counts["documents"] += 1
    if not counts["documents"]:
        raise InputError(
            "none of these documents is in the predictions",
            remedy="give the files that were labeled",
            source=options.pred,
        )
    told = ", ".join(
        amount(counts[name], name.removesuffix("s")) for name in ("documents", "pieces")
    )
    missing = counts["without a page"]
    more = f", {missing:,} without a page" if missing else ""
    sys.stdout.write(f"{told}{more} -> {options.out}\n")
    return 0


def _marks(path: Path) -> dict[str, tuple[Entity, ...]]:
    """The places of every prediction by its id."""
    return {p.id: p.entities or _evidence(p) for _, p in read_predictions(path)}


def _evidence(prediction: Prediction) -> tuple[Entity, ...]:
    """Sentences that carry labels, where a run has those."""
    return tuple(
        Entity(name, ((int(start), int(end)),), "")
        for name, spans in (prediction.evidence or {}).items()
        for start, end in spans
    )


def _labeled(path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """How the documents were read when they were labeled, but for what the flags say."""
    from labelwright.readers.formats import READING_FLAGS

    known = manifest_beside(path).get("options")
    if not isinstance(known, dict):
        return {}
    return {name: known[name] for name in READING_FLAGS if known.get(name) and name not in given}


def _rows(
    report: Report, marks: Sequence[Entity], words: Sequence[Sequence[Any]]
) -> Iterator[list[Any]]:
    """A row for every piece of a value that stands in one line of a page."""
    from labelwright.readers.documents.pages import Placed, boxes_at

    placed = [Placed(*word) for word in words]
    for mark in marks:
        for start, end in mark.spans:
            text = " ".join(report.text[start:end].split())
            head = [escape(report.id), escape(mark.type), escape(text), start, end]
            found = [word for word in boxes_at(placed, start, end) if word.box is not None]
            if not found:
                yield [*head, *[""] * 6]
            for piece in _pieces(found):
                boxes = [word.box for word in piece if word.box is not None]
                sure = [word.confidence for word in piece if word.confidence is not None]
                sides = zip(*boxes, strict=True)
                box = [f(side) for f, side in zip((min, min, max, max), sides, strict=True)]
                least = f"{min(sure):.2f}" if sure else ""
                yield [*head, piece[0].page, *(f"{side:.1f}" for side in box), least]


def _pieces(words: Sequence[Any]) -> Iterator[list[Any]]:
    """Words in a row, line by line: the next word stands to the right, at the same height."""
    piece: list[Any] = []
    for word in words:
        if piece:
            last = piece[-1]
            middle = (word.box[1] + word.box[3]) / 2
            same = last.box[1] <= middle <= last.box[3] and word.box[0] >= last.box[0]
            if word.page != last.page or not same:
                yield piece
                piece = []
        piece.append(word)
    if piece:
        yield piece
