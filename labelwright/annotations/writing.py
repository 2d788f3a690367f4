"""What all writers of annotated reports share: what they can write, and counts of the rest."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, Self

from labelwright.annotations.offsets import inside
from labelwright.errors import OutputError
from labelwright.io.jsonl import atomic_write, dumps
from labelwright.records import Entity, Report

NOWHERE = "not in the text"
OUTSIDE = "offsets that do not fit the text"
DISCONTINUOUS = "discontinuous"
OVERLAPPING = "overlapping another"
NO_CERTAINTY = "certainties left out"
NO_PROB = "probabilities left out"
NO_PATIENT = "patients left out"
TRIMMED = "white space trimmed at the edges of mentions"
RENAMED = "types written otherwise"
NO_META = "reports whose metadata are left out"
LAYOUTS = ("brat", "conll", "conll_scheme")
"""Keys of ``Report.meta`` that say how a file looked; each writer knows its own."""


@dataclass(slots=True)
class Written:
    """What was written.

    Attributes:
        reports: how many, those without annotations included.
        entities: how many mentions.
        left_out: mentions that the format cannot hold, by reason.
        changed: what else was written otherwise, by kind.
        types: the names of the types as written, with the names that they had.
    """

    reports: int = 0
    entities: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    types: dict[str, str] = field(default_factory=dict)


class Writer(Protocol):
    """Writes reports, one after another, into an output that appears when all are written."""

    written: Written

    def write(self, report: Report, entities: Sequence[Entity] | None) -> Counter[str]:
        """Write one report; return why which number of its mentions was left out.

        Args:
            entities: its mentions; ``None`` if nothing is known of them.
        """


class LineWriter(ABC):
    """Writes a line of JSON for each report into an open file."""

    def __init__(self, handle: IO[Any]) -> None:
        self._handle = handle
        self.written = Written()

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, scheme: str | None = None) -> Iterator[Self]:  # noqa: ARG003
        """A writer to a file, which is there, whole, when the context ends without an error.

        Raises:
            OutputError: it cannot be written.
        """
        with atomic_write(path) as handle:
            yield cls(handle)

    @abstractmethod
    def write(self, report: Report, entities: Sequence[Entity] | None) -> Counter[str]:
        """As :meth:`Writer.write`."""

    def _line(self, report: Report, known: Mapping[str, Any], *, meta: bool = False) -> None:
        row: dict[str, Any] = {"id": report.id, "text": report.text, **known}
        if report.patient is not None:
            row["patient"] = report.patient
        if meta and report.meta:
            row["meta"] = dict(report.meta)
        self._handle.write(dumps(row) + "\n")


def placed(text: str, entities: Sequence[Entity]) -> tuple[list[Entity], Counter[str]]:
    """The entities that stand in the text where they say, and why the others do not."""
    left: Counter[str] = Counter()
    found = []
    for entity in entities:
        if not entity.spans:
            left[NOWHERE] += 1
        elif not inside(text, entity.spans) or not _same(text, entity):
            left[OUTSIDE] += 1
        else:
            found.append(entity)
    return found, left


def in_one_piece(entities: Sequence[Entity], left: Counter[str]) -> list[Entity]:
    """The entities that have one span; the others are counted."""
    found = [entity for entity in entities if len(entity.spans) == 1]
    if len(found) < len(entities):
        left[DISCONTINUOUS] += len(entities) - len(found)
    return found


_SPACES = re.compile(r"\s+")


def one_word(written: Written, kind: str, source: Path | None) -> str:
    """A type's name without white space, for formats that part there; ``written`` has the way back.

    Raises:
        OutputError: two types would have the same name.
    """
    name = _SPACES.sub("_", kind)
    before = written.types.setdefault(name, kind)
    if before != kind:
        raise OutputError(
            f"the types {before!r} and {kind!r} would both be written as {name!r}",
            remedy="rename one of them",
            source=source,
        )
    if name != kind:
        written.changed[RENAMED] += 1
    return name


def renamed(written: Written) -> dict[str, str]:
    """The names that were written otherwise, each with the type's own: the way back."""
    return {name: kind for name, kind in sorted(written.types.items()) if name != kind}


def count(
    written: Written,
    report: Report,
    entities: int,
    left: Counter[str],
    *,
    patient: bool = True,
    meta: bool = False,
) -> None:
    """Add one report to the counts.

    Args:
        entities: how many of its mentions were written.
        patient, meta: whether the format holds them.
    """
    written.reports += 1
    written.entities += entities
    written.left_out.update(left)
    if not patient and report.patient is not None:
        written.changed[NO_PATIENT] += 1
    if not meta and report.meta.keys() - set(LAYOUTS):
        written.changed[NO_META] += 1


def count_plain(written: Written, entities: Sequence[Entity], *, certainty: bool = True) -> None:
    """Count what a format without probabilities, and maybe without certainties, leaves out."""
    for entity in entities:
        if entity.prob is not None:
            written.changed[NO_PROB] += 1
        if certainty and entity.certainty is not None:
            written.changed[NO_CERTAINTY] += 1


def _same(text: str, entity: Entity) -> bool:
    return " ".join(text[start:end] for start, end in entity.spans) == entity.text
