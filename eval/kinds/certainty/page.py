"""What only certainties have on the page: tables of observations, confusion, wrong labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any

import numpy as np
from markupsafe import Markup

from eval.groups.section import subgroup_section
from eval.groups.subgroups import Grouping, load_groups
from eval.kinds.base import KindView, More
from eval.kinds.certainty import METRICS, OFFER
from eval.kinds.certainty.read import Comparison, load
from eval.kinds.certainty.scores import ANSWERS, MENTION, TASKS, Analysis, TaskScores, counted
from eval.page import labeler_tables, pair_tables
from eval.page.contents import Contents, Errors, Filter, Folded, Further, Section
from eval.page.figures import Heat
from eval.page.labeler_tables import F1, P, R, whole_last
from eval.page.plots import colours
from eval.page.render import environment
from eval.page.score_file import by_part
from eval.page.tables import Column, Table, defined, sentence, unformula
from eval.page.verdict import Notices, joined, sample, shared_notices
from eval.probability.sections import probability_sections
from eval.read.aligned import Inputs
from labelwright.records import Certainty

HEAT = Heat(
    columns={f"macro_f1_{task}": task for task in TASKS},
    whole="Macro mean",
    by="",
    dash="the certainty cannot occur, or neither gold nor answers have it",
    score="f1 per certainty",
)
LETTERS = "pnub-"
"""One letter per certainty code; code -1 (no answer) is the last."""
NAMES = tuple(c.value for c in Certainty)
_ANSWERS = {
    "error": "Nothing is left out: a report without a prediction, and an observation that an "
    "answer leaves open, count as errors in every score on this page.",
    "drop": "Reports that a labeler had no prediction for were left out for all labelers; "
    "observations that an answer leaves open count as errors.",
}
_FAILED = {
    "error": "Reports without a usable answer counted as errors.",
    "drop": "Reports that a labeler had no prediction for were left out for all labelers.",
}
_RULE = {
    "zero": ("0 in the mean", "counted as 0"),
    "one": ("1 in the mean", "counted as 1"),
    "skip": ("nothing in the mean", "was left out of the mean"),
}
"""What a score that is not defined counts as, for the notices and for the methods."""


def contents(analysis: Analysis, texts: Mapping[str, str] | None) -> Contents:
    """All of it; ``texts`` are those that the page shows."""
    return Contents(
        scores_title="Scores per observation",
        scores_lead="Labelers as a whole, the verdict's score per observation, then the two "
        "tables that papers print. Bold: the best of its row.",
        glossary=_glossary(),
        scores=[
            labelers(analysis),
            main(analysis),
            *([pair_tables.differences(analysis)] if analysis.pairs else []),
            *paper(analysis),
        ],
        folded=Folded(
            "extraction",
            "Extraction",
            "Extraction of each certainty",
            "Each certainty on its own: is it found where the gold has it, and only there? "
            "Mention asks whether an observation is spoken of at all.",
            [_task(analysis, task) for task in TASKS],
        ),
        heat=HEAT,
        more=[Further("confusion", "Confusion", _matrices(analysis))],
        data_tables=[confusion(analysis)],
        answers=_answers(analysis),
        answers_text=_ANSWERS[analysis.comparison.missing],
        notices=notices(analysis),
        methods=_methods(analysis),
        errors=_errors(analysis.comparison, texts),
        labelers={name: _labeler_json(analysis, name) for name in analysis.comparison.names},
    )


def _glossary() -> list[tuple[str, str]]:
    """The kinds of F1 that stand side by side on the page."""
    return [
        (
            "Weighted F1",
            "Of each observation: the F1 of finding it positive, negative and uncertain, each "
            "weighted by how often the gold has it. Blank counts for nothing, so silence earns "
            "nothing. CheXbert's way.",
        ),
        (
            "All certainties; positive and negative only",
            "Of each observation: the mean over certainties of the F1 of the certainty and the "
            "F1 of the rest. The rest is mostly right by itself, so these are near 1 even for a "
            "labeler that says little. Printed to compare with papers that use them.",
        ),
        (
            "Micro F1 pos.",
            "Positive labels of all observations in one count: common observations decide it.",
        ),
        (
            "Macro mean",
            "The plain mean of the observations' scores: rare ones count as much as common ones.",
        ),
    ]


# Tables


def labelers(analysis: Analysis) -> Table:
    """One row per labeler: the metric, positive extraction, exact match, failures."""
    c, scores = analysis.comparison, analysis.scores.values()
    return Table.of_columns(
        "labelers",
        "Labelers",
        [
            (Column("Labeler"), c.names),
            (Column(f"Mean {analysis.short}", "score"), [analysis.mean(n) for n in c.names]),
            (Column("Micro F1 pos.", "score"), [s.tasks["positive"].micro.f1 for s in scores]),
            (Column("All right", "percent"), [s.exact_match for s in scores]),
            (Column("No answer", "count"), labeler_tables.without_answer(analysis)),
        ],
        caption="All right: reports without a single error. No answer: reports whose answer was "
        "missing or left an observation open.",
        signature=analysis.signature(),
        keys=colours(len(c.names)),
    )


def main(analysis: Analysis) -> Table:
    """The metric of the verdict per observation, with the gold's prevalence."""
    gold = analysis.scores[analysis.reference].confusion.sum(axis=2)[:, :3]
    shown = zip(("pos.", "neg.", "unc."), gold.T.tolist(), strict=True)
    return labeler_tables.scores_per_part(
        analysis,
        "scores",
        f"{sentence(analysis.short)} per observation",
        analysis.metric,
        before=[(Column(n, "count", group="Gold reports"), [*v, sum(v)]) for n, v in shown],
        foot="Mean",
        caption=f"{sentence(analysis.definition)}.",
        signature=analysis.signature(),
    )


