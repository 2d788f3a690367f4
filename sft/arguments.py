"""Flags and recipes of training: ours, TRL's ``SFTConfig`` and ``ModelConfig``, checked as one."""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import ConfigError, LabelwrightError, MissingExtraError
from labelwright.label_set import LabelSet
from labelwright.runtime.arguments import (
    CommonArguments,
    TrainingFlags,
    check_decided,
    check_output,
    option,
)
from labelwright.runtime.training import on_cpu
from labelwright.tasks import kind_of

if TYPE_CHECKING:
    from trl import ModelConfig, SFTConfig

RECIPES = Path(__file__).parent / "recipes"


@dataclass
class TrainArguments(CommonArguments):
    """The flags that TRL does not have."""

    scratch: str | None = option(
        None,
        "Start from a small model with random weights instead of --model_name_or_path.",
        ("tiny", "compact", "small"),
    )
    layout: str | None = option(
        None,
        "What the model learns to answer: line, the whole answer (free and constrained "
        "decoding); branches, each observation by itself (one-pass decoding); both, in one "
        "row that reads the report once. Not given: both, for entities line.",
        ("line", "branches", "both"),
    )
    unit: str | None = option(
        None,
        "What labeling shall read at once, recorded in the model: a whole report, or sentence "
        "by sentence or clause by clause with merged answers, which suits small models that "
        "saw short records (build --brief). Not given: as the model it starts from, else "
        "report.",
        ("report", "sentence", "clause"),
    )
    on_long: str = option(
        "error",
        "What to do with a record longer than the context or --max_length: stop, drop it, or "
        "cut its report at the end (never its answer). Both are counted.",
        ("error", "drop", "cut"),
    )
    new_label_set: bool = option(
        False, "Allow to go on from a model that was trained on another label set."
    )
    freeze_embeddings: bool = option(
        False,
        "Leave the embeddings of a pretrained model as they are, so that words which the "
        "records never show keep their meaning beside those which they do.",
    )
    muon: bool = option(
        False,
        "Train the matrices inside the layers with Muon, the rest with AdamW, at the same "
        "learning rate: a small model learns as much from fewer records.",
    )
    merge: bool = option(False, "Also save adapter and base as one model, in OUTPUT_DIR/merged.")


@dataclass(frozen=True)
class Settings:
    """Everything that one run was asked to do."""

    task: TrainArguments
    training: SFTConfig
    model: ModelConfig
    recipe: str | None


Reason = tuple[Any, str]
DECIDED: dict[str, Reason] = {
    "assistant_only_loss": (False, "the loss is always on the answer only"),
    "completion_only_loss": (None, "the loss is always on the answer only"),
    "dataset_kwargs": (None, "records are tokenised here"),
    "dataset_text_field": ("text", "records are tokenised here"),
    "eos_token": (None, "the chat template decides which token ends a turn"),
    "model_init_kwargs": (None, "use the model flags"),
    "pad_token": (None, "the tokenizer decides it"),
    "trust_remote_code": (False, "code from model folders is never run"),
    "truncation_mode": ("keep_start", "use --on-long"),
}
"""Settings that would be without effect or unsafe here: their only value, and why."""

REPORTERS = ("tensorboard", "wandb", "trackio")
"""Where metrics can go; ``none`` is an empty list by the time it is checked."""

OLD_NAME = re.compile(r"^--(no[_-])?gradient[_-]checkpointing")


def parse(argv: Sequence[str]) -> Settings:
    """Read flags and the recipe named by ``--config``.

    Raises:
        ConfigError: a flag, a recipe key or a value that cannot work.
    """
    (task, sft, model), recipe = FLAGS.read(argv)
    _fit_to_task(task)
    settings = Settings(task, sft, model, None if recipe is None else str(recipe))
    _check(settings)
    return settings


def _libraries() -> Sequence[type]:
    from trl import ModelConfig, SFTConfig

    return [SFTConfig, ModelConfig]


def _asks_for_cpu(flags: Sequence[str]) -> bool:
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--use_cpu", "--use-cpu", nargs="?", const="true", default="")
    return finder.parse_known_args(flags)[0].use_cpu.lower() in {"true", "t", "yes", "y", "1"}


def _defaults(flags: Sequence[str]) -> dict[str, Any]:
    """Defaults where ours differ from TRL's, so that one recipe fits every device.

    Raises:
        ConfigError: a flag has the name that another library gives it.
    """
    for flag in flags:
        if OLD_NAME.match(flag):
            raise ConfigError(
                f"{flag.split('=')[0]} has another name now",
                remedy="write activation_checkpointing",
            )
    cpu = on_cpu() or _asks_for_cpu(flags)
    import torch

    return {
        "use_cpu": cpu,
        "bf16": not cpu and torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        "activation_checkpointing": False,
        "ddp_find_unused_parameters": False,
        "dataloader_pin_memory": not cpu,
        "report_to": ["tensorboard"],
        "save_total_limit": 2,
        "max_length": None,
    }


FLAGS = TrainingFlags(
    command="labelwright train",
    task=TrainArguments,
    recipes=RECIPES,
    libraries=_libraries,
    defaults=_defaults,
    also="""\
  --model_name_or_path MODEL  local model folder, or a name on the hub
  --max_length N              longest record in tokens (default: the model's context)
  --use_peft                  train a LoRA adapter; with --load_in_4bit QLoRA
  --learning_rate, --num_train_epochs, --per_device_train_batch_size,
  --gradient_accumulation_steps, --packing, --eval_strategy, --save_steps, --seed, …
                              every setting of TRL's SFTConfig and ModelConfig
  --report_to tensorboard|none|wandb|trackio
                              where metrics go (default: TensorBoard files in OUTPUT_DIR)
""",
)


