"""The files of an index folder: its manifest, which of them count, and how damage is told.

Files are never changed once they stand: an addition, a deletion or a rebuild writes new ones
beside them and then replaces the manifest, which names every file that counts. What a killed
change leaves behind is not named there and is removed by the next change.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labelwright.errors import InputError, OutputError
from labelwright.io.jsonl import write_json, writing
from labelwright.io.manifest import sha256_file

FORMAT = 1
"""Version of the folder's layout."""
MANIFEST = "manifest.json"
JOB = "job.json"
LABEL_SET = "label_set.yaml"
REJECTS = "rejects.jsonl"
STATE = "embedder.safetensors"
VECTORS, TABLE, PART = ".npy", ".arrow", ".rejects.jsonl"
NUMBERED = re.compile(r"(?:ann-)?(\d{8})(\.npy|\.arrow|\.faiss|\.rejects\.jsonl)")
REBUILD = "build the index again"


@dataclass(frozen=True, slots=True)
class File:
    """A file that counts: name in the folder, size in bytes, SHA-256."""

    name: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> File:
        """The facts of a file on disk."""
        return cls(path.name, path.stat().st_size, sha256_file(path))


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows stored together: their vectors in one file, what belongs to them in another."""

    rows: int
    vectors: File
    table: File


@dataclass(frozen=True)
class Manifest:
    """All that an index folder says of itself.

    Attributes:
        generation: counts the changes; a new one with every addition, deletion or rebuild.
        embedder: what the embedder says its vectors depend on.
        parameters: of the kind of search.
        label_set: name and SHA-256 of the label set, empty without labels.
        sources: one entry per build or addition: what was read, and its counts.
        counts: ``in`` = ``indexed`` + ``rejected`` + ``deleted``.
        splits: rows by split, deleted ones left out; ``patients_unknown`` of them too.
        ann: the approximate search's own file, which the vectors can give again.
        state: what the embedder learned from the indexed reports.
        rejects_bytes: so much of ``rejects.jsonl`` counts.
    """

    generation: int
    embedder: Mapping[str, Any]
    dimension: int
    kind: str
    parameters: Mapping[str, Any]
    label_set: Mapping[str, str]
    sources: Sequence[Mapping[str, Any]]
    counts: Mapping[str, int]
    splits: Mapping[str, int]
    patients_unknown: int
    shards: Sequence[Shard]
    ann: File | None
    state: File | None
    rejects_bytes: int
    shard_rows: int
    versions: Mapping[str, str]
    changed: str

    def to_json(self) -> dict[str, Any]:
        """The content of ``manifest.json``."""
        return {"command": "index", "format": FORMAT, **asdict(self)}

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of an index folder.

        Raises:
            InputError: the folder holds no index, or one of another version.
        """
        value = _object(folder)
        if value.get("format") != FORMAT:
            raise InputError(
                f"the index has format {value.get('format')!r}; this version reads {FORMAT}",
                remedy=REBUILD,
                source=folder,
            )
        known: dict[str, Any] = {name: value.get(name) for name in cls.__dataclass_fields__}
        try:
            known["shards"] = [
                Shard(int(s["rows"]), File(**s["vectors"]), File(**s["table"]))
                for s in value["shards"]
            ]
            for name in ("ann", "state"):
                known[name] = None if value[name] is None else File(**value[name])
            return cls(**known)
        except (KeyError, TypeError, ValueError):
            raise InputError("the manifest is damaged", remedy=REBUILD, source=folder) from None

    @property
    def files(self) -> list[File]:
        """Every numbered file that counts, and the embedder's."""
        found = [f for s in self.shards for f in (s.vectors, s.table)]
        return [*found, *(f for f in (self.ann, self.state) if f is not None)]

    @property
    def rows(self) -> int:
        """Rows on disk, emptied ones too."""
        return sum(shard.rows for shard in self.shards)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that an answer depends on."""
        counted = [s.vectors.sha256 + s.table.sha256 for s in self.shards]
        parts = {
            "generation": self.generation,
            "shards": counted,
            "embedder": self.embedder,
            "kind": self.kind,
            "parameters": self.parameters,
            "label_set": self.label_set,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _object(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        if (folder / JOB).is_file():
            raise InputError(
                "the index is not finished",
                remedy="give the command that builds it again",
                source=folder,
            )
        raise InputError(
            "not an index folder" if folder.exists() else "no such index folder",
            remedy="make one with labelwright index build",
            source=folder,
        )
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        value = None
    if not isinstance(value, dict) or value.get("command") != "index":
        raise InputError(
            "the folder's manifest is not that of an index",
            remedy="make one with labelwright index build",
            source=folder,
        )
    return value


def check_sizes(folder: Path, manifest: Manifest) -> None:
    """Compare the size of every file with the manifest, of the embedder's state the digest too.

    Raises:
        InputError: a file is missing or differs.
    """
    for file in manifest.files:
        path = folder / file.name
        if not path.is_file():
            raise damaged(path, "is missing")
        if (found := path.stat().st_size) != file.bytes:
            raise damaged(path, f"has {found:,} bytes instead of {file.bytes:,}")
    state = manifest.state
    if state is not None and sha256_file(folder / state.name) != state.sha256:
        raise damaged(folder / state.name, "has changed")


def verify(folder: Path, manifest: Manifest) -> None:
    """Read every file and compare its SHA-256 with the manifest.

    Raises:
        InputError: a file is missing or differs.
    """
    check_sizes(folder, manifest)
    for file in manifest.files:
        if sha256_file(folder / file.name) != file.sha256:
            raise damaged(folder / file.name, "has changed")


def damaged(path: Path, how: str) -> InputError:
    """The error for a file of an index that cannot be used."""
    ann = path.suffix == ".faiss"
    again = "give labelwright index rebuild" if ann else f"restore it from a copy, or {REBUILD}"
    return InputError(f"a file of the index {how}", remedy=again, source=path)


def next_number(folder: Path) -> int:
    """A number that no file of the folder has."""
    found = (NUMBERED.fullmatch(path.name) for path in folder.iterdir())
    return max((int(match[1]) for match in found if match), default=-1) + 1


def commit(folder: Path, manifest: Manifest) -> None:
    """Make a change count, then remove what counts no longer.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_json(folder / MANIFEST, manifest.to_json())
    with writing(folder):
        (folder / JOB).unlink(missing_ok=True)
    remove_unnamed(folder, (file.name for file in manifest.files))


def remove_unnamed(folder: Path, kept: Iterable[str]) -> None:
    """Remove numbered and temporary files that are not among ``kept``; only with the lock held."""
    names = set(kept)
    with writing(folder):
        for path in folder.iterdir():
            torn = path.name.startswith(".") and path.name.endswith(".tmp")
            if torn or (NUMBERED.fullmatch(path.name) and path.name not in names):
                path.unlink()


def refuse_strange(folder: Path) -> None:
    """Refuse a folder that holds files of another origin than a build that indexed nothing.

    Raises:
        OutputError: it does.
    """
    known = {".lock", REJECTS, LABEL_SET, STATE}
    strange = [
        p.name for p in folder.iterdir() if p.name not in known and not p.name.endswith(".tmp")
    ]
    if strange:
        raise OutputError(
            f"the folder is not empty and holds no index ({sorted(strange)[0]})",
            remedy="choose another --out",
            source=folder,
        )
