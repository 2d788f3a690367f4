"""Several runs of each labeler, trained with other seeds: means, spread, and who differs.

The runs of a labeler are scored on the same reports, so their spread says what training leaves to
chance, and nothing of the choice of reports. ANOVA and Tukey's test take each run as one
independent value of its labeler. The bootstrap of the mean draws patients and runs, so that its
intervals are of a method, for other patients and another training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from eval.kinds.base import More
from eval.kinds.entities import SCHEME_TEXT
from eval.kinds.entities.counts import SpanCounts
from eval.kinds.entities.read import SpanComparison, load
from eval.kinds.entities.scores import (
    SpanAnalysis,
    SpanScores,
    matched,
    parts_of,
    schemes_of_comparison,
    span_scores,
    span_statistics,
)
from eval.page.contents import Section
from eval.page.plots import colour
from eval.page.tables import Column, Table, Value, p_equals, sentence
from eval.read.aligned import Inputs
from eval.stats.counts import Floats, cluster_counts
from eval.stats.estimates import Estimate
from eval.stats.multiple import Anova, TukeyPair, one_way_anova, tukey_hsd
from eval.stats.resampling import bootstrap_runs
from eval.stats.significance import CompareSettings
from labelwright.tasks.shapes import Statistic
from labelwright.version import __version__


@dataclass(frozen=True, eq=False)
class RunTest:
    """One-way ANOVA of labelers over runs, and Tukey's intervals of all pairs."""

    anova: Anova
    pairs: tuple[TukeyPair, ...]


def run_test(values: Mapping[str, Floats], *, pairs: bool = True) -> RunTest:
    """Test two and more labelers with two and more runs each (equal numbers are not needed).

    Args:
        pairs: whether Tukey's test is made too; its quantiles take a third of a second.
    """
    return RunTest(one_way_anova(values), tukey_hsd(values) if pairs else ())


def runs_section(analysis: SpanAnalysis, inputs: Inputs, more: More) -> Section:
    """The page's section on the runs of ``more``, each read and scored as the inputs are."""
    # A tab cannot stand in a labeler's name, so no run is taken for another one.
    named = {
        name: {f"{name}\t{place}": path for place, path in enumerate(runs)}
        for name, runs in more.runs.items()
    }
    every = {run: path for runs in named.values() for run, path in runs.items()}
    return seeds_section(
        load(replace(inputs, predictions=every)),
        {name: list(runs) for name, runs in named.items()},
        metric=analysis.metric,
        settings=analysis.tests.settings,
        shown=analysis.comparison.names,
        first_only=more.first_only,
    )


