"""Writes doccano's JSON lines: ``{"id", "text", "label": [[start, end, type]]}``.

doccano runs in a browser and counts UTF-16 code units, so these are what is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from labelwright.annotations.offsets import Utf16
from labelwright.annotations.writing import LineWriter, count, count_plain, in_one_piece, placed
from labelwright.records import Entity, Report, in_order

NAME = "reports.jsonl"


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
