"""Muon: steps alike in all directions for matrices, AdamW's own for everything else."""

from __future__ import annotations

import copy

import torch
from torch import nn

from sft.muon import Muon, groups_of, orthogonal

WEIGHT = "net.layers.0.weight"


class Net(nn.Module):
    """Two layers behind a table of embeddings."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(40, 24)
        self.net = nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(24, 48), nn.Linear(48, 24)])})

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.embed(ids)
        for layer in self.net["layers"]:
            hidden = layer(hidden).tanh()
        return hidden.pow(2).mean()


def stepped(model: Net, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for step in range(steps):
        optimizer.zero_grad()
        model(torch.arange(step, 36 + step)).backward()
        optimizer.step()


def test_singular_values_come_near_one() -> None:
    for shape in ((3, 20, 50), (2, 50, 20), (1, 16, 16)):
        given = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        found = torch.linalg.svdvals(orthogonal(given))
        assert found.max() < 1.25
        assert found.median() > 0.65
        left, _, right = torch.linalg.svd(given, full_matrices=False)
        assert (
            nn.functional.cosine_similarity(
                orthogonal(given).flatten(1), (left @ right).flatten(1)
            ).min()
            > 0.9
        )  # the nearest orthogonal matrix, up to the spread of the singular values


def test_matrices_step_by_a_fifth_of_the_rate_and_the_rest_as_adamw_does() -> None:
    model = Net()
    twin = copy.deepcopy(model)
    start = model.get_parameter(WEIGHT).detach().clone()
    groups = groups_of(model)
    assert [tuple(p.shape) for p in groups[0]["params"]] == [(48, 24), (24, 48)]
    stepped(model, Muon(groups, 1e-2, (0.9, 0.95)), 1)
    moved = model.get_parameter(WEIGHT).detach() - start
    assert 0.7 < moved.pow(2).mean().sqrt() / (0.2 * 1e-2) < 1.2
    stepped(twin, torch.optim.AdamW(twin.parameters(), 1e-2, (0.9, 0.95), weight_decay=0.0), 1)
    for name in ("embed.weight", "net.layers.0.bias", "net.layers.1.bias"):
        mine, theirs = model.get_parameter(name), twin.get_parameter(name)
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=0)


def test_a_run_that_goes_on_steps_as_one_that_never_stopped() -> None:
    whole, parts = Net(), Net()
    stepped(whole, (kept := Muon(groups_of(whole), 1e-2)), 2)
    stepped(parts, (first := Muon(groups_of(parts), 1e-2)), 2)
    again = Muon(groups_of(parts), 1e-2)
    again.load_state_dict(first.state_dict())
    stepped(whole, kept, 1)
    stepped(parts, again, 1)
    for mine, theirs in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(mine, theirs)
