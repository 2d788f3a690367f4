"""The same command again on a finished folder, answered without loading any model.

The manifest keeps a digest of the command, its flags, and how every file that they name and all of
labelwright itself looked (inode, size, times). Where anything differs the usual way decides, which
compares contents.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelwright.io.jsonl import write_json
from labelwright.io.manifest import versions
from labelwright.options import Options

_NO_CHOICE = frozenset({"out", "workers", "settings", "spread"})
_ELSEWHERE = ("server", "index", "retry_rejects", "dry_run", "also", "ray_actors")
"""Flags with which the result depends on more than files that are named, or more is to be done."""
_MODELS = ("model", "second_reader")
_BY_RULE = (None, "rules", "none")
REQUEST = "request"


def request_of(*options: Options) -> str | None:
    """The digest of a command; ``None`` where it depends on more than files that are here."""
    told = {k: v for each in options for k, v in vars(each).items()}
    given = {k: v for k, v in told.items() if k not in _NO_CHOICE}
    if any(given.get(name) for name in _ELSEWHERE):
        return None
    for model in (given.get(name) for name in _MODELS):
        if model not in _BY_RULE and not _whole_folder(Path(str(model))):
            return None
    own = Path(__file__).parents[3]
    trees = [own / name for name in ("labelwright", "inference", "baselines")]
    for value in given.values():
        trees += [path for path in _paths(value) if path.exists()]
    facts = [sorted((k, repr(v)) for k, v in given.items()), dict(versions())]
    marks = [sorted(_marks(tree)) for tree in trees]
    return hashlib.sha256(json.dumps([facts, marks]).encode()).hexdigest()


def finished(out: Path, request: str) -> dict[str, Any] | None:
    """The manifest of a folder that this very command finished, with all its files there."""
    try:
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(manifest, dict) or manifest.get(REQUEST) != request:
        return None
    left = any((out / name).exists() for name in ("job.json", "parts", "retry"))
    outputs = manifest.get("outputs")
    if left or not isinstance(outputs, dict) or not all((out / n).is_file() for n in outputs):
        return None
    return manifest


def remember(out: Path, request: str) -> None:
    """Let the manifest of a finished folder tell this command again.

    Raises:
        OutputError: it cannot be written.
    """
    path = out / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if manifest.get(REQUEST) != request:
        write_json(path, manifest | {REQUEST: request})


def _whole_folder(path: Path) -> bool:
    """Whether a model lies in a folder alone: an adapter's base may stand elsewhere."""
    return path.is_dir() and not (path / "adapter_config.json").exists()


def _paths(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, str) and value and len(value) < 1000 and "\0" not in value:
        yield Path(value)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _paths(each)


def _marks(path: Path) -> Iterator[tuple[str, int, int, int, int]]:
    files = (p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if file.suffix != ".pyc":
            s = file.stat()
            yield str(file), s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns
