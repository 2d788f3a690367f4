"""The tables of scores of entities: labelers, types, schemes, words, certainties."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from eval.kinds.entities.analysis import SCHEME_TEXT, SpanAnalysis
from eval.kinds.entities.scores import CERTAINTY, SCHEMES, WORDS, WORDS_O, SchemeScores
from eval.page.plots import colour
from eval.page.tables import Column, Table, Value, sentence


def labelers(analysis: SpanAnalysis) -> Table:
    """One row per labeler: the metric, the loosest and the strictest score, failures."""
    c = analysis.comparison
    other = "macro" if analysis.metric == "micro_f1_strict" else "micro"
    rows: list[tuple[Value, ...]] = []
    for name in c.names:
        scores, coverage = analysis.scores[name], c.coverage[name]
        strict = scores.schemes["strict"]
        failed = len(coverage.missing) * (c.missing == "error") + len(coverage.undetermined)
        rows.append(
            (
                name,
                analysis.mean(name),
                (strict.macro if other == "macro" else strict.micro).f1,
                scores.schemes["overlap"].micro.f1,
                scores.perfect,
                failed,
                c.absent[name],
            )
        )
    return Table(
        name="labelers",
        title="Labelers",
        columns=(
            Column("Labeler"),
            Column(sentence(analysis.headline), "score"),
            Column(f"Strict {other} F1", "score"),
            Column("Overlap micro F1", "score"),
            Column("All right", "percent"),
            Column("No answer", "count"),
            Column("Not in the text", "count"),
        ),
        rows=tuple(rows),
        caption="All right: reports without a single error (strict). No answer: reports whose "
        "answer was missing or unusable. Not in the text: mentions that a labeler wrote and the "
        "text does not hold; they are wrong in every score.",
        signature=analysis.signature(),
        keys=keys(analysis),
    )


def main(analysis: SpanAnalysis) -> Table:
    """The metric of the verdict per type, with the gold's mentions."""
    c = analysis.comparison
    marks = [analysis.marks(name, analysis.metric) for name in c.names]
    gold = Counter(e.type for mentions in c.gold for e in mentions)
    reports = Counter(name for mentions in c.gold for name in {e.type for e in mentions})
    rows: list[tuple[Value, ...]] = [
        (name, gold[name], reports[name], *(m[index + 1] for m in marks))
        for index, name in enumerate(c.types)
    ]
    return Table(
        name="scores",
        title=f"{sentence(analysis.short)} per type",
        columns=(
            Column("Type"),
            Column("mentions", "count", group="Gold"),
            Column("reports", "count", group="Gold"),
            *_labeler_columns(analysis),
        ),
        rows=tuple(rows),
        foot=(analysis.whole, gold.total(), sum(map(bool, c.gold)), *(m[0] for m in marks)),
        caption=f"{sentence(analysis.definition)}.",
        signature=analysis.signature(),
    )


def schemes(analysis: SpanAnalysis) -> Table:
    """Every scheme in one table: precision, recall and F1 over all types, and the mean of F1."""
    columns = [Column("Counted as right")]
    for index, name in enumerate(analysis.comparison.names):
        columns += [
            Column("P", "score", group=name, colour=colour(index), compare="P"),
            Column("R", "score", group=name, compare="R"),
            Column("micro F1", "score", group=name, compare="micro"),
            Column("macro F1", "score", group=name, compare="macro"),
        ]
    rows: list[tuple[Value, ...]] = []
    for scheme in (s for s in analysis.schemes if s not in (WORDS, WORDS_O)):
        row: list[Value] = [sentence(SCHEME_TEXT[scheme][0])]
        for name in analysis.comparison.names:
            found = analysis.scores[name].schemes[scheme]
            row += [
                found.micro.precision,
                found.micro.recall,
                analysis.marks(name, f"micro_f1_{scheme}")[0],
                analysis.marks(name, f"macro_f1_{scheme}")[0],
            ]
        rows.append(tuple(row))
    defined = "; ".join(
        f"{SCHEME_TEXT[s][0]}: {SCHEME_TEXT[s][1]}" for s in analysis.schemes if s in SCHEMES
    )
    return Table(
        name="schemes",
        title="All schemes of counting",
        columns=tuple(columns),
        rows=tuple(rows),
        caption=f"P and R over all types. {sentence(defined)}.",
        signature=analysis.signature("all"),
        sortable=False,
    )


def per_scheme(analysis: SpanAnalysis) -> list[Table]:
    """Precision, recall and F1 per type, a table for each scheme."""
    return [_scheme(analysis, s) for s in analysis.schemes if s not in (WORDS, WORDS_O)]


def words(analysis: SpanAnalysis) -> Table:
    """The same for words, with the words of no type as the last row where they are known."""
    return _scheme(analysis, WORDS_O if WORDS_O in analysis.schemes else WORDS)


def accuracy(analysis: SpanAnalysis) -> Table:
    """Accuracy over words beside the scores that it hides."""
    rows: list[tuple[Value, ...]] = []
    for name, scores in analysis.scores.items():
        with_o = scores.schemes.get(WORDS_O)
        rows.append(
            (
                name,
                scores.accuracy,
                None if with_o is None else with_o.macro.f1,
                scores.schemes[WORDS].macro.f1,
                scores.schemes[WORDS].micro.f1,
            )
        )
    return Table(
        name="word-accuracy",
        title="All types together",
        columns=(
            Column("Labeler"),
            Column("accuracy", "score", group="With O"),
            Column("macro F1", "score", group="With O"),
            Column("macro F1", "score", group="Types only"),
            Column("micro F1", "score", group="Types only"),
        ),
        rows=tuple(rows),
        caption="Accuracy: share of words whose types are all right; most words have none (O).",
        signature=analysis.signature("words", intervals=False),
        keys=keys(analysis),
    )


def certainty(analysis: SpanAnalysis) -> Table | None:
    """How often the certainty of a mention is right; ``None`` where there are none."""
    if CERTAINTY not in analysis.schemes:
        return None
    rows: list[tuple[Value, ...]] = []
    for name, scores in analysis.scores.items():
        strict, both = (scores.schemes[s] for s in ("strict", CERTAINTY))
        placed, right = (t.correct if t else None for t in (strict.tally, both.tally))
        rows.append(
            (
                name,
                placed,
                right,
                scores.certainty_accuracy,
                both.micro.f1,
            )
        )
    return Table(
        name="certainty",
        title="Certainty of mentions",
        columns=(
            Column("Labeler"),
            Column("place and type right", "count"),
            Column("certainty right too", "count"),
            Column("share", "percent"),
            Column("micro F1 with certainty", "score"),
        ),
        rows=tuple(rows),
        caption="Asked of mentions with the gold's place and type.",
        signature=analysis.signature("certainty", intervals=False),
        keys=keys(analysis),
    )


def _scheme(analysis: SpanAnalysis, scheme: str) -> Table:
    c = analysis.comparison
    columns = [Column("Type"), Column("gold", "count")]
    for index, name in enumerate(c.names):
        columns += [
            Column("given", "count", group=name, colour=colour(index)),
            Column("P", "score", group=name, compare="P"),
            Column("R", "score", group=name, compare="R"),
            Column("F1", "score", group=name, compare="F1"),
        ]
    by_name = {n: analysis.scores[n].schemes[scheme] for n in c.names}
    marks = {n: analysis.marks(n, f"macro_f1_{scheme}") for n in c.names}
    gold = next(iter(by_name.values())).gold
    rows: list[tuple[Value, ...]] = []
    for index, kind in enumerate((*c.types, "O (no type)")[: len(gold)]):
        row: list[Value] = [kind, int(gold[index])]
        for name, found in by_name.items():
            f1: Value = None if found.undefined[index] else float(found.f1[index])
            if index < len(c.types):
                f1 = marks[name][index + 1]
            row += [int(found.pred[index]), *_precision_recall(found, index), f1]
        rows.append(tuple(row))
    foot: list[Value] = ["Macro mean", int(gold.sum())]
    for name, found in by_name.items():
        foot += [int(found.pred.sum()), found.macro.precision, found.macro.recall, marks[name][0]]
    is_words = scheme in (WORDS, WORDS_O)
    units = "Words" if c.texts is not None else "Characters"
    return Table(
        name="words" if is_words else f"types-{scheme}",
        title=f"{units} per type" if is_words else f"Per type: {SCHEME_TEXT[scheme][0]}",
        columns=tuple(columns),
        rows=tuple(rows),
        foot=tuple(foot),
        caption=f"{sentence(SCHEME_TEXT[scheme][1])}. F1 of types with its interval.",
        signature=analysis.signature(f"macro_f1_{scheme}"),
    )


def _precision_recall(found: SchemeScores, index: int) -> tuple[Value, Value]:
    return (
        float(found.precision[index]) if found.pred[index] else None,
        float(found.recall[index]) if found.gold[index] else None,
    )


def _labeler_columns(analysis: SpanAnalysis) -> Sequence[Column]:
    return [
        Column(name, "score", colour=colour(i), compare="score")
        for i, name in enumerate(analysis.comparison.names)
    ]


def keys(analysis: SpanAnalysis) -> tuple[str, ...]:
    """The labelers' colours."""
    return tuple(colour(i) for i in range(len(analysis.comparison.names)))
