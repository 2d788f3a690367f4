"""Packs of sequences read with NumPy: the counterpart of :mod:`inference.decode.packed`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from inference.decode.pack_plan import Memory, PackEngine, Plan, Segment
from inference.light.model import F32, LightModel
from labelwright.runtime.threads import kept_memory, one_thread


class LightEngine(PackEngine):
    """A light model as a reader of packed sequences."""

    def __init__(self, model: LightModel) -> None:
        self.model = model
        kept_memory()

    def attending(self) -> AbstractContextManager[None]:
        """Products take one thread."""
        return one_thread()

    def run(self, memory: Memory, segments: Sequence[Segment], *, keep: bool) -> list[F32]:
        """As :meth:`inference.decode.packed.Engine.run`."""
        plan = Plan.of(memory, segments)
        kept = Memory()

        def attend(number: int, query: F32, key: F32, value: F32) -> F32:
            keys, values = key, value
            if number in memory.keys:
                keys = np.concatenate([memory.keys[number], key])
                values = np.concatenate([memory.values[number], value])
            if keep:
                kept.keys[number], kept.values[number] = keys, values
            return attention(plan, query, keys, values)

        found = self.model.hidden(plan.tokens, plan.positions, plan.wanted, attend)
        if keep:
            memory.keys, memory.values = kept.keys, kept.values
            memory.positions = np.concatenate([memory.positions, plan.positions])
        return np.split(found, np.cumsum([len(segment.wanted) for segment in segments])[:-1])

    def options(self, tokens: Sequence[int]) -> LightHead:
        """What scores these tokens as the next."""
        return LightHead(self.model, tokens)


def attention(plan: Plan, query: F32, keys: F32, values: F32) -> F32:
    """What each token sees, ``[tokens, heads * width]``.

    Args:
        query: ``[tokens, heads, width]``, divided by the root of the width.
        keys, values: of remembered and new tokens, ``[all tokens, key heads, width]``.
    """
    heads, width = query.shape[1:]
    repeat = heads // keys.shape[1]

    def padded(states: F32, index: NDArray[np.int64], times: int = 1) -> F32:
        found = states[index].reshape(plan.rows, -1, states.shape[1], width).swapaxes(1, 2)
        return found if times == 1 else np.repeat(found, times, axis=1)

    scores: F32 = padded(query, plan.queries) @ padded(keys, plan.keys, repeat).swapaxes(2, 3)
    scores += plan.mask[:, None]
    scores -= scores.max(axis=3, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=3, keepdims=True)
    seen: F32 = scores @ padded(values, plan.keys, repeat)
    found: F32 = seen.swapaxes(1, 2).reshape(-1, heads * width)[plan.back]
    return found


class LightHead:
    """The rows of the output matrix that decide: never more than the options' tokens."""

    def __init__(self, model: LightModel, tokens: Sequence[int]) -> None:
        self._weight = np.ascontiguousarray(model.head[list(tokens)].T)
        self.place: Mapping[int, int] = {token: row for row, token in enumerate(tokens)}

    def __call__(self, hidden: Sequence[F32]) -> F32:
        """Hidden states ``[rows, hidden]`` each to logits ``[all rows, tokens]``."""
        found: F32 = np.concatenate(list(hidden)) @ self._weight
        return found
