"""How far a negation or a hedge reaches, and what a sentence says of a mention.

The method is that of NegEx and ConText (Chapman et al. 2001, Harkema et al. 2009) and of
NegBio and the CheXpert labeler (Peng et al. 2018, Irvin et al. 2019): trigger phrases before
or after a mention, each with a scope. Here a scope is bounded by the words of the sentence
alone, without a parser: by stop phrases, and by a list part that turns out to be a clause of
its own ("no effusion, and the heart **is** enlarged").
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, auto

from baselines.rules.phrases import MARKS, Match
from labelwright.records import Certainty


class Trigger(IntEnum):
    """What a phrase of the scope file does."""

    NO = auto()
    """What follows is absent."""
    MAYBE = auto()
    """What follows is uncertain."""
    SKIP = auto()
    """What follows is no statement about this report's patient today."""
    ABSENT = auto()
    """What precedes is absent."""
    DOUBTFUL = auto()
    """What precedes is uncertain."""
    OPEN = auto()
    """What precedes is uncertain, even after a negation ("cannot be excluded")."""
    VERSUS = auto()
    """Both sides are uncertain."""
    INERT = auto()
    """Looks like a trigger or a verb and is none ("no change in", "is seen")."""
    STOP = auto()
    """Ends every scope."""
    NEW_ITEM = auto()
    """Ends a scope, unless an alternative follows."""
    ALTERNATIVE = auto()
    """Parts of a list of which each is meant alone ("or")."""
    JOIN = auto()
    """Parts of a list ("and")."""
    VERB = auto()
    """Makes a list part a clause of its own."""


FORWARD = frozenset({Trigger.NO, Trigger.MAYBE, Trigger.SKIP, Trigger.VERSUS})
BACKWARD = frozenset({Trigger.ABSENT, Trigger.DOUBTFUL, Trigger.OPEN, Trigger.VERSUS})
_SEPARATING = frozenset({Trigger.STOP, Trigger.NEW_ITEM, Trigger.ALTERNATIVE, Trigger.JOIN})
_HARD_MARKS = MARKS - {",", "/", "+"}


class Scope:
    """The triggers of one sentence and where each reaches.

    Args:
        words: the sentence.
        found: matches whose payload is a :class:`Trigger`; of overlapping ones the first and
            longest counts.
    """

    def __init__(self, words: Sequence[str], found: Sequence[Match]) -> None:
        self._words = words
        triggers = longest(found)
        self._alternatives: list[int] = []
        self._verbs: list[int] = []
        forward: list[Match] = []
        backward: list[Match] = []
        separating: list[Match] = []
        for match in triggers:
            kind = match.payload
            if kind in FORWARD:
                forward.append(match)
            if kind in BACKWARD:
                backward.append(match)
            elif kind in _SEPARATING:
                separating.append(match)
                if kind is Trigger.ALTERNATIVE:
                    self._alternatives.append(match.start)
            elif kind is Trigger.VERB:
                self._verbs.append(match.start)
        self._forward_starts = {m.start for m in forward}
        self._separators = self._find_separators(triggers, separating)
        self._reaches = [(m.payload, m.end, self._reach_forward(m)) for m in forward]
        self._reaches_back = [(m.payload, self._reach_backward(m), m.start) for m in backward]

    def verdict(self, start: int, end: int) -> Certainty | None:
        """What is said of ``words[start:end]``; ``None`` if it does not count as a mention.

        A trigger in the gap of a mention ("vessels are *not* congested") counts as before it.
        """
        if not self._reaches and not self._reaches_back:
            return Certainty.POSITIVE
        last = end - 1
        reached = {kind for kind, low, high in self._reaches if low <= last < high}
        if Trigger.SKIP in reached:
            return None
        after = {kind for kind, low, high in self._reaches_back if low <= start and end <= high}
        if Trigger.OPEN in after:
            return Certainty.UNCERTAIN
        if Trigger.NO in reached or Trigger.ABSENT in after:
            return Certainty.NEGATIVE
        if reached or after:
            return Certainty.UNCERTAIN
        return Certainty.POSITIVE

    def bound(self, at: int) -> int:
        """The first hard separator from ``at`` on, or the sentence's end.

        A colon at ``at`` itself is passed over: ``heart: enlarged``.
        """
        at += self._words[at : at + 1] == [":"]
        for start, _end, hard in self._separators:
            if hard and start >= at:
                return start
        return len(self._words)

    def parted(self, start: int, end: int) -> bool:
        """Whether a comma, a joiner or a stop stands in ``words[start:end]``."""
        for at, _end, _hard in self._separators:  # noqa: SIM110  (a plain loop is twice as fast)
            if start <= at < end:
                return True
        return False

    def comma(self, start: int, end: int) -> bool:
        """Whether a comma stands in ``words[start:end]``."""
        return "," in self._words[start:end]

    def has_verb(self, start: int, end: int) -> bool:
        """Whether ``words[start:end]`` holds a verb that opens a clause."""
        for at in self._verbs:  # noqa: SIM110  (a plain loop is twice as fast)
            if start <= at < end:
                return True
        return False

    def _find_separators(
        self, triggers: Sequence[Match], separating: Sequence[Match]
    ) -> list[tuple[int, int, bool]]:
        found = [
            (m.start, m.end, m.payload is Trigger.STOP or self._ends_list(m)) for m in separating
        ]
        if MARKS.isdisjoint(self._words):
            return found
        inside = {at for m in triggers for at in range(m.start, m.end)}
        found += [
            (at, at + 1, word in _HARD_MARKS)
            for at, word in enumerate(self._words)
            if word in MARKS and at not in inside
        ]
        return sorted(found)

    def _ends_list(self, trigger: Match) -> bool:
        return trigger.payload is Trigger.NEW_ITEM and not any(
            at > trigger.start for at in self._alternatives
        )

    def _reach_forward(self, trigger: Match) -> int:
        size = len(self._words)
        for index, (start, end, hard) in enumerate(self._separators):
            if start < trigger.end or (start == trigger.end and not hard):
                continue
            last = index + 1 == len(self._separators)
            until = size if last else self._separators[index + 1][0]
            fresh = end in self._forward_starts
            if hard or (fresh and trigger.payload is not Trigger.SKIP) or self.has_verb(end, until):
                return start
        return size

    def _reach_backward(self, trigger: Match) -> int:
        joined = False
        for index in range(len(self._separators) - 1, -1, -1):
            start, end, hard = self._separators[index]
            if start >= trigger.start:
                continue
            low = self._separators[index - 1][1] if index else 0
            comma = self._words[start] == ","
            joined = joined or not comma
            if hard or not joined or self.has_verb(low, start):
                return end
        return 0


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
