"""Where the entities of a note come from: marked in the input, or strings of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from data_builders.sources.align_strings import GivenString, align
from labelwright.errors import InputError
from labelwright.io import delimited
from labelwright.io.jsonl import read_jsonl
from labelwright.io.manifest import inputs
from labelwright.records import Certainty, Entity, Report

NOT_FOUND = "its words are not in the text"
COLUMNS = ("type", "text")
"""The columns of a table beside the id, unless others are named."""


@dataclass(frozen=True, slots=True)
class MarkedNote:
    """The entities of one note.

    Attributes:
        given: how many there were, those that could not be used included.
        left_out: those that could not, by reason.
        reason: why the note has no entities that can be used; it becomes a reject.
    """

    entities: tuple[Entity, ...]
    given: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    reason: str | None = None


class EntitySource(Protocol):
    """One interface for all origins of entities; ``name`` stands in every record's meta."""

    name: str

    def entities(self, report: Report) -> MarkedNote:
        """The entities of a note, or why it has none that can be used."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What the entities depend on, for the manifest."""
        ...


class Annotations:
    """The entities that the input itself marks."""

    name = "annotations"

    def entities(self, report: Report) -> MarkedNote:
        """Those of the report; a note with none at all is a note without mentions."""
        if report.entities is None:
            reason = "no annotations: the input says nothing of entities"
            return MarkedNote((), 0, reason=reason)
        return MarkedNote(report.entities, len(report.entities))

    def describe(self) -> Mapping[str, Any]:
        """Its kind only: the inputs stand beside it in the manifest."""
        return {"kind": self.name}


class StringTable:
    """Mentions as strings: a CSV or TSV with a row for each, or JSON lines with a row per note.

    A row of a CSV or TSV with an empty type and text says that the note was read and has none.
    """

    def __init__(
        self,
        path: Path,
        *,
        columns: Sequence[str] = (),
        nesting: bool = False,
        places: str = "one",
        keep: bool = False,
    ) -> None:
        """Read the table.

        Args:
            columns: of id, type and mention; empty finds them by name.
            places: one of :data:`data_builders.sources.align_strings.PLACES`.
            keep: keep notes of which some strings are not found, without these.

        Raises:
            InputError: it cannot be read, or a row has only one of type and mention.
        """
        self.name = path.name
        self._path = path
        self._nesting = nesting
        self._places = places
        self._keep = keep
        self._used: set[str] = set()
        self._found: dict[str, list[GivenString]] = {}
        lines = path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson"))
        if lines and columns:
            raise InputError(
                "JSON lines have no columns",
                remedy='leave --entity-columns out; a row is {"id": …, "entities": '
                '[{"type": …, "text": …}]}',
                source=path,
            )
        for identifier, row in _lines(path) if lines else _rows(path, columns):
            known = self._found.setdefault(identifier, [])
            if row is not None:
                known.append(row)

    def entities(self, report: Report) -> MarkedNote:
        """The strings of the note, found in its text."""
        given = self._found.get(report.id)
        if given is None:
            return MarkedNote((), 0, reason="no annotations: its id is not in the entity table")
        self._used.add(report.id)
        aligned = align(report.text, given, nesting=self._nesting, places=self._places)
        count = len(aligned.entities) + aligned.missing
        if not aligned.missing:
            return MarkedNote(aligned.entities, count)
        if not self._keep:
            reason = f"words of the entity table are not in the text; {aligned.missing}"
            return MarkedNote((), count, reason=reason)
        return MarkedNote(aligned.entities, count, {NOT_FOUND: aligned.missing})

    def describe(self) -> Mapping[str, Any]:
        """The file, its hash, and how many of its notes were not among the input."""
        return {
            "kind": "strings",
            **inputs([self._path])[0],
            "places": self._places,
            "notes": len(self._found),
            "entities_without_note": sum(
                len(rows) for name, rows in self._found.items() if name not in self._used
            ),
        }


def _rows(path: Path, asked: Sequence[str]) -> Iterator[tuple[str, GivenString | None]]:
    """Id and mention of every row of a CSV or TSV; no mention where both cells are empty."""
    found = delimited.columns(path)
    identifier = delimited.id_columns(path, asked[:1], "--entity-columns")[0]
    kind, text = asked[1:3] or COLUMNS
    certainty = asked[3] if len(asked) > 3 else None
    for name in (kind, text, *([certainty] if certainty else [])):
        if name not in found:
            raise delimited.no_column(name, found, path)
    for row, cells in delimited.rows(path):
        name = cells[identifier].strip()
        pair = (cells[kind].strip(), cells[text].strip())
        if not name or bool(pair[0]) != bool(pair[1]):
            raise InputError(
                "a row needs an id, and type and mention, or neither of them for a note without",
                remedy="fix the row",
                source=path,
                row=row,
            )
        said = cells[certainty].strip().casefold() if certainty else ""
        yield name, GivenString(*pair, _certainty(said, path, row)) if pair[0] else None


def _lines(path: Path) -> Iterator[tuple[str, GivenString | None]]:
    for row, value in read_jsonl(path):
        try:
            name = str(value["id"])
            given = [
                GivenString(
                    str(entity["type"]),
                    str(entity["text"]),
                    _certainty(str(entity.get("certainty") or ""), path, row),
                )
                for entity in value["entities"]
            ]
        except (KeyError, TypeError, AttributeError):
            raise InputError(
                "the line does not say the entities of a note",
                remedy='write {"id": …, "entities": [{"type": …, "text": …}]}',
                source=path,
                row=row,
            ) from None
        yield name, None
        yield from ((name, each) for each in given)


def _certainty(said: str, path: Path, row: int) -> Certainty | None:
    if not said:
        return None
    if said not in list(Certainty)[:3]:
        raise InputError(
            "a certainty other than positive, negative and uncertain",
            remedy="fix the row",
            source=path,
            row=row,
        )
    return Certainty(said)
