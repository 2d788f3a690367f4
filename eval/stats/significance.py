"""Which differences between labelers are real: all tests of one comparison, put together.

The primary test is the paired randomization over reports (whole patients where known) with
the BCa interval of the difference. The tests over observations stand beside it because papers
print them, with their caveat (:func:`eval.stats.paired.over_labels_caveat`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from eval.read.aligned import Aligned
from eval.stats.counts import Counts, Floats, Undefined, cluster_counts
from eval.stats.equivalence import Equivalence, detectable_effect, equivalence
from eval.stats.estimates import Interval
from eval.stats.multiple import Several, several
from eval.stats.paired import McNemar, PairedTest, adjusted, paired_t, wilcoxon
from eval.stats.resampling import (
    Bootstrap,
    Randomization,
    bootstraps,
    randomization,
)
from labelwright.errors import ConfigError
from labelwright.tasks.shapes import Statistic

if TYPE_CHECKING:
    from labelwright.label_set import LabelSet

MIN_RESAMPLES = 100


@dataclass(frozen=True)
class CompareSettings:
    """What the results depend on besides the data; the defaults are those of the command.

    ``statistics`` are the scores that are tested; an analysis chooses them by itself.

    ``margin`` is the largest acceptable loss of the score, fixed before the data are seen;
    without one there is no test of non-inferiority or equivalence. ``level`` is that of the
    intervals; tests use ``alpha = 1 - level``.
    """

    statistics: tuple[str, ...] = ()
    undefined: Undefined = "zero"
    permutations: int = 10_000
    resamples: int = 2_000
    level: float = 0.95
    power: float = 0.8
    margin: float | None = None
    seed: int = 13

    @property
    def alpha(self) -> float:
        """Error rate of the tests."""
        return round(1 - self.level, 10)


@dataclass(frozen=True, eq=False)
class Difference:
    """One statistic of labeler a minus labeler b.

    The mean (or pooled) score comes first, then each observation or type. ``p`` is the
    randomization P value per part; ``p_holm`` and ``p_bh`` adjust those of the observations,
    ``[observations]``. ``paired_t`` and ``wilcoxon`` are over observations.
    """

    statistic: str
    interval: Interval
    p: Floats
    p_holm: Floats
    p_bh: Floats
    permutations: int
    exact: bool
    method: str
    detectable: float
    equivalence: Equivalence | None
    paired_t: PairedTest
    wilcoxon: PairedTest


@dataclass(frozen=True, eq=False)
class Pair:
    """All tests of labeler a against labeler b; differences are a minus b, by statistic.

    ``mcnemar`` is ``None`` where reports have no single right answer per part.
    """

    a: str
    b: str
    differences: Mapping[str, Difference]
    mcnemar: McNemar | None


@dataclass(frozen=True, eq=False)
class Significance:
    """Everything tested in one comparison.

    Attributes:
        intervals: ``{labeler: {statistic: Interval}}``.
        pairs: every pair, or the reference (as a) against every other labeler.
        holm_over_pairs: per statistic, the P values of ``parts[0]`` adjusted over the pairs.
        several: by statistic; empty with fewer than three labelers.
        clusters: resampled units; ``clustered``: they are patients, not single reports.
    """

    settings: CompareSettings
    intervals: Mapping[str, Mapping[str, Interval]]
    pairs: tuple[Pair, ...]
    holm_over_pairs: Mapping[str, tuple[float, ...]]
    several: Mapping[str, Several]
    clusters: int
    clustered: bool


@dataclass(frozen=True, eq=False)
class Counted:
    """What a kind has counted of a comparison, and what follows from it.

    Attributes:
        made: the kind's numbers, once the tests are there.
        counts: per labeler and report, ``[reports, ...]``.
        known: the statistics of summed counts, by name.
        shown: those that the page shows besides the metric of the verdict.
        right: McNemar's test of two labelers, where there is one.
    """

    made: Callable[[Significance], Any]
    counts: Mapping[str, Counts]
    known: Mapping[str, Statistic]
    shown: Iterable[str]
    right: Callable[[str, str], McNemar] | None = None


class Counting(Protocol):
    """What is asked of a kind's view here."""

    def metrics(self, label_set: LabelSet) -> Sequence[str]:
        """What a verdict can be about."""

    def counted(self, comparison: Any, settings: CompareSettings, metric: str) -> Counted:
        """The counts of every labeler."""


