"""Many token sequences through the model as one row, each seeing only what it may see.

Linear layers read the row as it is, without padding; attention is done per sequence, padded to
the longest of the batch. What all prompts begin with (the instruction) is computed once. Keys
and values can be kept, so that later questions see a report without reading it again.

It works on any model of transformers that takes its attention from ``AttentionInterface``, with
full attention or a sliding window; :func:`verify` compares it with the model's own forward pass
and refuses where they differ.

The attention of packed sequences: keys and values remembered, and who sees whom in a pack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.decode.pack_plan import Memory, PackEngine, Plan, Segment
from inference.load import Loaded
from labelwright.errors import CheckpointError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ATTENTION = "labelwright_packed"
"""The name under which :func:`attention` is registered with transformers."""


@dataclass
class Pack:
    """The plan of one forward pass, for the attention of every layer.

    ``query_at`` and ``key_at`` are the positions of what ``queries`` and ``keys`` index, by rows.
    """

    memory: Memory
    keep: bool
    queries: Tensor
    keys: Tensor
    back: Tensor
    wanted: Tensor
    mask: Tensor
    rows: int
    kept: Memory
    query_at: np.ndarray
    key_at: np.ndarray
    masks: dict[int, Tensor] = field(default_factory=dict)

    def within(self, window: int | None) -> Tensor:
        """The mask of a layer in which a token sees ``window`` tokens, itself included."""
        if window is None or int(self.query_at.max()) < window:
            return self.mask
        if window not in self.masks:
            import torch

            far = self.query_at[:, None, :, None] - self.key_at[:, None, None, :] >= window
            there = torch.from_numpy(far).to(self.mask.device)
            self.masks[window] = self.mask.masked_fill(there, -torch.inf)
        return self.masks[window]


def register() -> None:
    """Make the attention known to transformers."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, attention)


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: object,
    *,
    labelwright_pack: Pack,
    scaling: float | None = None,
    **given: Any,
) -> tuple[Tensor, None]:
    """Attention of one layer over all segments; shapes as in transformers' own.

    Raises:
        ValueError: the layer wants what is not done here (soft capping, attention sinks).
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    if given.get("softcap") is not None or given.get("s_aux") is not None:
        raise ValueError("soft capping or sinks in the attention")
    pack, layer = labelwright_pack, module.layer_idx
    keys, values = key[0], value[0]
    if layer in pack.memory.keys:
        keys = torch.cat([pack.memory.keys[layer], keys], dim=1)
        values = torch.cat([pack.memory.values[layer], values], dim=1)
    if pack.keep:
        pack.kept.keys[layer], pack.kept.values[layer] = keys, values
    heads, width = query.shape[1], query.shape[3]
    repeat = heads // keys.shape[0]

    def padded(states: Tensor, index: Tensor, times: int = 1) -> Tensor:
        found = states.index_select(1, index).view(states.shape[0], pack.rows, -1, width)
        found = found.transpose(0, 1)
        return found if times == 1 else found.repeat_interleave(times, dim=1)

    seen = scaled_dot_product_attention(
        padded(query[0], pack.queries),
        padded(keys, pack.keys, repeat),
        padded(values, pack.keys, repeat),
        attn_mask=pack.within(given.get("sliding_window")),
        scale=scaling,
    )
    out = seen.transpose(1, 2).reshape(-1, heads, width).index_select(0, pack.back)
    return out[None], None


TOLERANCE = {"float32": 1e-3, "bfloat16": 6e-2, "float16": 1e-2, "quantised": 6e-2}
"""Largest difference of a logit from the model's own pass, relative to the largest logit.

Products with int8 weights round the input by what stands in the same batch.
"""

KNOWN_LAYERS = frozenset({"full_attention", "sliding_attention"})
"""The kinds of attention, by their names in a model's configuration, that packs are read with."""


