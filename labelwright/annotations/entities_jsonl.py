"""Writes labelwright's own JSON lines: ``{"id", "text", "entities", "patient"?, "meta"?}``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from labelwright.annotations.writing import LineWriter, count, placed
from labelwright.records import Entity, Report, in_order

NAME = "reports.jsonl"


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
