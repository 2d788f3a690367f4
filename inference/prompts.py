"""Prompts in tokens: the chat of the task through the model's own template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inference.load import Loaded
from labelwright.certainty import END, messages, slots
from labelwright.errors import CheckpointError
from labelwright.label_set import LabelSet

PLACEHOLDER = "{report}"
SPARE_TOKENS = 16
"""Room for an answer that is written longer than ours, and for its end."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt; ``notes`` says what was changed in the text before it was read."""

    tokens: tuple[int, ...]
    notes: tuple[str, ...] = ()


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


def encode(loaded: Loaded, texts: Sequence[str]) -> list[Prompt]:
    """One prompt per text, never cut.

    A report that spells out a special token (``<|im_end|>``) would end its own turn; such a
    spelling is broken up by a space, and the prompt's notes say so.
    """
    special = _special_tokens(loaded)
    safe = [special.sub(lambda m: f"{m[0][0]} {m[0][1:]}", text) for text in texts]
    encoded = loaded.tokenizer(
        [prompt_text(loaded, text) for text in safe], add_special_tokens=False, verbose=False
    )
    return [
        Prompt(tuple(tokens), () if text == given else ("special token in the text",))
        for tokens, text, given in zip(encoded["input_ids"], safe, texts, strict=True)
    ]


def answer_room(loaded: Loaded) -> int:
    """Tokens that the longest possible answer needs, by key or by full name, and some to spare."""
    tokenizer = loaded.tokenizer
    lines = (longest_answer(loaded.label_set, full_names=full) for full in (False, True))
    return max(len(tokenizer(line)["input_ids"]) for line in lines) + SPARE_TOKENS


def longest_answer(label_set: LabelSet, *, full_names: bool) -> str:
    """An answer line with the longest word at every observation."""
    items = []
    for slot in slots(label_set):
        prefix = f", {slot.label}:" if full_names else slot.prefix
        items.append(prefix + max(slot.options.values(), key=len))
    return "".join(items) + END


def _special_tokens(loaded: Loaded) -> re.Pattern[str]:
    tokens = {str(token) for token in loaded.tokenizer.added_tokens_decoder.values()}
    tokens |= set(loaded.tokenizer.all_special_tokens)
    written = sorted((t for t in tokens if len(t) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, written)) or r"(?!)")
