"""What a sentence takes over from the one before it: answers, and persons who are gone on about."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from baselines.rules.mentions import Mention, Reading
from baselines.rules.phrases import Sentence
from labelwright.records import Certainty

_POINTING = frozenset({"the", "this", "these", "it", "they", "its", "their"})
"""How a sentence begins that goes on about what the one before it named."""


class Thread:
    """Follows the sentences of one section.

    "Comparison with 4 May, which showed an effusion. Today there is **none**." denies the effusion,
    and in "His mother had a mass. **She also** had an effusion." neither is the patient's. Under
    "Left knee." nothing is of the chest up to a sentence that says so, and after "A mass of the
    liver." neither is "**the** mass".

    Args:
        is_about: whether a sentence names what the labels are about.
    """

    def __init__(self, is_about: Callable[[Sentence], bool]) -> None:
        self._is_about = is_about
        self._headed = False
        self._strange: frozenset[str] = frozenset()
        self._named: tuple[Mention, ...] = ()
        self._persons: frozenset[int] = frozenset()

    def next(self, sentence: Sentence, reading: Reading) -> tuple[Reading, Sequence[Mention]]:
        """What a sentence says after those before it, and which mentions it takes back."""
        reading = self._placed(sentence, reading)
        if not self._persons.isdisjoint(reading.again):
            return Reading((), False, reading.elsewhere), ()
        self._persons = reading.persons
        before, self._named = self._named, reading.named
        if reading.answer is None or not before or reading.named or reading.mentions:
            return reading, ()
        _start, end = sentence.span(0, len(sentence.words))
        answered = _answered(before, reading.answer.of)
        if reading.answer.supposed:
            answered = tuple(m for m in answered if m.certainty is Certainty.BLANK)
        if not reading.answer.denied_too:
            answered = tuple(m for m in answered if m.certainty is not Certainty.NEGATIVE)
        if reading.answer.certainty is Certainty.BLANK:
            return reading, answered
        said = [m._replace(certainty=reading.answer.certainty, end=end) for m in answered]
        return reading._replace(mentions=tuple(said)), answered

    def _placed(self, sentence: Sentence, reading: Reading) -> Reading:
        """The reading without what the sentences before it place elsewhere."""
        self._headed = reading.heads or (self._headed and not self._is_about(sentence))
        if self._headed:
            return reading._replace(elsewhere=True)
        before, self._strange = self._strange, reading.strange
        if not before or sentence.words[0] not in _POINTING or self._is_about(sentence):
            return reading
        self._strange |= before
        return reading._replace(
            mentions=tuple(m for m in reading.mentions if m.label not in before),
            named=tuple(m for m in reading.named if m.label not in before),
        )


def _answered(named: tuple[Mention, ...], of: str) -> tuple[Mention, ...]:
    """All that was named, or what was named first or last; things named by one word go together."""
    if of == "all":
        return named
    if of == "first":
        return named[:1]
    last = max(mention.end for mention in named)
    return tuple(mention for mention in named if mention.end == last)
