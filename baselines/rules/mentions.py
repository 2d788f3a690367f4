"""From one sentence to its mentions: phrases that name an observation, parts that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum, auto
from typing import NamedTuple

from baselines.rules.judged import choices, turned, without_weak
from baselines.rules.phrases import COLONS, DASHES, Match, PhraseTrie, Sentence
from baselines.rules.rule_book import Answer, ObservationRules, Part, RuleBook
from baselines.rules.scope import Scope
from baselines.rules.triggers import Trigger, longest
from labelwright.records import Certainty

REACH_LEFT = 3
"""Words that may stand between a state and the part after it ("enlargement *of the* heart")."""
AFTER_UNCHANGED = 4
"""Words after "stable" within which a real state may follow ("stable and mildly enlarged")."""


class Mention(NamedTuple):
    """What one place of the text says of an observation; offsets into the report's text."""

    label: str
    certainty: Certainty
    start: int
    end: int


class Reading(NamedTuple):
    """What one sentence says.

    Attributes:
        mentions: its mentions that count.
        normal: whether it says that all is well.
        elsewhere: whether it speaks of another part of the body and not of this examination's.
        named: what it names, whether that counts or not: what the next sentence may answer.
        answer: what it says of the sentence before it, if it names nothing itself.
        persons: other persons whom it speaks of, as numbers of the rule book's list.
        again: the persons about whom it goes on, if the sentence before was about them.
        strange: what it names of another part of the body.
        heads: whether it heads the examination of another part.
    """

    mentions: tuple[Mention, ...]
    normal: bool
    elsewhere: bool
    named: tuple[Mention, ...] = ()
    answer: Answer | None = None
    persons: frozenset[int] = frozenset()
    again: frozenset[int] = frozenset()
    strange: frozenset[str] = frozenset()
    heads: bool = False


class _Kind(IntEnum):
    MENTION = auto()
    PART = auto()
    NOT_MENTION = auto()
    CHANGED = auto()
    UNCLEAR = auto()
    NORMAL = auto()
    UNCHANGED = auto()
    FINE = auto()
    ELSEWHERE = auto()
    ABSENT = auto()
    WEAK = auto()
    DOUBTFUL = auto()
    PERSON = auto()
    AGAIN = auto()
    HEADING = auto()


class _Cue(NamedTuple):
    """Payload of a phrase: its kind, and the observation (or the part) that it belongs to."""

    kind: _Kind
    owner: int


_PLACES = frozenset({"in", "of", "at", "within"})
_EVERY = -1
_AGAIN = frozenset({"now", "again", "today", "currently"})
_STATES = frozenset({_Kind.CHANGED, _Kind.UNCLEAR, _Kind.NORMAL, _Kind.UNCHANGED})


