"""Sentences that were read before are read alike wherever they stand, and memory has an end."""

from __future__ import annotations

from collections.abc import Iterator

from baselines.rules import rule_book
from baselines.rules.mentions import Finder, Reading
from baselines.rules.phrases import Sentence, sentences
from baselines.rules.repeated import Repeated
from labelwright.label_set import LabelSet

SAID = (
    "No focal consolidation, pleural effusion or pneumothorax",
    "Heart size is mildly\n  enlarged - unchanged since May",
    "Opacity, edema or scar",
    "There was an effusion in May; it has resolved",
    "Effusion: none",
    "Knee joint without effusion",
    "Lungs are clear",
    "XXXX",
)
TEXTS = (". ".join(SAID) + ".", "\n\n".join(reversed(SAID)), "  " + SAID[1] + ".   " + SAID[1])


def _sentences() -> Iterator[Sentence]:
    for text in TEXTS:
        yield from sentences(text)
        yield from sentences("x" + text, 1)


def test_readings_are_those_of_the_finder_at_every_place() -> None:
    finder = Finder(rule_book.load(LabelSet.load("chexpert-14")))
    repeated = Repeated(finder)
    expected = list(map(finder.read, _sentences()))
    for _ in range(2):
        assert list(map(repeated.read, _sentences())) == expected
    assert sum(len(reading.mentions) for reading in expected) > len(TEXTS) * 2


def test_a_sentence_is_read_once() -> None:
    class Counting(Finder):
        count = 0

        def read(self, sentence: Sentence) -> Reading:
            self.count += 1
            return super().read(sentence)

    finder = Counting(rule_book.load(LabelSet.load("chexpert-14")))
    repeated = Repeated(finder)
    list(map(repeated.read, _sentences()))
    words = {tuple(sentence.words) for sentence in _sentences()}
    assert finder.count == len(words)
