"""Non-inferiority, equivalence and detectable effects, from a bootstrap of the difference.

The margin is given before the data are seen: the largest loss of the score that would still
be accepted. It is never chosen here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from eval.stats.resampling import Bootstrap
from labelwright.errors import ConfigError


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests (Schuirmann 1987) of one difference ``a - b`` against ± ``margin``.

    ``p_noninferior`` tests that a is worse by the margin or more; ``p_equivalent`` is the
    larger of both one-sided values. ``low`` and ``high`` bound the ``1 - 2 alpha`` interval
    that gives the same verdicts.
    """

    difference: float
    margin: float
    alpha: float
    low: float
    high: float
    p_noninferior: float
    p_equivalent: float
    noninferior: bool
    equivalent: bool
    method: str


def equivalence(
    bootstrap: Bootstrap, *, margin: float, part: int = 0, alpha: float = 0.05
) -> Equivalence:
    """Test one part of a bootstrapped difference for non-inferiority and equivalence.

    P values invert the BCa interval: each is the ``alpha`` at which its bound meets the margin.
    Where no resample moves the difference (two labelers with the same answers), the bootstrap
    sees no doubt at all; then the limits are those of a share that was 0 in that many clusters
    (Clopper & Pearson 1934), so that a few equal reports prove nothing.

    Raises:
        ConfigError: the margin is not positive.
    """
    if not margin > 0:
        raise ConfigError(
            f"margin {margin} is not positive", remedy="give the largest acceptable loss of F1"
        )
    lows, highs = bootstrap.interval(1 - 2 * alpha)
    doubt = _unseen(bootstrap, part, alpha)
    low, high = float(lows[part]) - doubt, float(highs[part]) + doubt
    below = _share_below(bootstrap, part, -margin)
    above = _share_above(bootstrap, part, margin)
    return Equivalence(
        difference=float(bootstrap.estimate[part]),
        margin=margin,
        alpha=alpha,
        low=low,
        high=high,
        p_noninferior=below,
        p_equivalent=max(below, above),
        noninferior=low > -margin,
        equivalent=low > -margin and high < margin,
        method=f"two one-sided tests by the {1 - 2 * alpha:.0%} BCa interval, margin {margin:g}",
    )


def detectable_effect(
    bootstrap: Bootstrap, *, part: int = 0, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest true difference that a two-sided test on these reports finds with ``power``.

    ``(z(1 - alpha/2) + z(power)) × standard error`` of the bootstrapped difference. It speaks
    of a study of this size, not of the difference seen.
    """
    z = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)
    return float(z * bootstrap.standard_error[part])


def _share_below(bootstrap: Bootstrap, part: int, value: float) -> float:
    """BCa-corrected probability that the true difference lies below ``value``."""
    draws = bootstrap.draws[:, part]
    if bootstrap.flat[part]:
        return _unseen_p(bootstrap, float(bootstrap.estimate[part]) - value)
    # A share of 0 or 1 of finitely many draws is no certainty: at most one draw in B + 1.
    edge = 1 / (len(draws) + 1)
    share = np.clip(np.mean(draws <= value), edge, 1 - edge)
    bias, acceleration = bootstrap.bias[part], bootstrap.acceleration[part]
    shifted = stats.norm.ppf(share) - bias
    z = shifted / (1 + acceleration * shifted) - bias
    return float(stats.norm.cdf(z))


def _share_above(bootstrap: Bootstrap, part: int, value: float) -> float:
    if bootstrap.flat[part]:
        return _unseen_p(bootstrap, value - float(bootstrap.estimate[part]))
    return 1 - _share_below(bootstrap, part, value)


def _unseen(bootstrap: Bootstrap, part: int, alpha: float) -> float:
    """The largest share of clusters that may differ although none of these does."""
    return float(1 - alpha ** (1 / bootstrap.clusters)) if bootstrap.flat[part] else 0.0


def _unseen_p(bootstrap: Bootstrap, distance: float) -> float:
    """Probability that no cluster of these differs if a share of ``distance`` of all does."""
    return float((1 - np.clip(distance, 0.0, 1.0)) ** bootstrap.clusters)
