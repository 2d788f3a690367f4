"""Mentions of types in a comparison: the ways of counting them, what a verdict can be about."""

from __future__ import annotations

from collections.abc import Mapping

from eval.kinds.base import Offer

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
OFFER = Offer(
    noun="entities",
    metrics=METRICS,
    metrics_help="micro_f1_SCHEME or macro_f1_SCHEME, SCHEME one of "
    f"{', '.join((*SCHEMES, CERTAINTY, WORDS))} (default: {METRICS[0]}), or macro_f1_words_o",
    flags=frozenset(
        {
            *("seeds", "input_format", "encoding", "bad_annotations", "tag_scheme"),
            *("tag_column", "documents", "offset_unit", "mention_edges", "pred_reading"),
        }
    ),
)
