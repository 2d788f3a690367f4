"""One clause of a report and what it says; the labels of a report made of such clauses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labelwright.label_set import LabelSet
from labelwright.records import Certainty

Says = Mapping[str, Certainty]

RANK = (Certainty.POSITIVE, Certainty.UNCERTAIN, Certainty.NEGATIVE)
"""Which certainty wins where a report says several (Irvin et al. 2019, section 3)."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One clause, without capital and full stop, and what it says.

    Attributes:
        abnormal: it tells of something abnormal that is not an observation of the label set.
        organ: heading under which structured reports put it.
        place: orders statements as the lexicon orders observations.
    """

    text: str
    says: Says
    abnormal: bool = False
    organ: str = ""
    place: float = 0.0


def truth(label_set: LabelSet, statements: Sequence[Statement]) -> dict[str, Certainty]:
    """The labels of a report that consists of these statements.

    Positive beats uncertain beats negative. A label with an exclusive rule (``No Finding``) is
    positive where none of its others is positive or uncertain and nothing else is abnormal.
    """
    labels = dict.fromkeys(label_set.names, Certainty.BLANK)
    for certainty in reversed(RANK):
        for statement in statements:
            for name, said in statement.says.items():
                if said is certainty:
                    labels[name] = certainty
    abnormal = any(statement.abnormal for statement in statements)
    for rule in label_set.exclusive:
        if not abnormal and all(
            labels[n] not in (Certainty.POSITIVE, Certainty.UNCERTAIN) for n in rule.others
        ):
            labels[rule.label] = Certainty.POSITIVE
    return labels
