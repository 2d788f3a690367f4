"""Does a labeler serve all groups alike? Scores and gaps per sex, age band, scanner, hospital.

For each column and labeler: the score of every group, its gap (the group minus all other
reports) with BCa intervals over patients, and a permutation test of each gap and of the
largest gap between two groups.

**What a gap means.** A group can score lower because the labeler serves it worse, or because
its reports are harder or its findings rarer: F1 falls with prevalence even if sensitivity and
specificity stay. Prevalence therefore stands beside every score. The permutation test asks
whether group membership has anything to do with reports *and* labels; a small P value does not
say which of the two it is.

**Comparable means.** The mean over observations takes only those that have at least
:data:`MIN_CASES` cases in the gold of every group scored, the same ones for all groups;
an F1 of a finding that a group hardly has would otherwise pass for a gap.

**Resampling.** The bootstrap draws patients with all their reports. The permutation shuffles
group membership over blocks, a block being the reports of one patient in one group. Where
patients stand in several groups (age bands), the test is conservative: their reports resemble
each other across groups, which shuffled blocks do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.kinds.certainty.read import Comparison
from eval.kinds.certainty.scores import CLASSES, LEVELS, report_counts, statistics
from eval.read.aligned import read_column
from eval.stats.counts import Bools, Counts, Floats, cluster_counts
from eval.stats.estimates import Estimate, Interval
from eval.stats.paired import adjusted
from eval.stats.resampling import TIE, Sums, bootstrap_score
from labelwright.errors import ConfigError, InputError
from labelwright.records import Certainty
from labelwright.tasks.shapes import Statistic

NOT_STATED = "not stated"
UNKNOWN_WORDS = frozenset({"", "nan", "na", "n/a", "none", "null"})
MOST_GROUPS = 30


@dataclass(frozen=True)
class Grouping:
    """One column to group by; numbers are put in bands ``band`` wide where it is given."""

    column: str
    band: float | None = None

    @classmethod
    def parse(cls, text: str) -> Grouping:
        """``sex`` or ``age:band=10``.

        Raises:
            ConfigError: the band is no positive number, or the name is empty.
        """
        name, marked, width = text.partition(":band=")
        try:
            band = float(width) if marked else None
        except ValueError:
            band = 0.0
        if not name.strip() or (band is not None and not 0 < band < float("inf")):
            raise ConfigError(
                f"--subgroup {text!r} is neither COLUMN nor COLUMN:band=WIDTH",
                remedy="write for example sex or age:band=10",
            )
        return cls(name.strip(), band)


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of one column: ``member`` is the group number per report, ``[reports]``."""

    grouping: Grouping
    names: tuple[str, ...]
    member: NDArray[np.int64]


def load_groups(
    path: str | Path,
    groupings: Sequence[Grouping],
    ids: Sequence[str],
    *,
    id_columns: Sequence[str] = ("id",),
) -> list[Groups]:
    """Read the columns of a table or JSONL file and join them to the reports by id.

    Raises:
        InputError: file or column missing, no report has a value, a value of a banded column
            is not a number, or a column has more than :data:`MOST_GROUPS` values.
    """
    found = []
    for grouping in groupings:
        by_id = read_column(path, grouping.column, id_columns=id_columns)
        values = [by_id.get(identifier, "").strip() for identifier in ids]
        values = ["" if v.casefold() in UNKNOWN_WORDS else v for v in values]
        if not any(values):
            raise InputError(
                f"no scored report has a value of {grouping.column!r}",
                remedy="check the column and the ids of the metadata",
                source=path,
            )
        found.append(_groups(values, grouping, path))
    return found


def _groups(values: Sequence[str], grouping: Grouping, path: str | Path) -> Groups:
    if grouping.band is None:
        keys = [(0.0, v) if v else (1.0, NOT_STATED) for v in values]
    else:
        keys = [_band(v, grouping, path) if v else (np.inf, NOT_STATED) for v in values]
    order = sorted(set(keys))
    if len(order) > MOST_GROUPS:
        raise InputError(
            f"the column {grouping.column!r} makes {len(order)} groups",
            remedy=f"put numbers in bands ({grouping.column}:band=10), or group the values; at "
            f"most {MOST_GROUPS}",
            source=path,
        )
    place = {key: index for index, key in enumerate(order)}
    return Groups(grouping, tuple(name for _, name in order), np.array([place[k] for k in keys]))