def seeds_section(
    comparison: SpanComparison,
    groups: Mapping[str, Sequence[str]],
    *,
    metric: str,
    settings: CompareSettings,
    shown: Sequence[str],
    first_only: bool,
) -> Section:
    """The page's section on runs.

    Args:
        comparison: all runs as labelers.
        groups: the runs of each labeler, as they are named in ``comparison``.
        metric: the score of the verdict.
        shown: the labelers of the page, for their colours.
        first_only: whether the page compares the first run of each labeler.
    """
    counts, _ = matched(comparison)
    undefined = settings.undefined
    schemes = schemes_of_comparison(comparison)
    by_run = {
        run: _values(span_scores(table, comparison.types, schemes=schemes, undefined=undefined))
        for run, table in counts.items()
    }
    values = {
        score: {
            name: np.array([by_run[run][score] for run in runs], dtype=np.float64)
            for name, runs in groups.items()
        }
        for score in next(iter(by_run.values()))
    }
    tests = (
        {score: run_test(each, pairs=score == metric) for score, each in values.items()}
        if len(groups) > 1
        else {}
    )
    signature = "|".join(
        [
            "score:runs",
            f"set:{comparison.label_set.name}/{comparison.label_set.version}",
            f"n:{len(comparison.ids)}",
            f"runs:{'+'.join(str(len(runs)) for runs in groups.values())}",
            f"undefined:{undefined}",
            f"missing:{comparison.missing}",
            f"labelwright:{__version__}",
        ]
    )
    others = [name for name in groups if name not in shown]
    colours = {name: colour(place) for place, name in enumerate([*shown, *others])}
    overall = [score for score in values if ":" not in score]
    each_type = [f"f1_{parts_of(metric)[1]}:{name}" for name in comparison.types]
    statistic = span_statistics(comparison.types, schemes=schemes, undefined=undefined)[metric]
    means = _means(counts, groups, comparison, statistic, settings)
    tables = [
        _spread("seeds", "Scores over runs", overall, (values, tests), colours, signature),
        _spread(
            "seeds-types",
            f"{_name(metric)} per type",
            each_type,
            (values, tests),
            colours,
            signature,
        ),
        _mean_table(metric, means, f"{signature}|resamples:{settings.resamples}"),
        *([_tukey(metric, tests[metric], signature)] if tests and tests[metric].pairs else []),
    ]
    spreads = "; ".join(
        f"{name} {each.mean():.3f} ± {each.std(ddof=1):.3f} ({len(each)} runs)"
        for name, each in values[metric].items()
    )
    statements = [f"{_name(metric)}, mean ± standard deviation over runs: {spreads}."]
    if tests:
        statements.append(_verdict(tests[metric]))
    return Section(
        id="seeds",
        title="Several runs",
        lead="The same labelers, trained again with other seeds and scored on the same reports. "
        "The spread is that of training, not that of the choice of reports.",
        statements=tuple(statements),
        notes=(
            *(
                ["All else on this page is about the first run of each labeler."]
                if first_only
                else []
            ),
            "ANOVA and Tukey's test take each run as one independent value; they say whether "
            "labelers differ by more than their runs do, on these reports.",
            "Intervals of means over runs: patients and runs are drawn again, both alike for all "
            "labelers. Few runs make them somewhat too narrow.",
        ),
        tables=tuple(tables),
        data_tables=(_runs_table(groups, by_run),),
        methods="Labelers were trained several times with different seeds; we give the mean and "
        "the standard deviation over runs and compared labelers by one-way ANOVA and Tukey's "
        "honestly significant difference with runs as replicates. Intervals of means and of their "
        "differences are from a bootstrap over patients and runs.",
        numbers={
            "metric": metric,
            "means": {" − ".join(names): mean.to_json() for names, mean in means.items()},
            "labelers": {
                name: {
                    score: {"mean": float(v.mean()), "sd": float(v.std(ddof=1)), "runs": v.tolist()}
                    for score in values
                    for v in (values[score][name],)
                }
                for name in groups
            },
            "tests": {score: _test_json(test) for score, test in tests.items()},
        },
    )


def _means(
    counts: Mapping[str, SpanCounts],
    groups: Mapping[str, Sequence[str]],
    comparison: SpanComparison,
    statistic: Statistic,
    settings: CompareSettings,
) -> dict[tuple[str, ...], Estimate]:
    """Mean over runs of each labeler, and the difference of each pair."""
    tables = {
        name: np.stack(
            [cluster_counts(counts[run], comparison.cluster_index) for run in runs], axis=1
        )
        for name, runs in groups.items()
    }
    found = bootstrap_runs(
        tables,
        list(combinations(groups, 2)),
        statistic.of,
        resamples=settings.resamples,
        level=settings.level,
        seed=settings.seed,
    )
    enough = len(next(iter(tables.values()))) > 1
    alone = {(name,): each for name, each in found.single.items()}
    return {key: each.mark(shown=enough) for key, each in (alone | dict(found.paired)).items()}


def _mean_table(metric: str, means: Mapping[tuple[str, ...], Estimate], signature: str) -> Table:
    return Table(
        name="seeds-means",
        title="Means over runs, for other patients and another training",
        columns=(Column("Labeler or pair"), Column("mean", "score"), Column("difference", "delta")),
        rows=tuple(
            (" − ".join(names), *((mean, None) if len(names) == 1 else (None, mean)))
            for names, mean in means.items()
        ),
        caption=f"{_name(metric)}, mean over the runs, with bootstrap intervals over patients and "
        "runs; differences are paired by both.",
        signature=signature,
        sortable=False,
    )


def _values(scores: SpanScores) -> dict[str, float]:
    """All scores of a run by name, those of types as ``score:type``."""
    found: dict[str, float] = {}
    for scheme, each in scores.schemes.items():
        if scheme != "words_o":
            found[f"micro_precision_{scheme}"] = each.micro.precision
            found[f"micro_recall_{scheme}"] = each.micro.recall
            found[f"micro_f1_{scheme}"] = each.micro.f1
        found[f"macro_f1_{scheme}"] = each.macro.f1
        f1 = each.f1.tolist()[: len(scores.types)]
        for name, value in zip(scores.types, f1, strict=True):
            found[f"f1_{scheme}:{name}"] = value
    if scores.accuracy is not None:
        found["accuracy_words"] = scores.accuracy
    if scores.certainty_accuracy is not None:
        found["certainty_accuracy"] = scores.certainty_accuracy
    found["perfect_reports"] = scores.perfect
    return found


