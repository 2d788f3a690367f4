"""Which mentions each labeler got wrong: data of the page's browser, and ``errors.csv``."""

from __future__ import annotations

import csv
import io
from typing import Any

from markupsafe import Markup

from eval.kinds.entities.analysis import SpanAnalysis
from eval.kinds.entities.errors import GOLD, KINDS, Wrong
from eval.page.error_list import MOST, script_json
from eval.page.tables import unformula
from labelwright.records import Entity


def wrong_reports(analysis: SpanAnalysis) -> list[int]:
    """Places of the reports with a wrong mention of at least one labeler, in the gold's order."""
    return [
        place
        for place in range(len(analysis.comparison.ids))
        if any(found[place] for found in analysis.wrong.values())
    ]


def browser_data(analysis: SpanAnalysis, *, texts: bool) -> Markup:
    """JSON for the browser, safe inside a ``<script>`` element.

    Args:
        texts: whether the reports' texts go with it; without, there are places only.
    """
    c = analysis.comparison
    type_of = {name: number for number, name in enumerate(c.types)}
    kind_of = {name: number for number, name in enumerate(KINDS)}
    rows = []
    for place in wrong_reports(analysis)[:MOST]:
        row: dict[str, Any] = {"id": c.ids[place], "l": []}
        for name in c.names:
            row["l"].append(
                [
                    [int(w.side != GOLD), kind_of[w.kind], type_of[mention.type], mention.spans]
                    for w in analysis.wrong[name][place]
                    for mention in (mention_of(analysis, name, place, w),)
                ]
            )
        if texts and c.texts is not None:
            row["t"] = c.texts[place]
        rows.append(row)
    value = {
        "labelers": c.names,
        "types": c.types,
        "kinds": list(KINDS.values()),
        "rows": rows,
    }
    return script_json(value)


def errors_csv(analysis: SpanAnalysis) -> str:
    """One line per wrong mention of a labeler, with its place and kind, without text."""
    c = analysis.comparison
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "labeler", "side", "type", "spans", "kind"])
    for place, identifier in enumerate(c.ids):
        for name in c.names:
            for w in analysis.wrong[name][place]:
                mention = mention_of(analysis, name, place, w)
                spans = ";".join(f"{start} {end}" for start, end in mention.spans)
                writer.writerow(
                    [
                        unformula(identifier),
                        unformula(name),
                        w.side,
                        unformula(mention.type),
                        spans,
                        KINDS[w.kind],
                    ]
                )
    return out.getvalue()


def mention_of(analysis: SpanAnalysis, name: str, place: int, wrong: Wrong) -> Entity:
    """The mention that is wrong, of the gold or of the labeler."""
    c = analysis.comparison
    side = c.gold if wrong.side == GOLD else c.pred[name]
    return side[place][wrong.place]
