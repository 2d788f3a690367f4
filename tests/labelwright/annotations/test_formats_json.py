"""Annotated JSON lines: labelwright's own and doccano's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reading_tools import PLAIN, read, saved

from labelwright.errors import ConfigError
from labelwright.readers import ReadOptions, scan
from labelwright.records import Certainty, Entity, Reject, Report

TEXT = "😀 No lung cancer.\r\nLiver clear."
LUNG = Entity.of(TEXT, "Organ", (5, 9))
CANCER = Entity.of(TEXT, "Disease", (5, 16), certainty=Certainty.NEGATIVE)
LIVER = Entity.of(TEXT, "Organ", (19, 24))
DROP = ReadOptions(bad_annotations="drop")


def lines(folder: Path, *rows: dict[str, Any], name: str = "a.jsonl") -> Path:
    return saved(folder, name, "".join(json.dumps(row) + "\n" for row in rows))


def only(items: list[Report | Reject]) -> Report:
    (report,) = items
    assert isinstance(report, Report), report
    return report


# --- own lines ---------------------------------------------------------------------------------


def test_own_lines(tmp_path: Path) -> None:
    entities = [LIVER.to_json(), LUNG.to_json(), CANCER.to_json() | {"prob": 0.75}]
    path = lines(
        tmp_path,
        {"id": 7, "text": TEXT, "patient": "p1", "entities": entities, "meta": {"ward": "3"}},
        {"id": 8, "text": TEXT, "entities": []},
        {"id": 9, "text": TEXT},
    )
    full, none, unknown = read(path)
    assert isinstance(full, Report)
    assert (full.id, full.text, full.patient, full.row) == ("7", TEXT, "p1", 1)
    assert full.meta == {"ward": "3"}
    sure = Entity(CANCER.type, CANCER.spans, CANCER.text, CANCER.certainty, 0.75)
    assert full.entities == (sure, LUNG, LIVER)
    assert isinstance(none, Report)
    assert isinstance(unknown, Report)
    assert (none.entities, unknown.entities) == ((), None)


def test_spans_without_words_are_taken_and_kept_lines_only_on_request(tmp_path: Path) -> None:
    row = {
        "id": "a",
        "text": TEXT,
        "entities": [{"type": "Organ", "spans": [[5, 9]]}],
        "meta": {"brat": "x", "conll": "y", "conll_scheme": "bio", "age": 7},
    }
    path = lines(tmp_path, row)
    assert only(read(path)).entities == (LUNG,)
    assert only(read(path)).meta == {"age": "7"}
    assert only(read(path, ReadOptions(keep_layout=True))).meta == {
        "brat": "x",
        "conll": "y",
        "conll_scheme": "bio",
        "age": "7",
    }


OUT = "offsets outside the text, empty or out of order"
BAD_OWN: list[tuple[Any, str]] = [
    ("Organ", "no object with type and spans"),
    ({"type": "Organ"}, "no object with type and spans"),
    ({"type": " ", "spans": [[5, 9]]}, "the type is not a name"),
    ({"type": "Organ", "spans": [5, 9]}, "spans are no list of [start, end]"),
    ({"type": "Organ", "spans": [[5, 9.0]]}, "spans are no list of [start, end]"),
    ({"type": "Organ", "spans": [[True, 9]]}, "spans are no list of [start, end]"),
    ({"type": "Organ", "spans": []}, "it stands nowhere in the text (no spans)"),
    ({"type": "Organ", "spans": [[5, 99]]}, OUT),
    ({"type": "Organ", "spans": [[9, 5]]}, OUT),
    ({"type": "Organ", "spans": [[-1, 5]]}, OUT),
    ({"type": "Organ", "spans": [[5, 9], [8, 12]]}, OUT),
    (
        {"type": "Organ", "spans": [[5, 9]], "text": "Lung"},
        "the text is not what the offsets cover",
    ),
    ({"type": "Organ", "spans": [[5, 9]], "text": 4}, "the text is not what the offsets cover"),
    (
        {"type": "Organ", "spans": [[5, 9]], "certainty": "maybe"},
        "the certainty is none of positive, negative, uncertain, blank",
    ),
    ({"type": "Organ", "spans": [[5, 9]], "prob": 1.5}, "the prob is not a number from 0 to 1"),
    ({"type": "Organ", "spans": [[5, 9]], "prob": "1"}, "the prob is not a number from 0 to 1"),
    (
        {"type": "Organ", "spans": [[5, 9]], "cui": "C1"},
        "unknown keys; known are certainty, prob, spans, text, type",
    ),
]


@pytest.mark.parametrize(("entity", "reason"), BAD_OWN)
def test_bad_entities_of_own_lines(tmp_path: Path, entity: Any, reason: str) -> None:
    path = lines(tmp_path, {"id": "a", "text": TEXT, "entities": [LIVER.to_json(), entity]})
    where = f"first at a.jsonl:1, entity 2: {reason}"
    options = ReadOptions(format="entities")
    assert read(path, options) == [
        Reject("a", str(path), 1, f"1 annotation that cannot be used; {where}")
    ]
    kept, counted = read(path, ReadOptions(format="entities", bad_annotations="drop"))
    assert isinstance(kept, Report)
    assert kept.entities == (LIVER,)
    assert counted == Reject(None, str(path), 1, f"1 annotation left out or repaired; {where}")


def test_rows_that_are_no_reports(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        "a.jsonl",
        '{"id": "a", "text": "x", "entities": [], "entities": []}\n'
        '{"id": "b", "text": "x", "entities": {}}\n'
        '{"id": "c", "entities": []}\n[]\n'
        '{"id": "d", "text": "y", "entities": [{"type": "T", "type": "U", "spans": [[0, 1]]}]}\n',
    )
    assert [(i.id, i.reason) for i in read(path) if isinstance(i, Reject)] == [
        ("a", "a key that is read appears twice in it"),
        ("b", "1 annotation that cannot be used; first at a.jsonl:2: the entities are no list"),
        ("c", "the report has no text"),
        (None, "the line is JSON but no object"),
        (
            "d",
            "1 annotation that cannot be used; first at a.jsonl:5, entity 1: "
            "a key appears twice in it",
        ),
    ]


def test_columns_by_flag(tmp_path: Path) -> None:
    row = {"key": "a", "body": TEXT, "text": "other", "entities": [LUNG.to_json()], "who": 5}
    options = ReadOptions(id_column="key", text_columns=("body",), patient_column="who")
    report = only(read(lines(tmp_path, row), options))
    assert (report.id, report.patient, report.entities) == ("a", "5", (LUNG,))
    with pytest.raises(ConfigError, match="annotated reports have one text"):
        read(lines(tmp_path, row), ReadOptions(id_column="key", text_columns=("body", "text")))


# --- doccano -----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["label", "labels", "entities"])
def test_doccano_counts_utf_16_units(tmp_path: Path, key: str) -> None:
    """In JavaScript the emoji is two units long, so all offsets after it are one higher."""
    path = lines(tmp_path, {"id": 3, "text": TEXT, key: [[20, 25, "Organ"], [6, 10, "Organ"]]})
    assert only(read(path)).entities == (LUNG, LIVER)
    path = lines(tmp_path, {"id": 3, "text": TEXT, key: [[5, 9, "Organ"]]})
    assert only(read(path, ReadOptions(offset_unit="characters"))).entities == (LUNG,)


def test_doccano_with_relations_and_without_ids(tmp_path: Path) -> None:
    entity = {"id": 1, "label": "Organ", "start_offset": 6, "end_offset": 10}
    path = lines(
        tmp_path,
        {"text": TEXT, "entities": [entity], "relations": [{"id": 1, "from_id": 1, "to_id": 1}]},
        {"text": TEXT, "entities": []},
        {"text": TEXT},
    )
    first, second, third, passed = read(path)
    assert [i.id for i in (first, second, third)] == ["a#1", "a#2", "a#3"]
    assert [i.entities for i in (first, second, third) if isinstance(i, Report)] == [
        (LUNG,),
        (),
        None,
    ]
    assert passed == Reject(None, str(path), 3, "other annotations passed over; 1 relation")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([1, 5, "X"], "its offsets cut a character apart; --offset-unit says what they count"),
        ([6, 99, "X"], OUT),
        ([6, 6, "X"], OUT),
        ([6, 9], "neither [start, end, type] nor start_offset, end_offset and label"),
        ([6, "9", "X"], "neither [start, end, type] nor start_offset, end_offset and label"),
        ({"label": "X"}, "neither [start, end, type] nor start_offset, end_offset and label"),
    ],
)
def test_bad_labels_of_doccano(tmp_path: Path, row: Any, reason: str) -> None:
    path = lines(tmp_path, {"id": 3, "text": TEXT, "label": [[6, 10, "Organ"], row]})
    assert read(path)[0] == Reject(
        "3",
        str(path),
        1,
        f"1 annotation that cannot be used; first at a.jsonl:1, label 2: {reason}",
    )
    kept = read(path, DROP)[0]
    assert isinstance(kept, Report)
    assert kept.entities == (LUNG,)


def test_which_json_lines_are_annotated(tmp_path: Path) -> None:
    plain = lines(tmp_path, {"id": 1, "text": TEXT, "label": ["positive"], "labels": []})
    assert only(read(plain)).entities is None
    empty = lines(tmp_path, {"id": 1, "text": TEXT, "entities": []})
    assert only(read(empty)).entities == ()
    late = lines(
        tmp_path,
        {"id": 1, "text": TEXT, "label": []},
        {"id": 2, "text": TEXT, "label": [[0, 2, "X"]]},
    )
    assert [i.entities for i in read(late) if isinstance(i, Report)] == [
        (),
        (Entity("X", ((0, 1),), "😀"),),
    ]


# --- all of them -------------------------------------------------------------------------------


def test_no_text_in_reasons(tmp_path: Path) -> None:
    bad = {"type": "CANARY", "spans": [[0, 99]], "text": "CANARY"}
    own = lines(tmp_path, {"id": 1, "text": "CANARY", "entities": [bad]})
    doccano = lines(
        tmp_path, {"id": 1, "text": "CANARY", "label": [[0, 99, "CANARY"]]}, name="b.jsonl"
    )
    for path in (own, doccano):
        for options in (PLAIN, DROP):
            reasons = [i.reason for i in read(path, options) if isinstance(i, Reject)]
            assert reasons
            assert not any("CANARY" in reason for reason in reasons)


def test_flags_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    path = lines(tmp_path, {"id": 1, "text": TEXT, "entities": []})
    with pytest.raises(ConfigError, match="--tag-scheme does not apply to this input"):
        scan([path], ReadOptions(tag_scheme="bio"))
    table = saved(tmp_path, "a.csv", "id,text\n1,x\n")
    with pytest.raises(ConfigError, match="--bad-annotations does not apply"):
        scan([table], DROP)
    assert scan([table, path], DROP).rows == 2
