"""The Dutch example letters: drawn again they are the same; marks stand where they say."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from labelwright.label_set import LabelSet
from labelwright.text.section_tables import SectionTable

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("drawing_nl", EXAMPLES / "draw_notes_nl.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_what_the_grammar_draws(drawing: ModuleType, tmp_path: Path) -> None:
    drawing.main(tmp_path)
    for name in ("letters_nl.jsonl", "letters_nl_unlabeled.jsonl"):
        assert (tmp_path / name).read_bytes() == (EXAMPLES / name).read_bytes()


def test_every_type_occurs_and_no_relative_is_marked() -> None:
    rows = [
        json.loads(line) for line in (EXAMPLES / "letters_nl.jsonl").read_text("utf-8").splitlines()
    ]
    types = Counter(entity["type"] for row in rows for entity in row["entities"])
    assert set(types) == set(LabelSet.load("ibd-nl-9").names)
    assert min(types.values()) > 50
    table, crossed = SectionTable.load("nl"), 0
    for row in rows:
        for entity in row["entities"]:
            [[start, end]] = entity["spans"]
            assert row["text"][start:end] == entity["text"]
        for section in table.split(row["text"]):
            assert section.name != "other"
            if section.name in ("family history", "plan"):
                inside = row["text"][section.start : section.end]
                crossed += "Crohn" in inside or "colitis" in inside
                assert not [
                    e for e in row["entities"] if section.start <= e["spans"][0][0] < section.end
                ]
    assert crossed > 20
    assert len({row["patient"] for row in rows}) < len(rows)
