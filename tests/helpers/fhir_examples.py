"""FHIR resources for tests of readers, written here; the tests check them against the model."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

FORM = "FINDINGS: Clear lungs.\nIMPRESSION: Normal."


def attachment(content: str | bytes, kind: str = "text/plain") -> dict[str, str]:
    data = content.encode() if isinstance(content, str) else content
    return {"contentType": kind, "data": base64.b64encode(data).decode("ascii")}


def diagnostic_report(identifier: str | None = "r1", **members: Any) -> dict[str, Any]:
    """A chest X-ray report; ``None`` for a member leaves it out."""
    whole = {
        "resourceType": "DiagnosticReport",
        "id": identifier,
        "identifier": [{"system": "urn:example:ris", "value": f"A-{identifier}"}],
        "status": "final",
        "code": {
            "coding": [{"system": "http://loinc.org", "code": "36643-5", "display": "XR Chest 2V"}]
        },
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2024-05-01T10:00:00Z",
        "issued": "2024-05-01T11:00:00Z",
        "presentedForm": [attachment(FORM)],
    } | members
    return {name: value for name, value in whole.items() if value is not None}


def narrative(text: str, status: str = "additional") -> dict[str, str]:
    return {"status": status, "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "id": "b1",
        "type": "collection",
        "entry": [{"fullUrl": f"urn:x:{n}", "resource": r} for n, r in enumerate(resources)],
    }


def written(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def ndjson(path: Path, *values: Any) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path
