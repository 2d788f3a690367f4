"""Released CheXbert weights: converted with every head in its place, and pickles that are refused.

The files are made here, with the names of the released file and small shapes.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import REPORTS

from baselines.chexbert import unpickle as chexbert_unpickle
from baselines.chexbert.weights import OBSERVATIONS, build
from baselines.encoder.labeler import EncoderLabeler
from baselines.encoder.scratch import PRESETS, make_scratch_encoder
from labelwright.cli import main
from labelwright.errors import CheckpointError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Report

CODES = ("blank", "positive", "negative", "uncertain")
"""Classes 0 to 3 of CheXbert's heads, by the authors' constants.py."""
State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words") / "bert"
    make_scratch_encoder(REPORTS, folder, shape=PRESETS["tiny"], seed=0)
    return folder


@pytest.fixture(scope="module")
def state(tokenizer: Path) -> State:
    """A state dictionary as DataParallel leaves it, old position buffer and pooler included."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(1)
    config = BertConfig.from_pretrained(tokenizer, num_attention_heads=1)
    bert = BertModel(config)
    heads = torch.nn.ModuleList([torch.nn.Linear(64, 4) for _ in range(13)])
    heads.append(torch.nn.Linear(64, 2))
    with torch.no_grad():
        for weight in [*bert.parameters(), *heads.parameters()]:
            weight.normal_(0, 0.3)
    found = {f"module.bert.{name}": w for name, w in bert.state_dict().items()}
    found["module.bert.embeddings.position_ids"] = torch.arange(512)[None]
    found |= {f"module.linear_heads.{name}": w for name, w in heads.state_dict().items()}
    return found


def saved(path: Path, value: Any, *, old_format: bool = False) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not old_format)
    return path


def convert(path: Path, out: Path, tokenizer: Path, *flags: str) -> int:
    command = ["train-encoder", "--convert-pth", str(path), "--out", str(out)]
    return main([*command, "--tokenizer", str(tokenizer), *flags])


def by_hand(state: State, tokenizer: Path, text: str) -> dict[str, str]:
    """What CheXbert says of a text: the most likely class of each head, in its own order."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    config = BertConfig.from_pretrained(tokenizer, num_attention_heads=1)
    bert = BertModel(config)
    bert.train(False)
    prefix = "module.bert."
    bert.load_state_dict(
        {k.removeprefix(prefix): w for k, w in state.items() if k.startswith(prefix)}, strict=False
    )
    tokens = AutoTokenizer.from_pretrained(tokenizer)(text, return_tensors="pt")
    with torch.inference_mode():
        first = bert(tokens["input_ids"]).last_hidden_state[0, 0]
        found = {}
        for number, name in enumerate(OBSERVATIONS):
            head = f"module.linear_heads.{number}"
            logits = state[f"{head}.weight"] @ first + state[f"{head}.bias"]
            found[name] = CODES[int(logits.argmax())]
    return found


@pytest.mark.parametrize("old_format", [False, True])
def test_answers_of_the_converted_model(
    state: State, tokenizer: Path, tmp_path: Path, old_format: bool
) -> None:
    pth = saved(
        tmp_path / "chexbert.pth",
        {"epoch": 8, "model_state_dict": state, "optimizer_state_dict": {"state": {}}},
        old_format=old_format,
    )
    out = tmp_path / "chexbert"
    assert convert(pth, out, tokenizer) == 0
    labeler = EncoderLabeler.from_checkpoint(out, device="cpu")
    assert labeler.sections == "impression"
    assert labeler.describe()["context"] == 512
    found = labeler.label_reports(
        [Report(id=str(n), text=t, source="s", row=n) for n, t in enumerate(REPORTS)]
    )
    kinds = set()
    for text, prediction in zip(REPORTS, found, strict=True):
        assert isinstance(prediction, Prediction)
        assert prediction.labels == by_hand(state, tokenizer, text)
        kinds |= set(prediction.labels.values())
    assert kinds == set(Certainty)
    assert not list(out.glob("*.pth"))
    facts = json.loads((out / "manifest.json").read_text())
    assert facts["inputs"][0]["path"] == str(pth)


def test_heads_follow_the_label_sets_own_order(
    state: State, tokenizer: Path, tmp_path: Path, chexpert: LabelSet
) -> None:
    import yaml

    value = yaml.safe_load(chexpert.text)
    value["labels"].reverse()
    value["certainties"] = ["negative", "blank", "uncertain", "positive"]
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    pth, out = saved(tmp_path / "c.pth", state), tmp_path / "out"
    assert convert(pth, out, tokenizer, "--label-set", str(mine), "--sections", "both") == 0
    labeler = EncoderLabeler.from_checkpoint(out, device="cpu")
    assert labeler.sections == "both"
    [found] = labeler.label_reports([Report(id="0", text=REPORTS[0], source="s", row=1)])
    assert isinstance(found, Prediction)
    assert list(found.labels) == list(reversed(OBSERVATIONS))
    assert found.labels == by_hand(state, tokenizer, REPORTS[0])


class Evil:
    """Runs a program while it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("old_format", [False, True])
