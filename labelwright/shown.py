"""Predictions and comparisons as notebooks show them: HTML without script, all text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from labelwright import kinds

_MARKS = {
    "positive": "#9a4600",
    "uncertain": "#7a3f97",
    "negative": "#1a5f9c",
}
"""The colours of the evidence page, dark enough for white and light enough for dark grounds."""


def prediction_html(prediction: Any) -> str:
    """What is said of one report: labels that are not blank, mentions, or the value as it is.

    The report's text is not part of a prediction, so none is shown but the words of mentions.

    Args:
        prediction: a :class:`labelwright.records.Prediction`, whose module imports this one.
    """
    head = f"<b>{escape(prediction.id)}</b> · {escape(prediction.model)}"
    problems = "".join(f"<li>{escape(problem)}</li>" for problem in prediction.problems)
    notes = f"<ul>{problems}</ul>" if problems else ""
    return f"<div><p>{head}</p>{_value(prediction)}{notes}</div>"


def _value(prediction: Any) -> str:
    if prediction.labels:
        return _labels(prediction)
    if prediction.value is None:
        return "<p>no answer</p>"
    kind = kinds.load(prediction.task)
    if mentions := kind.marks(prediction.value):
        rows = [
            (
                m.type,
                m.text,
                f"{m.start}–{m.end}" if m.spans else "not in the text",
                _chance(m.prob),
            )
            for m in mentions
        ]
        return table(("type", "words", "place", "probability"), rows)
    found = kind.to_json(prediction.value)
    if isinstance(found, dict):
        return table(("name", "value"), [(str(k), str(v)) for k, v in found.items()])
    return "<p>nothing found</p>"


def _labels(prediction: Any) -> str:
    rows = []
    for name, said in prediction.labels.items():
        if said == "blank":
            continue
        word = "no answer" if said is None else said.value
        chance = (prediction.probs or {}).get(name, {}).get(word)
        parts = (prediction.evidence or {}).get(name, ())
        places = ", ".join(f"{start}–{end}" for start, end in parts)
        rows.append((name, word, _chance(chance), places))
    blank = sum(said == "blank" for said in prediction.labels.values())
    more = f"<p>{blank} blank</p>" if blank else ""
    return table(("observation", "says", "probability", "evidence"), rows) + more


def _chance(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A plain table; a certainty has its colour."""

    def cell(text: str) -> str:
        colour = _MARKS.get(text)
        style = f' style="border-left: 4px solid {colour}; padding-left: .5em"' if colour else ""
        return f"<td{style}>{escape(text)}</td>"

    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def comparison_html(verdicts: Sequence[str], page: str) -> str:
    """The sentences of a comparison, and where its page is."""
    first, *others = verdicts
    more = "".join(f"<p>{escape(sentence)}</p>" for sentence in others)
    link = f'<p><a href="{escape(page, quote=True)}">{escape(page)}</a></p>'
    return f"<div><p><b>{escape(first)}</b></p>{more}{link}</div>"
