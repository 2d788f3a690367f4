from __future__ import annotations

import json
from pathlib import Path

import pytest
from embed_tools import tiny_clip

from labelwright.cli import main
from labelwright.io.jsonl import read_jsonl

EXAMPLES = Path("examples").resolve()
FILMS = [str(EXAMPLES / "images.csv"), "--text-columns", "text", "--id-column", "id"]
FILMS += ["--patient-column", "patient"]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example films with the rules' labels, indexed by their images."""
    folder = tmp_path_factory.mktemp("films")
    tiny_clip(folder / "clip")
    build = ["build", *FILMS, "--meta-columns", "image", "--label-set", "chexpert-14"]
    build += ["--labels", "rules", "--split", "none", "--out", str(folder / "data")]
    assert main(build) == 0
    index = ["index", "build", "--data", str(folder / "data"), "--out", str(folder / "index")]
    index += ["--embedder", f"clip:{folder / 'clip'}", "--image-column", "image"]
    assert main([*index, "--image-root", str(EXAMPLES)]) == 0
    return folder


def label(folder: Path, films: list[str], *flags: str) -> int:
    knn = ["label", *films, "--model", "knn", "--index", str(folder / "index"), "--k", "2"]
    return main([*knn, *flags])


def test_similar_images_vote(indexed: Path, tmp_path: Path) -> None:
    images = ["--image-column", "image", "--image-root", str(EXAMPLES)]
    assert label(indexed, FILMS, *images, "--out", str(tmp_path / "run")) == 0
    rows = [row for _, row in read_jsonl(tmp_path / "run" / "predictions.jsonl")]
    assert len(rows) == 12
    assert all(set(row["probs"]) == set(row["labels"]) for row in rows)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["counts"]["labeled"] == 12


def test_new_images_are_embedded_and_bad_ones_rejected(indexed: Path, tmp_path: Path) -> None:
    pixels = (EXAMPLES / "images" / "film03.png").read_bytes()
    (tmp_path / "same.png").write_bytes(pixels)
    (tmp_path / "torn.png").write_bytes(pixels[: len(pixels) // 2])
    names = {"n1": "same.png", "n2": "torn.png", "n3": "absent.png", "n4": "", "n5": "../x.png"}
    lines = [f"{name},new,{file},The heart is large." for name, file in names.items()]
    (tmp_path / "new.csv").write_text("\n".join(["id,patient,image,text", *lines]) + "\n")
    films = [str(tmp_path / "new.csv"), *FILMS[1:]]
    images = ["--image-column", "image", "--image-root", str(tmp_path)]
    assert label(indexed, films, *images, "--out", str(tmp_path / "run")) == 0
    (done,) = [row for _, row in read_jsonl(tmp_path / "run" / "predictions.jsonl")]
    rejects = {row["id"]: row["reason"] for _, row in read_jsonl(tmp_path / "run/rejects.jsonl")}
    assert done["id"] == "n1"
    assert done["probs"]["Cardiomegaly"]["positive"] > 0.4
    assert set(rejects) == {"n2", "n3", "n4", "n5"}
    assert "no image is named" in rejects["n4"]
    assert "outside" in rejects["n5"]
    assert not any("heart" in reason for reason in rejects.values())


def test_texts_find_images_too(indexed: Path, tmp_path: Path) -> None:
    """Texts and images lie in one space, so a report can be looked up by its words."""
    (tmp_path / "new.csv").write_text("id,patient,image,text\nn,p,,The heart is large.\n")
    films = [str(tmp_path / "new.csv"), *FILMS[1:]]
    assert label(indexed, films, "--out", str(tmp_path / "run")) == 0
    (done,) = [row for _, row in read_jsonl(tmp_path / "run" / "predictions.jsonl")]
    assert done["model"] == "knn-2"


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--image-root", "x"], "--image-root is for --image-column"),
        (["--neighbours", "context"], "--neighbours does not apply to --model knn"),
        (["--evidence", "context"], "--evidence does not apply to --model knn"),
        (["--neighbour-split", "test"], "the index holds no split test"),
        (["--most-similar", "7"], "not between 0 and 1"),
    ],
)
def test_flags_that_cannot_work(
    flags: list[str],
    what: str,
    indexed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert label(indexed, FILMS, *flags, "--out", str(tmp_path / "run")) == 2
    told = capsys.readouterr().err
    assert what in told
    assert len(told.strip().splitlines()) == 1


def test_images_need_an_embedder_of_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = ["index", "build", *FILMS, "--embedder", "hashed", "--out", str(tmp_path / "index")]
    assert main(index) == 0
    shown = ["label", *FILMS, "--model", "knn", "--index", str(tmp_path / "index")]
    assert main([*shown, "--out", str(tmp_path / "run")]) == 2
    assert "labels that are choices" in capsys.readouterr().err
    shown[shown.index("knn")] = "labelwright-chest"
    shown += ["--unit", "report", "--neighbours", "context", "--image-column", "image"]
    assert main([*shown, "--out", str(tmp_path / "run")]) == 2
    assert "reads no images" in capsys.readouterr().err


def test_neighbours_in_the_prompt_of_the_shipped_model(tmp_path: Path) -> None:
    index = ["index", "build", *FILMS, "--embedder", "hashed", "--out", str(tmp_path / "index")]
    assert main(index) == 0
    shown = ["label", *FILMS, "--unit", "report", "--index", str(tmp_path / "index")]
    shown += ["--neighbours", "context", "--k", "2", "--out", str(tmp_path / "run")]
    assert main(shown) == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["counts"]["labeled"] == 12
    told = manifest["labeler"]["neighbours"]
    assert (told["method"], told["k"], told["embedder"]) == ("context", 2, "hashed:1024")


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--index", "x"], "--index is for --neighbours"),
        (["--neighbours", "context"], "--neighbours needs --index"),
        (["--neighbours", "context", "--index", "nowhere"], "nowhere"),
        (["--k", "3"], "--k is for --neighbours"),
    ],
)
def test_flags_for_prompts_belong_together(
    flags: list[str], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["label", *FILMS, "--unit", "report", *flags, "--out", str(tmp_path / "run")]
    assert main(command) == 2
    assert what in capsys.readouterr().err


def test_a_model_that_reads_sentences_takes_no_neighbours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["label", *FILMS, "--index", "x", "--neighbours", "context"]
    assert main([*command, "--out", str(tmp_path / "run")]) == 2
    assert "--unit report" in capsys.readouterr().err
