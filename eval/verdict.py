"""The result in sentences: what may be said, with its numbers, and nothing more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eval.analysis import Analysis
from eval.counts import MENTION
from eval.plots import Estimate, signed
from eval.significance import Pair
from eval.tables import p_text

Outcome = Literal["better", "worse", "open"]
FEW_CLUSTERS = 30
"""Below this the bootstrap's intervals are too narrow to be taken at their word."""


def outcome(analysis: Analysis, pair: Pair) -> Outcome:
    """``better`` or ``worse`` only where the randomization test and the interval agree."""
    side = analysis.change(pair).side
    if analysis.p(pair) >= analysis.tests.settings.alpha or side == 0:
        return "open"
    return "better" if side > 0 else "worse"


@dataclass(frozen=True)
class Verdict:
    """One sentence: what is claimed, then the numbers that it rests on."""

    claim: str
    numbers: str

    def __str__(self) -> str:
        return self.claim + self.numbers


def verdicts(analysis: Analysis) -> list[Verdict]:
    """One sentence per comparison, or the score alone with a single labeler."""
    if not analysis.pairs:
        name, level = analysis.reference, analysis.tests.settings.level
        mark = analysis.mean(name)
        return [
            Verdict(
                f"{name} reaches a mean {analysis.short} of {mark.value:.3f}",
                f"{bracket(mark, level)}, on {sample(analysis)}.",
            )
        ]
    return [_verdict(analysis, pair) for pair in analysis.pairs]


def _verdict(analysis: Analysis, pair: Pair) -> Verdict:
    mark = analysis.change(pair)
    found = outcome(analysis, pair)
    details = [" against ".join(f"{analysis.mean(n).value:.3f}" for n in (pair.a, pair.b))]
    if analysis.enough:
        p = p_text(analysis.p(pair))
        p = f"p {p}" if p[0] in "<>" else f"p = {p}"
        details.append(f"{span_words(mark, analysis.tests.settings.level)}, {p}")
    numbers = f" ({'; '.join(details)}), on {sample(analysis)}"
    if found != "open":
        return Verdict(
            f"{pair.a} is {found} than {pair.b}",
            f" by {abs(mark.value):.3f} in mean {analysis.short}{numbers}.",
        )
    return Verdict(
        f"No difference shown between {pair.a} and {pair.b}",
        f": {signed(mark.value)} in mean {analysis.short}{numbers}{_margin_words(analysis, pair)}.",
    )


def _margin_words(analysis: Analysis, pair: Pair) -> str:
    test = analysis.test(pair).equivalence
    if test is None or not analysis.enough:
        return ""
    if test.equivalent:
        return f"; the two are equivalent within ±{test.margin:g}"
    if test.noninferior:
        return f"; {pair.a} is not worse by {test.margin:g} or more"
    return f"; a loss of {test.margin:g} or more is not ruled out"


def sample(analysis: Analysis) -> str:
    """``687 reports of 344 patients``."""
    n = len(analysis.comparison.ids)
    reports = f"{n} report{'' if n == 1 else 's'}"
    if analysis.comparison.clusters is None:
        return reports
    patients = analysis.tests.clusters
    return f"{reports} of {patients} patient{'' if patients == 1 else 's'}"


def percent(share: float) -> str:
    """``95 %``, with a space that no line is broken at."""
    return f"{100 * share:g}\u00a0%"


def span_words(mark: Estimate, level: float) -> str:
    """``95 % CI +0.010 to +0.052`` of a difference, or nothing."""
    if mark.low is None or mark.high is None:
        return ""
    return f"{percent(level)} CI {signed(mark.low)} to {signed(mark.high)}"


def bracket(mark: Estimate, level: float) -> str:
    """`` (95 % CI 0.90 to 0.93)`` of a score, or nothing."""
    if mark.low is None or mark.high is None:
        return ""
    return f" ({percent(level)} CI {mark.low:.3f} to {mark.high:.3f})"


def facts(analysis: Analysis) -> str:
    """The line below the verdict: gold, label set, metric, test."""
    c, settings = analysis.comparison, analysis.tests.settings
    count = len(c.observations)
    parts = [
        f"Gold: {Path(c.gold_source).name}, {sample(analysis)}, {count} observation"
        f"{'' if count == 1 else 's'} of {c.label_set.name} {c.label_set.version}."
    ]
    if analysis.pairs and analysis.enough:
        unit = "patients" if analysis.tests.clustered else "reports"
        many = len(analysis.tests.pairs)
        holm = f", Holm over {many} pairs" if many > 1 else ""
        detectable = max(analysis.test(pair).detectable for pair in analysis.pairs)
        parts += [
            f"p: paired randomization over {unit}{holm}.",
            f"A true difference of {detectable:.3f} would be found in four studies of five "
            f"(two-sided, α = {settings.alpha:g}).",
        ]
    return " ".join(parts)


def notices(analysis: Analysis) -> list[str]:
    """What a reader must know before believing the numbers."""
    c = analysis.comparison
    found = []
    if analysis.tests.clusters < FEW_CLUSTERS:
        unit = "report" if c.clusters is None else "patient"
        few = (
            f"Only {analysis.tests.clusters} {unit}{'' if analysis.tests.clusters == 1 else 's'}: "
        )
        found.append(
            few + "no interval and no test can be given."
            if analysis.tests.clusters < 2
            else few + "intervals are too narrow and tests have little power."
        )
    if c.clusters is None:
        found.append(
            "Patients are not known, so every report counts as independent; "
            "with several reports per patient, give --patients."
        )
    reference = next(iter(analysis.scores.values()))
    absent = [
        name
        for name, task in reference.tasks.items()
        if name != MENTION and task.applicable.any() and not task.support.any()
    ]
    if absent:
        found.append(
            f"The gold has no {' and no '.join(absent)} at all. If it does not code "
            f"{'this certainty' if len(absent) == 1 else 'these certainties'}, answers of "
            f"{'it' if len(absent) == 1 else 'them'} count as errors in the all-certainty tables; "
            "read the extraction of the other certainties."
        )
    mentioned = reference.tasks[MENTION].support.tolist()
    unmentioned = [n for n, count in zip(c.observations, mentioned, strict=True) if count == 0]
    if unmentioned and len(unmentioned) < len(c.observations):
        found.append(
            f"Never mentioned in the gold: {', '.join(unmentioned)}. A score that is not "
            f"defined counts as {_RULE[analysis.tests.settings.undefined]} and shows as a dash."
        )
    if len(unmentioned) == len(c.observations):
        found.append("The gold mentions no observation at all: only false alarms can be counted.")
    return found + _coverage_notices(analysis)


_RULE = {"zero": "0 in the mean", "one": "1 in the mean", "skip": "nothing in the mean"}


def _coverage_notices(analysis: Analysis) -> list[str]:
    c = analysis.comparison
    found = []
    for name, coverage in c.coverage.items():
        if coverage.missing and c.missing == "error":
            found.append(
                f"{name} has no prediction for {len(coverage.missing)} of the gold's reports; "
                "they count as its errors."
            )
    if c.dropped:
        found.append(
            f"{len(c.dropped)} reports that a labeler has no prediction for were left out for all."
        )
    if c.unscored:
        found.append(f"Not in the gold and so not scored: {', '.join(c.unscored)}.")
    if c.gold_read_as_blank:
        found.append(
            f"{c.gold_read_as_blank} negatives in the gold were read as blank, since their "
            "observation can only be positive or blank."
        )
    if c.clusters is not None and c.without_cluster:
        found.append(f"{c.without_cluster} reports have no patient; each counts as one of its own.")
    return found
