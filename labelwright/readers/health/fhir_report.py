"""One FHIR DiagnosticReport (R4, R4B, R5) as a report: its text, id, patient and metadata.

The text is the first that a resource has of ``presentedForm`` (the report as issued), the
narrative ``text.div`` unless it was only generated from the data, and ``conclusion``. A report
whose ``presentedForm`` cannot be read (a PDF, a link) is rejected, not cut to its conclusion.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

from labelwright.errors import ConfigError
from labelwright.readers.health.html_text import html_to_text
from labelwright.readers.health.rtf_text import rtf_to_text
from labelwright.readers.one_text import NoTextError, text_of
from labelwright.readers.options import ReadOptions
from labelwright.readers.strict_json import encodable, has_twice
from labelwright.readers.tables.columns import report_or_reject
from labelwright.records import Reject, Report
from labelwright.text.sections import Composer

IDS = ("id", "identifier")
META = ("status", "issued", "effective", "code", "identifier", "part")

_REFUSED = frozenset({"entered-in-error", "cancelled"})
_READ = (
    *("id", "identifier", "status", "subject", "presentedForm", "text", "conclusion", "code"),
    *("issued", "effectiveDateTime", "effectivePeriod"),
)
_PLAIN = ("text/plain", "text/markdown", "")
_HTML = ("text/html", "application/xhtml+xml")
_RTF = ("application/rtf", "text/rtf", "application/x-rtf")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_META_CHARSET = re.compile(
    rb"""<meta[^>]{1,200}charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE
)
_HISTORY = re.compile(r"/_history/[^/]*\Z")


def report_of(
    resource: Mapping[str, Any], url: str, source: str, row: int, options: ReadOptions
) -> Report | Reject:
    """The report of a DiagnosticReport, or why it is none.

    Args:
        url: ``fullUrl`` of the Bundle's entry, whose last part stands in for a missing id.
    """
    identifier = _identifier(resource, url, options.id_column)
    if not encodable(identifier):
        return Reject(None, source, row, "half a surrogate pair stands in it, no character")
    if has_twice(resource, _READ):
        return Reject(
            identifier, source, row, "a member that is read appears twice in the resource"
        )
    status = _string(resource.get("status"))
    if status in _REFUSED:
        return Reject(identifier or None, source, row, f"the status is {status}")
    try:
        names, cells = _text(resource, options.text_columns)
    except NoTextError as error:
        return Reject(identifier or None, source, row, str(error))
    patient = _patient(resource)
    meta = _meta(resource, ",".join(names))
    kept = {name: meta[name] for name in options.meta_columns or META}
    if not encodable("".join((patient, *cells, *kept.values()))):
        return Reject(identifier, source, row, "half a surrogate pair stands in it, no character")
    composed = Composer(names).join(cells)
    return report_or_reject(source, row, identifier, *composed, patient, kept)


def _text(resource: Mapping[str, Any], asked: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Names and texts of the parts that are used."""
    if asked:
        return list(asked), [PARTS[name](resource) or "" for name in asked]
    for name, part in PARTS.items():
        text = part(resource)
        if text is not None:
            return [name], [text]
    generated = _mapping(resource.get("text")).get("div")
    raise NoTextError(
        "only a narrative that was generated from data"
        if generated
        else "neither presentedForm nor narrative nor conclusion"
    )


def _presented(resource: Mapping[str, Any]) -> str | None:
    """The texts of the best form there is; forms of one kind that differ are joined."""
    attachments = [_mapping(form) for form in _list(resource.get("presentedForm"))]
    if not attachments:
        return None
    problem: NoTextError | None = None
    for types in (_PLAIN, _HTML, _RTF):
        found: dict[str, None] = {}
        for attachment in attachments:
            if _type(attachment) in types:
                try:
                    found[_attached(attachment)] = None
                except NoTextError as error:
                    problem = problem or error
        if texts := [text for text in found if text.strip()]:
            return "\n\n".join(texts)
    if problem is not None:
        raise NoTextError(f"presentedForm: {problem}")
    kinds = sorted({_shown_type(_type(attachment)) for attachment in attachments})
    raise NoTextError(f"presentedForm holds {', '.join(kinds)} only")


def _attached(attachment: Mapping[str, Any]) -> str:
    data = attachment.get("data")
    if not isinstance(data, str) or not data.strip():
        raise NoTextError("a link without data" if attachment.get("url") else "no data")
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise NoTextError("the data are not valid base64") from None
    kind = _type(attachment)
    if kind in _RTF:
        return rtf_to_text(content)
    charset = _CHARSET.search(_string(attachment.get("contentType")))
    named = None if charset is None else charset.group(1)
    if kind in _HTML and named is None and (found := _META_CHARSET.search(content[:2048])):
        named = found.group(1).decode("ascii", "replace")
    try:
        text = text_of(content, named)
    except ConfigError:
        raise NoTextError("an unknown charset") from None
    return html_to_text(text) if kind in _HTML else text


def _narrative(resource: Mapping[str, Any]) -> str | None:
    narrative = _mapping(resource.get("text"))
    div = narrative.get("div")
    if narrative.get("status") in ("generated", "empty") or not isinstance(div, str):
        return None
    return html_to_text(div) or None


def _conclusion(resource: Mapping[str, Any]) -> str | None:
    conclusion = resource.get("conclusion")
    return conclusion if isinstance(conclusion, str) and conclusion.strip() else None


PARTS: dict[str, Callable[[Mapping[str, Any]], str | None]] = {
    "presentedForm": _presented,
    "text": _narrative,
    "conclusion": _conclusion,
}
"""What may hold the text, best first; ``--text-columns`` may choose."""


def _identifier(resource: Mapping[str, Any], url: str, asked: str | None) -> str:
    if asked == "identifier":
        return _first_identifier(resource)
    own = _string(resource.get("id")).strip()
    return own or re.split(r"[/:]", url.rstrip("/"))[-1].strip()


def _first_identifier(resource: Mapping[str, Any]) -> str:
    values = (_string(_mapping(i).get("value")).strip() for i in _list(resource.get("identifier")))
    return next((value for value in values if value), "")


def _patient(resource: Mapping[str, Any]) -> str:
    subject = _mapping(resource.get("subject"))
    reference = _HISTORY.sub("", _string(subject.get("reference")).strip())
    return reference or _string(_mapping(subject.get("identifier")).get("value")).strip()


def _meta(resource: Mapping[str, Any], part: str) -> dict[str, str]:
    code = _mapping(resource.get("code"))
    coding = next((_mapping(c) for c in _list(code.get("coding"))), {})
    period = _mapping(resource.get("effectivePeriod"))
    return {
        "status": _string(resource.get("status")),
        "issued": _string(resource.get("issued")),
        "effective": _string(resource.get("effectiveDateTime")) or _string(period.get("start")),
        "code": next(filter(None, map(_string, _code_names(code, coding))), ""),
        "identifier": _first_identifier(resource),
        "part": part,
    }


def _code_names(code: Mapping[str, Any], coding: Mapping[str, Any]) -> tuple[Any, ...]:
    return code.get("text"), coding.get("display"), coding.get("code")


def _type(attachment: Mapping[str, Any]) -> str:
    return _string(attachment.get("contentType")).partition(";")[0].strip().lower()


def _shown_type(kind: str) -> str:
    return kind if re.fullmatch(r"[\w.+-]{1,40}/[\w.+-]{1,60}", kind) else "an unknown content type"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
