"""The forward pass of small Llama-like models in NumPy, float32.

Embedding, then per layer attention with rotary positions (Su et al. 2021) and a gated feed-forward
block (SwiGLU, Shazeer 2020), each behind a root mean square norm (Zhang & Sennrich 2019); Qwen2's
layers have biases on queries, keys and values besides. Weights and arithmetic are those of
transformers' ``LlamaForCausalLM`` and ``Qwen2ForCausalLM``; sums are taken in another order, so
probabilities agree to about 1e-6.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
MOST_PARAMETERS = 50_000_000
"""Beyond that loading torch costs little beside the reading itself."""
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Device:
    """Where the weights are, in the words of torch."""

    type: str = "cpu"


@dataclass(frozen=True)
class Shape:
    """What a model's configuration says of its layers."""

    hidden: int
    layers: int
    heads: int
    key_heads: int
    width: int
    epsilon: float
    theta: float
    context: int
    architecture: str

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Shape | None:
        """The shape of a model that can be read here; ``None`` for any other."""
        kind = config.get("model_type")
        heads = config.get("num_attention_heads")
        rope = config.get("rope_parameters") or {}
        layers = set(config.get("layer_types") or ["full_attention"])
        if (
            kind not in ARCHITECTURES
            or config.get("architectures") != [ARCHITECTURES[kind]]
            or config.get("hidden_act") != "silu"
            or rope.get("rope_type") != "default"
            or rope.get("partial_rotary_factor", 1.0) != 1.0
            or layers != {"full_attention"}
            or config.get("use_sliding_window")
            or config.get("quantization_config")
            or not isinstance(heads, int)
            or (config.get("head_dim") or config["hidden_size"] // heads) % 2
        ):
            return None
        return cls(
            hidden=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            key_heads=config.get("num_key_value_heads") or heads,
            width=config.get("head_dim") or config["hidden_size"] // heads,
            epsilon=config["rms_norm_eps"],
            theta=rope["rope_theta"],
            context=config["max_position_embeddings"],
            architecture=ARCHITECTURES[kind],
        )


@dataclass(frozen=True)
class Layer:
    """One layer; matrices are ``[in, out]``, the norms' weights multiplied into them.

    ``qkv`` makes queries, keys and values side by side, ``gate_up`` both halves of the gate. In
    queries and keys, numbers that rotary positions turn with each other stand side by side
    (:func:`_paired`), and queries are divided by the root of their width.
    """

    qkv: F32
    qkv_bias: F32 | None
    out: F32
    out_bias: F32 | None
    gate_up: F32
    gate_up_bias: F32 | None
    down: F32
    down_bias: F32 | None


Attend = Callable[[int, F32, F32, F32], F32]
"""From number of the layer, queries ``[tokens, heads, width]``, keys and values ``[tokens, key
heads, width]`` to what is seen, ``[tokens, heads * width]``."""


class LightModel:
    """A decoder with its weights.

    Attributes:
        embedding: ``[vocabulary, hidden]``.
        head: output rows ``[vocabulary, hidden]``.
    """

    device = Device()
    dtype = "float32"
    is_quantized = False

    def __init__(self, shape: Shape, tensors: Mapping[str, F32]) -> None:
        """Take the weights as transformers names them.

        Raises:
            KeyError: one is missing.
            ValueError: there is one that these layers have not.
        """
        left = dict(tensors)

        def take(name: str) -> F32:
            return np.asarray(left.pop(name), dtype=np.float32)

        def maybe(*names: str) -> F32 | None:
            found = [left.pop(f"{name}.bias", None) for name in names]
            if all(one is None for one in found):
                return None
            parts = [np.asarray(one, dtype=np.float32) for one in found if one is not None]
            if len(parts) != len(names):
                raise KeyError(names[0])
            return np.concatenate(parts)

        def joined(norm: F32 | None, *names: str) -> F32:
            whole = np.concatenate([take(f"{name}.weight") for name in names]).T
            return np.ascontiguousarray(whole if norm is None else norm[:, None] * whole)

        self.shape = shape
        self.embedding = take("model.embed_tokens.weight")
        untied = "lm_head.weight" in left
        self.head = take("lm_head.weight") if untied else self.embedding
        self.layers = []
        for number in range(shape.layers):
            at = f"model.layers.{number}"
            attention, mlp = f"{at}.self_attn", f"{at}.mlp"
            first = take(f"{at}.input_layernorm.weight")
            second = take(f"{at}.post_attention_layernorm.weight")
            qkv = [f"{attention}.{name}_proj" for name in "qkv"]
            gate_up = [f"{mlp}.gate_proj", f"{mlp}.up_proj"]
            bias = maybe(*qkv)
            self.layers.append(
                Layer(
                    qkv=_paired(joined(first, *qkv), shape),
                    qkv_bias=None if bias is None else _paired(bias, shape),
                    out=joined(None, f"{attention}.o_proj"),
                    out_bias=maybe(f"{attention}.o_proj"),
                    gate_up=joined(second, *gate_up),
                    gate_up_bias=maybe(*gate_up),
                    down=joined(None, f"{mlp}.down_proj"),
                    down_bias=maybe(f"{mlp}.down_proj"),
                )
            )
        self.norm = take("model.norm.weight")
        if left:
            raise ValueError(f"unknown weights: {', '.join(sorted(left))}")
        self._parameters = sum(int(np.size(one)) for one in tensors.values())
        self._frequencies = shape.theta ** -(
            np.arange(0, shape.width, 2, dtype=np.float32) / np.float32(shape.width)
        )

    @classmethod
    def load(cls, folder: Path) -> LightModel | None:
        """The model of a folder; ``None`` where it is none that can be read here."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            shape, tied = Shape.of(config), config.get("tie_word_embeddings", False)
            path = folder / WEIGHTS
            if shape is None or path.stat().st_size > 4 * MOST_PARAMETERS:
                return None
            tensors = load_file(path)
            if tied and "lm_head.weight" in tensors:
                return None
            return cls(shape, tensors)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
            return None  # whoever reads it with transformers says what is wrong

    @property
    def architecture(self) -> str:
        """The class in transformers that reads the same weights."""
        return self.shape.architecture

    def num_parameters(self) -> int:
        """Number of weights."""
        return self._parameters

    def hidden(
        self,
        tokens: NDArray[np.int64],
        positions: NDArray[np.int64],
        wanted: NDArray[np.int64],
        attend: Attend,
    ) -> F32:
        """Last hidden states of the wanted tokens, ``[wanted, hidden]``.

        Args:
            tokens, positions: of all tokens read together, ``[tokens]``.
            wanted: indices into them.
            attend: who sees whom.
        """
        shape = self.shape
        heads, key_heads, width = shape.heads, shape.key_heads, shape.width
        turned = heads + key_heads
        angles = positions[:, None].astype(np.float32) * self._frequencies
        turns = np.tile(np.cos(angles) + np.complex64(1j) * np.sin(angles), turned)
        states = self.embedding[tokens]
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            made = _product(_normed(states, shape.epsilon), layer.qkv, layer.qkv_bias)
            made.view(np.complex64)[:, : turns.shape[1]] *= turns
            wide = made.reshape(len(made), -1, width)
            query, key, value = np.split(wide, [heads, turned], axis=1)
            seen = attend(number, query, key, value)
            if number == last:  # nothing reads the other tokens any more
                seen, states = seen[wanted], states[wanted]
            states += _product(seen, layer.out, layer.out_bias)
            both = _product(_normed(states, shape.epsilon), layer.gate_up, layer.gate_up_bias)
            states += _product(_gated(both), layer.down, layer.down_bias)
        return _normed(states, shape.epsilon) * self.norm


def _normed(states: F32, epsilon: float) -> F32:
    """States divided by their root mean square, ``[tokens, hidden]``."""
    squares = np.einsum("ij,ij->i", states, states) / np.float32(states.shape[1])
    result: F32 = states * (1 / np.sqrt(squares + np.float32(epsilon)))[:, None]
    return result


def _product(states: F32, weight: F32, bias: F32 | None) -> F32:
    found: F32 = states @ weight
    if bias is not None:
        found += bias
    return found


def _gated(both: F32) -> F32:
    """``silu(gate) * up`` of ``[tokens, gate and up]``."""
    half = both.shape[1] // 2
    gate = both[:, :half]
    found = np.negative(gate)
    with np.errstate(over="ignore"):  # a gate that is closed to the last bit
        np.exp(found, out=found)
    found += np.float32(1)
    np.divide(gate, found, out=found)
    found *= both[:, half:]
    return found


def _paired(whole: F32, shape: Shape) -> F32:
    """Weights ``[…, queries, keys, values]`` whose queries and keys are pairs, ready to be turned.

    Rotary positions turn each number of a head's first half with its counterpart in the second,
    which is the product of two complex numbers; the order within a head is nobody else's concern.
    """
    half, turned = shape.width // 2, shape.heads + shape.key_heads
    places = np.arange(turned * shape.width).reshape(turned, 2, half).swapaxes(1, 2).ravel()
    found = whole.copy()
    found[..., : len(places)] = whole[..., places]
    found[..., : shape.heads * shape.width] *= np.float32(shape.width**-0.5)
    return found
