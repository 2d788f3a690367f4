"""What only entities have on the page: tables of types and schemes, words, certainties."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from markupsafe import Markup

from eval.kinds.base import KindView, More, RunScores
from eval.kinds.entities import CERTAINTY, OFFER, SCHEME_TEXT, SCHEMES, WORDS, WORDS_O
from eval.kinds.entities.curves import curves_section
from eval.kinds.entities.read import load
from eval.kinds.entities.scores import SchemeScores, SpanAnalysis, counted, run_scores
from eval.kinds.entities.seeds import runs_section
from eval.kinds.entities.wrong import errors, kinds_section, outcomes
from eval.page import labeler_tables, pair_tables
from eval.page.contents import Contents, Folded, Section
from eval.page.figures import Heat
from eval.page.labeler_tables import F1, P, R
from eval.page.plots import colours
from eval.page.tables import Column, Table, defined, sentence
from eval.page.verdict import Notices, joined, sample, shared_notices
from eval.read.aligned import Inputs

_ANSWERS = {
    "error": "Nothing is left out: of a report without a prediction, or with an unusable answer, "
    "all that the gold marks counts as missed.",
    "drop": "Reports that a labeler had no prediction for were left out for all labelers; of a "
    "report with an unusable answer, all that the gold marks counts as missed.",
}
_FAILED = {
    "error": "Reports without a usable answer counted as having no mention.",
    "drop": "Reports that a labeler had no prediction for were left out for all labelers.",
}
_RULE = {"zero": "counted as 0", "one": "counted as 1", "skip": "was left out of means"}
HEAT = Heat(
    columns={f"micro_f1_{scheme}": SCHEME_TEXT[scheme][0] for scheme in SCHEMES},
    whole="All (micro)",
    by=", by way of counting",
    dash="neither gold nor answers have the type",
    score="f1 per scheme",
)


def contents(analysis: SpanAnalysis, texts: Mapping[str, str] | None) -> Contents:
    """All of it; ``texts`` are those that the page shows."""
    return Contents(
        scores_title="Scores",
        scores_lead=Markup(
            "Labelers as a whole, the verdict's score per type, then every way of counting a "
            "mention as right. Bold: the best of its row."
        ),
        scores=[
            labelers(analysis),
            main(analysis),
            schemes(analysis),
            *([pair_tables.differences(analysis)] if analysis.pairs else []),
        ],
        folded=Folded(
            "schemes",
            "Ways of counting",
            "Ways of counting, per type",
            Markup(
                "What counts as right decides the score: the same place and type, the place "
                "alone, or any overlap. The answer's mentions count under the type answered, the "
                "gold's under their own."
            ),
            [outcomes(analysis), *per_scheme(analysis)],
        ),
        heat=HEAT,
        answers=_answers(analysis),
        answers_text=_ANSWERS[analysis.comparison.missing],
        notices=notices(analysis),
        methods=_methods(analysis),
        errors=errors(analysis, texts),
        labelers={name: _labeler_json(analysis, name) for name in analysis.comparison.names},
    )


# Tables


def labelers(analysis: SpanAnalysis) -> Table:
    """One row per labeler: the metric, the loosest and the strictest score, failures."""
    c, scores = analysis.comparison, list(analysis.scores.values())
    other = "macro" if analysis.metric == "micro_f1_strict" else "micro"
    strict = [getattr(s.schemes["strict"], other).f1 for s in scores]
    return Table.of_columns(
        "labelers",
        "Labelers",
        [
            (Column("Labeler"), c.names),
            (Column(sentence(analysis.headline), "score"), [analysis.mean(n) for n in c.names]),
            (Column(f"Strict {other} F1", "score"), strict),
            (Column("Overlap micro F1", "score"), [s.schemes["overlap"].micro.f1 for s in scores]),
            (Column("All right", "percent"), [s.perfect for s in scores]),
            (Column("No answer", "count"), labeler_tables.without_answer(analysis)),
            (Column("Not in the text", "count"), [c.absent[name] for name in c.names]),
        ],
        caption="All right: reports without a single error (strict). No answer: reports whose "
        "answer was missing or unusable. Not in the text: mentions that a labeler wrote and the "
        "text does not hold; they are wrong in every score.",
        signature=analysis.signature(),
        keys=colours(len(c.names)),
    )


def main(analysis: SpanAnalysis) -> Table:
    """The metric of the verdict per type, with the gold's mentions."""
    c = analysis.comparison
    gold = Counter(e.type for mentions in c.gold for e in mentions)
    reports = Counter(name for mentions in c.gold for name in {e.type for e in mentions})
    return labeler_tables.scores_per_part(
        analysis,
        "scores",
        f"{sentence(analysis.short)} per type",
        analysis.metric,
        before=[
            (
                Column("mentions", "count", group="Gold"),
                [*(gold[name] for name in c.types), gold.total()],
            ),
            (
                Column("reports", "count", group="Gold"),
                [*(reports[name] for name in c.types), sum(map(bool, c.gold))],
            ),
        ],
        foot=analysis.whole,
        caption=f"{sentence(analysis.definition)}.",
        signature=analysis.signature(),
    )


