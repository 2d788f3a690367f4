"""The model store: folders of trained models, kept by the hash of what is in them.

A model is taken in only if every file of it is one that a model folder needs: weights in
safetensors whose header is sound, and texts. Nothing is unpacked to a place that a name chooses, no
pickle is let in, and what was stored is hashed again before it is given out. The store is a folder
or any S3 server; versions are ours (``NAME/SHA256/file``), so the server needs to know none.

A tar file is unpacked without trust in what it says: a few kilobytes can unpack to more than any
disk or memory holds: by files of zeros, by folders without number, by headers that name a length of
gigabytes, which are read whole. So what is read is bounded twice: each header by :data:`HEADER`,
and all files together by half of the free disk.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import tarfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sqlalchemy import select

from labelwright.errors import CheckpointError, ConfigError, InputError, MissingExtraError
from labelwright.io.jsonl import writing
from labelwright.io.lock import LOCK_FILE
from labelwright.io.manifest import sha256_file
from review.leftovers import passing
from review.store import events
from review.store.events import Happening
from review.store.store import Store, now
from review.store.tables import model

LARGEST, MOST_FILES = 40 << 30, 300
"""Bytes and files of a model."""
HEADER = 64 << 10
"""Bytes that may be read from one file of an archive to the next."""


class UnsoundError(Exception):
    """A tar file that is refused, with the reason."""


class _Bounded:
    """A file that gives no more than it is allowed to at the moment."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.left = file, 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.left:
            raise UnsoundError("a header of it is too large")
        found = self._file.read(size)
        self.left -= len(found)
        return found

    def seek(self, at: int) -> int:
        if abs(at - self._file.tell()) > HEADER:
            raise UnsoundError("a header of it is too large")
        return self._file.seek(at)

    def tell(self) -> int:
        return self._file.tell()


