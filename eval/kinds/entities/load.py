"""Gold and predicted mentions, aligned by id: what every score of entities starts from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eval.kinds.certainty.label_table import read_column
from eval.kinds.certainty.load import Aligned, Coverage, Missing, clusters_of
from eval.kinds.entities.file import Marked, SpanFile, outside, read_spans
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet
from labelwright.readers.options import ReadOptions
from labelwright.records import Entity

Mentions = tuple[tuple[Entity, ...], ...]
"""Mentions per report."""
GOLD_ENDING, TEXT_ENDING = ".entities.jsonl", ".reports.jsonl"
"""A data folder keeps the texts of ``test.entities.jsonl`` in ``test.reports.jsonl``."""


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
        InputError: as :func:`eval.kinds.entities.file.read_spans`; gold and predictions share no
            id; or a mention ends after its text.
        ConfigError: no predictions are given.
    """
    if not predictions:
        raise ConfigError("no predictions to score", remedy="give at least one --pred NAME=PATH")
    how = ReadOptions() if options is None else options
    truth = read_spans(gold, label_set, how, gold=True)
    files = {name: read_spans(path, label_set, how) for name, path in predictions.items()}
    for file in files.values():
        if not file.reports.keys() & truth.reports.keys():
            raise InputError(
                "no id of the gold stands in it",
                remedy="check the ids of both; reports of CoNLL and text files are named after "
                "their files",
                source=file.source,
            )
    every = list(truth.reports)
    ids = [i for i in every if all(i in f.reports for f in files.values())]
    dropped = [i for i in every if i not in set(ids)] if missing == "drop" else []
    if missing == "error":
        ids = every
    elif not ids:
        raise InputError(
            "no report of the gold is predicted by all labelers",
            remedy='score missing predictions as errors (missing "error")',
            source=gold,
        )
    known = _texts(truth, files, ids, beside(gold) if texts is None else texts)
    named = {i: m.patient for i, m in truth.reports.items() if m.patient}
    clusters, alone = clusters_of(ids, named or None if patients is None else patients)
    return SpanComparison(
        label_set=label_set,
        ids=tuple(ids),
        clusters=clusters,
        gold=_mentions(truth, ids),
        pred={name: _mentions(file, ids) for name, file in files.items()},
        coverage={name: _coverage(file, truth, ids) for name, file in files.items()},
        missing=missing,
        dropped=tuple(dropped),
        gold_source=str(gold),
        without_cluster=alone,
        texts=None if len(known) < len(ids) else tuple(known[i] for i in ids),
        absent={
            name: sum(not e.spans for mentions in _mentions(file, ids) for e in mentions)
            for name, file in files.items()
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
    known = [(i, file.reports[i]) for i in ids if i in file.reports]
    kinds: Counter[str] = Counter()
    for _, marked in known:
        kinds.update(marked.problems)
    return Coverage(
        source=file.source,
        rows=len(file.reports),
        missing=tuple(i for i in truth.reports if i not in file.reports),
        extra=sum(i not in truth.reports for i in file.reports),
        undetermined=tuple(i for i, marked in known if marked.entities is None),
        undetermined_cells=0,
        problems=dict(sorted(kinds.items())),
        read_as_blank=0,
    )


def _elsewhere(file: SpanFile, texts: Mapping[str, str]) -> int:
    """Mentions whose own words are not those at their place, white space aside."""
    found = 0
    for identifier, text in texts.items():
        marked = file.reports.get(identifier)
        for mention in () if marked is None else marked.entities or ():
            at = " ".join(text[start:end] for start, end in mention.spans)
            said = mention.text
            found += bool(mention.spans and said) and "".join(said.split()) != "".join(at.split())
    return found
