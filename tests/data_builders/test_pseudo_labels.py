"""Pseudo-labels: which answers of a run become training data, and that nothing else changes."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tagger_tools import LABEL_SET, label_set, note

from inference.runs.batch import run as label_run
from labelwright.cli import main
from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Prediction, Reject, Report

CANARY = "Zyxwellian"
NOTES = [note(seed, nested=True) for seed in range(20)]


class Sure:
    """Knows the entities of the notes; how sure it is of the least sure one stands in the id."""

    name = "sure"

    def __init__(self, own: LabelSet | None = None) -> None:
        self.label_set = own or label_set()

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "test", "name": self.name, "model_sha256": "0"}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        return [self._label(report) for report in reports]

    def _label(self, report: Report) -> Prediction:
        kind = report.id.partition("-")[0]
        _, found = NOTES[int(report.meta["note"])]
        prob = {"none": None}.get(kind, float(kind) if kind[0] == "0" else 0.99)
        sure = [replace(entity, prob=0.99) for entity in found]
        sure[0] = replace(sure[0], prob=prob)
        problems: tuple[str, ...] = ()
        if kind == "lost":
            sure.append(Entity("Site", (), "spleen", None, 0.99))
            problems = ("not in the text: Site",)
        if kind == "bare":
            sure = list(found)
        if kind == "empty":
            sure = []
        return Prediction(
            id=report.id, model=self.name, task="entities", value=tuple(sure), problems=problems
        )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten of the notes as ``labelwright build`` writes them: six, two and two; with patients."""
    base = tmp_path_factory.mktemp("data")
    rows = [
        {
            "id": f"n{n}",
            "text": text,
            "patient_id": f"p{n}",
            "entities": [entity.to_json() for entity in found],
        }
        for n, (text, found) in enumerate(NOTES[:10])
    ]
    write_jsonl(base / "notes.jsonl", rows)
    (base / "lesions.yaml").write_text(LABEL_SET, encoding="utf-8")
    flags = ["--id-column=id", "--text-columns=text", "--patient-column=patient_id"]
    command = ["build", str(base / "notes.jsonl"), "--label-set", str(base / "lesions.yaml")]
    assert main([*command, *flags, "--split=0.6,0.2,0.2", "--out", str(base / "records")]) == 0
    return base / "records"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def offered(folder: Path, rows: Sequence[tuple[str, int, str]]) -> tuple[Path, Path]:
    """A table of notes (id, note, patient), and the folder of the run over it."""
    folder.mkdir(exist_ok=True)
    table = folder / "notes.csv"
    with table.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "text", "note", "patient"])
        writer.writerows([name, NOTES[n][0], n, patient] for name, n, patient in rows)
    reports = [
        Report(name, NOTES[n][0], str(table), row, patient, meta={"note": str(n)})
        for row, (name, n, patient) in enumerate(rows, 1)
    ]
    run = folder / "run"
    options = {"sections": "full"}
    label_run(Sure(), reports, run, inputs=[], options=options, total=len(reports))
    return table, run


def command(table: Path, data: Path, run: Path, out: Path, *flags: str) -> list[str]:
    columns = ["--id-column=id", "--text-columns=text", "--patient-column=patient"]
    return [
        *("pseudo-label", str(table), "--data", str(data), "--pred", str(run)),
        *("--out", str(out), *columns, *flags),
    ]


@pytest.fixture(scope="module")
def round_one(
    data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, tuple[Path, Path], Path]:
    base = tmp_path_factory.mktemp("round")
    test_note = int(read(data / "test.reports.jsonl")[0]["id"][1:])
    held_out = read(data / "validation.reports.jsonl")[0]["patient"]
    rows = [
        ("0.95-a", 10, "x1"),
        ("0.90-b", 11, "x2"),
        ("0.89-c", 12, "x3"),
        ("none-d", 13, "x4"),
        ("lost-e", 14, "x5"),
        ("empty-f", 15, "x6"),
        ("0.99-g", test_note, "x7"),
        ("0.99-h", 16, held_out),
        ("0.99-i", 17, "p0"),
    ]
    table, run = offered(base, rows)
    out = base / "records-1"
    assert main(command(table, data, run, out)) == 0
    return out, (table, run), base


