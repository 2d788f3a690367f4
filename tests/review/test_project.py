"""What comes into a project and goes out: notes, predictions, the queue, adjudication, export."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest
from review_tools import TEXTS, Worker, entity, filled, prediction, project, take_in
from sqlalchemy import select

from labelwright.cli import main
from labelwright.errors import ConfigError, InputError, OutputError
from labelwright.io.jsonl import read_jsonl, write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Entity, Prediction, Reject, Report
from review.checking import backup, problems
from review.exporting import export
from review.kinds.base import Item
from review.kinds.forms import form_of
from review.store import migrations, notes, order, runs, work
from review.store.annotated import add_finished
from review.store.notes import Imported
from review.store.order import Waiting, ordered
from review.store.store import Settings, open_store
from review.store.tables import VERSION, event, meta
from review.store.work import RefusedError


def reasons(found: list[object]) -> list[str]:
    return [each.reason for each in found if isinstance(each, Reject)]


def test_notes_come_in_once_and_what_cannot_is_said(tmp_path: Path) -> None:
    store = project(tmp_path / "p")
    assert take_in(store, TEXTS)[-1] == Imported(added=4)
    bad = {"e": " \n", "z": "a\0b", "s": "half \ud800 a sign", "n1": "another text"}
    found = take_in(store, TEXTS | bad)
    assert reasons(found) == [
        "empty",
        "holds a NUL character, which no database keeps",
        "holds half a character (a lone surrogate)",
        "a note of this id with another text is there already",
    ]
    assert found[-1] == Imported(known=3, rejected=4)


def test_predictions_come_in_once_and_what_does_not_fit_is_said(tmp_path: Path) -> None:
    store = filled(tmp_path / "p")
    good = entity(TEXTS["n4"], "Nothing", prob=0.3)
    rows = [
        prediction("n4", [good]),
        prediction("n9", []),
        prediction("n4", []),
        prediction("n1", [good | {"spans": [[0, 999]]}]),
        prediction("n2", [good]),
        prediction("n3", [entity(TEXTS["n3"], "gout", "Weather")]),
        {"id": "n3", "labels": {"Edema": "positive"}},
    ]
    path = tmp_path / "more.jsonl"
    write_jsonl(path, rows)
    taken = runs.add_run(store, path)
    assert (taken.notes, taken.proposals) == (1, 1)
    assert [(each.row, each.reason) for each in taken.rejects] == [
        (2, "no note has this id"),
        (3, "the note has a prediction already"),
        (4, "Disease: a place lies outside the text or overlaps the one before"),
        (5, "a mention stands elsewhere in the note; was another text labeled?"),
        (6, "Weather: no such label"),
        (7, "this is not a prediction of the project's label set"),
    ]
    assert runs.add_run(store, path).again
    write_jsonl(path, rows[1:2])
    with pytest.raises(InputError, match="no prediction in it can be used: no note has this id"):
        runs.add_run(store, path)


def test_an_import_that_was_killed_begins_anew(tmp_path: Path) -> None:
    """As it is left: the run without its count, some rows, a note begun with its proposals."""
    store = filled(tmp_path / "p")
    anna = Worker(store)
    anna.take("n1")
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE run SET notes = 0")
        connection.exec_driver_sql("DELETE FROM said WHERE note > 1")
    taken = runs.add_run(store, tmp_path / "p" / "predictions.jsonl")
    assert (taken.notes, taken.again) == (3, False)
    assert len(anna.placed()) == 2
    assert list(problems(store)) == []


def waiting(number: int, weakest: float, near: str = "", patient: str | None = None) -> Waiting:
    return Waiting(number, f"n{number}", patient, near or str(number), weakest, f"{weakest}")


def test_the_queue_has_the_least_sure_first_a_random_fifth_and_copies_last() -> None:
    notes = [waiting(n, (n % 97) / 97, near="same" if n in (7, 400) else "") for n in range(1000)]
    found = list(ordered(notes, Settings()))
    assert sorted(each.note for each, _, _ in found) == list(range(1000))
    blind = [each.note for each, is_blind, _ in found if is_blind]
    assert 160 < len(blind) < 240
    firm = [each for each, is_blind, why in found if not is_blind and why != order.NEAR]
    assert [each.weakest for each in firm] == sorted((e.weakest for e in firm), reverse=True)
    places = [at for at, (_, is_blind, _) in enumerate(found) if is_blind]
    assert places[:3] == [4, 9, 14]
    unsure_elsewhere = [Waiting(w.note, w.ext, None, w.near, 1 - w.weakest, "") for w in notes]
    again = list(ordered(unsure_elsewhere, Settings()))
    assert [each.note for each, is_blind, _ in again if is_blind] == blind
    if not {7, 400} & set(blind):
        assert found[-1][2] == order.NEAR


def test_all_notes_of_a_patient_are_drawn_together() -> None:
    notes = [waiting(n, 0.5, patient=f"p{n // 10}") for n in range(500)]
    drawn: dict[str | None, set[bool]] = {}
    for each, is_blind, _ in ordered(notes, Settings()):
        drawn.setdefault(each.patient, set()).add(is_blind)
    assert {len(kinds) for kinds in drawn.values()} == {1}
    assert {True} in drawn.values()


@pytest.mark.parametrize(
    ("label_set", "sure", "expected"),
    [
        ("disease-1", (0.97, 0.55, 0.8), 0.45),
        ("disease-1", (0.97, None), 0.03),
        ("head-ct-5", (0.6, 0.9), 0.4),
        ("disease-1", (None,), 0.5),
        ("disease-1", (), 0.5),
    ],
)
def test_a_note_is_as_unsure_as_its_least_sure_statement(
    label_set: str, sure: tuple[float | None, ...], expected: float
) -> None:
    """1 - p of the weakest; of a note about which nothing is known one half."""
    form = form_of(LabelSet.load(label_set))
    items = [Item(form.label_set.names[0], prob=p) for p in sure]
    found, _ = form.unsure(
        Prediction(id="n", model="", task=form.label_set.task, value=None), items
    )
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("text", ["T2 is 3.4 cm,\n\tnot b_c", "Größe 5kg", "123", "a\x1cb", "ﬁ ß"])
def test_near_copies_have_their_letters_in_common(text: str) -> None:
    """Quick for plain texts; the same as taking out all that is no letter."""
    letters = re.sub(r"[\W\d_]+", " ", text.casefold()).strip()
    assert notes._alike(text) == (letters or text).encode()


def test_two_readers_who_differ_come_before_all(tmp_path: Path) -> None:
    store = filled(tmp_path / "p")
    second = {"model": "rules", "disagree": ["Disease"], "entities": []}
    row = prediction("n4", [entity(TEXTS["n4"], "Nothing", prob=0.99)], second=second)
    write_jsonl(tmp_path / "second.jsonl", [row])
    runs.add_run(store, tmp_path / "second.jsonl")
    order.arrange(store)
    anna = Worker(store)
    anna.next()
    with store.reading() as connection:
        assert anna.pages.of(connection, anna.note).text == TEXTS["n4"]


def test_blind_notes_show_no_proposals(tmp_path: Path) -> None:
    anna = Worker(filled(tmp_path / "p", blind_every=1))
    anna.take("n1")
    assert anna.placed() == []
    assert anna.desk().blind
    assert anna.desk().run == 1


def annotated(store: object, ext: str, word: str, person: Worker) -> None:
    person.take(ext)
    at = person.number(word)
    person.do("add", name="Disease", words=[[at, at]])
    person.finish()


def test_two_annotate_unseen_by_each_other_and_a_third_decides(tmp_path: Path) -> None:
    store = filled(tmp_path / "p", double=1.0)
    anna, ben = Worker(store, "anna"), Worker(store, "ben")
    cy = Worker(store, "cy", "adjudicator")
    with pytest.raises(RefusedError, match="two people have to annotate"):
        cy.decide("n3")
    annotated(store, "n3", "pain", anna)
    ben.take("n3")
    assert [each[2] for each in ben.said()] == [("gout",)]
    ben.do("delete", item=ben.item("gout"))
    ben.finish()
    with pytest.raises(ConfigError, match="no note is finished"):
        export(store, tmp_path / "none")
    with pytest.raises(RefusedError, match="others work on this note"):
        Worker(store, "dee").take("n3")
    both = Worker(store, "eve", "adjudicator")
    cy.decide("n3")
    assert [(each[2], each[3]) for each in cy.said()] == [(("gout",), "open"), (("pain",), "open")]
    assert [each.item.by for each in cy.placed()] == [("anna",), ("anna",)]
    with pytest.raises(RefusedError, match="somebody else adjudicates"):
        both.decide("n3")
    with pytest.raises(RefusedError, match="the note is being adjudicated"):
        ben.do("undo")
    cy.do("side", by="anna")
    cy.finish()
    done = export(store, tmp_path / "out")
    assert done.notes == {"train": 1, "random": 0}
    [row] = (tmp_path / "out" / "train.entities.jsonl").read_text().splitlines()
    assert [each["text"] for each in json.loads(row)["entities"]] == ["gout", "pain"]
    alone = export(store, tmp_path / "ben", person="ben")
    assert alone.items["train"] == 0
    assert alone.notes["train"] == 1


def test_what_two_people_say_alike_needs_no_third(tmp_path: Path) -> None:
    store = filled(tmp_path / "p", double=1.0)
    for name in ("anna", "ben"):
        annotated(store, "n3", "pain", Worker(store, name))
    assert export(store, tmp_path / "out").items["train"] == 2


def elsewhere(ext: str, *words: str, text: str = "", row: int = 1) -> tuple[Report, list[Entity]]:
    """A note with what somebody marked in it elsewhere."""
    found = text or TEXTS[ext]
    at = [(found.index(word), word) for word in words]
    marks = [Entity("Disease", ((a, a + len(w)),), w, Certainty.POSITIVE) for a, w in at]
    return Report(ext, found, "notes.jsonl", row), marks


def test_finished_work_from_elsewhere_settles_the_notes_or_is_refused(tmp_path: Path) -> None:
    store = filled(tmp_path / "p")
    anna, ben = Worker(store, "anna"), Worker(store, "ben")
    annotated(store, "n1", "breast", ben)
    found = [
        *(elsewhere("n1", "diabetes"), elsewhere("n3", "gout", "pain"), elsewhere("n4")),
        *(elsewhere("n3", "pain", row=4), elsewhere("n9", text="Gout.", row=5)),
        elsewhere("n2", text="Another text.", row=6),
    ]
    count, refused = add_finished(store, anna.form, anna.who, found)
    assert count == 3
    assert [(each.id, each.row, each.reason) for each in refused] == [
        ("n3", 4, "anna has worked on this note already"),
        ("n9", 5, "no note has this id"),
        ("n2", 6, "a note of this id with another text is there already"),
    ]
    with store.reading() as connection:
        known = {ext: note for ext, (note, _) in notes.texts_of(connection, [*TEXTS]).items()}
        lines = work.places(connection, known.values())
        states = {
            ext: (lines[note].state, lines[note].wanted, lines[note].free)
            for ext, note in known.items()
        }
        kinds = [row.kind for row in connection.execute(select(event).order_by(event.c.id))]
    assert states == {
        "n1": ("done", 2, 0),  # two people, who do not agree
        "n2": ("new", 1, 1),
        "n3": ("final", 1, 0),
        "n4": ("open", 2, 0),  # ben's next note, which he has open
    }
    assert kinds[-3:] == ["annotations added"] * 3
    assert list(problems(store)) == []
    anna.take("n3")
    assert [(each[2], each[3]) for each in anna.said()] == [
        (("gout",), "added"),
        (("pain",), "added"),
    ]
    again = add_finished(store, anna.form, anna.who, found[:3])
    assert (again[0], len(again[1])) == (0, 3)


def test_notes_that_come_with_annotations_wait_for_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Worker(project(tmp_path / "p")).store.close()
    mark = {"type": "Disease", "spans": [[0, 4]], "text": "Gout", "certainty": "positive"}
    rows = [{"id": f"g{n}", "text": f"Gout {n}.", "entities": [mark]} for n in range(2)]
    write_jsonl(tmp_path / "notes.jsonl", [*rows, {"id": "bare", "text": "Nothing said."}])
    notes_file = str(tmp_path / "notes.jsonl")
    flags = ["review", "import", str(tmp_path / "p"), notes_file, "--annotations", "anna"]
    assert main(flags) == 0
    assert capsys.readouterr().out.splitlines() == [
        "3 notes added",
        "2 notes with a person's annotations",
        "1 note waits to be annotated",
    ]


def test_an_annotator_may_not_adjudicate_the_own_work(tmp_path: Path) -> None:
    store = filled(tmp_path / "p", double=1.0)
    for name in ("anna", "ben"):
        person = Worker(store, name, "adjudicator")
        annotated(store, "n3", "pain", person)
    with pytest.raises(RefusedError, match="you annotated this note"):
        person.decide("n3")


def test_export_is_the_same_twice_and_build_reads_it(tmp_path: Path) -> None:
    store = filled(tmp_path / "p")
    anna = Worker(store)
    while anna.next():
        anna.finish()
    for name in ("a", "b"):
        export(store, tmp_path / name)
    names = [path.name for path in sorted((tmp_path / "a").iterdir())]
    assert "train.entities.jsonl" in names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert stat.S_IMODE((tmp_path / "a" / name).stat().st_mode) in (0o600, 0o644)
    with pytest.raises(OutputError, match="not empty"):
        export(store, tmp_path / "a")
    (tmp_path / "a" / "label_set.yaml").rename(tmp_path / "types.yaml")
    flags = ["--label-set", str(tmp_path / "types.yaml"), "--split", "1,0,0"]
    source = str(tmp_path / "a" / "train.jsonl")
    assert main(["build", source, *flags, "--out", str(tmp_path / "records")]) == 0
    built = (tmp_path / "records" / "train.entities.jsonl").read_text().splitlines()
    ours = (tmp_path / "a" / "train.entities.jsonl").read_text().splitlines()
    assert sorted(built) == sorted(ours)
    assert len(built) == 4


def test_patients_of_the_random_share_are_not_trained_on(tmp_path: Path) -> None:
    store = project(tmp_path / "p", blind_every=3)
    take_in(store, {f"n{n}": f"Text number {'x' * n} with gout." for n in range(30)})
    anna = Worker(store)
    while anna.next():
        anna.finish()
    done = export(store, tmp_path / "out")
    assert done.notes["train"] + done.notes["random"] == 30
    parts = [
        {row["patient"] for _, row in read_jsonl(tmp_path / "out" / f"{name}.jsonl")}
        for name in ("train", "random")
    ]
    assert not parts[0] & parts[1]
    assert all(parts)


def test_a_backup_taken_while_people_work_can_be_put_back(tmp_path: Path) -> None:
    store = filled(tmp_path / "p")
    anna = Worker(store)
    anna.take("n1")
    facts = backup(store, tmp_path / "copy")
    anna.do("delete", item=anna.item("scan"))
    restored = open_store(tmp_path / "copy")
    assert list(problems(restored)) == []
    assert stat.S_IMODE((tmp_path / "copy" / "review.db").stat().st_mode) == 0o600
    with restored.reading() as connection:
        from review.store import events

        assert events.head(connection)[1] == facts["last_event"]["hash"]


def test_labels_are_choices_one_per_observation(tmp_path: Path) -> None:
    store = project(tmp_path / "p", LabelSet.load("head-ct-5"))
    names = store.label_set.names
    take_in(store, {"c1": "Bleeding is seen.", "c2": "Normal."})
    labels = dict.fromkeys(names, "blank") | {names[0]: "positive"}
    probs = {names[0]: {"positive": 0.7, "blank": 0.3}}
    row = {"id": "c1", "labels": labels, "model": "m", "probs": probs, "raw": ""}
    write_jsonl(tmp_path / "pred.jsonl", [row | {"evidence": {names[0]: [[0, 8]]}}])
    runs.add_run(store, tmp_path / "pred.jsonl")
    order.arrange(store)
    anna = Worker(store)
    anna.take("c1")
    assert len(anna.placed()) == len(names)
    first = anna.placed()[0]
    assert (first.item.name, first.item.said, first.item.prob) == (names[0], "positive", 0.7)
    assert first.item.evidence == ((0, 8),)
    anna.do("change", item=anna.placed()[1].root, said="uncertain")
    anna.finish()
    anna.take("c2")
    assert {each.item.said for each in anna.placed()} == {"blank"}
    anna.do("rest")
    anna.finish()
    export(store, tmp_path / "out")
    table = (tmp_path / "out" / "train.labels.csv").read_text().splitlines()
    assert table[1:] == ["c1,1.0,-1.0" + "," * (len(names) - 2), "c2" + "," * len(names)]


def test_tables_of_a_newer_program_are_left_alone_and_older_ones_brought_up(
    tmp_path: Path,
) -> None:
    store = filled(tmp_path / "p")
    with store.writing() as connection:
        connection.execute(meta.update().where(meta.c.key == "version").values(value="9"))
    with pytest.raises(InputError, match="a newer labelwright"):
        open_store(tmp_path / "p")
    older = (
        "UPDATE meta SET value = '1' WHERE key = 'version'",
        "DROP TABLE comment",
        "ALTER TABLE person DROP COLUMN passed",
    )
    with store.writing() as connection:
        for statement in older:
            connection.exec_driver_sql(statement)
    newer = open_store(tmp_path / "p")
    with newer.reading() as connection:
        assert migrations.version(connection) == VERSION == 2
    assert Worker(newer).next() is not None
    with newer.reading() as connection:
        assert connection.exec_driver_sql("SELECT passed FROM person").scalar_one() > 0
        assert connection.exec_driver_sql("SELECT count(*) FROM comment").scalar_one() == 0
    assert (tmp_path / "p" / "before-version-2.db").is_file()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--database", "mysql://x/y"], "no PostgreSQL address"),
        (["--database", "postgresql://me:secret@host/db"], "holds a password"),
        (["--double", "7"], "from 0 to 1"),
    ],
)
def test_projects_that_cannot_be(
    tmp_path: Path, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["review", "init", str(tmp_path / "p"), "--label-set", "head-ct-5", *flags]
    try:
        code = main(command)
    except SystemExit as left:
        code = int(str(left.code))
    assert code == 2
    error = capsys.readouterr().err
    assert said in error
    assert "secret" not in error


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mongodb://someone:secret@db/notes", "holds a password"),
        ("mongodb://db", "names no database"),
        ("http://db/notes", "cannot be read"),
    ],
)
def test_addresses_of_a_mongodb_that_are_refused(
    tmp_path: Path, address: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project(tmp_path / "p")
    flags = ["--mongo", address, "--mongo-collection", "notes"]
    assert main(["review", "import", str(tmp_path / "p"), *flags]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "secret" not in error


def test_notes_are_read_as_the_run_read_them_and_cut_as_it_cut_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns and sections come from the run's manifest; places are those of what it read."""
    table, run, folder = tmp_path / "r.csv", tmp_path / "run", tmp_path / "p"
    report = "INDICATION: Pneumothorax?\nFINDINGS: Small left pleural effusion."
    table.write_text(f'case;note\n17;"{report}"\n', encoding="utf-16")
    columns = ["--id-column", "case", "--text-columns", "note"]
    flags = ["--model", "rules", "--sections", "findings", "--out", str(run)]
    assert main(["label", str(table), *columns, *flags]) == 0
    assert main(["review", "init", str(folder), "--label-set", "chexpert-14"]) == 0
    assert main(["review", "import", str(folder), str(table), "--pred", str(run)]) == 0
    store = open_store(folder)
    with store.reading() as connection:
        text = connection.exec_driver_sql("SELECT text FROM note WHERE ext = '17'").scalar_one()
        said = json.loads(connection.exec_driver_sql("SELECT proposals FROM said").scalar_one())
    assert "Pneumothorax" not in text
    [effusion] = [each for each in said if each["name"] == "Pleural Effusion"]
    assert [text[a:b] for a, b in effusion["evidence"]] == ["effusion"]
    whole = tmp_path / "whole"
    assert main(["label", str(table), *columns, "--model", "rules", "--out", str(whole)]) == 0
    assert main(["review", "import", str(folder), "--pred", str(whole)]) == 2
    assert "notes hold the sections 'findings'" in capsys.readouterr().err