def paper(analysis: Analysis) -> list[Table]:
    """The two tables of Abdullah & Kim 2025: all certainties, positive and negative only."""
    titles = {
        "paper_all": ("all-certainties", "All certainties"),
        "paper_posneg": ("positive-negative", "Positive and negative only"),
    }
    return [
        labeler_tables.scores_per_part(
            analysis,
            name,
            title,
            statistic,
            foot="Mean",
            caption=f"{sentence(METRICS[statistic][1])}.",
            signature=analysis.signature(statistic),
        )
        for statistic, (name, title) in titles.items()
    ]


def _task(analysis: Analysis, task: str) -> Table:
    """Precision, recall and F1 of one extraction task."""
    names = analysis.comparison.names
    found = {n: analysis.scores[n].tasks[task] for n in names}
    support = found[analysis.reference].support.tolist()
    return labeler_tables.per_labeler(
        analysis,
        f"extraction-{task}",
        "Mention (anything but blank)" if task == MENTION else f"Extraction of {task}",
        [
            (Column("Observation"), [*analysis.parts, "Macro mean"]),
            (Column("gold", "count"), [*support, sum(support)]),
        ],
        {
            n: [
                (P, [*defined(s.precision, s.applicable & (s.predicted > 0)), s.macro.precision]),
                (R, [*defined(s.recall, s.applicable & (s.support > 0)), s.macro.recall]),
                (F1, whole_last(analysis.marks(n, f"macro_f1_{task}"))),
            ]
            for n, s in found.items()
        },
        caption="Precision, recall and F1 with its interval.",
        signature=analysis.signature(f"macro_f1_{task}"),
    )


def confusion(analysis: Analysis) -> Table:
    """Every confusion count in long form, for the CSV file."""
    return Table(
        "confusion",
        "Confusion",
        (
            *(Column(n) for n in ("labeler", "observation", "gold", "answer")),
            Column("reports", "count"),
        ),
        tuple(
            (name, observation, gold, answer, int(scores.confusion[index, g, a]))
            for name, scores in analysis.scores.items()
            for index, observation in enumerate(analysis.parts)
            for g, gold in enumerate(NAMES)
            for a, answer in enumerate([*NAMES, "none"])
        ),
    )


