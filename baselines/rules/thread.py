"""What a sentence takes over from the one before it: answers, and persons who are gone on about."""

from __future__ import annotations

from collections.abc import Sequence

from baselines.rules.mentions import Mention, Reading
from baselines.rules.phrases import Sentence
from labelwright.records import Certainty


class Thread:
    """Follows the sentences of one section.

    "Comparison with 4 May, which showed an effusion. Today there is **none**." denies the effusion,
    and in "His mother had a mass. **She also** had an effusion." neither is the patient's.
    """

    def __init__(self) -> None:
        self._named: tuple[Mention, ...] = ()
        self._persons: frozenset[int] = frozenset()

    def next(self, sentence: Sentence, reading: Reading) -> tuple[Reading, Sequence[Mention]]:
        """What a sentence says after those before it, and which mentions it takes back."""
        if not self._persons.isdisjoint(reading.again):
            return Reading((), False, reading.elsewhere), ()
        self._persons = reading.persons
        before, self._named = self._named, reading.named
        if reading.answer is None or not before or reading.named or reading.mentions:
            return reading, ()
        _start, end = sentence.span(0, len(sentence.words))
        answered = before if reading.answer.whole else before[:1]
        if reading.answer.supposed:
            answered = tuple(m for m in answered if m.certainty is Certainty.BLANK)
        if not reading.answer.denied_too:
            answered = tuple(m for m in answered if m.certainty is not Certainty.NEGATIVE)
        said = [m._replace(certainty=reading.answer.certainty, end=end) for m in answered]
        return reading._replace(mentions=tuple(said)), answered
