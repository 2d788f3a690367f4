"""One output folder belongs to one run: who owns it, and from where it goes on.

``run.json`` holds everything that decides the result. The same settings find their own
checkpoints again; other settings are refused, so two runs are never mixed.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labelwright.errors import CheckpointError, OutputError
from labelwright.io.jsonl import write_json, writing

RUN = "run.json"
DONE = "manifest.json"
START = "start"
"""Where a model from scratch waits for its training."""
CHECKPOINT = re.compile(r"^checkpoint-(\d+)$")

HARMLESS = re.compile(
    r"^(output_dir|run_name|project|report_to|logging_\w+|log_\w+|disable_tqdm|dataloader_\w+|"
    r"save_\w+|hub_\w+|push_\w+|trackio_\w+|use_cpu|resume\w*|overwrite\w*|do_\w+|local_rank|"
    r"ddp_\w+|skip_memory_metrics|include_\w+|model_name_or_path|model_revision|"
    r"gradient_checkpointing\w*|torch_empty_cache_steps)$"
)
"""Settings that change no weight, so a run may go on with others."""

MOST_NAMED = 6
"""How many settings that differ are named."""


def identity(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide the result."""
    return {k: v for k, v in sorted(arguments.items()) if not HARMLESS.match(k)}


def claim(folder: Path, settings: Mapping[str, Any], *, processes: int) -> None:
    """Make the folder this run's own, or find that it already is.

    A run that stopped before its first checkpoint left nothing worth keeping and gives way.

    Raises:
        OutputError: it belongs to another run, holds other files or cannot be written.
    """
    mine = {"settings": dict(settings), "processes": processes}
    run = folder / RUN
    if run.is_file():
        found = differing(_read(run), json.loads(json.dumps(mine)))
        different = [path[-1] for path in found][:MOST_NAMED]
        if not different:
            return
        if finished(folder) or any(folder.glob("checkpoint-*")):
            raise OutputError(
                f"the folder belongs to another run (different: {', '.join(different)})",
                remedy="give another --output_dir, or delete the folder",
                source=folder,
            )
        with writing(folder):
            shutil.rmtree(folder / START, ignore_errors=True)
    elif folder.is_dir() and any(folder.iterdir()):
        raise OutputError(
            "the folder is not empty and holds no training run",
            remedy="give another --output_dir",
            source=folder,
        )
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(run, mine)


def finished(folder: Path) -> bool:
    """Whether the run in this folder has come to its end: the manifest is written last."""
    return (folder / DONE).is_file()


def start_over(folder: Path) -> None:
    """Delete this run's checkpoints and its end mark."""
    with writing(folder):
        (folder / DONE).unlink(missing_ok=True)
        for path in folder.glob("checkpoint-*"):
            if CHECKPOINT.match(path.name):
                shutil.rmtree(path)


def last_checkpoint(folder: Path, *, processes: int) -> Path | None:
    """The latest checkpoint that was written to its end, or ``None``."""
    found = [p for p in folder.glob("checkpoint-*") if CHECKPOINT.match(p.name)]
    for path in sorted(found, key=lambda p: -int(p.name.partition("-")[2])):
        if whole(path, processes=processes):
            return path
    return None


def whole(checkpoint: Path, *, processes: int) -> bool:
    """Whether a checkpoint has all it needs; its state file is the last one written."""
    state = checkpoint / "trainer_state.json"
    names = (
        ["rng_state.pth"] if processes == 1 else [f"rng_state_{i}.pth" for i in range(processes)]
    )
    try:
        json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all((checkpoint / name).is_file() for name in names)


def given_checkpoint(path: str, *, processes: int) -> Path:
    """The checkpoint that ``--resume PATH`` names.

    Raises:
        CheckpointError: it is missing or was not written to its end.
    """
    folder = Path(path)
    if not whole(folder, processes=processes):
        raise CheckpointError(
            "no whole checkpoint to resume from (trainer state or random state missing)",
            remedy="give a checkpoint-N folder of the same number of processes, or --resume auto",
            source=folder,
        )
    return folder


def _read(run: Path) -> dict[str, Any]:
    try:
        value = json.loads(run.read_text(encoding="utf-8"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise OutputError(
            "run.json is damaged, so nobody can say whose folder this is",
            remedy="give another --output_dir",
            source=run,
        )
    return value


def differing(
    old: Mapping[str, Any], new: Mapping[str, Any], *within: str
) -> Iterator[tuple[str, ...]]:
    """Where two nested mappings differ: the keys on the way there; values stay out."""
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from differing(a, b, *within, key)
        elif a != b:
            yield (*within, key)