class Engine(PackEngine):
    """A loaded model as a reader of packed sequences."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.model: Any = loaded.model
        self._base: Any = loaded.model.get_decoder()
        self._device = self.model.device
        self._dtype: torch.dtype = self.model.dtype
        layers = getattr(self._base, "layers", None)
        self._last: Any = getattr(layers[-1], "mlp", None) if layers else None
        register()

    @contextmanager
    def attending(self) -> Iterator[None]:
        """Within the block the model uses the packed attention."""
        before = self.model.config._attn_implementation
        self.model.set_attn_implementation(ATTENTION)
        try:
            yield
        finally:
            self.model.set_attn_implementation(before)

    def run(self, memory: Memory, segments: Sequence[Segment], *, keep: bool) -> list[Tensor]:
        """Read segments that see ``memory`` and themselves.

        Args:
            keep: whether the new tokens are added to the memory, in the order of the segments.

        Returns:
            Per segment the last hidden states ``[wanted, hidden]`` of its wanted tokens.
        """
        import torch

        plan = Plan.of(memory, segments)
        pack = self._pack(memory, plan, keep=keep)
        with torch.inference_mode(), self._only(pack.wanted):
            hidden = self._base(
                input_ids=torch.from_numpy(plan.tokens)[None].to(self._device),
                position_ids=torch.from_numpy(plan.positions)[None].to(self._device),
                use_cache=False,
                labelwright_pack=pack,
            ).last_hidden_state[0]
            rows = hidden.index_select(0, pack.wanted)
        if keep:
            memory.keys, memory.values = pack.kept.keys, pack.kept.values
            memory.positions = np.concatenate([memory.positions, plan.positions])
        return list(rows.split([len(segment.wanted) for segment in segments]))

    @contextmanager
    def _only(self, wanted: Tensor) -> Iterator[None]:
        """Within the block the last feed-forward layer computes the wanted rows alone.

        Nothing reads its other rows: their keys and values were taken before it.
        """
        import torch

        if self._last is None:
            yield
            return

        def before(_: Any, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            whole.append(given[0])
            return (given[0].index_select(1, wanted), *given[1:])

        def after(_: Any, __: Any, found: Tensor) -> Tensor:
            return torch.zeros_like(whole.pop()).index_copy_(1, wanted, found)

        whole: list[Tensor] = []
        hooks = [
            self._last.register_forward_pre_hook(before),
            self._last.register_forward_hook(after),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def options(self, tokens: Sequence[int]) -> OptionHead:
        """What scores these tokens as the next."""
        return OptionHead(self, tokens)

    def _pack(self, memory: Memory, plan: Plan, *, keep: bool) -> Pack:
        """The plan on the model's device, with the mask ``[rows, 1, longest, longest + past]``."""
        import torch

        def placed(index: np.ndarray) -> Tensor:
            return torch.from_numpy(index).to(self._device)

        return Pack(
            memory=memory,
            keep=keep,
            queries=placed(plan.queries),
            keys=placed(plan.keys),
            back=placed(plan.back),
            wanted=placed(plan.wanted),
            mask=torch.from_numpy(plan.mask[:, None]).to(self._device, self._dtype),
            rows=plan.rows,
            kept=Memory(),
            query_at=plan.query_at,
            key_at=plan.key_at,
        )


class OptionHead:
    """The rows of the output matrix that decide: never more than the options' tokens."""

    def __init__(self, engine: Engine, tokens: Sequence[int]) -> None:
        import torch

        head = engine.model.get_output_embeddings()
        index = torch.tensor(list(tokens), device=head.weight.device)
        with torch.inference_mode():
            self._weight = head.weight.index_select(0, index).float()
            bias = getattr(head, "bias", None)
            self._bias = None if bias is None else bias.index_select(0, index).float()
        self._softcap = getattr(
            engine.model.config.get_text_config(), "final_logit_softcapping", None
        )
        self.place: Mapping[int, int] = {token: row for row, token in enumerate(tokens)}

    def __call__(self, hidden: Sequence[Tensor]) -> np.ndarray:
        """Hidden states ``[rows, hidden]`` each to logits ``[all rows, tokens]``, float32."""
        import torch

        with torch.inference_mode():
            logits = torch.cat(list(hidden)).float() @ self._weight.T
            if self._bias is not None:
                logits = logits + self._bias
            if self._softcap:
                logits = torch.tanh(logits / self._softcap) * self._softcap
            found: np.ndarray = logits.cpu().numpy()
        return found


def verify(
    engine: Engine, head: OptionHead, prefix: Sequence[int], prompts: Sequence[Sequence[int]]
) -> None:
    """Compare the packed pass with the model's own on a few prompts.

    Raises:
        CheckpointError: they differ, so this architecture cannot be read in packs.
    """
    import torch

    kinds = set(getattr(engine.model.config.get_text_config(), "layer_types", None) or ())
    if foreign := kinds - KNOWN_LAYERS:
        raise _unsupported(engine, f"it has layers with {', '.join(sorted(foreign))}")
    tokens = list(head.place)
    own = []
    with torch.inference_mode():
        for prompt in prompts:
            row = torch.tensor([list(prompt)], device=engine.model.device)
            logits = engine.model(input_ids=row, use_cache=False, logits_to_keep=1).logits[0, -1]
            own.append(logits.index_select(0, torch.tensor(tokens, device=logits.device)))
    wanted = torch.stack(own).float().cpu().numpy()
    try:
        with engine.attending():
            memory = engine.prefix(prefix)
            past = np.arange(memory.size)
            segments = [
                Segment(
                    p[memory.size :], range(memory.size, len(p)), past, [len(p) - 1 - len(past)]
                )
                for p in prompts
            ]
            found = head(engine.run(memory, segments, keep=False))
    except (TypeError, KeyError, AttributeError, ValueError, RuntimeError) as error:
        if "OutOfMemory" in type(error).__name__ or "memory" in str(error):
            raise
        raise _unsupported(engine, type(error).__name__) from error
    quantised = getattr(engine.model, "is_quantized", False)
    kind = "quantised" if quantised else str(engine.model.dtype).removeprefix("torch.")
    gap = float(np.abs(found - wanted).max()) / max(float(np.abs(wanted).max()), 1e-6)
    if not gap <= TOLERANCE.get(kind, 6e-2):
        raise _unsupported(engine, f"its logits differ by {gap:.1%}")


def _unsupported(engine: Engine, why: str) -> CheckpointError:
    return CheckpointError(
        f"{type(engine.model).__name__} cannot be read in packs ({why})",
        remedy="label with --decode free",
        source=engine.loaded.name,
    )
