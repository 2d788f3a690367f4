"""The house keeps its shape: no file hides a library, no file grows without bound."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = (
    *("labelwright", "baselines", "data_builders", "eval", "inference"),
    *("retrieval", "review", "sft"),
)


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("no git checkout")
    return [ROOT / line for line in done.stdout.splitlines()]


def test_no_module_hides_a_library() -> None:
    """A script's folder comes first on sys.path: its files must not bear library names."""
    installed = set(packages_distributions()) | set(sys.stdlib_module_names)
    ours = {*PACKAGES, "tests"}
    for path in tracked("*.py"):
        name = path.parent.name if path.name == "__init__.py" else path.stem
        folder_scripts = path.parent.name in {"sft", "benchmarks", "examples", "tests"}
        if folder_scripts and path.name != "__init__.py":
            assert name not in installed - ours, f"{path} hides the library {name}"
            assert name not in ours, f"{path} hides our package {name}"
    for name in PACKAGES:
        assert name not in installed - ours
        spec = find_spec(name)
        assert spec is not None
        assert Path(str(spec.origin)).parent == ROOT / name
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_files_stay_small_enough_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked("*.py", "*.js")
        if path.exists() and (lines := len(path.read_text().splitlines())) > 500
    }
    assert not long


def test_rooms_stay_small_enough_to_know() -> None:
    """A folder holds at most 25 modules; more is a room that wants parting."""
    rooms = Counter(
        path.parent
        for path in tracked("*.py")
        if path.exists() and path.name not in {"__init__.py", "conftest.py"}
    )
    crowded = {str(room.relative_to(ROOT)): n for room, n in rooms.items() if n > 25}
    assert not crowded


def named_imports(source: str) -> set[str]:
    """The modules that a file imports by ``import_module`` with their name written out."""
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and {getattr(node.func, "id", ""), getattr(node.func, "attr", "")}
        & {"import_module", "__import__"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def test_no_file_imports_in_a_circle() -> None:
    """Imports inside functions, for types and by a written name count too.

    Names that stand in tables (task kinds, commands) do not: that is how those who use a table
    know nothing of what it names.
    """
    assert named_imports("importlib.import_module('a.b'); __import__('c'); import_module(d)") == {
        "a.b",
        "c",
    }
    graph = grimp.build_graph(*PACKAGES)
    waits = {name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules}
    for path in tracked("*.py"):
        *home, file = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(home if file == "__init__" else (*home, file))
        if name in waits and path.exists():
            waits[name] |= named_imports(path.read_text()) & graph.modules
    while free := {name for name, needs in waits.items() if not needs & waits.keys()}:
        waits = {name: needs for name, needs in waits.items() if name not in free}
    while free := {n for n in waits if not any(n in needs for needs in waits.values())}:
        waits = {name: needs for name, needs in waits.items() if name not in free}
    assert sorted(waits) == []
