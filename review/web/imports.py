"""Files with notes or predictions that an admin sends: taken in by a process of its own.

What runs is the command that a person would type; files of strangers are never read by the process
that serves the pages. One import runs at a time; the files are deleted when it has ended.
"""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

from starlette.responses import Response

from labelwright.errors import InputError
from labelwright.io.jsonl import PRIVATE, read_jsonl, write_json
from labelwright.io.manifest import sha256_file
from review import loop
from review.importing import REJECTS
from review.leftovers import IMPORTS, SENT
from review.store import events
from review.store.events import Happening
from review.store.store import Store, now
from review.web.site import Ask, DeniedError, Site
from review.web.uploads import Upload

_SHOWN, _LINES, _KEPT = 20, 8, 100
"""Imports on the page, lines of each one's output, rejects of the last."""
_FLAGS = ("id-column", "text-columns", "patient-column")


def show(ask: Ask) -> Response:
    """What was sent and what became of it."""
    store = ask.site.store
    folders = sorted((store.folder / IMPORTS).glob("*"), reverse=True)[:_SHOWN]
    told = [each for each in map(_read, folders) if each is not None]
    busy = ask.site.importing.locked()
    for each in told[busy:]:
        if each["state"] == "running":
            each["state"] = "broken off"
    return ask.page("imports.html", told=told, busy=busy, rejects=_rejects(store) if told else [])


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / "import.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _rejects(store: Store) -> list[dict[str, Any]]:
    try:
        return [row for _, row in islice(read_jsonl(store.folder / REJECTS), _KEPT)]
    except InputError:
        return []


def begin(ask: Ask) -> Response:
    """Take in what was sent.

    Raises:
        DeniedError: nothing was sent, or an import runs already.
    """
    upload, site = ask.upload, ask.site
    if upload is None or not upload.files:
        raise DeniedError(422, "choose a file first")
    if any(each.folders for each in upload.files):
        raise DeniedError(422, "send files, not a folder")
    if not site.importing.acquire(blocking=False):
        raise DeniedError(503, "another import runs; try again when it has ended", wait=10)
    try:
        folder, command, facts = _prepared(ask, upload)
    except BaseException:
        site.importing.release()
        raise
    Thread(target=_run, args=(site, folder, command, facts), name="import").start()
    return ask.go("/imports")


def _prepared(ask: Ask, upload: Upload) -> tuple[Path, list[str], dict[str, Any]]:
    store = ask.site.store
    at = now()
    folder = store.folder / IMPORTS / f"{at[:19].replace(':', '')}-{upload.folder.name}"
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700)
    sent = upload.folder.rename(folder / SENT)
    paths = [sent / each.name for each in upload.files]
    flags = [
        f"--{name}={value}" for name in _FLAGS if (value := upload.fields.get(name, "").strip())
    ]
    labeled = upload.fields.get("what") == "predictions"
    given = [f"--pred={path}" if labeled else str(path) for path in paths]
    command = ["review", "import", str(store.folder), *given, *flags]
    facts = {
        "at": at,
        "by": ask.who.name,
        "files": [each.name for each in upload.files],
        "state": "running",
        "lines": [],
    }
    write_json(folder / "import.json", facts, mode=PRIVATE)
    with store.writing() as connection:
        hashes = {"sha256": [sha256_file(path) for path in paths]}
        events.append(connection, Happening("files sent", ask.who.id, after=hashes))
    return folder, command, facts


def _run(site: Site, folder: Path, command: list[str], facts: dict[str, Any]) -> None:
    facts |= {"state": "failed"}
    try:
        log = folder / "log.txt"
        with open(log, "wb") as handle:
            log.chmod(PRIVATE)
            code = loop.process(command, handle)
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        facts |= {"state": "failed" if code else "done", "lines": lines[-_LINES:]}
    finally:
        try:
            shutil.rmtree(folder / SENT)
            write_json(folder / "import.json", facts, mode=PRIVATE)
        finally:
            site.importing.release()
