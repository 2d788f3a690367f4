"""Linear layers through oneDNN: the same numbers, and only where they should be."""

import numpy as np
import pytest
import torch
from torch import nn

from inference.decode import linear


@pytest.fixture
def anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of the CPU answers yes, as oneDNN itself runs on every x86."""
    if not (
        torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    ):
        pytest.skip("torch without oneDNN")
    monkeypatch.setattr(linear, "better", lambda: True)


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("shape", [(5,), (1, 37), (3, 8), (2, 0)])
@pytest.mark.parametrize("bias", [True, False])
def test_products_are_those_of_float64(shape: tuple[int, ...], bias: bool) -> None:
    layer = nn.Linear(96, 200, bias=bias)
    rows = torch.randn(*shape, 96)
    exact = nn.functional.linear(
        rows.double(), layer.weight.double(), layer.bias.double() if bias else None
    )
    assert linear.quicken(layer) == 1
    with torch.inference_mode():
        found = layer(rows)
    assert found.shape == exact.shape
    np.testing.assert_allclose(found.numpy(), exact.detach().numpy(), atol=2e-6)


@pytest.mark.usefixtures("anywhere")
def test_rows_that_are_not_contiguous() -> None:
    layer = nn.Linear(64, 32)
    rows = torch.randn(7, 2, 64).transpose(0, 1)[:, ::2]
    with torch.inference_mode():
        before = layer(rows)
        linear.quicken(layer)
        np.testing.assert_allclose(layer(rows).numpy(), before.numpy(), atol=2e-6)


@pytest.mark.usefixtures("anywhere")
def test_only_plain_float32_layers_change_and_gradients_still_flow() -> None:
    class Adapter(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8).bfloat16(), Adapter(8, 8), nn.ReLU())
    assert linear.quicken(model) == 1
    assert isinstance(model[0], nn.Linear)
    assert type(model[1]) is nn.Linear
    assert type(model[2]) is Adapter
    assert set(model.state_dict()) == {f"{n}.{part}" for n in "012" for part in ("weight", "bias")}
    model[0](torch.ones(1, 8)).sum().backward()
    assert model[0].weight.grad is not None
    assert torch.equal(model[0].weight.grad, torch.ones(8, 8))


def test_intel_and_processors_without_avx512_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def known(name: str) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": name})

    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    known("Intel(R) Xeon(R) Gold 6248")
    assert not linear.better()
    known("AMD EPYC 9654")
    assert linear.better() == torch.backends.mkldnn.is_available()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not linear.better()
    layer = nn.Linear(4, 4)
    assert linear.quicken(layer) == 0
    assert type(layer) is nn.Linear
