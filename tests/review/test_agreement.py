"""Agreement: numbers worked out by hand, intervals, and labelers on the random share."""

from __future__ import annotations

from pathlib import Path

import pytest
from review_tools import Worker, entity, filled, prediction, project, take_in

from eval.stats.resampling import bootstrap_score
from labelwright.cli import main
from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from review.agreement import Agreement, Pair, agreement, compared
from review.kinds.base import Item
from review.kinds.forms import form_of
from review.store import order, runs
from review.store.store import Store

TEXT = "one two three four five six seven eight nine ten"


def item(name: str, *spans: tuple[int, int], said: str = "positive") -> Item:
    return Item(name, said=said, spans=spans)


def measured(store: Store) -> Agreement:
    with store.reading() as connection:
        return agreement(connection, form_of(store.label_set), bootstrap_score)


def test_f1_and_kappa_of_marks(tmp_path: Path) -> None:
    """Of 10 words the one marks the first three and the fifth, the other the first two.

    strict: 0 of 2 + 0 of 1. overlap: the first of each meet, (1 + 1) / 3. Of words: both 2,
    one only 2, neither 6: seen .8, chance .4 * .2 + .6 * .8 = .56, kappa (.8 - .56) / .44 = 6/11.
    """
    form = form_of(project(tmp_path / "p").label_set)
    pair = Pair(1, "n", "p", TEXT, (item("Disease", (0, 13)), item("Disease", (19, 23))),
                (item("Disease", (0, 7)),))  # fmt: skip
    found = {(r.measure, r.label): r.value for r in compared(form, "a", "b", [pair], None)}
    assert found["F1 strict", "all"] == 0
    assert found["F1 place", "all"] == 0
    assert found["F1 overlap", "Disease"] == pytest.approx(2 / 3)
    assert found["kappa of words", "Disease"] == pytest.approx(6 / 11)
    assert ("F1 strict", "Drug") not in found
    other = (item("Drug", (0, 13)), item("Disease", (19, 23), said="negative"))
    pair = Pair(1, "n", "p", TEXT, pair.one, other)
    found = {(r.measure, r.label): r.value for r in compared(form, "a", "b", [pair], None)}
    assert found["F1 strict", "all"] == 0
    assert found["F1 place", "all"] == 1


def test_kappa_of_labels(tmp_path: Path) -> None:
    """Four notes: both positive 2, the other alone 1 positive, both blank 1.

    Seen .75; chance .5 * .75 + .5 * .25 = .5; kappa .5. F1: (2 + 2) / (2 + 3).
    """
    form = form_of(LabelSet.load("head-ct-5"))
    name = form.label_set.names[0]
    said = [
        ("positive", "positive"),
        ("positive", "positive"),
        ("blank", "positive"),
        ("blank",) * 2,
    ]
    pairs = [
        Pair(n, f"n{n}", f"p{n}", TEXT, (Item(name, said=a),), (Item(name, said=b),))
        for n, (a, b) in enumerate(said)
    ]
    found = {(r.measure, r.label): r.value for r in compared(form, "a", "b", pairs, None)}
    assert found["kappa of labels", name] == pytest.approx(0.5)
    assert found["F1 strict", "all"] == pytest.approx(0.8)


