"""The manifest that stands beside every output: what went in, what ran, what came out."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from labelwright.errors import InputError
from labelwright.version import __version__

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, read in pieces.

    Raises:
        InputError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", remedy="check the path", source=path
        ) from None
    return digest.hexdigest()


def sha256_folder(folder: str | Path) -> str:
    """SHA-256 over the names and contents of all files below a folder."""
    digest = hashlib.sha256()
    root = Path(folder)
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix()
        digest.update(f"{name}\0{sha256_file(path)}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def sha256_model(folder: str | Path) -> str:
    """One SHA-256 over a model folder's weights and settings, file names included.

    Training state, logs and the model card are left out: they do not change an answer. So is
    what was fitted to this very model afterwards, which names the model by this hash.
    """
    digest = hashlib.sha256()
    root = Path(folder)
    kept = {".safetensors", ".json", ".yaml", ".jinja", ".txt", ".model"}
    skipped = {
        "trainer_state.json",
        "all_results.json",
        "train_results.json",
        "manifest.json",
        "run.json",
        "calibration.json",
        "second_reader.json",
    }
    for path in sorted(root.iterdir()):
        if path.is_file() and path.suffix in kept and path.name not in skipped:
            digest.update(f"{path.name}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def inputs(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """Path, size in bytes and SHA-256 of every input file."""
    return [
        {"path": str(path), "bytes": Path(path).stat().st_size, "sha256": sha256_file(path)}
        for path in paths
    ]


def versions(*only: str) -> Mapping[str, str]:
    """Versions of labelwright, Python and the installed packages that shape an answer.

    Args:
        only: those to give; all if none is named.
    """
    return {name: found for name, found in _versions().items() if not only or name in only}


@cache
def _versions() -> Mapping[str, str]:
    found = {"labelwright": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
