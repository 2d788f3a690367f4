"""What is wrong with mentions that are not right: one kind for each, and what the page says.

Wrong are the mentions without a strict partner: the gold's (missed) and the answer's (false).
Each gets the first kind of this list that fits; only wrong mentions of the other side count,
unless said otherwise:

``absent``
    An answer that the text does not hold.
``repeated``
    Equal to a mention of its side that has its partner already.
``type``
    Paired with a mention of the same place and another type.
``repeated`` again
    Equal to another wrong mention of its side, of which only the first gets a kind below.
``joined``
    One answer over several gold mentions of its type, such as both sides of an "and".
``split``
    Several answers over one gold mention of their type.
``short``, ``long``, ``shifted``
    One answer over one gold mention of its type: inside it, around it, or neither.
``type`` again
    Shares characters with mentions of other types only.
``missing``, ``invented``
    Shares no character with a wrong mention of the other side.

The kinds of the gold's wrong mentions add up to its misses, those of the answer's to its false
alarms; nothing depends on the order of mentions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from itertools import pairwise
from typing import Any

from eval.kinds.entities import SCHEME_TEXT
from eval.kinds.entities.matching import Matching, common
from eval.kinds.entities.scores import SpanAnalysis, Tally
from eval.page import labeler_tables
from eval.page.contents import Errors, Filter, Section
from eval.page.figures import both_widths
from eval.page.plots import WIDE, Axis, colour, legend
from eval.page.svg import Canvas, shorten
from eval.page.tables import Column, Table, sentence, unformula
from labelwright.records import Entity

KINDS: Mapping[str, str] = {
    "short": "part of it missed",
    "long": "too much marked",
    "shifted": "borders moved",
    "joined": "several as one",
    "split": "one as several",
    "type": "other type",
    "repeated": "marked twice",
    "missing": "missing",
    "invented": "invented",
    "absent": "not in the text",
}
"""The kinds in the page's order, with their names there."""

GOLD, PRED = "gold", "answer"


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong mention: ``side`` has it at ``place`` of its list."""

    side: str
    place: int
    kind: str


def wrong_mentions(gold: Sequence[Entity], pred: Sequence[Entity], found: Matching) -> list[Wrong]:
    """The wrong mentions of one report, the gold's first, each by place and type."""
    if not (found.gold_left or found.pred_left):
        return []
    judge = _Judge(gold, pred, found)
    return [
        *(Wrong(GOLD, i, judge.of_gold(i)) for i in found.gold_left),
        *(Wrong(PRED, j, judge.of_pred(j)) for j in found.pred_left),
    ]


class _Judge:
    """Who overlaps whom among the wrong mentions of one report."""

    def __init__(self, gold: Sequence[Entity], pred: Sequence[Entity], found: Matching) -> None:
        self.gold, self.pred = gold, pred
        self.right = {(gold[i].type, gold[i].spans) for i, _ in found.strict}
        self.retyped = {i for i, _ in found.exact}, {j for _, j in found.exact}
        self.twice = (
            _later(gold, found.gold_left) - self.retyped[0],
            _later(pred, found.pred_left) - self.retyped[1],
        )
        self.near = {i for i, _, _ in found.edges}, {j for _, j, _ in found.edges}
        self.kin_of_gold: dict[int, list[int]] = {}
        self.kin_of_pred: dict[int, list[int]] = {}
        for i, j, _ in found.edges:
            once = i not in self.twice[0] and j not in self.twice[1]
            if once and gold[i].type == pred[j].type:
                self.kin_of_gold.setdefault(i, []).append(j)
                self.kin_of_pred.setdefault(j, []).append(i)

    def of_gold(self, i: int) -> str:
        kin = self.kin_of_gold.get(i, [])
        return (
            self._first(self.gold[i], i, 0)
            or (self._of_kin([i], kin) if kin else "")
            or ("type" if i in self.near[0] else "missing")
        )

    def of_pred(self, j: int) -> str:
        kin = self.kin_of_pred.get(j, [])
        return (
            self._first(self.pred[j], j, 1)
            or (self._of_kin(kin, [j]) if kin else "")
            or ("type" if j in self.near[1] else "invented")
        )

    def _first(self, mention: Entity, place: int, side: int) -> str:
        if not mention.spans:
            return "absent"
        if (mention.type, mention.spans) in self.right or place in self.twice[side]:
            return "repeated"
        return "type" if place in self.retyped[side] else ""

    def _of_kin(self, golds: list[int], preds: list[int]) -> str:
        if any(len(self.kin_of_pred[j]) > 1 for j in preds):
            return "joined"
        if any(len(self.kin_of_gold[i]) > 1 for i in golds):
            return "split"
        return borders_kind(self.gold[golds[0]], self.pred[preds[0]])


def _later(mentions: Sequence[Entity], places: Sequence[int]) -> set[int]:
    """Of equal mentions among ``places``, in their order by place and type, all but the first."""
    return {
        after
        for before, after in pairwise(places)
        if mentions[before].spans == mentions[after].spans
        and mentions[before].type == mentions[after].type
    }


def borders_kind(gold: Entity, pred: Entity) -> str:
    """``short``, ``long`` or ``shifted`` for two different places with a common character."""
    shared = common(gold.spans, pred.spans)
    if shared == sum(end - start for start, end in pred.spans):
        return "short"
    if shared == sum(end - start for start, end in gold.spans):
        return "long"
    return "shifted"


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