def analysed(
    view: Counting,
    comparison: Any,
    settings: CompareSettings,
    *,
    metric: str,
    reference: str | None = None,
    all_pairs: bool = True,
) -> Any:
    """Count the answers of every labeler, score them, and test all pairs.

    Args:
        comparison: what the view has loaded.
        settings: their statistics are replaced by those of the kind.
        reference: stands in front; by default the first labeler.
        all_pairs: test all pairs, or only the reference against each other labeler.

    Returns:
        The kind's :class:`eval.stats.tested.Tested`.

    Raises:
        ConfigError: reference or metric is unknown or cannot be computed from these files,
            the margin is not between 0 and 1, or there are too few resamples.
    """
    check_settings(settings, metric, view.metrics(comparison.label_set))
    first = checked_reference(comparison, reference)
    ordered = comparison.first(first)
    found = view.counted(ordered, settings, metric)
    tests = compare_counts(
        {n: cluster_counts(c, ordered.cluster_index) for n, c in found.counts.items()},
        found.known,
        settings=replace(settings, statistics=tuple(dict.fromkeys((metric, *found.shown)))),
        clustered=ordered.clusters is not None,
        reference=None if all_pairs else first,
        at_once=(metric,),
        right=found.right,
    )
    return found.made(tests)


def check_settings(settings: CompareSettings, metric: str, metrics: Sequence[str]) -> None:
    """Refuse an unknown metric, or a margin that is not a share.

    Raises:
        ConfigError: either of them.
    """
    if metric not in metrics:
        raise ConfigError(f"unknown metric {metric!r}", remedy=f"use one of: {', '.join(metrics)}")
    if settings.margin is not None and not 0 < settings.margin < 1:
        raise ConfigError(
            f"margin {settings.margin:g} is not between 0 and 1",
            remedy="give the largest loss of the score that is still acceptable, such as 0.02",
        )


def checked_reference(comparison: Aligned, reference: str | None) -> str:
    """The labeler to be compared with the others, the first where none is named.

    Raises:
        ConfigError: it is no labeler, or no report is left to score.
    """
    if not comparison.ids:
        raise ConfigError(
            "no report is left to score", remedy="check the ids, or keep --missing error"
        )
    first = comparison.names[0] if reference is None else reference
    if first not in comparison.names:
        raise ConfigError(
            f"--reference {first!r} is not one of the labelers",
            remedy=f"use one of: {', '.join(comparison.names)}",
        )
    return first


def compare_counts(
    counts: Mapping[str, Counts],
    known: Mapping[str, Statistic],
    *,
    settings: CompareSettings,
    clustered: bool,
    reference: str | None = None,
    right: Callable[[str, str], McNemar] | None = None,
    at_once: Collection[str] | None = None,
) -> Significance:
    """Intervals of every labeler and all tests of all pairs.

    Args:
        counts: by labeler, per cluster, ``[clusters, ...]``.
        known: statistics of summed counts by name; those of the settings are used.
        clustered: whether the clusters are patients.
        reference: test this one against every other labeler, and no other pair.
        right: McNemar's test of two labelers, where there is one.
        at_once: statistics that three and more labelers are tested by at once; all by default.

    Raises:
        ConfigError: an unknown statistic or reference, or too few resamples.
    """
    used = _chosen(known, settings)
    names = list(counts)
    if reference is None:
        couples = list(combinations(names, 2))
    elif reference in counts:
        couples = [(reference, name) for name in names if name != reference]
    else:
        raise ConfigError(f"no labeler {reference!r}", remedy=f"use one of: {', '.join(names)}")
    joined = _Joined(used)
    drawn = bootstraps(
        counts,
        couples,
        joined.score,
        resamples=settings.resamples,
        level=settings.level,
        seed=settings.seed,
    )
    pairs = tuple(
        Pair(
            a,
            b,
            _differences(counts[a], counts[b], drawn.paired[a, b], joined, settings),
            None if right is None else right(a, b),
        )
        for a, b in couples
    )
    return Significance(
        settings=settings,
        intervals={name: _intervals(single, joined) for name, single in drawn.single.items()},
        pairs=pairs,
        holm_over_pairs={
            s.name: tuple(
                adjusted(np.array([p.differences[s.name].p[0] for p in pairs]), "holm").tolist()
            )
            for s in used
        },
        several=_several(counts, joined, settings, at_once) if len(counts) > 2 else {},
        clusters=len(next(iter(counts.values()))),
        clustered=clustered,
    )


