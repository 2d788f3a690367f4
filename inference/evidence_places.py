"""Where the sentences of a report stand among the tokens of its prompt."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from inference.load import Loaded
from inference.prompts import PLACEHOLDER, prompt_text
from labelwright.errors import CheckpointError
from labelwright.sentences import sentence_spans
from labelwright.special_tokens import break_up, spelled_out

PROBE = f" {PLACEHOLDER}. {PLACEHOLDER}! "
"""Shows where a template puts the report, and that it leaves it as it is."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: ``text[start:end]`` of the report, tokens ``first`` to ``last - 1``."""

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
        found = self._tokenizer(
            self._head + body + self._tail,
            add_special_tokens=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        if tuple(found["input_ids"]) != tokens:
            return None
        ends = [end for _, end in found["offset_mapping"]]
        starts = [start for start, _ in found["offset_mapping"]]
        begin = len(self._head)
        head = next((i for i, end in enumerate(ends) if end > begin), len(tokens))
        after = begin + len(body)
        tail = next((i for i in range(head, len(starts)) if starts[i] >= after), len(tokens))
        # A special token that was broken up has one character more in the prompt, its space.
        spaces = [match.start() + 1 for match in self._special.finditer(text)]
        spans = sentence_spans(text)
        firsts = [head]
        for start, _ in spans[1:]:
            place = begin + start + bisect_left(spaces, start + 1) - skipped
            first = next((i for i in range(firsts[-1], tail) if ends[i] > place), tail)
            firsts.append(first)
        return Located(
            head,
            tail,
            tuple(
                Sentence(at + start, at + end, first, last)
                for (start, end), first, last in zip(
                    spans, firsts, [*firsts[1:], tail], strict=True
                )
            ),
        )
