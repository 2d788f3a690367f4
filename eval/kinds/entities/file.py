"""One file of marked mentions: gold or predictions, ours or any annotated format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from eval.kinds.certainty.label_table import PREDICTIONS_FILE
from eval.page.provenance import Source, read_source
from labelwright.errors import InputError
from labelwright.io.jsonl import read_jsonl
from labelwright.io.manifest import sha256_file
from labelwright.label_set import LabelSet
from labelwright.readers.annotated.json_rows import is_doccano, is_own
from labelwright.readers.dispatch import read_reports
from labelwright.readers.options import ReadOptions
from labelwright.records import Entity, Prediction, Reject, Span

PEEKED = 100
"""JSON lines looked at to tell our own rows from doccano's."""


@dataclass(frozen=True, slots=True)
class Marked:
    """One report's mentions; ``row`` says where it stood.

    Attributes:
        entities: ``None`` where an answer determines none.
        text: of the report, where the file has it.
        problems: kinds of problems that the labeler named.
    """

    row: int
    entities: tuple[Entity, ...] | None
    text: str | None = None
    patient: str = ""
    problems: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class SpanFile:
    """All reports of one file by id, in its order."""

    source: str
    reports: Mapping[str, Marked]


def prediction_file(path: str | Path) -> Path:
    """The file that a run folder stands for; any other path is itself."""
    file = Path(path)
    found = file / PREDICTIONS_FILE
    return found if file.is_dir() and found.is_file() else file


def read_spans(
    path: str | Path, label_set: LabelSet, options: ReadOptions, *, gold: bool = False
) -> SpanFile:
    """Read and check a file of mentions.

    Types may be written as name, key or synonym of the label set, in any case. Places are put in
    order and parts that touch are joined, so that equal sets of characters are equal places.

    Args:
        path: a run folder, JSON lines of labelwright, or any annotated input.
        gold: every report needs its mentions, every mention a place, and a certainty where the
            label set asks for one.

    Raises:
        InputError: the file cannot be read, an id is empty or stands twice, a type or certainty
            is not in the label set, or the gold lacks something.
    """
    file = prediction_file(path)
    checked = _Checked(str(path), label_set, gold)
    rows = _own_rows(file) if _is_own(file, options) else _read_rows(file, options)
    found: dict[str, Marked] = {}
    for identifier, marked in rows:
        if not identifier.strip():
            raise checked.error("empty id", "give every report an id", marked.row)
        if identifier in found:
            raise checked.error(
                f"the id of row {found[identifier].row} stands again",
                "keep one row per report",
                marked.row,
            )
        found[identifier] = checked.report(marked)
    if not found:
        raise InputError("no reports", remedy="give a file with marked mentions", source=path)
    return SpanFile(str(path), found)


def read_span_source(name: str, path: str | Path) -> Source:
    """Where a labeler's mentions came from: a run with its manifest, or files alone.

    Raises:
        InputError: the files cannot be read.
    """
    file = prediction_file(path)
    if not file.is_dir():
        return replace(read_source(name, file), path=str(path))
    digest = hashlib.sha256()
    for each in sorted(p for p in file.rglob("*") if p.is_file()):
        digest.update(f"{each.relative_to(file).as_posix()}\0{sha256_file(each)}\n".encode())
    return Source(name, str(path), digest.hexdigest(), None)