class Finder:
    """Finds and judges the mentions of one rule book's observations."""

    def __init__(self, book: RuleBook) -> None:
        self._trie = PhraseTrie(book.known)
        self._labels: list[str] = []
        self._signs: set[str] = set()
        self._stale: set[int] = set()
        self._part_owners: list[int] = []
        rules = [*book.observations, *([book.rest.other] if book.rest else [])]
        for observation in rules:
            self._add_observation(observation)
        for kind, phrases in book.triggers.items():
            self._add(phrases, kind)
        self._add(book.normal, _Cue(_Kind.NORMAL, _EVERY))
        self._add(book.unchanged, _Cue(_Kind.UNCHANGED, _EVERY))
        if book.rest is not None:
            self._add(book.rest.normal, _Cue(_Kind.FINE, _EVERY))
        for answer, phrases in book.answers.items():
            self._add(phrases, answer)
        for number, person in enumerate(book.persons):
            self._add(person.who, Trigger.PERSON)
            self._add(person.who, _Cue(_Kind.PERSON, number))
            self._add(person.again, _Cue(_Kind.AGAIN, number))
        self._about = PhraseTrie()
        if book.topic is not None:
            self._add(book.topic.elsewhere, _Cue(_Kind.ELSEWHERE, _EVERY))
            self._add(book.topic.headings, _Cue(_Kind.HEADING, _EVERY))
            for phrase in book.topic.about:
                self._about.add(phrase, None)

    def _add(self, phrases: Sequence[str], payload: Trigger | Answer | _Cue) -> None:
        for phrase in phrases:
            self._trie.add(phrase, payload)

    def _add_observation(self, rules: ObservationRules) -> None:
        owner = len(self._labels)
        self._labels.append(rules.label)
        if rules.sign:
            self._signs.add(rules.label)
        self._add(rules.mentions, _Cue(_Kind.MENTION, owner))
        self._add(rules.not_mentions, _Cue(_Kind.NOT_MENTION, owner))
        self._add(rules.absent, _Cue(_Kind.MENTION, owner))
        self._add(rules.absent, _Cue(_Kind.ABSENT, owner))
        self._add(rules.weak, _Cue(_Kind.MENTION, owner))
        self._add(rules.weak, _Cue(_Kind.WEAK, owner))
        self._add(rules.doubtful, _Cue(_Kind.DOUBTFUL, owner))
        if rules.unchanged:
            self._stale.add(owner)
        for part in rules.parts:
            self._add_part(part, owner)

    def _add_part(self, part: Part, observation: int) -> None:
        owner = len(self._part_owners)
        self._part_owners.append(observation)
        self._add(part.names, _Cue(_Kind.PART, owner))
        self._add(part.changed, _Cue(_Kind.CHANGED, owner))
        self._add(part.unclear, _Cue(_Kind.UNCLEAR, owner))
        self._add(part.normal, _Cue(_Kind.NORMAL, owner))

    def read(self, sentence: Sentence) -> Reading:
        """What one sentence says: its mentions, those that do not count left out."""
        words = sentence.words
        found = _sorted_out(self._trie.find(words))
        elsewhere = bool(found.elsewhere)
        if not (found.named or found.parts or found.fine):
            return _with_aside(Reading((), False, elsewhere), found)
        counting = [
            (self._labels[owner], match)
            for owner, matches in found.named.items()
            for match in self._counting(words, matches, found.masks.get(owner, ()))
        ]
        scope = Scope(words, found.triggers, [match[:2] for _label, match in counting])
        judged = [(label, scope.verdict(m.start, m.end), m) for label, m in counting]
        if scope.has_alternative:
            judged = choices(scope, judged, self._signs)
        if found.weak:
            judged = without_weak(judged, {match[:2] for match in found.weak})
        named = [
            _mention(sentence, label, certainty or Certainty.BLANK, m.start, m.end)
            for label, certainty, m in turned(judged, found.absent)
        ]
        said = [mention for mention in named if mention.certainty is not Certainty.BLANK]
        if found.parts and found.states:
            states = list(self._changed_parts(sentence, found, scope))
            again = {m.label for m, now in states if now}
            said = [mention for mention in said if mention.label not in again]
            said += [mention for mention, _now in states]
            named += [mention for mention, _now in states]
        if found.doubtful:
            said = [self._doubted(mention, sentence, found.doubtful) for mention in said]
        fine = any(_says_normal(scope, match) for match in found.fine)
        elsewhere = elsewhere and not self.is_about(sentence)
        strange = frozenset(self._labels[owner] for owner in found.named if elsewhere)
        reading = Reading(tuple(said), fine, elsewhere, tuple(named), strange=strange)
        return _with_aside(reading, found)

    def _doubted(
        self, mention: Mention, sentence: Sentence, doubtful: Mapping[int, Sequence[Match]]
    ) -> Mention:
        """The mention as uncertain, if it is stated in words that the rules call doubtful."""
        if mention.certainty is not Certainty.POSITIVE:
            return mention
        owner = self._labels.index(mention.label)
        spans = (sentence.span(m.start, m.end) for m in doubtful.get(owner, ()))
        if any(low < mention.end and mention.start < high for low, high in spans):
            return mention._replace(certainty=Certainty.UNCERTAIN)
        return mention

    def is_about(self, sentence: Sentence) -> bool:
        """Whether the sentence names what the label set is about (``topic: about``)."""
        return bool(self._about.find(sentence.words))

    def verdict(self, sentence: Sentence, start: int, end: int) -> Certainty | None:
        """What the triggers say of ``words[start:end]``, whatever stands there."""
        found = _sorted_out(self._trie.find(sentence.words))
        return Scope(sentence.words, found.triggers, [(start, end)]).verdict(start, end)

    def _counting(
        self, words: Sequence[str], matches: Sequence[Match], masks: Sequence[Match]
    ) -> list[Match]:
        """The matches of one observation that neither a mask nor a colon takes away."""
        kept = longest(matches)
        if masks:
            kept = [m for m in kept if not _masked(m, [k for k in masks if not _else(words, m, k)])]
        if not COLONS.isdisjoint(words):
            kept = [match for match in kept if not _is_heading(words, match, kept[-1])]
        return kept

    def _changed_parts(
        self, sentence: Sentence, found: _Found, scope: Scope
    ) -> Iterator[tuple[Mention, bool]]:
        """The parts whose state is told, and whether it is told as normal *now*."""
        named = [part for parts in found.parts.values() for part in parts]
        for owner, matches in found.parts.items():
            states = longest([m for m in found.states if m.payload.owner in (owner, _EVERY)])
            if not states:
                continue
            observation = self._part_owners[owner]
            masks = found.masks.get(observation, ())
            reader = _PartReader(scope, named, states)
            for part in longest(matches):
                state = None if _masked(part, masks) else reader.state(part)
                certainty = None if state is None else _judge(scope, state)
                if state is not None and observation in self._stale and certainty is None:
                    unchanged = state.payload.kind is _Kind.UNCHANGED
                    certainty = Certainty.UNCERTAIN if unchanged else None
                if state is None or certainty is None:
                    continue
                start, end = min(part.start, state.start), max(part.end, state.end)
                mention = _mention(sentence, self._labels[observation], certainty, start, end)
                normal = state.payload.kind is _Kind.NORMAL
                yield mention, normal and sentence.words[state.start] in _AGAIN


