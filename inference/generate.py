"""Free decoding: batched greedy generation, then the task's parser."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.load import Loaded
from inference.prompts import Prompt
from labelwright.certainty import parse
from labelwright.records import Certainty

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Answer:
    """What a way of decoding says of one prompt; the fields are those of ``Prediction``."""

    labels: Mapping[str, Certainty | None]
    raw: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float
    probs: Mapping[str, Mapping[str, float]] | None = None


def free(
    loaded: Loaded, prompts: Sequence[Prompt], *, batch_size: int, max_new_tokens: int
) -> list[Answer]:
    """The likeliest next token again and again until the model ends its answer.

    Prompts are sorted by length so that a batch pads little, the longest first so that a
    lack of memory shows at once. Padding is masked: an answer does not depend on its batch
    beyond the rounding of the arithmetic.

    Args:
        batch_size: prompts generated together.
        max_new_tokens: an answer longer than this is cut, and its problems say ``cut off``.

    Returns:
        One answer per prompt, in the order given; ``seconds`` is its share of the batch.
    """
    import torch
    from transformers import GenerationConfig

    ends = end_tokens(loaded)
    config: Any = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=ends,
        pad_token_id=_pad(loaded, ends),
        use_cache=True,
    )
    # What the model's authors set for sampling would else be merged into ours.
    loaded.model.generation_config = config
    answers: list[Answer | None] = [None] * len(prompts)
    for batch in _batches(prompts, batch_size):
        began = time.perf_counter()
        tokens, mask = _left_padded([prompts[i].tokens for i in batch], _pad(loaded, ends))
        with torch.inference_mode():
            output = loaded.model.generate(  # type: ignore[operator]
                tokens.to(loaded.model.device),
                attention_mask=mask.to(loaded.model.device),
                generation_config=config,
            )
        rows = output[:, tokens.shape[1] :].tolist()
        share = (time.perf_counter() - began) / len(batch)
        for index, row in zip(batch, rows, strict=True):
            answers[index] = _answer(loaded, row, ends, share, prompts[index].notes)
    return [answer for answer in answers if answer is not None]


def end_tokens(loaded: Loaded) -> list[int]:
    """The ids that end an answer: the tokenizer's and those the model's authors named."""
    own = loaded.model.generation_config.eos_token_id
    named = own if isinstance(own, list) else [own]
    both = [loaded.tokenizer.eos_token_id, *named]
    return sorted({int(token) for token in both if isinstance(token, int)})


def _answer(
    loaded: Loaded, row: list[int], ends: Sequence[int], seconds: float, notes: tuple[str, ...]
) -> Answer:
    stop = next((place for place, token in enumerate(row) if token in ends), None)
    raw = loaded.tokenizer.decode(
        row[:stop], skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    parsed = parse(loaded.label_set, str(raw), ended=stop is not None)
    return Answer(parsed.labels, str(raw), parsed.problems, notes + parsed.notes, seconds)


def _pad(loaded: Loaded, ends: Sequence[int]) -> int:
    pad = loaded.tokenizer.pad_token_id
    return pad if isinstance(pad, int) else ends[0]


def _batches(prompts: Sequence[Prompt], size: int) -> Iterator[list[int]]:
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i].tokens), reverse=True)
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _left_padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both ``[rows, longest]``, padding on the left."""
    import torch

    width = max(map(len, rows))
    tokens = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return tokens, mask
