"""Flags and recipes of encoder training: ours and transformers' ``TrainingArguments``.

Without a recipe, the published one of CheXbert applies (Smit et al. 2020,
doi:10.18653/v1/2020.emnlp-main.117, and the authors' code): Adam at a constant 2e-5, batch 18,
8 epochs, 512 tokens, dropout 0.1 before the heads, cross-entropy summed over the heads, gradients
not clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from baselines import arguments
from baselines.arguments import HeadArguments, Kind
from baselines.arguments import Settings as AnySettings
from labelwright.runtime.arguments import option

RECIPES = Path(__file__).parents[1] / "recipes"
METRICS = ("macro_f1", "accuracy", "exact_match", "loss")


@dataclass
class EncoderArguments(HeadArguments):
    """The flags that transformers does not have."""

    on_long: str = option(
        "cut",
        "What to do with a report longer than that: cut its end (as published), drop it, or "
        "stop. The first two are counted.",
        ("cut", "drop", "error"),
    )


Settings = AnySettings[EncoderArguments]

ENCODER = Kind(
    command="labelwright train-encoder",
    task=EncoderArguments,
    recipes=RECIPES,
    metrics=METRICS,
    defaults={
        "learning_rate": 2e-5,
        "per_device_train_batch_size": 18,
        "num_train_epochs": 8.0,
        "weight_decay": 0.0,
        "lr_scheduler_type": "constant",
        "max_grad_norm": 0.0,
        "metric_for_best_model": METRICS[0],
    },
    usual="Adam 2e-5, batch 18, 8 epochs, as published for CheXbert",
    check=lambda _: None,
)


def parse(argv: Sequence[str]) -> Settings:
    """Read flags and the recipe named by ``--config``.

    Raises:
        ConfigError: a flag, a recipe key or a value that cannot work.
    """
    return arguments.parse(ENCODER, argv)
