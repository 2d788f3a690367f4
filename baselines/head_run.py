"""Trainings of encoders: what they have in common beside the training run itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from baselines import arguments
from baselines.arguments import HeadArguments, Kind, Settings, StartArguments, Task
from baselines.encoder.start import find_encoder
from labelwright.errors import ConfigError
from labelwright.io.data_folder import DataFolder, open_data_folder
from labelwright.io.jsonl import write_jsonl, writing
from labelwright.io.manifest import sha256_file, sha256_model
from labelwright.io.run_folder import START
from labelwright.runtime.card import write_card
from labelwright.runtime.training import TrainingResult, TrainingRun, facts
from labelwright.tasks import kind_of
from labelwright.text.amounts import amount

METRICS = "metrics.jsonl"
Data = TypeVar("Data")
Ready = TypeVar("Ready")


class EncoderRun(TrainingRun[Settings[Task], Data, Ready, Ready]):
    """A training of an encoder.

    Attributes:
        kind: its flags.
    """

    kind: Kind[Task]

    def help_text(self) -> str:
        """The help of every flag, those of transformers included."""
        return self.kind.flags.full_help()

    def parse(self, argv: Sequence[str]) -> Settings[Task]:
        """Read flags and recipe."""
        return arguments.parse(self.kind, argv)

    def prepare(self, settings: Settings[Task], data: Data, start: Ready) -> Ready:  # noqa: ARG002
        """All is done with the start."""
        return start


class HeadRun(EncoderRun[Task, DataFolder, Ready]):
    """One that puts a head on it.

    Attributes:
        other: the command for label sets of other tasks.
        files: the files of a split, with ``{}`` for the split's name; those of ``train`` must
            be there. The gold file among them says which tasks it can learn.
        extra: other files of the data folder that decide the result, where they are.
        decisive: the flags of its own that decide the result.
    """

    other: ClassVar[str]
    files: ClassVar[tuple[str, ...]]
    extra: ClassVar[tuple[str, ...]] = ()
    decisive: ClassVar[tuple[str, ...]]

    def open(self, settings: Settings[Task]) -> DataFolder:
        """The data folder, whose label set must be of the right task."""
        folder = str(settings.task.data)
        names = [name.format("train") for name in self.files]
        data = open_data_folder(folder, names[:1])
        if "{}" + kind_of(data.label_set).gold_suffix not in self.files:
            raise ConfigError(
                f"label set {data.label_set.name} is of the task {data.label_set.task}, which "
                f"{self.kind.command} cannot learn",
                remedy=f"use {self.other}, or build with another label set",
                source=folder,
            )
        return open_data_folder(folder, names)

    def advice(self, settings: Settings[Task], data: DataFolder) -> str:  # noqa: ARG002
        """More of what it was given, or an encoder that knows the language."""
        more = "give it more reports or more epochs"
        return more if settings.task.scratch is None else f"{more}, or start from --config minilm"

    def identity(self, settings: Settings[Task], data: DataFolder) -> dict[str, Any]:
        """Everything that decides the result, for ``run.json``."""
        task = settings.task
        files = [name.format(split) for split in ("train", "validation") for name in self.files]
        files += self.extra
        return {
            "start": start_of(task),
            "data": {name: sha256_file(path) for name in files if (path := data.file(name))},
            "label_set_sha256": data.label_set.fingerprint,
            "task": {name: getattr(task, name) for name in self.decisive},
        }


def start_of(task: StartArguments) -> str:
    """What a training starts from, for ``run.json``: a digest where it is a local folder."""
    first = task.init_from if isinstance(task, HeadArguments) else None
    name = task.scratch or first or find_encoder(str(task.model_name_or_path))[0]
    folder = Path(name)
    local = task.scratch is None and folder.is_dir()
    return sha256_model(folder) if local else f"{name} {task.model_revision}"


def steps_line(settings: Settings[Task], rows: Sized) -> str:
    """How many steps the training will take, for the dry run."""
    training = settings.training
    batch = (
        training.per_device_train_batch_size
        * training.gradient_accumulation_steps
        * training.world_size
    )
    per_epoch = -(-len(rows) // batch)
    steps = training.max_steps if training.max_steps > 0 else training.num_train_epochs * per_epoch
    return f"steps: {int(steps):,} of {amount(batch, 'report')}, {per_epoch:,} an epoch"


def manifest(
    settings: Settings[Task],
    data: DataFolder,
    result: TrainingResult,
    *,
    command: str,
    layout: str,
    base_model: str,
    files: Iterable[str],
    counts: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """All that is worth knowing of the run, JSON-ready.

    Args:
        files: names in the data folder that were read.
        counts: what was counted, by split.
    """
    found = facts(
        settings,
        data.label_set,
        result,
        layouts=[layout],
        sections=data.sections,
        base_model=base_model,
        files=[data.path / name for name in files],
        counts=counts,
    )
    best = result.best(settings.training.metric_for_best_model)
    return {"command": command, **found, "best": best}


def write_papers(
    folder: Path, data: DataFolder, facts: Mapping[str, Any], result: TrainingResult, *, card: Path
) -> None:
    """Write metrics and model card, and take away the start of a model from scratch.

    Args:
        facts: the manifest, with ``parameters`` and whatever else the card names.
        card: the card's template.

    Raises:
        OutputError: a file cannot be written.
    """
    with writing(folder):
        shutil.rmtree(folder / START, ignore_errors=True)
    write_jsonl(folder / METRICS, result.history, mode=0o644)
    write_card(folder, card, data.label_set, facts)
