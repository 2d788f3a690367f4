"""Mentions of types in a comparison: metrics, files, analysis, page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from eval.kinds.base import KindView, More, RunScores

if TYPE_CHECKING:
    from eval.kinds.entities.analysis import SpanAnalysis
    from eval.kinds.entities.read import SpanComparison
    from eval.page.contents import Contents
    from eval.page.section import Section
    from eval.read.aligned import Inputs
    from eval.stats.significance import CompareSettings
    from labelwright.label_set import LabelSet

SCHEMES = ("strict", "exact", "partial", "type", "overlap")
CERTAINTY, WORDS, WORDS_O = "certainty", "words", "words_o"
SCHEME_TEXT: Mapping[str, tuple[str, str]] = {
    "strict": ("strict", "mentions with the gold's place and type"),
    "exact": ("exact", "mentions with the gold's place, whatever their type"),
    "partial": (
        "partial",
        "mentions with the gold's place, and half of each that only overlaps it, whatever their "
        "type (SemEval-2013)",
    ),
    "type": (
        "type",
        "mentions that overlap a mention of their type in the gold, one to one (SemEval-2013)",
    ),
    "overlap": (
        "overlap",
        "mentions that overlap any mention of their type on the other side",
    ),
    CERTAINTY: ("certainty", "mentions with the gold's place, type and certainty"),
    WORDS: ("word", "words (characters where texts are not known) marked with a type"),
    WORDS_O: ("word and O", "words marked with a type, and words of no type as a further class"),
}
"""Short name and definition of each scheme."""
METRICS = tuple(
    f"{average}_f1_{scheme}"
    for scheme in SCHEME_TEXT
    for average in ("micro", "macro")
    if (average, scheme) != ("micro", WORDS_O)
)
"""The scores that a verdict can be about."""
RUN_SCORES: Mapping[str, tuple[str, str]] = {
    "strict micro F1": ("strict", "micro"),
    "strict macro F1": ("strict", "macro"),
    "overlap micro F1": ("overlap", "micro"),
    "overlap macro F1": ("overlap", "macro"),
    "word micro F1": ("words", "micro"),
    "word macro F1": ("words", "macro"),
    "word macro F1 with O": ("words_o", "macro"),
}
"""The scores of a run in a table of many: scheme of counting and average."""
ACCURACY = "word accuracy with O"


class EntitiesView(KindView):
    """Label sets that ask for mentions of types."""

    noun = "entities"
    title = "Comparison of entity labelers"
    metrics_help = (
        "micro_f1_SCHEME or macro_f1_SCHEME, SCHEME one of "
        f"{', '.join((*SCHEMES, CERTAINTY, WORDS))} (default: {METRICS[0]}), or macro_f1_words_o"
    )
    flags = frozenset(
        {
            *("seeds", "input_format", "encoding", "bad_annotations", "tag_scheme"),
            *("tag_column", "documents", "offset_unit", "mention_edges", "pred_reading"),
        }
    )
    scores_texts = True

    def metrics(self, label_set: LabelSet) -> tuple[str, ...]:
        """F1 pooled or as a mean over the types, by scheme of counting."""
        del label_set
        return METRICS

    def load(self, inputs: Inputs) -> SpanComparison:
        """Our own rows, or any annotated input."""
        from eval.kinds.entities.read import load_span_comparison

        return load_span_comparison(
            inputs.gold,
            inputs.predictions,
            inputs.label_set,
            options=inputs.reading,
            pred_options=inputs.pred_reading,
            missing=inputs.missing,
            patients=inputs.patient_by_id(),
            texts=inputs.text_by_id(),
        )

    def analyse(
        self,
        comparison: SpanComparison,
        settings: CompareSettings,
        *,
        metric: str,
        reference: str | None = None,
        all_pairs: bool = True,
    ) -> SpanAnalysis:
        """Scores per type and scheme of counting, and their tests."""
        from eval.kinds.entities.analysis import analyse_spans

        return analyse_spans(
            comparison, settings, metric=metric, reference=reference, all_pairs=all_pairs
        )

    def contents(self, analysis: SpanAnalysis, texts: Mapping[str, str] | None) -> Contents:
        """Tables of types and schemes, wrong mentions."""
        from eval.kinds.entities.page import contents

        return contents(analysis, texts)

    def texts(self, comparison: SpanComparison, inputs: Inputs) -> Mapping[str, str] | None:
        """Those that the scores are made with."""
        del inputs
        c = comparison
        return None if c.texts is None else dict(zip(c.ids, c.texts, strict=True))

    def sections(self, analysis: SpanAnalysis, inputs: Inputs, more: More) -> list[Section]:
        """Kinds of errors, words, certainties, probabilities, several runs."""
        from eval.kinds.entities.page import sections
        from eval.kinds.entities.seeds import runs_section

        found = sections(analysis)
        if more.runs:
            found.append(runs_section(analysis, inputs, more))
        return found

    def run_scores(self, inputs: Inputs) -> RunScores:
        """F1 by several schemes, and strict F1 by type."""
        from eval.kinds.entities.analysis import counted, schemes_of_comparison
        from eval.kinds.entities.scores import span_scores

        comparison = self.load(inputs)
        (name,) = comparison.names
        counts, _ = counted(comparison)
        schemes = schemes_of_comparison(comparison)
        found = span_scores(counts[name], name, comparison.types, schemes=schemes)
        whole = {
            score: float(getattr(found.schemes[scheme], average).f1)
            for score, (scheme, average) in RUN_SCORES.items()
            if scheme in found.schemes
        }
        if found.accuracy is not None:
            whole[ACCURACY] = found.accuracy
        strict = found.schemes["strict"].f1.tolist()
        return RunScores(whole, dict(zip(found.types, strict, strict=True)))


VIEW = EntitiesView()
