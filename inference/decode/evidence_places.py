"""Where the sentences of a report stand among the tokens of its prompt."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from inference.load import Loaded
from inference.prompts import PLACEHOLDER, Located, Sentence, prompt_text
from labelwright.errors import CheckpointError
from labelwright.text.sections import split_sections
from labelwright.text.sentences import sentence_spans
from labelwright.text.special_tokens import break_up, spelled_out

PROBE = f" {PLACEHOLDER}. {PLACEHOLDER}! "
"""Shows where a template puts the report, and that it leaves it as it is."""


class Locator:
    """Finds the sentences of reports in their prompts.

    Raises:
        CheckpointError: the tokenizer does not tell which characters a token stands for, or the
            chat template changes the report.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._tokenizer = loaded.tokenizer
        known = loaded.tokenizer.added_tokens_decoder.values()
        self._special = spelled_out([*map(str, known), *loaded.tokenizer.all_special_tokens])
        if not loaded.tokenizer.is_fast:
            raise CheckpointError(
                "the tokenizer does not say which characters its tokens stand for",
                remedy="label without --evidence",
                source=loaded.name,
            )
        rendered = prompt_text(loaded, PROBE)
        body = next((b for b in (PROBE, PROBE.strip()) if rendered.count(b) == 1), None)
        if body is None:
            raise CheckpointError(
                "the chat template changes the report, so sentences cannot be found in it",
                remedy="label without --evidence",
                source=loaded.name,
            )
        self._stripped = body != PROBE
        self._head, self._tail = rendered.split(body)
        self._head_tokens = self._encoded(self._head)[0]
        self._tail_tokens = self._encoded(self._tail)[0]

    def __call__(self, text: str, tokens: tuple[int, ...], *, at: int = 0) -> Located | None:
        """The sentences of the text whose prompt has these tokens.

        Args:
            at: where the text begins in the report.

        Returns:
            ``None`` if the tokens are of another text.
        """
        safe = break_up(self._special, text)
        skipped = len(safe) - len(safe.lstrip()) if self._stripped else 0
        body = safe.strip() if self._stripped else safe
        parts = self._parts(body, tokens)
        if parts is None:
            return None
        head, tail, ends = parts
        bodies = [section.start for section in split_sections(text)]
        # A special token that was broken up has one character more in the prompt, its space.
        spaces = [match.start() + 1 for match in self._special.finditer(text)]
        spans = sentence_spans(text)
        firsts = [head]
        for start, _ in spans[1:]:
            place = start + bisect_left(spaces, start + 1) - skipped
            first = next((i for i in range(firsts[-1], tail) if ends[i - head] > place), tail)
            firsts.append(first)
        return Located(
            head,
            tail,
            tuple(
                Sentence(at + _behind(bodies, start, end), at + end, first, last)
                for (start, end), first, last in zip(
                    spans, firsts, [*firsts[1:], tail], strict=True
                )
            ),
        )

    def _parts(self, body: str, tokens: tuple[int, ...]) -> tuple[int, int, list[int]] | None:
        """Where the report begins and ends in the prompt, and the ends of its tokens in it."""
        ids, offsets = self._encoded(body)
        if (*self._head_tokens, *ids, *self._tail_tokens) == tokens:
            head = len(self._head_tokens)
            return head, head + len(ids), [end for _, end in offsets]
        # The report's first or last characters make a token with those around them.
        ids, offsets = self._encoded(self._head + body + self._tail)
        if ids != tokens:
            return None
        begin, after = len(self._head), len(self._head) + len(body)
        head = next((i for i, (_, end) in enumerate(offsets) if end > begin), len(tokens))
        tail = next((i for i in range(head, len(tokens)) if offsets[i][0] >= after), len(tokens))
        return head, tail, [end - begin for _, end in offsets[head:tail]]

    def _encoded(self, text: str) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
        """Tokens of a text and the characters that they stand for."""
        found = self._tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return tuple(found["input_ids"]), found["offset_mapping"]


def _behind(bodies: Sequence[int], start: int, end: int) -> int:
    """Where a sentence itself begins: behind the heading that stands before it, if any."""
    return max((body for body in bodies if start < body < end), default=start)
