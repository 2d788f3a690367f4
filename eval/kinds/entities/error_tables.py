"""The tables of what is wrong with entities: outcomes, kinds of errors, answers that lack."""

from __future__ import annotations

from collections import Counter

from eval.kinds.entities.analysis import SCHEME_TEXT, SpanAnalysis
from eval.kinds.entities.errors import GOLD, KINDS, PRED
from eval.page import run_tables
from eval.page.plots import colour
from eval.page.tables import Column, Table, Value, sentence


def outcomes(analysis: SpanAnalysis) -> Table:
    """SemEval-2013's five outcomes per scheme and labeler."""
    rows: list[tuple[Value, ...]] = []
    for name in analysis.comparison.names:
        for scheme, found in analysis.scores[name].schemes.items():
            if (tally := found.tally) is not None:
                rows.append(
                    (
                        name,
                        SCHEME_TEXT[scheme][0],
                        tally.correct,
                        tally.incorrect,
                        tally.partial,
                        tally.missed,
                        tally.spurious,
                    )
                )
    return Table(
        name="outcomes",
        title="Outcomes as in SemEval-2013",
        columns=(
            Column("Labeler"),
            Column("scheme"),
            *(
                Column(n, "count")
                for n in ("correct", "incorrect", "partial", "missed", "spurious")
            ),
        ),
        rows=tuple(rows),
        caption="Correct, incorrect and partial are pairs of a gold and an answered mention; "
        "missed are the gold's other mentions, spurious the answer's.",
        signature=analysis.signature("outcomes", intervals=False),
    )


def kinds(analysis: SpanAnalysis) -> Table:
    """How many wrong mentions of each kind, on both sides."""
    columns = [Column("Kind")]
    for index, name in enumerate(analysis.comparison.names):
        columns += [
            Column("in the gold", "count", group=name, colour=colour(index)),
            Column("in the answer", "count", group=name),
        ]
    tallies = {name: kind_counts(analysis, name) for name in analysis.comparison.names}
    sides = [(t, side) for t in tallies.values() for side in (GOLD, PRED)]
    return Table(
        name="error-kinds",
        title="Kinds of wrong mentions",
        columns=tuple(columns),
        rows=tuple(
            (sentence(words), *(t[side, kind] for t, side in sides))
            for kind, words in KINDS.items()
        ),
        foot=("All", *(sum(t[side, kind] for kind in KINDS) for t, side in sides)),
        caption="Each mention without a partner of its place and type has one kind. In the gold: "
        "not found. In the answer: false.",
        signature=analysis.signature("error-kinds", intervals=False),
    )


def kinds_by_type(analysis: SpanAnalysis) -> Table:
    """The same per type, in long form for the CSV file."""
    c = analysis.comparison
    rows: list[tuple[Value, ...]] = []
    for name in c.names:
        counts: Counter[tuple[str, str, str]] = Counter()
        for place, found in enumerate(analysis.wrong[name]):
            for w in found:
                side = c.gold if w.side == GOLD else c.pred[name]
                counts[side[place][w.place].type, w.side, w.kind] += 1
        rows += [
            (name, kind_of, side, KINDS[kind], counts[kind_of, side, kind])
            for kind_of in c.types
            for side in (GOLD, PRED)
            for kind in KINDS
            if counts[kind_of, side, kind]
        ]
    return Table(
        name="error-kinds-by-type",
        title="Kinds of wrong mentions per type",
        columns=(
            *(Column(n) for n in ("labeler", "type", "side", "kind")),
            Column("mentions", "count"),
        ),
        rows=tuple(rows),
    )


def kind_counts(analysis: SpanAnalysis, name: str) -> Counter[tuple[str, str]]:
    """``{(side, kind): mentions}`` of one labeler."""
    return Counter((w.side, w.kind) for found in analysis.wrong[name] for w in found)


def answers(analysis: SpanAnalysis) -> Table:
    """What each labeler left unanswered, and what its file holds."""
    found = analysis.comparison
    return run_tables.answers(
        analysis,
        {
            "reports": lambda _, c: c.rows,
            "missing": lambda _, c: len(c.missing),
            "unusable": lambda _, c: len(c.undetermined),
            "without gold": lambda _, c: c.extra,
            "mentions": lambda name, _: sum(map(len, found.pred[name])),
            "not in the text": lambda name, _: found.absent[name],
            "other words there": lambda name, _: (
                found.elsewhere[name] if found.texts is not None else None
            ),
        },
        caption="Predictions without gold are ignored. Other words there: mentions whose own words "
        "are not those at their place; the place counts.",
    )
