"""Prompts in tokens: the chat of the task through the model's own template.

What surrounds a report in its prompt: rendered and tokenized once instead of for each report.

A chat template writes the same text before and after every report, and tokenizers never merge
across an added token such as ``<|im_start|>``. So only the stretch between the added tokens next
to the report is tokenized anew. Both are checked on probes; where a template or a tokenizer
behaves otherwise, whole prompts are rendered and tokenized.

A report longer than the context is asked about in windows that end at sentence borders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from inference.load import Loaded
from labelwright.errors import CheckpointError
from labelwright.prompt import messages
from labelwright.tasks import kind_of
from labelwright.text.sentences import sentence_spans
from labelwright.text.special_tokens import break_up, spelled_out

MARK = "\ue000report\ue000"
PROBES = (
    "The lungs are clear.",
    " \n  heart size: normal \n\n",
    "\tÉ°5 ﬁne\u00a0",
    "{{ a }} {% b %} <c> & 'd' \"e\" \\n",
    "1",
)

Render = Callable[[str], str]
"""Text of a report to the whole prompt."""
Encode = Callable[[list[str]], list[list[int]]]
"""Texts to token ids, without special tokens being added."""


class PromptFrame:
    """Writes prompts in tokens, equal to those of the whole prompts.

    Args:
        added: the tokenizer's added tokens, as text.
    """

    def __init__(self, render: Render, encode: Encode, added: Iterable[str]) -> None:
        self._render, self._encode = render, encode
        self._head, self._tail = "", ""
        self._before: list[int] = []
        self._after: list[int] = []
        self._whole = not (
            self._rendered_once() and self._tokenized_once(sorted(filter(None, added)))
        )

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The prompts' tokens, in order."""
        if self._whole:
            return self._encode([self._render(text) for text in texts])
        return self._put_together(texts)

    def _put_together(self, texts: Sequence[str]) -> list[list[int]]:
        middles = self._encode([self._head + text + self._tail for text in texts])
        return [[*self._before, *ids, *self._after] for ids in middles]

    def _rendered_once(self) -> bool:
        rendered = self._render(MARK)
        if rendered.count(MARK) != 1:
            return False
        self._head, self._tail = rendered.split(MARK)
        return all(self._render(p) == self._head + p + self._tail for p in PROBES)

    def _tokenized_once(self, added: Sequence[str]) -> bool:
        whole = self._encode([self._head + probe + self._tail for probe in PROBES])
        first = max((self._head.rfind(token) for token in added), default=-1)
        ends = [self._tail.find(token) + len(token) for token in added if token in self._tail]
        if first < 0 or not ends:
            return False
        last = min(ends)
        self._before, self._after = self._encode([self._head[:first], self._tail[last:]])
        self._head, self._tail = self._head[first:], self._tail[:last]
        return self._put_together(PROBES) == whole


