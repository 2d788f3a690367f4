"""Finished notes as files that ``build`` and ``eval`` read; the same state gives the same bytes.

``notes.jsonl`` holds the texts, the gold file beside it the values, both sorted by id. Notes of the
random share, and others of the same patients, go to files of their own: models are measured on
them, so none may learn from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError, OutputError
from labelwright.io.jsonl import atomic_write, dumps, write_json, writing
from labelwright.io.manifest import sha256_file
from review.kinds.forms import form_of
from review.store import events, gold, people, phrases
from review.store.gold import Final
from review.store.store import Store

PARTS = ("train", "random")
"""Notes that were chosen, and the random share."""


@dataclass
class Exported:
    """Counts of an export, by part."""

    notes: dict[str, int] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)


def export(
    store: Store,
    out: Path,
    *,
    person: str = "",
    overwrite: bool = False,
    seen: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Write the finished notes.

    Args:
        person: whose annotations; empty for what counts in the end.
        seen: told how many notes were written.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
        ConfigError: there is nobody of this name, or nothing is finished.
    """
    form = form_of(store.label_set)
    _ready(out, overwrite=overwrite)
    counts = Exported(dict.fromkeys(PARTS, 0), dict.fromkeys(PARTS, 0))
    with store.reading() as connection:
        if person and people.find_person(connection, person) is None:
            raise ConfigError(f"there is no {person}", remedy="see labelwright review user list")
        held = _held(connection)
        with ExitStack() as stack:
            writers = {name: _Writer(stack, out, name, store) for name in PARTS}
            for final in gold.finals(connection, person):
                part = "random" if final.blind or final.patient in held else "train"
                if part == "random" and not final.blind:
                    # Of a patient of the random share, but chosen: neither learned nor measured.
                    counts.notes["left out"] = counts.notes.get("left out", 0) + 1
                    continue
                writers[part].add(final, form.value(final.items, final.text))
                counts.notes[part] += 1
                counts.items[part] += len(final.items)
                seen(1)
        number, digest = events.head(connection)
    if not sum(counts.notes.values()):
        raise ConfigError("no note is finished", remedy="annotate first, and adjudicate")
    told = {"annotator": person or None, "counts": {"notes": counts.notes, "items": counts.items}}
    _finish(store, out, "review export", told | {"last_event": {"number": number, "hash": digest}})
    return counts


def export_silver(store: Store, out: Path, *, overwrite: bool = False) -> dict[str, int]:
    """Write what a labeler marked, after verdicts on its phrases, as notes for ``build``.

    Notes with a phrase that nobody decided are left out, and so is the random share.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
        ConfigError: no phrase is decided.
    """
    form = form_of(store.label_set)
    _ready(out, overwrite=overwrite)
    counts = {"notes": 0, "items": 0, "left out": 0}
    with store.reading() as connection, atomic_write(out / "silver.jsonl") as handle:
        for each in phrases.silver(connection):
            if each.items is None:
                counts["left out"] += 1
                continue
            row: dict[str, Any] = {"id": each.ext, "text": each.text}
            if each.patient is not None:
                row["patient"] = each.patient
            value = form.value(each.items, each.text)
            row[form.kind.row_key] = form.kind.to_json(value)
            handle.write(dumps(row) + "\n")
            counts["notes"] += 1
            counts["items"] += len(each.items)
        if not counts["notes"]:
            raise ConfigError("no note has all its phrases decided", remedy="decide more of them")
    _finish(store, out, "review export --silver", {"counts": counts})
    return counts


def _finish(store: Store, out: Path, command: str, told: Mapping[str, Any]) -> None:
    """The label set, and last the manifest."""
    with atomic_write(out / "label_set.yaml", mode=0o644) as handle:
        handle.write(store.label_set.text)
    files = sorted(path for path in out.iterdir() if path.name != "manifest.json")
    named = {"label_set": store.label_set.name, "label_set_sha256": store.label_set.fingerprint}
    hashes = {"files": {path.name: sha256_file(path) for path in files}}
    write_json(out / "manifest.json", {"command": command, **named, **told, **hashes})


class _Writer:
    """The two files of a part."""

    def __init__(self, stack: ExitStack, out: Path, name: str, store: Store) -> None:
        form = form_of(store.label_set)
        self._notes = stack.enter_context(atomic_write(out / f"{name}.jsonl"))
        target = out / f"{name}{form.kind.gold_suffix}"
        self._gold = form.kind.gold_writer(
            stack.enter_context(atomic_write(target)), store.label_set
        )
        self._marks = form.mode == "marks"
        self._kind = form.kind

    def add(self, final: Final, value: Any) -> None:
        row: dict[str, Any] = {"id": final.ext, "text": final.text}
        if final.patient is not None:
            row["patient"] = final.patient
        if self._marks:
            row[self._kind.row_key] = self._kind.to_json(value)
        self._notes.write(dumps(row) + "\n")
        self._gold(final.ext, value)


def _held(connection: Any) -> frozenset[str]:
    """Patients with a note of the random share."""
    from sqlalchemy import select

    from review.store.tables import note, queue

    rows = connection.scalars(
        select(note.c.patient)
        .join(queue, queue.c.note == note.c.id)
        .where(queue.c.blind, note.c.patient.is_not(None))
        .distinct()
    )
    return frozenset(rows)


def _ready(out: Path, *, overwrite: bool) -> None:
    """An empty folder, or one of an earlier export."""
    with writing(out):
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        there = {path.name for path in out.iterdir()}
    if there and ("manifest.json" not in there or not overwrite):
        remedy = "give --overwrite to replace it" if "manifest.json" in there else "choose another"
        raise OutputError("the folder is not empty", remedy=remedy, source=out)
    (out / "manifest.json").unlink(missing_ok=True)
