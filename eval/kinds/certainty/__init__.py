"""Certainties of observations in a comparison: what a verdict can be about."""

from __future__ import annotations

from collections.abc import Mapping

from eval.kinds.base import Offer

METRICS: Mapping[str, tuple[str, str]] = {
    "chexbert_all": (
        "weighted F1",
        "per observation the F1 of positive, negative and uncertain extraction, weighted by how "
        "often the gold has each (CheXbert's definition, Smit et al. 2020)",
    ),
    "chexbert_posneg": (
        "weighted F1 (positive, negative)",
        "per observation the F1 of positive and negative extraction, weighted by how often the "
        "gold has each (CheXbert's definition, Smit et al. 2020)",
    ),
    "paper_all": (
        "task-weighted F1",
        "per observation the mean over positive, negative and uncertain extraction of the F1 "
        "of the certainty and of the rest, weighted by their share (Abdullah & Kim 2025)",
    ),
    "paper_posneg": (
        "task-weighted F1 (positive, negative)",
        "per observation the mean over positive and negative extraction of the F1 of the "
        "certainty and of the rest, weighted by their share (Abdullah & Kim 2025)",
    ),
    "macro_f1_positive": ("F1 of positive", "F1 of positive extraction per observation"),
    "macro_f1_negative": ("F1 of negative", "F1 of negative extraction per observation"),
    "macro_f1_uncertain": ("F1 of uncertain", "F1 of uncertain extraction per observation"),
    "macro_f1_mention": ("F1 of mention", "F1 of anything but blank per observation"),
    "kappa": ("Cohen's κ", "Cohen's κ over the certainties per observation"),
    "accuracy": ("accuracy", "share of reports with the gold's certainty per observation"),
}
"""The scores that a verdict can be about, with a short name and a definition; each is a mean
over the observations."""
OFFER = Offer(
    noun="certainties",
    metrics=tuple(METRICS),
    metrics_help=f"one of {', '.join(METRICS)} (default: {next(iter(METRICS))})",
    flags=frozenset(
        {
            *("id_column", "calibration_gold", "calibration_pred", "temperature", "accuracy"),
            *("confidence", "metadata", "subgroup", "subgroup_min"),
        }
    ),
    ablation=True,
)
