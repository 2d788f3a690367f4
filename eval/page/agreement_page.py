"""A page without gold: sections alone, since nothing on it is right or wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from eval.page.figures import Drawing
from eval.page.frame import render_page
from eval.page.section import Section
from eval.page.tables import Table
from eval.page.verdict import Notices
from eval.read.provenance import Source
from labelwright.label_set import LabelSet
from labelwright.version import __version__


@dataclass(frozen=True, eq=False)
class AgreementPage:
    """All that the page needs.

    Attributes:
        said: what opens the page, a sentence each.
        facts: what was compared, in one line.
        texts: not ``None`` where the page holds words of documents.
    """

    title: str
    label_set: LabelSet
    said: tuple[str, ...]
    facts: str
    notices: Notices
    sources: Sequence[Source]
    sections: Sequence[Section]
    texts: Mapping[str, str] | None = None
    drawings: Mapping[str, Drawing] = field(default_factory=dict)

    @cached_property
    def tables(self) -> list[Table]:
        """Every table that is also written as CSV and LaTeX."""
        return [t for section in self.sections for t in (*section.tables, *section.folded_tables)]

    @cached_property
    def html(self) -> str:
        """The page; the same inputs and seed give the same bytes."""
        context = {
            name: getattr(self, name) for name in ("title", "said", "facts", "notices", "sections")
        }
        return render_page("agreement", {**context, "version": __version__})

    def errors(self) -> None:
        """Nothing is wrong where there is no gold."""

    def scores(self) -> dict[str, Any]:
        """``scores.json``: the numbers of the page for programs."""
        return {
            "labelwright": __version__,
            "signature": f"agreement|set:{self.label_set.name}/{self.label_set.version}",
            "verdict": list(self.said),
            "notices": [*self.notices.grave, *self.notices.other],
            "gold": None,
            "label_set": {
                "name": self.label_set.name,
                "version": self.label_set.version,
                "sha256": self.label_set.fingerprint,
            },
            "labelers": {
                s.name: {"source": s.path, "sha256": s.sha256, "model": s.model}
                for s in self.sources
            },
            "sections": {section.id: dict(section.numbers) for section in self.sections},
        }
