"""Reports longer than the context: read in windows at sentence borders, answers merged.

The merge rule: an observation is positive if any window says so, else uncertain if any says so,
else negative, else blank. An observation that heads an exclusive rule of the label set ("No
Finding") is the reverse: it is positive only if every window says so. The probabilities are those
of the window that decided; the evidence is that of all windows that say what the answer says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from inference.answer import Answer, Decoder
from inference.prompts import Prompt, PromptWriter, Refusal
from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.text.sentences import sentence_spans

MOST_WINDOWS = 64
"""A text that needs more is no report."""

SPACE = re.compile(r"\s")
SPACES = " \n\t\r\u00a0\u3000"

PRECEDENCE = (Certainty.POSITIVE, Certainty.UNCERTAIN, Certainty.NEGATIVE, Certainty.BLANK)


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
        self.writer = writer
        self._decoder = decoder
        self._long = long
        self._locate = locate

    def read(self, texts: Sequence[str]) -> list[Answer | Refusal]:
        """One answer or refusal per text, in order."""
        written = self.writer.write(texts)
        asked = [self._parts(text, prompt) for text, prompt in zip(texts, written, strict=True)]
        prompts = [prompt for parts in asked if not isinstance(parts, Refusal) for prompt in parts]
        answers = iter(self._decoder.decode(prompts) if prompts else [])
        return [
            parts if isinstance(parts, Refusal) else self._merged([next(answers) for _ in parts])
            for parts in asked
        ]

    def _parts(self, text: str, prompt: Prompt | Refusal) -> list[Prompt] | Refusal:
        parts: list[Prompt] | Refusal
        if isinstance(prompt, Prompt):
            parts = [prompt]
        elif prompt.too_long and self._long == "windows":
            parts = split(text, self.writer)
        else:
            parts = prompt
        if isinstance(parts, Refusal) or self._locate is None:
            return parts
        return [self._locate(text, part) for part in parts]

    def _merged(self, answers: Sequence[Answer]) -> Answer:
        return answers[0] if len(answers) == 1 else merge(self._label_set, answers)


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


def merge(label_set: LabelSet, answers: Sequence[Answer]) -> Answer:
    """One answer from those of a report's windows, by the rule above."""
    heads = {rule.label for rule in label_set.exclusive}
    labels: dict[str, Certainty | None] = {}
    probs: dict[str, dict[str, float]] = {}
    for name in label_set.names:
        said = [answer.labels[name] for answer in answers]
        labels[name] = _together(said, every=name in heads)
        given = [dict(answer.probs[name]) for answer in answers if answer.probs is not None]
        if given and labels[name] is not None:
            probs[name] = _deciding(given, str(labels[name]), every=name in heads)
    problems = dict.fromkeys(problem for answer in answers for problem in answer.problems)
    notes = dict.fromkeys(note for answer in answers for note in answer.notes)
    return Answer(
        labels=labels,
        raw="\n".join(answer.raw for answer in answers),
        problems=tuple(problems),
        notes=(*notes, f"windows: {len(answers)}"),
        seconds=sum(answer.seconds for answer in answers),
        probs=probs or None,
        evidence=_evidence(labels, answers),
    )


def _evidence(
    labels: Mapping[str, Certainty | None], answers: Sequence[Answer]
) -> dict[str, list[list[int]]] | None:
    found: dict[str, list[list[int]]] = {}
    for answer in answers:
        if answer.evidence is None:
            return None
        for name, spans in answer.evidence.items():
            if answer.labels[name] is labels[name]:
                found.setdefault(name, []).extend(spans)
    return found


def _together(said: Sequence[Certainty | None], *, every: bool) -> Certainty | None:
    if every and any(value is not Certainty.POSITIVE for value in said):
        said = [value for value in said if value is not Certainty.POSITIVE]
    for certainty in PRECEDENCE:
        if certainty in said:
            return certainty
        if certainty is Certainty.POSITIVE and None in said:
            return None
    return None


def _deciding(given: list[dict[str, float]], certainty: str, *, every: bool) -> dict[str, float]:
    if every:
        return min(given, key=lambda probs: probs.get(Certainty.POSITIVE.value, 0.0))
    return max(given, key=lambda probs: probs.get(certainty, 0.0))