def schemes(analysis: SpanAnalysis) -> Table:
    """Every scheme in one table: precision, recall and F1 over all types, and the mean of F1."""
    shown = [s for s in analysis.schemes if s not in (WORDS, WORDS_O)]

    def of_labeler(name: str) -> list[labeler_tables.Filled]:
        found = [analysis.scores[name].schemes[s].micro for s in shown]
        return [
            (P, [each.precision for each in found]),
            (R, [each.recall for each in found]),
            *(
                (
                    Column(f"{average} F1", "score", compare=average),
                    [analysis.marks(name, f"{average}_f1_{s}")[0] for s in shown],
                )
                for average in ("micro", "macro")
            ),
        ]

    defined = "; ".join(
        f"{SCHEME_TEXT[s][0]}: {SCHEME_TEXT[s][1]}" for s in analysis.schemes if s in SCHEMES
    )
    return labeler_tables.per_labeler(
        analysis,
        "schemes",
        "All schemes of counting",
        [(Column("Counted as right"), [sentence(SCHEME_TEXT[s][0]) for s in shown])],
        {name: of_labeler(name) for name in analysis.comparison.names},
        foot=False,
        caption=f"P and R over all types. {sentence(defined)}.",
        signature=analysis.signature("all"),
        sortable=False,
    )


def per_scheme(analysis: SpanAnalysis) -> list[Table]:
    """Precision, recall and F1 per type, a table for each scheme."""
    return [
        _scheme(analysis, s, f"types-{s}", f"Per type: {SCHEME_TEXT[s][0]}")
        for s in analysis.schemes
        if s not in (WORDS, WORDS_O)
    ]


def _scheme(analysis: SpanAnalysis, scheme: str, name: str, title: str) -> Table:
    c = analysis.comparison
    gold = analysis.scores[analysis.reference].schemes[scheme].gold.tolist()

    def of_labeler(labeler: str) -> list[labeler_tables.Filled]:
        found = analysis.scores[labeler].schemes[scheme]
        whole, *marks = analysis.marks(labeler, f"macro_f1_{scheme}")
        with_o = defined(found.f1, ~found.undefined)[len(marks) :]
        return [
            (Column("given", "count"), [*found.pred.tolist(), int(found.pred.sum())]),
            (P, [*defined(found.precision, found.pred > 0), found.macro.precision]),
            (R, [*defined(found.recall, found.gold > 0), found.macro.recall]),
            (F1, [*marks, *with_o, whole]),
        ]

    rows = [*(*c.types, "O (no type)")[: len(gold)], "Macro mean"]
    return labeler_tables.per_labeler(
        analysis,
        name,
        title,
        [(Column("Type"), rows), (Column("gold", "count"), [*gold, sum(gold)])],
        {labeler: of_labeler(labeler) for labeler in c.names},
        caption=f"{sentence(SCHEME_TEXT[scheme][1])}. F1 of types with its interval.",
        signature=analysis.signature(f"macro_f1_{scheme}"),
    )


