"""Silver phrases: one verdict settles all mentions of a wording, and decides what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from review_tools import TEXTS, Worker, entity, filled, prediction, project

from labelwright.cli import main
from labelwright.errors import ConfigError
from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from review.exporting import export_silver
from review.kinds.forms import form_of
from review.store import order, phrases, runs
from review.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A labeler that marks "aspirin" twice in one note, "gout" and "asthma" once."""
    made = filled(tmp_path / "p")
    text = TEXTS["n3"]
    first, second = entity(text, "Aspirin", "Drug"), entity(text, "aspirin", "Drug")
    write_jsonl(tmp_path / "a.jsonl", [prediction("n3", [first, entity(text, "gout"), second])])
    runs.add_run(made, tmp_path / "a.jsonl")
    order.arrange(made)
    return made


def test_verdicts_on_wordings_decide_what_is_silver(store: Store, tmp_path: Path) -> None:
    assert phrases.gather(store, form_of(store.label_set)) == (5, 5)
    who = Worker(store).who
    seen = []
    with pytest.raises(ConfigError, match="no note has all its phrases decided"):
        export_silver(store, tmp_path / "none", overwrite=True)
    while True:
        with store.reading() as connection:
            row = phrases.following(connection)
        if row is None:
            break
        seen.append((row.text, row.found))
        verdict = phrases.DISCARDED if row.text == "gout" else phrases.KEPT
        assert phrases.decide(store, who.id, row.id, verdict)
    assert seen[0] == ("aspirin", 2)
    assert sorted(seen) == [
        ("aspirin", 2), ("asthma", 1), ("breast cancer", 1), ("gout", 1), ("scan", 1)
    ]  # fmt: skip
    counts = export_silver(store, tmp_path / "out")
    assert counts == {"notes": 3, "items": 5, "left out": 0}
    lines = (tmp_path / "out" / "silver.jsonl").read_text().splitlines()
    rows = {row["id"]: row for row in map(json.loads, lines)}
    assert [each["text"] for each in rows["n3"]["entities"]] == ["Aspirin", "aspirin"]
    again = phrases.gather(store, form_of(store.label_set))
    assert again == (5, 0)
    with store.reading() as connection:
        last = phrases.last_decided(connection, who.id)
    assert last is not None
    phrases.decide(store, who.id, last, phrases.OPEN)
    assert export_silver(store, tmp_path / "out", overwrite=True)["left out"] == 1
    flags = ["--label-set", str(tmp_path / "out" / "label_set.yaml"), "--split", "1,0,0"]
    source = str(tmp_path / "out" / "silver.jsonl")
    assert main(["build", source, *flags, "--out", str(tmp_path / "records")]) == 0


def test_phrases_are_for_marks(tmp_path: Path) -> None:
    store = project(tmp_path / "p", LabelSet.load("head-ct-5"))
    with pytest.raises(ConfigError, match="marks in the text"):
        phrases.gather(store, form_of(store.label_set))


def test_phrases_show_nothing_of_the_random_share(tmp_path: Path) -> None:
    """Its proposals are hidden on the notes, so they are on the page of phrases."""
    store = filled(tmp_path / "p", blind_every=1)
    assert phrases.gather(store, form_of(store.label_set)) == (0, 0)
    with store.reading() as connection:
        assert phrases.following(connection) is None
