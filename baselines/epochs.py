"""Random draws that depend on seed, epoch and row alone.

What is drawn for a row is then the same whichever process loads it, in whatever order, and a run
that goes on from a checkpoint draws what it would have drawn without the stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from transformers import TrainerCallback


class Draws:
    """The generators of one data set.

    Attributes:
        epoch: the epoch that is being trained; ``None`` draws the same every time.
    """

    def __init__(self, seed: int, *, epoch: int | None = 0) -> None:
        self._seed = seed
        self.epoch = epoch

    def of(self, row: int) -> np.random.Generator:
        """The generator for a row in this epoch."""
        epoch = 0 if self.epoch is None else self.epoch + 1
        return np.random.default_rng([self._seed, epoch, row])


def follow(draws: Draws) -> TrainerCallback:
    """A callback of the trainer that tells the epoch."""
    from transformers import TrainerCallback

    class Follower(TrainerCallback):
        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            del args, control
            draws.epoch = int(state.epoch or 0)

    return Follower()
