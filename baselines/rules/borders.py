"""Where the parts of a sentence end: marks, "but", a list part that is a clause of its own."""

from __future__ import annotations

from collections.abc import Sequence

from baselines.rules.phrases import COLONS, MARKS, Match
from baselines.rules.triggers import BACKWARD, FORWARD, SEPARATING, Trigger, longest

Span = tuple[int, int]
"""Words of the sentence, from the first to the one after the last."""

_HARD = frozenset({Trigger.STOP, Trigger.RELATIVE, Trigger.FRESH})
_NEW = frozenset({Trigger.FRESH, Trigger.SIDE})
_HARD_MARKS = MARKS - {",", "/", "+"}
_AROUND = {
    Trigger.GONE: Trigger.ABSENT,
    Trigger.PERHAPS: Trigger.DOUBTFUL,
    Trigger.SKIP: Trigger.ASIDE,
}
_SAME_SUBJECT = frozenset({"not", "does", "do", "is", "are", "still", "remains", "within"})
"""What goes on behind "but" about the part before it: "heart obscured *but not* enlarged"."""
_CONCEDING = frozenset({"though", "although"})
_OTHER_NAME = 2
"""How many words another name in brackets has."""
_BE = frozenset({"is", "are", "was", "were"})
_ANYTHING = frozenset(
    {"finding", "findings", "abnormality", "abnormalities", "disease", "process", "injury"}
)
"""What "no acute findings" denies in text without marks."""
_ARTICLES = frozenset({"a", "an", "the"})
_WHERE = frozenset({"in", "at", "on", "given"})
"""What goes on about the finding before "is likely": "an effusion is likely on the left"."""
_BESIDE = 4
"""How close behind a word such as "left" the finding stands that it begins."""


