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

from baselines.rules.phrases import COLONS, MARKS, Match
from labelwright.records import Certainty


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
    ABSENT = auto()
    """What precedes is absent."""
    GONE = auto()
    """What precedes is absent or, where nothing precedes, what follows ("resolved")."""
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
    VERSUS = auto()
    """Both sides are uncertain."""
    INERT = auto()
    """Looks like a trigger or a verb and is none ("no change in", "is seen")."""
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
    {Trigger.NO, Trigger.NOT, Trigger.MAYBE, Trigger.SKIP, Trigger.PERSON, Trigger.VERSUS}
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
_SEPARATING = frozenset(
    {Trigger.STOP, Trigger.RELATIVE, Trigger.NEW_ITEM, Trigger.ALTERNATIVE, Trigger.JOIN}
)
_HARD = frozenset({Trigger.STOP, Trigger.RELATIVE, Trigger.FRESH})
_NEW = frozenset({Trigger.FRESH, Trigger.SIDE})
_NOT_HIS = frozenset({Trigger.SKIP, Trigger.PERSON})
_HARD_MARKS = MARKS - {",", "/", "+"}
_NEGATIONS = frozenset({Trigger.NO, Trigger.NOT})
_NEAR = 6
"""How many words may stand between the "or" of a choice and the findings on its sides."""
_BESIDE = 4
"""How close behind a word such as "left" the finding stands that it begins."""
_FAR = 7
"""How many words before a "versus" may belong to what it sets against something."""

Span = tuple[int, int]
"""Words of the sentence, from the first to the one after the last."""


