"""A grid's steps run one by one, each in a process of its own; what is finished is left alone."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from labelwright.commands.grid.steps import Run, Step
from labelwright.errors import OutputError
from labelwright.io.jsonl import PRIVATE, write_json, writing
from labelwright.io.manifest import sha256_file, sha256_folder

LEDGER = "steps.json"
"""Of every step that was begun: its words, and digests of what it read."""
LOGS = "logs"
DONE = "manifest.json"
PRELOADED = (
    "labelwright.commands.labeling.command",
    "baselines.pretrain.train",
    "baselines.tagger.train",
    "baselines.tagger.labeler",
    "transformers.trainer",
    "inference.runs.batch",
    "data_builders.build",
)
"""Modules that the steps' processes find loaded already."""
INTERRUPTED = 130
REPLACED = ("build", "pseudo-label")
"""Commands that do not go on where they were stopped, but begin again."""


@dataclass
class Folder:
    """The folder of a grid: what was begun in it, and what is finished.

    Args:
        out: where it is.
    """

    out: Path
    ledger: dict[str, Any] = field(init=False)
    _digests: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger = _read(self.out / LEDGER)

    def check(self, steps: Sequence[Step]) -> None:
        """Refuse steps whose folders were made with other flags or from other files.

        Raises:
            OutputError: a folder was.
        """
        for step in steps:
            known = self.ledger.get(step.folder)
            folder = self.out / step.folder
            if not folder.exists():  # never made, or deleted to be made anew
                continue
            if known is None:
                raise OutputError(
                    "the folder was not made by this grid",
                    remedy="delete it, or give another --out",
                    source=folder,
                )
            if known["words"] != list(step.command_line(Path())):
                raise OutputError(
                    f"it was made with other flags: {_difference(known['words'], step)}",
                    remedy="delete it and what was made from it, or give another --out",
                    source=folder,
                )
            changed = [
                path for path, digest in known["files"].items() if self._digest(path) != digest
            ]
            if changed:
                raise OutputError(
                    f"it was made from {changed[0]}, which has changed",
                    remedy="restore the file, or give another --out",
                    source=folder,
                )
            if self.finished(step) and self._sources(step) != known["from"]:
                raise OutputError(
                    f"it was made from an earlier {' or '.join(step.needs)}",
                    remedy="delete it, so that it is made again",
                    source=folder,
                )

    def finished(self, step: Step) -> bool:
        """Whether the step came to its end: the manifest is written last."""
        return (self.out / step.folder / DONE).is_file()

    def begin(self, step: Step) -> None:
        """Write down what the step reads.

        Raises:
            OutputError: the folder cannot be written.
        """
        self.ledger[step.folder] = {
            "words": list(step.command_line(Path())),
            "files": {path: self._digest(path) for path in _files(step)},
            "from": self._sources(step),
        }
        write_json(self.out / LEDGER, self.ledger)

    def log(self, step: Step) -> Path:
        """Where the step's messages go."""
        return self.out / LOGS / f"{step.folder.replace('/', '.')}.log"

    def _sources(self, step: Step) -> dict[str, str]:
        found = {place: self.out / place / DONE for place in step.needs}
        return {place: sha256_file(path) for place, path in found.items() if path.is_file()}

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            here = Path(path)
            self._digests[path] = (
                sha256_folder(here)
                if here.is_dir()
                else sha256_file(here)
                if here.is_file()
                else ""
            )
        return self._digests[path]


def run_all(
    runs: Sequence[Run], folder: Folder, *, say: Callable[[str], None]
) -> dict[tuple[str, int], str]:
    """Run all steps that are not finished; a step that fails ends its own runs only.

    Args:
        say: told what is done.

    Returns:
        why a run failed, by cell and seed.

    Raises:
        OutputError: the grid's folder cannot be written.
    """
    steps = list(dict.fromkeys(step for run in runs for step in run.steps))
    todo = [step for step in steps if not folder.finished(step)]
    failed: dict[str, str] = {}
    reasons: dict[tuple[str, int], str] = {}
    done = 0
    with writing(folder.out / LOGS):
        (folder.out / LOGS).mkdir(parents=True, exist_ok=True)
    for run in runs:
        for step in run.steps:
            if step.folder in failed:
                reasons[run.cell.name, run.seed] = failed[step.folder]
                break
            if folder.finished(step):
                continue
            done += 1
            clock = time.perf_counter()
            reason = _run(step, folder)
            seconds = time.perf_counter() - clock
            how = f"{seconds:.0f} s" if reason is None else f"failed: {reason}"
            say(f"{done}/{len(todo)} {step.command} {step.folder}: {how}")
            if reason is not None:
                failed[step.folder] = reasons[run.cell.name, run.seed] = reason
                break
    return reasons


def _run(step: Step, folder: Folder) -> str | None:
    """Run one step; why it failed, or ``None``."""
    from multiprocessing import get_context

    folder.begin(step)
    log, words = folder.log(step), step.command_line(folder.out)
    if step.command in REPLACED and (folder.out / step.folder).exists():
        words.append("--overwrite")
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    process = context.Process(target=_in_own_process, args=(words, str(log)))
    process.start()
    try:
        process.join()
    except KeyboardInterrupt:
        process.join(10)
        if process.is_alive():
            process.terminate()
            process.join()
        raise
    if process.exitcode == 0 and folder.finished(step):
        return None
    return _reason(process.exitcode or 0, log)


def _in_own_process(words: Sequence[str], log: str) -> None:
    """What a step's process does: the command as ``python -m labelwright.cli``, its messages in
    the log."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(import_module("labelwright.cli").main(words))


def _end_with_parent() -> None:
    """A step must not go on when the grid was killed: another one may take its folder."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _reason(code: int, log: Path) -> str:
    """One line: the command's own message, or how its process ended."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}, such as when memory is short"
    if code == INTERRUPTED:
        return "interrupted"
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    said = [line for line in lines if line.startswith("labelwright: ")]
    return said[-1].removeprefix("labelwright: ") if said else f"exit code {code}"


def _files(step: Step) -> list[str]:
    """Files and folders of the user that the words name."""
    found = []
    for word in step.words:
        path = word.partition("=")[2] if word.startswith("--") else word
        if path and _exists(path):
            found.append(path)
    return list(dict.fromkeys(found))


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except OSError:  # too long for a path
        return False


def _difference(words: Sequence[str], step: Step) -> str:
    now = step.command_line(Path())
    other = sorted({*words} ^ {*now}, key=[*words, *now].index)
    return " ".join(other[:4]) or "another order"


def _read(ledger: Path) -> dict[str, Any]:
    if not ledger.is_file():
        return {}
    try:
        value = json.loads(ledger.read_text(encoding="utf-8"))
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(v, Mapping) for v in value.values()):
        raise OutputError(
            f"{LEDGER} is damaged, so nobody can say what was made there",
            remedy="give another --out",
            source=ledger,
        )
    return value