class Borders:
    """The triggers of one sentence, and what parts it.

    Args:
        words: the sentence.
        found: matches whose payload is a :class:`Trigger`; of overlapping ones the first and
            longest counts.
        mentions: where findings are named, in any order.
    """

    def __init__(
        self, words: Sequence[str], found: Sequence[Match], mentions: Sequence[Span] = ()
    ) -> None:
        self._words = words
        self._mentions = mentions
        self._triggers = longest([m for m in found if m.payload is not Trigger.CLAUSE])
        self._alternatives: list[int] = []
        self._seen: list[int] = []
        self._observed: list[int] = []
        self._likewise: list[Match] = []
        self._sparing: list[Match] = []
        self._forward: list[tuple[Trigger, Match]] = []
        self._backward: list[tuple[Trigger, Match]] = []
        self._holding: list[tuple[Trigger, int, int]] = []
        separating: list[Match] = []
        for match in self._triggers:
            kind = self._kind(match)
            if kind in FORWARD:
                self._forward.append((kind, match))
            if kind in BACKWARD:
                self._backward.append((kind, match))
            elif kind in SEPARATING or (kind in _NEW and self._begins_new(match)):
                separating.append(match)
                if kind is Trigger.ALTERNATIVE:
                    self._alternatives.append(match.start)
            elif kind is Trigger.LIKEWISE:
                self._likewise.append(match)
            elif kind is Trigger.SPARED:
                self._sparing.append(match)
            elif kind is Trigger.SEEN:
                self._seen.append(match.start)
            elif kind is Trigger.INERT and words[match.start] in _BE:
                self._observed.append(match.start)
        modal = {m.start for m in self._triggers if m.payload in (Trigger.MAYBE, Trigger.VERB)}
        self._verbs = [m.start for m in found if m.payload is Trigger.VERB and m.start in modal]
        self._forward_starts = {m.start: kind for kind, m in self._forward}
        self._clauses = sorted(
            m.start
            for m in found
            if m.payload is Trigger.CLAUSE
            and not any(t.start < m.start < t.end for t in self._triggers)
            and not any(start < m.start < end for start, end in mentions)
        )
        self._separators: list[tuple[int, int, bool]] = []
        self._holes: list[Span] = []
        self._asides: list[Span] = []
        self._listed = {m.start for m in separating if m.payload is Trigger.NEW_ITEM}
        self._fresh = {m[:2] for m in separating if m.payload is Trigger.FRESH}
        self._mark_separators(separating)

    def _kind(self, match: Match) -> Trigger:
        """What a phrase does here; one that holds a finding says something of that alone."""
        kind: Trigger = match.payload
        if kind in _AROUND and self._holds(match):
            self._holding.append((_AROUND[kind], *match[:2]))
            return Trigger.SKIP if kind is Trigger.SKIP else Trigger.INERT
        if kind is Trigger.GONE:
            if any(low < match.start and match.end < high for low, high in self._mentions):
                return Trigger.NOT
            return Trigger.ABSENT if self._follows(match) else Trigger.NO
        if kind is Trigger.PERHAPS:
            return Trigger.DOUBTFUL if self._closes(match) else Trigger.MAYBE
        return kind

    def _holds(self, match: Match) -> bool:
        return any(match.start <= low and high <= match.end for low, high in self._mentions)

    def bound(self, at: int) -> int:
        """The first hard separator from ``at`` on, or the sentence's end.

        A colon or a dash at ``at`` itself is passed over: ``heart: enlarged``.
        """
        at += at < len(self._words) and self._words[at] in COLONS
        for start, end, hard in self._separators:
            if hard and start >= at and (start, end) not in self._fresh:
                if (
                    self._words[start] == "but"
                    and end < len(self._words)
                    and self._words[end] in _SAME_SUBJECT
                ):
                    continue
                return start
        return len(self._words)

    def parted(self, start: int, end: int) -> bool:
        """Whether a comma, a joiner or a stop stands in ``words[start:end]``."""
        for at, _end, _hard in self._separators:  # noqa: SIM110  (a plain loop is twice as fast)
            if start <= at < end:
                return True
        return False

    def colon_at(self, at: int) -> bool:
        """Whether a colon stands at ``at``."""
        return at < len(self._words) and self._words[at] == ":"

    def comma(self, start: int, end: int) -> bool:
        """Whether a comma stands in ``words[start:end]``."""
        return "," in self._words[start:end]

    def aside(self, at: int) -> bool:
        """Whether a word stands in an aside between commas: "heart, *once large*, is normal"."""
        return any(low <= at < high for low, high in self._asides)

    def has_verb(self, start: int, end: int) -> bool:
        """Whether ``words[start:end]`` holds a verb that opens a clause."""
        for at in self._verbs:  # noqa: SIM110  (a plain loop is twice as fast)
            if start <= at < end:
                return True
        return False

    def _begins_new(self, match: Match) -> bool:
        """Whether a word begins something new: behind a finding, a side only before another."""
        if match.payload is Trigger.SIDE:
            near = range(match.end, match.end + _BESIDE)
            return self._ends_here(match.start) and any(at in near for at, _ in self._mentions)
        return self._ends_here(match.start)

    def _ends_here(self, at: int) -> bool:
        """Whether a finding, or what is said of it, ends at ``at`` without any mark.

        A hedge may stand in between: "no edema question small effusion".
        """
        if any(end == at for _start, end in self._mentions):
            return True
        if at and self._words[at - 1] in _ANYTHING:
            return True
        before = [m for m in self._triggers if m.end == at]
        return any(m.payload is Trigger.SEEN for m in before) or any(
            m.payload is Trigger.MAYBE and self._ends_here(m.start) for m in before
        )

    def _follows(self, match: Match) -> bool:
        """Whether "resolved" is said of what precedes it, not of what follows."""
        before = [end for _start, end in self._mentions if end <= match.start]
        if not before:
            return not any(start >= match.end for start, _end in self._mentions)
        opens = match.start and self._words[match.start - 1] in MARKS
        after = any(match.end <= start <= match.end + 3 for start, _end in self._mentions)
        return not (opens and after)

    def _closes(self, match: Match) -> bool:
        """Whether "likely" ends what is said of the finding before it."""
        if not any(end <= match.start for _start, end in self._mentions):
            return False
        following = match.end
        if following == len(self._words) or self._words[following] in MARKS:
            return True
        if self._words[following] in _WHERE and any(e == match.start for _s, e in self._mentions):
            return True
        if match.start and self._words[match.start - 1] == ",":
            return False
        if match.start and self._words[match.start - 1] in _ARTICLES:
            return False
        ends = any(m.start == following and m.payload in SEPARATING for m in self._triggers)
        return ends or not any(start >= following for start, _end in self._mentions)

    def _mark_separators(self, separating: Sequence[Match]) -> None:
        found = [
            (m.start, m.end, self._words[m.start] != "," or self._concedes(m))
            if m.payload is Trigger.RELATIVE
            else (m.start, m.end, m.payload in _HARD or self._ends_list(m))
            for m in separating
        ]
        if not MARKS.isdisjoint(self._words):
            plain = [m for m in self._triggers if m.payload is not Trigger.RELATIVE]
            inside = {at for m in plain for at in range(m.start, m.end)}
            opened = -1
            relative = {m.start for m in separating if m.payload is Trigger.RELATIVE}
            for at, word in enumerate(self._words):
                if word not in MARKS or at in inside or (word == "/" and self._in_number(at)):
                    continue
                found.append((at, at + 1, word in _HARD_MARKS and not self._lists_on(at)))
                if word == "(":
                    opened = at
                elif word == "," and {at, at + 1} & relative and "," in self._words[at + 2 :]:
                    self._asides.append((at, self._words.index(",", at + 2) + 1))
                    self._holes.append(self._asides[-1])
                elif word == ")" and opened >= 0:
                    if self._names_again(opened + 1, at):
                        found = [one for one in found if one[0] not in (opened, at)]
                    elif at - opened > 2 or not self._words[opened + 1].isdigit():
                        self._holes.append((opened, at + 1))
                    opened = -1
            found.sort()
        self._separators = found

    def _concedes(self, match: Match) -> bool:
        """Whether ", though" goes on to the end: "no air after drain removal, *though* fluid"."""
        return self._words[match.end - 1] in _CONCEDING and "," not in self._words[match.end :]

    def _names_again(self, low: int, high: int) -> bool:
        """Whether a bracket holds another name and no more: "folded lung (round atelectasis)"."""
        return (
            high - low <= _OTHER_NAME
            and any(low <= start and end == high for start, end in self._mentions)
            and not any(low <= m.start < high for m in self._triggers)
        )

    def _in_number(self, at: int) -> bool:
        """Whether the mark stands between figures: "12/30"."""
        return all(word.isdigit() for word in self._words[max(at - 1, 0) : at + 2 : 2])

    def _lists_on(self, at: int) -> bool:
        """Whether the semicolon at ``at`` parts a list that ends in "; or"."""
        if self._words[at] != ";":
            return False
        for start in self._alternatives:
            if start > at:
                return self._words[start - 1] == ";" and not self.has_verb(at, start)
        return False

    def _ends_list(self, trigger: Match) -> bool:
        return trigger.payload in (Trigger.NEW_ITEM, Trigger.SIDE) and not any(
            at > trigger.start for at in self._alternatives
        )

    def _hole(self, at: int) -> Span | None:
        for hole in self._holes:
            if hole[0] <= at < hole[1]:
                return hole
        return None
