"""Engines ask a task kind for what it can do, never for its name; kinds do not know each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from labelwright.kinds import KINDS

ROOT = Path(__file__).parents[3]
PACKAGES = (
    *("labelwright", "data_builders", "sft", "inference"),
    *("retrieval", "review", "baselines", "eval"),
)
OF_A_KIND = (
    *(f"labelwright/tasks/{kind}/" for kind in KINDS),
    *(f"eval/kinds/{kind}/" for kind in KINDS),
    *(f"review/kinds/{kind}.py" for kind in KINDS),
    *(
        f"labelwright/commands/{room}/{kind}"
        for room in ("building", "comparing")
        for kind in KINDS
    ),
    "labelwright/kinds.py",
    "data_builders/sources/",
    "data_builders/synthetic/letters/",
    "baselines/chexbert/",
    "baselines/encoder/",
    "baselines/rules/",
    "baselines/tagger/",
    "eval/groups/",
    "eval/probability/",
    "eval/studies/",
    "labelwright/commands/comparing/ablation.py",
)
"""Where a kind is at home, and what is made for one kind alone."""


def engines() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not path.relative_to(ROOT).as_posix().startswith(OF_A_KIND):
                yield path


def named(tree: ast.AST) -> Iterator[str]:
    """What of a module names a kind: an import of one, a comparison of a task's name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _of_a_kind(alias.name))
        elif isinstance(node, ast.ImportFrom):
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in full if _of_a_kind(name))
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            absent = any(isinstance(side, ast.Constant) and side.value is None for side in sides)
            if not absent and any(
                isinstance(side, ast.Attribute) and side.attr == "task" for side in sides
            ):
                yield f"line {node.lineno}: a comparison of a task"
        elif isinstance(node, ast.Name) and node.id in {kind.upper() for kind in KINDS}:
            yield f"line {node.lineno}: {node.id}"


def _of_a_kind(name: str) -> bool:
    homes = tuple(
        f"{room}.{kind}" for room in ("labelwright.tasks", "eval.kinds") for kind in KINDS
    )
    return any(name == home or name.startswith(f"{home}.") for home in homes)


def test_engines_name_no_kind() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): names
        for path in engines()
        if (names := list(named(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "from labelwright.tasks.entities.answer import parse",
        "from labelwright.tasks import certainty",
        "import labelwright.tasks.entities.kind",
        "if label_set.task == 'fields': pass",
        "x = [n for n in sets if 'entities' != n.task]",
        "y = ENTITIES",
    ],
)
def test_what_names_a_kind_is_seen(text: str) -> None:
    assert list(named(ast.parse(text)))


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_knows_another(kind: str) -> None:
    others = tuple(f"labelwright.tasks.{other}" for other in KINDS if other != kind)
    for path in (ROOT / "labelwright/tasks" / kind).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.startswith(others) for name in names), path
