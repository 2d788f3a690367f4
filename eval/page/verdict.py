"""The result in sentences: what may be said, with its numbers, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from eval.page.plots import signed
from eval.page.tables import p_equals
from eval.read.provenance import Source
from eval.stats.estimates import Estimate
from eval.stats.significance import Pair
from eval.stats.tested import FEW_CLUSTERS, Tested
from labelwright.text.amounts import amount
from labelwright.version import __version__

Outcome = Literal["better", "worse", "open"]


def outcome(analysis: Tested, pair: Pair) -> Outcome:
    """``better`` or ``worse`` only where the randomization test and the interval agree."""
    side = analysis.change(pair).side
    if analysis.p(pair) >= analysis.tests.settings.alpha or side == 0:
        return "open"
    return "better" if side > 0 else "worse"


@dataclass(frozen=True)
class Verdict:
    """One sentence: what is claimed, then the numbers that it rests on.

    ``caution`` says that few reports were scored; it goes wherever the sentence goes alone, and
    the page has it among its notices.
    """

    claim: str
    numbers: str
    caution: str = ""

    def __str__(self) -> str:
        return f"{self.claim}{self.numbers} {self.caution}".rstrip()


def verdicts(analysis: Tested) -> list[Verdict]:
    """One sentence per comparison, or the score alone with a single labeler."""
    caution = _few(analysis) if analysis.tests.clusters < FEW_CLUSTERS else ""
    return [replace(verdict, caution=caution) for verdict in _verdicts(analysis)]


def _verdicts(analysis: Tested) -> list[Verdict]:
    if not analysis.measurable:
        return [
            Verdict(
                f"The {analysis.headline} is not defined",
                f": the gold has no case that it is about, on {sample(analysis)}.",
            )
        ]
    if not analysis.pairs:
        name, level = analysis.reference, analysis.tests.settings.level
        mark = analysis.mean(name)
        return [
            Verdict(
                f"{name} reaches a {analysis.headline} of {mark.value:.3f}",
                f"{bracket(mark, level)}{_where(analysis)}.",
            )
        ]
    first, *others = analysis.pairs
    return [
        _verdict(analysis, first, _where(analysis)),
        *(_verdict(analysis, pair, "") for pair in others),
    ]


def _verdict(analysis: Tested, pair: Pair, where: str) -> Verdict:
    mark = analysis.change(pair)
    found = outcome(analysis, pair)
    details = [" against ".join(f"{analysis.mean(n).value:.3f}" for n in (pair.a, pair.b))]
    if analysis.enough:
        p = p_equals(analysis.p(pair)).replace(" ", "\u00a0")
        # Where no resample moves the difference, an interval of one point would claim too much.
        span = "" if mark.low == mark.high else span_words(mark, analysis.tests.settings.level)
        details.append(", ".join(part for part in (span, p) if part))
    numbers = f" ({'; '.join(details)}){where}"
    if found != "open":
        return Verdict(
            f"{pair.a} is {found} than {pair.b}",
            f" by {abs(mark.value):.3f} in {analysis.headline}{numbers}.",
        )
    return Verdict(
        f"No difference shown between {pair.a} and {pair.b}",
        f": {signed(mark.value)} in {analysis.headline}{numbers}{_margin_words(analysis, pair)}.",
    )


def _margin_words(analysis: Tested, pair: Pair) -> str:
    test = analysis.equivalence(pair)
    if test is None:
        return ""
    if test.equivalent:
        return f"; the two are equivalent within ±{test.margin:g}"
    if test.noninferior:
        return f"; {pair.a} is not worse by {test.margin:g} or more"
    return f"; a loss of {test.margin:g} or more is not ruled out"


def sample(analysis: Tested) -> str:
    """``687 reports of 344 patients``."""
    n = len(analysis.comparison.ids)
    reports = amount(n, "report")
    if analysis.comparison.clusters is None:
        return reports
    return f"{reports} of {amount(analysis.tests.clusters, 'patient')}"


def _where(analysis: Tested) -> str:
    """``, on 687 reports of 344 patients; 6 of 14 observations scored``; the end where all are."""
    where = f", on {sample(analysis)}"
    if not analysis.unscored:
        return where
    scored = len(set(analysis.parts) - set(analysis.unscored))
    every = len({*analysis.parts, *analysis.unscored})
    return f"{where}; {scored} of {every} {analysis.unit[1]} scored"


def percent(share: float) -> str:
    """``95 %``, with a space that no line is broken at."""
    return f"{100 * share:g}\u00a0%"


def span_words(mark: Estimate, level: float) -> str:
    """``95 % CI +0.010 to +0.052`` of a difference, or nothing."""
    if mark.low is None or mark.high is None:
        return ""
    return f"{percent(level)} CI {signed(mark.low)} to {signed(mark.high)}"


def bracket(mark: Estimate, level: float) -> str:
    """`` (95 % CI 0.90 to 0.93)`` of a score, or nothing.

    An interval of one point would claim too much: no resample moves the score.
    """
    if mark.low is None or mark.high is None or mark.low == mark.high:
        return ""
    return f" ({percent(level)} CI {mark.low:.3f} to {mark.high:.3f})"


def facts(analysis: Tested) -> str:
    """The line below the verdict: gold, label set, metric, test."""
    c, settings = analysis.comparison, analysis.tests.settings
    count = len(analysis.parts)
    parts = [
        f"Gold: {Path(c.gold_source).name}, {sample(analysis)}, {count} "
        f"{analysis.unit[count != 1]} of {c.label_set.name} {c.label_set.version}."
    ]
    if analysis.pairs and analysis.enough:
        unit = "patients" if analysis.tests.clustered else "reports"
        many = len(analysis.tests.pairs)
        holm = f", Holm over {many} pairs" if many > 1 else ""
        parts.append(f"p: paired randomization over {unit}{holm}.")
        found = [analysis.detectable(pair) for pair in analysis.pairs]
        known = [each for each in found if each is not None]
        if len(known) == len(found):
            one = ", a single pair" if many > 1 else ""
            parts.append(
                f"A true difference of {max(known):.3f} would be found in four studies of five "
                f"(two-sided, α = {settings.alpha:g}{one})."
            )
    return " ".join(parts)


@dataclass(frozen=True)
class Notices:
    """What a reader must know: ``grave`` before believing the verdict, ``other`` after it."""

    grave: tuple[str, ...]
    other: tuple[str, ...]


def shared_notices(analysis: Tested) -> Notices:
    """What limits the numbers whatever the task: few reports, missing ones, patients unknown."""
    grave: list[str] = []
    other: list[str] = []
    if analysis.tests.clusters < FEW_CLUSTERS:
        grave.append(_few(analysis))
    for text, share in _missing(analysis):
        (grave if share > GRAVE_SHARE else other).append(text)
    c = analysis.comparison
    if c.clusters is None:
        other.append(
            "Patients are not known, so every report counts as independent; with several reports "
            "per patient, give --patients."
        )
    elif c.without_cluster:
        other.append(
            f"{amount(c.without_cluster, 'report')} without a patient: each is one of its own."
        )
    return Notices(tuple(grave), tuple(other))


GRAVE_SHARE = 0.01


def _few(analysis: Tested) -> str:
    count = analysis.tests.clusters
    unit = "patient" if analysis.tests.clustered else "report"
    start = f"Only {amount(count, unit)}: "
    if analysis.enough:
        return start + "intervals are too narrow and tests have little power."
    return start + "no interval and no test can be given."


def _missing(analysis: Tested) -> list[tuple[str, float]]:
    """Per labeler what it has no prediction for, with its share of the gold's reports."""
    c = analysis.comparison
    if c.missing == "drop":
        if not c.dropped:
            return []
        share = len(c.dropped) / (len(c.dropped) + len(c.ids))
        return [
            (
                f"{amount(len(c.dropped), 'report')} ({percent(round(share, 3))}) that a "
                "labeler has no prediction for were left out for all.",
                share,
            )
        ]
    return [
        (
            f"{name} has no prediction for {amount(len(coverage.missing), 'report')} "
            f"({percent(round(len(coverage.missing) / len(c.ids), 3))}); they count as its errors.",
            len(coverage.missing) / len(c.ids),
        )
        for name, coverage in c.coverage.items()
        if coverage.missing
    ]


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
