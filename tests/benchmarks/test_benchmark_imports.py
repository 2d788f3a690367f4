"""Every benchmark finds what it imports from the packages: none is left behind by a move."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
OURS = {"baselines", "data_builders", "eval", "inference", "labelwright", "retrieval", "sft"}


def imported(path: Path) -> set[tuple[str, str]]:
    """``(module, name)`` of each name that a file takes from one of the packages."""
    return {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS
        for alias in node.names
    }


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("**/*.py")), ids=lambda p: p.stem)
def test_what_a_benchmark_imports_is_there(path: Path) -> None:
    missing = [
        f"{module}.{name}"
        for module, name in sorted(imported(path))
        if not hasattr(import_module(module), name) and not _is_module(f"{module}.{name}")
    ]
    assert missing == []


def _is_module(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True
