"""A value with its interval, and arrays of them."""

from __future__ import annotations

from dataclasses import dataclass

from eval.stats.counts import Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval; ``None`` bounds where there is none."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def known(self) -> bool:
        """Whether it has an interval."""
        return self.low is not None and self.high is not None

    @property
    def side(self) -> int:
        """1 or -1 where the interval lies wholly above or below 0, else 0."""
        if self.low is None or self.high is None:
            return 0
        return 1 if self.low > 0 else -1 if self.high < 0 else 0

    def to_json(self) -> dict[str, float | None]:
        """``{"value", "low", "high"}``."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, eq=False)
class Interval:
    """Values with their intervals, ``[parts]`` each."""

    estimate: Floats
    low: Floats
    high: Floats

    def mark(self, part: int = 0, *, shown: bool = True) -> Estimate:
        """One part, with its interval or without."""
        value = float(self.estimate[part])
        if not shown:
            return Estimate(value)
        return Estimate(value, float(self.low[part]), float(self.high[part]))
