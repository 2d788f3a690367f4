"""Where labels came from: manifests of labeling runs, and what the gold shares with training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.read.aligned import prediction_file
from labelwright.errors import InputError
from labelwright.io.jsonl import read_jsonl
from labelwright.io.manifest import sha256_file

MANIFEST = "manifest.json"
TRAINING = ("train", "validation")
GENERATIVE = "generative"


@dataclass(frozen=True, eq=False)
class Source:
    """One prediction file and what its run recorded.

    Attributes:
        manifest: of the run that wrote the file; ``None`` where there is none beside it, or
            where the one beside it does not name this file's SHA-256.
        stale: whether there is such a manifest of another file.
    """

    name: str
    path: str
    sha256: str
    manifest: Mapping[str, Any] | None
    stale: bool = False

    @property
    def labeler(self) -> Mapping[str, Any]:
        """What the labeler said of itself; empty without a manifest."""
        found = (self.manifest or {}).get("labeler")
        return found if isinstance(found, dict) else {}

    @property
    def generative(self) -> bool:
        """Whether a language model wrote the labels, as far as the manifest says."""
        return self.labeler.get("kind") == GENERATIVE

    @property
    def prompt(self) -> str:
        """The prompt, verbatim; empty where none was recorded."""
        return str(self.labeler.get("prompt") or "")

    @property
    def model(self) -> str:
        """The model's name, origin and hash in words; empty where no name was recorded."""
        known = self.labeler
        name, base = (str(known.get(key) or "") for key in ("name", "base_model"))
        words = f"{name}, fine-tuned from {base}" if base and base != name else name
        digest = str(known.get("model_sha256") or "")
        return f"{words} (SHA-256 {digest[:12]}…)" if words and digest else words

    @property
    def decoding(self) -> str:
        """Decoding settings in words; empty where none were recorded."""
        found = self.labeler.get("decoding")
        if not isinstance(found, dict):
            return ""
        return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in found.items())

    @property
    def counts(self) -> Mapping[str, Any]:
        """Rows in, labeled and rejected; empty without a manifest."""
        found = (self.manifest or {}).get("counts")
        return found if isinstance(found, dict) else {}

    def facts(self) -> list[tuple[str, str]]:
        """Everything recorded, as rows of name and value; the prompt stands apart."""
        rows = [("file", self.path), ("SHA-256 of the file", self.sha256)]
        if self.manifest is None:
            return [*rows, ("manifest", "none that belongs to this file")]
        rows += _flat(self.labeler, skip=("prompt",))
        for part in ("options", "counts", "problems", "versions"):
            rows += _flat(self.manifest.get(part) or {}, prefix=part)
        for index, item in enumerate(self.manifest.get("inputs") or [], 1):
            rows += _flat(item, prefix=f"input {index}")
        rows += _flat({k: self.manifest[k] for k in ("finished", "seconds") if k in self.manifest})
        return rows


@dataclass(frozen=True)
class Independence:
    """What the gold shares with the reports a model was trained on.

    ``patients`` is ``None`` where the gold's patients are not known.
    """

    folder: str
    reports: int
    shared_ids: int
    shared_patients: int | None

    @property
    def clean(self) -> bool:
        """Whether nothing is shared."""
        return not self.shared_ids and not self.shared_patients

    @property
    def finding(self) -> str:
        """The finding in a sentence."""
        patients = (
            "patients not known"
            if self.shared_patients is None
            else f"{self.shared_patients} shared patients"
        )
        return (
            f"{self.reports} training and validation reports in {self.folder}: "
            f"{self.shared_ids} shared ids, {patients}"
        )


def read_source(name: str, path: str | Path) -> Source:
    """A labeler's file or files, and the manifest that lies beside it.

    A manifest counts only if it names the file's own SHA-256, so that a file that was edited
    or replaced after the run is not described by it. A folder of annotated files has none; its
    digest is that of all of them.

    Raises:
        InputError: a file or its manifest cannot be read.
    """
    file = prediction_file(path)
    if file.is_dir():
        every = hashlib.sha256()
        for each in sorted(p for p in file.rglob("*") if p.is_file()):
            every.update(f"{each.relative_to(file).as_posix()}\0{sha256_file(each)}\n".encode())
        return Source(name, str(path), every.hexdigest(), None)
    digest = sha256_file(file)
    manifest = _manifest(file.parent / MANIFEST)
    outputs = (manifest or {}).get("outputs")
    known = isinstance(outputs, dict) and outputs.get(file.name) == digest
    stale = manifest is not None and not known
    return Source(name, str(path), digest, manifest if known else None, stale)


def source_notices(sources: Sequence[Source], label_set_sha256: str) -> list[str]:
    """What does not fit together between files, manifests and the label set."""
    found = [
        f"The manifest beside {s.name}'s predictions belongs to another state of the file and "
        "was not used."
        for s in sources
        if s.stale
    ]
    for s in sources:
        used = (s.manifest or {}).get("label_set_sha256")
        if used and used != label_set_sha256:
            found.append(
                f"{s.name} was labeled with another text of the label set than the one given here."
            )
    return found


def independence(
    folder: str | Path, ids: Sequence[str], patients: Sequence[str] | None
) -> Independence:
    """Compare the gold with the training and validation reports of a data folder.

    Raises:
        InputError: the folder has no ``train.reports.jsonl``.
    """
    root = Path(folder)
    gold, known = set(ids), None if patients is None else set(patients)
    reports = shared = 0
    people: set[str] = set()
    for split in TRAINING:
        path = root / f"{split}.reports.jsonl"
        if split != TRAINING[0] and not path.exists():
            continue
        for _, row in read_jsonl(path):
            reports += 1
            shared += str(row.get("id")) in gold
            if known and row.get("patient") in known:
                people.add(str(row["patient"]))
    return Independence(str(folder), reports, shared, None if known is None else len(people))


def _manifest(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise InputError(
            "the manifest is damaged", remedy="label again, or remove this file", source=path
        )
    return value


def _flat(
    value: Mapping[str, Any], *, prefix: str = "", skip: Sequence[str] = ()
) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, item in value.items():
        name = f"{prefix} · {key}" if prefix else str(key)
        name = name.replace("_", " ").replace("sha256", "SHA-256")
        if key in skip or item in (None, "", {}, []):
            continue
        if isinstance(item, dict):
            rows += _flat(item, prefix=name)
        elif isinstance(item, list):
            rows.append((name, ", ".join(map(str, item))))
        else:
            rows.append((name, str(item)))
    return rows