class Scope:
    """The triggers of one sentence and where each reaches.

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
        forward: list[tuple[Trigger, Match]] = []
        backward: list[tuple[Trigger, Match]] = []
        separating: list[Match] = []
        for match in self._triggers:
            kind = match.payload
            if kind is Trigger.GONE:
                kind = Trigger.ABSENT if self._follows(match) else Trigger.NO
            elif kind is Trigger.PERHAPS:
                kind = Trigger.DOUBTFUL if self._closes(match) else Trigger.MAYBE
            if kind in FORWARD:
                forward.append((kind, match))
            if kind in BACKWARD:
                backward.append((kind, match))
            elif kind in _SEPARATING or (kind in _NEW and self._begins_new(match)):
                separating.append(match)
                if kind is Trigger.ALTERNATIVE:
                    self._alternatives.append(match.start)
            elif kind is Trigger.SEEN:
                self._seen.append(match.start)
        modal = {m.start for m in self._triggers if m.payload in (Trigger.MAYBE, Trigger.VERB)}
        self._verbs = [m.start for m in found if m.payload is Trigger.VERB and m.start in modal]
        self._forward_starts = {m.start: kind for kind, m in forward}
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
        self._choices = self._alternatives and self._outside_denied_change(found)
        self._reaches = [
            (kind, m.start, low, high)
            for kind, m in forward
            for low, high in self._forward_spans(kind, m)
        ]
        self._reaches_back = [
            (kind, low, high) for kind, m in backward for low, high in self._backward_spans(m)
        ]

    def _outside_denied_change(self, found: Sequence[Match]) -> list[int]:
        """The alternatives that leave something open: not "no change in the effusion or edema"."""
        denials = {m.start for m in found if m.payload in _NEGATIONS}
        spans = [
            span
            for m in self._triggers
            if m.payload is Trigger.INERT and m.start in denials
            for span in self._forward_spans(Trigger.NO, m)
        ]
        return [at for at in self._alternatives if not any(low <= at < high for low, high in spans)]

    def verdict(self, start: int, end: int, phrase_end: int = 0) -> Certainty | None:
        """What is said of ``words[start:end]``; ``None`` if it does not count as a mention.

        A hedge or a "not" in the gap of a mention ("vessels are *not* congested") counts as before
        it; another negation there does not ("knee *without* swelling"). A trigger before
        ``phrase_end`` does not count for the first word of a phrase: "chest *negative*".
        """
        if not self._reaches and not self._reaches_back:
            return Certainty.POSITIVE
        last = end - 1
        reached = {
            kind
            for kind, at, low, high in self._reaches
            if low <= last < high and (at <= start or kind is not Trigger.NO)
        }
        after = {
            kind
            for kind, low, high in self._reaches_back
            if low <= start and end <= high and high >= phrase_end
        }
        if Trigger.YES in after:
            return Certainty.POSITIVE
        if not _NOT_HIS.isdisjoint(reached) or Trigger.ASIDE in after:
            answered = Trigger.ABSENT in after and Trigger.PERSON not in reached
            return Certainty.NEGATIVE if answered and Trigger.ASIDE not in after else None
        if Trigger.OPEN in after:
            return Certainty.UNCERTAIN
        if not _NEGATIONS.isdisjoint(reached) or Trigger.ABSENT in after:
            return Certainty.NEGATIVE
        if reached or after:
            return Certainty.UNCERTAIN
        return Certainty.POSITIVE

    def begins_negation(self, at: int) -> bool:
        """Whether a negation of what follows begins at ``at``."""
        return self._forward_starts.get(at) in _NEGATIONS

    @property
    def has_alternative(self) -> bool:
        """Whether the sentence holds an "or" at all."""
        return bool(self._choices)

    def alternative_between(self, left: int, right: int) -> bool:
        """Whether the end of one finding and the start of the next are joined by "or"."""
        if right - left > _NEAR or self._cut(left, right):
            return False
        return any(left <= at < right for at in self._choices)

    def comma_between(self, left: int, right: int) -> bool:
        """Whether nothing but words of a list stand between two findings, among them a comma."""
        return right - left <= _NEAR and self.comma(left, right) and not self._cut(left, right)

    def _cut(self, left: int, right: int) -> bool:
        return self.has_verb(left, right) or any(
            hard and left <= at < right for at, _end, hard in self._separators
        )

    def bound(self, at: int) -> int:
        """The first hard separator from ``at`` on, or the sentence's end.

        A colon or a dash at ``at`` itself is passed over: ``heart: enlarged``.
        """
        at += at < len(self._words) and self._words[at] in COLONS
        for start, end, hard in self._separators:
            if hard and start >= at and (start, end) not in self._fresh:
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
        if match.start and self._words[match.start - 1] == ",":
            return False
        ends = any(m.start == following and m.payload in _SEPARATING for m in self._triggers)
        return ends or not any(start >= following for start, _end in self._mentions)

    def _mark_separators(self, separating: Sequence[Match]) -> None:
        found = [
            (m.start, m.end, self._words[m.start] != ",")
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
                if word not in MARKS or at in inside:
                    continue
                found.append((at, at + 1, word in _HARD_MARKS and not self._lists_on(at)))
                if word == "(":
                    opened = at
                elif word == "," and {at, at + 1} & relative and "," in self._words[at + 2 :]:
                    self._asides.append((at, self._words.index(",", at + 2) + 1))
                    self._holes.append(self._asides[-1])
                elif word == ")" and opened >= 0:
                    if at - opened > 2 or not self._words[opened + 1].isdigit():
                        self._holes.append((opened, at + 1))
                    opened = -1
            found.sort()
        self._separators = found

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

    def _forward_spans(self, kind: Trigger, trigger: Match) -> list[Span]:
        size = self._clause_after(kind, trigger.end)
        if kind in _NOT_HIS:
            size = min(size, self._denial_after(trigger.end))
        low = trigger.end
        spans: list[Span] = []
        own = self._hole(trigger.start)
        for index, (start, end, hard) in enumerate(self._separators):
            if start >= size:
                break
            passed = not hard or (kind not in _NEGATIONS and self._words[start] != ";")
            if start < low or (start == trigger.end and passed):
                continue
            hole = self._hole(start)
            if hole is not None and hole != own:
                spans.append((low, hole[0]))
                low = hole[1]
                continue
            until = self._next_start(index)
            fresh = self._forward_starts.get(end)
            if (
                (hard and not (kind is Trigger.PERSON and start in self._listed))
                or (fresh is not None and kind not in _NOT_HIS)
                or fresh in _NEGATIONS
                or (
                    kind is not Trigger.PERSON
                    and (
                        self.has_verb(end, until)
                        or self._new_clause(trigger.end, start, end, until)
                    )
                )
            ):
                return [*spans, (low, start)]
        return [*spans, (low, size)]

    def _denial_after(self, end: int) -> int:
        """Where a denial begins behind a finding: "history of emphysema without effusion"."""
        return min(
            (
                at
                for at, kind in self._forward_starts.items()
                if kind in _NEGATIONS and any(end <= low < at for low, _high in self._mentions)
            ),
            default=len(self._words),
        )

    def _clause_after(self, kind: Trigger, end: int) -> int:
        """Where the next clause begins; one that follows at once, as "whether" asks, is passed."""
        if kind not in _NEGATIONS:
            end += end < len(self._words) and self._words[end] == ","
        later = [at for at in self._clauses if at > end and at - 1 not in self._clauses]
        return later[0] if later else len(self._words)

    def _next_start(self, index: int) -> int:
        following = index + 1
        return (
            self._separators[following][0]
            if following < len(self._separators)
            else len(self._words)
        )

    def _new_clause(self, low: int, start: int, end: int, until: int) -> bool:
        """Whether "no a, b is seen": one comma, no "or", and a word of seeing behind it."""
        if self._words[start] != ",":
            return False
        if any(end < at < until for at in self._forward_starts):
            return False
        return any(end < at < until for at in self._seen) and not any(
            low <= at < until and at != start for at, _end, _hard in self._separators
        )

    def _backward_spans(self, trigger: Match) -> list[Span]:
        joined = False
        high = trigger.start
        first = self._own_clause(trigger.start)
        if trigger.payload is Trigger.VERSUS:
            first = max(first, self._explained(trigger))
        spans: list[Span] = []
        own = self._hole(trigger.start)
        answer = self._words[trigger.start] in COLONS
        for index in range(len(self._separators) - 1, -1, -1):
            start, end, hard = self._separators[index]
            if start >= high or (end == trigger.start and self._words[start] == ","):
                continue
            hole = self._hole(start)
            if hole is not None and hole != own:
                spans.append((hole[1], high))
                high = hole[0]
                continue
            low = self._separators[index - 1][1] if index else 0
            joined = joined or self._words[start] != "," or (answer and self._bare(low, start))
            clause = self.has_verb(low, start) or any(low <= at < start for at in self._seen)
            if hard or not joined or clause or trigger.payload is Trigger.YES:
                return [*spans, (max(end, first), high)]
        return [*spans, (first, high)]

    def _own_clause(self, at: int) -> int:
        """Where the clause of a trigger begins, in text without marks between clauses.

        "the edema is better the effusion is gone": behind a verb whose subject stands before it and
        that another finding follows.
        """
        return max(
            (
                verb + 1
                for verb in self._verbs
                if verb < at
                and any(end <= verb for _start, end in self._mentions)
                and any(verb < start < at for start, _end in self._mentions)
            ),
            default=0,
        )

    def _bare(self, low: int, high: int) -> bool:
        """Whether a part is a finding's name and no more: "effusion, collapse: none"."""
        return (low, high) in self._mentions

    def _explained(self, versus: Match) -> int:
        """Where the first of the things begins that a "versus" sets against each other.

        What they explain stands before a hedge: "opacity, possibly edema versus pneumonia".
        """
        hedges = (m.end for m in self._triggers if m.payload is Trigger.MAYBE)
        hedged = max((end for end in hedges if end <= versus.start), default=0)
        return max(hedged, versus.start - _FAR)


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
