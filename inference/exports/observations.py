"""FHIR R4: ``observations.ndjson``, one Observation per observation that a report speaks of.

Of findings with a value of their own (typed fields) those with codes are written, each value by
itself, and a missing value as FHIR's data-absent-reason.

The status is ``preliminary``: nobody has verified what a program read. The value is one of
HL7's interpretation codes (positive ``POS``, negative ``NEG``, uncertain ``IND``), a quantity with
its UCUM unit, a date, a boolean, a concept or text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import IO, Any
from uuid import NAMESPACE_URL, uuid5

from inference.exports.rows import Context, Row, escaped, observed
from labelwright.io.jsonl import dumps
from labelwright.label_set import Label
from labelwright.records import Certainty
from labelwright.tasks.base import Finding
from labelwright.text.ucum import coding

INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
VALUES = {
    Certainty.POSITIVE: ("POS", "Positive"),
    Certainty.NEGATIVE: ("NEG", "Negative"),
    Certainty.UNCERTAIN: ("IND", "Indeterminate"),
}
SYSTEMS = {
    "icd10": "http://hl7.org/fhir/sid/icd-10",
    "icd10cm": "http://hl7.org/fhir/sid/icd-10-cm",
    "loinc": "http://loinc.org",
    "radlex": "http://radlex.org",
    "snomed": "http://snomed.info/sct",
    "snomedct": "http://snomed.info/sct",
    "umls": "http://terminology.hl7.org/CodeSystem/umls",
}
"""Code systems by the names that a label set's ``codes`` use; others go in by their own URI."""
ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
PROBABILITY = "Probability of this value, as the labeler gives it"
_URI = re.compile(r"(https?://|urn:)\S+")
_CODE = re.compile(r"[^\s]+(\s[^\s]+)*")
_REFERENCE = re.compile(r"(https?://\S+/)?[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}|urn:(uuid|oid):\S+")


def write(handle: IO[str], rows: Iterable[Row], context: Context) -> None:
    """Write one resource per line; labels come from complete answers only."""
    for row in rows:
        before: Counter[str] = Counter()
        for finding in observed(row, context.label_set):
            number = before[finding.name]
            before[finding.name] += 1
            handle.write(dumps(observation(row, finding, context, number=number)) + "\n")


def observation(row: Row, finding: Finding, context: Context, *, number: int = 0) -> dict[str, Any]:
    """The resource of one finding; its id is the same whenever it is made again.

    Args:
        number: of findings of this name in the report that come before.
    """
    report, model = row.prediction["id"], row.prediction["model"]
    parts = [context.label_set.fingerprint, model, report, finding.name]
    parts += [str(number)] if number else []
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": str(uuid5(NAMESPACE_URL, "labelwright:" + escaped("\0".join(parts)))),
        "status": "preliminary",
        "code": _concept(context.label_set.by_name[finding.name]),
    }
    if row.report is not None and row.report.patient:
        resource["subject"] = reference(row.report.patient)
    resource["issued"] = context.finished
    resource |= _value(finding)
    resource["method"] = {"text": f"{context.system}, model {model}"}
    resource["derivedFrom"] = [{"type": "DocumentReference", "identifier": {"value": report}}]
    if finding.probability is not None:
        quantity = {
            "value": round(finding.probability, 6),
            "system": "http://unitsofmeasure.org",
            "code": "1",
        }
        resource["component"] = [{"code": {"text": PROBABILITY}, "valueQuantity": quantity}]
    return resource


def _value(finding: Finding) -> dict[str, Any]:
    """The value of one finding by what it is."""
    value = finding.value
    if finding.missing:
        reason = {"system": ABSENT_REASON, "code": finding.missing}
        return {"dataAbsentReason": {"coding": [reason]}}
    if isinstance(value, bool):
        return {"valueBoolean": value}
    if isinstance(value, float):
        number = int(value) if value.is_integer() else value
        unit = {"unit": finding.unit, **(coding(finding.unit) or {})} if finding.unit else {}
        bound = {"comparator": finding.comparator} if finding.comparator else {}
        return {"valueQuantity": {"value": number, **bound, **unit}}
    if value is not None:
        plain = escaped(value).strip()
        if finding.form == "date":
            return {"valueDateTime": plain}
        concept = finding.form == "categorical"
        return {"valueCodeableConcept": {"text": plain}} if concept else {"valueString": plain}
    code, display = VALUES[finding.certainty]
    return {
        "valueCodeableConcept": {
            "coding": [{"system": INTERPRETATION, "code": code, "display": display}],
            "text": finding.certainty.value,
        }
    }


def _concept(label: Label) -> dict[str, Any]:
    codings = [
        {"system": system, "code": code}
        for name, code in label.codes.items()
        if (system := SYSTEMS.get(name.casefold(), name)) and _URI.fullmatch(system)
        if _CODE.fullmatch(code)
    ]
    return ({"coding": codings} if codings else {}) | {"text": label.name}


def reference(patient: str) -> dict[str, Any]:
    """A patient column that holds references keeps them; any other is the patient's identifier."""
    if _REFERENCE.fullmatch(patient):
        return {"reference": patient}
    return {"type": "Patient", "identifier": {"value": patient}}
