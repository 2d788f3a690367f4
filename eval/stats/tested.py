"""One comparison scored and tested, whatever the task: what verdict, figures and tables read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from eval.read.aligned import Aligned
from eval.stats.counts import Bools
from eval.stats.equivalence import Equivalence
from eval.stats.estimates import Estimate, Interval
from eval.stats.multiple import Several
from eval.stats.significance import Difference, Pair, Significance
from labelwright.version import __version__

FEW_CLUSTERS = 30
"""Below this the bootstrap's intervals are too narrow to be taken at their word."""


Marks = tuple[Estimate | None, ...]
"""The mean over parts, or the pooled score, then one value per part; ``None``: not defined."""


@dataclass(frozen=True, eq=False)
class Tested(ABC):
    """All numbers of one comparison; the reference is the first labeler.

    Attributes:
        metric: name of the score that the verdict is about.
        tests: intervals and tests; a pair's differences are its first labeler minus its second.
        unit: what the parts of a score are, in the singular and in the plural.
    """

    comparison: Aligned
    metric: str
    tests: Significance

    unit: ClassVar[tuple[str, str]]

    @property
    @abstractmethod
    def parts(self) -> tuple[str, ...]:
        """The observations or types."""

    @property
    @abstractmethod
    def short(self) -> str:
        """The metric per part in two or three words."""

    @property
    @abstractmethod
    def definition(self) -> str:
        """What the metric is, without a full stop."""

    @property
    @abstractmethod
    def headline(self) -> str:
        """The metric over all parts in a few words."""

    @property
    def whole(self) -> str:
        """What the score over all parts is called in tables."""
        return "Mean"

    @property
    @abstractmethod
    def measurable(self) -> bool:
        """Whether the gold has a case that the metric is about.

        Without one the metric follows the rule for undefined scores, and equal values of two
        labelers say nothing about them.
        """

    @property
    def unscored(self) -> tuple[str, ...]:
        """What is asked and nowhere in the gold, so that no score speaks of it."""
        return ()

    @abstractmethod
    def hidden(self, labeler: str, statistic: str) -> Bools:
        """Parts where the statistic follows the rule for undefined scores, not the data."""

    @property
    def reference(self) -> str:
        """The labeler that the others are compared with."""
        return self.comparison.names[0]

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The reference against each other labeler."""
        return tuple(pair for pair in self.tests.pairs if pair.a == self.reference)

    @property
    def several(self) -> Several | None:
        """Tests of three and more labelers; ``None`` with fewer, or a single part."""
        return None if len(self.parts) < 2 else self.tests.several.get(self.metric)

    @property
    def enough(self) -> bool:
        """Whether there are two clusters, without which no interval or test has a meaning."""
        return self.tests.clusters > 1

    def marks(self, labeler: str, statistic: str) -> Marks:
        """A labeler's scores with their intervals."""
        hidden = self.hidden(labeler, statistic)
        return self._marks(self.tests.intervals[labeler][statistic], hidden)

    def changes(self, pair: Pair, statistic: str) -> Marks:
        """Differences of a pair; ``None`` where the score is defined for neither of them."""
        hidden = [self.hidden(name, statistic) for name in (pair.a, pair.b)]
        return self._marks(pair.differences[statistic].interval, hidden[0] & hidden[1])

    def mean(self, labeler: str) -> Estimate:
        """A labeler's metric over all parts."""
        return self.marks(labeler, self.metric)[0] or Estimate(0.0)

    def change(self, pair: Pair) -> Estimate:
        """The difference of a pair's metric over all parts."""
        return self.changes(pair, self.metric)[0] or Estimate(0.0)

    def test(self, pair: Pair) -> Difference:
        """The tests of a pair's metric."""
        return pair.differences[self.metric]

    def equivalence(self, pair: Pair) -> Equivalence | None:
        """The tests against the margin; ``None`` where the data cannot bear them."""
        bears = self.measurable and self.tests.clusters >= FEW_CLUSTERS
        return self.test(pair).equivalence if bears else None

    def detectable(self, pair: Pair) -> float | None:
        """The smallest true difference found with 80 % power; ``None`` where nothing varies."""
        return (self.test(pair).detectable or None) if self.enough else None

    def p(self, pair: Pair) -> float:
        """P value of the metric's mean, Holm-adjusted over all pairs of labelers."""
        return self.tests.holm_over_pairs[self.metric][self.tests.pairs.index(pair)]

    def signature(
        self, metric: str | None = None, *, intervals: bool = True, tests: bool = False
    ) -> str:
        """One line that names every choice behind a score, to be quoted beside it."""
        c, s = self.comparison, self.tests.settings
        parts = [
            f"score:{metric or self.metric}",
            f"set:{c.label_set.name}/{c.label_set.version}",
            f"{self.unit[1]}:{len(self.parts)}",
            f"n:{len(c.ids)}",
            f"{'patients' if self.tests.clustered else 'reports'}:{self.tests.clusters}",
            f"undefined:{s.undefined}",
            f"missing:{c.missing}",
        ]
        if intervals:
            parts += [f"interval:bca{s.level * 100:g}", f"resamples:{s.resamples}"]
        if tests:
            parts.append(f"permutations:{s.permutations}")
        if intervals or tests:
            parts.append(f"seed:{s.seed}")
        return "|".join([*parts, f"labelwright:{__version__}"])

    def _marks(self, interval: Interval, hidden: Bools) -> Marks:
        gone = [False, *hidden]
        return tuple(
            None if gone[part] else interval.mark(part, shown=self.enough)
            for part in range(len(interval.estimate))
        )