def _answers(analysis: Analysis) -> Table:
    return labeler_tables.answers(
        analysis,
        {
            "predictions": lambda _, c: c.rows,
            "missing": lambda _, c: len(c.missing),
            "with open observations": lambda _, c: len(c.undetermined),
            "open observations": lambda _, c: c.undetermined_cells,
            "without gold": lambda _, c: c.extra,
            "negatives read as blank": lambda _, c: c.read_as_blank,
        },
        caption="Predictions without gold are ignored; negatives are read as blank where the "
        "observation can only be positive or blank.",
    )


def _matrices(analysis: Analysis) -> Markup:
    """Per labeler one matrix per observation, without certainties that cannot occur."""
    by_name = analysis.comparison.label_set.by_name
    short = [n if n == "blank" else n[:3] + "." for n in NAMES]
    found = []
    for name, scores in analysis.scores.items():
        matrices = []
        for observation, table in zip(analysis.parts, scores.confusion, strict=True):
            kept = [i for i, c in enumerate(Certainty) if c in by_name[observation].certainties]
            rows = []
            for gold in kept:
                total = int(table[gold].sum())
                cells = [
                    {
                        "count": int(table[gold, answer]),
                        "share": f"{table[gold, answer] / total if total else 0:.3f}",
                        "hit": gold == answer and bool(table[gold, answer]),
                    }
                    for answer in [*kept, ANSWERS - 1]
                ]
                rows.append((short[gold], cells))
            answers = [*(short[i] for i in kept), "none"]
            matrices.append({"observation": observation, "answers": answers, "rows": rows})
        found.append((name, matrices))
    template = environment().from_string(_own_file("confusion.html.j2"))
    return Markup(template.render(confusion=found))  # noqa: S704 - escaped by the template


# Sentences


def notices(analysis: Analysis) -> Notices:
    """Everything about gold and predictions that limits what the numbers mean."""
    grave: list[str] = []
    other: list[str] = []
    c, shared = analysis.comparison, shared_notices(analysis)
    tasks = analysis.scores[analysis.reference].tasks
    if absent := _absent(tasks):
        task = analysis.metric.rpartition("_")[2]
        fine = task in tasks and task not in absent
        (other if fine else grave).append(absent)
    mentions = tasks[MENTION].support
    if not mentions.any():
        grave.append("The gold mentions no observation at all: only false alarms can be counted.")
    elif not mentions.all():
        names = [n for n, m in zip(analysis.parts, mentions, strict=True) if not m]
        other.append(
            f"Never mentioned in the gold: {', '.join(names)}. A score that is not defined counts "
            f"as {_RULE[analysis.tests.settings.undefined][0]} and shows as a dash."
        )
    other += shared.other
    if c.unscored:
        other.append(f"Not in the gold and so not scored: {', '.join(c.unscored)}.")
    if c.gold_read_as_blank:
        other.append(
            f"{c.gold_read_as_blank:,} negatives in the gold were read as blank, since their "
            "observation can only be positive or blank."
        )
    return Notices((*shared.grave, *grave), tuple(other))


def _absent(tasks: Mapping[str, TaskScores]) -> str:
    """Certainties that the gold never has although the label set allows them."""
    names = [
        name
        for name, task in tasks.items()
        if name != MENTION and task.applicable.any() and not task.support.any()
    ]
    if not names:
        return ""
    return (
        f"The gold has no {' and no '.join(names)} at all. If it does not code "
        f"{'this certainty' if len(names) == 1 else 'these certainties'}, every such answer counts "
        "as an error in the all-certainty tables; read the extraction of the others."
    )


def _methods(analysis: Analysis) -> str:
    c = analysis.comparison
    return (
        f"We compared the labels of {joined(c.names)} with reference labels (gold) of "
        f"{sample(analysis)} for {len(c.observations)} observations ({c.label_set.name}, version "
        f"{c.label_set.version}). The main score was the mean over observations of the "
        f"{analysis.short}: {analysis.definition}. F1 of a certainty that neither the gold "
        f"nor the labeler gave {_RULE[analysis.tests.settings.undefined][1]}. {_FAILED[c.missing]}"
    )


# Errors


