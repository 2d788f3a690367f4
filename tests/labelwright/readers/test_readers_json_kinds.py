"""JSON of every kind that parsers differ in: read, or one reject; never a crash or a lost row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fhir_examples import diagnostic_report
from hypothesis import given, settings
from hypothesis import strategies as st
from json_kinds import BAD, EITHER, GOOD
from reading_tools import PLAIN, failure, read, saved, texts

from labelwright.errors import InputError
from labelwright.readers import read_reports
from labelwright.records import Reject, Report

BEFORE, AFTER = '{"id": "before", "text": "a"}\n', '{"id": "after", "text": "b"}\n'


def rows_between(path: Path) -> list[Report | Reject]:
    """What became of the lines between the first and the last, which are always read."""
    items = read(path)
    assert (items[0].id, items[-1].id) == ("before", "after")
    return items[1:-1]


def test_there_are_more_than_three_hundred_kinds() -> None:
    kinds = [*GOOD, *BAD, *EITHER]
    assert len(kinds) == len(set(kinds)) > 300


@pytest.mark.parametrize(
    "place", ['{{"id": "1", "text": "x", "more": {}}}', '{{"more": {}, "id": "1", "text": "x"}}']
)
def test_good_values_in_lines_are_read(tmp_path: Path, place: str) -> None:
    for value in GOOD:
        path = saved(tmp_path, "a.jsonl", BEFORE + place.format(value) + "\n" + AFTER)
        assert texts(rows_between(path)) == ["x"], value


@pytest.mark.parametrize(
    "place", ['{{"id": "1", "text": "x", "more": {}}}', "{}", '{{"id": "1", "text": {}}}']
)
def test_bad_values_in_lines_are_one_reject_each(tmp_path: Path, place: str) -> None:
    """Also as the whole line, and as the text itself."""
    for value in BAD:
        if place == "{}" and value == "\ufeff1":
            continue  # a byte order mark at the start of a line is passed over
        path = saved(tmp_path, "a.jsonl", BEFORE + place.format(value) + "\n" + AFTER)
        (item,) = rows_between(path)
        assert isinstance(item, Reject), value
        assert item.reason == "the line is not valid JSON", value


def test_good_values_as_whole_lines_are_rejects(tmp_path: Path) -> None:
    for value in GOOD:
        (item,) = rows_between(saved(tmp_path, "a.jsonl", BEFORE + value + "\n" + AFTER))
        assert isinstance(item, Reject), value


@pytest.mark.parametrize(
    "place",
    [
        '{{"id": "1", "text": "x", "more": {}}}',
        '{{"id": {}, "text": "x"}}',
        '{{"id": "1", "text": {}}}',
    ],
)
def test_open_values_are_one_row_each(tmp_path: Path, place: str) -> None:
    for value in EITHER:
        path = saved(tmp_path, "a.jsonl", BEFORE + place.format(value) + "\n" + AFTER)
        assert len(rows_between(path)) == 1, value[:40]


def test_a_line_cut_anywhere_is_one_reject(tmp_path: Path) -> None:
    whole = '{"id": "1", "text": "a\\u00e9\\n", "more": [1.5e-3, true, {"b": null}]}'
    for end in range(1, len(whole)):
        (item,) = rows_between(saved(tmp_path, "a.jsonl", BEFORE + whole[:end] + "\n" + AFTER))
        assert isinstance(item, Reject), whole[:end]


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff",
        b"\xe9",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xc3",
        b"\xf0\x9f\x98",
    ],
)
def test_bytes_that_are_no_utf_8_stop_with_their_place(tmp_path: Path, raw: bytes) -> None:
    content = BEFORE.encode() + b'{"id": "1", "text": "' + raw + b'"}\n'
    at = content.index(raw[:1], len(BEFORE))
    message = failure(saved(tmp_path, "a.jsonl", content)).what
    assert message == f"byte {at} (line 2) is not valid UTF-8"


def test_values_in_fhir_documents(tmp_path: Path) -> None:
    """A document cannot be read on after damage: the file given stops, one in a folder is a row."""
    resource = json.dumps(diagnostic_report())[:-1] + ', "extension": {}}}'
    form = resource.replace("{", "{{").replace("}", "}}").replace("{{}}}}}}", "{}}}")
    folder = tmp_path / "folder"
    folder.mkdir()
    for value in GOOD:
        (item,) = read(saved(tmp_path, "a.json", form.format(value)))
        assert isinstance(item, Report), value
    for value in BAD:
        path = saved(tmp_path, "a.json", form.format(value))
        with pytest.raises(InputError, match="not valid JSON"):
            list(read_reports([path], PLAIN))
    for value in EITHER:
        (item,) = read(saved(folder, "a.json", form.format(value)).parent)
        assert isinstance(item, Report | Reject)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='{}[]":,\\ue0159.-+truefalsn \t/*\u00e9\ufeff\0', max_size=30))
def test_any_line_is_a_row_or_blank(tmp_path_factory: pytest.TempPathFactory, line: str) -> None:
    path = saved(tmp_path_factory.getbasetemp(), "any.jsonl", BEFORE + line + "\n" + AFTER)
    assert len(rows_between(path)) == (1 if line.strip(" \t") else 0)
