"""Gold and predicted mentions: ours or any annotated format, checked and aligned by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eval.kinds.entities.file import (
    MarkedReport,
    SpanFile,
    format_of_marked,
    outside,
    read_spans,
    without_edges,
)
from eval.read.aligned import (
    Aligned,
    Coverage,
    Inputs,
    check_predictions,
    common,
    coverage,
    read_column,
)
from labelwright.readers.formats import Format, check_flags
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
        trimmed: mentions whose white space at the edges was trimmed, by labeler, and those of the
            gold under ``""``.
        lacking: reports read without annotations that could not be used, in the same way.
        gold_patients: whether the patients are those that the gold names.
    """

    gold: Mentions
    pred: Mapping[str, Mentions]
    texts: tuple[str, ...] | None = None
    absent: Mapping[str, int] = field(default_factory=dict)
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    gold_elsewhere: int = 0
    trimmed: Mapping[str, int] = field(default_factory=dict)
    lacking: Mapping[str, int] = field(default_factory=dict)
    gold_patients: bool = False

    @property
    def types(self) -> tuple[str, ...]:
        """The types, in the label set's order."""
        return self.label_set.names

    @property
    def certainties(self) -> bool:
        """Whether every mention has a certainty."""
        return bool(self.label_set.words)


def load(inputs: Inputs) -> SpanComparison:
    """Read and align gold mentions and those of labelers.

    Gold and predictions are our own rows, or any annotated input; of our own rows the options say
    only what becomes of the edges. Patients are by default those that the gold names, and texts
    those of the gold, or of the reports beside it.

    Raises:
        InputError: as :func:`read_spans`; gold and predictions share no
            id; or a mention ends after its text.
        ConfigError: no predictions are given, or options that do not apply to the files.
    """
    predictions, label_set, how = inputs.predictions, inputs.label_set, inputs.reading
    check_predictions(predictions)
    hows = {name: _how(name, inputs.pred_reading) for name in predictions}
    _check_options(inputs.gold, how, predictions, hows)
    truth = read_spans(inputs.gold, label_set, how, gold=True)
    files = {name: read_spans(path, label_set, hows[name]) for name, path in predictions.items()}
    named = {i: m.patient for i, m in truth.reports.items() if m.patient}
    shared = common(
        inputs,
        truth.reports,
        {name: file.reports for name, file in files.items()},
        remedy="check the ids of both; reports of CoNLL and text files are named after their files",
        patients=named or None,
    )
    ids = shared["ids"]
    texts = inputs.text_by_id()
    known = _texts(truth, files, ids, beside(inputs.gold) if texts is None else texts)
    truth = without_edges(truth, known, how, gold=True)
    files = {name: without_edges(file, known, hows[name]) for name, file in files.items()}
    pred = {name: _mentions(file, ids) for name, file in files.items()}
    return SpanComparison(
        **shared,
        gold=_mentions(truth, ids),
        pred=pred,
        coverage={name: _coverage(file, truth, ids) for name, file in files.items()},
        texts=None if len(known) < len(ids) else tuple(known[i] for i in ids),
        absent={
            name: sum(not e.spans for mentions in each for e in mentions)
            for name, each in pred.items()
        },
        elsewhere={name: _elsewhere(file, known) for name, file in files.items()},
        gold_elsewhere=_elsewhere(truth, known),
        trimmed={"": truth.trimmed} | {name: file.trimmed for name, file in files.items()},
        lacking={"": truth.lacking} | {name: file.lacking for name, file in files.items()},
        gold_patients=inputs.patients is None and bool(named),
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
    nothing = MarkedReport(0, ())
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


def _how(name: str, by_name: Mapping[str, ReadOptions]) -> ReadOptions:
    """The options of a labeler; those of one of its runs (``NAME<tab>NUMBER``) are its own."""
    return by_name.get(name.partition("\t")[0], by_name.get("", ReadOptions()))


def _check_options(
    gold: str | Path,
    how: ReadOptions,
    predictions: Mapping[str, str | Path],
    hows: Mapping[str, ReadOptions],
) -> None:
    """Refuse options that do not apply to the gold, or for none of the predictions.

    Raises:
        ConfigError: there is one.
    """
    check_flags([format_of_marked(gold, how, gold=True)], how)
    alike: dict[ReadOptions, list[Format]] = {}
    for name, path in predictions.items():
        alike.setdefault(hows[name], []).append(format_of_marked(path, hows[name]))
    for options, forms in alike.items():
        check_flags(forms, options)
