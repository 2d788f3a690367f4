"""What the packed ways of decoding share: the instruction read once, packs, scarce memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from inference.decode.decoder import DecodeOptions
from inference.decode.memory import free_memory, out_of_memory
from inference.decode.pack_plan import Memory, PackEngine
from inference.decode.scores import Scores
from inference.load import Loaded
from inference.prompts import Prompt, prompt_text
from labelwright.errors import CheckpointError
from labelwright.runtime.progress import tell
from labelwright.tasks import kind_of
from labelwright.tasks.choices import AnswerTokens

T = TypeVar("T")

PROBES = ("The lungs are clear.", "\nheart size: normal", "1.2 cm nodule", " - XXXX", "É°")
"""Texts that begin differently: what their prompts share is shared by all prompts."""


class PackReader:
    """One model, set up to read packs of prompts.

    Args:
        tokens: some between which decisions fall, for :func:`verify`.

    Raises:
        CheckpointError: the model's architecture cannot be read so.
    """

    def __init__(self, loaded: Loaded, options: DecodeOptions, tokens: Sequence[int]) -> None:
        self.loaded = loaded
        self.options = options
        self.kind = kind_of(loaded.label_set)
        probes = [encode(loaded, prompt_text(loaded, probe)) for probe in PROBES]
        self._shared = tuple(_common(probes))
        self.engine = _engine(loaded, tokens, self._shared, probes[:3])
        self.head = self.engine.options(tokens)
        self._budget = options.batch_tokens
        with self.engine.attending():
            self._memory = self.engine.prefix(self._shared)

    def __call__(
        self,
        prompts: Sequence[Prompt],
        read: Callable[[Memory, Sequence[Prompt]], list[T]],
        *,
        extra: int | Sequence[int],
    ) -> list[tuple[T, float]]:
        """Read prompts in packs of like length.

        Args:
            read: reads one pack on top of the memory it is given, which holds the instruction.
            extra: tokens that every prompt needs besides its own, or one number for each.

        Returns:
            Per prompt what ``read`` gave for it and its share of the seconds.
        """
        found: list[tuple[T, float] | None] = [None] * len(prompts)
        done = 0
        with self.engine.attending():
            for pack in self._packs(prompts, extra):
                began = time.perf_counter()
                for results in self._surviving(pack, prompts, read):
                    share = (time.perf_counter() - began) / len(results)
                    for index, result in results:
                        found[index] = (result, share)
                    done += len(results)
                    tell(done, len(prompts))
                    began = time.perf_counter()
        return [item for item in found if item is not None]

    @property
    def budget(self) -> int:
        """Tokens to compute together, as far as memory has been found to allow."""
        return self._budget

    def start(self, prompt: Prompt) -> int:
        """How many of the prompt's tokens the memory of the instruction holds."""
        size = len(self._shared)
        return size if prompt.tokens[:size] == self._shared else 0

    def past(self, prompt: Prompt) -> np.ndarray:
        """Indices of the prompt's beginning in the memory of the instruction."""
        return np.arange(self.start(prompt))

    def _packs(self, prompts: Sequence[Prompt], extra: int | Sequence[int]) -> Iterator[list[int]]:
        """Indices, the longest first: a lack of memory shows at once, and little is padded."""
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i].tokens), reverse=True)
        pack: list[int] = []
        used = 0
        for index in order:
            more = extra if isinstance(extra, int) else extra[index]
            need = len(prompts[index].tokens) - self.start(prompts[index]) + more
            if pack and (used + need > self._budget or self.options.deterministic):
                yield pack
                pack, used = [], 0
            pack.append(index)
            used += need
        if pack:
            yield pack

    def _surviving(
        self,
        pack: list[int],
        prompts: Sequence[Prompt],
        read: Callable[[Memory, Sequence[Prompt]], list[T]],
    ) -> Iterator[list[tuple[int, T]]]:
        """Read a pack; where memory is short, in halves, and all later packs are smaller too."""
        try:
            results = read(self._memory.copy(), [prompts[index] for index in pack])
        except Exception as error:
            if len(pack) == 1 or not out_of_memory(error):
                raise
            results = None
        if results is not None:
            yield list(zip(pack, results, strict=True))
            return
        self._budget = max(self._budget // 2, 1)
        free_memory()
        half = len(pack) // 2
        yield from self._surviving(pack[:half], prompts, read)
        yield from self._surviving(pack[half:], prompts, read)


class PromptReader(PackReader):
    """A reader of answers that are made of choices; it scores their options.

    Raises:
        CheckpointError: the model's architecture or tokenizer cannot be read so, or its answers
            are not made of choices.
    """

    def __init__(self, loaded: Loaded, options: DecodeOptions) -> None:
        choices = kind_of(loaded.label_set).choices(loaded.label_set)
        if choices is None:
            raise CheckpointError(
                f"answers for label set {loaded.label_set.name} are not made of choices",
                remedy="use another way of decoding",
                source=loaded.name,
            )
        self.choices = choices
        self.answers = AnswerTokens.of(choices, lambda text: encode(loaded, text))
        super().__init__(loaded, options, self.answers.option_tokens)
        self.scores = Scores(self.answers, self.head.place)

    def chosen(self, probs: np.ndarray) -> tuple[dict[str, str], tuple[str, ...]]:
        """The likeliest picks that obey the label set's rules, and the slots that gave way.

        Args:
            probs: ``[slots, options]``.
        """
        return self.kind.choose(self.loaded.label_set, self.scores.by_option(probs))


def encode(loaded: Loaded, text: str) -> list[int]:
    """The tokens of a text, without special ones of its own."""
    ids: list[int] = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    return list(ids)


def _engine(
    loaded: Loaded,
    tokens: Sequence[int],
    shared: Sequence[int],
    probes: Sequence[Sequence[int]],
) -> PackEngine:
    """What computes packs for a model: NumPy for small ones, else torch, checked on the probes."""
    from inference.light.model import LightModel

    if isinstance(loaded.model, LightModel):
        from inference.light.engine import LightEngine

        return LightEngine(loaded.model)
    from inference.decode.packed import Engine, verify

    engine = Engine(loaded)
    verify(engine, engine.options(tokens), shared, probes)
    return engine


def _common(rows: Sequence[Sequence[int]]) -> list[int]:
    """What all rows begin with; at least one token of each row is left out."""
    shared = []
    for column in zip(*(row[:-1] for row in rows), strict=False):
        if len(set(column)) > 1:
            break
        shared.append(column[0])
    return shared
