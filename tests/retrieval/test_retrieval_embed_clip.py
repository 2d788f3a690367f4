"""Image-text models as embedders, with small random ones saved as trained ones are."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import REPORTS
from embed_tools import tiny_bert, tiny_clip, tiny_dual_encoder, tiny_siglip
from PIL import Image
from safetensors.torch import load_file, save_file

from labelwright.errors import CheckpointError, ConfigError, MissingExtraError
from labelwright.runtime.pretrained import silent
from retrieval.embed import ImageEmbedder, differences
from retrieval.embedders import embedder_for

MAKERS = {"clip": tiny_clip, "siglip": tiny_siglip, "vision-text-dual-encoder": tiny_dual_encoder}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    with silent():
        return {kind: make(root / kind) for kind, make in MAKERS.items()}


@pytest.fixture
def copied(folders: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(folders["clip"], tmp_path / "copy")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Twenty images of different sizes and kinds: more than one batch."""
    generator = np.random.default_rng(0)
    paths = []
    for number in range(20):
        size = (20 + number, 40 - number)
        pixels = generator.integers(0, 255, size, dtype=np.uint8)
        paths.append(tmp_path / f"{number}.{'png' if number % 2 else 'jpg'}")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def load(folder: Path) -> ImageEmbedder:
    embedder = embedder_for(f"clip:{folder}", device="cpu")
    assert isinstance(embedder, ImageEmbedder)
    return embedder


@pytest.mark.parametrize("kind", MAKERS)
def test_texts_and_images_meet(kind: str, folders: dict[str, Path], pictures: list[Path]) -> None:
    embedder = load(folders[kind])
    facts = embedder.describe()
    json.dumps(dict(facts))
    assert (facts["kind"], facts["architecture"]) == ("clip", kind)
    texts = embedder.texts([*REPORTS, " ".join(REPORTS) * 4])
    assert texts.shape == (len(REPORTS) + 1, embedder.dimension)
    found = embedder.images(pictures)
    images = np.array([vector for vector in found if not isinstance(vector, str)])
    assert images.shape == (20, embedder.dimension)
    for rows in (texts, images):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-6)
        assert np.linalg.matrix_rank(rows) > 5


@pytest.mark.parametrize("kind", MAKERS)
def test_the_batch_does_not_matter(
    kind: str, folders: dict[str, Path], pictures: list[Path]
) -> None:
    embedder = load(folders[kind])
    texts = [*REPORTS, " ".join(REPORTS), "Clear."]
    together = embedder.texts(texts)
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(embedder.texts([text])[0], row, atol=1e-5)
    for path, vector in zip(pictures, embedder.images(pictures), strict=True):
        np.testing.assert_allclose(embedder.images([path])[0], vector, atol=1e-5)


def test_the_vectors_are_those_of_transformers(
    folders: dict[str, Path], pictures: list[Path]
) -> None:
    from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel

    folder = folders["clip"]
    with silent():
        model = CLIPModel.from_pretrained(folder).eval()
    read = CLIPImageProcessorPil.from_pretrained(folder)(
        images=Image.open(pictures[0]).convert("RGB"), return_tensors="pt"
    )
    words = AutoTokenizer.from_pretrained(folder)(["Clear lungs."], return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**read, **words)
    embedder = load(folder)
    np.testing.assert_allclose(
        embedder.texts(["Clear lungs."]), outputs.text_embeds.numpy(), atol=1e-5
    )
    np.testing.assert_allclose(
        embedder.images(pictures[:1])[0], outputs.image_embeds.numpy()[0], atol=1e-5
    )


def test_words_beyond_the_context_count(folders: dict[str, Path]) -> None:
    """The tiny tokenizer spells, so 75 letters beside the opening and closing token fit."""
    embedder = load(folders["clip"])
    assert embedder.describe()["window"] == 75
    filler = "Heart normal. " * 12
    plain, ended = embedder.texts([filler, filler + "Tube above the carina."])
    assert np.abs(plain - ended).max() > 1e-3


def test_special_tokens_in_a_report_are_letters(folders: dict[str, Path]) -> None:
    """As a closing token, it would hide all that follows."""
    one, other = load(folders["clip"]).texts(["a <|endoftext|> large", "a <|endoftext|> small"])
    assert np.abs(one - other).max() > 1e-3


def test_images_that_cannot_be_read_keep_their_place(
    folders: dict[str, Path], pictures: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(pictures[1].read_bytes()[:60])
    (tmp_path / "empty.png").touch()
    embedder = load(folders["clip"])
    first, missing, broken, empty, last = embedder.images(
        [
            pictures[0],
            tmp_path / "none.png",
            tmp_path / "broken.png",
            tmp_path / "empty.png",
            pictures[1],
        ]
    )
    np.testing.assert_allclose(first, embedder.images(pictures[:1])[0], atol=1e-6)
    np.testing.assert_allclose(last, embedder.images(pictures[1:2])[0], atol=1e-6)
    assert (missing, empty) == ("no such file", "the file is empty")
    assert isinstance(broken, str)
    assert broken.startswith("damaged or cut short")
    assert embedder.images([]) == []
    assert embedder.images([tmp_path / "none.png"]) == ["no such file"]


def test_a_copy_is_the_same_embedder_and_other_weights_are_not(
    folders: dict[str, Path], copied: Path
) -> None:
    first = load(folders["clip"]).describe()
    assert differences(first, load(copied).describe()) == []
    weights = load_file(copied / "model.safetensors")
    name = sorted(weights)[-1]
    save_file(weights | {name: weights[name] + 1}, copied / "model.safetensors")
    assert differences(first, load(copied).describe()) == ["sha256"]


def test_empty_texts_are_named(folders: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="row 0 is empty"):
        load(folders["clip"]).texts([" "])


def test_models_of_another_kind(tmp_path: Path) -> None:
    with silent():
        bert = tiny_bert(tmp_path / "bert")
    with pytest.raises(CheckpointError, match=r"'bert' is not read.*text:FOLDER"):
        embedder_for(f"clip:{bert}")
    (bert / "config.json").write_text('{"model_type": ["x"]}')
    with pytest.raises(CheckpointError, match="is not read as an image-text model"):
        embedder_for(f"clip:{bert}")


def test_folders_that_are_refused(copied: Path) -> None:
    weights = load_file(copied / "model.safetensors")
    dropped = dict(weights)
    del dropped["text_projection.weight"]
    save_file(dropped, copied / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"1 weights .* the first is text_projection.weight"):
        load(copied)
    bad = {name: torch.full_like(value, torch.nan) for name, value in weights.items()}
    save_file(bad, copied / "model.safetensors")
    with pytest.raises(CheckpointError, match="zero or not numbers"):
        load(copied).texts(["Clear."])
    (copied / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no preprocessor_config\.json"):
        load(copied)
    torch.save(weights, copied / "pytorch_model.bin")
    (copied / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="pickled weights can run code"):
        load(copied)
    with pytest.raises(ConfigError, match="no such model folder"):
        load(copied / "nowhere")


def test_images_need_pillow(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"pillow.*\[images\]"):
        load(folders["clip"])


def test_loading_and_looking_say_nothing(
    folders: dict[str, Path], pictures: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    embedder = load(folders["clip"])
    embedder.images(pictures)
    embedder.texts([" ".join(REPORTS)])
    assert capfd.readouterr() == ("", "")