def unpack(source: Path, folder: Path, allowed: Collection[str]) -> None:
    """Unpack a tar file, plain or with gzip, whose files have allowed suffixes.

    Raises:
        UnsoundError: it holds anything else, is damaged, or unpacks to too much.
    """
    try:
        with open(source, "rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file: Any = gzip.GzipFile(fileobj=raw) if packed else raw
            _unpack(_Bounded(file), folder, allowed)
    except (tarfile.TarError, EOFError, OSError, ValueError, RecursionError, zlib.error) as error:
        raise UnsoundError(f"it cannot be unpacked ({type(error).__name__})") from None


def _unpack(file: _Bounded, folder: Path, allowed: Collection[str]) -> None:
    room = min(LARGEST, shutil.disk_usage(folder).free // 2)
    count = 0
    file.left = HEADER
    with tarfile.open(fileobj=file, mode="r:") as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            path = PurePosixPath(member.name)
            count += 1
            if count > MOST_FILES:
                raise UnsoundError("it is too large")
            if not member.isdir():
                _allowed(member, path, allowed)
                room -= member.size
                if room < 0:
                    raise UnsoundError("it is too large, or the disk too full")
                file.left = member.size + HEADER
                tar.extract(member, folder, filter="data")
            file.left = HEADER


def _allowed(member: tarfile.TarInfo, path: PurePosixPath, allowed: Collection[str]) -> None:
    if not member.isfile() or member.issparse() or member.size < 0:
        raise UnsoundError(f"{path.name} is no plain file")
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        raise UnsoundError("a file would lie outside the folder")
    if path.suffix.lower() not in allowed:
        raise UnsoundError(f"{path.name} is no file of a model folder")


ALLOWED = frozenset(
    {".safetensors", ".json", ".jsonl", ".yaml", ".txt", ".csv", ".svg", ".md", ".jinja", ".model"}
)
"""Suffixes of files of a model folder; ``.model`` is a tokenizer of SentencePiece: data."""
NEEDED = "label_set.yaml"
LARGEST_TEXT = 8 << 20
"""Bytes of a configuration or of a header of weights, which are read whole."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Kept:
    """A model in the store."""

    name: str
    version: str
    files: dict[str, str]
    size: int
    added: str
    chosen: bool


def add_model(store: Store, name: str, source: Path, person: int | None = None) -> Kept:
    """Take a model folder, or a tar file of one, into the store.

    Raises:
        ConfigError: the name cannot be used.
        CheckpointError: something in it is no part of a model, or unsound.
    """
    if not _NAME.match(name):
        raise ConfigError(
            "a model's name has 1 to 64 letters, digits and ._-", remedy="choose another name"
        )
    with _unpacked(store, source) as folder:
        files = {path.relative_to(folder).as_posix(): path for path in _files(folder, source)}
        check_model(files, source)
        hashes = {each: sha256_file(path) for each, path in sorted(files.items())}
        version = _version(hashes)
        size = sum(path.stat().st_size for path in files.values())
        place = _place(store)
        for each, path in files.items():
            place.put(f"{name}/{version}/{each}", path)
    with store.writing() as connection:
        known = connection.execute(
            select(model.c.id).where(model.c.name == name, model.c.version == version)
        ).one_or_none()
        if known is None:
            connection.execute(
                model.insert().values(
                    name=name,
                    version=version,
                    files=json.dumps(hashes),
                    size=size,
                    added=now(),
                    chosen=False,
                )
            )
            after = {"model": name, "version": version}
            events.append(connection, Happening("model added", person, after=after))
    return next(each for each in models(store) if (each.name, each.version) == (name, version))


def models(store: Store) -> list[Kept]:
    """All models, the newest last."""
    with store.reading() as connection:
        rows = connection.execute(select(model).order_by(model.c.id)).all()
    return [
        Kept(row.name, row.version, json.loads(row.files), row.size, row.added, bool(row.chosen))
        for row in rows
    ]


def choose(store: Store, name: str, version: str, person: int | None = None) -> Kept:
    """Make one version the model that labels.

    Args:
        version: its hash, or the first characters of it.

    Raises:
        InputError: there is no such model, or more than one.
    """
    kept = _one(store, name, version)
    with store.writing() as connection:
        connection.execute(model.update().values(chosen=False))
        connection.execute(
            model.update()
            .where(model.c.name == kept.name, model.c.version == kept.version)
            .values(chosen=True)
        )
        after = {"model": kept.name, "version": kept.version}
        events.append(connection, Happening("model chosen", person, after=after))
    return kept


def get_model(store: Store, name: str, version: str, out: Path) -> Kept:
    """Write a model into a folder, every file compared with its hash.

    Raises:
        InputError: there is none, or a file in the store is another than was put there.
    """
    kept = _one(store, name, version)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = _place(store)
    for each, digest in kept.files.items():
        target = out / each
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            place.get(f"{kept.name}/{kept.version}/{each}", target)
        if sha256_file(target) != digest:
            target.unlink()
            raise InputError(
                f"{each} in the model store is not what was put there",
                remedy="add the model again from a trusted copy",
            )
    return kept


def chosen(store: Store) -> Kept | None:
    """The model that labels."""
    return next((each for each in models(store) if each.chosen), None)


def _one(store: Store, name: str, version: str) -> Kept:
    found = [
        each for each in models(store) if each.name == name and each.version.startswith(version)
    ]
    if len(found) != 1:
        raise InputError(
            f"{len(found)} models fit {name} {version}".strip(),
            remedy="see labelwright review models list, and give more of the version",
        )
    return found[0]


def _version(hashes: dict[str, str]) -> str:
    whole = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(whole.encode()).hexdigest()


# What a model may consist of


def check_model(files: dict[str, Path], source: Path) -> None:
    """Refuse what is no model folder of labelwright.

    Raises:
        CheckpointError: with the file and the reason.
    """
    if NEEDED not in files:
        raise _bad(f"{NEEDED} is missing", source)
    if not any(name.endswith(".safetensors") for name in files):
        raise _bad("it has no weights in safetensors", source)
    for name, path in files.items():
        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in ALLOWED:
            raise _bad(f"{name} is no file of a model folder", source)
        if suffix == ".safetensors":
            _check_weights(name, path, source)
        elif name.endswith("config.json"):
            _check_config(name, path, source)


def _check_weights(name: str, path: Path, source: Path) -> None:
    """The header of safetensors: its length, its JSON, and every tensor inside the file."""
    from safetensors import SafetensorError, safe_open

    with open(path, "rb") as handle:
        if int.from_bytes(handle.read(8), "little") > LARGEST_TEXT:
            raise _bad(f"{name} is no sound safetensors file", source)
    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError, ValueError):
        raise _bad(f"{name} is no sound safetensors file", source) from None


def _check_config(name: str, path: Path, source: Path) -> None:
    """No model that brings its own code."""
    if path.stat().st_size > LARGEST_TEXT:
        raise _bad(f"{name} is too large", source)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise _bad(f"{name} is no JSON", source) from None
    if isinstance(value, dict) and ("auto_map" in value or value.get("custom_pipelines")):
        raise _bad(f"{name} asks for code of its own", source)


def _files(folder: Path, source: Path) -> Iterator[Path]:
    total = count = 0
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            raise _bad(f"{path.name} is a link", source)
        if path.is_dir() or path.name == LOCK_FILE:
            continue  # checkpoints and logs of the training: no part of the model
        if not path.is_file():
            raise _bad(f"{path.name} is no plain file", source)
        count += 1
        total += path.stat().st_size
        if count > MOST_FILES or total > LARGEST:
            raise _bad("it is too large", source)
        yield path


@contextmanager
def _unpacked(store: Store, source: Path) -> Iterator[Path]:
    """The folder, or a tar file's contents in a folder of their own for the time."""
    if source.is_dir():
        yield source
        return
    if not source.is_file():
        raise CheckpointError("no such model", remedy="give a folder or a tar file", source=source)
    with passing(store) as folder:
        try:
            unpack(source, folder, ALLOWED)
        except UnsoundError as unsound:
            raise _bad(str(unsound), source) from None
        inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
        yield inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _bad(what: str, source: Path) -> CheckpointError:
    return CheckpointError(
        what[:200],
        remedy="give a folder that labelwright train wrote: safetensors, JSON, YAML and text",
        source=source,
    )


# Where models are


class _Place:
    """A folder or a bucket, by one interface (obstore)."""

    def __init__(self, address: str) -> None:
        try:
            import obstore
            from obstore.store import from_url
        except ModuleNotFoundError:
            raise MissingExtraError("obstore", "an S3 server", "review-s3") from None
        self._obstore = obstore
        self._at: Any = from_url(address)

    def put(self, key: str, path: Path) -> None:
        with open(path, "rb") as handle:
            self._obstore.put(self._at, key, handle)

    def get(self, key: str, target: Path) -> None:
        answer = self._obstore.get(self._at, key)
        with open(target, "wb") as handle:
            for part in answer.stream(min_chunk_size=8 << 20):
                handle.write(part)


class _Folder:
    """A folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, path: Path) -> None:
        target = self._folder / key
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = target.with_name(f".{target.name}.part")
            shutil.copyfile(path, part)
            part.chmod(0o600)
            part.replace(target)

    def get(self, key: str, target: Path) -> None:
        source = self._folder / key
        if not source.is_file():
            raise InputError("a file of the model is missing in the store", source=source)
        shutil.copyfile(source, target)


def _place(store: Store) -> _Place | _Folder:
    address = store.models
    if "://" in address:
        return _Place(address)
    return _Folder(store.folder / address)
