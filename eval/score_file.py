"""``scores.json``: the numbers of the page for programs, in full precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from numpy.typing import NDArray

import labelwright
from eval.analysis import METRICS, Analysis
from eval.certainty import TaskScores
from eval.provenance import Source
from eval.report import Page
from eval.significance import Several
from eval.verdict import verdicts


def scores_json(page: Page) -> dict[str, Any]:
    """The numbers of the page for programs, in full precision."""
    a = page.analysis
    settings = a.tests.settings
    return {
        "labelwright": labelwright.__version__,
        "metric": a.metric,
        "definition": METRICS[a.metric][1],
        "signature": a.signature(tests=True),
        "verdict": [str(v) for v in verdicts(a)],
        "notices": [*page.notices().grave, *page.notices().other],
        "gold": a.comparison.gold_source,
        "label_set": {
            "name": a.comparison.label_set.name,
            "version": a.comparison.label_set.version,
            "sha256": a.comparison.label_set.fingerprint,
        },
        "reports": len(a.comparison.ids),
        "clusters": a.tests.clusters,
        "clustered_by_patient": a.tests.clustered,
        "settings": {
            "seed": settings.seed,
            "resamples": settings.resamples,
            "permutations": settings.permutations,
            "level": settings.level,
            "margin": settings.margin,
            "undefined": settings.undefined,
            "missing": a.comparison.missing,
        },
        "labelers": {source.name: _labeler_json(a, source) for source in page.sources},
        "pairs": [_pair_json(a, index) for index in range(len(a.tests.pairs))],
        "several": None if a.several is None else _several_json(a.several),
        "independence": None if page.split is None else page.split.words,
        "sections": {section.id: dict(section.numbers) for section in page.sections},
    }


def _labeler_json(a: Analysis, source: Source) -> dict[str, Any]:
    scores, coverage = a.scores[source.name], a.comparison.coverage[source.name]
    return {
        "source": source.path,
        "sha256": source.sha256,
        "model": source.model,
        "scores": {
            statistic: _marks_json(a, a.marks(source.name, statistic))
            for statistic in a.tests.settings.statistics
        },
        "tasks": {task: _task_json(a, found) for task, found in scores.tasks.items()},
        "kappa": scores.kappa.mean,
        "accuracy": scores.accuracy.mean,
        "exact_match": scores.exact_match,
        "missing": len(coverage.missing),
        "undetermined_reports": len(coverage.undetermined),
        "undetermined_observations": coverage.undetermined_cells,
        "without_gold": coverage.extra,
        "problems": dict(coverage.problems),
    }


def _pair_json(a: Analysis, index: int) -> dict[str, Any]:
    pair = a.tests.pairs[index]
    test = a.test(pair)
    equal = a.equivalence(pair)
    return {
        "a": pair.a,
        "b": pair.b,
        "differences": {
            statistic: _marks_json(a, a.changes(pair, statistic)) for statistic in pair.differences
        },
        "randomization": {
            "p": float(test.p[0]),
            "p_holm": a.p(pair),
            "permutations": test.permutations,
            "exact": test.exact,
            "observations": _by_observation(a, p=test.p[1:], p_holm=test.p_holm, p_bh=test.p_bh)
            if a.enough
            else None,
        },
        "noninferiority_p": None if equal is None else equal.p_noninferior,
        "equivalence_p": None if equal is None else equal.p_equivalent,
        "detectable": a.detectable(pair),
        "paired_t": {"p": test.paired_t.p, "dz": test.paired_t.effect},
        "wilcoxon": {"p": test.wilcoxon.p, "rank_biserial": test.wilcoxon.effect},
        "mcnemar": _by_observation(
            a,
            a_only=pair.mcnemar.a_only,
            b_only=pair.mcnemar.b_only,
            p=pair.mcnemar.p,
            p_holm=pair.mcnemar.p_holm,
            p_bh=pair.mcnemar.p_bh,
            h=pair.mcnemar.h,
        ),
    }


def _task_json(a: Analysis, found: TaskScores) -> dict[str, Any]:
    """Precision, recall and F1 of one extraction task; the marks say where F1 is not defined."""
    return {
        "macro": asdict(found.macro),
        "micro": asdict(found.micro),
        "observations": _by_observation(
            a,
            precision=found.precision,
            recall=found.recall,
            f1=found.f1,
            support=found.support,
            predicted=found.predicted,
            applicable=found.applicable,
            undefined=found.undefined,
        ),
    }


def _several_json(found: Several) -> dict[str, Any]:
    ranks = found.ranks
    return {
        "friedman": {"chi2": ranks.statistic, "p": ranks.p, "mean_ranks": dict(ranks.mean_ranks)},
        "critical_difference": ranks.critical_difference,
        "repeated_measures_anova": asdict(found.repeated),
        "one_way_anova": asdict(found.one_way),
        "tukey": [asdict(pair) for pair in found.tukey],
        "wilcoxon_holm_nemenyi": [asdict(pair) for pair in ranks.pairs],
    }


def _by_observation(a: Analysis, **columns: NDArray[Any]) -> dict[str, dict[str, Any]]:
    """``{observation: {column: value}}`` of arrays ``[observations]``."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return {
        name: dict(zip(columns, row, strict=True))
        for name, row in zip(a.comparison.observations, rows, strict=True)
    }


def _marks_json(a: Analysis, marks: Sequence[Any]) -> dict[str, Any]:
    names = ("mean", *a.comparison.observations)
    return {
        name: None if mark is None else {"value": mark.value, "low": mark.low, "high": mark.high}
        for name, mark in zip(names, marks, strict=True)
    }
