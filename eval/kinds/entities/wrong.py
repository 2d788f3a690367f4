"""What is wrong with entities, on the page: outcomes, kinds of errors, the list of mentions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Any

from eval.kinds.entities import SCHEME_TEXT
from eval.kinds.entities.errors import GOLD, KINDS, PRED, Wrong
from eval.kinds.entities.scores import SpanAnalysis, Tally
from eval.page import labeler_tables
from eval.page.contents import Errors, Filter, Section
from eval.page.figures import both_widths
from eval.page.plots import WIDE, Axis, colour, legend
from eval.page.svg import Canvas, shorten
from eval.page.tables import Column, Table, sentence, unformula
from labelwright.records import Entity

_OUTCOMES = ("correct", "incorrect", "partial", "missed", "spurious")


def outcomes(analysis: SpanAnalysis) -> Table:
    """SemEval-2013's five outcomes per scheme and labeler."""
    tallies: list[tuple[str, str, Tally]] = [
        (name, SCHEME_TEXT[scheme][0], found.tally)
        for name in analysis.comparison.names
        for scheme, found in analysis.scores[name].schemes.items()
        if found.tally is not None
    ]
    return Table(
        "outcomes",
        "Outcomes as in SemEval-2013",
        (Column("Labeler"), Column("scheme"), *(Column(n, "count") for n in _OUTCOMES)),
        tuple((name, scheme, *(getattr(t, n) for n in _OUTCOMES)) for name, scheme, t in tallies),
        caption="Correct, incorrect and partial are pairs of a gold and an answered mention; "
        "missed are the gold's other mentions, spurious the answer's.",
        signature=analysis.signature("outcomes", intervals=False),
    )


def kinds_section(analysis: SpanAnalysis) -> Section:
    """The section on kinds of errors."""
    names = analysis.comparison.names
    tallies = {name: kind_counts(analysis, name) for name in names}

    def panel(title: str, side: str, left_out: Sequence[str]) -> KindPanel:
        rows = [
            (sentence(title), [tallies[name][side, kind] for name in names])
            for kind, title in KINDS.items()
            if kind not in left_out
        ]
        return KindPanel(title, rows)

    panels = [
        panel("Gold mentions not found", GOLD, ("invented", "absent")),
        panel("Answers that are wrong", PRED, ("missing",)),
    ]
    return Section(
        id="kinds",
        title="Kinds of errors",
        lead="What is wrong with the mentions that have no partner of the same place and type: "
        "borders, type, or the mention as a whole?",
        figures=(both_widths(partial(kind_bars, panels, labelers=names)),),
        tables=(_kinds_table(analysis, tallies),),
        data_tables=(_kinds_by_type(analysis),),
        numbers={
            name: {side: {k: t[side, k] for k in KINDS} for side in (GOLD, PRED)}
            for name, t in tallies.items()
        },
    )


def kind_counts(analysis: SpanAnalysis, name: str) -> Counter[tuple[str, str]]:
    """``{(side, kind): mentions}`` of one labeler."""
    return Counter((w.side, w.kind) for found in analysis.wrong[name] for w in found)


def _kinds_table(analysis: SpanAnalysis, tallies: Mapping[str, Counter[tuple[str, str]]]) -> Table:
    """How many wrong mentions of each kind, on both sides."""

    def column(title: str, side: str, tally: Counter[tuple[str, str]]) -> labeler_tables.Filled:
        counts = [tally[side, kind] for kind in KINDS]
        return Column(title, "count"), [*counts, sum(counts)]

    return labeler_tables.per_labeler(
        analysis,
        "error-kinds",
        "Kinds of wrong mentions",
        [(Column("Kind"), [*map(sentence, KINDS.values()), "All"])],
        {
            name: [column("in the gold", GOLD, t), column("in the answer", PRED, t)]
            for name, t in tallies.items()
        },
        caption="Each mention without a partner of its place and type has one kind. In the gold: "
        "not found. In the answer: false.",
        signature=analysis.signature("error-kinds", intervals=False),
    )


def _kinds_by_type(analysis: SpanAnalysis) -> Table:
    """The same per type, in long form for the CSV file."""
    c = analysis.comparison
    rows: list[tuple[str, str, str, str, int]] = []
    for name in c.names:
        counts = Counter((mention.type, w.side, w.kind) for _, w, mention in _wrong(analysis, name))
        rows += [
            (name, kind_of, side, KINDS[kind], counts[kind_of, side, kind])
            for kind_of in c.types
            for side in (GOLD, PRED)
            for kind in KINDS
            if counts[kind_of, side, kind]
        ]
    return Table(
        "error-kinds-by-type",
        "Kinds of wrong mentions per type",
        (
            *(Column(n) for n in ("labeler", "type", "side", "kind")),
            Column("mentions", "count"),
        ),
        tuple(rows),
    )


