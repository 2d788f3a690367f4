"""One training, whatever it trains: claim the folder, prepare, run or go on, finish.

Language models, encoders and taggers are trained through here. The same command again goes on
from the last whole checkpoint; a finished run is left as it is. ``manifest.json`` is written last.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from labelwright.errors import ConfigError, OutputError
from labelwright.io import run_folder
from labelwright.io.manifest import inputs, sha256_file, versions
from labelwright.program import show_messages
from labelwright.runtime.learned import Learned
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from labelwright.label_set import LabelSet

TENSORBOARD = "TENSORBOARD_LOGGING_DIR"
log = logging.getLogger(__name__)
# transformers and TRL import it, and it warns of a kernel that would have to come from the hub
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


class Flags(Protocol):
    """What the flags of every training have."""

    data: str | None
    resume: str
    dry_run: bool


class RunSettings(Protocol):
    """Everything that one run was asked to do; ``training`` is transformers' or TRL's part."""

    @property
    def task(self) -> Flags:
        """Our own flags."""
        ...

    @property
    def training(self) -> Any:
        """``TrainingArguments`` or a class of it."""
        ...

    @property
    def recipe(self) -> str | None:
        """The recipe's file, if there is one."""
        ...


@dataclass(frozen=True)
class TrainingResult:
    """How one training ended.

    Attributes:
        history: the logged values in order; of evaluations too.
        metrics: what the trainer reports at the end.
        best_metric: the best validation score, and the step that it was reached at; ``None``
            where nothing was evaluated and the last state is kept.
        resumed_from: name of the checkpoint that this session went on from.
        learned: how well validation reports are answered; ``None`` where nothing tells.
        peak_memory: bytes that this process held at most: of the accelerator, on a CPU in all;
            ``None`` where the system does not tell.
    """

    history: list[dict[str, Any]]
    metrics: Mapping[str, float]
    best_metric: float | None
    best_step: int | None
    steps: int
    epochs: float
    processes: int
    resumed_from: str | None
    learned: Learned | None = None
    peak_memory: int | None = None

    def best(self, metric: str | None) -> dict[str, Any] | None:
        """The kept state's score, step and epoch; ``None`` where nothing was evaluated."""
        if self.best_metric is None:
            return None
        rows = (r for r in self.history if r.get("step") == self.best_step and "eval_loss" in r)
        return {
            "metric": f"validation {metric}",
            "value": self.best_metric,
            "step": self.best_step,
            "epoch": next((float(row["epoch"]) for row in rows), None),
        }


Settings = TypeVar("Settings", bound=RunSettings)
Data = TypeVar("Data")
Start = TypeVar("Start")
Ready = TypeVar("Ready")


class TrainingRun(ABC, Generic[Settings, Data, Start, Ready]):
    """One kind of training: its flags, its data, how it is prepared and what it leaves."""

    @abstractmethod
    def help_text(self) -> str:
        """The help of every flag."""

    @abstractmethod
    def parse(self, argv: Sequence[str]) -> Settings:
        """Read the flags.

        Raises:
            ConfigError: a flag cannot work.
        """

    @abstractmethod
    def open(self, settings: Settings) -> Data:
        """Open what is trained on.

        Raises:
            InputError, ConfigError: the data folder cannot be used.
        """

    @abstractmethod
    def identity(self, settings: Settings, data: Data) -> dict[str, Any]:
        """Everything that decides the result, beside transformers' own settings."""

    @abstractmethod
    def start(self, settings: Settings, data: Data, output: Path) -> Start:
        """Find or make what is trained; the main process does so before the others.

        Raises:
            LabelwrightError: the start cannot be used.
        """

    @abstractmethod
    def prepare(self, settings: Settings, data: Data, start: Start) -> Ready:
        """Load the model and encode the data; in every process.

        Raises:
            LabelwrightError: the start or the data cannot be used.
        """

    @abstractmethod
    def trainer(self, settings: Settings, data: Data, ready: Ready) -> Any:
        """The trainer that is to run."""

    @abstractmethod
    def finish(
        self, settings: Settings, data: Data, result: TrainingResult, trainer: Any, ready: Ready
    ) -> None:
        """Write the folder; main process only.

        Raises:
            OutputError: a file cannot be written.
        """

    @abstractmethod
    def rehearsal(self, settings: Settings, data: Data, scratch: Path) -> str:
        """What ``--dry-run`` shows; what is written to ``scratch`` is not kept."""

    def trained(self, trainer: Any) -> None:
        """What every process does right after the last step."""

    @abstractmethod
    def learned(self, settings: Settings, data: Data, trainer: Any, ready: Ready) -> Learned | None:
        """How well the kept state answers validation reports; main process only.

        ``None`` where there are no such reports.
        """

    @abstractmethod
    def advice(self, settings: Settings, data: Data) -> str:
        """What to do about a model that has learned nothing, to follow a semicolon."""

    @contextmanager
    def quiet(self, settings: Settings) -> Iterator[None]:  # noqa: ARG002
        """Around the trainer, to keep the terminal to one progress bar."""
        yield

    def main(self, argv: Sequence[str]) -> int:
        """Train as the flags and the recipe say; return the exit code.

        Raises:
            LabelwrightError: the user can fix what is wrong.
        """
        show_messages()
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # whoever changed it since
        if {"-h", "--help", "--help-all"} & set(argv):
            sys.stdout.write(self.help_text())
            return 0
        settings = self.parse(argv)
        data = self.open(settings)
        if settings.task.dry_run:
            with tempfile.TemporaryDirectory() as scratch:
                text = self.rehearsal(settings, data, Path(scratch))
            if settings.training.process_index == 0:
                sys.stdout.write(text)
        else:
            self.train(settings, data)
        return 0

    def train(self, settings: Settings, data: Data) -> None:
        """Run to the end, or go on; a finished run is left as it is.

        Raises:
            LabelwrightError: the user can fix what is wrong.
        """
        training, state = settings.training, settings.training.distributed_state
        output, processes = Path(str(training.output_dir)), training.world_size
        identity = self.identity(settings, data)
        identity["training"] = run_folder.identity(as_dict(training))
        with state.main_process_first():
            run_folder.claim(output, identity, processes=processes)
            if settings.task.resume == "never":
                run_folder.start_over(output)
            done = run_folder.finished(output)
            with self.quiet(settings):
                start = None if done else self.start(settings, data, output)
        if start is None:
            say(settings, f"{output}: this training is finished; nothing to do")
            return
        checkpoint = _checkpoint(settings, output, processes)
        ready = self.prepare(settings, data, start)
        with self.quiet(settings), _metrics_in(output):
            trainer = self.trainer(settings, data, ready)
            metrics = self._run(trainer, checkpoint)
        expected = ""
        if state.is_main_process:
            learned = self._learned(settings, data, trainer, ready)
            expected = f"; {self.expected(settings, data, trainer, learned)}"
            result = TrainingResult(
                history=trainer.state.log_history,
                metrics=metrics,
                best_metric=trainer.state.best_metric,
                best_step=trainer.state.best_global_step,
                steps=trainer.state.global_step,
                epochs=float(trainer.state.epoch or 0),
                processes=processes,
                resumed_from=None if checkpoint is None else checkpoint.name,
                learned=learned,
                peak_memory=peak_memory(),
            )
            self.finish(settings, data, result, trainer, ready)
        state.wait_for_everyone()
        say(settings, f"{output}: trained in {amount(trainer.state.global_step, 'step')}{expected}")

    def _learned(
        self, settings: Settings, data: Data, trainer: Any, ready: Ready
    ) -> Learned | None:
        """Nothing is asked of a model whose weights are shared out among processes."""
        return None if _shared_out(trainer) else self.learned(settings, data, trainer, ready)

    def expected(
        self, settings: Settings, data: Data, trainer: Any, learned: Learned | None
    ) -> str:
        """The end of the last line: what to expect of the model."""
        if learned is not None:
            return learned.sentence(self.advice(settings, data))
        if _shared_out(trainer):
            return "what it has learned, labelwright label and eval tell"
        return "no validation reports were read, so nothing tells what it has learned"

    def _run(self, trainer: Any, checkpoint: Path | None) -> Mapping[str, float]:
        """Train; a full accelerator or disk becomes one line."""
        import torch
        from safetensors import SafetensorError

        from labelwright.runtime.training_lines import show_lines

        show_lines(trainer)
        try:
            result = trainer.train(
                resume_from_checkpoint=None if checkpoint is None else str(checkpoint)
            )
            self.trained(trainer)
        except torch.OutOfMemoryError:
            raise ConfigError(
                "the accelerator's memory is full",
                remedy="halve --per_device_train_batch_size and double "
                "--gradient_accumulation_steps, or set --gradient_checkpointing "
                "(--activation_checkpointing of labelwright train) true",
            ) from None
        except (OSError, SafetensorError, RuntimeError) as error:
            # torch.save tells a full disk as a RuntimeError of its writer
            if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
                raise
            raise OutputError(
                "the model or a checkpoint cannot be written",
                remedy="free space or choose another --output_dir; the same command goes on from "
                "the last whole checkpoint",
                source=trainer.args.output_dir,
            ) from error
        metrics: Mapping[str, float] = result.metrics
        return metrics


def _shared_out(trainer: Any) -> bool:
    return bool(trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled)


def say(settings: RunSettings, message: str) -> None:
    """A line for the user, from the first process only."""
    if settings.training.process_index == 0:
        log.info("%s", message)


def facts(
    settings: RunSettings,
    label_set: LabelSet | None,
    result: TrainingResult,
    *,
    layouts: Sequence[str],
    sections: str,
    base_model: str,
    files: Iterable[Path],
    counts: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """What the manifest says of every training, JSON-ready.

    Args:
        files: what was read.
        counts: what was counted, by split.
    """
    arguments = {"task": as_dict(settings.task), "training": as_dict(settings.training)}
    return {
        "kind": "training",
        "label_set": label_set and label_set.name,
        "label_set_sha256": label_set and label_set.fingerprint,
        "layouts": list(layouts),
        "sections": sections,
        "base_model": base_model,
        "recipe": settings.recipe and Path(settings.recipe).name,
        "recipe_sha256": settings.recipe and sha256_file(settings.recipe),
        "inputs": inputs(files),
        "counts": dict(counts),
        "steps": result.steps,
        "epochs": result.epochs,
        "processes": result.processes,
        "resumed_from": result.resumed_from,
        "peak_memory_bytes": result.peak_memory,
        "learned": result.learned and result.learned.to_json(),
        "metrics": dict(result.metrics),
        "history": result.history,
        "arguments": arguments,
        "versions": dict(versions()),
    }


def as_dict(value: object) -> dict[str, Any]:
    """A settings object as JSON-ready values."""
    if hasattr(value, "to_dict"):
        return json.loads(json.dumps(value.to_dict(), default=str))  # type: ignore[no-any-return]
    return dataclasses.asdict(value)  # type: ignore[call-overload, no-any-return]


def on_cpu() -> bool:
    """Whether training will run on the CPU: no accelerator, or accelerate was told so."""
    import torch

    forced = os.environ.get("ACCELERATE_USE_CPU", "").lower() in {"1", "true", "yes"}
    return forced or not torch.accelerator.is_available()


def peak_memory() -> int | None:
    """The most bytes that this process has held: on a GPU of its memory, else in all.

    ``None`` where the system does not tell (Windows).
    """
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _checkpoint(settings: RunSettings, output: Path, processes: int) -> Path | None:
    wish = settings.task.resume
    if wish not in ("auto", "never"):
        return run_folder.given_checkpoint(wish, processes=processes)
    found = run_folder.last_checkpoint(output, processes=processes)
    if found is not None:
        say(settings, f"{output}: going on from {found.name}")
    return found


@contextmanager
def _metrics_in(output: Path) -> Iterator[None]:
    """Metrics for TensorBoard stay in ``output``."""
    before = os.environ.get(TENSORBOARD)
    os.environ[TENSORBOARD] = before or str(output / "tensorboard")
    try:
        yield
    finally:
        if before is None:
            del os.environ[TENSORBOARD]
