"""Flags and recipes of continued pre-training: ours and transformers' ``TrainingArguments``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from baselines.arguments import Kind, StartArguments
from baselines.arguments import Settings as AnySettings
from labelwright.errors import ConfigError
from labelwright.runtime.arguments import option

RECIPES = Path(__file__).parents[1] / "recipes" / "pretrain"
MLM, EMLM, EMLM_CL = OBJECTIVES = ("mlm", "emlm", "emlm-cl")
RATES = {MLM: 0.15, EMLM: 0.7, EMLM_CL: 0.7}
"""Share of the eligible tokens that is masked, where nothing is said: Devlin et al., MELM."""
REFUSE, DROP, USE = ON_TEST = ("refuse", "drop", "use")
TEACHERS = ("plain", "labeled")


@dataclass
class PretrainArguments(StartArguments):
    """The flags that transformers does not have."""

    objective: str = option(
        MLM,
        "mlm: any token is masked; emlm: the words of entities, between tokens that name "
        "their tags; emlm-cl: the same, and every masked token's vector is held to that of a "
        "frozen copy of the start.",
        OBJECTIVES,
    )
    data: str | None = option(
        None,
        "Folder that `labelwright build` wrote: its training reports are masked, its "
        "validation reports are the held-out ones. emlm needs its entities.",
    )
    texts: list[str] = option(list, "For mlm, also or instead: reports in files of any format.")
    input_format: str | None = option(None, "Format of the texts; by default found by itself.")
    text_column: list[str] = option(list, "Columns of the texts that are read.")
    patient_column: str | None = option(None, "Column of the texts that names the patient.")
    on_test: str = option(
        REFUSE,
        "Texts that are test notes of --data, or of their patients: refuse to train, drop "
        "them, or use them (scores on the test notes are then too good).",
        ON_TEST,
    )
    held_out: float = option(
        0.05, "Share of the texts' patients held out, where --data has no validation."
    )
    rate: float | None = option(
        None, "Share of the eligible tokens masked; 0.15 for mlm, else 0.7."
    )
    temperature: float = option(0.01, "With emlm-cl: temperature of the contrast.")
    teacher: str = option(
        "plain",
        "With emlm-cl: whether the frozen copy reads the text as it is or with its label tokens.",
        TEACHERS,
    )
    max_length: int = option(256, "Longest window in tokens; never more than the encoder's.")


Settings = AnySettings[PretrainArguments]


def rate_of(task: PretrainArguments) -> float:
    """The share of eligible tokens that is masked."""
    return RATES[task.objective] if task.rate is None else task.rate


def _check(settings: Settings) -> None:
    task = settings.task
    if not task.data and not task.texts:
        raise ConfigError(
            "no reports", remedy="give --data DIR, a folder of labelwright build, or --texts FILE"
        )
    if task.objective != MLM and task.texts:
        raise ConfigError(
            f"plain texts have no entities, which {task.objective} masks",
            remedy="remove --texts, add sure answers with labelwright pseudo-label, or use "
            "--objective mlm",
        )
    if task.objective != MLM and not task.data:
        raise ConfigError(f"{task.objective} needs entities", remedy="give --data DIR")
    if not 0 < rate_of(task) <= 1:
        raise ConfigError("rate is not a share", remedy="give more than 0, at most 1")
    if not 0 <= task.held_out < 1:
        raise ConfigError("held_out is not a share", remedy="give 0 or more, less than 1")
    if task.objective != EMLM_CL and (task.temperature, task.teacher) != (0.01, TEACHERS[0]):
        raise ConfigError(
            "temperature and teacher are for --objective emlm-cl", remedy="remove them"
        )
    if not 0 < task.temperature < float("inf"):
        raise ConfigError("temperature is no number above 0", remedy="give 0.01")
    if not task.texts and (task.input_format or task.text_column or task.patient_column):
        raise ConfigError(
            "input_format, text_column and patient_column are for --texts", remedy="remove them"
        )


PRETRAIN = Kind(
    command="labelwright pretrain",
    task=PretrainArguments,
    recipes=RECIPES,
    metrics=("loss",),
    defaults={
        "learning_rate": 5e-5,
        "per_device_train_batch_size": 32,
        "num_train_epochs": 20.0,
        "warmup_steps": 0.1,
        "metric_for_best_model": "loss",
    },
    usual="5e-5, 20 epochs, batch 32, warm-up over a tenth",
    check=_check,
    takes_texts=True,
)
