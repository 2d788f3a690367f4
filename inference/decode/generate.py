"""Free decoding: batched greedy generation, then the task's parser."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from inference.decode.decoder import DecodeOptions
from inference.decode.memory import free_memory, out_of_memory
from inference.load import Loaded
from inference.prompts import Prompt, answer_room
from labelwright.records import Answer
from labelwright.runtime.progress import tell
from labelwright.tasks import kind_of

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Generated:
    """What a model wrote behind one prompt.

    Attributes:
        text: without special tokens.
        tokens: those of the text, then the one that ended it, if any did.
        probs: of each token when it was written; empty where they were not asked for.
        ended: whether the model itself ended the answer within its room.
        seconds: its share of the batch.
    """

    text: str
    tokens: tuple[int, ...]
    probs: tuple[float, ...]
    ended: bool
    seconds: float


class Guide(Protocol):
    """Says which tokens may be written."""

    def processor(
        self, texts: Sequence[str], ends: Sequence[int], chances: list[Any]
    ) -> Callable[[Any, Any], Any]:
        """A logits processor for a batch of texts, which notes the tokens' probabilities."""
        ...


class Greedy:
    """The likeliest next token again and again until the model ends its answer.

    Args:
        probs: whether to note the probability of every token.
        guide: which tokens may be written; all if not given. It notes probabilities too.
    """

    def __init__(
        self,
        loaded: Loaded,
        options: DecodeOptions,
        *,
        probs: bool = False,
        guide: Guide | None = None,
    ) -> None:
        self._loaded = loaded
        self._guide = guide
        self._size = 1 if options.deterministic else options.batch_size
        self._probs = probs

    def write(
        self, prompts: Sequence[Prompt], rooms: Sequence[int], texts: Sequence[str] = ()
    ) -> list[Generated]:
        """One answer per prompt, in the order given, each of at most so many tokens.

        Prompts are sorted by length so that a batch pads little, the longest first so that a
        lack of memory shows at once; the batch is halved then. Padding is masked: an answer
        does not depend on its batch beyond the rounding of the arithmetic.

        Args:
            texts: of the prompts, for the guide.
        """
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i].tokens), reverse=True)
        written: list[Generated | None] = [None] * len(prompts)
        while order:
            batch = order[: self._size]
            try:
                found = self._generate(
                    [prompts[i] for i in batch],
                    [rooms[i] for i in batch],
                    [texts[i] if texts else "" for i in batch],
                )
            except Exception as error:
                if len(batch) == 1 or not out_of_memory(error):
                    raise
                found = None
            if found is None:
                self._size = len(batch) // 2
                free_memory()
                continue
            for index, answer in zip(batch, found, strict=True):
                written[index] = answer
            order = order[len(batch) :]
            tell(len(prompts) - len(order), len(prompts))
        return [answer for answer in written if answer is not None]

    def _generate(
        self, prompts: Sequence[Prompt], rooms: Sequence[int], texts: Sequence[str]
    ) -> list[Generated]:
        import torch
        from transformers import GenerationConfig

        loaded = self._loaded
        ends = end_tokens(loaded)
        pad = _pad(loaded, ends)
        config: Any = GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False,
            max_new_tokens=max(rooms),
            eos_token_id=ends,
            pad_token_id=pad,
            use_cache=True,
        )
        # What the model's authors set for sampling would else be merged into ours.
        loaded.model.generation_config = config
        chances: list[torch.Tensor] = []
        began = time.perf_counter()
        tokens, mask = _left_padded([prompt.tokens for prompt in prompts], pad)
        with torch.inference_mode():
            output = loaded.model.generate(
                tokens.to(loaded.model.device),
                attention_mask=mask.to(loaded.model.device),
                generation_config=config,
                logits_processor=self._processors(texts, ends, chances),
            )
        rows = output[:, tokens.shape[1] :].tolist()
        probs = torch.stack(chances, dim=1).tolist() if chances else [[] for _ in rows]
        share = (time.perf_counter() - began) / len(prompts)
        return [
            _written(loaded, row[:room], sure, ends, share)
            for row, sure, room in zip(rows, probs, rooms, strict=True)
        ]

    def _processors(
        self, texts: Sequence[str], ends: Sequence[int], chances: list[torch.Tensor]
    ) -> list[Callable[[Any, Any], Any]] | None:
        if self._guide is not None:
            return [self._guide.processor(texts, ends, chances)]
        return [_noting(chances)] if self._probs else None


def _noting(chances: list[torch.Tensor]) -> Callable[[Any, Any], Any]:
    """Notes the probability of the likeliest token of every row, which greedy decoding takes."""

    def note(_: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        rows = scores.float()
        chances.append((rows.amax(dim=-1) - rows.logsumexp(dim=-1)).exp())
        return scores

    return note


def _written(
    loaded: Loaded, row: list[int], probs: list[float], ends: Sequence[int], seconds: float
) -> Generated:
    stop = next((place for place, token in enumerate(row) if token in ends), None)
    text = loaded.tokenizer.decode(
        row[:stop], skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    kept = row if stop is None else row[: stop + 1]
    return Generated(str(text), tuple(kept), tuple(probs[: len(kept)]), stop is not None, seconds)


class Free:
    """Free decoding of answer lines."""

    def __init__(self, loaded: Loaded, options: DecodeOptions) -> None:
        self._label_set = loaded.label_set
        self._kind = kind_of(loaded.label_set)
        self._greedy = Greedy(loaded, options)
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

        An answer that fills its room is cut, and its problems say ``cut off``.
        """
        written = self._greedy.write(prompts, [self._room] * len(prompts))
        return [
            self._answer(said, prompt.notes) for said, prompt in zip(written, prompts, strict=True)
        ]

    def _answer(self, said: Generated, notes: tuple[str, ...]) -> Answer:
        parsed = self._kind.parse(self._label_set, said.text, "", ended=said.ended)
        return Answer(
            value=parsed.value,
            raw=said.text,
            problems=parsed.problems,
            notes=notes + parsed.notes,
            seconds=said.seconds,
        )


def end_tokens(loaded: Loaded) -> list[int]:
    """The ids that end an answer: the tokenizer's and those the model's authors named."""
    own = loaded.model.generation_config.eos_token_id
    named = own if isinstance(own, list) else [own]
    both = [loaded.tokenizer.eos_token_id, *named]
    return sorted({int(token) for token in both if isinstance(token, int)})


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
