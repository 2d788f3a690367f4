"""Reading by sentence with a model: what is asked how often, what is refused, the command."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from close_tools import TOLERANCE
from conftest import REPORTS
from decoding_tools import KNEE, B, make_loaded

from inference.decode import by_sentence
from inference.decode.by_sentence import SentenceReader
from inference.decode.decoder import DecodeOptions, Decoder
from inference.decode.one_pass import OnePass
from inference.engine import TextReader
from inference.labeler import Labeler, LabelerOptions
from inference.load import Loaded
from inference.prompts import Prompt, PromptWriter, Refusal
from labelwright.checkpoint import TASK_FILE
from labelwright.cli import main
from labelwright.errors import CheckpointError, ConfigError
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask
from labelwright.records import Answer, Prediction, Reject, Report

NOTHING = "the report says nothing beside indication, comparison and the like"


class Counted:
    """A model's own decoder; remembers how many prompts each call gave it."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.calls: list[int] = []
        self.room = decoder.room
        self.describe = decoder.describe

    def decode(self, prompts: Sequence[Prompt]) -> list[Answer]:
        self.calls.append(len(prompts))
        return self.decoder.decode(prompts)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """A model with random weights whose answers differ from sentence to sentence."""
    return make_loaded("qwen2", KNEE)


def reader_of(loaded: Loaded, long: str = "windows") -> tuple[SentenceReader, Counted]:
    counted = Counted(OnePass(loaded, DecodeOptions(batch_size=4, batch_tokens=512)))
    writer = PromptWriter(loaded, room=counted.room)
    reader = TextReader(loaded.label_set, writer, counted, long=long)
    return SentenceReader(loaded.label_set, reader), counted


def read(reader: SentenceReader, *texts: str) -> list[Answer | Refusal]:
    return reader.read([Ask(text) for text in texts])


def without_time(answer: Answer | Refusal) -> Answer:
    assert isinstance(answer, Answer), answer
    return replace(answer, seconds=0.0)


def test_a_sentence_is_asked_once_for_all_reports(loaded: Loaded) -> None:
    reader, counted = reader_of(loaded)
    first = read(reader, "A mass. Clear. A mass.", "Clear.", "1.  Clear.\nA\nmass.")
    assert counted.calls == [2]
    again = read(reader, "Clear. A mass.", "A mass.\n\nNormal.")
    assert counted.calls == [2, 1]
    read(reader, "Normal.")
    assert counted.calls == [2, 1], "no pass at all where all is known"
    evidence_apart = [replace(without_time(a), evidence=None) for a in (first[0], first[2])]
    assert evidence_apart[0] == evidence_apart[1], "a sentence twice says no more than once"
    fresh, _ = reader_of(loaded)
    for answer, text in zip(again, ("Clear. A mass.", "A mass.\n\nNormal."), strict=True):
        wanted = without_time(read(fresh, text)[0])
        assert without_time(answer).value == wanted.value
        assert without_time(answer).evidence == wanted.evidence


def test_seconds_are_those_of_the_new_sentences_only(loaded: Loaded) -> None:
    reader, counted = reader_of(loaded)
    spent = 0.0
    decode = counted.decoder.decode

    def timed(prompts: Sequence[Prompt]) -> list[Answer]:
        nonlocal spent
        answers = decode(prompts)
        spent += sum(answer.seconds for answer in answers)
        return answers

    counted.decoder.decode = timed  # type: ignore[method-assign]
    found = read(reader, "A mass. Clear.", "Clear.", "Normal. Clear. A tear.")
    seconds = [answer.seconds for answer in found if isinstance(answer, Answer)]
    assert seconds[0] > 0
    assert seconds[1] == 0
    assert seconds[2] > 0
    assert sum(seconds) == pytest.approx(spent)
    assert [a.seconds for a in read(reader, "A tear.") if isinstance(a, Answer)] == [0]


def test_memory_is_bounded_and_keeps_what_was_used_last(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_sentence, "REMEMBERED", 2)
    monkeypatch.setattr(by_sentence, "LONGEST", 20)
    reader, counted = reader_of(loaded)
    for text, new in (
        ("A. B.", 2), ("A.", 0), ("C.", 1), ("A. C.", 0), ("B.", 1), ("C. B.", 0), ("A.", 1),
        ("B. C. A. D.", 2), ("Longer than twenty letters.", 1), ("Longer than twenty letters.", 1),
    ):  # fmt: skip
        before = sum(counted.calls)
        assert isinstance(read(reader, text)[0], Answer)
        assert sum(counted.calls) - before == new, text


def test_a_long_sentence_is_read_in_windows_or_refused(loaded: Loaded) -> None:
    narrow = replace(loaded, context=64)
    text = f"Clear. {'mass and ' * 60}tear. Normal."
    reader, counted = reader_of(narrow)
    (answer,) = read(reader, text)
    assert isinstance(answer, Answer)
    assert counted.calls[0] > 4
    assert any(note.startswith("windows: ") for note in answer.notes)
    spans = {tuple(span) for own in (answer.evidence or {}).values() for span in own}
    assert spans <= {(0, 6), (7, len(text) - 8), (len(text) - 7, len(text))}
    reader, counted = reader_of(narrow, long="reject")
    refused, fine = read(reader, text, "Clear.")
    assert isinstance(refused, Refusal)
    assert refused.reason.startswith("too long for the model")
    assert isinstance(fine, Answer)
    (refused,) = read(reader, f"Clear. {'x' * 5000}")
    assert isinstance(refused, Refusal)