def _band(value: str, grouping: Grouping, path: str | Path) -> tuple[float, str]:
    width = grouping.band or 1.0
    try:
        low = np.floor(float(value) / width) * width
    except ValueError:
        low = np.inf
    if not np.isfinite(low):
        raise InputError(
            f"a value of {grouping.column!r} is not a number, so it has no band",
            remedy="fix it, leave it empty where it is not known, or group without a band",
            source=path,
        )
    whole = width >= 1 and float(width).is_integer()
    last = f"{low + width - 1:g}" if whole else f"< {low + width:g}"
    return float(low), f"{low:g}" if width == 1 else f"{low:g}–{last}"


MIN_SIZE = 30
"""Patients (reports where patients are not known) that a group needs to be scored."""
MIN_CASES = 5
BLOCK_CELLS = 2**24


@dataclass(frozen=True, eq=False)
class Gaps:
    """One labeler's scores over the groups of a column that are large enough, ``[groups]``.

    Attributes:
        score: mean score over the common observations; ``gap``: group minus all other reports.
        each: score per group and observation, ``[groups, observations]``.
        p, p_holm: permutation P value of each gap, and adjusted over the groups.
        largest: the best group minus the worst; its interval takes these two as given.
        best, worst: their places among the groups scored.
        p_largest: its permutation P value, which accounts for having picked the largest.
    """

    score: Interval
    gap: Interval
    each: Floats
    p: Floats
    p_holm: Floats
    largest: Estimate
    best: int
    worst: int
    p_largest: float


@dataclass(frozen=True, eq=False)
class Audit:
    """One column.

    Attributes:
        reports, patients: per group of ``groups.names``, ``[all groups]``; ``patients`` counts
            reports where patients are not known.
        cases: gold reports per group, observation and certainty, ``[all groups, obs, 4]``.
        scored: places of the groups that are large enough.
        common: observations that enter the mean.
        gaps: per labeler; empty with fewer than two groups or no common observation.
        p_largest: per labeler ``p_largest`` adjusted over the columns (Holm).
    """

    groups: Groups
    reports: NDArray[np.int64]
    patients: NDArray[np.int64]
    cases: NDArray[np.int64]
    scored: tuple[int, ...]
    common: tuple[str, ...]
    gaps: Mapping[str, Gaps]
    p_largest: Mapping[str, float]


@dataclass(frozen=True)
class AuditSettings:
    """What the figures depend on besides the data; ``metric`` is one of ``statistics``."""

    metric: str
    min_size: int = MIN_SIZE
    resamples: int = 2_000
    permutations: int = 10_000
    level: float = 0.95
    seed: int = 13


def audit(
    comparison: Comparison, columns: Sequence[Groups], settings: AuditSettings
) -> list[Audit]:
    """Score every labeler in every group of every column."""
    audits = [_audit(comparison, groups, settings) for groups in columns]
    adjusted_by: dict[str, dict[int, float]] = {}
    for name in comparison.names:
        places = [i for i, a in enumerate(audits) if name in a.gaps]
        plain = np.array([audits[i].gaps[name].p_largest for i in places])
        holm = adjusted(plain, "holm") if places else plain
        adjusted_by[name] = dict(zip(places, holm.tolist(), strict=True))
    return [
        replace(a, p_largest={n: by[i] for n, by in adjusted_by.items() if i in by})
        for i, a in enumerate(audits)
    ]


def _audit(comparison: Comparison, groups: Groups, settings: AuditSettings) -> Audit:
    size = len(groups.names)
    clusters = comparison.cluster_index
    patients = np.array([len(np.unique(clusters[groups.member == g])) for g in range(size)])
    cases = np.zeros((size, len(comparison.observations), len(CLASSES)), dtype=np.int64)
    one_hot = comparison.gold[..., None] == np.arange(len(CLASSES))
    np.add.at(cases, groups.member, one_hot)
    scored = tuple(int(g) for g in np.flatnonzero(patients >= settings.min_size))
    common = _common(comparison, settings.metric, cases[list(scored)])
    kept = len(scored) > 1 and bool(common.any())
    return Audit(
        groups=groups,
        reports=np.bincount(groups.member, minlength=size),
        patients=patients,
        cases=cases,
        scored=scored,
        common=tuple(n for n, c in zip(comparison.observations, common, strict=True) if c),
        gaps={
            name: _Tester(comparison, name, groups.member, scored, common, settings).gaps()
            for name in (comparison.names if kept else ())
        },
        p_largest={},
    )


def _common(comparison: Comparison, metric: str, cases: NDArray[np.int64]) -> Bools:
    """Observations with enough cases in every group, for the certainties that the score is of."""
    family, _, part = metric.rpartition("_")
    if family == "chexbert":
        certainties: Sequence[str] = LEVELS[part]
    elif family == "macro_f1":
        certainties = [part] if part in set(Certainty) else LEVELS["all"]
    else:
        return np.ones(len(comparison.observations), dtype=bool)
    columns = [CLASSES.index(Certainty(c)) for c in certainties]
    enough: Bools = (cases[..., columns].sum(axis=-1) >= MIN_CASES).all(axis=0)
    return enough