class _Found(NamedTuple):
    """The matches of one sentence by what they do, each list in the order of the sentence."""

    triggers: list[Match]
    states: list[Match]
    named: dict[int, list[Match]]
    parts: dict[int, list[Match]]
    masks: dict[int, list[Match]]
    fine: list[Match]
    elsewhere: list[Match]
    absent: list[Match]
    weak: list[Match]
    doubtful: dict[int, list[Match]]
    answers: list[Match]
    persons: set[int]
    again: set[int]
    heading: list[Match]


def _with_aside(reading: Reading, found: _Found) -> Reading:
    """The reading with what it says of the sentence before it, and of other persons."""
    if found.heading:
        reading = reading._replace(elsewhere=True, heads=True)
    if not (found.answers or found.persons or found.again):
        return reading
    inert = [match for match in found.triggers if match.payload is Trigger.INERT]
    answers = [match.payload for match in found.answers if not _overlaps(match, inert)]
    return reading._replace(
        answer=answers[0] if answers else None,
        persons=frozenset(found.persons),
        again=frozenset(found.again),
    )


def _sorted_out(matches: Sequence[Match]) -> _Found:
    found = _Found([], [], {}, {}, {}, [], [], [], [], {}, [], set(), set(), [])
    by_owner = {
        _Kind.MENTION: found.named,
        _Kind.PART: found.parts,
        _Kind.NOT_MENTION: found.masks,
        _Kind.DOUBTFUL: found.doubtful,
    }
    alone = {
        _Kind.FINE: found.fine,
        _Kind.ELSEWHERE: found.elsewhere,
        _Kind.ABSENT: found.absent,
        _Kind.WEAK: found.weak,
        _Kind.HEADING: found.heading,
    }
    for match in matches:
        payload = match.payload
        if type(payload) is Trigger:
            found.triggers.append(match)
            continue
        if type(payload) is Answer:
            found.answers.append(match)
            continue
        kind, owner = payload
        if kind in _STATES:
            found.states.append(match)
        elif kind in alone:
            alone[kind].append(match)
        elif kind in by_owner:
            by_owner[kind].setdefault(owner, []).append(match)
        else:
            (found.persons if kind is _Kind.PERSON else found.again).add(owner)
    return found


def _says_normal(scope: Scope, match: Match) -> bool:
    """Whether a phrase of well-being is stated; the "no" that it begins with is its own."""
    first = scope.verdict(match.start, match.start + 1, match.end)
    if first is not Certainty.POSITIVE:
        return False
    whole = scope.verdict(match.start, match.end)
    return whole is Certainty.POSITIVE or scope.begins_negation(match.start)


def _is_heading(words: Sequence[str], match: Match, last: Match) -> bool:
    """Whether the match heads what follows and leaves the word to it.

    So it is in "lines and tubes: no catheter", where the ``last`` mention says it all, but not
    in "effusion: small".
    """
    if match.end >= len(words) or words[match.end] not in COLONS - DASHES:
        return False
    return match.end + 1 == len(words) or last.start > match.end


