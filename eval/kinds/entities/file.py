"""One file of marked mentions: gold or predictions, ours or any annotated format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from eval.read.aligned import prediction_file
from labelwright.annotations.edges import trimmed
from labelwright.errors import InputError
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.readers.annotated.base import LEFT_OUT, PASSED_OVER
from labelwright.readers.annotated.json_rows import is_doccano, is_own
from labelwright.readers.formats import FORMATS, Format, fitting, format_of, read_reports
from labelwright.readers.options import ReadOptions
from labelwright.records import Entity, Prediction, Reject, Span
from labelwright.results import UNREADABLE

TABLES = ("csv", "tsv", "parquet")
"""Formats whose rows have no room for mentions."""
PEEKED = 100
"""JSON lines looked at to tell our own rows from doccano's."""


@dataclass(frozen=True, slots=True)
class MarkedReport:
    """One report's mentions; ``row`` says where it stood.

    Attributes:
        entities: ``None`` where an answer determines none.
        text: of the report, where the file has it.
        problems: kinds of problems that the labeler named.
        trimmed: mentions that had white space at their edges in the file.
    """

    row: int
    entities: tuple[Entity, ...] | None
    text: str | None = None
    patient: str = ""
    problems: frozenset[str] = frozenset()
    trimmed: int = 0


@dataclass(frozen=True, eq=False)
class SpanFile:
    """All reports of one file by id, in its order.

    ``lacking`` counts the reports that were kept without annotations that could not be used.
    """

    source: str
    reports: Mapping[str, MarkedReport]
    lacking: int = 0

    @property
    def trimmed(self) -> int:
        """Mentions whose white space at the edges was trimmed."""
        return sum(marked.trimmed for marked in self.reports.values())


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
        InputError: the file cannot be read, an id is empty or appears twice, a type or certainty
            is not in the label set, or the gold lacks something.
    """
    file = prediction_file(path)
    checked = _Checked(str(path), label_set, gold)
    lacking: list[Reject] = []
    own = _is_own(file, options, gold=gold)
    rows = _own_rows(file, label_set) if own else _read_rows(file, options, lacking, label_set)
    found: dict[str, MarkedReport] = {}
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
    return SpanFile(str(path), found, len(lacking))


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
            how(form): label.name
            for how in (_one_word, str.casefold)  # what a form is itself goes before the rest
            for label in label_set.labels
            for form in (*label.synonyms, label.key, label.name)
        }

    def report(self, marked: MarkedReport) -> MarkedReport:
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
        name = self.names.get(entity.type.casefold(), self.names.get(_one_word(entity.type)))
        if name is None:
            raise self.error(
                f"type {entity.type!r} is not in label set {self.label_set.name}",
                f"give the label set of the file (--label-set), which has: "
                f"{', '.join(self.label_set.names)}",
                row,
            )
        certainties = self.label_set.words
        if certainties and self.gold and entity.certainty is None:
            raise self.error(
                f"an entity of type {entity.type} has no certainty",
                "give every entity of the gold one, or a label set that asks for none",
                row,
            )
        if certainties and entity.certainty is not None and entity.certainty not in certainties:
            raise self.error(
                f"an entity of type {entity.type} cannot be {entity.certainty.value} in label "
                f"set {self.label_set.name}",
                f"use one of: {', '.join(c.value for c in certainties)}",
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


def _one_word(name: str) -> str:
    """A type's name as formats write it that part their columns at white space."""
    return "_".join(name.casefold().split())


def outside(source: str, row: int) -> InputError:
    """The error of a mention that ends after its text."""
    return InputError(
        "an entity ends after the end of the text",
        remedy="offsets count characters (code points) of the very text that was labeled",
        source=source,
        row=row,
    )


def format_of_marked(path: str | Path, options: ReadOptions, *, gold: bool = False) -> Format:
    """The format of a file of mentions; that of our own rows, with or without texts, is one."""
    file = prediction_file(path)
    own = _is_own(file, options, gold=gold)
    return FORMATS["entities"] if own else format_of(file, options)


def _is_own(file: Path, options: ReadOptions, *, gold: bool = False) -> bool:
    """Whether a file has our own rows, with or without texts.

    A format that is named decides for gold; the rows of a labeling run tell it by themselves.
    """
    if options.format == "entities" and not file.is_dir():
        return True
    if file.suffix != ".jsonl" or (gold and options.format is not None):
        return False
    for _, row in islice(read_jsonl(file), PEEKED):
        if isinstance(row.get("labels"), dict):
            return True
        if options.format is not None:
            return False
        if (own := is_own(row)) is not None:
            return own
        if is_doccano(row):
            return False
        if "entities" not in row:
            return False
    return True