class _Tester:
    """Resampling of one labeler over the scored groups of one column.

    Reports of groups that are too small count in no score and no gap.
    """

    def __init__(
        self,
        comparison: Comparison,
        labeler: str,
        member: NDArray[np.int64],
        scored: Sequence[int],
        common: Bools,
        settings: AuditSettings,
    ) -> None:
        kept = np.isin(member, scored)
        columns = np.flatnonzero(common)
        narrow = replace(
            comparison,
            observations=tuple(comparison.observations[i] for i in columns),
            gold=comparison.gold[:, columns],
            pred={labeler: comparison.pred[labeler][:, columns]},
        )
        # Observations that vanish from a resample leave its mean instead of counting as 0.
        self.statistic: Statistic = statistics(narrow, undefined="skip")[settings.metric]
        everything = statistics(comparison, undefined="skip")[settings.metric]
        counts = report_counts(comparison.gold, comparison.pred[labeler])[kept]
        group = np.searchsorted(scored, member[kept])
        self.size = len(scored)
        self.each = np.stack(
            [everything.of(counts[group == g].sum(axis=0))[1:] for g in range(self.size)]
        )
        self.counts = counts[:, columns]
        self.group = group
        self.clusters = np.unique(comparison.cluster_index[kept], return_inverse=True)[1]
        self.settings = settings

    def gaps(self) -> Gaps:
        """Scores, intervals and P values."""
        settings, size = self.settings, self.size
        wide = np.zeros((len(self.counts), size, *self.counts.shape[1:]), dtype=np.int32)
        wide[np.arange(len(wide)), self.group] = self.counts
        score = self._scores(wide.sum(axis=0, dtype=np.int64))[:size]
        best, worst = int(score.argmax()), int(score.argmin())

        def parts(by_group: Counts) -> Floats:
            found = self._scores(by_group)
            pair = found[..., best] - found[..., worst]
            return np.concatenate([found, pair[..., None]], axis=-1)

        drawn = bootstrap_score(
            cluster_counts(wide, self.clusters),
            parts,
            resamples=settings.resamples,
            level=settings.level,
            seed=settings.seed,
        )
        whole = Interval(drawn.estimate, drawn.low, drawn.high)
        score_of, gap_of = slice(0, size), slice(size, 2 * size)
        largest = replace(whole.mark(2 * size), value=float(score[best] - score[worst]))
        p = self._p_values(np.append(drawn.estimate[gap_of], largest.value))
        return Gaps(
            score=Interval(score, drawn.low[score_of], drawn.high[score_of]),
            gap=Interval(*(values[gap_of] for values in (drawn.estimate, drawn.low, drawn.high))),
            each=self.each,
            p=p[:size],
            p_holm=adjusted(p[:size], "holm"),
            largest=largest,
            best=best,
            worst=worst,
            p_largest=float(p[size]),
        )

    def _scores(self, by_group: Counts) -> Floats:
        """Scores, then gaps, ``[..., 2 * groups]`` of ``[..., groups, observations, 4, 5]``."""
        others = by_group.sum(axis=-4, keepdims=True) - by_group
        score = self.statistic.of(by_group)[..., 0]
        gap = score - self.statistic.of(others)[..., 0]
        return np.concatenate([score, gap], axis=-1)

    def _p_values(self, observed: Floats) -> Floats:
        """P values of the gaps and of the largest difference, from shuffled blocks."""
        blocks, place = np.unique(self.clusters * self.size + self.group, return_inverse=True)
        counts = cluster_counts(self.counts, place)
        group = blocks % self.size
        table = Sums(counts)
        total = counts.sum(axis=0)
        generator = np.random.default_rng(self.settings.seed)
        hits = np.zeros(len(observed), dtype=np.int64)
        rows = max(1, min(128, BLOCK_CELLS // (len(group) * self.size)))
        for start in range(0, self.settings.permutations, rows):
            here = min(rows, self.settings.permutations - start)
            shuffled = generator.permuted(np.tile(group, (here, 1)), axis=1)
            sums = [table.of(shuffled == g) for g in range(self.size - 1)]
            sums.append(total - np.sum(sums, axis=0))
            moved = self._scores(np.stack(sums, axis=1))
            spread = np.ptp(moved[:, : self.size], axis=1)
            moved = np.column_stack([moved[:, self.size :], spread])
            hits += (np.abs(moved) >= np.abs(observed) - TIE).sum(axis=0)
        result: Floats = (hits + 1) / (self.settings.permutations + 1)
        return result
