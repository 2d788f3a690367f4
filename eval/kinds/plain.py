"""Any kind of task in a comparison, from nothing but its own counts and statistics.

A kind without a view of its own is read, scored, tested and shown by what
:class:`labelwright.tasks.TaskKind` says of it: how its files are read, what is counted per report,
and which scores follow from the counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from eval.kinds.base import KindView, Offer
from eval.page.contents import Contents, Errors, Filter
from eval.page.labeler_tables import answers, scores_per_part, without_answer
from eval.page.pair_tables import differences
from eval.page.plots import colour, colours
from eval.page.tables import Column, Table, sentence, unformula
from eval.page.verdict import joined, sample, shared_notices
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
)
from eval.stats.counts import Bools
from eval.stats.significance import CompareSettings, Counted
from eval.stats.tested import Tested
from labelwright.records import Prediction
from labelwright.tasks import kind_of

if TYPE_CHECKING:
    from labelwright.label_set import LabelSet


@dataclass(frozen=True, eq=False, kw_only=True)
class PlainComparison(Aligned):
    """Gold and answers as values of the kind; a report without an answer has ``None``."""

    gold: tuple[Any, ...]
    pred: Mapping[str, tuple[Any | None, ...]]
    texts: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class PlainAnalysis(Tested):
    """All numbers of one comparison; ``parts`` are those of the metric."""

    comparison: PlainComparison
    parts_by_statistic: Mapping[str, tuple[str, ...]]

    unit: ClassVar[tuple[str, str]] = ("part", "parts")

    @property
    def parts(self) -> tuple[str, ...]:
        """The metric's parts."""
        return self.parts_by_statistic[self.metric][1:]

    @property
    def short(self) -> str:
        """The metric's name in words."""
        return self.metric.replace("_", " ")

    @property
    def definition(self) -> str:
        """What is known of the metric: its name."""
        return f"the score {self.short} of {self.comparison.label_set.name}"

    @property
    def headline(self) -> str:
        """The metric over all parts."""
        return f"{self.parts_by_statistic[self.metric][0]} {self.short}"

    @property
    def measurable(self) -> bool:
        """Whether there are reports at all; a kind does not say more."""
        return bool(self.comparison.ids)

    def hidden(self, labeler: str, statistic: str) -> Bools:
        """Nothing: a kind says which value an undefined score has, not where it has one."""
        del labeler
        return np.zeros(len(self.parts_by_statistic[statistic]) - 1, dtype=bool)


class PlainView(KindView):
    """The view of every kind that has none of its own."""

    offer = Offer("other kinds")
    title = "Comparison of labelers"

    def metrics(self, label_set: LabelSet) -> tuple[str, ...]:
        """The kind's statistics."""
        return tuple(kind_of(label_set).statistics(label_set, "zero"))

    def load(self, inputs: Inputs) -> PlainComparison:
        """The kind's own files of known values, and ``predictions.jsonl``."""
        check_predictions(inputs.predictions)
        label_set = inputs.label_set
        gold = known_values(Path(inputs.gold), label_set)
        files = {
            name: {said.id: said for _, said in predictions(prediction_file(path), label_set)}
            for name, path in inputs.predictions.items()
        }
        shared = common(inputs, gold, files)
        ids = shared["ids"]
        texts = inputs.text_by_id() or {}
        return PlainComparison(
            **shared,
            gold=tuple(gold[i] for i in ids),
            pred={
                name: tuple(rows[i].value if i in rows else None for i in ids)
                for name, rows in files.items()
            },
            coverage={
                name: _coverage(str(inputs.predictions[name]), rows, gold, ids)
                for name, rows in files.items()
            },
            texts=tuple(texts[i] for i in ids) if texts.keys() >= set(ids) else None,
        )

    def counted(
        self,
        comparison: PlainComparison,
        settings: CompareSettings,
        metric: str,
    ) -> Counted:
        """All statistics of the kind."""
        label_set, kind = comparison.label_set, kind_of(comparison.label_set)
        known = kind.statistics(label_set, settings.undefined)
        parts = {name: each.parts for name, each in known.items()}
        counts = {
            name: kind.counts(label_set, comparison.gold, said, comparison.texts)
            for name, said in comparison.pred.items()
        }
        return Counted(
            lambda tests: PlainAnalysis(comparison, metric, tests, parts),
            counts,
            known,
            shown=known,
        )

    def contents(self, analysis: PlainAnalysis, texts: Mapping[str, str] | None) -> Contents:
        """Scores per statistic, coverage, and which reports are wrong."""
        c = analysis.comparison
        return Contents(
            scores_title="Scores",
            scores_lead="Labelers as a whole, the verdict's score per part, then every score.",
            scores=[
                _labelers(analysis),
                scores_per_part(
                    analysis,
                    "scores",
                    f"{sentence(analysis.short)} per part",
                    analysis.metric,
                    foot=analysis.whole,
                    signature=analysis.signature(),
                ),
                *([differences(analysis)] if analysis.pairs else []),
                _statistics(analysis),
            ],
            answers=answers(
                analysis,
                {
                    "predictions": lambda _, each: each.rows,
                    "missing": lambda _, each: len(each.missing),
                    "unusable": lambda _, each: len(each.undetermined),
                    "without gold": lambda _, each: each.extra,
                },
                caption="Predictions without gold are ignored.",
            ),
            answers_text="What a report without a usable answer counts as, the scores say.",
            notices=shared_notices(analysis),
            methods=f"We compared the labels of {joined(c.names)} with reference labels (gold) of "
            f"{sample(analysis)} ({c.label_set.name}, version {c.label_set.version}). The main "
            f"score was {analysis.definition}.",
            errors=_errors(c, texts),
            labelers={name: _numbers(c.coverage[name]) for name in c.names},
        )


