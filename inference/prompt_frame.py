"""What surrounds a report in its prompt: rendered and tokenized once instead of for each report.

A chat template writes the same text before and after every report, and tokenizers never merge
across an added token such as ``<|im_start|>``. So only the stretch between the added tokens next
to the report is tokenized anew. Both are checked on probes; where a template or a tokenizer
behaves otherwise, whole prompts are rendered and tokenized.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

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
