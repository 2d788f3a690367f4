"""One round of the loop: export, build, train, label, import; each a process of its own.

Nothing here knows how models are trained: it writes the commands that a person would type, runs
them one after the other, and stops at the first that fails. A round that was broken off begins
again with the same number.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import func, select

from labelwright.errors import ConfigError, OutputError
from labelwright.io.jsonl import write_jsonl, writing
from review.exporting import export
from review.kinds.forms import form_of
from review.models import Kept, add_model, choose, chosen, get_model
from review.store import order, runs
from review.store.store import Store, now
from review.store.tables import note, rounds

PART = 500


@dataclass(frozen=True, slots=True)
class Round:
    """What a round made."""

    number: int
    trained_on: int
    model: Kept
    run: int


def retrain(
    store: Store,
    work: Path,
    train: Sequence[str],
    label: Sequence[str] = (),
    *,
    split: str = "0.9,0.1,0",
    go_on: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Round:
    """Train on what is finished, let the new model read all notes, and order the queue by it.

    Args:
        work: a folder for what the round makes.
        train: the command that trains and its flags, such as ``["train", "--config", "…"]``; data
            and output folder are added.
        label: further flags of ``labelwright label``.
        go_on: whether training begins with the chosen model of the store.

    Raises:
        ConfigError: nothing is finished, or no model is chosen.
        OutputError: one of the commands failed.
    """
    with store.reading() as connection:
        number = (connection.scalar(select(func.max(rounds.c.number))) or 0) + 1
    here = work / f"round-{number}"
    gold, records, made, labeled = (here / n for n in ("gold", "records", "model", "labels"))
    with writing(here):
        here.mkdir(parents=True, exist_ok=True)
        here.chmod(0o700)  # it will hold the texts of all notes
    counts = export(store, gold, overwrite=True)
    if not counts.notes["train"]:
        raise ConfigError(
            "only notes of the random share are finished", remedy="annotate more, then train"
        )
    form = form_of(store.label_set)
    flags = ["--label-set", str(gold / "label_set.yaml"), "--split", split, "--overwrite"]
    if form.mode != "marks":
        flags += ["--labels", str(gold / f"train{form.kind.gold_suffix}")]
    _run(["build", str(gold / "train.jsonl"), *flags, "--out", str(records)], here, say)
    start = []
    if go_on:
        flag = "--model_name_or_path" if train[0] == "train" else "--init_from"
        start = [flag, str(_chosen(store, here / "start"))]
    _run([*train, *start, "--data", str(records), "--output_dir", str(made)], here, say)
    kept = add_model(store, train[0], made)
    taken = _read_all(store, made, labeled, label, say, number=number)
    choose(store, kept.name, kept.version)
    with store.writing() as connection:
        connection.execute(
            rounds.insert().values(
                number=number,
                run=taken.run,
                model=f"{kept.name} {kept.version}",
                trained_on=counts.notes["train"],
                at=now(),
            )
        )
    return Round(number, counts.notes["train"], kept, taken.run)


def label_all(
    store: Store, work: Path, label: Sequence[str] = (), say: Callable[[str], None] = lambda _: None
) -> runs.Taken:
    """Let the chosen model of the store read all notes, and order the queue by it.

    Args:
        work: an empty folder for what is made.
        label: further flags of ``labelwright label``.

    Raises:
        ConfigError: no model is chosen.
        OutputError: the folder is not empty, or the command failed.
    """
    with writing(work):
        work.mkdir(parents=True, exist_ok=True)
        work.chmod(0o700)
    if any(work.iterdir()):
        raise OutputError("the folder is not empty", remedy="choose another --out", source=work)
    return _read_all(store, _chosen(store, work / "model"), work / "labels", label, say)


def _chosen(store: Store, out: Path) -> Path:
    """The files of the chosen model."""
    kept = chosen(store)
    if kept is None:
        raise ConfigError(
            "no model is chosen", remedy="labelwright review models choose, or on the page Models"
        )
    get_model(store, kept.name, kept.version, out)
    return out


def _read_all(
    store: Store,
    model: Path,
    out: Path,
    label: Sequence[str],
    say: Callable[[str], None],
    *,
    number: int | None = None,
) -> runs.Taken:
    """All notes read by a model, its predictions taken in, the queue in their order."""
    notes = out.with_name("notes.jsonl")
    _write_notes(store, notes)
    command = ["label", str(notes), "--model", str(model), "--out", str(out), *label]
    if not form_of(store.label_set).kind.whole_text:
        command += ["--sections", "full"]  # places of evidence are those of the notes
    _run(command, out.parent, say)
    name = "" if number is None else f"round {number}"
    taken = runs.add_run(store, out, name=name, number=number)
    order.arrange(store)
    return taken


def _write_notes(store: Store, path: Path) -> None:
    with store.reading() as connection:
        rows = connection.execution_options(yield_per=PART).execute(
            select(note.c.ext, note.c.text, note.c.patient).order_by(note.c.id)
        )
        write_jsonl(
            path,
            (
                {"id": row.ext, "text": row.text}
                | ({} if row.patient is None else {"patient": row.patient})
                for row in rows
            ),
        )


def _run(command: Sequence[str], folder: Path, say: Callable[[str], None]) -> None:
    say(f"labelwright {' '.join(command)}")
    log = folder / f"{command[0]}.log"
    with open(log, "wb") as handle:
        log.chmod(0o600)
        code = process(command, handle)
    if code:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""]
        raise OutputError(
            f"labelwright {command[0]} ended with exit code {code}: {lines[-1][:300]}",
            remedy="see the log, fix it, and run the same command again",
            source=log,
        )


def process(command: Sequence[str], log: IO[bytes]) -> int:
    """Run a command of labelwright in a process of its own; returns its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "labelwright.cli", *command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        check=False,
    ).returncode