def _errors(comparison: Comparison, texts: Mapping[str, str] | None) -> Errors:
    """Every wrong label: a letter per observation in the browser, a line each in the file."""
    wrong = np.zeros(comparison.gold.shape, dtype=bool)
    for codes in comparison.pred.values():
        wrong |= codes != comparison.gold

    def row(place: int) -> dict[str, Any]:
        answers = [_letters(codes[place]) for codes in comparison.pred.values()]
        return {"g": _letters(comparison.gold[place]), "l": answers}

    def lines() -> Iterator[Sequence[str]]:
        yield ["id", "observation", "gold", *map(unformula, comparison.names)]
        for place, column in np.argwhere(wrong).tolist():
            answers = [int(codes[place, column]) for codes in comparison.pred.values()]
            yield [
                unformula(comparison.ids[place]),
                comparison.observations[column],
                NAMES[int(comparison.gold[place, column])],
                *("none" if code < 0 else NAMES[code] for code in answers),
            ]

    return Errors(
        places=np.flatnonzero(wrong.any(axis=1)).tolist(),
        claim="were labeled wrongly somewhere by at least one labeler",
        remark=" Each line gives observation, gold → answer."
        + (" The page holds no report text." if texts is None else ""),
        hint="observation, gold certainty, answer",
        row=row,
        lines=lines,
        filters=_filters(comparison),
        head={"observations": comparison.observations},
        script=_own_file("errors.js"),
    )


def _filters(comparison: Comparison) -> list[Filter]:
    names = comparison.names
    who = [
        [(f"some:{place}", name), (f"only:{place}", f"{name} alone")]
        for place, name in enumerate(names)
    ]
    every = [[("every", "everyone")], *who] if len(names) > 1 else []
    kinds = {
        "any": "any",
        "missed": "positive missed",
        "alarm": "false positive",
        "flip": "positive and negative swapped",
        "doubt": "uncertainty",
        "silent": "no answer",
    }
    observations = [[(str(i), name)] for i, name in enumerate(comparison.observations)]
    return [
        Filter("Who was wrong", "labeler", [[("any", "anyone")], *every]),
        Filter("Observation", "observation", [[("", "all")], *observations]),
        Filter("Kind of error", "kind", [list(kinds.items())]),
    ]


def _letters(codes: Any) -> str:
    return "".join(LETTERS[int(code)] for code in codes)


def _own_file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


# Numbers for programs


def _labeler_json(analysis: Analysis, name: str) -> dict[str, Any]:
    scores, coverage = analysis.scores[name], analysis.comparison.coverage[name]
    return {
        "tasks": {task: _task_json(analysis, found) for task, found in scores.tasks.items()},
        "kappa": scores.kappa.mean,
        "accuracy": scores.accuracy.mean,
        "exact_match": scores.exact_match,
        "missing": len(coverage.missing),
        "undetermined_reports": len(coverage.undetermined),
        "undetermined_observations": coverage.undetermined_cells,
        "without_gold": coverage.extra,
        "problems": dict(coverage.problems),
    }


def _task_json(analysis: Analysis, found: TaskScores) -> dict[str, Any]:
    """Precision, recall and F1 of one extraction task; the marks say where F1 is not defined."""
    columns = ("precision", "recall", "f1", "support", "predicted", "applicable", "undefined")
    return {
        "macro": asdict(found.macro),
        "micro": asdict(found.micro),
        "observations": by_part(analysis, **{name: getattr(found, name) for name in columns}),
    }


class CertaintyView(KindView):
    """Label sets that ask for the certainty of observations."""

    offer = OFFER
    title = "Comparison of report labelers"
    load = staticmethod(load)
    counted = staticmethod(counted)
    contents = staticmethod(contents)

    def sections(self, analysis: Analysis, inputs: Inputs, more: More) -> list[Section]:
        """Calibration, selective labeling, subgroups: what the files allow."""
        found = probability_sections(analysis, inputs, more)
        if more.subgroups and more.metadata is not None:
            columns = load_groups(
                more.metadata,
                [Grouping.parse(text) for text in dict.fromkeys(more.subgroups)],
                analysis.comparison.ids,
                id_columns=inputs.id_columns,
            )
            found.append(subgroup_section(analysis, columns, min_size=more.subgroup_min))
        return found


VIEW = CertaintyView()