def joined_spans(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """The same characters as ranges in order and apart from each other."""
    if len(spans) < 2:
        return spans
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


class _Checked:
    """The rules that every mention of a file must keep."""

    def __init__(self, source: str, label_set: LabelSet, gold: bool) -> None:
        self.source = source
        self.label_set = label_set
        self.gold = gold
        self.names = {
            form.casefold(): label.name
            for label in label_set.labels
            for form in (*label.synonyms, label.key, label.name)
        }

    def report(self, marked: Marked) -> Marked:
        if marked.entities is None:
            if self.gold:
                raise self.error(
                    "the report has no list of entities",
                    "give annotated reports as gold; an empty list says that there are none",
                    marked.row,
                )
            return marked
        entities = tuple(self.mention(e, marked.row) for e in marked.entities)
        if marked.text is not None and any(e.end > len(marked.text) for e in entities):
            raise self.outside(marked.row)
        return replace(marked, entities=entities)

    def mention(self, entity: Entity, row: int) -> Entity:
        name = self.names.get(entity.type.casefold())
        if name is None:
            raise self.error(
                f"type {entity.type!r} is not in label set {self.label_set.name}",
                f"give the label set of the file (--label-set), which has: "
                f"{', '.join(self.label_set.names)}",
                row,
            )
        words = self.label_set.words
        if words and self.gold and entity.certainty is None:
            raise self.error(
                f"an entity of type {entity.type} has no certainty",
                "give every entity of the gold one, or a label set that asks for none",
                row,
            )
        if words and entity.certainty is not None and entity.certainty not in words:
            raise self.error(
                f"an entity of type {entity.type} cannot be {entity.certainty.value} in label "
                f"set {self.label_set.name}",
                f"use one of: {', '.join(c.value for c in words)}",
                row,
            )
        if self.gold and not entity.spans:
            raise self.error(
                f"an entity of type {entity.type} has no place in the text",
                "give every entity of the gold its spans",
                row,
            )
        spans = joined_spans(entity.spans)
        if (name, spans) == (entity.type, entity.spans):
            return entity
        return replace(entity, type=name, spans=spans)

    def outside(self, row: int) -> InputError:
        return outside(self.source, row)

    def error(self, what: str, remedy: str, row: int) -> InputError:
        return InputError(what, remedy=remedy, source=self.source, row=row)


def outside(source: str, row: int) -> InputError:
    """The error of a mention that ends after its text."""
    return InputError(
        "an entity ends after the end of the text",
        remedy="offsets count characters (code points) of the very text that was labeled",
        source=source,
        row=row,
    )


def _is_own(file: Path, options: ReadOptions) -> bool:
    if file.suffix != ".jsonl" or options.format not in (None, "entities"):
        return False
    for _, row in islice(read_jsonl(file), PEEKED):
        if isinstance(row.get("labels"), dict):
            return True
        if (own := is_own(row)) is not None:
            return own
        if is_doccano(row):
            return False
        if "entities" not in row:
            return False
    return True


def _own_rows(file: Path) -> Iterator[tuple[str, Marked]]:
    for line, raw in read_jsonl(file):
        try:
            yield _own_row(line, raw)
        except (KeyError, ValueError, TypeError, AttributeError):
            raise InputError(
                "the row has no entities as labelwright writes them (id, entities with type, "
                "spans and text)",
                remedy="give the predictions.jsonl of a labeling run, or annotated reports",
                source=file,
                row=line,
            ) from None


def _own_row(line: int, raw: Mapping[str, Any]) -> tuple[str, Marked]:
    if isinstance(raw.get("labels"), dict):
        prediction = Prediction.from_json(raw)
        if prediction.labels:
            raise ValueError("labels")
        kinds = frozenset(p.partition(":")[0] for p in prediction.problems)
        return prediction.id, Marked(line, prediction.entities, problems=kinds)
    rows, text, patient = raw["entities"], raw.get("text"), raw.get("patient")
    entities = None if rows is None else tuple(Entity.from_json(row) for row in rows)
    return str(raw["id"]), Marked(
        line, entities, None if text is None else str(text), str(patient or "")
    )


def _read_rows(file: Path, options: ReadOptions) -> Iterator[tuple[str, Marked]]:
    for item in read_reports([file], options):
        if isinstance(item, Reject):
            raise InputError(
                f"a report cannot be used: {item.reason}",
                remedy="mend it; scores of a part of the reports would mislead",
                source=item.source,
                row=item.row,
            )
        yield item.id, Marked(item.row, item.entities, item.text, item.patient or "")
