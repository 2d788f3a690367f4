"""What the model is shown of a report when it is asked for the evidence of its labels.

- ``context``: the sentence alone, as it was read in its report. The report is read once.
- ``alone``: the sentence alone, read anew without the report around it.
- ``masked``: the report as it was read, the sentence hidden.
- ``exact``: the report read anew without the sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from inference.decode.pack_plan import Segment
from inference.prompts import Located, Prompt, Sentence

Shown = Callable[[Located, Sentence], list[range]]


@dataclass(frozen=True, slots=True)
class Read:
    """A report that has been read and labeled.

    Attributes:
        at: index in memory of every token of the prompt.
        picks: the answer; evidence is for what is not silent in it.
    """

    prompt: Prompt
    at: np.ndarray
    picks: Mapping[str, str]

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """None if they were not found in the prompt."""
        return () if self.prompt.located is None else self.prompt.located.sentences


@dataclass(frozen=True, slots=True)
class Questions:
    """What is put behind the prompt to ask for some observations again.

    Attributes:
        depths: of every token, counted from the prompt's end.
        visible: which of its tokens a token sees.
        nodes: the tokens whose output decides.
        decisions: what each decides, as numbers of :class:`inference.decode.scores.Scores`.
    """

    tokens: tuple[int, ...]
    depths: np.ndarray
    visible: np.ndarray
    nodes: np.ndarray
    decisions: np.ndarray


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a report beside its instruction and the prompt's end, in prompt tokens.

    Attributes:
        remembered: shown as it was read.
        anew: read once more behind that; ``None`` where nothing ever is.
        without: the sentence is hidden rather than shown alone.
    """

    remembered: Shown
    anew: Shown | None
    without: bool


def _nothing(_: Located, __: Sentence) -> list[range]:
    return []


def _sentence(_: Located, sentence: Sentence) -> list[range]:
    return [range(sentence.first, sentence.last)]


def _before(at: Located, sentence: Sentence) -> list[range]:
    return [range(at.head, sentence.first)]


def _after(at: Located, sentence: Sentence) -> list[range]:
    return [range(sentence.last, at.tail)]


def _others(at: Located, sentence: Sentence) -> list[range]:
    return [*_before(at, sentence), *_after(at, sentence)]


VIEWS: Mapping[str, View] = {
    "context": View(_sentence, None, without=False),
    "alone": View(_nothing, _sentence, without=False),
    "masked": View(_others, None, without=True),
    "exact": View(_before, _after, without=True),
}
"""The ways by the name that ``--evidence`` takes."""


@dataclass(frozen=True, slots=True)
class AskedReport:
    """Questions about one report, put once for every view of it."""

    report: Read
    located: Located
    sentences: tuple[Sentence, ...]
    questions: Questions


def segment(view: View, item: AskedReport) -> Segment:
    """The questions about a report's views, on top of the memory in which it was read."""
    return _remembering(view, item) if view.anew is None else _reading(view, item, view.anew)


def _remembering(view: View, item: AskedReport) -> Segment:
    """All views of a report over what was read of it.

    The prompt's end is read again, once for all: what was read of it knows the whole report,
    so here it sees the instruction only.
    """
    located, questions = item.located, item.questions
    read = item.report.prompt.tokens
    end, asked, views = len(read) - located.tail, len(questions.tokens), len(item.sentences)
    size = end + views * asked
    seen = np.zeros((size, located.tail), dtype=bool)
    seen[:, : located.head] = True
    visible = np.zeros((size, size), dtype=bool)
    visible[:, :end] = True
    visible[:end, :end] = np.tri(end, dtype=bool)
    for number, sentence in enumerate(item.sentences):
        own = slice(end + number * asked, end + (number + 1) * asked)
        visible[own, own] = questions.visible
        for part in view.remembered(located, sentence):
            seen[own, part.start : part.stop] = True
    starts = end + asked * np.arange(views)
    places = np.tile(len(read) + questions.depths, views)
    return Segment(
        tokens=[*read[located.tail :], *(questions.tokens * views)],
        positions=np.concatenate([np.arange(located.tail, len(read)), places]),
        past=item.report.at[: located.tail],
        wanted=(starts[:, None] + questions.nodes).ravel(),
        visible=visible,
        seen=seen,
    )


def _reading(view: View, item: AskedReport, anew: Shown) -> Segment:
    """One view of a report, parts of which are read once more; what is left out closes up."""
    located, questions = item.located, item.questions
    (sentence,) = item.sentences
    read = item.report.prompt.tokens
    remembered = [range(located.head), *view.remembered(located, sentence)]
    past = np.concatenate([np.asarray(part, dtype=np.int64) for part in remembered])
    again = [*anew(located, sentence), range(located.tail, len(read))]
    new = [read[i] for part in again for i in part]
    size, asked = len(new), len(questions.tokens)
    visible = np.zeros((size + asked, size + asked), dtype=bool)
    visible[:size, :size] = np.tri(size, dtype=bool)
    visible[size:, :size] = True
    visible[size:, size:] = questions.visible
    behind = len(past) + size + questions.depths
    return Segment(
        tokens=[*new, *questions.tokens],
        positions=np.concatenate([len(past) + np.arange(size), behind]),
        past=item.report.at[past],
        wanted=size + questions.nodes,
        visible=visible,
    )
