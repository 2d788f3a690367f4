"""Free decoding: batched greedy generation, then the task's parser."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from inference.answer import Answer, DecodeOptions
from inference.load import Loaded
from inference.memory import free_memory, out_of_memory
from inference.prompts import Prompt, answer_room
from labelwright.certainty import parse

if TYPE_CHECKING:
    import torch


class Free:
    """The likeliest next token again and again until the model ends its answer."""

    def __init__(self, loaded: Loaded, options: DecodeOptions) -> None:
        self._loaded = loaded
        self._size = 1 if options.deterministic else options.batch_size
        self._room = answer_room(loaded)

    @property
    def room(self) -> int:
        """The longest answer in either writing, and some to spare."""
        return self._room

    def describe(self) -> Mapping[str, Any]:
        """For the manifest."""
        return {"mode": "free", "strategy": "greedy", "max_new_tokens": self._room}

    def decode(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer per prompt, in the order given; ``seconds`` is its share of the batch.

        Prompts are sorted by length so that a batch pads little, the longest first so that a
        lack of memory shows at once; the batch is halved then. Padding is masked: an answer
        does not depend on its batch beyond the rounding of the arithmetic. An answer that
        fills its room is cut, and its problems say ``cut off``.
        """
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i].tokens), reverse=True)
        answers: list[Answer | None] = [None] * len(prompts)
        while order:
            batch = order[: self._size]
            try:
                found = self._generate([prompts[index] for index in batch])
            except Exception as error:
                if len(batch) == 1 or not out_of_memory(error):
                    raise
                found = None
            if found is None:
                self._size = len(batch) // 2
                free_memory()
                continue
            for index, answer in zip(batch, found, strict=True):
                answers[index] = answer
            order = order[len(batch) :]
        return [answer for answer in answers if answer is not None]

    def _generate(self, prompts: Sequence[Prompt]) -> list[Answer]:
        import torch
        from transformers import GenerationConfig

        loaded = self._loaded
        ends = end_tokens(loaded)
        pad = _pad(loaded, ends)
        config: Any = GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False,
            max_new_tokens=self._room,
            eos_token_id=ends,
            pad_token_id=pad,
            use_cache=True,
        )
        # What the model's authors set for sampling would else be merged into ours.
        loaded.model.generation_config = config
        began = time.perf_counter()
        tokens, mask = _left_padded([prompt.tokens for prompt in prompts], pad)
        with torch.inference_mode():
            output = loaded.model.generate(  # type: ignore[operator]
                tokens.to(loaded.model.device),
                attention_mask=mask.to(loaded.model.device),
                generation_config=config,
            )
        rows = output[:, tokens.shape[1] :].tolist()
        share = (time.perf_counter() - began) / len(prompts)
        return [
            _answer(loaded, row, ends, share, prompt.notes)
            for row, prompt in zip(rows, prompts, strict=True)
        ]


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


def _left_padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both ``[rows, longest]``, padding on the left."""
    import torch

    width = max(map(len, rows))
    tokens = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return tokens, mask
