"""What the phrases of a scope file do to the findings around them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, auto

from baselines.rules.phrases import Match


class Trigger(IntEnum):
    """What a phrase of the scope file does."""

    NO = auto()
    """What follows is absent."""
    NOT = auto()
    """What follows is absent, and a mention in whose midst it stands."""
    MAYBE = auto()
    """What follows is uncertain."""
    SKIP = auto()
    """What follows is no statement about this report's patient today."""
    ADVICE = auto()
    """As SKIP, unless it is named as known: "if *the* effusion grows"."""
    ABSENT = auto()
    """What precedes is absent."""
    GONE = auto()
    """What it holds or what precedes is absent or, where nothing precedes, what follows."""
    PERHAPS = auto()
    """What precedes is uncertain or, where the clause goes on, what follows ("likely")."""
    PERSON = auto()
    """Another person: what follows is not said of the patient, whatever verbs come in between."""
    ASIDE = auto()
    """What precedes is no statement about this report's patient today ("in his brother")."""
    YES = auto()
    """What precedes is present, even after a negation ("no effusion right, small on the left")."""
    DOUBTFUL = auto()
    """What precedes is uncertain."""
    OPEN = auto()
    """What precedes is uncertain, even after a negation ("cannot be excluded")."""
    LIKEWISE = auto()
    """What follows is as what precedes: "the effusion has gone, *as has* the edema"."""
    VERSUS = auto()
    """Both sides are uncertain."""
    INERT = auto()
    """Looks like a trigger or a verb and is none ("no change in", "is seen")."""
    SPARED = auto()
    """What a denial before it does not reach: the known finding behind it ("no pneumonia on top of
    *the effusion*"), or what it holds ("no *lead* fracture")."""
    STOP = auto()
    """Ends every scope."""
    RELATIVE = auto()
    """Ends every scope, unless a comma closes what it opens: that is passed over then."""
    CLAUSE = auto()
    """The subject and verb of a clause of its own: ends what reaches forward to it."""
    NEW_ITEM = auto()
    """Ends a scope, unless an alternative follows."""
    FRESH = auto()
    """A word with which something new begins, where it stands right behind a finding."""
    SIDE = auto()
    """As FRESH, unless an alternative follows: "left" in "no pneumothorax left effusion"."""
    SEEN = auto()
    """Says of a list that it is seen; of one thing after a comma, a verb ("…, edema is seen")."""
    ALTERNATIVE = auto()
    """Parts of a list of which each is meant alone ("or")."""
    JOIN = auto()
    """Parts of a list ("and")."""
    VERB = auto()
    """Makes a list part a clause of its own."""


FORWARD = frozenset(
    {
        Trigger.NO,
        Trigger.NOT,
        Trigger.MAYBE,
        Trigger.SKIP,
        Trigger.ADVICE,
        Trigger.PERSON,
        Trigger.VERSUS,
    }
)
BACKWARD = frozenset(
    {
        Trigger.ABSENT,
        Trigger.DOUBTFUL,
        Trigger.OPEN,
        Trigger.VERSUS,
        Trigger.ASIDE,
        Trigger.YES,
    }
)
SEPARATING = frozenset(
    {Trigger.STOP, Trigger.RELATIVE, Trigger.NEW_ITEM, Trigger.ALTERNATIVE, Trigger.JOIN}
)
NEGATIONS = frozenset({Trigger.NO, Trigger.NOT})
NOT_HIS = frozenset({Trigger.SKIP, Trigger.ADVICE, Trigger.PERSON})


def longest(found: Sequence[Match]) -> list[Match]:
    """Of overlapping matches keep the first, and of those that start together the longest.

    Args:
        found: in the order of their starts, as :meth:`PhraseTrie.find` gives them.
    """
    kept: list[Match] = []
    first = at = 0
    for match in found:
        start, end, _ = match
        if start >= at:
            kept.append(match)
            first, at = start, end
        elif start == first and end > at:
            kept[-1] = match
            at = end
    return kept
