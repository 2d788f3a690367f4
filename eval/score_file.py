"""``scores.json``: the numbers of the page for programs, in full precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import labelwright
from eval.analysis import METRICS, Analysis
from eval.provenance import Source
from eval.report import Page
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
        "micro_f1": {task: found.micro.f1 for task, found in scores.tasks.items()},
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
        },
        "noninferiority_p": None if equal is None else equal.p_noninferior,
        "equivalence_p": None if equal is None else equal.p_equivalent,
        "detectable": a.detectable(pair),
        "paired_t": {"p": test.paired_t.p, "dz": test.paired_t.effect},
        "wilcoxon": {"p": test.wilcoxon.p, "rank_biserial": test.wilcoxon.effect},
        "mcnemar_p_holm": dict(
            zip(a.comparison.observations, pair.mcnemar.p_holm.tolist(), strict=True)
        ),
    }


def _marks_json(a: Analysis, marks: Sequence[Any]) -> dict[str, Any]:
    names = ("mean", *a.comparison.observations)
    return {
        name: None if mark is None else {"value": mark.value, "low": mark.low, "high": mark.high}
        for name, mark in zip(names, marks, strict=True)
    }
