"""Gold and predicted fields, checked and aligned by id; with or without gold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from eval.kinds.fields.asked import Asked, asked_of
from eval.kinds.fields.counts import Document
from eval.read.aligned import (
    Aligned,
    Coverage,
    Inputs,
    check_predictions,
    common,
    coverage,
    known_values,
    prediction_file,
    predictions,
    read_column,
)
from labelwright.errors import InputError
from labelwright.io import delimited
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import LABELS

UNKNOWN_FIELD = re.compile(r"unknown field(?: \((\d+)\))?(?![^:])")
"""The problem of a prediction with keys that are no field, and how many they are."""
_NUMBER = re.compile(r" \(\d+\)$")
GOLD_ENDING, TEXT_ENDING = ".fields.jsonl", ".reports.jsonl"
"""A data folder keeps the texts of ``test.fields.jsonl`` in ``test.reports.jsonl``."""


@dataclass(frozen=True)
class Said:
    """What one labeler's file says of a document."""

    fields: Document | None
    problems: tuple[str, ...] = ()

    @property
    def unknown(self) -> int:
        """Keys that the label set does not have."""
        found = (UNKNOWN_FIELD.match(problem) for problem in self.problems)
        return sum(int(each[1] or 1) for each in found if each)


@dataclass(frozen=True, eq=False, kw_only=True)
class FieldComparison(Aligned):
    """Gold, where there is any, and labelers over the same documents.

    Attributes:
        gold: fields per document; a field that one lacks is not scored there. ``None`` without
            gold: then nothing is right or wrong, and labelers only agree or not.
        pred: the same per labeler; ``None`` for a document without a usable answer.
        unknown: per labeler and document the keys that the label set does not have.
        texts: per document, or ``None`` where not all are known.
    """

    gold: tuple[Document, ...] | None
    pred: Mapping[str, tuple[Document | None, ...]]
    unknown: Mapping[str, tuple[int, ...]]
    texts: tuple[str, ...] | None = None

    @cached_property
    def asked(self) -> tuple[Asked, ...]:
        """The fields, in the label set's order."""
        return asked_of(self.label_set)

    @property
    def truth(self) -> tuple[Document, ...]:
        """The gold of a comparison that has one.

        Raises:
            ValueError: it has none.
        """
        if self.gold is None:
            raise ValueError("a comparison without gold")
        return self.gold


def load(inputs: Inputs) -> FieldComparison:
    """Read and align.

    Raises:
        InputError: a file cannot be read, is of another label set, or shares no id with the others.
        ConfigError: no predictions are given.
    """
    check_predictions(inputs.predictions)
    label_set = inputs.label_set
    gold = known_values(Path(inputs.gold), label_set) if inputs.gold else None
    files = {name: _said(path, label_set) for name, path in inputs.predictions.items()}
    known = _every_id(files.values()) if gold is None else tuple(gold)
    shared = common(inputs, known, files)
    ids = shared["ids"]
    texts = inputs.text_by_id() or beside(inputs.gold)
    return FieldComparison(
        **shared,
        gold=None if gold is None else tuple(gold[i] for i in ids),
        pred={name: tuple(_fields(rows, i) for i in ids) for name, rows in files.items()},
        unknown={
            name: tuple(rows[i].unknown if i in rows else 0 for i in ids)
            for name, rows in files.items()
        },
        coverage={
            name: _coverage(str(inputs.predictions[name]), rows, known, ids, label_set)
            for name, rows in files.items()
        },
        texts=tuple(texts[i] for i in ids) if texts.keys() >= set(ids) else None,
    )


def beside(gold: str | Path | None) -> Mapping[str, str]:
    """The texts of a data folder, where the gold is one of its ``*.fields.jsonl``."""
    path = Path(gold or "")
    if not path.name.endswith(GOLD_ENDING):
        return {}
    reports = path.with_name(path.name.removesuffix(GOLD_ENDING) + TEXT_ENDING)
    return read_column(reports, "text") if reports.is_file() else {}


def _said(path: str | Path, label_set: LabelSet) -> dict[str, Said]:
    """A run's predictions, or a file of values as gold comes in."""
    file = prediction_file(path)
    if file.suffix != ".jsonl" or not _is_run(file):
        return {i: Said(fields) for i, fields in known_values(file, label_set).items()}
    found: dict[str, Said] = {}
    for row, prediction in predictions(file, label_set):
        strange = [name for name in prediction.value or () if name not in label_set.by_name]
        if strange:
            raise InputError(
                f"no field {delimited.shown(strange)} in label set {label_set.name}",
                remedy="give the label set that the run was made with (--label-set)",
                source=file,
                row=row,
            )
        found[prediction.id] = Said(prediction.value, prediction.problems)
    return found


def _is_run(file: Path) -> bool:
    """Whether the first row is one of a labeling run."""
    return any(LABELS in row for _, row in _first(read_jsonl(file)))


def _first(
    rows: Iterable[tuple[int, dict[str, object]]],
) -> Iterator[tuple[int, dict[str, object]]]:
    for row in rows:
        yield row
        return


def _every_id(files: Iterable[Mapping[str, Said]]) -> tuple[str, ...]:
    """All ids, in the order in which they are first met."""
    return tuple(dict.fromkeys(i for rows in files for i in rows))


def _fields(rows: Mapping[str, Said], identifier: str) -> Document | None:
    return rows[identifier].fields if identifier in rows else None


def _coverage(
    source: str,
    rows: Mapping[str, Said],
    gold: Sequence[str],
    ids: Sequence[str],
    label_set: LabelSet,
) -> Coverage:
    names = frozenset(label_set.names)

    def open_parts(identifier: str) -> int:
        fields = rows[identifier].fields
        return len(names) if fields is None else len(names - fields.keys())

    return coverage(
        source,
        rows,
        frozenset(gold),
        ids,
        problems=lambda i: {_NUMBER.sub("", p.partition(":")[0]) for p in rows[i].problems},
        open_parts=open_parts,
    )
