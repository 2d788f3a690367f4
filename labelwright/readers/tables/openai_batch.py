"""Input files of OpenAI's Batch API: the report is what the user said last in each request.

A line is ``{"custom_id": …, "body": {"messages": […]}}``, or ``"input"`` in place of
``"messages"`` for the Responses API. Instructions, examples and settings in it are not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError
from labelwright.readers.json_stream import numbered_lines
from labelwright.readers.options import ReadOptions
from labelwright.readers.strict_json import encodable, has_twice, object_of
from labelwright.readers.tables.columns import report_or_reject
from labelwright.records import Reject, Report
from labelwright.text.sections import split_sections

_TEXT_PARTS = ("text", "input_text")


def read_openai_batch(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per line that is not blank; ``row`` is the line.

    Raises:
        InputError: the file or its encoding is broken, or it has no lines.
        ConfigError: flags that only tables have.
    """
    _check(options)
    for row, line in numbered_lines(path, options):
        value = object_of(line)
        if isinstance(value, str):
            yield Reject(None, str(path), row, value)
        else:
            yield _report(str(path), row, value)


def count_openai_batch(path: Path, options: ReadOptions) -> int:
    """The lines that :func:`read_openai_batch` would yield."""
    _check(options)
    return sum(1 for _ in numbered_lines(path, options))


def is_request(value: Mapping[str, Any]) -> bool:
    """Whether an object looks like a line of such a file."""
    return "custom_id" in value and isinstance(value.get("body"), dict)


def _report(source: str, row: int, value: Mapping[str, Any]) -> Report | Reject:
    identifier = value.get("custom_id")
    if not isinstance(identifier, str):
        return Reject(None, source, row, "custom_id is missing or no text")
    if not encodable(identifier):
        return Reject(None, source, row, "half a surrogate pair stands in it, no character")
    identifier = identifier.strip()
    if has_twice(value, ("custom_id", "body")):
        return Reject(
            identifier or None, source, row, "custom_id or body appears twice in the line"
        )
    text = _last_of_user(value.get("body"))
    if text is None:
        return Reject(identifier or None, source, row, "no user message with plain text parts only")
    if not encodable(text):
        return Reject(identifier, source, row, "half a surrogate pair stands in it, no character")
    return report_or_reject(source, row, identifier, text, split_sections(text))


def _last_of_user(body: Any) -> str | None:
    if not isinstance(body, dict) or has_twice(body, ("messages", "input")):
        return None
    messages = body.get("messages", body.get("input"))
    if isinstance(messages, str):
        return messages
    if not isinstance(messages, list):
        return None
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            return None if has_twice(message, ("content",)) else _content(message.get("content"))
    return None


def _content(content: Any) -> str | None:
    """Text, or text parts joined by line ends; ``None`` if a part is a picture or a file."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [
        part.get("text") if isinstance(part, dict) and part.get("type") in _TEXT_PARTS else None
        for part in content
    ]
    found = [text for text in texts if isinstance(text, str)]
    return "\n".join(found) if len(found) == len(content) else None


def _check(options: ReadOptions) -> None:
    asked = [options.patient_column, *options.text_columns, *options.meta_columns]
    if any(asked) or options.id_column not in (None, "custom_id"):
        raise ConfigError(
            "requests of the Batch API have no columns but custom_id",
            remedy="remove --text-columns, --patient-column and --meta-columns; "
            "--input-format jsonl reads the lines as a table",
        )
