"""The attention of packed sequences: keys and values remembered, and who sees whom in a pack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.decode.pack_plan import Memory

if TYPE_CHECKING:
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
