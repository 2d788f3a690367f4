"""A model in this process asked for free answers: their room, windows of long texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inference.decode.decoder import DecodeOptions
from inference.decode.generate import Generated, Greedy
from inference.decode.guided import Guided
from inference.decode.line_probs import line_probs
from inference.decode.part_reader import Said
from inference.load import Loaded
from inference.prompts import Prompt, PromptWriter, Refusal, prompt_text
from inference.windows import split
from labelwright.labelers.base import Ask
from labelwright.records import Span

LEAST_TOKENS, LEAST_SHARE = 32, 1
"""Room that a prompt must leave for its answer: so many tokens, and so many per token of text."""
MOST_TOKENS, MOST_SHARE = 64, 3
"""Tokens after which an answer is cut, if the context has them: a line per word or two."""
OVERLAP = 2
"""Sentences that two neighbouring windows share."""


class ModelAsker:
    """Asks a model in this process; a :class:`inference.decode.part_reader.Asker`.

    Args:
        guide: lets it write only what is valid; it writes freely if not given.
    """

    def __init__(self, loaded: Loaded, options: DecodeOptions, guide: Guided | None = None) -> None:
        self._loaded = loaded
        self._mode = "free" if guide is None else "constrained"
        self._greedy = Greedy(loaded, options, probs=True, guide=guide)
        probe = loaded.tokenizer(prompt_text(loaded, "x"), add_special_tokens=False)["input_ids"]
        self._frame = len(probe) - 1
        self.writer = PromptWriter(loaded, room=lambda count: self._room(count, least=True))

    def describe(self) -> Mapping[str, Any]:
        """For the manifest."""
        return {
            "mode": self._mode,
            "strategy": "greedy",
            "answer_tokens": f"{MOST_TOKENS} + {MOST_SHARE} per token of text",
            "overlap": OVERLAP,
        }

    def ask(self, asks: Sequence[Ask]) -> list[Said | Refusal]:
        """One answer or refusal each, in order; ``seconds`` is its share of a batch."""
        written = self.writer.write([ask.whole for ask in asks])
        pairs = zip(written, asks, strict=True)
        asked = [(prompt, ask.text) for prompt, ask in pairs if isinstance(prompt, Prompt)]
        prompts = [prompt for prompt, _ in asked]
        rooms = [self._room(len(prompt.tokens), least=False) for prompt in prompts]
        answers = iter(
            zip(self._greedy.write(prompts, rooms, [t for _, t in asked]), prompts, strict=True)
        )
        return [
            outcome if isinstance(outcome, Refusal) else self._said(*next(answers))
            for outcome in written
        ]

    def parts(self, text: str) -> list[Span] | Refusal:
        """Windows of whole sentences that fit, each sharing some with the next."""
        found = split(text, self.writer, overlap=OVERLAP)
        if isinstance(found, Refusal):
            return found
        return [prompt.span for prompt in found if prompt.span is not None]

    def _room(self, count: int, *, least: bool) -> int:
        """Answer tokens for a prompt of ``count`` tokens."""
        text = max(count - self._frame, 1)
        if least:
            return LEAST_TOKENS + LEAST_SHARE * text
        most = MOST_TOKENS + MOST_SHARE * text
        context = self._loaded.context
        return most if context is None else min(most, context - count)

    def _said(self, written: Generated, prompt: Prompt) -> Said:
        pieces = [self._loaded.tokenizer.decode([token]) for token in written.tokens]
        return Said(
            raw=written.text,
            ended=written.ended,
            seconds=written.seconds,
            probs=line_probs([str(piece) for piece in pieces], written.probs, written.text),
            notes=prompt.notes,
        )
