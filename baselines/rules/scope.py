"""How far a negation or a hedge reaches, and what a sentence says of a mention.

The method is that of NegEx and ConText (Chapman et al. 2001, Harkema et al. 2009) and of
NegBio and the CheXpert labeler (Peng et al. 2018, Irvin et al. 2019): trigger phrases before
or after a mention, each with a scope. Here a scope is bounded by the words of the sentence
alone, without a parser: by stop phrases, and by a list part that turns out to be a clause of
its own ("no effusion, and the heart **is** enlarged").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from baselines.rules.borders import Borders, Span
from baselines.rules.phrases import COLONS, DASHES, MARKS, Match
from baselines.rules.triggers import NEGATIONS, NOT_HIS, Trigger
from labelwright.records import Certainty

_NEAR = 6
"""How many words may stand between the "or" of a choice and the findings on its sides."""
_ADJECTIVES = 3
"""How many words may stand between "the" and the finding that it names."""
_KNOWN = frozenset(
    {"known", "residual", "remaining", "existing", "preexisting", "chronic", "established", "old"}
)
_DEFINITE = _KNOWN | {"the", "this", "these", "that", "those", "his", "her"}
_NO_ADJECTIVE = frozenset(
    {"of", "for", "in", "on", "to", "with", "from", "after", "by", "as", "at", "and", "or"}
    | {"is", "are", "was", "were", "has", "have", "had", "patient", "child", "baby", "a", "an"}
)
_CUTTING = MARKS | {"and", "or", "nor", "but", "is", "are", "has", "have"}
_LEADING = MARKS | {"with", "and"}
"""Words of a phrase before the finding itself: "*, with* fluid not excluded"."""
_OF = frozenset({"complication", "complications"})
_ON = frozenset({"on", "against", "superimposed", "superadded", "complicating"})
"""How phrases begin behind which a finding is known even without an article; the second ones not
right behind a denial ("no complicating pneumothorax")."""
_ASKING = frozenset({"whether", "if"})
_EQUATING = frozenset(
    {"is", "are", "was", "represents", "represent", "reflects", "indicates", "relates"}
)
_BEHIND = 5
"""How many words may stand between what spares a finding and that finding."""
_EXPLAINING = frozenset({"with", "representing", "represents", "reflecting", "reflects", "from"})
_ENUMERATING = frozenset({"include", "includes", "including"})
_PAST = frozenset({"was", "were", "had", "showed"})
_RELATIVE = frozenset({"which", "who"})
_PLAIN = frozenset(
    {"pleural", "pericardial", "bilateral", "pneumonic", "active", "significant", "any"}
)
"""What may stand before a name in a list of what is not seen: "*active* infiltration - mass"."""
_PLURAL = frozenset({"are", "were"})
_SINGULAR = ("is", "ss", "us")
"""How names end that are no plural all the same: "atelectasis, mass"."""
_GONE = frozenset({Trigger.ABSENT, Trigger.GONE})
"""What may be said behind a relative clause: "the effusion which he had *has resolved*"."""
_FAR = 7
"""How many words before a "versus" may belong to what it sets against something."""


class Scope(Borders):
    """Where each trigger of one sentence reaches, and what that says of a mention."""

    def __init__(
        self, words: Sequence[str], found: Sequence[Match], mentions: Sequence[Span] = ()
    ) -> None:
        super().__init__(words, found, mentions)
        self._spared = [span for m in self._sparing for span in self._spares(m)]
        self._spared += [span for kind, m in self._forward for span in self._asked(kind, m)]
        self._choices = self._alternatives and self._outside_denied_change(found)
        self._reaches = [
            (kind, m.start, low, high)
            for kind, m in self._forward
            for low, high in self._without_spared(kind, m.start, self._forward_spans(kind, m))
        ]
        self._reaches_back = [
            (kind, low, high) for kind, m in self._backward for low, high in self._backward_spans(m)
        ]
        self._reaches_back += self._holding

    def _outside_denied_change(self, found: Sequence[Match]) -> list[int]:
        """The alternatives that leave something open: not "no change in the effusion or edema"."""
        denials = {m.start for m in found if m.payload in NEGATIONS}
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
        while start < end - 1 and self._words[start] in _LEADING:
            start += 1
        for match in self._likewise:
            if match.end <= start < self.bound(match.end) and not self.comma(match.end, start):
                before = [span for span in self._mentions if span[1] <= match.start]
                return self.verdict(*before[-1]) if before else Certainty.POSITIVE
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
        if Trigger.ADVICE in reached and self._known(start):
            reached.discard(Trigger.ADVICE)
        if not NOT_HIS.isdisjoint(reached) or Trigger.ASIDE in after:
            answered = Trigger.ABSENT in after and Trigger.PERSON not in reached
            return Certainty.NEGATIVE if answered and Trigger.ASIDE not in after else None
        if Trigger.OPEN in after:
            return Certainty.UNCERTAIN
        if not NEGATIONS.isdisjoint(reached) or Trigger.ABSENT in after:
            return Certainty.NEGATIVE
        if reached or after:
            return Certainty.UNCERTAIN
        return Certainty.POSITIVE

    def _known(self, start: int) -> bool:
        """Whether a finding is spoken of as known: "*the* effusion", not "the site of edema"."""
        for word in reversed(self._words[max(start - 1 - _ADJECTIVES, 0) : start]):
            if word in _DEFINITE:
                return True
            if word in _NO_ADJECTIVE or word in MARKS:
                return False
        return False

    def _spares(self, trigger: Match) -> Iterator[Span]:
        """What a denial before the trigger does not reach, if there is such a thing."""
        behind = [m for m in self._mentions if trigger.end <= m[0] <= trigger.end + _BEHIND]
        start, end = min(behind, default=(0, 0))
        between = self._words[trigger.end : start]
        denied = any(m.end == trigger.start for _kind, m in self._forward)
        supposed = self._words[trigger.start] in (_OF if denied else _OF | _ON)
        known = supposed or self._known(start)
        if end and known and _CUTTING.isdisjoint(between):
            yield trigger.start, end
        elif self._holds(trigger):
            yield trigger[:2]

    def _asked(self, kind: Trigger, trigger: Match) -> Iterator[Span]:
        """The sign of which a doubt asks what it is: "unclear whether *the opacity* is edema"."""
        if kind is not Trigger.MAYBE or self._words[trigger.end - 1] not in _ASKING:
            return
        behind = sorted(m for m in self._mentions if trigger.end < m[0] <= trigger.end + _BEHIND)
        for start, end in behind[:1]:
            explained = end < len(self._words) and self._words[end] in _EQUATING
            named = any(end < low <= end + _BEHIND for low, _high in self._mentions)
            if explained and named and self._known(start):
                yield start, end

    def _without_spared(self, kind: Trigger, at: int, spans: Sequence[Span]) -> Sequence[Span]:
        """What a denial, or a hedge before a thing that is called known, reaches of its spans."""
        for first, end in self._spared:
            hedged = kind is Trigger.MAYBE and (
                (first, end) in self._mentions or not _KNOWN.isdisjoint(self._words[first:end])
            )
            if at < first and (hedged or kind in NEGATIONS):
                parts = [((low, min(first, high)), (max(end, low), high)) for low, high in spans]
                spans = [(low, high) for pair in parts for low, high in pair if low < high]
        return spans

    def begins_negation(self, at: int) -> bool:
        """Whether a negation of what follows begins at ``at``."""
        return self._forward_starts.get(at) in NEGATIONS

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

    def _forward_spans(self, kind: Trigger, trigger: Match) -> list[Span]:
        size = self._clause_after(kind, trigger.end)
        if kind in NOT_HIS:
            size = min(size, self._denial_after(trigger.end))
        low = trigger.end
        spans: list[Span] = []
        own = self._hole(trigger.start)
        for index, (start, end, hard) in enumerate(self._separators):
            if start >= size:
                break
            passed = not hard or (kind not in NEGATIONS and self._words[start] != ";")
            if start < low or (start == trigger.end and passed):
                continue
            hole = self._hole(start)
            if hole is not None and hole != own:
                spans.append((low, hole[0]))
                low = hole[1]
                continue
            until = self._next_start(index)
            fresh = self._forward_starts.get(end)
            listed = kind in NEGATIONS and start in self._alternatives
            if start in self._listed and self._words[start] == "and" and self._enumerates(trigger):
                continue
            if kind is Trigger.SKIP and self._words[start] == "with" and self._tells(trigger):
                continue
            if (
                (hard and not (kind is Trigger.PERSON and start in self._listed))
                or (fresh is not None and kind not in NOT_HIS)
                or fresh in NEGATIONS
                or (
                    kind is not Trigger.PERSON
                    and not listed
                    and (
                        self.has_verb(end, until)
                        or self._new_clause(trigger.end, start, end, until)
                    )
                )
            ):
                return [*spans, (low, start)]
        return [*spans, (low, size)]

    def _tells(self, trigger: Match) -> bool:
        """Whether a trigger tells of another day: "on 3 May there *was* fluid with a drain"."""
        return self._words[trigger.end - 1] in _PAST

    def _enumerates(self, trigger: Match) -> bool:
        """Whether a list of possibilities follows: "considerations include edema *and mild* …"."""
        return not _ENUMERATING.isdisjoint(self._words[trigger.start : trigger.end])

    def _denial_after(self, end: int) -> int:
        """Where a denial begins behind a finding: "history of emphysema without effusion"."""
        return min(
            (
                at
                for at, kind in self._forward_starts.items()
                if kind in NEGATIONS and any(end <= low < at for low, _high in self._mentions)
            ),
            default=len(self._words),
        )

    def _clause_after(self, kind: Trigger, end: int) -> int:
        """Where the next clause begins; one that follows at once, as "whether" asks, is passed."""
        if kind not in NEGATIONS:
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
        joined = self._plural(trigger)
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
            if trigger.payload in _GONE and self._words[start] in _RELATIVE:
                continue
            hole = self._hole(start)
            if hole is not None and hole != own:
                spans.append((hole[1], high))
                high = hole[0]
                continue
            low = self._separators[index - 1][1] if index else 0
            dash = trigger.payload is Trigger.ABSENT and self._words[start] in DASHES
            if dash and self._names(low, start):
                joined = True
                continue
            joined = joined or self._words[start] != "," or (answer and self._bare(low, start))
            clause = self.has_verb(low, start) or any(
                low <= at < start for at in (*self._seen, *self._observed)
            )
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

    def _names(self, low: int, high: int) -> bool:
        """Whether a part ends a finding's name and holds no more: "effusion - edema: none"."""
        return any(
            end == high and _PLAIN.issuperset(self._words[low:start])
            for start, end in self._mentions
        )

    def _plural(self, denial: Match) -> bool:
        """Whether the verb before a denial shows a list: "effusion, nodule *were* not seen"."""
        verb = denial.start - (self._words[denial.start] not in _PLURAL)
        if denial.payload is not Trigger.ABSENT or verb < 1 or self._words[verb] not in _PLURAL:
            return False
        last = self._words[verb - 1]
        one = not last.endswith("s") or last.endswith(_SINGULAR)
        return one and any(end == verb for _start, end in self._mentions)

    def _explained(self, versus: Match) -> int:
        """Where the first of the things begins that a "versus" sets against each other.

        What they explain stands before a hedge: "opacity, possibly edema versus pneumonia".
        """
        hedges = (m.end for m in self._triggers if m.payload is Trigger.MAYBE)
        words = (at + 1 for at, word in enumerate(self._words) if word in _EXPLAINING)
        hedged = max((end for end in (*hedges, *words) if end <= versus.start), default=0)
        return max(hedged, versus.start - _FAR)