def test_three_answers_and_marks_that_meet_in_part(tmp_path: Path) -> None:
    """Of ten notes seven alike; answers 4, 3, 3 and 4, 3, 3: chance .16 + .09 + .09 = .34, kappa
    (.7 - .34) / .66 = 6/11. Of three and four marks one is wholly alike (F1 2/7); one more has its
    place, and one more its type and a part of its place (both 4/7).
    """
    form = form_of(LabelSet.load("head-ct-5"))
    name, words = form.label_set.names[0], {"p": "positive", "n": "negative", "u": "uncertain"}
    said = zip("ppppnnnuuu", "pppnnnuuup", strict=True)
    pairs = [
        Pair(n, f"n{n}", f"p{n}", TEXT, (Item(name, said=words[a]),), (Item(name, said=words[b]),))
        for n, (a, b) in enumerate(said)
    ]
    found = {(r.measure, r.label): r.value for r in compared(form, "a", "b", pairs, None)}
    assert found["kappa of labels", name] == pytest.approx(6 / 11)
    only = [Pair(1, "n", "p", TEXT, (Item(name, said="positive"),), (Item(name, said="positive"),))]
    undefined = {(r.measure, r.label): r.value for r in compared(form, "a", "b", only, None)}
    assert undefined == {key: None if "kappa" in key[0] else 1 for key in undefined}

    form = form_of(project(tmp_path / "p").label_set)
    one = (item("Disease", (0, 3)), item("Disease", (4, 7)), item("Drug", (14, 18)))
    other = (
        *(item("Disease", (0, 3)), item("Disease", (4, 13)), item("Disease", (14, 18))),
        item("Drug", (19, 23)),
    )
    [*rows] = compared(form, "a", "b", [Pair(1, "n", "p", TEXT, one, other)], None)
    found = {(r.measure, r.label): r.value for r in rows}
    values = [found[f"F1 {way}", "all"] for way in ("strict", "place", "overlap")]
    assert values == pytest.approx([2 / 7, 4 / 7, 4 / 7])
    [*rows] = compared(form, "a", "b", [Pair(1, "n", "p", TEXT, (), ())], None)
    assert {r.value for r in rows} == {None}


def test_people_are_compared_on_their_common_notes_and_patients_make_the_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = project(tmp_path / "p", double=1.0)
    take_in(store, {f"n{n}": f"Patient {'x' * n} has gout and pain." for n in range(8)})
    anna, ben = Worker(store, "anna"), Worker(store, "ben")
    for number in range(8):
        for who in (anna, ben):
            who.take(f"n{number}")
            at = who.number("gout" if who is anna or number % 2 else "pain")
            who.do("add", name="Disease", words=[[at, at]])
            who.finish()
    found = measured(store)
    row = next(r for r in found.rows if (r.measure, r.label) == ("F1 strict", "all"))
    assert (row.one, row.other, row.value, row.notes, row.statements) == ("anna", "ben", 0.5, 8, 16)
    assert row.low is not None
    assert row.high is not None
    assert 0.1 < row.low < 0.5 < row.high < 0.9
    assert [each.ext for each in found.apart] == ["n0", "n2", "n4", "n6"]
    table = tmp_path / "numbers.csv"
    assert main(["review", "agreement", str(store.folder), "--out", str(table)]) == 0
    assert "anna / ben: F1 strict, all: 0.500 (" in capsys.readouterr().out
    assert table.read_text().splitlines()[1].startswith("anna,ben,F1 strict,all,0.5,")


def test_labelers_are_measured_on_the_random_share_alone(tmp_path: Path) -> None:
    """Half of the mentions of the blind notes are among what the labeler said unseen."""
    store = filled(tmp_path / "p", blind_every=1)
    anna = Worker(store)
    for ext, words in (("n1", ("scan", "liver")), ("n3", ("gout", "pain"))):
        anna.take(ext)
        for word in words:
            at = anna.number(word)
            anna.do("add", name="Disease", words=[[at, at]])
        anna.finish()
    [row] = [r for r in measured(store).rows if (r.measure, r.label) == ("F1 strict", "all")]
    # Of the labeler's "breast cancer", "scan" and "gout" two are right; of the people's 4 also two.
    assert (row.other, row.value, row.low) == ("final", pytest.approx(4 / 7), None)
    text = "Nothing to report."
    write_jsonl(tmp_path / "b.jsonl", [prediction("n4", [entity(text, "Nothing")])])
    runs.add_run(store, tmp_path / "b.jsonl", number=2)
    order.arrange(store)
    assert {r.one for r in measured(store).rows} == {"run 1 (predictions.jsonl)"}
    plain = filled(tmp_path / "q")
    ben = Worker(plain, "ben")
    ben.take("n1")
    ben.finish()
    assert measured(plain).rows == ()