def test_sure_notes_are_added_to_training(
    round_one: tuple[Path, tuple[Path, Path], Path], data: Path
) -> None:
    """Of nine, two are sure enough; note 17 is a training patient's if p0 is one."""
    out, _, _ = round_one
    old, new = read(data / "train.reports.jsonl"), read(out / "train.reports.jsonl")
    train_patients = {row["patient"] for row in old}
    kept = ["0.95-a", "0.90-b", *(["0.99-i"] if "p0" in train_patients else [])]
    assert new[: len(old)] == old
    assert [row["id"] for row in new[len(old) :]] == kept
    for row in new[len(old) :]:
        assert (row["meta"]["pseudo_round"], row["meta"]["pseudo_by"]) == ("1", "sure")
    gold = {row["id"]: row["entities"] for row in read(out / "train.entities.jsonl")}
    assert gold["0.95-a"] == [entity.to_json() for entity in NOTES[10][1]]
    records = read(out / "train.jsonl")
    assert records[: len(old)] == read(data / "train.jsonl")
    added = records[len(old)]
    assert added["prompt"][1]["content"] == NOTES[10][0]
    first = NOTES[10][1][0]
    assert added["completion"][0]["content"].splitlines()[0] == f"{first.type}: {first.text}"
    assert added["meta"]["pseudo"] == {"round": 1, "least_probability": 0.95}
    for name in ("validation", "test"):
        for kind in (".jsonl", ".reports.jsonl", ".entities.jsonl"):
            assert (out / f"{name}{kind}").read_bytes() == (data / f"{name}{kind}").read_bytes()


def test_the_manifest_counts_every_note_of_the_round(
    round_one: tuple[Path, tuple[Path, Path], Path], data: Path
) -> None:
    out, _, _ = round_one
    facts = json.loads((out / "manifest.json").read_text())
    [told] = facts["pseudo_labels"]
    assert (told["round"], told["offered"], told["least_probability"]) == (1, 9, 0.9)
    assert told["offered"] == told["kept"] + sum(told["not_kept"].values())
    expected = {
        "an entity has no probability or no place": 1,
        "an entity is not sure": 1,
        "it stands in the data already": 1,
        "its patient is in validation or test": told["not_kept"][
            "its patient is in validation or test"
        ],
        "nothing was found": 1,
        "the answer has problems": 1,
    }
    assert told["not_kept"] == expected
    assert told["entities"] == {"Lesion": 3 * told["kept"], "Site": 3 * told["kept"]}
    before = json.loads((data / "manifest.json").read_text())
    assert facts["counts"]["records"] == before["counts"]["records"] + told["kept"]
    assert told["run"]["labeler"]["name"] == "sure"
    with (out / "classes.csv").open(newline="") as handle:
        rows = {(r["split"], r["type"]): int(r["mentions"]) for r in csv.DictReader(handle)}
    notes = len(read(out / "train.reports.jsonl"))
    assert rows["train", "Site"] == 3 * notes


def test_a_second_round_adds_to_the_first(
    round_one: tuple[Path, tuple[Path, Path], Path], tmp_path: Path
) -> None:
    out, _, _ = round_one
    table, run = offered(tmp_path / "two", [("0.95-a", 10, "x1"), ("empty-z", 18, "x9")])
    assert main(command(table, out, run, tmp_path / "out", "--with-empty", "--min-prob=0.5")) == 0
    one, two = json.loads((tmp_path / "out" / "manifest.json").read_text())["pseudo_labels"]
    assert (one["round"], two["round"]) == (1, 2)
    assert (two["kept"], two["not_kept"]) == (1, {"it stands in the data already": 1})
    last = read(tmp_path / "out" / "train.entities.jsonl")[-1]
    assert last == {"id": "empty-z", "entities": []}
    assert read(tmp_path / "out" / "train.jsonl")[-1]["completion"][0]["content"] == "none"


def test_a_tagger_trains_on_the_union_and_gives_the_next_round(
    round_one: tuple[Path, tuple[Path, Path], Path], tmp_path: Path
) -> None:
    out, (table, _), _ = round_one
    flags = ["--scratch=tiny", "--head=multilabel", "--num_train_epochs=1", "--report_to=none"]
    train = ["train-tagger", "--data", str(out), "--output_dir", str(tmp_path / "tagger"), *flags]
    assert main(train) == 0
    facts = json.loads((tmp_path / "tagger" / "manifest.json").read_text())
    assert facts["counts"]["train"]["reports"] == len(read(out / "train.reports.jsonl"))
    columns = ["--id-column=id", "--text-columns=text", "--patient-column=patient"]
    label = ["label", str(table), "--model", str(tmp_path / "tagger"), "--device=cpu", *columns]
    assert main([*label, "--threshold=0.2", "--out", str(tmp_path / "run")]) == 0
    again = command(table, out, tmp_path / "run", tmp_path / "out", "--min-prob=0")
    assert main(again) == 0
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())["pseudo_labels"][1]
    assert told["offered"] == 9
    assert told["kept"] + sum(told["not_kept"].values()) == 9


