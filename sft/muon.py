"""Muon: steps that turn a matrix in all directions alike; small models learn from fewer records.

The momentum of each matrix inside the layers gives way to a near matrix whose singular values are
about one (five Newton-Schulz steps: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon),
scaled so that a learning rate of AdamW fits (Liu et al. 2025, arXiv:2502.16982). Embeddings, biases
and norms are left to AdamW. Matrices of one shape are worked out together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic, by Jordan et al. 2024."""
STEPS = 5
MOMENTUM = 0.95
LIKE_ADAMW = 0.2
"""Root mean square of an entry of AdamW's step, in learning rates."""


class Muon(torch.optim.Optimizer):
    """Muon for the groups marked ``muon``, with decay of their weights; AdamW for the others."""

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        usual = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "muon": False}
        super().__init__(groups, usual)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step with the gradients that stand there."""
        assert closure is None  # noqa: S101  (no trainer here gives one)
        for group in self.param_groups:
            given = [p for p in group["params"] if p.grad is not None]
            (self._muon if group["muon"] else self._adamw)(group, given)

    def _muon(self, group: dict[str, Any], given: list[Tensor]) -> None:
        shapes: dict[torch.Size, list[Tensor]] = {}
        for one in given:
            shapes.setdefault(one.shape, []).append(one)
        for shape, matrices in shapes.items():
            moved = []
            for one in matrices:
                state, grad = self.state[one], one.grad
                assert grad is not None  # noqa: S101  (as step saw)
                if not state:
                    state["momentum"] = torch.zeros_like(one)
                state["momentum"].lerp_(grad, 1 - MOMENTUM)
                moved.append(grad.lerp(state["momentum"], MOMENTUM))
            turned = orthogonal(torch.stack(moved))
            if group["weight_decay"]:
                torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
            size = LIKE_ADAMW * max(shape) ** 0.5 * group["lr"]
            torch._foreach_sub_(matrices, list((turned * size).unbind()))

    def _adamw(self, group: dict[str, Any], given: list[Tensor]) -> None:
        first, second = group["betas"]
        for one in given:
            state = self.state[one]
            if not state:
                state |= {"step": 0, "mean": torch.zeros_like(one), "square": torch.zeros_like(one)}
            state["step"] += 1
            state["mean"].lerp_(one.grad, 1 - first)
            state["square"].mul_(second).addcmul_(one.grad, one.grad, value=1 - second)
            spread = (state["square"] / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
            one.addcdiv_(state["mean"], spread, value=-group["lr"] / (1 - first ** state["step"]))


def orthogonal(matrices: Tensor) -> Tensor:
    """The matrices ``[many, rows, columns]`` with all singular values near one, in float32."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).bfloat16()
    x = x / (x.float().norm(dim=(1, 2), keepdim=True).bfloat16() + 1e-7)
    for _ in range(STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    turned: Tensor = x.mT if tall else x
    return turned.float()


def groups_of(model: nn.Module) -> list[dict[str, Any]]:
    """The matrices inside the layers, and everything else."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    inner = [p for name, p in named if p.ndim == 2 and ".layers." in name]
    known = {id(p) for p in inner}
    rest = [p for _, p in named if id(p) not in known]
    return [{"params": inner, "muon": True}, {"params": rest, "muon": False}]
