"""Train an encoder with one head per observation on a folder of ``labelwright build``.

    labelwright train-encoder --config chexbert --data records/ --output_dir runs/encoder
    labelwright train-encoder --init_from runs/encoder --data expert/ --output_dir runs/stage-two
    accelerate launch --config_file accelerate_config.yaml -m labelwright.cli train-encoder …

The same command again goes on from the last checkpoint.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from baselines.encoder_arguments import Settings, as_dict, help_text, parse
from baselines.encoder_data import LABELS, REPORTS
from baselines.encoder_model import Padding, parameters_of, scores
from baselines.encoder_prepare import Ready, prepare, say
from baselines.encoder_save import Outcome, finish
from baselines.encoder_start import find_encoder
from labelwright import run_folder
from labelwright.data_folder import DataFolder, open_data_folder
from labelwright.errors import ConfigError
from labelwright.manifest import sha256_file, sha256_model

if TYPE_CHECKING:
    from transformers import Trainer

TENSORBOARD = "TENSORBOARD_LOGGING_DIR"


def main(argv: Sequence[str]) -> int:
    """Train as the flags and the recipe say; return the exit code.

    Raises:
        LabelwrightError: the user can mend what is wrong.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if {"-h", "--help", "--help-all"} & set(argv):
        sys.stdout.write(help_text())
        return 0
    settings = parse(argv)
    data = open_data_folder(
        str(settings.task.data), [REPORTS.format("train"), LABELS.format("train")]
    )
    if settings.task.dry_run:
        with tempfile.TemporaryDirectory() as scratch:
            text = _rehearsal(settings, data, prepare(settings, data, Path(scratch)))
        if settings.training.process_index == 0:
            sys.stdout.write(text)
    else:
        train(settings, data)
    return 0


def train(settings: Settings, data: DataFolder) -> None:
    """Run the training to its end, or go on with it; a finished run is left as it is.

    Raises:
        LabelwrightError: the user can mend what is wrong.
    """
    training, state = settings.training, settings.training.distributed_state
    output, processes = Path(str(training.output_dir)), training.world_size
    with state.main_process_first():
        run_folder.claim(output, _identity(settings, data), processes=processes)
        if settings.task.resume == "never":
            run_folder.start_over(output)
        done = run_folder.finished(output)
        ready = None if done else prepare(settings, data, output)
    if ready is None:
        say(settings, f"{output}: this training is finished; nothing to do")
        return
    checkpoint = _checkpoint(settings, output, processes)
    with _quiet(output):
        trainer = _trainer(settings, data, ready)
        result = _run(trainer, checkpoint)
    if state.is_main_process:
        outcome = Outcome(
            lengths=ready.lengths,
            history=trainer.state.log_history,
            metrics=result.metrics,
            best_metric=trainer.state.best_metric,
            best_step=trainer.state.best_global_step,
            steps=trainer.state.global_step,
            epochs=float(trainer.state.epoch or 0),
            processes=processes,
            resumed_from=None if checkpoint is None else checkpoint.name,
        )
        model = trainer.accelerator.unwrap_model(trainer.model)
        finish(
            settings,
            data,
            outcome,
            model,
            ready.tokenizer,
            max_length=ready.limit,
            base_model=ready.base,
        )
    state.wait_for_everyone()
    say(settings, f"{output}: trained in {trainer.state.global_step} steps")


def _trainer(settings: Settings, data: DataFolder, ready: Ready) -> Trainer:
    from transformers import Trainer

    def judge(answers: Any) -> dict[str, float]:
        return scores(answers.predictions, answers.label_ids, data.label_set)

    return Trainer(
        model=ready.model,
        args=settings.training,
        train_dataset=ready.rows["train"],
        eval_dataset=ready.rows.get("validation"),
        data_collator=Padding(int(ready.tokenizer.pad_token_id or 0)),
        compute_metrics=judge,
    )


def _identity(settings: Settings, data: DataFolder) -> dict[str, Any]:
    """Everything that decides the result, for ``run.json``."""
    task = settings.task
    name = task.scratch or task.init_from or find_encoder(str(task.model_name_or_path))[0]
    folder = Path(name)
    local = task.scratch is None and folder.is_dir()
    files = [name.format(split) for split in ("train", "validation") for name in (REPORTS, LABELS)]
    return {
        "start": sha256_model(folder) if local else f"{name} {task.model_revision}",
        "data": {name: sha256_file(path) for name in files if (path := data.file(name))},
        "label_set_sha256": data.label_set.fingerprint,
        "task": {name: getattr(task, name) for name in ("max_length", "head_dropout", "on_long")},
        "training": run_folder.identity(as_dict(settings.training)),
    }


def _checkpoint(settings: Settings, output: Path, processes: int) -> Path | None:
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


def _rehearsal(settings: Settings, data: DataFolder, ready: Ready) -> str:
    training = settings.training
    batch = (
        training.per_device_train_batch_size
        * training.gradient_accumulation_steps
        * training.world_size
    )
    per_epoch = -(-len(ready.rows["train"]) // batch)
    steps = training.max_steps if training.max_steps > 0 else training.num_train_epochs * per_epoch
    lines = [
        f"start: {ready.base}, {parameters_of(ready.model):,} weights",
        f"heads: {len(data.label_set.names)} of label set {data.label_set.name}",
        *(
            f"{split}: {counts.reports:,} reports, {counts.tokens:,} tokens, {counts.cut:,} cut "
            f"at {counts.limit} tokens, {counts.dropped:,} dropped"
            for split, counts in ready.lengths.items()
        ),
        f"steps: {int(steps):,} of {batch} reports, {per_epoch:,} an epoch",
    ]
    return "\n".join(lines) + "\n"
