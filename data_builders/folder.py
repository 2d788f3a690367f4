"""The data folder: its files, and one process at a time that writes them whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from data_builders.splits.split import SPLITS
from labelwright.checkpoint import NORMALISE_FILE
from labelwright.errors import OutputError
from labelwright.io.jsonl import writing
from labelwright.io.lock import locked
from labelwright.tasks import every_kind

TRAIN = SPLITS[0]
MANIFEST = "manifest.json"
REJECTS = "rejects.jsonl"
CLASSES = "classes.csv"
LABEL_SET = "label_set.yaml"
NORMALISE = NORMALISE_FILE
CONLL = ".conll"


def names() -> tuple[str, ...]:
    """Every file that a build may write: for each split records, texts, what is known, and tags."""
    gold = dict.fromkeys(kind.gold_suffix for kind in every_kind())
    endings = (".jsonl", ".reports.jsonl", *gold, CONLL)
    whole = (MANIFEST, REJECTS, CLASSES, LABEL_SET, NORMALISE)
    return (*whole, *(split + ending for split in SPLITS for ending in endings))


@contextmanager
def output_folder(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Make the folder, or take an old one, for this process alone.

    A build that fails leaves no part of itself behind, nor a folder made in vain, so the same
    command can be given again.

    Raises:
        OutputError: it holds files of a build and ``overwrite`` is off, another build is
            writing there, or it cannot be written.
    """
    made = not path.exists()
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    try:
        with locked(path):
            there = [name for name in names() if (path / name).exists()]
            if there and not overwrite:
                raise OutputError(
                    f"the folder already holds {there[0]}",
                    remedy="choose another --out, or replace the build there with --overwrite",
                    source=path,
                )
            _remove_torn_files(path)
            try:
                yield path
            except BaseException:
                if not (path / MANIFEST).exists():  # the earlier build is already gone
                    with suppress(OutputError):
                        clear(path)
                raise
    except BaseException:
        if made and not any(path.iterdir()):
            path.rmdir()
        raise


def _remove_torn_files(folder: Path) -> None:
    """Remove temporary files that a killed build left behind; only with the lock held."""
    with writing(folder):
        for name in names():
            for torn in folder.glob(f".{name}.*.tmp"):
                torn.unlink()


def clear(folder: Path) -> None:
    """Remove an earlier build, its manifest first, so that no mixture passes for a whole one."""
    with writing(folder):
        for name in names():
            (folder / name).unlink(missing_ok=True)