def _answers(analysis: SpanAnalysis) -> Table:
    """What each labeler left unanswered, and what its file holds."""
    found = analysis.comparison
    return labeler_tables.answers(
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


# Sections


def _words_section(analysis: SpanAnalysis) -> Section:
    known = analysis.comparison.texts is not None
    lead = (
        "Each word by itself: which types mark it? A word is a run of letters and digits, or any "
        "other mark. Papers on tokens often print accuracy with the words of no type (O) counted "
        "in: as most words are O, it is near 1 for a labeler that finds nothing."
        if known
        else "Texts are not known here, so characters are counted instead of words, and those of "
        "no type cannot be. Give the texts with --reports."
    )
    units = "Words" if known else "Characters"
    scheme = WORDS_O if WORDS_O in analysis.schemes else WORDS
    return Section(
        id="words",
        title="Word by word" if known else "Character by character",
        lead=lead,
        tables=(
            *([_accuracy(analysis)] if known else []),
            _scheme(analysis, scheme, "words", f"{units} per type"),
        ),
        numbers={name: {"accuracy": scores.accuracy} for name, scores in analysis.scores.items()},
    )


def _accuracy(analysis: SpanAnalysis) -> Table:
    """Accuracy over words beside the scores that it hides."""
    scores = list(analysis.scores.values())
    with_o = [s.schemes.get(WORDS_O) for s in scores]
    types = [s.schemes[WORDS] for s in scores]
    return Table.of_columns(
        "word-accuracy",
        "All types together",
        [
            (Column("Labeler"), list(analysis.scores)),
            (Column("accuracy", "score", group="With O"), [s.accuracy for s in scores]),
            (
                Column("macro F1", "score", group="With O"),
                [None if s is None else s.macro.f1 for s in with_o],
            ),
            (Column("macro F1", "score", group="Types only"), [s.macro.f1 for s in types]),
            (Column("micro F1", "score", group="Types only"), [s.micro.f1 for s in types]),
        ],
        caption="Accuracy: share of words whose types are all right; most words have none (O).",
        signature=analysis.signature("words", intervals=False),
        keys=colours(len(scores)),
    )


def _certainty_section(analysis: SpanAnalysis) -> Section | None:
    """How often the certainty of a mention is right; ``None`` where there are none."""
    if CERTAINTY not in analysis.schemes:
        return None
    scores = list(analysis.scores.values())
    both = [s.schemes[CERTAINTY] for s in scores]
    table = Table.of_columns(
        "certainty",
        "Certainty of mentions",
        [
            (Column("Labeler"), list(analysis.scores)),
            (
                Column("place and type right", "count"),
                [_correct(s.schemes["strict"]) for s in scores],
            ),
            (Column("certainty right too", "count"), [_correct(s) for s in both]),
            (Column("share", "percent"), [s.certainty_accuracy for s in scores]),
            (Column("micro F1 with certainty", "score"), [s.micro.f1 for s in both]),
        ],
        caption="Asked of mentions with the gold's place and type.",
        signature=analysis.signature("certainty", intervals=False),
        keys=colours(len(scores)),
    )
    return Section(
        id="certainty",
        title="Certainty",
        lead="Of the mentions with the right place and type: is the certainty right too?",
        tables=(table,),
        numbers={
            name: {"accuracy": each.certainty_accuracy} for name, each in analysis.scores.items()
        },
    )


def _correct(found: SchemeScores) -> int | None:
    return None if found.tally is None else found.tally.correct


# Sentences, and numbers for programs


def notices(analysis: SpanAnalysis) -> Notices:
    """Everything about gold and predictions that limits what the numbers mean."""
    c, shared = analysis.comparison, shared_notices(analysis)
    grave, other = list(shared.grave), list(shared.other)
    unused = [n for n in c.types if not any(e.type == n for m in c.gold for e in m)]
    if c.gold_patients:
        other.append("Patients are those that the gold names.")
    if unused and len(unused) < len(c.types):
        other.append(f"Never marked in the gold: {', '.join(unused)}.")
    grave += [
        f"{count:,} mentions of {name} name other words than those at their place: offsets may "
        "count another text. The places are what is scored."
        for name, count in (("the gold", c.gold_elsewhere), *c.elsewhere.items())
        if count
    ]
    grave += [
        f"{count:,} {'report' if count == 1 else 'reports'} of {name or 'the gold'} could not be "
        "read whole: annotations that cannot be used were left out, and what they marked is not "
        "scored."
        for name, count in c.lacking.items()
        if count
    ]
    if edges := {name: count for name, count in c.trimmed.items() if count}:
        of = joined([f"{count:,} of {name or 'the gold'}" for name, count in edges.items()])
        other.append(f"White space at the edges of mentions was trimmed: {of}.")
    other += [
        f"{name}: {count:,} mentions are not in the text; they count as false."
        for name, count in c.absent.items()
        if count
    ]
    return Notices(tuple(grave), tuple(other))


def _methods(analysis: SpanAnalysis) -> str:
    c = analysis.comparison
    return (
        f"We compared the mentions marked by {joined(c.names)} with {sum(map(len, c.gold)):,} "
        f"reference mentions (gold) of {len(c.types)} types ({c.label_set.name}, version "
        f"{c.label_set.version}) in {sample(analysis)}. The main score was {analysis.definition}. "
        "Mentions were matched one to one, those of the same place and type first, then the "
        "largest possible number of overlapping ones (schemes of SemEval-2013 task 9). A mention "
        "that the text does not hold counted as false. F1 of a type that neither the gold nor the "
        f"labeler gave {_RULE[analysis.tests.settings.undefined]}. {_FAILED[c.missing]}"
    )


def _labeler_json(analysis: SpanAnalysis, name: str) -> dict[str, Any]:
    c, scores = analysis.comparison, analysis.scores[name]
    coverage = c.coverage[name]
    return {
        "schemes": {n: _scheme_json(c.types, found) for n, found in scores.schemes.items()},
        "accuracy_words": scores.accuracy,
        "certainty_accuracy": scores.certainty_accuracy,
        "perfect_reports": scores.perfect,
        "mentions": sum(map(len, c.pred[name])),
        "not_in_the_text": c.absent[name],
        "other_words_at_place": c.elsewhere[name],
        "white_space_trimmed": c.trimmed.get(name, 0),
        "missing": len(coverage.missing),
        "unusable": len(coverage.undetermined),
        "without_gold": coverage.extra,
        "problems": dict(coverage.problems),
    }


def _scheme_json(types: Sequence[str], found: SchemeScores) -> dict[str, Any]:
    columns = {
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "gold": found.gold,
        "given": found.pred,
        "undefined": found.undefined,
    }
    return {
        "micro": asdict(found.micro),
        "macro": asdict(found.macro),
        "outcomes": None if found.tally is None else asdict(found.tally),
        "types": {
            name: {column: values[index].item() for column, values in columns.items()}
            for index, name in enumerate((*types, "O")[: len(found.f1)])
        },
    }


class EntitiesView(KindView):
    """Label sets that ask for mentions of types."""

    offer = OFFER
    title = "Comparison of entity labelers"
    scores_texts = True
    load = staticmethod(load)
    counted = staticmethod(counted)
    contents = staticmethod(contents)

    def sections(self, analysis: SpanAnalysis, inputs: Inputs, more: More) -> list[Section]:
        """Kinds of errors, words, certainties, probabilities, several runs."""
        found = [
            kinds_section(analysis),
            _words_section(analysis),
            _certainty_section(analysis),
            curves_section(analysis),
            runs_section(analysis, inputs, more) if more.runs else None,
        ]
        return [section for section in found if section is not None]

    def run_scores(self, inputs: Inputs) -> RunScores:
        """F1 by several schemes, and strict F1 by type."""
        return run_scores(load(inputs))


VIEW = EntitiesView()
