"""Steps of work: decisions, marks, borders, undo, conflicts, and what is left of them in events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from review_tools import TEXTS, Worker, filled, take_in

from review.checking import problems
from review.store import events, work
from review.store.steps import ConflictError
from review.store.tables import event, item
from review.store.work import RefusedError


@pytest.fixture
def anna(tmp_path: Path) -> Worker:
    worker = Worker(filled(tmp_path / "p"))
    worker.take("n1")
    return worker


def test_proposals_are_kept_changed_deleted_and_marks_added(anna: Worker) -> None:
    """Words behind an emoji are found by number; the liver's "cancer" is the second one."""
    anna.do("keep", item=anna.item("breast cancer"))
    anna.do("delete", item=anna.item("scan"))
    first = anna.number("cancer", 1)
    anna.do("add", name="Disease", words=[[first, anna.number("liver")]])
    anna.do("change", item=anna.item("cancer of the liver"), said="uncertain")
    anna.do("change", item=anna.item("breast cancer"), name="Drug")
    assert anna.said() == [
        ("Disease", "positive", ("scan",), "deleted"),
        ("Drug", "positive", ("breast cancer",), "changed"),
        ("Disease", "uncertain", ("cancer of the liver",), "added"),
    ]


def test_borders_move_by_words_and_signs_and_parts_stand_apart(anna: Worker) -> None:
    it = anna.item("breast cancer")
    anna.do("border", item=it, edge="start", by=1)
    anna.do("border", item=it, edge="end", by=-1, unit="sign")
    assert anna.said()[1][2:] == (("cance",), "changed")
    anna.do("border", item=it, edge="end", by=1)
    anna.do("part", item=it, words=[[anna.number("liver"), anna.number("liver")]])
    assert anna.said()[1][2:] == (("cancer", "liver"), "changed")
    with pytest.raises(RefusedError, match="belong to it already"):
        anna.do("part", item=it, words=[[anna.number("liver"), anna.number("liver")]])
    for _ in "cance":
        anna.do("border", item=it, edge="start", by=1, unit="sign")
    with pytest.raises(RefusedError, match="cannot move further"):
        anna.do("border", item=it, edge="start", by=1, unit="sign")


def test_the_same_words_are_proposed_everywhere_whatever_their_case(anna: Worker) -> None:
    at = anna.number("diabetes")
    made = anna.do("add", name="Disease", said="negative", words=[[at, at]]).made
    anna.do("same", item=made)
    found = [each[1:] for each in anna.said() if each[2][0].casefold() == "diabetes"]
    assert found == [
        ("negative", ("diabetes",), "added"),
        ("negative", ("Diabetes",), "open"),
        ("negative", ("diabetes",), "open"),
    ]
    with pytest.raises(RefusedError, match="nowhere else"):
        anna.do("same", item=made)


