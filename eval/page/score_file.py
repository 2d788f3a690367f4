"""``scores.json``: the numbers of the page for programs, in full precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from numpy.typing import NDArray

from eval.page.contents import Section
from eval.page.verdict import verdicts
from eval.read.provenance import Independence, Source
from eval.stats.multiple import Several
from eval.stats.paired import McNemar
from eval.stats.tested import Marks, Tested
from labelwright.version import __version__


def page_json(
    a: Tested,
    *,
    notices: Sequence[str],
    labelers: Mapping[str, tuple[Source, Mapping[str, Any]]],
    split: Independence | None,
    sections: Sequence[Section],
) -> dict[str, Any]:
    """What every ``scores.json`` says, whatever the kind.

    Args:
        labelers: per labeler its file, and what only the kind says of it.
    """
    settings = a.tests.settings
    return {
        "labelwright": __version__,
        "metric": a.metric,
        "definition": a.definition,
        "signature": a.signature(tests=True),
        "verdict": [str(v) for v in verdicts(a)],
        "notices": list(notices),
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
        "labelers": {name: {**_source(a, s), **more} for name, (s, more) in labelers.items()},
        "pairs": [_pair_json(a, index) for index in range(len(a.tests.pairs))],
        "several": None if a.several is None else _several_json(a.several),
        "independence": None if split is None else split.finding,
        "sections": {section.id: dict(section.numbers) for section in sections},
    }


def _source(a: Tested, source: Source) -> dict[str, Any]:
    """What is said of every labeler: its file, its model, its scores."""
    return {
        "source": source.path,
        "sha256": source.sha256,
        "model": source.model,
        "scores": {
            statistic: _marks(a, statistic, a.marks(source.name, statistic))
            for statistic in a.tests.settings.statistics
        },
    }


def _pair_json(a: Tested, index: int) -> dict[str, Any]:
    pair = a.tests.pairs[index]
    test = a.test(pair)
    equal = a.equivalence(pair)
    return {
        "a": pair.a,
        "b": pair.b,
        "differences": {
            statistic: _marks(a, statistic, a.changes(pair, statistic))
            for statistic in pair.differences
        },
        "randomization": {
            "p": float(test.p[0]),
            "p_holm": a.p(pair),
            "permutations": test.permutations,
            "exact": test.exact,
            a.unit[1]: by_part(a, p=test.p[1:], p_holm=test.p_holm, p_bh=test.p_bh)
            if a.enough
            else None,
        },
        "noninferiority_p": None if equal is None else equal.p_noninferior,
        "equivalence_p": None if equal is None else equal.p_equivalent,
        "detectable": a.detectable(pair),
        "paired_t": {"p": test.paired_t.p, "dz": test.paired_t.effect},
        "wilcoxon": {"p": test.wilcoxon.p, "rank_biserial": test.wilcoxon.effect},
    } | ({} if pair.mcnemar is None else {"mcnemar": _mcnemar_json(a, pair.mcnemar)})


def _mcnemar_json(a: Tested, found: McNemar) -> dict[str, dict[str, Any]]:
    return by_part(
        a,
        a_only=found.a_only,
        b_only=found.b_only,
        p=found.p,
        p_holm=found.p_holm,
        p_bh=found.p_bh,
        h=found.h,
    )


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


def by_part(a: Tested, **columns: NDArray[Any]) -> dict[str, dict[str, Any]]:
    """``{observation or type: {column: value}}`` of arrays ``[parts]``."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return {
        name: dict(zip(columns, row, strict=True)) for name, row in zip(a.parts, rows, strict=True)
    }


def _marks(a: Tested, statistic: str, marks: Marks) -> dict[str, Any]:
    """``{part: value and interval}``; the score over all parts is ``mean`` or ``pooled``."""
    names = ("pooled" if statistic.startswith("micro") else "mean", *a.parts)
    return {
        name: None if mark is None else mark.to_json()
        for name, mark in zip(names, marks, strict=True)
    }
