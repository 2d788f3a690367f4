"""Which tokens are hidden from the model, and behind what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baselines.pretrain.losses import IGNORED

Ids = NDArray[np.int32]
BERT = (0.8, 0.1)
"""Shares of the chosen tokens that become the mask, and another token; the others stay."""
ALL = (1.0, 0.0)
"""Every chosen token becomes the mask, as in MELM."""


class Masker:
    """Chooses tokens and replaces them.

    Args:
        mask: id of the mask.
        drawable: ids that may replace a token: no special ones.
        rate: probability with which each eligible token is chosen, by itself.
        shares: of the chosen, those that become the mask and those that become another token.
    """

    def __init__(
        self, mask: int, drawable: Ids, *, rate: float, shares: tuple[float, float]
    ) -> None:
        self._mask, self._drawable = mask, drawable
        self._rate, self._shares = rate, shares
        self._places = np.zeros(int(drawable.max(initial=0)) + 1, dtype=np.int64)
        self._places[drawable] = np.arange(len(drawable))

    def __call__(
        self, ids: Ids, eligible: NDArray[np.bool_], random: np.random.Generator
    ) -> tuple[Ids, Ids]:
        """What the model reads, and the targets: the old id where one was chosen, else ignored.

        Another token is drawn evenly from those that differ from the old one.

        Args:
            ids: token ids, ``[tokens]``.
            eligible: which of them may be chosen; special tokens are not.
        """
        chosen = eligible & (random.random(len(ids)) < self._rate)
        fate = random.random(len(ids))
        steps = random.integers(1, max(len(self._drawable), 2), len(ids))
        shown = ids.copy()
        shown[chosen & (fate < self._shares[0])] = self._mask
        swapped = chosen & (fate >= self._shares[0]) & (fate < sum(self._shares))
        swapped &= ids < len(self._places)
        where = (self._places[ids[swapped]] + steps[swapped]) % len(self._drawable)
        shown[swapped] = self._drawable[where]
        targets = np.where(chosen, ids, IGNORED).astype(np.int32)
        return shown, targets
