"""A small model trained on notes by heart: training, its folder, and labeling with it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from entity_tools import HEART, NOTES, PLAIN, SURE, found_in, jsonl, write_data

from inference.labeler import Labeler, LabelerOptions
from inference.load import Loaded, load
from inference.prompts import prompt_text
from labelwright.checkpoint import load_task
from labelwright.cli import main as labelwright
from labelwright.errors import CheckpointError, ConfigError, InputError
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Prediction, Reject, Report
from sft.arguments import parse
from sft.data import read_records
from sft.train import main as train


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder."""
    folder = tmp_path_factory.mktemp("entities")
    out = folder / "model"
    assert train(["--data", str(write_data(folder)), "--output_dir", str(out), *HEART]) == 0
    return out


@pytest.fixture(scope="module")
def loaded(model: Path) -> Loaded:
    """The model in memory."""
    return load(model, device="cpu")


def labeled(loaded: Loaded, texts: Sequence[str], **options: Any) -> list[Prediction | Reject]:
    reports = [Report(str(n), text, "s", n + 1) for n, text in enumerate(texts)]
    return Labeler(loaded, LabelerOptions(**options)).label_reports(reports)


def mentions(result: Prediction | Reject) -> list[tuple[str, Any]]:
    assert isinstance(result, Prediction)
    assert result.entities is not None
    return [(entity.type, entity.spans) for entity in result.entities]


def wanted(text: str) -> list[tuple[str, Any]]:
    return [(entity.type, entity.spans) for entity in found_in(text)]


# Training


def test_the_folder_says_what_it_was_trained_for(model: Path) -> None:
    label_set, task = load_task(model)
    assert label_set == PLAIN
    assert (task.prompt_version, task.layouts, task.unit) == ("entities-1", ("line",), "report")
    card = (model / "README.md").read_text()
    assert "writes a line for each mention" in card
    assert "| Drug | Drug | a medicine |" in card
    assert "Certainties" not in card
    assert json.loads((model / "manifest.json").read_text())["layouts"] == ["line"]


def test_words_of_answers_are_tokens_and_mentions_are_those_of_the_text(loaded: Loaded) -> None:
    tokenizer: Any = loaded.tokenizer
    for head in ("none", "Disease", "Drug"):
        assert len(tokenizer(head)["input_ids"]) == 1
    in_text = tokenizer(" cough")["input_ids"]
    assert tokenizer("Disease: cough")["input_ids"][-len(in_text) :] == in_text


def test_a_dry_run_shows_answers_with_their_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path)
    flags = ["--data", str(data), "--output_dir", str(tmp_path / "out"), *HEART, "--dry_run"]
    assert train(flags) == 0
    said = capsys.readouterr().out
    assert "«Disease»«:»" in said.replace("« ", "«")
    assert "records         6 in 6 rows" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ["--layout", "both"],
        ["--layout", "branches"],
        ["--on_long", "cut"],
    ],
    ids=lambda flags: " ".join(flags),
)
def test_what_entities_cannot_be_trained_with(tmp_path: Path, flags: list[str]) -> None:
    start = ["--data", str(write_data(tmp_path)), "--output_dir", str(tmp_path / "out")]
    with pytest.raises(ConfigError, match="is not for records of entities"):
        parse([*start, "--scratch", "tiny", *flags])
    allowed = parse([*start, "--scratch", "tiny", "--packing", "--unit", "sentence"]).task
    assert (allowed.layout, allowed.unit) == ("line", "sentence")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("Fever and cough", "chatter"),
        ("Disorder: fever", "unknown type"),
        ("disease: fever", "type written otherwise"),
        ("", "empty answer"),
        ("none\nDisease: fever", "none beside mentions"),
    ],
)
def test_answers_of_another_form_are_refused(tmp_path: Path, answer: str, why: str) -> None:
    data = write_data(tmp_path)
    lines = (data / "train.jsonl").read_text().splitlines()
    row = json.loads(lines[0])
    row["completion"][0]["content"] = answer
    (data / "train.jsonl").write_text("\n".join([json.dumps(row), *lines[1:]]) + "\n")
    with pytest.raises(InputError, match=f"not as written for the label set \\({why}") as error:
        list(read_records(data / "train.jsonl", PLAIN))
    assert (error.value.row, "ever" in str(error.value)) == (1, False)


