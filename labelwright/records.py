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

FLOOR = 1e-7
"""Probabilities below this count as this wherever their logarithm is taken: files are rounded to
six decimals, and a zero there need not be one."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a report: ``text[start:end]`` without its heading.

    ``name`` is lower case and canonical ("findings", "impression", …); offsets count
    Unicode code points of the report's text.
    """

    name: str
    start: int
    end: int


Span = tuple[int, int]
"""Start and end of a piece of text, in Unicode code points; the end is not part of it."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One mention of a type in a text.

    Attributes:
        type: the name of a type of the label set.
        spans: where it stands, in order, apart from each other; several where it is
            discontinuous, none where a labeler wrote a mention that the text does not hold.
        text: the covered text, the parts of a discontinuous mention joined by one space; as
            written by the labeler where ``spans`` is empty.
        certainty: where the label set asks for it, else ``None``.
        prob: the labeler's probability, where it gives one.
    """

    type: str
    spans: tuple[Span, ...]
    text: str
    certainty: Certainty | None = None
    prob: float | None = None

    @classmethod
    def of(cls, text: str, kind: str, *spans: Span, certainty: Certainty | None = None) -> Entity:
        """The mention of ``kind`` that stands at ``spans`` of ``text``."""
        covered = " ".join(text[start:end] for start, end in spans)
        return cls(kind, tuple(spans), covered, certainty)

    @property
    def start(self) -> int:
        """Where it begins; -1 for a mention that the text does not hold."""
        return self.spans[0][0] if self.spans else -1

    @property
    def end(self) -> int:
        """Where its last part ends; -1 for a mention that the text does not hold."""
        return self.spans[-1][1] if self.spans else -1

    def to_json(self) -> dict[str, Any]:
        """The entity in a row of ``predictions.jsonl`` or ``*.entities.jsonl``."""
        row: dict[str, Any] = {
            "type": self.type,
            "spans": [list(span) for span in self.spans],
            "text": self.text,
        }
        if self.certainty is not None:
            row["certainty"] = self.certainty.value
        if self.prob is not None:
            row["prob"] = round(self.prob, 6)
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Entity:
        """The inverse of :meth:`to_json`.

        Raises:
            KeyError, ValueError, TypeError: the row is no entity.
        """
        spans = tuple((int(start), int(end)) for start, end in row["spans"])
        if any(not 0 <= start < end for start, end in spans) or list(spans) != sorted(spans):
            raise ValueError("spans")
        certainty, prob = row.get("certainty"), row.get("prob")
        return cls(
            type=str(row["type"]),
            spans=spans,
            text=str(row["text"]),
            certainty=None if certainty is None else Certainty(certainty),
            prob=None if prob is None else float(prob),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """One report as read: ``source`` and ``row`` (1-based) say where it stood.

    ``entities`` are those that people marked in it, in order of appearance; ``None`` where
    the input says nothing of entities. Of them ``trimmed`` had white space at their edges.
    """

    id: str
    text: str
    source: str
    row: int
    patient: str | None = None
    sections: tuple[Section, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    entities: tuple[Entity, ...] | None = None
    trimmed: int = 0


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
        entities: for label sets of entities, in order of appearance, those that the text does
            not hold last; ``labels`` is empty then. ``None`` where the answer determines none.
        usage: ``prompt_tokens``, ``completion_tokens`` and ``cost`` where a server tells them.
        second: what a second reader said (:mod:`labelwright.labelers.second`), as in the file.
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
    entities: tuple[Entity, ...] | None = None
    usage: Mapping[str, float] | None = None
    second: Mapping[str, Any] | None = None

    @property
    def complete(self) -> bool:
        """Whether every observation has a certainty, or the entities are known."""
        return None not in self.labels.values() if self.labels else self.entities is not None

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
        if not self.labels:
            entities = self.entities
            row["entities"] = None if entities is None else [e.to_json() for e in entities]
        if self.seconds is not None:
            row["seconds"] = round(self.seconds, 6)
        if self.usage is not None:
            row["usage"] = dict(self.usage)
        if self.second is not None:
            row["second"] = dict(self.second)
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
            entities=_entities(row.get("entities")),
            usage=row.get("usage"),
            second=row.get("second"),
        )


def _entities(rows: Any) -> tuple[Entity, ...] | None:
    return None if rows is None else tuple(Entity.from_json(row) for row in rows)
