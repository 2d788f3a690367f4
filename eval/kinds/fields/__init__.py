"""Fields of a document in a comparison: metrics, files, analysis, page, with or without gold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from eval.kinds.base import KindView, More, RunScores
from eval.kinds.fields.metrics import METRICS

if TYPE_CHECKING:
    from eval.kinds.fields.analysis import FieldAnalysis
    from eval.kinds.fields.read import FieldComparison
    from eval.page.agreement_page import AgreementPage
    from eval.page.contents import Contents
    from eval.page.section import Section
    from eval.read.aligned import Inputs
    from eval.stats.significance import CompareSettings
    from eval.stats.tested import Counted
    from labelwright.label_set import LabelSet


class FieldsView(KindView):
    """Label sets that ask for typed fields."""

    noun = "fields"
    title = "Comparison of field readers"
    metrics_help = f"one of {', '.join(METRICS)} (default: {next(iter(METRICS))})"
    scores_texts = True
    without_gold = True

    def metrics(self, label_set: LabelSet) -> tuple[str, ...]:
        """Means over the fields, pooled, and of whole documents."""
        del label_set
        return tuple(METRICS)

    def load(self, inputs: Inputs) -> FieldComparison:
        """Gold as rows or tables, and ``predictions.jsonl``."""
        from eval.kinds.fields.read import load

        return load(inputs)

    def counted(
        self, comparison: FieldComparison, settings: CompareSettings, metric: str
    ) -> Counted:
        """Counts per field."""
        from eval.kinds.fields.analysis import counted

        return counted(comparison, settings, metric)

    def contents(self, analysis: FieldAnalysis, texts: Mapping[str, str] | None) -> Contents:
        """Tables of fields, wrong values."""
        from eval.kinds.fields.page import contents

        return contents(analysis, texts)

    def sections(self, analysis: FieldAnalysis, inputs: Inputs, more: More) -> list[Section]:
        """Fields by labelers, kinds of errors, agreement, texts, probabilities."""
        from eval.kinds.fields.page import sections

        del inputs
        return sections(analysis, include_text=more.include_text)

    def agreement(
        self, inputs: Inputs, settings: CompareSettings, more: More, title: str | None
    ) -> AgreementPage:
        """How far labelers agree, without gold."""
        from eval.kinds.fields.ungraded import agreement_page

        return agreement_page(self.load(inputs), inputs, settings, more, title)

    def run_scores(self, inputs: Inputs) -> RunScores:
        """F1 in three averages and documents all right, and F1 of each field."""
        from eval.kinds.fields.analysis import run_scores

        return run_scores(self.load(inputs))


VIEW = FieldsView()
