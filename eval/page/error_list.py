"""Which reports each labeler got wrong: data of the error browser, and ``errors.csv``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from eval.kinds.certainty.load import Comparison
from eval.page.tables import unformula
from labelwright.records import Certainty

LETTERS = "pnub-"
"""One letter per certainty code; code -1 (no answer) is the last."""

MOST = 5_000
"""Reports in the page's browser; ``errors.csv`` has all of them."""


def wrong_reports(comparison: Comparison) -> list[int]:
    """Places of the reports that at least one labeler got wrong, in the gold's order."""
    wrong = np.zeros(len(comparison.ids), dtype=bool)
    for codes in comparison.pred.values():
        wrong |= (codes != comparison.gold).any(axis=1)
    return [int(place) for place in np.flatnonzero(wrong)]


def browser_data(comparison: Comparison, texts: Mapping[str, str] | None) -> Markup:
    """JSON for the error browser, safe inside a ``<script>`` element.

    Args:
        texts: report by id; without it the page holds no report text.
    """
    rows = []
    for place in wrong_reports(comparison)[:MOST]:
        row: dict[str, Any] = {
            "id": comparison.ids[place],
            "g": _letters(comparison.gold[place]),
            "l": [_letters(codes[place]) for codes in comparison.pred.values()],
        }
        if texts is not None and comparison.ids[place] in texts:
            row["t"] = texts[comparison.ids[place]]
        rows.append(row)
    value = {"labelers": comparison.names, "observations": comparison.observations, "rows": rows}
    return script_json(value)


def script_json(value: Any) -> Markup:
    """JSON in which no ``<``, ``>`` or ``&`` can end or change the element around it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped just above


def errors_csv(comparison: Comparison) -> str:
    """One line per report and observation that a labeler got wrong, all answers beside it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "observation", "gold", *map(unformula, comparison.names)])
    words = [c.value for c in Certainty]
    wrong = np.zeros(comparison.gold.shape, dtype=bool)
    for codes in comparison.pred.values():
        wrong |= codes != comparison.gold
    for place, column in np.argwhere(wrong).tolist():
        answers = [int(codes[place, column]) for codes in comparison.pred.values()]
        writer.writerow(
            [
                unformula(comparison.ids[place]),
                comparison.observations[column],
                words[int(comparison.gold[place, column])],
                *("none" if code < 0 else words[code] for code in answers),
            ]
        )
    return out.getvalue()


def _letters(codes: Any) -> str:
    return "".join(LETTERS[int(code)] for code in codes)
