"""Certainties of observations in a comparison: metrics, files, analysis, page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from eval.kinds.base import KindView, More
from eval.kinds.certainty.metrics import METRICS

if TYPE_CHECKING:
    from eval.kinds.certainty.analysis import Analysis
    from eval.kinds.certainty.read import Comparison
    from eval.page.contents import Contents
    from eval.page.section import Section
    from eval.read.aligned import Inputs
    from eval.stats.significance import CompareSettings
    from eval.stats.tested import Counted
    from labelwright.label_set import LabelSet


class CertaintyView(KindView):
    """Label sets that ask for the certainty of observations."""

    noun = "certainties"
    title = "Comparison of report labelers"
    metrics_help = f"one of {', '.join(METRICS)} (default: {next(iter(METRICS))})"
    ablation = True
    flags = frozenset(
        {
            *("id_column", "calibration_gold", "calibration_pred", "temperature", "accuracy"),
            *("confidence", "metadata", "subgroup", "subgroup_min"),
        }
    )

    def metrics(self, label_set: LabelSet) -> tuple[str, ...]:
        """Means over the observations."""
        del label_set
        return tuple(METRICS)

    def load(self, inputs: Inputs) -> Comparison:
        """Tables in CheXpert's coding, and ``predictions.jsonl``."""
        from eval.kinds.certainty.read import load_comparison

        return load_comparison(
            inputs.gold,
            inputs.predictions,
            inputs.label_set,
            id_columns=inputs.id_columns,
            missing=inputs.missing,
            patients=inputs.patients,
            patient_column=inputs.patient_column,
        )

    def counted(self, comparison: Comparison, settings: CompareSettings, metric: str) -> Counted:
        """Counts per observation."""
        from eval.kinds.certainty.analysis import counted

        return counted(comparison, settings, metric)

    def contents(self, analysis: Analysis, texts: Mapping[str, str] | None) -> Contents:
        """Tables of observations and extraction tasks, confusion, wrong labels."""
        from eval.kinds.certainty.page import contents

        return contents(analysis, texts)

    def sections(self, analysis: Analysis, inputs: Inputs, more: More) -> list[Section]:
        """Calibration, selective labeling, subgroups: what the files allow."""
        from eval.groups.groups import Grouping, load_groups
        from eval.groups.section import subgroup_section
        from eval.probability.sections import probability_sections

        found = probability_sections(analysis, inputs, more)
        if more.subgroups and more.metadata is not None:
            columns = load_groups(
                more.metadata,
                [Grouping.parse(text) for text in dict.fromkeys(more.subgroups)],
                analysis.comparison.ids,
                id_columns=inputs.id_columns,
            )
            found.append(subgroup_section(analysis, columns, min_size=more.subgroup_min))
        return found


VIEW = CertaintyView()