def test_a_pickle_that_runs_code_is_refused(
    state: State,
    tokenizer: Path,
    tmp_path: Path,
    old_format: bool,
    capfd: pytest.CaptureFixture[str],
) -> None:
    marker, out = tmp_path / "ran", tmp_path / "out"
    value = {"model_state_dict": state, "extra": Evil(marker)}
    pth = saved(tmp_path / "evil.pth", value, old_format=old_format)
    assert convert(pth, out, tokenizer) == 2
    assert "more than weights, and was refused" in capfd.readouterr().err
    assert not marker.exists()
    assert not out.exists()


def without_a_head(state: State) -> State:
    return {k: w for k, w in state.items() if "linear_heads.5." not in k}


def with_a_head_of_other_size(state: State) -> State:
    return state | {"module.linear_heads.13.weight": torch.zeros(4, 64)}


def with_a_missing_layer(state: State) -> State:
    return {k: w for k, w in state.items() if "layer.0.output.dense.weight" not in k}


def with_a_stranger(state: State) -> State:
    return state | {"module.classifier.weight": torch.zeros(3)}


def without_bert(state: State) -> State:
    return {k: w for k, w in state.items() if "linear_heads" in k}


HARMS: list[tuple[Callable[[State], State], str]] = [
    (without_a_head, r"linear_heads\.5\.weight is missing or not \(4, 64\)"),
    (with_a_head_of_other_size, r"linear_heads\.13\.weight is missing or not \(2, 64\)"),
    (with_a_missing_layer, r"encoder\.layer\.0\.output\.dense\.weight is missing"),
    (with_a_stranger, r"classifier\.weight is missing, unknown"),
    (without_bert, "it has no BERT"),
]


@pytest.mark.parametrize(("harm", "words"), HARMS)
def test_weights_of_other_models(
    state: State, chexpert: LabelSet, harm: Callable[[State], State], words: str
) -> None:
    weights = {name.removeprefix("module."): w for name, w in harm(state).items()}
    with pytest.raises(CheckpointError, match=words):
        build(weights, chexpert, source=Path("other.pth"))


def test_files_that_are_none(
    tokenizer: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pth = tmp_path / "c.pth"
    assert convert(pth, tmp_path / "out", tokenizer) == 2
    assert "no such file" in capfd.readouterr().err
    pth.write_bytes(b"PK\x03\x04 and then nothing")
    assert convert(pth, tmp_path / "out", tokenizer) == 2
    assert "is damaged or no torch file" in capfd.readouterr().err
    saved(pth, {"model_state_dict": {"names": ["a"]}})
    assert convert(pth, tmp_path / "out", tokenizer) == 2
    assert "holds no state dictionary" in capfd.readouterr().err


def test_what_does_not_fit(
    state: State, tokenizer: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pth = saved(tmp_path / "c.pth", state)
    assert convert(pth, tmp_path / "out", tokenizer, "--label-set", "head-ct-5") == 2
    assert "head-ct-5 is not CheXbert's" in capfd.readouterr().err
    small = {k: w for k, w in state.items() if "word_embeddings" not in k}
    words = state["module.bert.embeddings.word_embeddings.weight"][:-1]
    small["module.bert.embeddings.word_embeddings.weight"] = words
    assert convert(saved(tmp_path / "d.pth", small), tmp_path / "out", tokenizer) == 2
    assert f"the weights have {len(words)}" in capfd.readouterr().err
    assert convert(pth, tmp_path, tokenizer) == 2
    assert "the folder is not empty" in capfd.readouterr().err
    assert main(["train-encoder", "--tokenizer", "x", "--data", "y"]) == 2
    assert "--tokenizer is for --convert-pth" in capfd.readouterr().err


ATTEMPTS = {
    "network": "import socket; socket.create_connection(('127.0.0.1', {port}), timeout=2)",
    "program": "import os; os.system('touch {marker}')",
    "file": "open('{marker}', 'w')",
}


@pytest.mark.parametrize("kind", sorted(ATTEMPTS))
def test_the_reading_process_is_closed_off(kind: str, tmp_path: Path) -> None:
    """Even code that ran in it could reach neither network, programs nor other files."""
    marker, folder = tmp_path / "marker", str(Path(chexbert_unpickle.__file__).parent)
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempt = ATTEMPTS[kind].format(port=server.getsockname()[1], marker=marker)
        program = (
            f"import sys; sys.path.insert(0, {folder!r})\n"
            "from pathlib import Path\n"
            "import unpickle as reader\n"
            f"reader._leave_network(); reader._watch(Path({str(tmp_path / 'out')!r}))\n"
            f"{attempt}\nprint('done')\n"
        )
        done = subprocess.run(
            [sys.executable, "-I", "-B", "-c", program], capture_output=True, check=False
        )
    assert done.returncode == chexbert_unpickle.REFUSED
    assert b"done" not in done.stdout
    assert not marker.exists()