PLACEHOLDER = "{report}"
SPARE_TOKENS = 16
"""Room for an answer that is written longer than ours, and for its end."""
SOME_LINES = 256
MOST_WINDOWS = 64
"""A text that needs more is no report."""
SPACE = re.compile(r"\s")
SPACES = " \n\t\r\u00a0\u3000"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: ``text[start:end]`` of the report, tokens ``first`` to ``last - 1``.

    A heading before it belongs to the tokens only.
    """

    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Located:
    """The parts of a prompt in tokens.

    Attributes:
        head: tokens before the report (the instruction).
        tail: index of the first token after the report.
        sentences: each reaches to where the next begins; the first begins with the report.
    """

    head: int
    tail: int
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt.

    Attributes:
        notes: what was changed in the text before it was read.
        span: the part of the report that it holds, in characters; ``None`` for all of it.
        located: its sentences, where evidence is asked for.
        text: what it asks about, without what stands before it.
    """

    tokens: tuple[int, ...]
    notes: tuple[str, ...] = ()
    span: tuple[int, int] | None = None
    located: Located | None = None
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a text cannot be asked about; never holds text."""

    reason: str
    too_long: bool = False


def prompt_text(loaded: Loaded, text: str) -> str:
    """The whole prompt as the model reads it, special tokens written out.

    Raises:
        CheckpointError: the model's chat template has no place for a system turn.
    """
    from jinja2 import TemplateError

    try:
        rendered = loaded.tokenizer.apply_chat_template(
            messages(loaded.label_set, text), tokenize=False, add_generation_prompt=True
        )
    except TemplateError:
        raise CheckpointError(
            "the model's chat template does not take a system and a user turn",
            remedy="use a model whose template does, e.g. one with ChatML",
            source=loaded.name,
        ) from None
    return str(rendered)


class PromptWriter:
    """Turns texts into prompts that fit, or says why it cannot. Nothing is ever cut.

    Args:
        room: tokens to keep free for the answer; where it depends on the text, a function of
            the prompt's tokens.
    """

    def __init__(self, loaded: Loaded, *, room: int | Callable[[int], int]) -> None:
        self._loaded = loaded
        self._room = room
        known = loaded.tokenizer.added_tokens_decoder.values()
        self._special = spelled_out([*map(str, known), *loaded.tokenizer.all_special_tokens])
        # Added tokens are broken up where a text spells them out, so none of them counts.
        added = {str(token) for token in known}
        plain = (len(token) for token in loaded.tokenizer.get_vocab() if token not in added)
        self._longest_token = max(plain, default=1)
        self._frame = PromptFrame(lambda text: prompt_text(loaded, text), self._encode, added)

    def write(self, texts: Sequence[str]) -> list[Prompt | Refusal]:
        """One prompt or refusal per text, in order.

        A report that spells out a special token (``<|im_end|>``) would end its own turn; such
        a spelling is broken up by a space, and the prompt's notes say so.
        """
        results: list[Prompt | Refusal | None] = [self._refusal(text) for text in texts]
        able = [index for index, result in enumerate(results) if result is None]
        safe = [break_up(self._special, texts[index]) for index in able]
        for index, text, tokens in zip(able, safe, self._tokens(safe), strict=True):
            notes = () if text == texts[index] else ("special token in the text",)
            results[index] = self._checked(tokens, notes)
        return [result for result in results if result is not None]

    def _refusal(self, text: str) -> Refusal | None:
        if not text.strip():
            return Refusal("the report is empty")
        # Counting the tokens of a text of many megabytes takes minutes; no token is longer
        # than the longest of the vocabulary, so the hopeless ones are known without.
        least = len(text) // self._longest_token
        return self._too_long(least, "at least ")

    def _checked(self, tokens: Sequence[int] | None, notes: tuple[str, ...]) -> Prompt | Refusal:
        if tokens is None:
            return Refusal("the tokenizer cannot read the text")
        return self._too_long(len(tokens)) or Prompt(tuple(tokens), notes)

    def _too_long(self, count: int, bound: str = "") -> Refusal | None:
        context = self._loaded.context
        room = self._room if isinstance(self._room, int) else self._room(count)
        if context is None or count + room <= context:
            return None
        return Refusal(
            f"too long for the model: {bound}{count} prompt tokens and up to "
            f"{room} answer tokens, context {context}",
            too_long=True,
        )

    def _tokens(self, texts: Sequence[str]) -> list[list[int] | None]:
        if not texts:
            return []
        try:
            return list(self._frame.tokens(texts))
        except BaseException as error:
            # A panic of the tokenizer's Rust code (endless white space does it) is no Exception.
            if type(error).__name__ != "PanicException":
                raise
            if len(texts) == 1:
                return [None]
            return [self._tokens([text])[0] for text in texts]

    def _encode(self, texts: list[str]) -> list[list[int]]:
        encoded = self._loaded.tokenizer(texts, add_special_tokens=False, verbose=False)
        tokens: list[list[int]] = list(encoded["input_ids"])
        return tokens


def answer_room(loaded: Loaded) -> int:
    """Tokens that the longest possible answer needs, by key or by full name, and some to spare.

    For answers that have no longest, room for some lines.
    """
    choices = kind_of(loaded.label_set).choices(loaded.label_set)
    if choices is None:
        return SOME_LINES
    tokenizer = loaded.tokenizer
    lines = (choices.longest(full_names=full) for full in (False, True))
    return max(len(tokenizer(line)["input_ids"]) for line in lines) + SPARE_TOKENS


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
    text: str,
    spans: Sequence[tuple[int, int]],
    at: int,
    guess: int,
    fits: Callable[[str], Prompt | Refusal],
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
