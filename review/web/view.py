"""A desk as the page gets it: items with their words by number, and places to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labelwright.records import Span
from review.kinds.base import Form
from review.store.steps import REASONS
from review.store.work import Desk, Placed
from review.text.lines import Page

_QUOTED = 160
"""Characters of an item's words in the list."""


def labels(form: Form) -> list[dict[str, Any]]:
    """The labels with what can be said of each, in the label set's order."""
    found = []
    for number, label in enumerate(form.label_set.labels):
        options = [{"name": o.name, "word": o.word} for o in form.options(label.name)]
        found.append(
            {
                "name": label.name,
                "about": label.description,
                "hue": number % HUES,
                "options": options,
                "unit": form.unit(label.name),
            }
        )
    return found


HUES = 12
"""Colours of labels; the thirteenth label has the first's again."""


def state(form: Form, page: Page, on: Desk, placed: Sequence[Placed]) -> dict[str, Any]:
    """What changes with every step."""
    rows = [item(page, each) for each in placed]
    if form.mode == "marks":
        rows.sort(key=lambda row: (row["at"] or [[1 << 30]], row["id"]))
    else:
        order = {name: at for at, name in enumerate(form.label_set.names)}
        rows.sort(key=lambda row: (order.get(row["name"], 0), row["id"]))
    return {"version": on.version, "state": on.state, "items": rows}


def item(page: Page, each: Placed) -> dict[str, Any]:
    """One item."""
    it = each.item
    text = " … ".join(page.text[start:end] for start, end in it.spans)
    return {
        "id": each.root,
        "name": it.name,
        "said": it.said,
        "state": each.state,
        "value": it.value,
        "prob": it.prob,
        "doubt": it.doubt,
        "by": list(it.by),
        "text": " ".join(text.split())[:_QUOTED],
        "words": _numbers(page, it.spans),
        "at": page.places(it.spans),
        "evidence": page.places(it.evidence),
        "because": _numbers(page, it.evidence),
    }


def _numbers(page: Page, spans: Sequence[Span]) -> list[list[int]]:
    return [[*found] for span in spans if (found := page.covering(span))]


def part(page: Page, number: int) -> dict[str, Any]:
    """A part of the text for the page's script."""
    first = page.parts[number]
    return {
        "number": number,
        "line": first,
        "word": page.first_word(first),
        "measures": page.measures(number),
        "sections": page.sections(number),
    }


def whole(
    form: Form, page: Page, on: Desk, placed: Sequence[Placed], shown: int = 0
) -> dict[str, Any]:
    """All that the page's script needs.

    Args:
        shown: the part of the text that the page holds.
    """
    return state(form, page, on, placed) | {
        "note": on.note,
        "role": on.role,
        "blind": on.blind,
        "mode": form.mode,
        "labels": labels(form),
        "part": part(page, shown),
        "parts": page.parts,
        "firsts": [page.first_word(line) for line in page.parts],
        "reasons": list(REASONS),
    }
