"""Reports longer than the context: read in windows at sentence borders, answers merged.

How the answers are put together is the task kind's (:meth:`labelwright.tasks.base.TaskKind.merge`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from inference.decode.decoder import Decoder
from inference.prompts import Prompt, PromptWriter, Refusal
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask
from labelwright.records import Answer
from labelwright.tasks import kind_of
from labelwright.tasks.base import Part
from labelwright.text.sentences import sentence_spans

MOST_WINDOWS = 64
"""A text that needs more is no report."""

SPACE = re.compile(r"\s")
SPACES = " \n\t\r\u00a0\u3000"

_Fits = Callable[[str], Prompt | Refusal]


class TextReader:
    """Answers texts of any length: whole where they fit into the context, else in windows.

    Args:
        long: ``windows``, or ``reject`` for no answer to a text that does not fit.
        locate: completes the prompt of a text, e.g. by the places of its sentences.
    """

    def __init__(
        self,
        label_set: LabelSet,
        writer: PromptWriter,
        decoder: Decoder,
        *,
        long: str,
        locate: Callable[[str, Prompt], Prompt] | None = None,
    ) -> None:
        self._label_set = label_set
        self._kind = kind_of(label_set)
        self.writer = writer
        self._decoder = decoder
        self._long = long
        self._locate = locate

    def read(self, asks: Sequence[Ask]) -> list[Answer | Refusal]:
        """One answer or refusal each, in order."""
        written = self.writer.write([ask.whole for ask in asks])
        asked = [self._parts(ask, prompt) for ask, prompt in zip(asks, written, strict=True)]
        prompts = [prompt for parts in asked if not isinstance(parts, Refusal) for prompt in parts]
        answers = iter(self._decoder.decode(prompts) if prompts else [])
        return [
            parts
            if isinstance(parts, Refusal)
            else self._merged(ask, parts, [next(answers) for _ in parts])
            for ask, parts in zip(asks, asked, strict=True)
        ]

    def _parts(self, ask: Ask, prompt: Prompt | Refusal) -> list[Prompt] | Refusal:
        parts: list[Prompt] | Refusal
        if isinstance(prompt, Prompt):
            parts = [prompt]
        elif prompt.too_long and self._long == "windows" and not ask.lead:
            parts = split(ask.text, self.writer)
        else:
            parts = prompt
        if isinstance(parts, Refusal):
            return parts
        told = [replace(part, text=_text(ask, part)) for part in parts]
        return told if self._locate is None else [self._locate(ask.whole, part) for part in told]

    def _merged(self, ask: Ask, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> Answer:
        if len(answers) == 1 and prompts[0].text == ask.text:
            return _behind(ask.lead, answers[0])
        spans = [prompt.span or (0, len(ask.text)) for prompt in prompts]
        parts = [Part((span,), told) for span, told in zip(spans, answers, strict=True)]
        whole = self._kind.merge(self._label_set, parts, length=len(ask.text))
        return replace(
            whole,
            notes=(*whole.notes, f"windows: {len(answers)}"),
            seconds=sum(answer.seconds or 0.0 for answer in answers),
        )


def _text(ask: Ask, prompt: Prompt) -> str:
    """What a prompt asks about."""
    start, end = prompt.span or (0, len(ask.text))
    return ask.text[start:end]


def _behind(lead: str, answer: Answer) -> Answer:
    """An answer whose evidence is in offsets of lead and text, with that of the text alone."""
    if not lead or answer.evidence is None:
        return answer
    at = len(lead)
    kept = {
        name: [[max(start - at, 0), end - at] for start, end in spans if end > at]
        for name, spans in answer.evidence.items()
    }
    return replace(answer, evidence={name: spans for name, spans in kept.items() if spans})


def split(text: str, writer: PromptWriter, *, overlap: int = 0) -> list[Prompt] | Refusal:
    """The prompts of a text that is too long for one, or why it cannot be read.

    A window ends at a sentence border; a sentence that alone is too long, at white space.

    Args:
        overlap: sentences at the end of a window that the next begins with, at most.
    """

    def fits(part: str) -> Prompt | Refusal:
        return writer.write([part])[0]

    spans = sentence_spans(text)
    prompts: list[Prompt] = []
    at, count, reached = 0, 1, 0
    while at < len(spans):
        if len(prompts) == MOST_WINDOWS:
            return Refusal(f"too long for the model: more than {MOST_WINDOWS} windows")
        count, prompt = _most(text, spans, at, max(count, 1), fits)
        if isinstance(prompt, Refusal):
            if not prompt.too_long:
                return prompt
            start, end = spans[at]
            cut = _cut(text, start, end)
            if cut is None:
                return Refusal("too long for the model: a word without end")
            left, right = text[start:cut].rstrip(), text[cut:end].lstrip()
            spans[at : at + 1] = [(start, start + len(left)), (end - len(right), end)]
            continue
        end = at + count
        if end == reached:  # nothing but what the window before holds
            at += 1
            continue
        prompts.append(replace(prompt, span=(spans[at][0], spans[end - 1][1])))
        if end >= len(spans):
            break
        reached, at = end, max(end - overlap, at + 1)
    return prompts or Refusal("the report is empty")


def _most(
    text: str, spans: Sequence[tuple[int, int]], at: int, guess: int, fits: _Fits
) -> tuple[int, Prompt | Refusal]:
    """The most sentences from number ``at`` on that fit into one window, and its prompt.

    Where not even the first fits: none, and the reason. ``guess`` sentences are tried first,
    then growing steps away from there, then bisection.
    """
    left = len(spans) - at
    low, high, step = 0, left + 1, 1
    best: Prompt | Refusal | None = None
    count = min(guess, left)
    while low < count < high:
        found = fits(text[spans[at][0] : spans[at + count - 1][1]])
        if isinstance(found, Prompt):
            low, best = count, found
        else:
            high, best = count, best if low else found
        if high > left:
            count = min(low + step, left)
        elif low == 0:
            count = max(high - step, min(high - 1, 1))
        else:
            count = (low + high) // 2
        step *= 2
    return low, best or Refusal("the report is empty")


def _cut(text: str, start: int, end: int) -> int | None:
    """White space in ``text[start:end]``, the last before the middle or the first behind it."""
    middle = (start + end) // 2
    left = max(text.rfind(char, start + 1, middle) for char in SPACES)
    right = SPACE.search(text, middle, end - 1)
    found = [place for place in (left, right.start() if right else -1) if place > 0]
    return min(found, key=lambda place: abs(place - middle)) if found else None