def _check(settings: Settings) -> None:
    task, sft, model = settings.task, settings.training, settings.model
    if sft.completion_only_loss is True:
        sft.completion_only_loss = None
    check_decided(sft, DECIDED)
    if not task.data:
        raise ConfigError("no records", remedy="give --data DIR, a folder of labelwright build")
    check_output(sft.output_dir)
    if (task.scratch is None) == (model.model_name_or_path is None):
        raise ConfigError(
            "exactly one start is needed",
            remedy="give either --model_name_or_path FOLDER|NAME or --scratch tiny|compact|small",
        )
    quantised = model.load_in_4bit or model.load_in_8bit
    if quantised and not model.use_peft:
        raise ConfigError("a quantised model cannot be trained as a whole", remedy="add --use_peft")
    if quantised and task.scratch:
        raise ConfigError("a model from scratch cannot be quantised", remedy="remove --load_in_…")
    if task.merge and not model.use_peft:
        raise ConfigError("there is no adapter to merge", remedy="remove --merge or add --use_peft")
    if sft.packing and sft.packing_strategy != "bfd":
        raise ConfigError(
            f"packing_strategy {sft.packing_strategy} cuts records in two", remedy="use bfd"
        )
    if task.muon and (model.use_peft or sft.deepspeed or sft.fsdp):
        raise ConfigError(
            "muon needs whole matrices, not adapters or parts of a model", remedy="remove it"
        )
    _check_frozen(task, model)
    _check_branches(settings)
    _check_reporters(sft)
    if sft.use_cpu or on_cpu():
        _check_cpu(sft, model)
    if sft.n_gpu > 1:
        raise ConfigError(
            f"one process cannot train on the {sft.n_gpu} GPUs that it sees",
            remedy="start one for each with accelerate launch, or set CUDA_VISIBLE_DEVICES=0",
        )


def _fit_to_task(task: TrainArguments) -> None:
    """Fill in the layout by what the records ask, and refuse what they cannot be trained with.

    A data folder that cannot be read is found out when it is opened.
    """
    try:
        label_set = LabelSet.load(Path(str(task.data)) / "label_set.yaml")
    except (LabelwrightError, OSError, ValueError):
        task.layout = task.layout or "both"
        return
    kind = kind_of(label_set)
    choices = kind.choices(label_set) is not None or kind.choices_in(label_set, "") is not None
    if _by_group(Path(str(task.data))):
        if task.layout not in (None, "line"):
            raise ConfigError(
                f"--layout {task.layout} is not for records of groups, each with its own prompt",
                remedy="remove it, or build without --by-group: branches ask each field by itself",
            )
        task.layout = "line"
    wanted = {
        f"--layout {task.layout}": not choices and task.layout not in (None, "line"),
        "--on-long cut": kind.whole_text and task.on_long == "cut",
    }
    for name, asked in wanted.items():
        if asked:
            raise ConfigError(
                f"{name} is not for records of {kind.name}, whose answers are of the whole text "
                "and no line of choices",
                remedy="remove it; long notes are built in parts by labelwright build --windows",
            )
    task.layout = task.layout or ("both" if choices else "line")


def _by_group(data: Path) -> bool:
    """Whether the records ask for one group of fields each."""
    try:
        return bool(json.loads((data / "manifest.json").read_text(encoding="utf-8"))["by_group"])
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _check_frozen(task: TrainArguments, model: ModelConfig) -> None:
    if task.freeze_embeddings and (model.use_peft or task.scratch):
        why = "an adapter leaves them anyway" if model.use_peft else "random ones must be learned"
        raise ConfigError(f"freeze_embeddings cannot be set: {why}", remedy="remove it")


def _check_branches(settings: Settings) -> None:
    """Branches need an attention mask of their own per row."""
    sft, model = settings.training, settings.model
    if settings.task.layout == "line":
        return
    remedy = "add --layout line, or remove it"
    wanted = {
        "packing": sft.packing or sft.padding_free,
        "use_liger_kernel": sft.use_liger_kernel,
        f"loss_type {sft.loss_type}": sft.loss_type != "nll",
        "label_smoothing_factor": bool(sft.label_smoothing_factor),
        f"attn_implementation {model.attn_implementation}": model.attn_implementation
        not in (None, "sdpa", "eager"),
    }
    for name, asked in wanted.items():
        if asked:
            raise ConfigError(f"{name} cannot be used with branches", remedy=remedy)


def _check_reporters(sft: SFTConfig) -> None:
    for name in sft.report_to or []:
        if name not in REPORTERS:
            raise ConfigError(
                f"unknown place for metrics: {name}", remedy=f"use one of: {', '.join(REPORTERS)}"
            )
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(name, f"--report_to {name}", "tracking")


def _check_cpu(sft: SFTConfig, model: ModelConfig) -> None:
    wanted = {
        "fp16": sft.fp16,
        "tf32": bool(sft.tf32),
        "attn_implementation": "flash" in (model.attn_implementation or ""),
        "optim": any(word in str(sft.optim).lower() for word in ("paged", "8bit", "4bit")),
        "deepspeed": bool(sft.deepspeed),
    }
    for name, asked in wanted.items():
        if asked:
            raise ConfigError(
                f"{name} as set needs a GPU, and this run is on the CPU",
                remedy=f"remove {name} from flags or recipe",
            )
