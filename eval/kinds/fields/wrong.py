"""What is wrong with fields, on the page: kinds of errors, the paper's points, the list."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import resources
from typing import Any

from eval.kinds.fields.analysis import FieldAnalysis
from eval.kinds.fields.asked import Asked
from eval.kinds.fields.errors import KINDS, UNKNOWN, Error
from eval.kinds.fields.read import FieldComparison
from eval.kinds.fields.scores import Points
from eval.page import labeler_tables
from eval.page.contents import Errors, Filter, Section
from eval.page.figures import both_widths
from eval.page.plots import WIDE, Axis, colour, colours, legend
from eval.page.svg import Canvas, shorten
from eval.page.tables import Column, Table, Value, sentence, unformula
from labelwright.tasks.fields.values import Item
from labelwright.text.sentences import sentence_spans

LONGEST = 300
"""Characters of a value on the page."""
YES, NO = "yes", "no"


def kinds_section(analysis: FieldAnalysis) -> Section:
    """Kinds of errors, and the paper's points beside them."""
    names = analysis.comparison.names
    tallies = {name: kind_counts(analysis, name) for name in names}
    shown = [kind for kind in KINDS if any(t[kind] for t in tallies.values())]
    points = {name: analysis.scores[name].points for name in names}
    return Section(
        id="kinds",
        title="Kinds of errors",
        lead="Everything that is wrong has one kind, the first of the list that fits. Inventions "
        "are of several kinds: words that the text does not hold, values of another field, and "
        "values of fields that the gold leaves empty.",
        figures=(both_widths(partial(kind_bars, shown, tallies, labelers=names)),) if shown else (),
        tables=(_kinds_table(analysis, tallies), points_table(points)),
        data_tables=(_kinds_by_field(analysis),),
        numbers={
            name: {
                "kinds": {kind: tallies[name][kind] for kind in KINDS},
                "points": points_json(points[name]),
            }
            for name in names
        },
    )


def kind_counts(analysis: FieldAnalysis, name: str) -> Counter[str]:
    """``{kind: errors}`` of one labeler; unknown fields are in no document's list."""
    found = Counter(error.kind for each in analysis.errors[name] for error in each)
    found[UNKNOWN] = sum(analysis.comparison.unknown[name])
    return found


def _kinds_table(analysis: FieldAnalysis, tallies: Mapping[str, Counter[str]]) -> Table:
    return labeler_tables.per_labeler(
        analysis,
        "error-kinds",
        "Kinds of errors",
        [
            (Column("Kind"), [*(sentence(name) for name, _ in KINDS.values()), "All"]),
            (Column("Meaning", "wrap"), [*(meaning for _, meaning in KINDS.values()), ""]),
        ],
        {
            name: [
                (Column("errors", "count"), [*(t[kind] for kind in KINDS), t.total()]),
            ]
            for name, t in tallies.items()
        },
        caption="In the order in which they are tried.",
        signature=analysis.signature("error-kinds", intervals=False),
        sortable=False,
    )


def _kinds_by_field(analysis: FieldAnalysis) -> Table:
    """The same per field, in long form for the CSV file."""
    rows: list[tuple[Value, ...]] = []
    for name in analysis.comparison.names:
        counts = Counter((e.field, e.kind) for each in analysis.errors[name] for e in each)
        rows += [
            (name, field, KINDS[kind][0], counts[place, kind])
            for place, field in enumerate(analysis.parts)
            for kind in KINDS
            if counts[place, kind]
        ]
    return Table(
        "error-kinds-by-field",
        "Kinds of errors per field",
        (Column("labeler"), Column("field"), Column("kind"), Column("errors", "count")),
        tuple(rows),
    )


def points_table(points: Mapping[str, Points]) -> Table:
    """Points of the published comparison: type errors, unknown keys, and values without support."""

    def mean(value: int | None, found: Points) -> float | None:
        return None if value is None or not found.documents else value / found.documents

    found = list(points.values())
    return Table.of_columns(
        "points",
        "Points: 1 per type error, 2 per invention",
        [
            (Column("Labeler"), list(points)),
            (Column("values", "count"), [p.values for p in found]),
            (Column("type errors", "count"), [p.type_errors for p in found]),
            (Column("unknown fields", "count"), [p.unknown for p in found]),
            (Column("unsupported", "count"), [p.unsupported for p in found]),
            (Column("points", "count", group="Unknown fields only"), [p.narrow for p in found]),
            (
                Column("per document", "score", group="Unknown fields only"),
                [mean(p.narrow, p) for p in found],
            ),
            (Column("points", "count", group="With unsupported"), [p.whole for p in found]),
            (
                Column("per document", "score", group="With unsupported"),
                [mean(p.whole, p) for p in found],
            ),
        ],
        caption="Few are good. Everything that is said counts, scored by the gold or not. Type "
        "errors: no value of the type, no category, out of range. Unsupported: words that the "
        "text does not hold; a dash where neither texts nor places are known.",
        keys=colours(len(found)),
    )


def points_json(points: Points) -> dict[str, Any]:
    """For ``scores.json``."""
    return {
        "documents": points.documents,
        "values": points.values,
        "type_errors": points.type_errors,
        "unknown": points.unknown,
        "unsupported": points.unsupported,
        "points": points.narrow,
        "points_with_unsupported": points.whole,
    }


