"""Mentions of types in a comparison: metrics, files, analysis, page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from eval.kinds.base import KindView, More, RunScores
from eval.kinds.entities.metrics import ACCURACY, CERTAINTY, METRICS, RUN_SCORES, SCHEMES, WORDS

if TYPE_CHECKING:
    from eval.kinds.entities.analysis import SpanAnalysis
    from eval.kinds.entities.read import SpanComparison
    from eval.page.contents import Contents
    from eval.page.section import Section
    from eval.read.aligned import Inputs
    from eval.stats.significance import CompareSettings
    from eval.stats.tested import Counted
    from labelwright.label_set import LabelSet


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
        from eval.kinds.entities.read import load

        return load(inputs)

    def counted(
        self, comparison: SpanComparison, settings: CompareSettings, metric: str
    ) -> Counted:
        """Counts per type and scheme of counting."""
        from eval.kinds.entities.analysis import counted

        return counted(comparison, settings, metric)

    def contents(self, analysis: SpanAnalysis, texts: Mapping[str, str] | None) -> Contents:
        """Tables of types and schemes, wrong mentions."""
        from eval.kinds.entities.page import contents

        return contents(analysis, texts)

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
        from eval.kinds.entities.analysis import matched, schemes_of_comparison
        from eval.kinds.entities.scores import span_scores

        comparison = self.load(inputs)
        (name,) = comparison.names
        counts, _ = matched(comparison)
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
