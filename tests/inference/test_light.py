"""Small models read with NumPy alone: the same tokens, labels and probabilities as with torch."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from decoding_tools import KNEE, make_loaded, make_model, word_tokenizer

from inference.decode.pack_plan import Memory, Segment
from inference.decode.packed import Engine
from inference.labeler import Labeler
from inference.light import load as light_load
from inference.light.engine import LightEngine
from inference.light.load import LightTokenizer
from inference.light.model import LightModel
from labelwright.errors import CheckpointError
from labelwright.records import Prediction
from labelwright.shipped import MODELS

ROOT = Path(__file__).parents[2]
SHIPPED = MODELS / "labelwright-chest"
TEXTS = [
    "Small left pleural effusion. No pneumothorax, heart size is normal.",
    "Possible early pneumonia at the base;\n\n1. ETT 3 cm above the carina.\n2. Café <|im_end|>.",
    "Lungs clear. " * 40,
    "  \t 你好 😀 opacity -- 1.5 x 2 cm  ",
]


@pytest.mark.parametrize("kind", ["qwen2", "qwen2, grouped heads", "llama", "llama, bias"])
def test_packs_are_read_as_torch_reads_them(kind: str, tmp_path: Path) -> None:
    """Trees of branches, several segments, what was remembered before, part of it unseen."""
    loaded = make_loaded(kind, KNEE, word_tokenizer(KNEE), spread=0.15)
    loaded.model.save_pretrained(tmp_path)
    model = LightModel.load(tmp_path)
    assert model is not None
    assert model.num_parameters() == loaded.model.num_parameters()
    assert model.architecture == type(loaded.model).__name__
    rng = np.random.default_rng(0)
    tree = np.tri(6, dtype=bool)
    tree[3:, :3] = False
    unseen = np.ones((4, 5), dtype=bool)
    unseen[1, 2] = False
    segments = [
        Segment(rng.integers(3, 40, 6).tolist(), [5, 6, 7, 5, 6, 7], np.arange(5), [2, 5], tree),
        Segment(rng.integers(3, 40, 9).tolist(), range(9), np.empty(0, dtype=np.int64), [8]),
        Segment(rng.integers(3, 40, 4).tolist(), range(5, 9), np.arange(5), [0, 3], seen=unseen),
    ]
    engine, light = Engine(loaded), LightEngine(model)
    with engine.attending():
        memory, small = engine.prefix([7, 8, 9, 10, 11]), light.prefix([7, 8, 9, 10, 11])
        for _ in range(2):  # the second time what the first kept is remembered
            found = light.run(small, segments, keep=True)
            wanted = engine.run(memory, segments, keep=True)
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one, other.numpy(), atol=2e-5)
            past = np.arange(5, memory.size)
            segments = [Segment([12, 13, 14], range(30, 33), past, [0, 1, 2])]
        assert (small.positions == memory.positions).all()
    assert isinstance(small, Memory)


def both(monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Labeler, Labeler]:
    """The shipped model read with NumPy, and with torch."""
    small = Labeler.from_checkpoint(SHIPPED, device="cpu", **options)
    assert small.describe()["runtime"]["library"] == "numpy"
    with monkeypatch.context() as patch:
        patch.setattr(light_load, "light", lambda *_, **__: None)
        whole = Labeler.from_checkpoint(SHIPPED, device="cpu", **options)
    assert whole.describe()["runtime"]["library"] == "torch"
    return small, whole


@pytest.mark.parametrize("options", [{}, {"decode": "constrained", "unit": "report"}])
def test_labels_are_the_same_as_with_torch(
    options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (ROOT / "examples/reports.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))[:12]
    texts = [*TEXTS, *(f"{row['findings']} {row['impression']}" for row in rows)]
    small, whole = both(monkeypatch, **options)
    for one, other in zip(small.label(texts), whole.label(texts), strict=True):
        assert isinstance(one, Prediction)
        assert isinstance(other, Prediction)
        assert (one.labels, one.notes, one.problems) == (other.labels, other.notes, other.problems)
        assert one.evidence == other.evidence
        for name, row in (other.probs or {}).items():
            assert one.probs is not None
            assert one.probs[name] == pytest.approx(row, abs=1e-5)
    told, known = small.describe(), whole.describe()
    assert {k: v for k, v in told.items() if k != "runtime"} == {
        k: v for k, v in known.items() if k != "runtime"
    }


def test_the_tokenizer_is_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    small, whole = both(monkeypatch)
    mine, theirs = small._loaded.tokenizer, whole._loaded.tokenizer
    assert isinstance(mine, LightTokenizer)
    for one in ({}, {"add_special_tokens": False}):
        assert mine(TEXTS, **one)["input_ids"] == theirs(TEXTS, **one)["input_ids"]
    assert mine(TEXTS[0])["input_ids"] == theirs(TEXTS[0])["input_ids"]
    assert mine.get_vocab() == theirs.get_vocab()
    assert set(mine.all_special_tokens) == set(theirs.all_special_tokens)
    chat = [{"role": "system", "content": " a\n"}, {"role": "user", "content": "{{ b }}"}]
    for prompt in (False, True):
        assert mine.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=prompt
        ) == theirs.apply_chat_template(chat, tokenize=False, add_generation_prompt=prompt)


def test_the_shipped_model_labels_without_torch(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("id,text\n1,Rib fracture. No effusion.\n")
    code = (
        "import sys; from labelwright.cli import main\n"
        f"assert main(['label', {str(tmp_path / 'one.csv')!r}, '--text-columns', 'text', "
        f"'--device', 'cpu', '--out', {str(tmp_path / 'out')!r}]) == 0\n"
        "print(sorted({'torch', 'transformers', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["[]"]), done.stderr
    with (tmp_path / "out/labels.csv").open(encoding="utf-8") as handle:
        (row,) = csv.DictReader(handle)
    assert (row["Fracture"], row["Pleural Effusion"]) == ("1.0", "0.0")


def test_torch_reads_what_numpy_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(folder: Path = SHIPPED, **other: str | None) -> object:
        how: dict[str, Any] = {"device": "cpu", "dtype": "auto", "quantize": None, **other}
        return light_load.light(folder, **how)

    assert found() is not None
    assert found(dtype="float32") is not None
    assert found(dtype="bfloat16") is None
    assert found(quantize="int8") is None
    assert found(device="cuda") is None
    monkeypatch.setattr(light_load, "GPU_FILES", (str(tmp_path),))
    assert found(device="auto") is None
    for kind in ("qwen2, a window in some layers", "qwen3", "mixtral"):
        make_model(kind, 50).save_pretrained(tmp_path / kind)
        assert LightModel.load(tmp_path / kind) is None
    make_model("llama", 50).to(torch.bfloat16).save_pretrained(tmp_path / "half")
    assert LightModel.load(tmp_path / "half") is None


def test_a_damaged_folder_is_refused_as_before(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED, folder)
    (folder / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(CheckpointError, match="model"):
        Labeler.from_checkpoint(folder, device="cpu")
    shutil.copy(SHIPPED / "model.safetensors", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))
    with pytest.raises(CheckpointError, match="model"):
        Labeler.from_checkpoint(folder, device="cpu")