@pytest.mark.parametrize(
    ("op", "given", "said"),
    [
        ("add", {"name": "Weather", "words": [[0, 0]]}, "no such label"),
        ("add", {"name": "Drug", "said": "blank", "words": [[0, 0]]}, "cannot be said so"),
        ("add", {"name": "Drug", "words": [[0, 9999]]}, "no such words"),
        ("add", {"name": "Drug", "words": [[-1, 0]]}, "no such words"),
        ("add", {"name": "Drug", "words": [["0", True]]}, "no such words"),
        ("add", {"name": "Drug", "words": [[0]]}, "mark some words"),
        ("add", {"name": "Drug"}, "mark some words"),
        ("keep", {"item": 9999}, "no longer there"),
        ("keep", {"item": True}, "no longer there"),
        ("skip", {"why": "a poem of the note"}, "choose why"),
        ("fly", {}, "no such step"),
        ("undo", {}, "nothing to undo"),
        ("redo", {}, "nothing to redo"),
        ("done", {"keep": []}, "2 proposals not seen"),
        ("side", {"by": "ben"}, "no such annotator"),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    anna: Worker, op: str, given: dict[str, object], said: str
) -> None:
    before = anna.said(), anna.desk()
    with pytest.raises(RefusedError, match=said):
        anna.do(op, **given)
    assert (anna.said(), anna.desk()) == before


def test_undo_goes_back_over_notes_and_redo_forward_again(anna: Worker) -> None:
    start = anna.said()
    anna.do("delete", item=anna.item("scan"))
    then = anna.finish().next
    first, second = anna.note, then
    assert second is not None
    anna.note = second
    anna.finish()
    assert anna.desk().state == "done"
    assert anna.do("undo").note == second
    assert anna.desk().state == "open"
    assert anna.do("undo").note == first
    anna.note = first
    assert anna.desk().state == "open"
    anna.do("undo")
    assert anna.said() == start
    with pytest.raises(RefusedError, match="nothing to undo"):
        anna.do("undo")
    anna.do("redo")
    anna.do("redo")
    assert anna.desk().state == "done"
    anna.do("undo")
    anna.do("keep", item=anna.item("scan"))
    with pytest.raises(RefusedError, match="nothing to redo"):
        anna.do("redo")
    assert list(problems(anna.store)) == []


def test_a_step_on_an_old_version_is_a_conflict_and_a_repeated_one_is_done_once(
    anna: Worker,
) -> None:
    it = anna.item("scan")
    anna.do("delete", item=it, version=0, step="the-first-step")
    with pytest.raises(ConflictError):
        anna.do("keep", item=it, version=0)
    anna.do("delete", item=it, version=0, step="the-first-step")
    assert anna.desk().version == 1
    anna.do("undo", step="the-undo-step")
    anna.do("undo", step="the-undo-step", version=0)
    assert anna.said()[0][3] == "open"


def test_what_overlaps_is_refused_at_the_end_where_the_label_set_has_no_nesting(
    tmp_path: Path,
) -> None:
    from review_tools import TYPES, project

    from labelwright.label_set import LabelSet

    flat = LabelSet.from_text(TYPES.replace("nesting: true", "nesting: false"))
    store = project(tmp_path / "p", flat)
    take_in(store, TEXTS)
    anna = Worker(store)
    anna.take("n3")
    anna.do("add", name="Drug", words=[[0, 2]])
    anna.do("add", name="Disease", words=[[2, 3]])
    with pytest.raises(RefusedError, match="overlap, and this label set has no nesting"):
        anna.do("done", keep=[])
    anna.do("border", item=anna.item("gout,"), edge="start", by=1)
    anna.do("done", keep=[])
    assert anna.desk().state == "done"


def test_events_hold_no_text_and_cannot_be_changed(anna: Worker) -> None:
    anna.do("add", name="Disease", words=[[anna.number("liver"), anna.number("liver")]])
    anna.do("skip", why="not readable")
    with anna.store.reading() as connection:
        rows = connection.execute(sa.select(event)).mappings().all()
        everything = json.dumps([dict(row) for row in rows])
    assert [row["kind"] for row in rows][-3:] == ["add", "skip", "taken"]
    for word in ("liver", "cancer", "scan", "diabetes"):
        assert word not in everything
    for statement in ("UPDATE event SET kind = 'x'", "DELETE FROM event"):
        with pytest.raises(sa.exc.IntegrityError, match="never"), anna.store.writing() as to:
            to.exec_driver_sql(statement)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE event SET at = '1999' WHERE id = 2", "event 2 was changed"),
        ("DELETE FROM event WHERE id = 2", "event 2 is missing"),
        ("UPDATE note SET text = 'other' WHERE ext = 'n1'", "note 1: its text was changed"),
        ("UPDATE item SET body = replace(body, '[[', '[[99')", "lies outside the text"),
        ("UPDATE assignment SET version = 7", "7 steps by its version, 1 in the events"),
    ],
)
def test_check_finds_what_was_changed_behind_its_back(anna: Worker, change: str, said: str) -> None:
    anna.do("keep", item=anna.item("scan"))
    assert list(problems(anna.store)) == []
    with anna.store.writing() as connection:
        for name in ("event_no_update", "event_no_delete"):
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql(change)
    assert any(said in problem for problem in problems(anna.store))


def test_a_step_that_fails_half_way_leaves_nothing(
    anna: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(events, "append", full)
    with pytest.raises(OSError, match="disk full"):
        anna.do("delete", item=anna.item("scan"))
    assert anna.said()[0][3] == "open"
    with anna.store.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(item)) == 2


def test_a_skipped_note_goes_to_somebody_else(anna: Worker) -> None:
    skipped = anna.note
    follows = anna.do("skip", why="too long now").next
    assert follows not in (None, skipped)
    ben = Worker(anna.store, "ben")
    with ben.store.writing() as connection:
        work.take(connection, ben.form, ben.who, skipped)
    ben.note = skipped
    with pytest.raises(RefusedError, match="others work on this note"):
        Worker(anna.store, "dee").take("n1")
    assert ben.desk().state == "open"
    assert work.release(ben.store, ben.who) == 1
    cy = Worker(anna.store, "cy")
    cy.note = skipped
    with cy.store.writing() as connection:
        work.take(connection, cy.form, cy.who, skipped)
    assert cy.desk().state == "open"


def test_a_place_that_becomes_free_again_is_found_by_those_who_passed_it(tmp_path: Path) -> None:
    """Everybody goes on behind the notes they were given, until one of them is free again."""
    store = filled(tmp_path / "p", double=1.0)
    people_ = [Worker(store, name) for name in ("anna", "ben", "cleo")]
    anna, ben, cleo = people_
    first = [anna.next(), ben.next()]
    assert first[0] == first[1]
    given = [cleo.next(), cleo.finish().next]
    assert first[0] not in given
    ben.do("skip", why="not readable")
    cleo.note = given[1] or 0
    assert cleo.finish().next == first[0]
