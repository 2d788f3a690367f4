"""Gold and predicted mentions: ours or any annotated format, checked and aligned by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from eval.read.aligned import (
    Aligned,
    Coverage,
    Missing,
    check_common,
    check_predictions,
    clusters_of,
    coverage,
    prediction_file,
    read_column,
    scored_ids,
)
from labelwright.errors import InputError
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.readers.annotated.json_rows import is_doccano, is_own
from labelwright.readers.dispatch import read_reports
from labelwright.readers.options import ReadOptions
from labelwright.records import Entity, Prediction, Reject, Span

PEEKED = 100
"""JSON lines looked at to tell our own rows from doccano's."""
Mentions = tuple[tuple[Entity, ...], ...]
"""Mentions per report."""
GOLD_ENDING, TEXT_ENDING = ".entities.jsonl", ".reports.jsonl"
"""A data folder keeps the texts of ``test.entities.jsonl`` in ``test.reports.jsonl``."""


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


@dataclass(frozen=True, eq=False, kw_only=True)
class SpanComparison(Aligned):
    """Gold and any number of labelers over the same reports.

    Attributes:
        gold: mentions per report.
        pred: the same per labeler; a report without a usable answer has none.
        texts: per report, or ``None`` where not all are known.
        absent: per labeler the mentions that the text does not hold.
        elsewhere: per labeler the mentions whose own words are not those at their place.
        gold_elsewhere: the same of the gold.
        gold_patients: whether the patients are those that the gold names.
    """

    gold: Mentions
    pred: Mapping[str, Mentions]
    texts: tuple[str, ...] | None = None
    absent: Mapping[str, int] = field(default_factory=dict)
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    gold_elsewhere: int = 0
    gold_patients: bool = False

    @property
    def types(self) -> tuple[str, ...]:
        """The types, in the label set's order."""
        return self.label_set.names

    @property
    def certainties(self) -> bool:
        """Whether every mention has a certainty."""
        return bool(self.label_set.words)


def load_span_comparison(
    gold: str | Path,
    predictions: Mapping[str, str | Path],
    label_set: LabelSet,
    *,
    options: ReadOptions | None = None,
    missing: Missing = "error",
    patients: Mapping[str, str] | None = None,
    texts: Mapping[str, str] | None = None,
) -> SpanComparison:
    """Read and align gold mentions and those of labelers.

    Args:
        gold: rows with ``entities``, or any annotated input.
        predictions: ``{labeler: run folder, predictions.jsonl or annotated input}``.
        options: how annotated inputs other than our own rows are read.
        patients: patient by id; by default those that the gold names.
        texts: report by id; by default those of the gold, or of the reports beside it.

    Raises:
        InputError: as :func:`read_spans`; gold and predictions share no
            id; or a mention ends after its text.
        ConfigError: no predictions are given.
    """
    check_predictions(predictions)
    how = ReadOptions() if options is None else options
    truth = read_spans(gold, label_set, how, gold=True)
    files = {name: read_spans(path, label_set, how) for name, path in predictions.items()}
    for file in files.values():
        check_common(
            truth.reports,
            file.reports,
            source=file.source,
            remedy="check the ids of both; reports of CoNLL and text files are named after "
            "their files",
        )
    predicted = [file.reports for file in files.values()]
    ids, dropped = scored_ids(tuple(truth.reports), predicted, missing, source=gold)
    known = _texts(truth, files, ids, beside(gold) if texts is None else texts)
    named = {i: m.patient for i, m in truth.reports.items() if m.patient}
    clusters, alone = clusters_of(ids, named or None if patients is None else patients)
    pred = {name: _mentions(file, ids) for name, file in files.items()}
    return SpanComparison(
        label_set=label_set,
        ids=ids,
        clusters=clusters,
        gold=_mentions(truth, ids),
        pred=pred,
        coverage={name: _coverage(file, truth, ids) for name, file in files.items()},
        missing=missing,
        dropped=dropped,
        gold_source=str(gold),
        without_cluster=alone,
        texts=None if len(known) < len(ids) else tuple(known[i] for i in ids),
        absent={
            name: sum(not e.spans for mentions in each for e in mentions)
            for name, each in pred.items()
        },
        elsewhere={name: _elsewhere(file, known) for name, file in files.items()},
        gold_elsewhere=_elsewhere(truth, known),
        gold_patients=patients is None and bool(named),
    )


def beside(gold: str | Path) -> Mapping[str, str]:
    """The texts of a data folder, where the gold is one of its ``*.entities.jsonl``."""
    path = Path(gold)
    if not path.name.endswith(GOLD_ENDING):
        return {}
    reports = path.with_name(path.name.removesuffix(GOLD_ENDING) + TEXT_ENDING)
    return read_column(reports, "text") if reports.is_file() else {}


def _texts(
    truth: SpanFile, files: Mapping[str, SpanFile], ids: Sequence[str], given: Mapping[str, str]
) -> dict[str, str]:
    """Text by id, checked against the offsets of everybody."""
    known: dict[str, str] = {}
    for identifier in ids:
        text = truth.reports[identifier].text
        text = given.get(identifier) if text is None else text
        if text is None:
            continue
        known[identifier] = text
        for file in (truth, *files.values()):
            marked = file.reports.get(identifier)
            if marked is not None and any(e.end > len(text) for e in marked.entities or ()):
                raise outside(file.source, marked.row)
    return known


def _mentions(file: SpanFile, ids: Sequence[str]) -> Mentions:
    nothing = Marked(0, ())
    return tuple(file.reports.get(i, nothing).entities or () for i in ids)


def _coverage(file: SpanFile, truth: SpanFile, ids: Sequence[str]) -> Coverage:
    return coverage(
        file.source,
        file.reports,
        truth.reports,
        ids,
        problems=lambda i: file.reports[i].problems,
        open_parts=lambda i: int(file.reports[i].entities is None),
    )


def _elsewhere(file: SpanFile, texts: Mapping[str, str]) -> int:
    """Mentions whose own words are not those at their place, white space aside."""
    found = 0
    for identifier, text in texts.items():
        marked = file.reports.get(identifier)
        for mention in () if marked is None else marked.entities or ():
            at = " ".join(text[start:end] for start, end in mention.spans)
            own = mention.text
            found += bool(mention.spans and own) and "".join(own.split()) != "".join(at.split())
    return found


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
                remedy="fix it; scores of a part of the reports would mislead",
                source=item.source,
                row=item.row,
            )
        yield item.id, Marked(item.row, item.entities, item.text, item.patient or "")