class _Joined:
    """Several statistics as one score function, so that one set of resamples serves all."""

    def __init__(self, used: Sequence[Statistic]) -> None:
        self.used = used
        ends = np.cumsum([len(s.parts) for s in used]).tolist()
        self.places = {
            s.name: slice(end - len(s.parts), end) for s, end in zip(used, ends, strict=True)
        }

    def score(self, counts: Counts) -> Floats:
        return np.concatenate([s.of(counts) for s in self.used], axis=-1)

    def over_observations(self, counts: Counts) -> dict[str, Floats]:
        """Per statistic the scores of the observations that it counts."""
        total = counts.sum(axis=0)
        return {s.name: s.of(total)[1:][s.counted] for s in self.used}


def _chosen(known: Mapping[str, Statistic], settings: CompareSettings) -> list[Statistic]:
    unknown = [name for name in settings.statistics if name not in known]
    if unknown or not settings.statistics:
        raise ConfigError(
            f"no statistic {', '.join(unknown) or 'chosen'}",
            remedy=f"use some of: {', '.join(known)}",
        )
    if min(settings.permutations, settings.resamples) < MIN_RESAMPLES:
        raise ConfigError(
            "too few permutations or resamples",
            remedy=f"use at least {MIN_RESAMPLES}; 10,000 and 2,000 for a paper",
        )
    return [known[name] for name in settings.statistics]


def _intervals(drawn: Bootstrap, joined: _Joined) -> dict[str, Interval]:
    return {s.name: _interval(drawn.take(joined.places[s.name])) for s in joined.used}


def _interval(drawn: Bootstrap) -> Interval:
    return Interval(drawn.estimate, drawn.low, drawn.high)


def _differences(
    counts_a: Counts,
    counts_b: Counts,
    drawn: Bootstrap,
    joined: _Joined,
    settings: CompareSettings,
) -> dict[str, Difference]:
    test = randomization(
        counts_a,
        counts_b,
        joined.score,
        permutations=settings.permutations,
        seed=settings.seed,
    )
    scores_a, scores_b = (joined.over_observations(c) for c in (counts_a, counts_b))
    differences = {}
    for statistic in joined.used:
        place, name = joined.places[statistic.name], statistic.name
        over_labels = (
            paired_t(scores_a[name], scores_b[name]),
            wilcoxon(scores_a[name], scores_b[name]),
        )
        differences[name] = _difference(
            statistic, test.take(place), drawn.take(place), over_labels, settings
        )
    return differences


def _difference(
    statistic: Statistic,
    test: Randomization,
    drawn: Bootstrap,
    over_labels: tuple[PairedTest, PairedTest],
    settings: CompareSettings,
) -> Difference:
    margin, alpha = settings.margin, settings.alpha
    return Difference(
        statistic=statistic.name,
        interval=_interval(drawn),
        p=test.p,
        p_holm=adjusted(test.p[1:], "holm"),
        p_bh=adjusted(test.p[1:], "bh"),
        permutations=test.permutations,
        exact=test.exact,
        method=test.method,
        detectable=detectable_effect(drawn, alpha=alpha, power=settings.power),
        equivalence=None if margin is None else equivalence(drawn, margin=margin, alpha=alpha),
        paired_t=over_labels[0],
        wilcoxon=over_labels[1],
    )


def _several(
    counts: Mapping[str, Counts],
    joined: _Joined,
    settings: CompareSettings,
    at_once: Collection[str] | None,
) -> dict[str, Several]:
    by_labeler = {name: joined.over_observations(table) for name, table in counts.items()}
    return {
        s.name: several(
            s.name, {n: each[s.name] for n, each in by_labeler.items()}, alpha=settings.alpha
        )
        for s in joined.used
        if at_once is None or s.name in at_once
    }
