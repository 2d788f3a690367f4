"""The data that passes between the stages: frozen dataclasses and their JSON rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Certainty(StrEnum):
    """How certain a report is of an observation (Irvin et al. 2019, CheXpert)."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    UNCERTAIN = "uncertain"
    BLANK = "blank"


Labels = Mapping[str, Certainty]


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a report: ``text[start:end]`` without its heading.

    ``name`` is lower case and canonical ("findings", "impression", …); offsets count
    Unicode code points of the report's text.
    """

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Report:
    """One report as read: ``source`` and ``row`` (1-based) say where it stood."""

    id: str
    text: str
    source: str
    row: int
    patient: str | None = None
    sections: tuple[Section, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Annotation:
    """Known labels of one report; ``origin`` says who gave them ("human", "rules", …)."""

    id: str
    labels: Labels
    origin: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that could not be used. Never holds text of the report."""

    id: str | None
    source: str
    row: int
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The row of ``rejects.jsonl``."""
        return {"id": self.id, "source": self.source, "row": self.row, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a labeler said of one report.

    Attributes:
        labels: certainty per observation, in the label set's order; ``None`` where the
            answer did not determine one (``problems`` then says why).
        raw: the answer as generated; empty for labelers that do not write text.
        problems: what was wrong with the answer, e.g. ``missing: Edema``.
        notes: what was accepted although written otherwise, e.g. ``synonym: Edema``.
        probs: ``{observation: {certainty: p}}`` where the labeler gives probabilities.
        evidence: ``{observation: [[start, end], …]}`` offsets into the labeled text.
        seconds: the labeler's time for this report (its share of the batch).
    """

    id: str
    labels: Mapping[str, Certainty | None]
    model: str
    raw: str = ""
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    probs: Mapping[str, Mapping[str, float]] | None = None
    evidence: Mapping[str, list[list[int]]] | None = None
    seconds: float | None = None

    @property
    def complete(self) -> bool:
        """Whether every observation has a certainty."""
        return None not in self.labels.values()

    def to_json(self) -> dict[str, Any]:
        """The row of ``predictions.jsonl``; parts that the labeler does not give are left out."""
        row: dict[str, Any] = {
            "id": self.id,
            "labels": dict(self.labels),
            "raw": self.raw,
            "problems": list(self.problems),
            "notes": list(self.notes),
            "model": self.model,
        }
        if self.probs is not None:
            row["probs"] = {k: dict(v) for k, v in self.probs.items()}
        if self.evidence is not None:
            row["evidence"] = dict(self.evidence)
        if self.seconds is not None:
            row["seconds"] = round(self.seconds, 6)
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Prediction:
        """The inverse of :meth:`to_json`.

        Raises:
            KeyError, ValueError: the row lacks a part or names an unknown certainty.
        """
        return cls(
            id=str(row["id"]),
            labels={k: None if v is None else Certainty(v) for k, v in row["labels"].items()},
            model=str(row.get("model", "")),
            raw=str(row.get("raw", "")),
            problems=tuple(row.get("problems", ())),
            notes=tuple(row.get("notes", ())),
            probs=row.get("probs"),
            evidence=row.get("evidence"),
            seconds=row.get("seconds"),
        )
