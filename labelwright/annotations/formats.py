"""The formats in which annotated reports are written, by name; two of JSON lines are written here.

Our own lines are ``{"id", "text", "entities", "patient"?, "meta"?}``, doccano's
``{"id", "text", "label": [[start, end, type]]}``. doccano runs in a browser and counts UTF-16 code
units, so these are what is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelwright.annotations import brat, conll, label_studio
from labelwright.annotations.offsets import Utf16
from labelwright.annotations.writing import (
    LineWriter,
    Writer,
    Written,
    count,
    count_plain,
    in_one_piece,
    placed,
)
from labelwright.records import Entity, Report, in_order

LINES = "reports.jsonl"


class EntitiesWriter(LineWriter):
    """All that is known of mentions, and the report's metadata."""

    def write(self, report: Report, entities: Sequence[Entity] | None) -> Counter[str]:
        """Write one line, without ``entities`` if nothing is known of them."""
        kept, left = placed(report.text, entities or ())
        known: dict[str, Any] = {}
        if entities is not None:
            known["entities"] = [entity.to_json() for entity in in_order(kept)]
        self._line(report, known, meta=True)
        count(self.written, report, len(kept), left, meta=True)
        return left


class DoccanoWriter(LineWriter):
    """Mentions as places in UTF-16 code units, and their types."""

    def write(self, report: Report, entities: Sequence[Entity] | None) -> Counter[str]:
        """Write one line, without ``label`` if nothing is known of entities.

        Overlapping mentions are written; doccano shows them in projects that allow them.
        """
        kept, left = placed(report.text, entities or ())
        kept = in_order(in_one_piece(kept, left))
        label: dict[str, Any] = {}
        if entities is not None:
            units = Utf16(report.text)
            label["label"] = [[units.unit(e.start), units.unit(e.end), e.type] for e in kept]
        self._line(report, label)
        count(self.written, report, len(kept), left)
        count_plain(self.written, kept)
        return left


@dataclass(frozen=True, slots=True)
class Format:
    """One output format.

    Attributes:
        name: of its file, or of its folder.
        open: a writer to a path, which is there, whole, when the context ends without an error;
            ``scheme`` is that of tags, for CoNLL.
    """

    name: str
    open: Callable[..., AbstractContextManager[Writer]]


WRITERS = {
    "brat": Format(brat.NAME, brat.open_folder),
    "conll": Format(conll.NAME, conll.open_file),
    "doccano": Format(LINES, DoccanoWriter.open),
    "label-studio": Format(label_studio.NAME, label_studio.open_file),
    "entities": Format(LINES, EntitiesWriter.open),
}


def write(
    path: Path,
    name: str,
    reports: Iterable[tuple[Report, Sequence[Entity] | None]],
    *,
    scheme: str | None = None,
) -> Written:
    """Write all reports with their mentions to a file or folder, whole or not at all.

    Args:
        name: one of :data:`WRITERS`.
        scheme: of tags, for CoNLL; one of :data:`labelwright.annotations.tags.SCHEMES`.

    Raises:
        OutputError: it cannot be written.
    """
    with WRITERS[name].open(path, scheme=scheme) as writer:
        for report, entities in reports:
            writer.write(report, entities)
    return writer.written