def test_a_right_answer_whose_place_cannot_be_found_is_accepted(tmp_path: Path) -> None:
    data = write_data(tmp_path, texts={"a": "feverish fever", "b": "All well."})
    assert len(list(read_records(data / "train.jsonl", PLAIN))) == 2


def test_certainties_are_learned_as_words_of_the_answer(tmp_path: Path) -> None:
    data = write_data(tmp_path, SURE)
    flags = ["--data", str(data), "--output_dir", str(tmp_path / "out"), *HEART, "--dry_run"]
    assert train(flags) == 0
    first = next(iter(read_records(data / "train.jsonl", SURE)))
    assert first.answer.startswith("Disease negated: Fever\n")


# Labeling


def test_notes_learned_by_heart_are_labeled_with_their_places(loaded: Loaded) -> None:
    results = labeled(loaded, list(NOTES.values()))
    for result, text in zip(results, NOTES.values(), strict=True):
        assert mentions(result) == wanted(text)
        assert isinstance(result, Prediction)
        assert (result.labels, result.problems, result.complete) == ({}, (), True)
        assert result.seconds is not None
        for entity in result.entities or ():
            assert entity.text == text[slice(*entity.spans[0])]
            assert 0 < (entity.prob or 0) <= 1


def test_a_probability_is_the_mean_of_what_the_model_itself_gives_the_tokens_of_a_line(
    loaded: Loaded,
) -> None:
    text = "A cough, then fever; aspirin."  # not learned, so that probabilities differ
    (result,) = labeled(loaded, [text])
    assert isinstance(result, Prediction)
    tokenizer: Any = loaded.tokenizer
    prompt = tokenizer(prompt_text(loaded, text))["input_ids"]
    answer = tokenizer(result.raw)["input_ids"] + [tokenizer.eos_token_id]
    model: Any = loaded.model
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([prompt + answer])).logits[0]
    chances = logits[len(prompt) - 1 : -1].double().softmax(-1)
    probs = [float(row[token]) for row, token in zip(chances, answer, strict=True)]
    lines: list[list[float]] = [[]]
    for token, prob in zip(answer, probs, strict=True):
        lines[-1].append(prob)
        if "\n" in tokenizer.decode([token]):
            lines.append([])
    means = sorted(sum(line) / len(line) for line in lines)
    given = sorted(entity.prob or 0 for entity in result.entities or ())
    assert given
    assert given == pytest.approx(means, abs=1e-4)


def test_answers_do_not_depend_on_what_is_asked_beside(loaded: Loaded) -> None:
    texts = [*NOTES.values(), "A cough.", "Fever, fever, fever and aspirin!", "x"]
    one = labeled(loaded, texts, batch_size=1)
    for size in (2, 16):
        for alone, beside in zip(one, labeled(loaded, texts, batch_size=size), strict=True):
            assert isinstance(alone, Prediction)
            assert isinstance(beside, Prediction)
            assert alone.raw == beside.raw
            assert mentions(alone) == mentions(beside)
            for a, b in zip(alone.entities or (), beside.entities or (), strict=True):
                assert a.prob == pytest.approx(b.prob, abs=1e-4)


def test_long_notes_are_read_in_windows_at_places_of_the_whole_note(loaded: Loaded) -> None:
    narrow = replace(loaded, context=150)
    text = "\n\n".join([*NOTES.values()] * 3)
    long, short, endless = labeled(narrow, [text, NOTES["n4"], "x" * 3000])
    assert isinstance(long, Prediction)
    assert any(note.startswith("parts: ") for note in long.notes)
    assert long.entities
    for entity in long.entities:
        assert not entity.spans or entity.text == text[slice(*entity.spans[0])]
    starts = [entity.start for entity in long.entities if entity.spans]
    assert starts == sorted(set(starts))
    assert starts[-1] > len(text) / 2
    assert mentions(short) == wanted(NOTES["n4"])
    assert isinstance(endless, Reject)
    assert endless.reason == "too long for the model: a word without end"
    (rejected,) = labeled(narrow, [text], long="reject")
    assert isinstance(rejected, Reject)
    assert rejected.reason.startswith("too long for the model: ")


