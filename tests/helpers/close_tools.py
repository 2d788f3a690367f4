"""Equal but for rounding: what may differ between processes, threads and batches, and how much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

TOLERANCE = 2e-5
"""Of a probability in float32, as ``docs/labeling.md`` says."""


def close(value: Any) -> Any:
    """The same value, equal to others whose floats differ by :data:`TOLERANCE` at most.

    Labels and everything else are compared exactly.
    """
    if isinstance(value, float):
        return pytest.approx(value, abs=TOLERANCE)
    if isinstance(value, dict):
        return {key: close(part) for key, part in value.items()}
    return [close(part) for part in value] if isinstance(value, list) else value


def weights_apart(one: Path, other: Path) -> float:
    """Mean distance of the weights of two safetensors files that hold the same tensors.

    The mean, since Adam moves a weight without gradient by whole steps in the direction of what
    rounding left of it.
    """
    from safetensors.numpy import load_file

    ours, theirs = load_file(one), load_file(other)
    assert ours.keys() == theirs.keys()
    gaps = [np.abs(ours[name] - theirs[name]).ravel() for name in ours]
    return float(np.concatenate(gaps).mean())