def kind_bars(
    kinds: Sequence[str],
    tallies: Mapping[str, Counter[str]],
    *,
    labelers: Sequence[str],
    width: int = WIDE,
) -> Canvas:
    """Bars of counts, a group per kind."""
    names, thick = (118.0 if width < 500 else 170.0), 11 if len(labelers) < 4 else 8
    group = thick * len(labelers) + 9
    canvas = Canvas(width, 30 + group * len(kinds) + 6, label="Kinds of errors.")
    legend(canvas, 0, 13, labelers, start=0)
    most = max([1, *(t[kind] for t in tallies.values() for kind in kinds)])
    axis = Axis(0, most, names, width - 56, (0, most))
    canvas.line(axis.left, 26, axis.left, 30 + group * len(kinds), "zero")
    for place, kind in enumerate(kinds):
        at = 30 + place * group
        title = sentence(KINDS[kind][0])
        middle = at + thick * len(labelers) / 2 + 4
        canvas.text(0, middle, shorten(title, names - 8, 12.5), "t", tip=KINDS[kind][1])
        for number, name in enumerate(labelers):
            count = tallies[name][kind]
            y, length = at + number * thick, axis.at(count) - axis.left
            tip = f"{title}, {name}: {count:,}"
            canvas.rect(
                axis.left, y + 0.5, length, thick - 1, colour(number), opacity=0.78, tip=tip
            )
            if thick > 8:
                canvas.text(axis.left + length + 4, y + thick - 1.5, f"{count:,}", "t micro")
    return canvas


def shown_value(asked: Asked, item: Item, *, words: bool) -> str:
    """A value as the page writes it.

    Args:
        words: whether words of the document may be written; without them only booleans and
            categories of the label set are, all else is ``…``.
    """
    value = item.value
    if isinstance(value, bool):
        known = YES if value else NO
    elif asked.type == "categorical" and value in asked.categories:
        known = str(value)
    elif not words:
        return "…"
    else:
        known = (
            ""
            if value is None
            else f"{item.comparator}{value:g}"
            if isinstance(value, float)
            else str(value)
        )
    raw = " ".join(item.raw.split())[:LONGEST] if words else ""
    if asked.type == "text" or not known:
        return raw or known[:LONGEST] or "…"
    return known if not raw or raw == known else f"{known} ({raw})"


def errors(analysis: FieldAnalysis, texts: Mapping[str, str] | None) -> Errors:
    """Every error with its field, kind, values and places."""
    c = analysis.comparison
    kind_of = {name: number for number, name in enumerate(KINDS)}

    def row(place: int) -> dict[str, Any]:
        text = None if texts is None else texts.get(c.ids[place])
        starts = [] if text is None else sentence_spans(text)
        return {
            "l": [
                [
                    [
                        e.field,
                        kind_of[e.kind],
                        *_side(c.asked[e.field], e.gold, words=text is not None),
                        *_side(c.asked[e.field], e.said, words=text is not None),
                        _sentence(starts, e),
                    ]
                    for e in analysis.errors[name][place]
                ]
                for name in c.names
            ]
        }

    files = resources.files(__package__)
    return Errors(
        places=[
            p for p in range(len(c.ids)) if any(found[p] for found in analysis.errors.values())
        ],
        claim="have a wrong field of at least one labeler",
        remark=" Only yes, no and categories are shown; the page holds no words of documents."
        if texts is None
        else "",
        hint="field, kind of error, gold → answer, the sentence",
        row=row,
        lines=partial(_lines, analysis),
        filters=_filters(c),
        head={"fields": list(analysis.parts), "kinds": [sentence(n) for n, _ in KINDS.values()]},
        script=files.joinpath("errors.js").read_text(encoding="utf-8"),
        style=files.joinpath("errors.css").read_text(encoding="utf-8"),
    )


def _side(asked: Asked, item: Item | None, *, words: bool) -> tuple[str, Sequence[Sequence[int]]]:
    if item is None:
        return "", ()
    return shown_value(asked, item, words=words), item.spans


def _sentence(spans: Sequence[tuple[int, int]], error: Error) -> Sequence[int]:
    """The sentence in which the answer, else the gold, begins; empty where neither has a place."""
    item = error.said if error.said is not None and error.said.spans else error.gold
    if item is None or not item.spans or not spans:
        return ()
    place = bisect_right([start for start, _ in spans], item.spans[0][0]) - 1
    return spans[max(place, 0)]


def _lines(analysis: FieldAnalysis) -> Iterator[Sequence[str]]:
    """``errors.csv``: no words of documents but categories."""
    c = analysis.comparison
    yield ["id", "labeler", "field", "kind", "gold", "gold spans", "answer", "answer spans"]
    for place, identifier in enumerate(c.ids):
        for name in c.names:
            for e in analysis.errors[name][place]:
                cells: list[str] = []
                for item in (e.gold, e.said):
                    value, spans = _side(c.asked[e.field], item, words=False)
                    cells += [unformula(value), ";".join(f"{a} {b}" for a, b in spans)]
                start = [unformula(identifier), unformula(name)]
                yield [*start, unformula(analysis.parts[e.field]), KINDS[e.kind][0], *cells]


def _filters(c: FieldComparison) -> list[Filter]:
    def options(first: str, names: Sequence[str]) -> list[list[tuple[str, str]]]:
        return [[("", first)], *([(str(i), name)] for i, name in enumerate(names))]

    kinds = [sentence(name) for name, _ in KINDS.values()]
    return [
        Filter("Who was wrong", "labeler", options("anyone", c.names)),
        Filter("Field", "field", options("all", [field.name for field in c.asked])),
        Filter("Kind of error", "kind", options("any", kinds)),
    ]
