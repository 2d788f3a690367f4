"""Mentions given as strings: found in their notes, counted where they are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_builders.sources.align_strings import GivenString, align
from labelwright.cli import main

TEXT = "Ca mammae kanan; ca mammae kiri. Lesi (2 cm) di hepar, lesi hepar lain."


def found(*strings: tuple[str, str], nesting: bool = False, places: str = "one") -> list[str]:
    rows = [GivenString(kind, words) for kind, words in strings]
    aligned = align(TEXT, rows, nesting=nesting, places=places)
    assert all(TEXT[slice(*e.spans[0])] == e.text for e in aligned.entities)
    names = [f"{e.type} {e.start} {e.text}" for e in aligned.entities]
    return [*names, *(["missing"] * aligned.missing)]


@pytest.mark.parametrize(
    ("strings", "wanted"),
    [
        ([("D", "ca mammae")], ["D 0 Ca mammae"]),
        ([("D", "CA  MAMMAE"), ("D", "ca mammae")], ["D 0 Ca mammae", "D 17 ca mammae"]),
        # the third does not stand in the text once more
        ([("D", "ca mammae")] * 3, ["D 0 Ca mammae", "D 17 ca mammae", "missing"]),
        # longer ones choose first, whatever the order
        ([("A", "hepar"), ("F", "lesi hepar")], ["A 48 hepar", "F 55 lesi hepar"]),
        ([("A", "hepar")] * 2, ["A 48 hepar", "A 60 hepar"]),
        ([("M", "2 cm"), ("A", "kiri")], ["A 27 kiri", "M 39 2 cm"]),
        # whole words only
        ([("A", "hepa"), ("D", "mamma"), ("M", "m")], ["missing"] * 3),
        ([("P", "(")], ["P 38 ("]),
        ([("P", "  ")], ["missing"]),
        ([], []),
    ],
)
def test_one_row_is_one_mention(strings: list[tuple[str, str]], wanted: list[str]) -> None:
    assert found(*strings) == wanted


def test_a_string_can_stand_for_all_its_places() -> None:
    assert found(("D", "ca mammae"), places="all") == ["D 0 Ca mammae", "D 17 ca mammae"]
    assert found(("A", "hepar"), ("F", "lesi hepar"), places="all") == [
        "A 48 hepar",
        "F 55 lesi hepar",
    ]
    assert found(("A", "ginjal"), places="all") == ["missing"]


def test_with_nesting_a_mention_may_stand_inside_another() -> None:
    assert found(("D", "ca mammae kiri"), ("A", "kiri")) == ["D 17 ca mammae kiri", "missing"]
    assert found(("D", "ca mammae kiri"), ("A", "kiri"), nesting=True) == [
        "D 17 ca mammae kiri",
        "A 27 kiri",
    ]
    # a place of its own goes first
    assert found(("F", "lesi hepar"), ("A", "hepar"), nesting=True)[0] == "A 48 hepar"


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_what_was_cut_from_a_text_is_found_in_it(data: st.DataObject) -> None:
    words = st.text("abcäß1", min_size=1, max_size=4)
    text = " ".join(data.draw(st.lists(words, min_size=1, max_size=20)))
    pieces = text.split(" ")
    at = data.draw(st.integers(0, len(pieces) - 1))
    end = data.draw(st.integers(at + 1, min(at + 3, len(pieces))))
    mention = " ".join(pieces[at:end])
    aligned = align(text, [GivenString("x", mention.upper())])
    (entity,) = aligned.entities
    assert entity.text.casefold() == mention.casefold()
    every = align(text, [GivenString("x", mention)], places="all").entities
    assert entity.spans in [e.spans for e in every]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def build(folder: Path, table: str, *flags: str, name: str = "gold.csv") -> int:
    notes, gold = folder / "notes.csv", folder / name
    notes.write_text(
        "id,text\nn1,Lesi hipodens pada hepar.\nn2,Hepar normal.\nn3,Tidak ada lesi zanzibar.\n"
    )
    gold.write_text(table)
    base = ["build", str(notes), "--label-set", "radiology-id-5", "--split", "none"]
    return main([*base, "--entity-table", str(gold), "--out", str(folder / "out"), *flags])


def test_a_table_of_strings_becomes_gold(tmp_path: Path) -> None:
    table = "id,type,text\nn1,Finding,lesi hipodens\nn1,Anatomi,hepar\nn2,,\nelse,Anatomy,paru\n"
    assert build(tmp_path, table) == 0
    out = tmp_path / "out"
    assert rows(out / "train.entities.jsonl") == [
        {
            "id": "n1",
            "entities": [
                {"type": "Finding", "spans": [[0, 13]], "text": "Lesi hipodens"},
                {"type": "Anatomy", "spans": [[19, 24]], "text": "hepar"},
            ],
        },
        {"id": "n2", "entities": []},
    ]
    assert rows(out / "train.jsonl")[0]["meta"]["labels_by"] == "gold.csv"
    assert [(r["id"], r["reason"]) for r in rows(out / "rejects.jsonl")] == [
        ("n3", "no annotations: its id is not in the entity table")
    ]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["entities"]["kind"] == "strings"
    assert manifest["entities"]["entities_without_note"] == 1


LINES = """{"id": "n1", "entities": [{"type": "Finding", "text": "lesi kistik"}]}
{"id": "n2", "entities": []}
"""


def test_strings_that_are_not_in_the_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tmp_path, LINES, name="gold.jsonl") == 0
    out = tmp_path / "out"
    assert [row["id"] for row in rows(out / "train.jsonl")] == ["n2"]
    assert rows(out / "rejects.jsonl")[0]["reason"] == (
        "words of the entity table are not in the text; 1"
    )
    flags = ("--entity-missing", "drop", "--overwrite")
    assert build(tmp_path, LINES, *flags, name="gold.jsonl") == 0
    assert [row["id"] for row in rows(out / "train.jsonl")] == ["n1", "n2"]
    counts = json.loads((out / "manifest.json").read_text())["counts"]["entities"]
    assert counts["in"] == 1
    assert counts["left_out"] == {"its words are not in the text": 1}
    assert "left out 1: its words are not in the text" in capsys.readouterr().out


def test_other_columns_and_all_places(tmp_path: Path) -> None:
    table = "nota,jenis,kata\nn1,Anatomy,hepar\nn2,Anatomy,hepar\nn3,Finding,lesi\n"
    flags = ("--entity-columns", "nota,jenis,kata", "--entity-places", "all")
    assert build(tmp_path, table, *flags) == 0
    found = [row["entities"] for row in rows(tmp_path / "out" / "train.entities.jsonl")]
    assert [[e["text"] for e in entities] for entities in found] == [["hepar"], ["Hepar"], ["lesi"]]


@pytest.mark.parametrize(
    ("table", "flags", "words"),
    [
        ("id,type\nn1,x\n", (), "no column text; columns found: id, type"),
        ("a,b,c\nn1,x,y\n", (), "no column looks like the report's id; name it with --entity-col"),
        ("id,type,text\nn1,,hepar\n", (), "gold.csv:1: a row needs an id, and type and mention"),
        ("id,type,text\n,Finding,a\n", (), "gold.csv:1: a row needs an id, and type and mention"),
        ("id,type,text\n", ("--entity-columns", "id,type"), "--entity-columns names the columns"),
        ("id,type,text\nn1,Organ,hepar\n", (), "1 entity has types that label set radiology"),
        (
            "id,type,text,c\nn1,Finding,lesi,maybe\n",
            ("--entity-columns", "id,type,text,c"),
            "gold.csv:1: a certainty other than positive, negative and uncertain",
        ),
    ],
)
def test_mistakes(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    table: str,
    flags: tuple[str, ...],
    words: str,
) -> None:
    assert build(tmp_path, table, *flags) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "zanzibar" not in err


@pytest.mark.parametrize("line", ['{"id": "n1"}', '{"id": "n1", "entities": [5]}', '{"a": 1}'])
def test_lines_that_say_no_entities(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert build(tmp_path, line + "\n", name="gold.jsonl") == 2
    assert "gold.jsonl:1: the line does not say the entities of a note" in capsys.readouterr().err


def test_flags_of_a_table_without_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = tmp_path / "n.jsonl"
    notes.write_text('{"id": "a", "text": "x", "entities": []}\n')
    base = ["build", str(notes), "--label-set", "disease-1", "--out", str(tmp_path / "out")]
    assert main([*base, "--entity-places", "all"]) == 2
    assert "--entity-places is for --entity-table" in capsys.readouterr().err


TABLE = """
name: id
version: "1.0"
lower_case: true
drop: [punctuation, numbers]
abbreviations: {ka: kanan, "susp.": suspek}
typos: {hepra: hepar}
"""


def test_notes_can_be_normalised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes, table, out = tmp_path / "notes.jsonl", tmp_path / "table.yaml", tmp_path / "out"
    text = "Lesi 5 cm, lobus KA hepra."
    marked = [("Measurement", "5"), ("Anatomy", "lobus KA hepra"), ("Finding", "Lesi")]
    entities = [
        {"type": k, "spans": [[text.index(w), text.index(w) + len(w)]], "text": w}
        for k, w in marked
    ]
    entities.append({"type": "Disease", "spans": [[17, 18]], "text": "K"})
    notes.write_text(json.dumps({"id": "n", "text": text, "entities": entities}) + "\n")
    table.write_text(TABLE)
    base = ["build", str(notes), "--label-set", "radiology-id-5", "--split", "none"]
    flags = ["--normalise", str(table), "--overlaps", "longest", "--out", str(out)]
    assert main([*base, *flags]) == 0
    assert rows(out / "train.reports.jsonl")[0]["text"] == "lesi cm lobus kanan hepar"
    assert rows(out / "train.jsonl")[0]["prompt"][1]["content"] == "lesi cm lobus kanan hepar"
    assert [e["text"] for e in rows(out / "train.entities.jsonl")[0]["entities"]] == [
        "lesi",
        "lobus kanan hepar",
    ]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["counts"]["entities"] == {
        "in": 4,
        "rejected": 0,
        "left_out": {"normalising leaves nothing of it": 1, "overlaps a longer entity": 1},
        "widened_by_normalising": 1,
        "records": 2,
        "place_not_said_by_answer": {},
    }
    assert manifest["entities"]["normalised_by"]["name"] == "id"
    assert (out / "normalise.yaml").read_text() == TABLE
    assert "normalise.yaml" in manifest["files"]
    # an empty note and a broken table
    notes.write_text('{"id": "n", "text": "5 . 6", "entities": []}\n')
    assert main([*base, *flags, "--overwrite"]) == 2
    assert "no report can be used; rejected: normalising leaves no text (1)" in (
        capsys.readouterr().err
    )
    table.write_text(TABLE.replace("hepra: hepar", "hepra: ka"))
    assert main([*base, *flags, "--overwrite"]) == 2
    assert "table.yaml:7: mistake in the normalisation table" in capsys.readouterr().err
