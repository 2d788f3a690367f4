"""``labelwright build`` and ``label-set`` on the command line, for label sets of entities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labelwright.cli import main
from labelwright.label_set import LabelSet, shipped_names
from labelwright.prompt import system_prompt
from labelwright.tasks.entities.answer import parse, render

EXAMPLE = Path(__file__).parents[2] / "examples" / "notes.jsonl"


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_example_notes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every step at once: splits by patient, windows, copies, tags."""
    out = tmp_path / "out"
    base = ["build", str(EXAMPLE), "--label-set", "disease-1", "--split", "0.6,0.2,0.2"]
    more = ["--windows", "12", "--oversample", "rare", "--tags", "bioes"]
    assert main([*base, *more, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "30 rows in = 30 records + 0 rejected" in shown
    assert "46 entities in = 46 in records + 0 in rejected notes + 0 left out" in shown
    patients = []
    gold = []
    for split in ("train", "validation", "test"):
        reports = rows(out / f"{split}.reports.jsonl")
        patients.append({report["patient"] for report in reports})
        texts = {report["id"]: report["text"] for report in reports}
        for row in rows(out / f"{split}.entities.jsonl"):
            for entity in row["entities"]:
                (span,) = entity["spans"]
                assert texts[row["id"]][slice(*span)] == entity["text"]
                gold.append(entity["text"])
        tags = (out / f"{split}.conll").read_text()
        assert tags.count("# id = ") == len(reports)
        starts = tags.count("\tB-Disease") + tags.count("\tS-Disease")
        assert starts == sum(len(row["entities"]) for row in rows(out / f"{split}.entities.jsonl"))
    assert len(gold) == 46
    assert not patients[0] & patients[1]
    assert not patients[2] & (patients[0] | patients[1])
    windows = json.loads((out / "manifest.json").read_text())["windows"]
    records = [row["id"] for row in rows(out / "train.jsonl")]
    assert sum("#" in name for name in records) == windows["windows"]["train"] > 0
    assert "notes of train and validation stand in" in shown


def test_other_formats_give_the_same_folder(tmp_path: Path) -> None:
    found = {}
    for name, made in (
        (None, EXAMPLE),
        ("brat", "notes"),
        ("doccano", "reports.jsonl"),
        ("conll", "reports.conll"),
    ):
        path, out = Path(made), tmp_path / f"out-{name}"
        if name is not None:
            folder = tmp_path / name
            assert main(["convert", str(EXAMPLE), "--to", name, "--out", str(folder)]) == 0
            path = folder / made
        base = ["build", str(path), "--label-set", "disease-1", "--split", "none"]
        assert main([*base, "--out", str(out)]) == 0
        found[name] = sorted(row["completion"][0]["content"] for row in rows(out / "train.jsonl"))
    # CoNLL evens out white space and knows no text beside its tokens; the others are the same
    assert len(found[None]) == 30
    assert found["brat"] == found[None]
    assert found["doccano"] == found[None]
    assert "Disease: community - acquired pneumonia\nDisease: asthma" in found["conll"]
    assert len(found["conll"]) == 30


def test_preview(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["build", str(EXAMPLE), "--label-set", "disease-1", "--preview", "1"]
    assert main(base) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("=== note01\n--- system\nYou extract entities")
    assert shown.endswith("--- assistant\nDisease: community-acquired pneumonia\nDisease: asthma\n")
    assert main([*base, "--windows", "10"]) == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith("===")] == [
        "=== note01#1",
        "=== note01#2",
    ]
    assert shown.endswith("--- assistant\nnone\n")
    unknown = tmp_path / "n.jsonl"
    entity = {"type": "Organ", "spans": [[0, 4]], "text": "Lung"}
    unknown.write_text(json.dumps({"id": "a", "text": "Lung.", "entities": [entity]}) + "\n")
    assert main(["build", str(unknown), *base[2:]]) == 2
    assert "label set disease-1 lacks: Organ; map a type with" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", [name for name in shipped_names() if LabelSet.load(name).task == "entities"]
)
def test_shipped_label_sets(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The prompt names every type, and a model that copies the example is understood."""
    label_set = LabelSet.load(name)
    prompt = system_prompt(label_set)
    for label in label_set.labels:
        assert f"{label.key} ({label.name})" in prompt or f"{label.key}: " in prompt
        assert label.description in prompt
    (example,) = label_set.examples
    answer = render(label_set, example.entities)
    read = parse(label_set, answer, example.text, ended=True)
    assert read.value == example.entities
    assert (read.problems, read.notes) == ((), ())
    assert answer in prompt
    assert main(["label-set", "show", name]) == 0
    assert capsys.readouterr().out.endswith(f"# an answer\n{answer}\n")


def test_show_and_check_label_sets_of_entities(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label-set", "check", "disease-1"]) == 0
    assert capsys.readouterr().out.startswith("disease-1 1.0: 1 type of entities that stand apart")
    assert main(["label-set", "show", "disease-1"]) == 0
    shown = capsys.readouterr().out
    assert "# prompt\nYou extract entities" in shown
    assert "# an answer\nDisease: " in shown


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--labels", "rules"), "--labels is for label sets of the task certainty, and the t"),
        (("--augment", "2"), "--augment is for label sets of the task certainty"),
        (("--sections", "both"), "--sections both would cut the notes that the entities stand in"),
        (("--only-types", "Sign"), "--only-types: label set disease-1 has no type 'Sign'"),
        (("--rename-type", "Sign"), "argument --rename-type: must be OLD=NEW"),
        (("--rename-type", "a=Disease", "--rename-type", "a=b"), "--rename-type a is given twice"),
        (
            ("--label-set", "head-ct-5", "--overlaps", "longest"),
            "--overlaps is for label sets",
        ),
    ],
)
def test_flags_that_do_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], words: str
) -> None:
    notes = tmp_path / "notes.jsonl"
    notes.write_text('{"id": "a", "text": "No flu."}\n')
    out = tmp_path / "out"
    base = ["build", str(notes), "--label-set", "disease-1", "--out", str(out)]
    try:
        code = main([*base, *flags])
    except SystemExit as exit_:
        code = int(str(exit_.code))
    assert code == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_no_text_of_a_note_is_in_any_file_that_is_not_private(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A word of every note, marked or not, of notes that are used and of notes that are not."""
    canary = "zanzibar"
    text = f"{canary} has flu and gout {canary}"

    def note(name: str, *spans: tuple[int, int], kind: str = "Disease") -> dict[str, Any]:
        marked = [{"type": kind, "spans": [[a, b]], "text": text[a:b]} for a, b in spans]
        return {"id": name, "text": f"{text} {name}", "entities": marked}

    bad = note("bad", (0, 8))
    bad["entities"][0]["text"] = f"{canary}s"
    notes = [
        note("good", (13, 16), (21, 25)),
        note("overlapping", (0, 16), (13, 25)),
        note("all", (0, 34)),
        bad,
        {"id": "unknown", "text": text},
    ]
    source, out, table = tmp_path / "n.jsonl", tmp_path / "out", tmp_path / "table.yaml"
    source.write_text("".join(json.dumps(row) + "\n" for row in notes))
    table.write_text('name: t\nversion: "1"\nlower_case: true\n')
    base = ["build", str(source), "--label-set", "disease-1", "--split", "none", "--tags", "bio"]
    more = ["--windows", "4", "--normalise", str(table), "--out", str(out)]
    assert main([*base, *more]) == 0
    source.write_text(json.dumps(note("x", (0, 8), kind="Person")) + "\n")
    assert main([*base, *more, "--overwrite"]) == 2
    shown = capsys.readouterr()
    assert canary not in shown.out + shown.err
    private = {path.name for path in out.iterdir() if path.stat().st_mode & 0o777 == 0o600}
    assert private == {
        *("train.jsonl", "train.reports.jsonl", "train.entities.jsonl", "train.conll"),
        "rejects.jsonl",
    }
    for path in out.iterdir():
        holds = canary in path.read_text()
        assert holds == (path.name in private - {"rejects.jsonl"})
    assert len(rows(out / "rejects.jsonl")) == 3


def test_an_input_in_the_folder_that_is_replaced_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "normalise.yaml").write_text('name: t\nversion: "1"\nlower_case: true\n')
    base = ["build", str(EXAMPLE), "--label-set", "disease-1", "--out", str(out), "--overwrite"]
    assert main([*base, "--normalise", str(out / "normalise.yaml")]) == 2
    assert "is read and stands in --out, whose files are replaced" in capsys.readouterr().err
