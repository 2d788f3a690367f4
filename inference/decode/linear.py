"""Linear layers in float32 on a CPU: through oneDNN where torch's usual library is slow.

On x86 torch multiplies float32 matrices with Intel MKL, which on processors of other makers
leaves AVX-512 unused; oneDNN, which torch brings too, does not. Same weights, same precision,
nothing copied: on one core of an EPYC with AVX-512, 245 instead of 110 GFLOPS for 512 rows
(``docs/performance.md``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def quicken(model: nn.Module) -> int:
    """Let the linear layers of a model in float32 on CPU use oneDNN where that is quicker.

    Layers of other types (quantised ones, adapters' wrappers), weights on other devices and
    layers in training are left as they are.

    Returns:
        How many layers were changed.
    """
    import torch

    if not better():
        return 0

    class Linear(torch.nn.Linear):
        """A linear layer whose product is oneDNN's while no gradient is wanted."""

        def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  torch's own name
            plain = torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
            if plain or input.dtype != torch.float32 or not input.numel():
                return super().forward(input)
            found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
                input, self.weight, self.bias, "none", [], ""
            )
            return found

    changed = 0
    for module in model.modules():
        if (
            type(module) is torch.nn.Linear
            and module.weight.dtype == torch.float32
            and module.weight.device.type == "cpu"
        ):
            module.__class__ = Linear
            changed += 1
    return changed


def better() -> bool:
    """Whether this CPU has AVX-512, is not Intel's, and torch can be asked for oneDNN."""
    import torch

    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    maker = str(known.get("cpu_name", "Intel"))
    return (
        torch._C._has_mkldnn
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and "intel" not in maker.lower()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )
