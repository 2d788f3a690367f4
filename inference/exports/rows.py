"""What an export is made from: predictions of a finished folder, with their reports if needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labelwright.label_set import ENTITIES, LabelSet
from labelwright.records import Certainty, Report


@dataclass(frozen=True)
class Row:
    """One line of ``predictions.jsonl``; ``report`` as it was labeled, where inputs are read."""

    prediction: Mapping[str, Any]
    report: Report | None = None


@dataclass(frozen=True)
class Context:
    """What is the same for all rows.

    Attributes:
        finished: when the rows were labeled, ISO 8601 with its zone.
        system: program and version.
        text: whether words of the reports may be written.
        whole: whether the labeled text is the report as it was read, not a cut of it.
    """

    label_set: LabelSet
    finished: str
    system: str
    text: bool
    whole: bool


@dataclass(frozen=True)
class Finding:
    """One observation that a report speaks of, or one mention.

    Attributes:
        certainty: positive for a mention where the label set asks for none.
        probability: of ``certainty`` or of the mention, where the labeler gives it.
        spans: evidence, or the parts of the mention, as offsets into the labeled text.
        mention: the words of a mention.
    """

    name: str
    certainty: Certainty
    probability: float | None
    spans: list[list[int]]
    mention: str = ""


def findings(row: Row, label_set: LabelSet) -> Iterator[Finding]:
    """All that is not blank, in the label set's order; nothing of an answer with open ends.

    For label sets of entities all mentions that stand in the text, in order.
    """
    if label_set.task == ENTITIES:
        yield from _mentions(row)
        return
    labels = row.prediction["labels"]
    if None in labels.values():
        return
    probs = row.prediction.get("probs") or {}
    evidence = row.prediction.get("evidence") or {}
    for name in label_set.names:
        certainty = Certainty(labels[name])
        if certainty is not Certainty.BLANK:
            yield Finding(
                name=name,
                certainty=certainty,
                probability=probs.get(name, {}).get(certainty.value),
                spans=evidence.get(name, []),
            )


def _mentions(row: Row) -> Iterator[Finding]:
    for entity in row.prediction.get("entities") or ():
        if entity["spans"]:
            yield Finding(
                name=entity["type"],
                certainty=Certainty(entity.get("certainty") or Certainty.POSITIVE),
                probability=entity.get("prob"),
                spans=entity["spans"],
                mention=entity["text"],
            )


def escaped(text: str) -> str:
    """Text for formats that take UTF-8 only; a file name that is no text brings lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
