"""FHIR R4: the folder ``questionnaire``, the label set as a form and a response per document.

``Questionnaire.ndjson`` holds one resource, ``QuestionnaireResponse.ndjson`` one per document whose
answer could be read, each on a line, as bulk imports take them. The status of the responses is
``in-progress``: nobody has verified what a program read.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from inference.exports.observations import reference
from inference.exports.rows import Context, Row, escaped
from labelwright.io.jsonl import PRIVATE, atomic_write, dumps, writing
from labelwright.label_set import LabelSet
from labelwright.records import Prediction
from labelwright.tasks import kind_of

FORM, RESPONSES = "Questionnaire.ndjson", "QuestionnaireResponse.ndjson"


def write(path: Path, rows: Iterable[Row], context: Context) -> None:
    """Write both files anew."""
    with writing(path):
        path.mkdir(exist_ok=True)
    with atomic_write(path / FORM) as handle:
        handle.write(dumps(questionnaire(context)) + "\n")
    with atomic_write(path / RESPONSES, mode=PRIVATE) as handle:
        for row in rows:
            if (made := response(row, context)) is not None:
                handle.write(dumps(made) + "\n")


def questionnaire(context: Context) -> dict[str, Any]:
    """The label set as a form.

    Raises:
        ValueError: no form could ask for what its task asks.
    """
    label_set = context.label_set
    items = kind_of(label_set).questions(label_set)
    if items is None:
        raise ValueError(f"no form of task {label_set.task}")
    return {
        "resourceType": "Questionnaire",
        "id": _id("questionnaire", label_set.fingerprint),
        "url": _url(label_set),
        "version": label_set.version,
        "title": label_set.name,
        "status": "draft",
        "subjectType": ["Patient"],
        "date": context.finished,
        "item": items,
    }


def response(row: Row, context: Context) -> dict[str, Any] | None:
    """One document's answers; ``None`` where no answer could be read."""
    label_set = context.label_set
    prediction = Prediction.from_json(row.prediction, label_set)
    if prediction.value is None:
        return None
    made: dict[str, Any] = {
        "resourceType": "QuestionnaireResponse",
        "id": _id(label_set.fingerprint, prediction.model, prediction.id),
        "identifier": {"value": escaped(prediction.id)},
        "questionnaire": f"{_url(label_set)}|{quote(label_set.version, safe='.')}",
        "status": "in-progress",
        "authored": context.finished,
    }
    if row.report is not None and row.report.patient:
        made["subject"] = reference(row.report.patient)
    made["item"] = kind_of(label_set).replies(label_set, prediction.value)
    return made


def _url(label_set: LabelSet) -> str:
    return f"urn:labelwright:questionnaire:{quote(label_set.name, safe='')}"


def _id(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "labelwright:" + escaped("\0".join(parts))))
