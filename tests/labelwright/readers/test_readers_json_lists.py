"""Plain records in JSON that is not one object per line: arrays, wrapped lists, folders."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
from reading_tools import failure, read, saved, texts

from labelwright.readers import opening
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.json_lines import read_jsonl
from labelwright.records import Report

ROWS = [{"id": "a", "text": "Clear."}, {"id": 7, "text": "Small effusion.\nNo oedema."}]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz"])
@pytest.mark.parametrize("indent", [None, 2])
def test_arrays(tmp_path: Path, name: str, indent: int | None) -> None:
    text = f"\ufeff \n{json.dumps(ROWS, indent=indent)}\n".encode()
    items = read(saved(tmp_path, name, gzip.compress(text) if name.endswith("gz") else text))
    assert [(item.id, item.row) for item in items] == [("a", 1), ("7", 2)]
    assert texts(items) == ["Clear.", "Small effusion.\nNo oedema."]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"exported": "2024-03-01", "reports": ROWS}),
        "\n".join(json.dumps(row, indent=1) for row in ROWS),
        "\n".join(json.dumps(row) for row in ROWS),
    ],
    ids=["a list in an object", "objects over several lines", "lines"],
)
def test_objects_of_json_files(tmp_path: Path, text: str) -> None:
    assert texts(read(saved(tmp_path, "a.json", text))) == ["Clear.", "Small effusion.\nNo oedema."]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_report_with_a_list_in_it_is_a_report(tmp_path: Path, indent: int | None) -> None:
    """The objects of the list look like reports, too: addenda, or mentions of an annotation."""
    parts = [{"id": "T1", "text": "effusion"}, {"id": "T2", "text": "oedema"}]
    row = {**ROWS[1], "parts": parts}
    items = read(saved(tmp_path, "a.json", json.dumps(row, indent=indent)))
    assert [(item.id, text) for item, text in zip(items, texts(items), strict=True)] == [
        ("7", "Small effusion.\nNo oedema.")
    ]
    both = "\n".join(json.dumps(each, indent=indent) for each in (row, ROWS[0]))
    assert texts(read(saved(tmp_path, "b.json", both))) == [row["text"], "Clear."]
    mention = {"type": "Disease", "spans": [[0, 6]], "text": "Asthma"}
    noted = {"id": "n", "text": "Asthma.", "entities": [mention]}
    (note,) = read(saved(tmp_path, "c.json", json.dumps(noted, indent=indent)))
    assert isinstance(note, Report)
    assert [entity.text for entity in note.entities or ()] == ["Asthma"]


def test_each_element_is_a_row(tmp_path: Path) -> None:
    """Also those that are no report."""
    path = saved(
        tmp_path, "a.json", '[{"id": 1, "text": "x"}, 5, "y", {"id": 2, "text": "a", "text": "b"}]'
    )
    assert texts(read(path)) == [
        "x",
        "the line is JSON but no object",
        "the line is JSON but no object",
        "a key that is read appears twice in the object",
    ]


def test_arrays_of_annotated_notes(tmp_path: Path) -> None:
    mention = {"type": "Disease", "spans": [[0, 6]], "text": "Asthma"}
    path = saved(
        tmp_path, "a.json", json.dumps([{"id": "n", "text": "Asthma.", "entities": [mention]}])
    )
    (note,) = read(path)
    assert isinstance(note, Report)
    assert [entity.text for entity in note.entities or ()] == ["Asthma"]


def test_folders_of_one_file_each(tmp_path: Path) -> None:
    saved(tmp_path, "1.json", json.dumps(ROWS[0], indent=2))
    saved(tmp_path, "2.json", json.dumps(ROWS[1]))
    saved(tmp_path, "3.json", '{"id": "c", ')
    *reports, bad = read(tmp_path)
    assert texts(reports) == ["Clear.", "Small effusion.\nNo oedema."]
    assert texts([bad])[0].startswith(
        "the file cannot be read on; 3.json after row 0: not valid JSON"
    )


def test_what_is_damaged_or_empty(tmp_path: Path) -> None:
    cut = json.dumps(ROWS)[:-9]
    assert "not valid JSON in the value" in failure(saved(tmp_path, "a.json", cut)).what
    assert "no FHIR resource" in failure(saved(tmp_path, "b.json", "[]")).what
    assert "the file has no rows" in failure(saved(tmp_path, "b.jsonl", "[]")).what
    nameless = failure(saved(tmp_path, "c.json", '[{"foo": 1}]'))
    assert "no column looks like the id" in nameless.what


def test_long_arrays_take_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty megabytes are read with less than six at once."""
    row = {"id": "a", "text": "x" * 10_000}
    path = tmp_path / "a.json"
    with path.open("w") as file:
        file.write("[")
        file.writelines(json.dumps(row | {"id": n}) + "," for n in range(3_000))
        file.write(json.dumps(row) + "]")
    monkeypatch.setattr(opening, "LONGEST", 1 << 20)
    tracemalloc.start()
    assert sum(1 for _ in read_jsonl(path, ReadOptions())) == 3_001
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 << 20
