"""The label set's exclusive rules, applied to probabilities: the likeliest labels that obey.

Observations that were asked each for itself can contradict each other ("No Finding" beside an
effusion). Given the report they are taken as independent, as they were asked, so the likeliest
labels that break no rule are found by comparing products of probabilities: either the rule's
own label gives way, or all the others that it forbids.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

from labelwright.label_set import Exclusive, LabelSet
from labelwright.records import Certainty

Probabilities = Mapping[str, Mapping[Certainty, float]]
"""Per observation the probability of every certainty that it can take; each sums to 1."""

FORBIDDEN = frozenset({Certainty.POSITIVE, Certainty.UNCERTAIN})
MOST_RULES = 10
"""Up to so many broken rules all combinations are compared; beyond, rule after rule."""


def settle(
    label_set: LabelSet, probs: Probabilities
) -> tuple[dict[str, Certainty], tuple[str, ...]]:
    """The likeliest labels that obey every exclusive rule.

    Args:
        probs: every observation of the label set.

    Returns:
        The labels in the label set's order, and the names whose likeliest certainty gave way.
    """
    first = {name: _best(probs[name]) for name in label_set.names}
    broken = [
        rule
        for rule in label_set.exclusive
        if first[rule.label] is Certainty.POSITIVE
        and any(first[other] in FORBIDDEN for other in rule.others)
    ]
    if not broken:
        return first, ()
    groups = [broken] if len(broken) <= MOST_RULES else [[rule] for rule in broken]
    labels = first
    for group in groups:
        ways = itertools.product((False, True), repeat=len(group))
        tried = [_keeping(group, keep, labels, probs, label_set) for keep in ways]
        labels = max(tried, key=lambda way: _log(way, probs))
    changed = tuple(name for name in label_set.names if labels[name] is not first[name])
    return labels, changed


def _keeping(
    rules: list[Exclusive],
    keep: tuple[bool, ...],
    labels: Mapping[str, Certainty],
    probs: Probabilities,
    label_set: LabelSet,
) -> dict[str, Certainty]:
    """The likeliest labels if these rules' labels stay positive, and the others do not."""
    found = dict(labels)
    for rule, kept in zip(rules, keep, strict=True):
        if not kept:
            found[rule.label] = _best(probs[rule.label], without={Certainty.POSITIVE})
    # What gave way may have made room; what stays closes its room, and no rule is left broken.
    for rule in label_set.exclusive:
        if found[rule.label] is Certainty.POSITIVE:
            for other in rule.others:
                if found[other] in FORBIDDEN:
                    found[other] = _best(probs[other], without=FORBIDDEN)
    return found


def _best(
    options: Mapping[Certainty, float], without: frozenset[Certainty] | set[Certainty] = frozenset()
) -> Certainty:
    left = {c: p for c, p in options.items() if c not in without} or options
    return max(left, key=left.__getitem__)


def _log(labels: Mapping[str, Certainty], probs: Probabilities) -> float:
    return sum(math.log(max(probs[name][c], 1e-300)) for name, c in labels.items())