def test_sentence_by_sentence_a_note_is_what_its_sentences_are(loaded: Loaded) -> None:
    alone = [NOTES["n4"], NOTES["n1"], NOTES["n5"], NOTES["n2"]]
    text = "\n\n".join([*alone, *alone])
    (result,) = labeled(loaded, [text], unit="sentence")
    assert mentions(result) == wanted(text)
    assert isinstance(result, Prediction)
    assert (result.problems, result.notes) == ((), ())
    assert Labeler(loaded, LabelerOptions(unit="sentence")).describe()["decoding"]["unit"] == (
        "sentence"
    )


def test_an_answer_that_does_not_end_is_cut_at_the_room_of_its_text(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.engine.MOST_TOKENS", 6)
    monkeypatch.setattr("inference.engine.MOST_SHARE", 0)
    one, two, none = labeled(loaded, [NOTES["n2"], NOTES["n0"], NOTES["n1"]])
    assert isinstance(one, Prediction)
    assert one.problems == ("cut off",)  # one sentence, which cannot be divided
    assert mentions(one) == wanted(NOTES["n2"])[:1]
    assert isinstance(two, Prediction)
    assert "parts: 2" in two.notes
    assert mentions(none) == []


@pytest.mark.parametrize(
    "options",
    [
        {"decode": "one-pass"},
        {"evidence": "context"},
        {"batch_tokens": 64},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_means_nothing_to_entities_is_refused(loaded: Loaded, options: Any) -> None:
    with pytest.raises(ConfigError, match="is not for entities"):
        Labeler(loaded, LabelerOptions(**options))


def test_the_manifest_says_how_answers_come_about(loaded: Loaded) -> None:
    said = Labeler(loaded, LabelerOptions()).describe()
    assert said["prompt_version"] == "entities-1"
    assert said["decoding"]["mode"] == "constrained"
    said = Labeler(loaded, LabelerOptions(decode="free")).describe()
    assert said["decoding"]["mode"] == "free"
    assert said["decoding"]["unit"] == "report"


def test_texts_are_labeled_without_reports_too(model: Path) -> None:
    labeler = Labeler.from_checkpoint(model, device="cpu")
    one, empty = labeler.label([NOTES["n2"], " "])
    assert mentions(one) == wanted(NOTES["n2"])
    assert (empty.entities, empty.complete, empty.problems) == (
        None,
        False,
        ("the report is empty",),
    )


def test_a_model_of_another_label_set_is_refused(model: Path) -> None:
    with pytest.raises(CheckpointError):
        Labeler.from_checkpoint(model, label_set=LabelSet.load("disease-1"), device="cpu")


# The command


def files(folder: Path) -> Path:
    notes = folder / "notes"
    notes.mkdir()
    for name, text in NOTES.items():
        (notes / f"{name}.txt").write_text(text)
    return notes


def test_the_command_labels_a_folder_of_notes(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes, out = files(tmp_path), tmp_path / "out"
    command = ["label", str(notes), "--model", str(model), "--out", str(out), "--device", "cpu"]
    assert labelwright([*command, "--also", "parquet,omop"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("6 rows: 6 labeled, 0 rejected; ")
    assert said.endswith(f"-> {out}/entities.csv, {out}/predictions.parquet, {out}/note_nlp.csv\n")
    with open(out / "entities.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    expected = [
        (i, e.type, str(e.start), str(e.end)) for i, t in NOTES.items() for e in found_in(t)
    ]
    found = [(Path(row["id"]).stem, row["type"], row["start"], row["end"]) for row in rows]
    assert found == expected
    again = [Prediction.from_json(row, PLAIN) for row in jsonl(out / "predictions.jsonl")]
    assert all(isinstance(e, Entity) and e.prob for p in again for e in p.entities or ())
    assert labelwright(command) == 0
    assert capsys.readouterr().out.startswith("already finished")


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--decode", "one-pass"], "--decode one-pass is not for entities"),
        (["--evidence", "exact"], "--evidence is not for entities"),
        (["--sections", "findings"], "entities are found in whole texts"),
        (["--also", "fhir"], "--also fhir is not for label sets of task 'entities'"),
        (["--calibration", "c.json"], "--calibration is for probabilities"),
    ],
)
def test_flags_that_mean_nothing_are_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], why: str
) -> None:
    notes = files(tmp_path)
    command = ["label", str(notes), "--model", str(model), "--out", str(tmp_path / "out")]
    assert labelwright([*command, *flags]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out" / "predictions.jsonl").exists()
