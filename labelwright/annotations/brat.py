"""Writes BRAT folders: ``ID.txt`` and ``ID.ann`` for every report, and ``annotation.conf``.

A report's file stands in subfolders where its id has slashes. The folder appears when all is
written.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from labelwright.annotations.writing import Written, count, count_plain, one_word, placed
from labelwright.errors import OutputError
from labelwright.io.jsonl import PRIVATE, writing
from labelwright.records import Certainty, Entity, Report, in_order

NAME = "notes"
LAYOUT, MARK = "brat", "\0"
ATTRIBUTES = {
    Certainty.NEGATIVE: "Negation {}",
    Certainty.UNCERTAIN: "Speculation {}",
    Certainty.POSITIVE: "Certainty {} positive",
    Certainty.BLANK: "Certainty {} blank",
}
"""How certainties are written, in a mention's attribute line."""

_BREAKS = re.compile("[\t\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
_ODD = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_NAME = 200
"""Bytes of a file's name; file systems take 255 with the suffix and what they add."""
_CONF = """[entities]
{types}
[relations]

[events]

[attributes]
Negation\tArg:<ENTITY>
Speculation\tArg:<ENTITY>
Certainty\tArg:<ENTITY>, Value:positive|blank
"""


class BratWriter:
    """Writes into a folder that is there already; see :func:`open_folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.written = Written()

    def write(self, report: Report, entities: Sequence[Entity] | None) -> Counter[str]:
        """Write the report's two files, or its text alone if nothing is known of entities.

        What ``Report.meta`` keeps of an annotation file is written too, if the entities are
        still those that it was read with.

        Raises:
            OutputError: two ids give the same file, or two types the same name.
        """
        kept, left = placed(report.text, entities or ())
        stem = self._folder / self._path(report.id)
        with writing(stem):
            stem.parent.mkdir(parents=True, exist_ok=True)
            self._file(stem, ".txt", report.text)
            if entities is not None:
                lines = self._as_read(report, entities) or self._lines(in_order(kept))
                self._file(stem, ".ann", "".join(f"{line}\n" for line in lines))
        count(self.written, report, len(kept), left, patient=False)
        count_plain(self.written, kept, certainty=False)
        return left

    def finish(self) -> None:
        """Write the configuration that brat needs to show the types."""
        types = "".join(f"{name}\n" for name in sorted(self.written.types))
        with writing(self._folder), _created(self._folder / "annotation.conf") as handle:
            handle.write(_CONF.format(types=types))

    def _file(self, stem: Path, suffix: str, text: str) -> None:
        try:
            with _created(stem.with_name(stem.name + suffix)) as handle:
                handle.write(text)
        except FileExistsError:
            raise OutputError(
                "two reports would have the same file",
                remedy="give the reports ids that differ in more than control characters",
                source=stem.with_name(stem.name + suffix),
            ) from None

    def _path(self, identifier: str) -> str:
        path = "/".join(_file_name(part) for part in identifier.split("/"))
        if path != identifier:
            self.written.changed["ids written otherwise"] += 1
        return path

    def _as_read(self, report: Report, entities: Sequence[Entity]) -> list[str] | None:
        """The lines of the file that the report came from; ``None`` if they do not fit."""
        layout = report.meta.get(LAYOUT)
        if layout is None:
            return None
        lines = layout.split("\n") if layout else []
        places = [line.partition(MARK)[2] for line in lines if MARK in line]
        fits = tuple(entities) == report.entities
        if not fits or sorted(places) != sorted(map(str, range(len(entities)))):
            self.written.changed["other annotations left out"] += len(lines) - len(places)
            return None
        found = []
        for line in lines:
            name, mark, place = line.partition(MARK)
            found.append(self._mention(name, entities[int(place)]) if mark else line)
        return found

    def _lines(self, entities: Sequence[Entity]) -> list[str]:
        mentions: list[str] = []
        attributes: list[str] = []
        for number, entity in enumerate(entities, 1):
            mentions.append(self._mention(f"T{number}", entity))
            if entity.certainty is not None:
                attribute = ATTRIBUTES[entity.certainty].format(f"T{number}")
                attributes.append(f"A{len(attributes) + 1}\t{attribute}")
        return mentions + attributes

    def _mention(self, name: str, entity: Entity) -> str:
        kind = one_word(self.written, entity.type, self._folder)
        spans = ";".join(f"{start} {end}" for start, end in entity.spans)
        return f"{name}\t{kind} {spans}\t{_BREAKS.sub(' ', entity.text)}"


@contextmanager
def open_folder(path: Path, *, scheme: str | None = None) -> Iterator[BratWriter]:  # noqa: ARG001
    """A writer to a new folder, which is there, whole, when the context ends without an error.

    Raises:
        OutputError: the folder holds something already, or cannot be written.
    """
    with writing(path):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise OutputError(
                "there is something already", remedy="choose another folder", source=path
            )
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with writing(path):
            temporary.mkdir()
        writer = BratWriter(temporary)
        yield writer
        writer.finish()
        with writing(path):
            temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def _created(path: Path) -> Iterator[TextIO]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as handle:
        yield handle


def _file_name(part: str) -> str:
    """A part of an id as a file's name that is found again, not hidden and not too long."""
    name = _ODD.sub(lambda match: f"%{ord(match[0]):02X}", part) or "%"
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name.encode()) > _LONGEST_NAME:
        digest = hashlib.sha256(part.encode()).hexdigest()[:16]
        name = f"{name.encode()[:150].decode(errors='ignore')}%{digest}"
    return name