def _overlaps(match: Match, others: Sequence[Match]) -> bool:
    return any(other.start < match.end and match.start < other.end for other in others)


def _else(words: Sequence[str], match: Match, mask: Match) -> bool:
    """Whether a mask goes on: "nodules in the lung *and cysts in* the liver" names both."""
    between = words[match.end : mask.end]
    return "and" in between and not _PLACES.isdisjoint(between[: between.index("and")])


def _masked(match: Match, masks: Sequence[Match]) -> bool:
    """Whether a mask overlaps the match; a longer match that holds the whole mask wins."""
    return any(
        mask.start < match.end
        and match.start < mask.end
        and not (match.start <= mask.start and mask.end <= match.end and match[:2] != mask[:2])
        for mask in masks
    )


_NORMAL: dict[Certainty | None, Certainty] = {
    Certainty.POSITIVE: Certainty.NEGATIVE,
    Certainty.UNCERTAIN: Certainty.UNCERTAIN,
}


def _judge(scope: Scope, state: Match) -> Certainty | None:
    kind = state.payload.kind
    if kind is _Kind.UNCHANGED:
        return None
    verdict = scope.verdict(state.start, state.end)
    if kind is _Kind.NORMAL:
        return _NORMAL.get(verdict)
    if kind is _Kind.UNCLEAR and verdict is not None:
        return Certainty.UNCERTAIN
    return verdict


def _mention(sentence: Sentence, label: str, certainty: Certainty, start: int, end: int) -> Mention:
    return Mention(label, certainty, *sentence.span(start, end))


class _PartReader:
    """Finds which state word belongs to which part."""

    def __init__(self, scope: Scope, parts: Sequence[Match], states: Sequence[Match]) -> None:
        self._scope = scope
        self._parts = sorted(parts, key=lambda m: m.end)
        self._states = states

    def state(self, part: Match) -> Match | None:
        """The state just before the part, or after it in the same part of the sentence, or
        shared with a part before it ("normal heart and mediastinum"), or after later parts.
        """
        before = self._before(part)
        if before is not None and before.payload.kind is not _Kind.UNCHANGED:
            return before
        after = self._after(part, across=False)
        if after is None and before is None:
            shared = self._shared(part)
            if shared is not None:
                return shared
            after = self._after(part, across=True)
        return after

    def _before(self, part: Match) -> Match | None:
        for state in reversed(self._states):
            if state.end <= part.start:
                near = part.start - state.end <= REACH_LEFT
                apart = self._scope.parted(state.end, part.start)
                verb = self._scope.has_verb(state.end, part.start)
                return state if near and not apart and not verb else None
        return None

    def _after(self, part: Match, *, across: bool) -> Match | None:
        limit = self._scope.bound(part.end)
        unchanged: Match | None = None
        for state in self._states:
            # A state may begin with the word that ends the scope: "heart otherwise normal".
            if state.start < part.end or state.start > limit or self._scope.aside(state.start):
                continue
            if unchanged is not None and state.start - unchanged.end > AFTER_UNCHANGED:
                break
            if not across and self._scope.comma(part.end, state.start):
                break
            if self._taken(part, state) or self._heads(part, state):
                break
            if state.payload.kind is not _Kind.UNCHANGED:
                return state
            unchanged = unchanged or state
        return unchanged

    def _heads(self, part: Match, state: Match) -> bool:
        """Whether the part heads a line with another's state: "mediastinum: heart big"."""
        return self._scope.colon_at(part.end) and any(
            part.end < other.start < state.start for other in self._parts
        )

    def _taken(self, part: Match, state: Match) -> bool:
        """Whether the state stands before another part and belongs to that one."""
        return any(
            other.start >= state.end
            and other.start - state.end <= 1
            and not self._scope.parted(state.end, other.start)
            and not self._scope.has_verb(part.end, state.start)
            for other in self._parts
            if other.start >= part.end
        )

    def _shared(self, part: Match) -> Match | None:
        right = part
        for other in reversed(self._parts):
            if other.end > right.start:
                continue
            near = right.start - other.end <= REACH_LEFT
            if not near or self._scope.has_verb(other.end, right.start):
                return None
            if (own := self._before(other)) is not None:
                return own
            right = other
        return None
