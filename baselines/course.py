"""The course of a training, whatever it trains: claim the folder, prepare, run or go on, finish.

The same command again goes on from the last checkpoint; a finished run is left as it is.
"""

from __future__ import annotations

import os
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import torch

from baselines import arguments
from baselines.arguments import Kind, Settings, Task, as_dict
from baselines.encoder.start import find_encoder
from baselines.outcome import Outcome
from labelwright.errors import ConfigError
from labelwright.io import run_folder
from labelwright.io.data_folder import DataFolder, open_data_folder
from labelwright.io.manifest import sha256_file, sha256_model

if TYPE_CHECKING:
    from transformers import Trainer

TENSORBOARD = "TENSORBOARD_LOGGING_DIR"
Ready = TypeVar("Ready")


class Course(ABC, Generic[Task, Ready]):
    """One kind of training: its flags, its files, how it is prepared and what it leaves.

    Attributes:
        kind: its flags.
        task: the task of the label sets that it is for, and the command for the other one.
        files: the files of a split, with ``{}`` for the split's name; those of ``train`` must
            be there.
        extra: other files of the data folder that decide the result, where they are.
        decisive: the flags of its own that decide the result.
    """

    kind: Kind[Task]
    task: ClassVar[tuple[str, str]]
    files: ClassVar[tuple[str, ...]]
    extra: ClassVar[tuple[str, ...]] = ()
    decisive: ClassVar[tuple[str, ...]]

    @abstractmethod
    def prepare(self, settings: Settings[Task], data: DataFolder, output: Path) -> Ready:
        """Load or make the model and encode the reports.

        Raises:
            LabelwrightError: the start or the data cannot be used.
        """

    @abstractmethod
    def trainer(self, settings: Settings[Task], data: DataFolder, ready: Ready) -> Trainer:
        """The trainer that is to run."""

    @abstractmethod
    def finish(
        self,
        settings: Settings[Task],
        data: DataFolder,
        outcome: Outcome,
        trainer: Trainer,
        ready: Ready,
    ) -> None:
        """Write the folder; main process only.

        Raises:
            OutputError: a file cannot be written.
        """

    @abstractmethod
    def rehearsal(self, settings: Settings[Task], data: DataFolder, ready: Ready) -> list[str]:
        """What ``--dry-run`` shows."""

    def main(self, argv: Sequence[str]) -> int:
        """Train as the flags and the recipe say; return the exit code.

        Raises:
            LabelwrightError: the user can mend what is wrong.
        """
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        if {"-h", "--help", "--help-all"} & set(argv):
            sys.stdout.write(arguments.help_text(self.kind))
            return 0
        settings = arguments.parse(self.kind, argv)
        data = self._open(str(settings.task.data))
        if settings.task.dry_run:
            with tempfile.TemporaryDirectory() as scratch:
                ready = self.prepare(settings, data, Path(scratch))
                lines = self.rehearsal(settings, data, ready)
            if settings.training.process_index == 0:
                sys.stdout.write("\n".join(lines) + "\n")
        else:
            self._train(settings, data)
        return 0

    def _open(self, folder: str) -> DataFolder:
        names = [name.format("train") for name in self.files]
        data = open_data_folder(folder, names[:1])
        task, other = self.task
        if data.label_set.task != task:
            raise ConfigError(
                f"label set {data.label_set.name} is of the task {data.label_set.task}, not {task}",
                remedy=f"use {other}, or build with another label set",
                source=folder,
            )
        return open_data_folder(folder, names)

    def _train(self, settings: Settings[Task], data: DataFolder) -> None:
        training, state = settings.training, settings.training.distributed_state
        output, processes = Path(str(training.output_dir)), training.world_size
        with state.main_process_first():
            run_folder.claim(output, self._identity(settings, data), processes=processes)
            if settings.task.resume == "never":
                run_folder.start_over(output)
            done = run_folder.finished(output)
            ready = None if done else self.prepare(settings, data, output)
        if ready is None:
            say(settings, f"{output}: this training is finished; nothing to do")
            return
        checkpoint = _checkpoint(settings, output, processes)
        with _quiet(output):
            trainer = self.trainer(settings, data, ready)
            result = _run(trainer, checkpoint)
        if state.is_main_process:
            outcome = Outcome(
                history=trainer.state.log_history,
                metrics=result.metrics,
                best_metric=trainer.state.best_metric,
                best_step=trainer.state.best_global_step,
                steps=trainer.state.global_step,
                epochs=float(trainer.state.epoch or 0),
                processes=processes,
                resumed_from=None if checkpoint is None else checkpoint.name,
            )
            self.finish(settings, data, outcome, trainer, ready)
        state.wait_for_everyone()
        say(settings, f"{output}: trained in {trainer.state.global_step} steps")

    def _identity(self, settings: Settings[Task], data: DataFolder) -> dict[str, Any]:
        """Everything that decides the result, for ``run.json``."""
        task = settings.task
        name = task.scratch or task.init_from or find_encoder(str(task.model_name_or_path))[0]
        folder = Path(name)
        local = task.scratch is None and folder.is_dir()
        files = [name.format(split) for split in ("train", "validation") for name in self.files]
        files += self.extra
        return {
            "start": sha256_model(folder) if local else f"{name} {task.model_revision}",
            "data": {name: sha256_file(path) for name in files if (path := data.file(name))},
            "label_set_sha256": data.label_set.fingerprint,
            "task": {name: getattr(task, name) for name in self.decisive},
            "training": run_folder.identity(as_dict(settings.training)),
        }


def say(settings: Settings[Task], message: str) -> None:
    """A line for the user, from the first process only."""
    if settings.training.process_index == 0:
        sys.stderr.write(f"labelwright: {message}\n")


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
    return f"steps: {int(steps):,} of {batch} reports, {per_epoch:,} an epoch"


def _checkpoint(settings: Settings[Task], output: Path, processes: int) -> Path | None:
    wish = settings.task.resume
    if wish not in ("auto", "never"):
        return run_folder.given_checkpoint(wish, processes=processes)
    found = run_folder.last_checkpoint(output, processes=processes)
    if found is not None:
        say(settings, f"{output}: going on from {found.name}")
    return found


def _run(trainer: Any, checkpoint: Path | None) -> Any:
    try:
        return trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    except torch.OutOfMemoryError:
        raise ConfigError(
            "the accelerator's memory is full",
            remedy="halve --per_device_train_batch_size and double --gradient_accumulation_steps",
        ) from None


@contextmanager
def _quiet(output: Path) -> Iterator[None]:
    """One progress bar, that of the training; metrics for TensorBoard stay in ``output``."""
    before = os.environ.get(TENSORBOARD)
    os.environ[TENSORBOARD] = before or str(output / "tensorboard")
    try:
        yield
    finally:
        if before is None:
            del os.environ[TENSORBOARD]