def _own_rows(file: Path, label_set: LabelSet) -> Iterator[tuple[str, MarkedReport]]:
    for line, raw in read_jsonl(file):
        if raw.get("labels"):
            raise InputError(
                f"the row holds labels, and label set {label_set.name} asks for entities",
                remedy="give predictions of this label set, or the label set of the labels "
                "(--label-set)",
                source=file,
                row=line,
            )
        try:
            yield _own_row(line, raw)
        except UNREADABLE:
            raise InputError(
                "the row has no entities as labelwright writes them (id, entities with type and "
                "spans)",
                remedy="give the predictions.jsonl of a labeling run, or annotated reports",
                source=file,
                row=line,
            ) from None


def _own_row(line: int, raw: Mapping[str, Any]) -> tuple[str, MarkedReport]:
    if isinstance(raw.get("labels"), dict):
        prediction = Prediction.from_json(raw)
        if prediction.labels:
            raise ValueError("labels")
        kinds = frozenset(p.partition(":")[0] for p in prediction.problems)
        return prediction.id, MarkedReport(line, prediction.entities, problems=kinds)
    rows, text, patient = raw["entities"], raw.get("text"), raw.get("patient")
    entities = None if rows is None else tuple(map(_entity, rows))
    return str(raw["id"]), MarkedReport(
        line, entities, None if text is None else str(text), str(patient or "")
    )


def _entity(row: Mapping[str, Any]) -> Entity:
    """A mention; one that has a place may leave out its words."""
    bare = bool(row.get("spans")) and row.get("text") is None
    return Entity.from_json({**row, "text": ""} if bare else row)


def _read_rows(
    file: Path, options: ReadOptions, lacking: list[Reject], label_set: LabelSet
) -> Iterator[tuple[str, MarkedReport]]:
    """The reports of any annotated input; ``lacking`` is added to where some lost annotations."""
    form = format_of(file, options)
    if form in map(FORMATS.__getitem__, TABLES):
        raise InputError(
            f"a table marks no mentions, and label set {label_set.name} asks for entities",
            remedy="give annotated reports (JSON lines with entities, BRAT, CoNLL, doccano, Label "
            "Studio); for labels in a table give their label set (--label-set) and a run of it",
            source=file,
        )
    for item in read_reports([file], fitting(form, options)):
        if isinstance(item, Reject) and item.id is None and item.reason.startswith(PASSED_OVER):
            continue
        if isinstance(item, Reject) and item.id is None and LEFT_OUT in item.reason:
            lacking.append(item)
            continue
        if isinstance(item, Reject):
            raise InputError(
                f"a report cannot be used: {item.reason}",
                remedy="fix it; scores of a part of the reports would mislead",
                source=item.source,
                row=item.row,
            )
        found = MarkedReport(item.row, item.entities, item.text, item.patient or "")
        yield item.id, replace(found, trimmed=item.trimmed)


def without_edges(
    file: SpanFile, texts: Mapping[str, str], options: ReadOptions, *, gold: bool = False
) -> SpanFile:
    """The same with the words of every mention whose text is known, and without edges of space.

    Without the text a mention's own words show the edges, where they are as long as its place.
    """
    return replace(
        file,
        reports={
            i: marked
            if not marked.entities
            else _report_without_edges(file.source, marked, texts.get(i), options, gold=gold)
            for i, marked in file.reports.items()
        },
    )


def _report_without_edges(
    source: str, marked: MarkedReport, text: str | None, options: ReadOptions, *, gold: bool
) -> MarkedReport:
    found: list[Entity] = []
    count = 0
    for entity in marked.entities or ():
        each = entity
        if each.spans and not each.text and text is not None:
            each = replace(each, text=" ".join(text[start:end] for start, end in each.spans))
        if options.mention_edges == "trim":
            inner = _trimmed(each, text)
            if inner is None and gold:
                raise InputError(
                    f"an entity of type {each.type} covers white space only",
                    remedy="fix it, or keep such places with --mention-edges keep",
                    source=source,
                    row=marked.row,
                )
            count += inner is not None and inner is not each
            each = each if inner is None else inner
        found.append(each)
    return replace(marked, entities=tuple(found), trimmed=marked.trimmed + count)


def _trimmed(entity: Entity, text: str | None) -> Entity | None:
    if text is not None:
        return trimmed(text, entity)
    if len(entity.spans) != 1 or len(entity.text) != entity.end - entity.start:
        return entity
    return trimmed(" " * entity.start + entity.text, entity)
