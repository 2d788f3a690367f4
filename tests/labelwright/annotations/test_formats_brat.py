"""BRAT folders: which mentions are read, where they stand, and what is rejected."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading_tools import PLAIN, failure, read, saved

from labelwright.errors import ConfigError
from labelwright.readers import ReadOptions, scan
from labelwright.records import Certainty, Entity, Reject, Report

TEXT = "No metastasis of the left or right lung."
DROP = ReadOptions(bad_annotations="drop")


def note(folder: Path, text: str | bytes, ann: str | bytes, name: str = "n") -> Path:
    saved(folder, f"{name}.txt", text)
    saved(folder, f"{name}.ann", ann)
    return folder


def only(items: list[Report | Reject]) -> Report:
    (report,) = items
    assert isinstance(report, Report)
    return report


def found(
    folder: Path, options: ReadOptions = PLAIN
) -> list[tuple[str, tuple[tuple[int, int], ...], str]]:
    entities = only(read(folder, options)).entities
    assert entities is not None
    return [(e.type, e.spans, e.text) for e in entities]


def test_mentions_nested_and_discontinuous_in_order_of_appearance(tmp_path: Path) -> None:
    ann = (
        "T1\tPlace 21 25;35 39\tleft lung\n"
        "T2\tFinding 3 13\tmetastasis\n"
        "T3\tPlace 29 39\tright lung\n"
        "T4\tOrgan 35 39\tlung\n"
    )
    report = only(read(note(tmp_path, TEXT, ann)))
    assert (report.id, report.text, report.row, report.meta) == ("n", TEXT, 1, {})
    assert report.entities == (
        Entity("Finding", ((3, 13),), "metastasis"),
        Entity("Place", ((21, 25), (35, 39)), "left lung"),
        Entity("Place", ((29, 39),), "right lung"),
        Entity("Organ", ((35, 39),), "lung"),
    )


@pytest.mark.parametrize(
    ("lines", "certainty"),
    [
        ("", None),
        ("A1\tNegation T1\n", Certainty.NEGATIVE),
        ("M1\tNegated T1\n", Certainty.NEGATIVE),
        ("A1\tSpeculation T1\n", Certainty.UNCERTAIN),
        ("A1\tUncertain T1\n", Certainty.UNCERTAIN),
        ("A1\tNegation T1\nA2\tSpeculation T1\n", Certainty.UNCERTAIN),
        ("A1\tCertainty T1 Possible\n", Certainty.UNCERTAIN),
        ("A1\tAssertion T1 present\n", Certainty.POSITIVE),
        ("A1\tPolarity T1 NEG\n", Certainty.NEGATIVE),
        ("A1\tNegation T9\n", None),
    ],
)
def test_attributes_that_say_how_certain(
    tmp_path: Path, lines: str, certainty: Certainty | None
) -> None:
    note(tmp_path, TEXT, "T1\tFinding 3 13\tmetastasis\n" + lines)
    entities = only(read(tmp_path)).entities
    assert entities is not None
    assert [e.certainty for e in entities] == [certainty]


def test_other_annotations_are_counted(tmp_path: Path) -> None:
    ann = (
        "T1\tFinding 3 13\tmetastasis\nT2\tOrgan 35 39\tlung\n"
        "R1\tIn Arg1:T1 Arg2:T2\nE1\tFinding:T1\n*\tEquiv T1 T2\n"
        "N1\tReference T1 ICD-O:8000/6\tsecondary\n"
        "A1\tSize T1 3\nA2\tCertainty T1 unheard-of\n#1\tAnnotatorNotes T1\tsure?\n"
    )
    report, passed = read(note(tmp_path, TEXT, ann))
    assert isinstance(report, Report)
    assert report.entities is not None
    assert len(report.entities) == 2
    reason = "2 attributes, 1 event, 1 normalization, 1 note, 2 relations"
    assert passed == Reject(None, str(tmp_path), 1, f"other annotations passed over; {reason}")
    kept = only(read(tmp_path, ReadOptions(keep_layout=True)))
    expected = ["T1\x000", "T2\x001", *ann.splitlines()[2:]]
    assert kept.meta == {"brat": "\n".join(expected)}


BROKEN = {
    "T2\tFinding 3 13": "the text that it covers is missing",
    "T2\tFinding 3 13\tmetastases": "the text is not what the offsets cover",
    "T2\tFinding 35 44\tlung.": "offsets outside the text, empty or out of order",
    "T2\tFinding 13 3\tmetastasis": "offsets outside the text, empty or out of order",
    "T2\tFinding 3 3\t": "offsets outside the text, empty or out of order",
    "T2\tFinding 35 39;21 25\tlung left": "offsets outside the text, empty or out of order",
    "T2\tFinding 3 9;8 13\tmetast tasis": "offsets outside the text, empty or out of order",
    "T2\tFinding -3 13\tx": "a broken line; wanted is: T1, tab, type, offsets, tab, text",
    "T2 Finding 3 13 metastasis": "a broken line; wanted is: T1, tab, type, offsets, tab, text",
    "T1\tFinding 3 13\tmetastasis": "the id appears twice in the file",
    "R1 In Arg1:T1": "a broken line",
    "Q1\tFinding 3 13\tmetastasis": "an unknown kind of line",
}


@pytest.mark.parametrize("line", BROKEN)
def test_bad_lines_reject_the_note_or_are_dropped(tmp_path: Path, line: str) -> None:
    note(tmp_path, TEXT, f"T1\tOrgan 35 39\tlung\n\n{line}\n")
    where = f"first at n.ann:3: {BROKEN[line]}"
    assert read(tmp_path) == [
        Reject("n", str(tmp_path), 1, f"1 annotation that cannot be used; {where}")
    ]
    kept, counted = read(tmp_path, DROP)
    assert isinstance(kept, Report)
    assert kept.entities == (Entity("Organ", ((35, 39),), "lung"),)
    assert counted == Reject(None, str(tmp_path), 1, f"1 annotation left out or repaired; {where}")


def test_texts_and_annotations_that_stand_alone(tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    note(tmp_path / "ward", TEXT, "T1\tOrgan 35 39\tlung", "a")
    saved(tmp_path, "b.ann", "T1\tOrgan 35 39\tlung")
    saved(tmp_path, "c.txt", TEXT)
    note(tmp_path, TEXT, "", "d")
    note(tmp_path, "", "", "e")
    items = {item.row: item for item in read(tmp_path)}
    assert items[1] == Reject(
        None, str(tmp_path), 1, "annotations without a text file beside them; b.ann"
    )
    assert [(i.id, i.entities) for i in items.values() if isinstance(i, Report)] == [
        ("c", None),
        ("d", ()),
        ("ward/a", (Entity("Organ", ((35, 39),), "lung"),)),
    ]
    assert items[4] == Reject("e", str(tmp_path), 4, "the file is empty")


def test_one_pair(tmp_path: Path) -> None:
    note(tmp_path, TEXT, "T1\tOrgan 35 39\tlung")
    expected = [("Organ", ((35, 39),), "lung")]
    assert found(tmp_path / "n.ann") == expected
    assert found(tmp_path / "n.txt", ReadOptions(format="brat")) == expected
    assert only(read(tmp_path / "n.txt")).entities is None  # plain text unless one asks
    saved(tmp_path, "m.ann", "")
    assert "no text file beside the annotations" in failure(tmp_path / "m.ann").line()


def test_columns_are_refused(tmp_path: Path) -> None:
    note(tmp_path, TEXT, "")
    with pytest.raises(ConfigError, match="BRAT files have no columns"):
        scan([tmp_path], ReadOptions(id_column="x"))


# --- what offsets count ----------------------------------------------------------------------

WIDE = "😀 Tumor\r\nim Mäg̃en."
MENTION = {
    "as BRAT does": (WIDE, (2, 7), (12, 17)),
    "line ends as one": (WIDE.replace("\r\n", "\n"), (2, 7), (11, 16)),
}


def ann_of(first: tuple[int, int], last: tuple[int, int]) -> str:
    return f"T1\tA {first[0]} {first[1]}\tTumor\nT2\tB {last[0]} {last[1]}\tMäg̃e\n"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("shift", [0, 1])
def test_line_ends_and_wide_characters_as_programs_count_them(
    tmp_path: Path, mark: str, shift: int
) -> None:
    """``shift``: UTF-16 counts the emoji as two."""
    for text, first, last in MENTION.values():
        moved = [(start + shift, end + shift) for start, end in (first, last)]
        note(tmp_path, mark + WIDE, ann_of(*moved))
        report = only(read(tmp_path))
        assert report.text == text
        assert report.entities == (Entity.of(text, "A", first), Entity.of(text, "B", last))


def test_byte_order_mark_counted_as_a_character(tmp_path: Path) -> None:
    note(tmp_path, "\ufeffTumor", "T1\tA 1 6\tTumor")
    assert only(read(tmp_path)).entities == (Entity("A", ((1, 6),), "Tumor"),)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    note(tmp_path, "Mägen".encode(encoding), "T1\tA 0 5\tMägen".encode(encoding))
    given = None if encoding == "utf-16" else encoding
    assert found(tmp_path, ReadOptions(encoding=given)) == [("A", ((0, 5),), "Mägen")]
    if given:
        assert read(tmp_path) == [
            Reject("n", str(tmp_path), 1, "not UTF-8; --encoding names another")
        ]


def test_line_separators_inside_mentions(tmp_path: Path) -> None:
    text = "left\u2028lung\x85base\nnew line"
    note(tmp_path, text, "T1\tA 0 14\tleft\u2028lung\x85base\nT2\tB 10 18\tbase new\n")
    assert [e[2] for e in found(tmp_path)] == ["left\u2028lung\x85base", "base\nnew"]


def test_no_text_in_reasons(tmp_path: Path) -> None:
    canary = "CANARY-Müller"
    note(tmp_path, f"{canary} {canary}", f"T1\tX 0 5\t{canary}\n{canary}\n#1\t{canary}\n")
    note(tmp_path, f"{canary} {canary}", f"T1\tX 0 13\t{canary}\n#1\t{canary}\n", "m")
    for options in (PLAIN, DROP):
        assert not any(
            canary in item.reason for item in read(tmp_path, options) if isinstance(item, Reject)
        )
