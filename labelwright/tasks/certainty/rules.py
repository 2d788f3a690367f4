"""The label set's exclusive rules, applied to probabilities: the likeliest labels that obey.

Observations that were asked each for itself can contradict each other ("No Finding" beside an
effusion). Given the report they are taken as independent, as they were asked, so labels are
compared by the product of their probabilities. Of a rule that the likeliest labels break, either
its own label is not positive, or none of the others is positive or uncertain: both ways are
followed until no rule is broken, and left where they cannot become likelier than what was found
(branch and bound). No other labels that obey are likelier than the result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from labelwright.label_set import LabelSet
from labelwright.records import FLOOR, Certainty

Probabilities = Mapping[str, Mapping[str, float]]
"""Per observation the probability of every certainty that it can take; each sums to 1."""
NAMED = {certainty.value: certainty for certainty in Certainty}
"""The certainty of each name; a look into it takes a tenth of the call of an enumeration."""

POSITIVE = frozenset({Certainty.POSITIVE})
FORBIDDEN = frozenset({Certainty.POSITIVE, Certainty.UNCERTAIN})


@dataclass(frozen=True, slots=True)
class _Found:
    labels: dict[str, Certainty]
    score: float


def settle(
    label_set: LabelSet, probs: Probabilities
) -> tuple[dict[str, Certainty], tuple[str, ...]]:
    """The likeliest labels that obey every exclusive rule.

    Args:
        probs: every observation of the label set.

    Returns:
        The labels in the label set's order, and the names whose likeliest certainty gave way.
    """
    first = _likeliest(label_set, probs, {})
    if not label_set.contradictions(first):
        return first, ()
    found = _search(label_set, probs, {}, -math.inf)
    labels = first if found is None else found.labels
    return labels, tuple(name for name in label_set.names if labels[name] is not first[name])


def _search(
    label_set: LabelSet,
    probs: Probabilities,
    banned: Mapping[str, frozenset[Certainty]],
    floor: float,
) -> _Found | None:
    """The likeliest labels without those banned that obey all rules, if above ``floor``."""
    labels = _likeliest(label_set, probs, banned)
    score = sum(math.log(max(probs[name][value], FLOOR)) for name, value in labels.items())
    if score <= floor:
        return None
    rule = next(
        (
            rule
            for rule in label_set.exclusive
            if labels[rule.label] is Certainty.POSITIVE
            and any(labels[other] in FORBIDDEN for other in rule.others)
        ),
        None,
    )
    if rule is None:
        return _Found(labels, score)
    best = None
    for more in ({rule.label: POSITIVE}, dict.fromkeys(rule.others, FORBIDDEN)):
        both = {name: banned.get(name, frozenset()) | values for name, values in more.items()}
        found = _search(label_set, probs, {**banned, **both}, floor)
        if found is not None:
            best, floor = found, found.score
    return best


def _likeliest(
    label_set: LabelSet, probs: Probabilities, banned: Mapping[str, frozenset[Certainty]]
) -> dict[str, Certainty]:
    """Each observation's likeliest certainty that is not banned; blank never is."""
    labels = {}
    for name in label_set.names:
        allowed = probs[name]
        if name in banned:
            allowed = {c: p for c, p in allowed.items() if c not in banned[name]}
        labels[name] = NAMED[max(allowed, key=allowed.__getitem__)]
    return labels
