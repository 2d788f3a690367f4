"""One round of the loop: what is finished is trained on, and the new model orders the queue."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from review_tools import Worker, project, take_in

from labelwright.cli import main
from labelwright.io.jsonl import read_jsonl
from review import loop
from review.models import chosen
from review.store.store import Store, open_store
from review.store.tables import queue, rounds, run, said

TRAIN = (
    "train-tagger --scratch=tiny --max_steps=1 --per_device_train_batch_size=4 "
    "--gradient_accumulation_steps=1 --report_to=none --disable_tqdm=true --eval_strategy=no"
)
DISEASES = ("asthma", "gout", "diabetes", "anaemia")


def annotated(folder: Path, count: int = 16) -> Store:
    """A project in which somebody marked the disease in every note but the last four."""
    store = project(folder, blind_every=4)
    texts = {
        f"n{n:02}": f"{'No sign of' if n % 3 else 'Known'} {DISEASES[n % 4]}, seen {'x' * n} ago."
        for n in range(count)
    }
    take_in(store, texts)
    anna = Worker(store)
    for _ in range(count - 4):
        number = anna.next()
        assert number is not None
        with store.reading() as connection:
            text = anna.pages.of(connection, number).text
        word = next(each for each in DISEASES if each in text)
        at = anna.number(word)
        anna.do("add", name="Disease", words=[[at, at]])
        anna.finish()
    return store


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the commands of a round in this process instead of one each; their names."""
    done: list[str] = []

    def call(command: list[str], _log: object) -> int:
        done.append(command[0])
        return main(command)

    monkeypatch.setattr(loop, "process", call)
    return done


def test_a_round_trains_labels_and_orders_the_queue(
    tmp_path: Path, here: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "p", tmp_path / "rounds"
    annotated(folder).close()
    command = ["review", "retrain", str(folder), "--out", str(out), "--train", TRAIN]
    assert main([*command, "--split", "0.8,0.2,0"]) == 0
    assert here == ["build", "train-tagger", "label"]
    store = open_store(folder)
    trained = [row["id"] for _, row in read_jsonl(out / "round-1" / "gold" / "train.jsonl")]
    with store.reading() as connection:
        blind = set(
            connection.exec_driver_sql(
                "SELECT ext FROM note JOIN queue ON note.id = note AND blind"
            ).scalars()
        )
        [made] = connection.execute(rounds.select()).all()
        [labeled] = connection.execute(run.select()).all()
        notes = connection.execute(said.select()).all()
        reasons = connection.execute(queue.select().where(queue.c.state == "new")).all()
    assert blind
    assert not blind & set(trained)
    kept = chosen(store)
    assert kept is not None
    assert (made.number, made.trained_on, made.run) == (1, len(trained), labeled.id)
    assert made.model == f"train-tagger {kept.version}"
    assert (labeled.round, labeled.notes, len(notes)) == (1, 16, 16)
    assert all(each.reason for each in reasons)
    assert stat.S_IMODE((out / "round-1").stat().st_mode) == 0o700
    assert main(["review", "label", str(folder), "--out", str(tmp_path / "again")]) == 0
    assert main(["review", "label", str(folder), "--out", str(tmp_path / "again")]) == 2
    with store.reading() as connection:
        assert len(connection.execute(run.select()).all()) == 2
    tables = [at / "labels" / "entities.csv" for at in (out / "round-1", tmp_path / "again")]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    more = TRAIN.replace(" --scratch=tiny", "")
    command = ["review", "retrain", str(folder), "--out", str(out), "--train", more]
    assert main([*command, "--split", "0.8,0.2,0", "--start-from-chosen"]) == 0
    assert f"--init_from {out / 'round-2' / 'start'} " in capsys.readouterr().err


def test_a_round_that_fails_leaves_the_project_as_it_was(
    tmp_path: Path, here: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "p", tmp_path / "rounds"
    annotated(folder).close()
    command = ["review", "retrain", str(folder), "--out", str(out)]
    assert main([*command, "--train", "train-tagger --no-such-flag=1"]) != 0
    assert here == ["build", "train-tagger"]
    assert "ended with exit code 2" in capsys.readouterr().err
    assert main([*command, "--train", "rm -rf"]) == 2
    store = open_store(folder)
    with store.reading() as connection:
        assert connection.execute(rounds.select()).all() == []
        assert connection.execute(run.select()).all() == []
    assert chosen(store) is None