def test_refused_reports_stand_between_the_others(loaded: Loaded) -> None:
    labeler = Labeler(loaded, LabelerOptions(unit="sentence"))
    texts = ["Clear.", "", "INDICATION: Mass.", "A tear.", "7"]
    results = labeler.label_reports(
        [Report(str(row), text, "file", row) for row, text in enumerate(texts)]
    )
    assert [result.id for result in results] == ["0", "1", "2", "3", "4"]
    reasons = {r.id: r.reason for r in results if isinstance(r, Reject)}
    assert reasons == {
        "1": "the report is empty", "2": NOTHING, "4": "the report holds no words",
    }  # fmt: skip


def test_one_sentence_is_answered_as_a_report_of_one_sentence(loaded: Loaded) -> None:
    texts = ["Small left effusion.", "A mass in the right lung.", "Clear lungs."]
    by_sentence_ = Labeler(loaded, LabelerOptions(unit="sentence")).label(texts)
    by_report = Labeler(loaded, LabelerOptions(unit="report")).label(texts)
    for one, other in zip(by_sentence_, by_report, strict=True):
        assert one.labels == other.labels
        assert one.probs is not None
        for name, probs in (other.probs or {}).items():
            assert one.probs[name] == pytest.approx(probs, abs=TOLERANCE)


@pytest.mark.parametrize("decode", ["one-pass", "constrained"])
def test_deterministic_means_to_the_last_bit(loaded: Loaded, decode: str) -> None:
    seen: dict[str, set[str]] = {}
    for order in (REPORTS, REPORTS[::-1], REPORTS[5:8]):
        options = LabelerOptions(unit="sentence", decode=decode, deterministic=True)
        for text, found in zip(order, Labeler(loaded, options).label(order), strict=True):
            seen.setdefault(text, set()).add(repr(replace(found, id="", seconds=None)))
    assert {len(found) for found in seen.values()} == {1}


# The choice


def with_unit(source: Path, folder: Path, unit: Any) -> Path:
    shutil.copytree(source, folder)
    task = json.loads((folder / TASK_FILE).read_text())
    (folder / TASK_FILE).write_text(json.dumps(task | {"unit": unit}))
    return folder


def unit_of(labeler: Labeler) -> str:
    return str(labeler.describe()["decoding"]["unit"])


def test_the_model_says_what_it_reads_and_the_user_may_say_otherwise(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    folder = with_unit(tiny_checkpoint, tmp_path / "model", "sentence")
    assert unit_of(Labeler.from_checkpoint(folder, device="cpu")) == "sentence"
    assert unit_of(Labeler.from_checkpoint(folder, device="cpu", unit="report")) == "report"
    assert unit_of(Labeler.from_checkpoint(tiny_checkpoint, device="cpu")) == "report"
    old = with_unit(tiny_checkpoint, tmp_path / "old", "report")
    task = json.loads((old / TASK_FILE).read_text())
    del task["unit"]
    (old / TASK_FILE).write_text(json.dumps(task))
    assert unit_of(Labeler.from_checkpoint(old, device="cpu")) == "report", "written before units"


@pytest.mark.parametrize("unit", ["word", None, ["sentence"], 1])
def test_an_unknown_unit_is_refused(tiny_checkpoint: Path, tmp_path: Path, unit: Any) -> None:
    folder = with_unit(tiny_checkpoint, tmp_path / "model", unit)
    with pytest.raises(CheckpointError, match="damaged or of another version"):
        Labeler.from_checkpoint(folder, device="cpu")
    if isinstance(unit, str):
        with pytest.raises(ConfigError, match="choose one of: report, sentence"):
            LabelerOptions(unit=unit)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as handle:
        yield from map(json.loads, handle)


def test_the_command_reads_by_sentence_and_a_folder_belongs_to_one_unit(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], chexpert: LabelSet
) -> None:
    table, out = tmp_path / "reports.csv", tmp_path / "out"
    texts = [
        "INDICATION: Cough.\nFINDINGS: Clear lungs. No edema.",
        "COMPARISON: None.",
        REPORTS[0],
    ]
    with table.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([["id", "text"], *zip("abc", texts, strict=True)])
    command = [
        "label",
        str(table),
        "--model",
        str(tiny_checkpoint),
        "--out",
        str(out),
        "--sections",
        "full",
    ]
    assert main([*command, "--unit", "sentence"]) == 0
    assert [(row["id"], row["reason"]) for row in rows(out / "rejects.jsonl")] == [("b", NOTHING)]
    for row in rows(out / "predictions.jsonl"):
        found = Prediction.from_json(row, chexpert)
        said = {name for name, label in found.labels.items() if label is not B}
        assert set(found.evidence or {}) == said - {"No Finding"}
        assert set(found.labels) == set(chexpert.names)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["labeler"]["decoding"]["unit"] == "sentence"
    capsys.readouterr()
    assert main([*command, "--unit", "report"]) == 2
    assert "differs in labeler.decoding.unit" in capsys.readouterr().err
    assert main([*command, "--unit", "sentence", "--evidence", "context"]) == 2
    assert "leave --evidence out, or give --unit report" in capsys.readouterr().err
    assert (
        main(["label", str(table), "--model", "rules", "--out", str(out), "--unit", "report"]) == 2
    )
    assert "--unit does not apply to the rules" in capsys.readouterr().err
