"""Fine-tune a causal language model on the records of ``labelwright build``.

    accelerate launch --config_file accelerate_config.yaml sft/train.py \
        --config sft/recipes/abdullah2025.yaml --data records/ --output_dir runs/labeler
    python sft/train.py --config scratch-cpu --data records/ --output_dir runs/small
    labelwright train …    (the same flags)

The same command again goes on from the last checkpoint.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError, LabelwrightError, OutputError
from labelwright.io import run_folder
from labelwright.io.manifest import sha256_file, sha256_model
from labelwright.runtime.fetched import fetched_folder
from labelwright.runtime.threads import wait_asleep
from sft import dry_run
from sft.arguments import Settings, as_dict, help_text, parse
from sft.data import Records, open_records
from sft.load import load_model
from sft.prepare import prepare, start_of
from sft.save import Outcome, finish


def main(argv: Sequence[str]) -> int:
    """Train as the flags and the recipe say; return the exit code.

    Raises:
        LabelwrightError: the user can mend what is wrong.
    """
    wait_asleep()
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # peft imports it, and it warns of a kernel that would have to come from the hub.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if {"-h", "--help", "--help-all"} & set(argv):
        sys.stdout.write(help_text())
        return 0
    settings = parse(argv)
    records = open_records(str(settings.task.data))
    if settings.task.dry_run:
        with tempfile.TemporaryDirectory() as scratch:
            text = rehearse(settings, records, Path(scratch))
        if settings.sft.process_index == 0:
            sys.stdout.write(text)
    else:
        train(settings, records)
    return 0


def rehearse(settings: Settings, records: Records, scratch: Path) -> str:
    """What :func:`train` would do, as text; nothing is kept."""
    start = start_of(settings, records, scratch)
    ready = prepare(settings, records, start, examples=dry_run.EXAMPLES)
    train_rows = _packed(settings, ready.datasets["train"], ready.longest)
    rows = len(train_rows)
    batch = settings.sft.per_device_train_batch_size
    branches = 0 if ready.tree is None else len(ready.tree.tokens)
    longest = max(map(len, train_rows["input_ids"])) + branches
    return dry_run.summary(
        [dry_run.render(item, ready.tokenizer, ready.tree) for item in ready.examples],
        ready.lengths["train"],
        dry_run.memory(settings, ready.config, batch * longest),
        update_steps=dry_run.steps(settings, rows, settings.sft.world_size),
        rows=rows,
    )


def train(settings: Settings, records: Records) -> None:
    """Run the training to its end, or go on with it; a finished run is left as it is.

    Raises:
        LabelwrightError: the user can mend what is wrong.
    """
    from trl import get_peft_config

    from sft.trainer import QuietTrainer, quiet, with_branches

    sft, state = settings.sft, settings.sft.distributed_state
    output, processes = Path(str(sft.output_dir)), sft.world_size
    identity = _identity(settings, records)
    with state.main_process_first():
        run_folder.claim(output, identity, processes=processes)
        if settings.task.resume == "never":
            run_folder.start_over(output)
        done = run_folder.finished(output)
        start = None if done else start_of(settings, records, output)
    if start is None:
        _say(settings, f"{output}: this training is finished; nothing to do")
        return
    checkpoint = _checkpoint(settings, output, processes)
    ready = prepare(settings, records, start)
    sft.chat_template_path = None
    sft.max_length = _row_length(settings, ready.longest)
    adapter = get_peft_config(settings.model)
    if adapter is not None:  # else labeling would put it on the base's main revision
        adapter.revision = start.revision
    with quiet(output, cpu=sft.use_cpu):
        branches = {} if ready.tree is None else with_branches(sft, ready.tree, ready.tokenizer)
        model = load_model(start, settings.model, ready.stop)
        if settings.task.freeze_embeddings:
            model.get_input_embeddings().requires_grad_(requires_grad=False)
        trainer = QuietTrainer(
            model=model,
            args=sft,
            train_dataset=ready.datasets["train"],
            eval_dataset=ready.datasets.get("validation"),
            processing_class=ready.tokenizer,
            peft_config=adapter,
            **branches,
        )
        trainer.tree = ready.tree
        result = _run(trainer, checkpoint)
    if state.is_main_process:
        outcome = Outcome(
            lengths=ready.lengths,
            history=trainer.state.log_history,
            metrics=result.metrics,
            steps=trainer.state.global_step,
            epochs=float(trainer.state.epoch or 0),
            processes=processes,
            resumed_from=None if checkpoint is None else checkpoint.name,
        )
        finish(settings, records, start, ready.tokenizer, outcome)
    state.wait_for_everyone()
    _say(settings, f"{output}: trained in {trainer.state.global_step} steps")


def _identity(settings: Settings, records: Records) -> dict[str, Any]:
    """Everything that decides the result, for ``run.json``."""
    name = settings.task.scratch or str(settings.model.model_name_or_path)
    folder = fetched_folder(name) or Path(name).expanduser()
    local = settings.task.scratch is None and folder.is_dir()
    return {
        "start": sha256_model(folder) if local else f"{name} {settings.model.model_revision}",
        "records": sha256_file(records.train),
        "validation": records.validation and sha256_file(records.validation),
        "label_set_sha256": records.label_set.fingerprint,
        "on_long": settings.task.on_long,
        "layout": settings.task.layout,
        **({"freeze_embeddings": True} if settings.task.freeze_embeddings else {}),
        "training": run_folder.identity(as_dict(settings.sft)),
        "model": run_folder.identity(as_dict(settings.model)),
    }


def _checkpoint(settings: Settings, output: Path, processes: int) -> Path | None:
    wish = settings.task.resume
    if wish not in ("auto", "never"):
        return run_folder.given_checkpoint(wish, processes=processes)
    found = run_folder.last_checkpoint(output, processes=processes)
    if found is not None:
        _say(settings, f"{output}: going on from {found.name}")
    return found


def _row_length(settings: Settings, longest: int) -> int | None:
    """Row length for packing; without packing nothing is ever cut, so there is no limit."""
    if not settings.sft.packing:
        return None
    return max(settings.sft.max_length or 0, longest)


def _packed(settings: Settings, dataset: Any, longest: int) -> Any:
    length = _row_length(settings, longest)
    if length is None:
        return dataset
    from trl import pack_dataset

    return pack_dataset(dataset, length, "bfd")


def _run(trainer: Any, checkpoint: Path | None) -> Any:
    """Train and save the model; a full accelerator or disk becomes one line."""
    import torch
    from safetensors import SafetensorError

    output = trainer.args.output_dir
    try:
        result = trainer.train(
            resume_from_checkpoint=None if checkpoint is None else str(checkpoint)
        )
        trainer.model.config.use_cache = True  # the trainer turned it off; generation needs it
        trainer.save_model(output)
        return result
    except torch.OutOfMemoryError:
        raise ConfigError(
            "the accelerator's memory is full",
            remedy="halve --per_device_train_batch_size and double --gradient_accumulation_steps, "
            "or set --activation_checkpointing true",
        ) from None
    except (OSError, SafetensorError, RuntimeError) as error:
        # torch.save tells a full disk as a RuntimeError of its writer
        if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
            raise
        raise OutputError(
            "the model or a checkpoint cannot be written",
            remedy="free space or choose another --output_dir; the same command goes on from the "
            "last whole checkpoint",
            source=output,
        ) from error


def _say(settings: Settings, message: str) -> None:
    if settings.sft.process_index == 0:
        sys.stderr.write(f"labelwright: {message}\n")


def script(argv: Sequence[str]) -> int:
    """Run as a program: errors as one line, and no report text in what is shown.

    An unexpected error shows where it happened but not its message, which may quote a report;
    ``--debug`` shows all.
    """
    debug = "--debug" in argv
    try:
        return main([flag for flag in argv if flag != "--debug"])
    except LabelwrightError as error:
        if debug:
            raise
        if os.environ.get("RANK", "0") == "0":
            sys.stderr.write(f"labelwright: {error.line()}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("labelwright: interrupted; the same command resumes\n")
        return 130
    except Exception as error:  # the last resort, without its message
        if debug:
            raise
        sys.stderr.write("".join(traceback.format_tb(error.__traceback__)))
        sys.stderr.write(f"labelwright: unexpected {type(error).__name__}; --debug shows more\n")
        return 1


if __name__ == "__main__":
    sys.exit(script(sys.argv[1:]))
