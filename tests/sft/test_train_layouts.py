"""Whole trainings in each answer layout, from records to labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import REPORTS, varied, write_records

from inference.labeler import Labeler
from labelwright.checkpoint import load_task
from labelwright.errors import CheckpointError, OutputError
from labelwright.label_set import LabelSet
from sft.branches import BranchCollator, BranchLoss
from sft.data import open_records, read_records
from sft.encode import Encoder, Lengths, to_dataset
from sft.train import main

FAST = [
    "--per_device_train_batch_size=6",
    "--num_train_epochs=1",
    "--learning_rate=3e-3",
    "--logging_steps=1",
    "--disable_tqdm=true",
    "--eval_strategy=epoch",
]
LAYOUTS = {"line": ("line",), "branches": ("branches",), "both": ("line", "branches")}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, chexpert: LabelSet) -> Path:
    return write_records(tmp_path_factory.mktemp("records"), chexpert, train=18, said=varied)


def trained(data: Path, start: Path, out: Path, *flags: str) -> dict[str, Any]:
    places = ["--data", str(data), "--output_dir", str(out), "--model_name_or_path", str(start)]
    assert main([*places, *FAST, *flags]) == 0
    facts: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    return facts


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_model_of_each_layout(
    layout: str, data: Path, tiny_checkpoint: Path, tmp_path: Path, chexpert: LabelSet
) -> None:
    out = tmp_path / "model"
    facts = trained(data, tiny_checkpoint, out, "--layout", layout)
    assert load_task(out)[1].layouts == LAYOUTS[layout] == tuple(facts["layouts"])
    first = next(row for row in facts["history"] if "loss" in row)
    assert ("branch_accuracy" in first) == (layout != "line")
    assert ("mean_token_accuracy" in first) == (layout != "branches")
    counts = facts["counts"]["train"]
    due = {"line": 1 + 14 * 3, "branches": 14, "both": 1 + 14 * 3 + 14}[layout]
    assert counts["loss_tokens"] == due * 18, "key, word and mark per observation, and the end"
    mode = Labeler.from_checkpoint(out, device="cpu").describe()["decoding"]["mode"]
    assert mode == ("constrained" if layout == "line" else "one-pass")
    (prediction,) = Labeler.from_checkpoint(out, device="cpu").label([REPORTS[0]])
    assert prediction.complete
    if layout != "both":
        other = "one-pass" if layout == "line" else "constrained"
        with pytest.raises(CheckpointError, match=f"not trained for --decode {other}"):
            Labeler.from_checkpoint(out, device="cpu", decode=other)


def test_the_validation_loss_is_that_of_the_saved_model(
    data: Path, tiny_checkpoint: Path, tmp_path: Path, chexpert: LabelSet
) -> None:
    """Six records in one batch: the mean over all tokens with loss, of line and branches."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = tmp_path / "model"
    facts = trained(data, tiny_checkpoint, out)
    (found,) = [row["eval_loss"] for row in facts["history"] if "eval_loss" in row]
    model: Any = AutoModelForCausalLM.from_pretrained(out, use_safetensors=True)
    tokenizer: Any = AutoTokenizer.from_pretrained(out)
    encoder = Encoder(tokenizer, limit=2048, on_long="error", label_set=chexpert, layout="both")
    assert encoder.answers is not None
    source = open_records(str(data)).validation
    assert source is not None
    rows = to_dataset(encoder.encode(read_records(source, chexpert), Lengths(2048)))
    batch = BranchCollator(encoder.answers.tree, tokenizer.pad_token_id)(list(rows))
    labels = batch.pop("labels")
    loss = BranchLoss(encoder.answers.tree)
    with torch.no_grad():
        columns = loss.kept(labels)
        total, _ = loss(model(**batch, use_cache=False).logits[:, columns], labels, columns)
    assert found == pytest.approx(float(total) / int((labels != -100).sum()), rel=2e-3)


def test_a_folder_belongs_to_one_layout(data: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    trained(data, tiny_checkpoint, out, "--layout=line", "--max_steps=1", "--eval_strategy=no")
    with pytest.raises(OutputError, match=r"another run \(different: layout\)"):
        trained(data, tiny_checkpoint, out, "--max_steps=1", "--eval_strategy=no")


def test_an_adapter_learns_branches_and_labels_as_its_merged_model_does(
    data: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "adapter"
    flags = ["--use_peft", "--merge", "--lora_r=8", "--eval_strategy=no", "--learning_rate=3e-2"]
    trained(data, tiny_checkpoint, out, *flags)
    for decode in ("one-pass", "constrained"):
        pair = [
            Labeler.from_checkpoint(folder, device="cpu", decode=decode).label(list(REPORTS))
            for folder in (out, out / "merged")
        ]
        plain = Labeler.from_checkpoint(tiny_checkpoint, device="cpu", decode="constrained")
        for one, other, base in zip(*pair, plain.label(list(REPORTS)), strict=True):
            assert one.labels == other.labels
            assert one.probs is not None
            assert other.probs is not None
            assert base.probs is not None
            for name, probs in one.probs.items():
                assert probs == pytest.approx(other.probs[name], abs=1e-4)
            assert one.probs != base.probs


def test_muon_trains_the_same_records(data: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    runs = {
        how: trained(data, tiny_checkpoint, tmp_path / how, "--layout=branches", f"--muon={how}")
        for how in ("true", "false")
    }
    assert [run["arguments"]["task"]["muon"] for run in runs.values()] == [True, False]
    first, second = ([r["loss"] for r in run["history"] if "loss" in r] for run in runs.values())
    assert first[0] == pytest.approx(second[0], abs=1e-4)  # before any step
    assert first[-1] < first[0]
    assert abs(first[-1] - second[-1]) > 1e-3


def test_dry_run_shows_the_branches(
    data: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = {}
    for layout in LAYOUTS:
        places = ["--data", str(data), "--output_dir", str(tmp_path / "out")]
        start = ["--model_name_or_path", str(tiny_checkpoint), "--layout", layout]
        assert main([*places, *start, *FAST, "--dry-run"]) == 0
        shown[layout] = capsys.readouterr().out
    said = varied(LabelSet.load("chexpert-14"), 0)
    first = [f"  branch EC« {said['Enlarged Cardiomediastinum'].value}»", "  branch  CM« "]
    for line in first:
        assert line in shown["both"]
        assert line in shown["branches"]
        assert line not in shown["line"]
    assert shown["both"].count("\n  branch ") == 3 * 14
    assert "<|im_start|>assistant\n«EC»" in shown["both"]
    assert "<|im_start|>assistant\n\n  branch EC" in shown["branches"]
    tokens = [int(text.split("tokens          ")[1].split()[0]) for text in shown.values()]
    assert tokens[2] - tokens[0] == 14 * 18, "one more token per observation and record"