def _wrong(
    analysis: SpanAnalysis, name: str, places: Sequence[int] | None = None
) -> Iterator[tuple[int, Wrong, Entity]]:
    """Place of the report, what is wrong, and the mention that is, of the gold or the labeler."""
    c = analysis.comparison
    for place in range(len(c.ids)) if places is None else places:
        for w in analysis.wrong[name][place]:
            side = c.gold if w.side == GOLD else c.pred[name]
            yield place, w, side[place][w.place]


def errors(analysis: SpanAnalysis, texts: Mapping[str, str] | None) -> Errors:
    """Every wrong mention, with its place and kind."""
    c = analysis.comparison
    type_of = {name: number for number, name in enumerate(c.types)}
    kind_of = {name: number for number, name in enumerate(KINDS)}

    def row(place: int) -> dict[str, Any]:
        return {
            "l": [
                [
                    [int(w.side != GOLD), kind_of[w.kind], type_of[mention.type], mention.spans]
                    for _, w, mention in _wrong(analysis, name, [place])
                ]
                for name in c.names
            ]
        }

    def lines() -> Iterator[Sequence[str]]:
        yield ["id", "labeler", "side", "type", "spans", "kind"]
        for place, identifier in enumerate(c.ids):
            for name in c.names:
                for _, w, mention in _wrong(analysis, name, [place]):
                    spans = ";".join(f"{start} {end}" for start, end in mention.spans)
                    start = [unformula(identifier), unformula(name), w.side]
                    yield [*start, unformula(mention.type), spans, KINDS[w.kind]]

    def options(first: str, names: Sequence[str]) -> list[list[tuple[str, str]]]:
        return [[("", first)], *([(str(i), name)] for i, name in enumerate(names))]

    kinds = list(KINDS.values())
    files = resources.files(__package__)
    return Errors(
        places=[p for p in range(len(c.ids)) if any(found[p] for found in analysis.wrong.values())],
        claim="have a wrong mention of at least one labeler",
        remark=" Places are given in characters; the page holds no report text."
        if texts is None
        else "",
        hint="gold or answer, type, place, kind of error",
        row=row,
        lines=lines,
        filters=[
            Filter("Who was wrong", "labeler", options("anyone", c.names)),
            Filter("Type", "type", options("all", c.types)),
            Filter("Kind of error", "kind", options("any", kinds)),
        ],
        head={"types": c.types, "kinds": kinds},
        script=files.joinpath("errors.js").read_text(encoding="utf-8"),
        style=files.joinpath("errors.css").read_text(encoding="utf-8"),
    )


@dataclass(frozen=True)
class KindPanel:
    """Counts of wrong mentions of one side: per kind one number per labeler."""

    title: str
    rows: Sequence[tuple[str, Sequence[int]]]


def kind_bars(panels: Sequence[KindPanel], *, labelers: Sequence[str], width: int = WIDE) -> Canvas:
    """Bars of counts, one group per kind, panels side by side (below each other on a phone)."""
    columns = 1 if width < 500 else len(panels)
    side = width / columns
    names, thick = 128.0, 11 if len(labelers) < 4 else 8
    group = thick * len(labelers) + 9
    head, title = 24, 24
    heights = [title + group * len(panel.rows) + 12 for panel in panels]
    total = max(heights) if columns > 1 else sum(heights)
    canvas = Canvas(width, head + total, label=f"Kinds of wrong mentions of {', '.join(labelers)}.")
    legend(canvas, 0, 13, labelers, start=0)
    most = max([1, *(n for panel in panels for _, counts in panel.rows for n in counts)])
    y = float(head)
    for index, panel in enumerate(panels):
        x = side * index if columns > 1 else 0.0
        top = head if columns > 1 else y
        y += heights[index]
        axis = Axis(0, most, x + names, x + side - 44, (0, most))
        canvas.text(x, top + 14, shorten(panel.title, side - 8, 12.5), "t strong")
        bottom = top + title + group * len(panel.rows) - 4
        canvas.line(axis.left, top + title, axis.left, bottom, "zero")
        for place, (name, counts) in enumerate(panel.rows):
            at = top + title + place * group
            middle = at + thick * len(labelers) / 2 + 4
            canvas.text(x, middle, shorten(name, names - 8, 12.5), "t", tip=name)
            for number, count in enumerate(counts):
                line = at + number * thick
                length = axis.at(count) - axis.left
                tip = f"{panel.title}, {name}, {labelers[number]}: {count:,}"
                canvas.rect(
                    axis.left, line + 0.5, length, thick - 1, colour(number), opacity=0.78, tip=tip
                )
                if thick > 8:
                    canvas.text(axis.left + length + 4, line + thick - 1.5, f"{count:,}", "t micro")
    return canvas
