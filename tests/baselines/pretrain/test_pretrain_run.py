"""``labelwright pretrain``: what it leaves, what stays untouched, what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from close_tools import weights_apart
from safetensors.numpy import load_file
from tagger_tools import CANARY, FLAT, write_notes

from baselines.pretrain.arguments import PRETRAIN
from baselines.pretrain.masking import IGNORED
from baselines.pretrain.prepare import Ready, prepare
from baselines.pretrain.sources import Sources
from labelwright.cli import main
from labelwright.io.jsonl import write_jsonl

QUICK = [
    *("--scratch=tiny", "--learning_rate=2e-3", "--per_device_train_batch_size=4"),
    *("--num_train_epochs=2", "--report_to=none", "--disable_tqdm=true", "--logging_steps=2"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten notes with sites, one of which holds a word that must not leak; four held out."""
    text, found = FLAT[0]
    notes = [(f"{text}{CANARY}.", found), *FLAT[1:10]]
    return write_notes(tmp_path_factory.mktemp("built") / "data", notes, validation=4)


def command(data: Path | None, out: Path, *flags: str) -> list[str]:
    given = [] if data is None else ["--data", str(data)]
    return ["pretrain", *given, "--output_dir", str(out), *QUICK, *flags]


def manifest(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return value


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """An encoder by objective, trained when it is first asked for."""
    base, done = tmp_path_factory.mktemp("runs"), {}
    often = ["--eval_strategy=steps", "--eval_steps=1", "--save_strategy=steps", "--save_steps=1"]

    def get(objective: str) -> Path:
        if objective not in done:
            out = base / objective
            flags = [f"--objective={objective}", *often, "--save_total_limit=6"]
            assert main(command(data, out, *flags)) == 0
            done[objective] = out
        return done[objective]

    return get


@pytest.mark.parametrize("objective", ["mlm", "emlm", "emlm-cl"])
def test_what_a_run_leaves(objective: str, made: Callable[[str], Path]) -> None:
    """The held-out loss falls, and the folder is a plain encoder without label tokens."""
    folder = made(objective)
    facts = manifest(folder)["pretraining"]
    before, after = facts["held_out"]["before"], facts["held_out"]["after"]
    assert after["loss"] < before["loss"]
    assert facts["new_head"] is True
    assert ("without_labels" in before) == (objective != "mlm")
    weights = load_file(folder / "model.safetensors")
    vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
    assert weights["bert.embeddings.word_embeddings.weight"].shape[0] == vocabulary
    assert not [name for name in weights if "label" in name]
    assert "<B-" not in (folder / "tokenizer.json").read_text()
    for path in folder.iterdir():
        if path.is_file() and path.suffix != ".safetensors" and "tokenizer" not in path.name:
            assert CANARY not in path.read_text(encoding="utf-8")
    assert not [p for p in folder.iterdir() if p.suffix in {".bin", ".pt", ".pth", ".pkl"}]


def test_the_same_run_after_a_stop_inside_an_epoch(
    data: Path, made: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three steps are an epoch: what goes on from the fourth of six ends in the same weights."""
    whole = made("emlm-cl")
    out = tmp_path / "again"
    shutil.copytree(whole, out)
    for name in ("manifest.json", "model.safetensors"):
        (out / name).unlink()
    for step in (5, 6):
        shutil.rmtree(out / f"checkpoint-{step}")
    often = ["--eval_strategy=steps", "--eval_steps=1", "--save_strategy=steps", "--save_steps=1"]
    flags = ["--objective=emlm-cl", *often, "--save_total_limit=6"]
    assert main(command(data, out, *flags)) == 0
    assert "going on from checkpoint-4" in capsys.readouterr().err
    assert weights_apart(whole / "model.safetensors", out / "model.safetensors") < 1e-7
    assert manifest(out)["pretraining"] == manifest(whole)["pretraining"]
    assert main(command(data, out, *flags)) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert main(command(data, out, *flags, "--rate=0.5")) == 2


def ready(data: Path, out: Path, objective: str, *flags: str) -> Ready:
    words = command(data, out, f"--objective={objective}", *flags)[1:]
    from baselines.arguments import parse

    settings = parse(PRETRAIN, words)
    return prepare(settings, Sources.open(settings.task, settings.training.seed), out)


def test_the_teacher_never_changes(data: Path, tmp_path: Path) -> None:
    """Steps of the student in training mode leave every weight of the teacher, and it has no
    dropout: twice the same text gives twice the same vectors."""
    prepared = ready(data, tmp_path, "emlm-cl")
    model, teacher = prepared.model, prepared.model.teacher
    assert teacher is not None
    start = {name: weight.clone() for name, weight in teacher.base.state_dict().items()}
    batch = prepared.padding([prepared.train[n] for n in range(4)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()
    first = teacher(batch["teacher_ids"], batch["teacher_mask"])
    for _ in range(2):
        optimizer.zero_grad()
        model(**batch)["loss"].backward()
        optimizer.step()
    assert torch.equal(first, teacher(batch["teacher_ids"], batch["teacher_mask"]))
    assert all(torch.equal(start[name], w) for name, w in teacher.base.state_dict().items())
    assert not any(weight.requires_grad for weight in teacher.base.parameters())
    assert not first.requires_grad
    assert not [name for name in model.state_dict() if "teacher" in name]


def test_what_the_contrast_compares(data: Path, tmp_path: Path) -> None:
    """Student and teacher hold the same token at the places that are compared; the loss is the
    sum of both parts; opening, closing, padding and label tokens are no candidates."""
    for teacher in ("plain", "labeled"):
        prepared = ready(data, tmp_path / teacher, "emlm-cl", f"--teacher={teacher}")
        model = prepared.model.eval()
        batch = prepared.padding([prepared.train[n] for n in range(4)])
        masked = batch["positives"] >= 0
        assert (masked == (batch["targets"] != IGNORED)).all()
        read = batch["teacher_ids"].gather(1, batch["positives"].clamp(min=0))
        assert (read[masked] == batch["targets"][masked]).all()
        special = torch.tensor(prepared.tokenizer.all_special_ids)
        for row, there in zip(batch["teacher_ids"], batch["candidates"], strict=True):
            assert not torch.isin(row[there], special).any()
            assert (row[there] < model.vocabulary).all()
        labels = batch["teacher_ids"] >= model.vocabulary
        assert bool(labels.any()) == (teacher == "labeled")
        out = model(**batch)
        assert out["loss"].item() == pytest.approx(
            out["masked"].item() + out["contrast"].item(), abs=1e-5
        )


def test_label_tokens_start_from_the_words_of_their_label(data: Path, tmp_path: Path) -> None:
    """And they can be read but not predicted: no logit is theirs."""
    prepared = ready(data, tmp_path, "emlm")
    assert prepared.label_tokens == {
        "<B-Lesion>": "Lesion",
        "<I-Lesion>": "Lesion",
        "<B-Site>": "Site",
        "<I-Site>": "Site",
    }
    words = prepared.model.lm.get_input_embeddings().weight
    assert prepared.model.labels is not None
    table = prepared.model.labels.weight
    ids = prepared.tokenizer("Site", add_special_tokens=False)["input_ids"]
    assert torch.allclose(table[2], words[ids].mean(dim=0), atol=1e-6)
    assert prepared.model.lm.get_output_embeddings().weight.shape[0] == len(words)
    eligible = [window for window in prepared.train.windows if window.eligible.any()]
    assert len(eligible) == 10
    for number, window in enumerate(prepared.train.windows):
        row = prepared.train[number]
        chosen = row["targets"] != IGNORED
        assert not (chosen & ~window.eligible).any()
        assert (window.ids[chosen] < prepared.model.vocabulary).all()


def test_texts_beside_the_data_folder(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A test note among the texts stops the run, unless it is to be dropped."""
    with_test = tmp_path / "data"
    shutil.copytree(data, with_test)
    tested = {"id": "t", "text": FLAT[20][0], "patient": "p1", "source": "s", "row": 1}
    write_jsonl(with_test / "test.reports.jsonl", [tested])
    texts = tmp_path / "more.jsonl"
    rows = [
        {"id": "a", "text": FLAT[21][0]},
        {"id": "b", "text": FLAT[20][0].upper()},
        {"id": "c", "text": "Other words.", "patient": "p1"},
        {"id": "d", "text": " "},
        {"id": "e", "text": FLAT[1][0]},
    ]
    write_jsonl(texts, rows)
    given = ["--texts", str(texts), "--patient_column=patient", "--num_train_epochs=1"]
    assert main(command(with_test, tmp_path / "out", *given)) == 2
    assert "2 of the texts are test notes" in capsys.readouterr().err
    assert main(command(with_test, tmp_path / "out", *given, "--on_test=drop")) == 0
    counts = manifest(tmp_path / "out")["counts"]
    assert (counts["train"]["notes"], counts["train"]["rejected"]) == (11, 1)
    assert sum(counts["train"]["left_out"].values()) == 3
    assert counts["validation"]["notes"] == 4
    [rejected] = (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()
    assert json.loads(rejected)["id"] == "d"


def test_texts_alone_hold_out_whole_patients(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a second run goes on from the first one's folder, head included."""
    texts = tmp_path / "texts.jsonl"
    rows = [{"id": str(n), "text": note[0], "patient": f"p{n // 3}"} for n, note in enumerate(FLAT)]
    write_jsonl(texts, rows)
    given = ["--texts", str(texts), "--patient_column=patient", "--held_out=0.4"]
    out = tmp_path / "out"
    assert main(command(None, out, *given, "--per_device_train_batch_size=64")) == 0
    assert "fewer than a batch of 64: every epoch is one step" in capsys.readouterr().err
    counts = manifest(out)["counts"]
    assert counts["validation"]["notes"] % 3 == 0
    assert counts["train"]["notes"] + counts["validation"]["notes"] == 30
    again = ["pretrain", *given, "--model_name_or_path", str(out), "--max_steps=1"]
    quick = [flag for flag in QUICK if not flag.startswith("--scratch")]
    assert main([*again, *quick, "--output_dir", str(tmp_path / "second")]) == 0
    facts = manifest(tmp_path / "second")["pretraining"]
    assert facts["new_head"] is False
    first = manifest(out)["pretraining"]["held_out"]["after"]
    assert facts["held_out"]["before"]["loss"] == pytest.approx(first["loss"], abs=1e-4)


def test_what_cannot_work_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    no_entities = write_notes(tmp_path / "none", [(text, []) for text, _ in FLAT[:3]])
    without_mask = tmp_path / "maskless"
    assert main(command(data, tmp_path / "one", "--max_steps=1", "--eval_strategy=no")) == 0
    shutil.copytree(tmp_path / "one", without_mask)
    settings = json.loads((without_mask / "tokenizer_config.json").read_text())
    settings["mask_token"] = None
    (without_mask / "tokenizer_config.json").write_text(json.dumps(settings))
    plain = [f for f in QUICK if not f.startswith("--scratch")]
    for words, message in (
        (command(no_entities, tmp_path / "a", "--objective=emlm"), "no report has an entity"),
        (command(None, tmp_path / "a"), "no reports"),
        (command(None, tmp_path / "a", "--texts=x", "--objective=emlm"), "have no entities"),
        (command(data, tmp_path / "a", "--rate=0"), "rate is not a share"),
        (command(data, tmp_path / "a", "--temperature=0.1"), "are for --objective emlm-cl"),
        (command(data, tmp_path / "a", "--init_from=x"), "unknown flag --init_from"),
        (command(data, tmp_path / "a", "--head_dropout=0.1"), "unknown flag --head_dropout"),
        (
            [
                *("pretrain", "--data", str(data), "--output_dir", str(tmp_path / "b"), *plain),
                *("--model_name_or_path", str(without_mask)),
            ],
            "no mask token",
        ),
    ):
        assert main(words) == 2, message
        assert message in capsys.readouterr().err


def test_equal_seeds_mask_alike(data: Path, tmp_path: Path) -> None:
    one, two = (ready(data, tmp_path / str(n), "mlm", f"--seed={n}") for n in (1, 2))
    again = ready(data, tmp_path / "1", "mlm", "--seed=1")
    shown = [[r.train[n]["input_ids"].tolist() for n in range(10)] for r in (one, again, two)]
    assert shown[0] == shown[1] != shown[2]
    again.train.draws.epoch = 1
    assert [again.train[n]["input_ids"].tolist() for n in range(10)] != shown[0]
    assert all(np.isin(one.tokenizer.all_special_ids, row).any() for row in shown[0])
    targets = np.concatenate([one.train[n]["targets"] for n in range(10)])
    assert not np.isin(targets[targets != IGNORED], one.tokenizer.all_special_ids).any()
