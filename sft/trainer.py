"""TRL's ``SFTTrainer`` without the parts that write or send what nobody asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
from transformers.utils import logging
from trl import SFTTrainer

TENSORBOARD = "TENSORBOARD_LOGGING_DIR"


class QuietTrainer(SFTTrainer):
    """Trains as ``SFTTrainer`` does; sends no telemetry and writes no model card of its own."""

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """The card is written once, at the end, by :mod:`sft.save`."""


@contextmanager
def quiet(output: Path) -> Iterator[None]:
    """One progress bar, that of the training; metrics for TensorBoard stay in ``output``."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()
    wanted = os.environ.get(TENSORBOARD)
    os.environ[TENSORBOARD] = wanted or str(output / "tensorboard")
    try:
        yield
    finally:
        if wanted is None:
            del os.environ[TENSORBOARD]