def _coverage(
    source: str, rows: Mapping[str, Prediction], gold: Mapping[str, Any], ids: Sequence[str]
) -> Coverage:
    return coverage(
        source,
        rows,
        gold,
        ids,
        problems=lambda i: {problem.partition(":")[0] for problem in rows[i].problems},
        open_parts=lambda i: int(not rows[i].complete),
    )


def _labelers(analysis: PlainAnalysis) -> Table:
    names = analysis.comparison.names
    return Table.of_columns(
        "labelers",
        "Labelers",
        [
            (Column("Labeler"), names),
            (Column(sentence(analysis.headline), "score"), [analysis.mean(n) for n in names]),
            (Column("No answer", "count"), without_answer(analysis)),
        ],
        caption="No answer: reports whose answer was missing or left something open.",
        signature=analysis.signature(),
        keys=colours(len(names)),
    )


def _statistics(analysis: PlainAnalysis) -> Table:
    """Every score over all parts, a row for each."""
    known = list(analysis.parts_by_statistic)
    return Table.of_columns(
        "statistics",
        "All scores",
        [
            (Column("Score"), [sentence(name.replace("_", " ")) for name in known]),
            *(
                (
                    Column(labeler, "score", colour=colour(place), compare="score"),
                    [analysis.marks(labeler, name)[0] for name in known],
                )
                for place, labeler in enumerate(analysis.comparison.names)
            ),
        ],
        signature=analysis.signature("all"),
    )


def _errors(c: PlainComparison, texts: Mapping[str, str] | None) -> Errors:
    """The reports whose answer is another than the gold, without saying what either holds."""

    def lines_of(place: int) -> list[list[str]]:
        said = (answers[place] for answers in c.pred.values())
        gold = c.gold[place]
        return [
            [] if s == gold else ["no answer" if s is None else "not as the gold"] for s in said
        ]

    places = [p for p in range(len(c.ids)) if any(lines_of(p))]

    def lines() -> Iterator[Sequence[str]]:
        yield ["id", "labeler", "what"]
        for place in places:
            for name, wrong in zip(c.names, lines_of(place), strict=True):
                yield from ([unformula(c.ids[place]), unformula(name), each] for each in wrong)

    return Errors(
        places=places,
        claim="were answered otherwise than in the gold by at least one labeler",
        remark=" The page holds no report text." if texts is None else "",
        hint="labeler, what is wrong",
        row=lambda place: {"l": lines_of(place)},
        lines=lines,
        filters=[
            Filter(
                "Who was wrong",
                "labeler",
                [[("", "anyone")], *([(str(i), name)] for i, name in enumerate(c.names))],
            )
        ],
    )


def _numbers(found: Coverage) -> dict[str, Any]:
    return {
        "missing": len(found.missing),
        "unusable": len(found.undetermined),
        "without_gold": found.extra,
        "problems": dict(found.problems),
    }


VIEW = PlainView()