def test_notes_are_normalised_and_divided_as_the_folder_is(tmp_path: Path) -> None:
    """Lower case, and windows of at most seven words: each has the mentions that lie in it."""
    table = tmp_path / "table.yaml"
    table.write_text('name: low\nversion: "1"\nlower_case: true\n', encoding="utf-8")
    rows = [
        {"id": f"n{n}", "text": text, "entities": [entity.to_json() for entity in found]}
        for n, (text, found) in enumerate(NOTES[:4])
    ]
    write_jsonl(tmp_path / "notes.jsonl", rows)
    (tmp_path / "lesions.yaml").write_text(LABEL_SET, encoding="utf-8")
    build = ["build", str(tmp_path / "notes.jsonl"), "--id-column=id", "--text-columns=text"]
    more = ["--label-set", str(tmp_path / "lesions.yaml"), "--normalise", str(table)]
    windows = ["--windows=7", "--split=none"]
    assert main([*build, *more, *windows, "--out", str(tmp_path / "records")]) == 0
    notes, run = offered(tmp_path / "offered", [("0.95-a", 10, "x1")])
    assert main(command(notes, tmp_path / "records", run, tmp_path / "out")) == 0
    added = read(tmp_path / "out" / "train.reports.jsonl")[-1]
    assert added["text"] == NOTES[10][0].lower()
    records = [r for r in read(tmp_path / "out" / "train.jsonl") if "pseudo" in r["meta"]]
    assert [r["id"] for r in records] == [f"0.95-a#{n + 1}" for n in range(len(records))]
    assert len(records) > 1
    assert sum(len(r["completion"][0]["content"].splitlines()) for r in records) == 6
    for row in records:
        start, end = row["meta"]["span"]
        assert row["prompt"][1]["content"] == added["text"][start:end]
        mentions = [line.split(": ")[1] for line in row["completion"][0]["content"].splitlines()]
        assert all(mention in added["text"][start:end] for mention in mentions)


def of_another_label_set(table: Path, run: Path) -> None:
    facts = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(facts | {"label_set_sha256": "0"}))


def of_sections(table: Path, run: Path) -> None:
    facts = json.loads((run / "manifest.json").read_text())
    facts["options"]["sections"] = "impression"
    (run / "manifest.json").write_text(json.dumps(facts))


def changed(table: Path, run: Path) -> None:
    with (run / "predictions.jsonl").open("a") as handle:
        handle.write("\n")


def unfinished(table: Path, run: Path) -> None:
    (run / "manifest.json").unlink()


def of_other_texts(table: Path, run: Path) -> None:
    table.write_text(table.read_text().replace("There", CANARY).replace("Known", CANARY))


def of_fewer_notes(table: Path, run: Path) -> None:
    table.write_text("\n".join(table.read_text().splitlines()[:2]) + "\n")


MISTAKES = [
    (of_another_label_set, "another label set than the data folder, lesion-2"),
    (of_sections, "the run read the sections impression"),
    (changed, "was changed after the run"),
    (unfinished, "not a folder of a finished labeling run"),
    (of_other_texts, "the entities of the run do not stand in this report"),
    (of_fewer_notes, "1 sure predictions of the run have no report in the input"),
]


@pytest.mark.parametrize(
    ("harm", "words"), MISTAKES, ids=lambda value: getattr(value, "__name__", "")
)
def test_runs_that_do_not_fit(
    round_one: tuple[Path, tuple[Path, Path], Path],
    data: Path,
    tmp_path: Path,
    harm: Callable[[Path, Path], None],
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    table, run = offered(tmp_path / "o", [("0.95-a", 10, "x1"), ("0.95-b", 11, "x2")])
    harm(table, run)
    assert main(command(table, data, run, tmp_path / "out")) == 2
    error = capfd.readouterr().err
    assert words in error
    assert CANARY not in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_runs_without_probabilities_and_folders_of_others(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table, run = offered(tmp_path / "o", [("bare-a", 10, "x1"), ("empty-b", 11, "x2")])
    assert main(command(table, data, run, tmp_path / "out")) == 2
    assert "the run gives no probabilities" in capfd.readouterr().err
    assert main(command(table, data, run, data)) == 2
    assert "--out is the folder of --data" in capfd.readouterr().err
    shutil.copytree(data, tmp_path / "old")
    assert main(command(table, data, run, tmp_path / "old", "--with-empty")) == 2
    assert "the folder already holds" in capfd.readouterr().err
