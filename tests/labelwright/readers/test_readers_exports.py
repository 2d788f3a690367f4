"""Tables as hospital systems and Excel export them: titles, two rows of names, cells too many."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading_tools import failure, read, saved, texts, workbook

from labelwright.readers.options import ReadOptions

PARTS = "FINDINGS:\nSmall effusion.\n\nIMPRESSION:\nEffusion."
TITLED = [
    ["Export of radiology", "", ""],
    ["ward 3", "", ""],
    ["study_id", "report", "date"],
    ["a1", "Small effusion.", "1"],
]
TWICE = [
    ["Study", "", "Report", ""],
    ["study_id", "date", "findings", "impression"],
    ["a1", "x", "Small effusion.", "Effusion."],
]


@pytest.mark.parametrize(("rows", "text"), [(TITLED, "Small effusion."), (TWICE, PARTS)])
@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_the_header_is_found_below_titles_and_merged_cells(
    tmp_path: Path, name: str, rows: list[list[str]], text: str
) -> None:
    if name == "a.csv":
        path = saved(tmp_path, name, "".join(";".join(row) + "\n" for row in rows))
    else:
        path = workbook(tmp_path / name, rows)
    (report,) = read(path)
    assert (report.id, report.row) == ("a1", 1)
    assert texts([report]) == [text]


def test_a_title_without_the_tables_delimiters(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "Export of 3 March\n\nstudy_id;report\na1;Small effusion.\n")
    assert texts(read(path, ReadOptions(delimiter=";"))) == ["Small effusion."]


def test_named_columns_are_looked_for_too(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "Export,,\nNr,Befund,x\n7,Kein Erguss.,\n")
    options = ReadOptions(id_column="Nr", text_columns=("Befund",))
    assert texts(read(path, options)) == ["Kein Erguss."]
    mistyped = ReadOptions(id_column="Nr", text_columns=("Befind",))
    assert "columns found: Export" in failure(path, mistyped).line()


def test_rows_of_data_are_never_taken_for_a_header(tmp_path: Path) -> None:
    """A second export behind the first repeats the header: that row is data, and none is lost."""
    path = saved(tmp_path, "a.csv", "id,text\n1,a\nid,text\n2,b\n")
    assert [item.id for item in read(path)] == ["1", "id", "2"]
    assert "the table has no rows" in failure(saved(tmp_path, "b.csv", "Title,\nid,text\n")).what
    path = saved(tmp_path, "c.csv", "text,\nReport,\nClear.,\n")  # a text of one word
    assert texts(read(path, ReadOptions(id_column="#"))) == ["Report", "Clear."]


def test_empty_cells_behind_the_last_column(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "id,text\n1,a,\n2,b,,\n3,c,d\n")
    assert texts(read(path)) == ["a", "b", "the row has 3 cells, the header 2"]


def test_what_only_bears_the_name_of_a_workbook(tmp_path: Path) -> None:
    page = failure(saved(tmp_path, "a.xls", "<html><table><tr><td>id</td></tr></table></html>"))
    assert page.line().endswith("page of HTML or XML; open it in Excel and save it as .xlsx")
    assert "rename it to .csv" in failure(saved(tmp_path, "b.xls", "id;report\n1;a\n")).line()
    assert "damaged" in failure(saved(tmp_path, "c.xls", b"\xd0\xcf\x11\xe0\x00\x01")).line()
