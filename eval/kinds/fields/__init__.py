"""Fields of a document in a comparison: what a verdict can be about."""

from __future__ import annotations

from collections.abc import Mapping

from eval.kinds.base import Offer

MACRO, MICRO, WEIGHTED, EXACT, PRESENCE, SPECIFICITY, LIKENESS = (
    *("macro_f1", "micro_f1", "weighted_f1", "exact", "presence", "specificity", "likeness"),
)
METRICS: Mapping[str, tuple[str, str, str]] = {
    MACRO: (
        "F1",
        "mean F1",
        "F1 of stated values, a value right when it equals the gold's by the rules of its type, "
        "as a mean over the fields",
    ),
    MICRO: ("F1", "pooled F1", "F1 of stated values, pooled over the fields"),
    WEIGHTED: (
        "F1",
        "weighted F1",
        "F1 of stated values, as a mean over the fields weighted by the values that the gold "
        "states of each",
    ),
    EXACT: (
        "share right",
        "share of documents all right",
        "the share of documents in which every scored field is right; of a field, the share in "
        "which it is right, stated or not",
    ),
    PRESENCE: (
        "accuracy of presence",
        "mean accuracy of presence",
        "the share of documents in which the answer states something of the field exactly where "
        "the gold does, as a mean over the fields",
    ),
    SPECIFICITY: (
        "specificity",
        "mean specificity",
        "the share of documents whose gold states nothing of the field in which the answer "
        "states nothing either, as a mean over the fields",
    ),
    LIKENESS: (
        "ANLS",
        "mean ANLS",
        "the average normalised Levenshtein similarity of text fields (below 0.5 it is 0), over "
        "the documents where gold or answer states something, as a mean over the fields",
    ),
}
"""Per metric: of one field in a few words, over all fields in a few words, and what it is."""
OFFER = Offer(
    noun="fields",
    metrics=tuple(METRICS),
    metrics_help=f"one of {', '.join(METRICS)} (default: {next(iter(METRICS))})",
)
