"""What a training shows: a bar on a terminal, and in any case its numbers as plain lines."""

from __future__ import annotations

import logging
import sys
from typing import Any

from transformers.trainer_callback import PrinterCallback, ProgressCallback, TrainerCallback

log = logging.getLogger(__name__)

SHOWN = ("loss", "train_loss", "eval_loss", "mean_token_accuracy", "branch_accuracy")
"""Logged values that are shown, besides scores of evaluations; the manifest has all."""
_LEFT_OUT = ("runtime", "per_second", "num_tokens", "entropy", "epoch", "accuracy_tokens")


def show_lines(trainer: Any) -> None:
    """Let a trainer write lines instead of Python's dictionaries; without a terminal no bar."""
    for shown in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(shown)
    if sys.stderr.isatty():
        trainer.add_callback(_Bar)
    trainer.add_callback(_Lines)


class _Bar(ProgressCallback):
    """The bar alone."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """The numbers have a line of their own."""


class _Lines(TrainerCallback):
    """A line for what is logged, from the first process."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """``step 40 of 120: loss 0.5123``."""
        del args, control, kwargs
        logs = dict(logs or {})
        if any("loss" in each for each in state.log_history):
            logs.pop("train_loss", None)  # the mean, for a training that was too short to log
        if state.is_world_process_zero and (words := line(logs)):
            log.info("step %d of %d: %s", state.global_step, state.max_steps, words)


def line(logs: dict[str, Any]) -> str:
    """The values of a log that are worth a look, in words; empty if there is none.

    >>> line({"loss": 0.51234, "grad_norm": 1.5, "epoch": 2.0})
    'loss 0.5123'
    """
    scores = [
        name
        for name in logs
        if name.startswith("eval_") and not any(part in name for part in _LEFT_OUT)
    ]
    names = dict.fromkeys([*(name for name in SHOWN if name in logs), *scores])
    known = {name: logs[name] for name in names if isinstance(logs[name], int | float)}
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in known.items())
