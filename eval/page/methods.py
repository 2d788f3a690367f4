"""The methods section of a paper, written from the settings of the comparison."""

from __future__ import annotations

from collections.abc import Sequence

from eval.page.verdict import percent
from eval.read.provenance import Source
from eval.stats.tested import Tested
from labelwright.version import __version__


def tests_paragraph(analysis: Tested) -> str:
    """How intervals and tests were made."""
    s = analysis.tests.settings
    unit = "patients" if analysis.tests.clustered else "reports"
    second = (
        f"Intervals are {percent(s.level)} bias-corrected and accelerated bootstrap intervals from "
        f"{s.resamples:,} resamples of {unit}."
    )
    if analysis.pairs:
        many = len(analysis.tests.pairs)
        pair = analysis.test(analysis.pairs[0])
        swaps = (
            f"all {pair.permutations:,} swaps"
            if pair.exact
            else f"{pair.permutations:,} random swaps"
        )
        second += (
            f" Labelers were compared by a two-sided paired randomization test over {unit} "
            f"({swaps})" + (f" with Holm's adjustment over {many} pairs" if many > 1 else "") + "."
        )
        if s.margin is not None:
            second += (
                f" Non-inferiority and equivalence were tested against a margin of {s.margin:g}"
                + (", each pair by itself." if many > 1 else ".")
            )
        if analysis.pairs[0].mcnemar is not None:
            second += (
                f" Accuracies per {analysis.unit[0]} were compared by exact McNemar tests with "
                "Holm's adjustment."
            )
        second += (
            " For comparison with earlier work we also give the paired t test and Wilcoxon's "
            f"signed-rank test over {analysis.unit[1]}, which are anti-conservative when whole "
            "reports fail."
        )
    return f"{second} Analyses were made with labelwright {__version__} (seed {s.seed})."


def joined(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]


def model_sentences(sources: Sequence[Source]) -> list[str]:
    """What models wrote the answers, where the runs recorded it."""
    sentences = [
        f"The labels of {s.name} came from {s.model}, decoded with {s.decoding}."
        for s in sources
        if s.generative and s.model and s.decoding
    ]
    return [" ".join(sentences)] if sentences else []
