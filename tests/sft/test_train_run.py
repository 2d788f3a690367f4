"""Whole trainings of a tiny model on the CPU, in this process."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import REPORTS, write_records
from safetensors.torch import load_file

from inference.labeler import Labeler
from labelwright.checkpoint import load_task
from labelwright.errors import CheckpointError, ConfigError, MissingExtraError, OutputError
from labelwright.io.jsonl import read_jsonl
from labelwright.io.manifest import sha256_file, sha256_model
from labelwright.label_set import LabelSet
from labelwright.tasks.certainty.answer import parse
from sft import load
from sft.train import main

FAST = [
    "--per_device_train_batch_size=8",
    "--num_train_epochs=2",
    "--learning_rate=3e-3",
    "--logging_steps=1",
    "--disable_tqdm=true",
]


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, records_folder: Path, tiny_checkpoint: Path
) -> Path:
    out = tmp_path_factory.mktemp("runs") / "full"
    flags = ["--model_name_or_path", str(tiny_checkpoint), "--eval_strategy=epoch", *FAST]
    flags += ["--license", "apache-2.0"]
    assert main(["--data", str(records_folder), "--output_dir", str(out), *flags]) == 0
    return out


def read(folder: Path, name: str = "manifest.json") -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_the_folder_is_complete(trained: Path, chexpert: LabelSet) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    names = {path.name for path in trained.iterdir() if path.is_file()}
    assert {"model.safetensors", "tokenizer.json", "label_set.yaml", "labelwright.json"} <= names
    assert {"README.md", "manifest.json", "run.json", "generation_config.json"} <= names
    assert not {name for name in names if name.endswith((".bin", ".pt", ".pkl"))}
    label_set, info = load_task(trained)
    assert label_set == chexpert
    assert (info.sections, info.layouts, info.base_model) == ("both", ("line", "branches"), "tiny")
    model = AutoModelForCausalLM.from_pretrained(trained, use_safetensors=True)
    tokenizer = AutoTokenizer.from_pretrained(trained)
    assert tokenizer.eos_token_id in model.generation_config.eos_token_id
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert model.config.use_cache is True


def test_a_training_says_what_it_has_learned(
    trained: Path, learned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six steps teach nothing; by heart, the F1 is that of the labels that the folder gives."""
    short = read(trained)["learned"]
    assert not short["better_than_fixed"]
    flags = ["--layout=line", "--max_steps=1", "--learning_rate=1e-9", "--save_strategy=no"]
    records, line = learned.parent, tmp_path / "line"
    start = ["--model_name_or_path", str(learned), "--output_dir", str(line)]
    assert main(["--data", str(records), *start, *FAST, *flags]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    for folder, decode in ((learned, "one-pass"), (line, "free")):
        said = read(folder)["learned"]
        right = given = wanted = 0
        labeler = Labeler.from_checkpoint(folder, device="cpu", decode=decode)
        rows = [row for _, row in read_jsonl(records / "validation.jsonl")]
        for row, found in zip(
            rows, labeler.label([r["prompt"][1]["content"] for r in rows]), strict=True
        ):
            gold = parse(labeler.label_set, row["completion"][0]["content"], ended=True).value
            for name, certainty in (gold or {}).items():
                hit = certainty == found.labels[name]
                right += hit and certainty != "blank"
                given += found.labels[name] != "blank"
                wanted += certainty != "blank"
        assert said["validation_reports"] == len(rows) == 6
        assert said["f1_of_findings"] == round(2 * right / (given + wanted), 6) > 0.8
        assert said["better_than_fixed"]
    assert last.startswith(f"labelwright: {line}: trained in 1 step; F1 ")
    assert "on 6 validation reports, one fixed answer for all gets" in last


def test_the_loss_falls_and_the_manifest_tells_all(trained: Path, records_folder: Path) -> None:
    facts = read(trained)
    losses = [row["loss"] for row in facts["history"] if "loss" in row]
    assert len(losses) == facts["steps"] == 6
    assert losses[-1] < 0.85 * losses[0]
    assert sum("eval_loss" in row for row in facts["history"]) == 2
    assert facts["counts"]["train"]["records"] == 24
    assert facts["counts"]["validation"]["records"] == 6
    assert facts["inputs"][0]["sha256"] == sha256_file(records_folder / "train.jsonl")
    assert facts["arguments"]["training"]["learning_rate"] == 3e-3
    assert {"torch", "trl"} <= set(facts["versions"])


def test_frozen_embeddings_stay(
    tmp_path: Path, records_folder: Path, tiny_checkpoint: Path
) -> None:
    """To the last bit, while every other weight is trained."""
    out = tmp_path / "out"
    flags = ["--model_name_or_path", str(tiny_checkpoint), "--freeze_embeddings", *FAST]
    assert main(["--data", str(records_folder), "--output_dir", str(out), *flags]) == 0
    before, after = (load_file(f / "model.safetensors") for f in (tiny_checkpoint, out))
    same = [name for name in before if torch.equal(before[name], after[name])]
    assert same == ["model.embed_tokens.weight"]


def test_model_card_and_metrics(trained: Path) -> None:
    from huggingface_hub import ModelCard

    card = (trained / "README.md").read_text(encoding="utf-8")
    data = ModelCard(card).data
    assert (data.license, data.language, data.pipeline_tag) == (
        "apache-2.0",
        "en",
        "text-generation",
    )
    assert "base_model" not in data.to_dict()  # a folder of this machine says nothing elsewhere
    scores = {r.metric_name: r.metric_value for r in data.eval_results}
    assert scores["micro F1 of findings"] == read(trained)["learned"]["f1_of_findings"]
    assert "Not a medical device" in card
    assert "| Pleural Effusion | PE |" in card
    assert "training records: 24" in card
    assert not any(report in card for report in REPORTS)
    assert list((trained / "tensorboard").rglob("events.out.tfevents.*"))


def test_time_and_training_state_are_no_part_of_the_models_hash(trained: Path) -> None:
    before = sha256_model(trained)
    path = trained / "manifest.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + " ", encoding="utf-8")
    assert sha256_model(trained) == before
    path.write_text(text, encoding="utf-8")


def again(trained: Path, records: Path, start: Path, *flags: str) -> int:
    base = ["--data", str(records), "--output_dir", str(trained), *FAST, "--eval_strategy=epoch"]
    return main([*base, "--model_name_or_path", str(start), *flags])


def test_a_finished_run_is_left_alone(
    trained: Path, records_folder: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (trained / "manifest.json").read_bytes()
    assert again(trained, records_folder, tiny_checkpoint) == 0
    assert "is finished; nothing to do" in capsys.readouterr().err
    assert (trained / "manifest.json").read_bytes() == before


def test_another_runs_folder_is_refused(
    trained: Path, records_folder: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=r"another run \(different: learning_rate\)"):
        again(trained, records_folder, tiny_checkpoint, "--learning_rate=1e-5")
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty and holds no training run"):
        again(tmp_path, records_folder, tiny_checkpoint)
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        again(tmp_path / "new", records_folder, tiny_checkpoint, "--resume", str(tmp_path))


def test_dry_run_shows_the_mask_and_writes_nothing(
    records_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    flags = ["--scratch=small", "--packing", "--max_length=256", "--dry-run", *FAST]
    line = ["--layout=line"]
    assert main(["--data", str(records_folder), "--output_dir", str(out), *line, *flags]) == 0
    shown = capsys.readouterr().out
    assert not out.exists()
    assert "branch" not in shown
    assert shown.count("--- example") == 3
    assert f"{REPORTS[0]} Series 0.<|im_end|>" in shown
    assert "<|im_start|>assistant\n«EC»« blank»«,»« CM»« blank»" in shown
    assert "« NF»« blank»«.»«<|im_end|>»" in shown
    for line in ("records         24 in ", "steps  ", "longest record", "memory          about"):
        assert line in shown


def test_records_too_long_for_the_model_stop_the_run_but_not_for_ever(
    records_folder: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="24 records are longer than 58 tokens"):
        again(out, records_folder, tiny_checkpoint, "--max_length=58")
    flags = ["--max_length=72", "--on-long=cut", "--max_steps=1", "--eval_strategy=no"]
    assert again(out, records_folder, tiny_checkpoint, *flags) == 0
    counts = read(out)["counts"]["train"]
    assert counts["cut_too_long"] > 0
    assert counts["records"] == 24


@pytest.mark.parametrize("quantised", [False, True])
def test_adapters_are_saved_and_merged(
    quantised: bool, records_folder: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if quantised:
        pytest.importorskip("bitsandbytes")
    flags = ["--use_peft", "--merge", "--load_in_4bit" if quantised else "--lora_r=8", *FAST]
    start = ["--model_name_or_path", str(tiny_checkpoint)]
    out = tmp_path / "adapter"
    assert main(["--data", str(records_folder), "--output_dir", str(out), *start, *flags]) == 0
    assert (out / "adapter_model.safetensors").is_file()
    assert not (out / "model.safetensors").exists()
    base = read(out, "adapter_config.json")["base_model_name_or_path"]
    assert Path(base).is_absolute()
    for folder in (out, out / "merged"):
        load_task(folder)
        assert ("QLoRA" if quantised else "LoRA") in (folder / "README.md").read_text()
    merged = AutoModelForCausalLM.from_pretrained(out / "merged", use_safetensors=True)
    plain = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, use_safetensors=True)
    adapted = PeftModel.from_pretrained(plain, str(out))
    tokens = AutoTokenizer.from_pretrained(out)(REPORTS[0], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        difference = merged(tokens).logits - adapted(tokens).logits
        moved = merged(tokens).logits - adapted.unload()(tokens).logits
    assert difference.abs().max() < 1e-4
    assert moved.abs().max() > 1e-3


def test_going_on_from_a_model_of_another_label_set(
    tiny_checkpoint: Path, tmp_path: Path, chexpert: LabelSet
) -> None:
    head = LabelSet.load("head-ct-5")
    (tmp_path / "records").mkdir()
    write_records(tmp_path / "records", head)
    out = tmp_path / "out"
    flags = ["--eval_strategy=no", "--max_steps=1"]
    with pytest.raises(CheckpointError, match=r"trained on label set chexpert-14 .*head-ct-5"):
        again(out, tmp_path / "records", tiny_checkpoint, *flags)
    flags.append("--new-label-set")
    assert again(out, tmp_path / "records", tiny_checkpoint, *flags) == 0
    assert load_task(out)[0] == head


@pytest.mark.parametrize(("flags", "unit"), [([], "sentence"), (["--unit=report"], "report")])
def test_what_a_model_reads_at_once_stays_when_it_is_trained_further(
    flags: list[str], unit: str, tiny_checkpoint: Path, records_folder: Path, tmp_path: Path
) -> None:
    start = tmp_path / "start"
    shutil.copytree(tiny_checkpoint, start)
    task = read(start, "labelwright.json") | {"unit": "sentence"}
    (start / "labelwright.json").write_text(json.dumps(task), encoding="utf-8")
    out = tmp_path / "out"
    assert again(out, records_folder, start, "--eval_strategy=no", "--max_steps=1", *flags) == 0
    assert load_task(out)[1].unit == unit
    assert read(out)["unit"] == unit


def lose_a_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
    "weights": (lambda f: (f / "model.safetensors").unlink(), "no weights in safetensors"),
    "config": (lambda f: (f / "config.json").unlink(), r"no config\.json"),
    "adapter": (lambda f: (f / "adapter_config.json").write_text("{}"), "an adapter only"),
    "one weight": (lose_a_weight, r"1 weights .* model\.norm\.weight"),
    "torn": (lambda f: (f / "config.json").write_text("{"), "cannot be loaded"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_incomplete_model_folders(
    name: str, tiny_checkpoint: Path, records_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, folder)
    damage, message = DAMAGE[name]
    damage(folder)
    with pytest.raises(CheckpointError, match=message):
        again(tmp_path / "out", records_folder, folder)


def test_models_that_are_not_here(
    records_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="no such model folder"):
        again(tmp_path / "out", records_folder, Path("./nope"), "--model_name_or_path=./nope")
    for name in (
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    load.hub_reachable.cache_clear()
    with pytest.raises(ConfigError, match=r"^no/such-model is not on this machine.*local model"):
        again(tmp_path / "out", records_folder, Path("no/such-model"))
    load.hub_reachable.cache_clear()


def test_quantised_base_without_bitsandbytes(
    records_folder: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "bitsandbytes" else find(name, *rest),
    )
    flags = ["--use_peft", "--load_in_4bit", "--eval_strategy=no"]
    with pytest.raises(MissingExtraError, match=r"needs the package bitsandbytes.*train-gpu"):
        again(tmp_path / "out", records_folder, tiny_checkpoint, *flags)


def test_a_full_disk_is_one_line_and_the_run_goes_on_later(
    records_folder: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    """The limit on a file's size stands in for the disk: the weights do not fit under it."""
    resource = pytest.importorskip("resource")
    out, flags = tmp_path / "out", ["--eval_strategy=no", "--save_steps=2"]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(OutputError, match=r"out: .*cannot be written; free space"):
            again(out, records_folder, tiny_checkpoint, *flags)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (out / "manifest.json").exists()
    assert again(out, records_folder, tiny_checkpoint, *flags) == 0
    assert (out / "model.safetensors").is_file()


def test_validation_is_asked_for_and_missing(
    records_folder: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    shutil.copytree(records_folder, tmp_path / "records")
    (tmp_path / "records" / "validation.jsonl").unlink()
    with pytest.raises(ConfigError, match="asks for validation records"):
        again(tmp_path / "out", tmp_path / "records", tiny_checkpoint)