def _name(score: str) -> str:
    plain, colon, kind = score.partition(":")
    if colon:
        return kind
    for start in ("micro_precision_", "micro_recall_"):
        if plain.startswith(start):
            score = start.replace("_", " ").strip()
            return sentence(f"{SCHEME_TEXT[plain.removeprefix(start)][0]} {score}")
    if "_f1_" in plain:
        average, scheme = parts_of(plain)
        return sentence(f"{SCHEME_TEXT[scheme][0]} {average} F1")
    return sentence(plain.replace("_", " "))


def _spread(
    name: str,
    title: str,
    scores: Sequence[str],
    found: tuple[Mapping[str, Mapping[str, Floats]], Mapping[str, RunTest]],
    colours: Mapping[str, str],
    signature: str,
) -> Table:
    values, tests = found
    labelers = list(next(iter(values.values())))
    columns = [Column("Type" if name.endswith("types") else "Score")]
    for labeler in labelers:
        columns += [
            Column("mean", "score", group=labeler, colour=colours[labeler], compare="mean"),
            Column("sd", "score", group=labeler),
        ]
    if tests:
        columns += [Column("F", "score", group="ANOVA"), Column("p", "p", group="ANOVA")]
    rows: list[tuple[Value, ...]] = []
    for score in scores:
        row: list[Value] = [_name(score)]
        for labeler in labelers:
            each = values[score][labeler]
            row += [float(each.mean()), float(each.std(ddof=1))]
        if tests:
            row += [tests[score].anova.f, tests[score].anova.p]
        rows.append(tuple(row))
    return Table(
        name=name,
        title=title,
        columns=tuple(columns),
        rows=tuple(rows),
        caption="Standard deviation with n − 1. ANOVA over runs, each row by itself, not adjusted "
        "for the number of rows; a dash: the runs do not differ among themselves."
        if tests
        else "Standard deviation with n − 1.",
        signature=signature,
        sortable=False,
    )


def _tukey(metric: str, test: RunTest, signature: str) -> Table:
    return Table(
        name="seeds-tukey",
        title="Which labelers differ over runs",
        columns=(Column("Pair"), Column("difference", "delta"), Column("p", "p")),
        rows=tuple(
            (f"{t.a} − {t.b}", Estimate(t.difference, t.low, t.high), t.p) for t in test.pairs
        ),
        caption=f"{_name(metric)}, Tukey's honestly significant difference, runs as replicates.",
        signature=signature,
    )


def _runs_table(
    groups: Mapping[str, Sequence[str]], by_run: Mapping[str, Mapping[str, float]]
) -> Table:
    """Every score of every run, for the CSV file."""
    rows = [
        (name, number, score.partition(":")[0], score.partition(":")[2], value)
        for name, runs in groups.items()
        for number, run in enumerate(runs, 1)
        for score, value in by_run[run].items()
    ]
    return Table(
        name="seeds-runs",
        title="Scores of every run",
        columns=(
            Column("labeler"),
            Column("run", "count"),
            Column("score"),
            Column("type"),
            Column("value", "score"),
        ),
        rows=tuple(rows),
    )


def _verdict(test: RunTest) -> str:
    f, df, p = test.anova.f, test.anova.df, test.anova.p
    if f is None or p is None:
        return "The runs of no labeler differ among themselves, so there is no test over runs."
    apart = [f"{t.a} and {t.b}" for t in test.pairs if t.p < 0.05]
    which = f"Tukey's test separates {'; '.join(apart)}." if apart else "No pair is separated."
    return f"One-way ANOVA over runs: F({df[0]:g}, {df[1]:g}) = {f:.2f}, {p_equals(p)}. {which}"


def _test_json(test: RunTest) -> dict[str, Any]:
    anova = test.anova
    return {
        "f": anova.f,
        "df": [int(n) for n in anova.df],
        "p": anova.p,
        "tukey": [asdict(pair) for pair in test.pairs],
    }
