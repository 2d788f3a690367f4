"""The data that passes between the stages: frozen dataclasses and their JSON rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Protocol

from labelwright import kinds, shown
from labelwright.chances import plain

LABELS = "labels"
"""The key by which a prediction's row is told from a reject's."""


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


def in_order(entities: Iterable[Entity]) -> list[Entity]:
    """By first character, longer ones first; those that the text does not hold come last."""
    return sorted(entities, key=lambda e: (not e.spans, e.start, -e.end, e.type, e.spans))


@dataclass(frozen=True, slots=True)
class Report:
    """One report as read: ``source`` and ``row`` (1-based) say where it stood.

    ``entities`` are those that people marked in it, in order of appearance; ``None`` where
    the input says nothing of entities. Of them ``trimmed`` had white space at their edges.
    ``notes`` say what its reader was not sure of; every prediction of it bears them.
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
    notes: tuple[str, ...] = ()


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


class OfTask(Protocol):
    """What knows its task kind's name: a label set."""

    @property
    def task(self) -> str:
        """The name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is said of one report, or of a part of it.

    Attributes:
        value: what the label set's task kind makes of it: certainty per observation (``None``
            where one is not determined), a tuple of entities, …; ``None`` where the answer
            determines nothing.
        raw: the answer as generated; empty for labelers that do not write text.
        problems: what was wrong with the answer, e.g. ``missing: Edema``.
        notes: what was accepted although written otherwise, e.g. ``synonym: Edema``.
        probs: ``{label: {option: p}}`` where the labeler gives probabilities of choices.
        evidence: ``{label: [[start, end], …]}`` offsets into the labeled text.
        seconds: the labeler's time for it (its share of the batch).
        usage: ``prompt_tokens``, ``completion_tokens`` and ``cost`` where a server tells them.
    """

    value: Any
    raw: str = ""
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    probs: Mapping[str, Mapping[str, float]] | None = None
    evidence: Mapping[str, list[list[int]]] | None = None
    seconds: float | None = None
    usage: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction(Answer):
    """What a labeler said of one report: its answer, with the report's id.

    Attributes:
        model: the labeler's name.
        task: name of the label set's task kind, which knows what ``value`` is.
        second: what a second reader said (:mod:`labelwright.labelers.second`), as in the file.
    """

    id: str
    model: str
    task: str
    second: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, report: Report, answer: Answer, *, model: str, task: str) -> Prediction:
        """An answer as the prediction of a report."""
        said = {part.name: getattr(answer, part.name) for part in fields(Answer)}
        return cls(id=report.id, model=model, task=task, **said)

    @property
    def complete(self) -> bool:
        """Whether the value leaves nothing open."""
        return bool(kinds.load(self.task).complete(self.value))

    @property
    def labels(self) -> Mapping[str, Certainty | None]:
        """The value where it is a certainty per observation; empty for other tasks."""
        return self.value if kinds.load(self.task).row_key == LABELS else {}

    @property
    def entities(self) -> tuple[Entity, ...] | None:
        """The mentions that the value marks; ``None`` where the answer determines none."""
        return None if self.value is None else tuple(kinds.load(self.task).marks(self.value))

    def _repr_html_(self) -> str:
        """How notebooks show it."""
        return shown.prediction_html(self)

    def to_json(self) -> dict[str, Any]:
        """The row of ``predictions.jsonl``; parts that the labeler does not give are left out.

        Every row has ``labels``; it is empty where the value stands under another key.
        """
        kind = kinds.load(self.task)
        row: dict[str, Any] = {
            "id": self.id,
            LABELS: {},
            "raw": self.raw,
            "problems": list(self.problems),
            "notes": list(self.notes),
            "model": self.model,
        }
        if self.probs is not None:
            row["probs"] = plain(self.probs)
        if self.evidence is not None:
            row["evidence"] = dict(self.evidence)
        row[kind.row_key] = None if self.value is None else kind.to_json(self.value)
        if self.seconds is not None:
            row["seconds"] = round(self.seconds, 6)
        if self.usage is not None:
            row["usage"] = dict(self.usage)
        if self.second is not None:
            row["second"] = dict(self.second)
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any], label_set: OfTask | None = None) -> Prediction:
        """The inverse of :meth:`to_json`.

        Args:
            label_set: what was asked; without it, the row's keys tell the task.

        Raises:
            KeyError, ValueError, TypeError, AttributeError: the row lacks a part, or is of another
                task than the label set's.
        """
        task = _task(row) if label_set is None else label_set.task
        kind = kinds.load(task)
        given = row[kind.row_key]
        if kind.row_key != LABELS and row.get(LABELS):
            raise ValueError("the row has values of two tasks")
        return cls(
            id=str(row["id"]),
            task=task,
            value=None if given is None else kind.from_json(label_set, given),
            model=str(row.get("model", "")),
            raw=str(row.get("raw", "")),
            problems=tuple(row.get("problems", ())),
            notes=tuple(row.get("notes", ())),
            probs=row.get("probs"),
            evidence=row.get("evidence"),
            seconds=row.get("seconds"),
            usage=row.get("usage"),
            second=row.get("second"),
        )


def _task(row: Mapping[str, Any]) -> str:
    """The kind whose key the row has; ``labels`` stands in every row, so it counts last."""
    keys = {kinds.load(name).row_key: name for name in kinds.KINDS}
    return next((keys[key] for key in keys if key != LABELS and key in row), keys[LABELS])
