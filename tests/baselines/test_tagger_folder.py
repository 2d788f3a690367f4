"""The folder of a tagger: written and read, told from others, incomplete, damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tagger_tools import FLAT, LABEL_SET, label_set

from baselines.encoder.scratch import PRESETS, make_scratch_encoder
from baselines.encoder.start import load_parts
from baselines.tagger.checkpoint import (
    SETTINGS,
    WEIGHTS,
    Shape,
    load_tagger,
    save_tagger,
)
from baselines.tagger.labeler import TaggerLabeler
from baselines.tagger.tags import Tagging
from baselines.tagger.token_classifier import TokenClassifier
from labelwright.checkpoint import LABEL_SET_FILE, has_heads, has_tags
from labelwright.errors import CheckpointError, ConfigError
from labelwright.records import Prediction, Reject, Report


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as training writes it, with random weights and a random field."""
    base = tmp_path_factory.mktemp("models")
    make_scratch_encoder([text for text, _ in FLAT], base / "bert", shape=PRESETS["tiny"], seed=0)
    encoder, tokenizer = load_parts(base / "bert", name="bert", dtype=torch.float32)
    tagging = Tagging(label_set(), "BIO", False)
    model = TokenClassifier(encoder, len(tagging.names), head="crf", dropout=0.1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.3)
    shape = Shape(tagging=tagging, head="crf", max_length=64, stride=8, dropout=0.1)
    save_tagger(base / "tagger", model, tokenizer, shape, sections="full", base_model="test")
    return base / "tagger"


def test_what_is_read_is_what_was_written(checkpoint: Path) -> None:
    loaded = load_tagger(checkpoint)
    assert loaded.label_set == label_set()
    assert (loaded.shape.head, loaded.shape.max_length, loaded.shape.stride) == ("crf", 64, 8)
    assert loaded.task.layouts == ("tags",)
    from safetensors.torch import load_file

    written = load_file(checkpoint / WEIGHTS)
    assert set(written) == {
        *("scores.weight", "scores.bias"),
        *("field.start_transitions", "field.end_transitions", "field.transitions"),
    }
    own = loaded.model.own_weights()
    assert all(torch.equal(own[name], weight) for name, weight in written.items())


def test_describe_names_all_that_answers_depend_on(checkpoint: Path) -> None:
    one = TaggerLabeler.from_checkpoint(checkpoint, device="cpu").describe()
    json.dumps(one)
    assert (one["kind"], one["context"], one["on_long"]) == ("tagger", 64, "windows")
    assert one["decoding"]["strategy"] == "likeliest path"
    again = TaggerLabeler.from_checkpoint(checkpoint, device="cpu", batch_size=2).describe()
    assert {name for name in one if one[name] != again[name]} == {"runtime"}


WRONG_CHOICES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"device": "toaster"}, ConfigError, "unknown device"),
    ({"dtype": "int3"}, ConfigError, "unknown dtype"),
    ({"batch_size": 0}, ConfigError, "at least one text"),
    ({"label_set": "disease-1"}, CheckpointError, "trained on another label set than disease-1"),
]


@pytest.mark.parametrize(("choice", "error", "words"), WRONG_CHOICES)
def test_wrong_choices(
    checkpoint: Path, choice: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        TaggerLabeler.from_checkpoint(checkpoint, **({"device": "cpu"} | choice))


def test_empty_reports_are_rejected(checkpoint: Path) -> None:
    labeler = TaggerLabeler.from_checkpoint(checkpoint, device="cpu")
    found = labeler.label_reports([Report("a", " \n", "s", 3), Report("b", "\u0301", "s", 4)])
    assert found[0] == Reject("a", "s", 3, "the report is empty")
    assert isinstance(found[1], Prediction)
    assert found[1].entities == ()
    assert labeler.label_reports([]) == []


def without_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def with_torn_weights(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:100])


def with_other_tags(folder: Path) -> None:
    value = json.loads((folder / SETTINGS).read_text())
    value["tags"].reverse()
    (folder / SETTINGS).write_text(json.dumps(value))


def with_another_scheme(folder: Path) -> None:
    value = json.loads((folder / SETTINGS).read_text())
    value["scheme"] = "BIOUX"
    (folder / SETTINGS).write_text(json.dumps(value))


def with_another_label_set(folder: Path) -> None:
    (folder / LABEL_SET_FILE).write_text(LABEL_SET.replace("Site", "Place"))


def with_pickled_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (folder / WEIGHTS).rename(folder / "tags.bin")


HARMS = [
    (without_weights, r"tags\.safetensors cannot be loaded"),
    (with_torn_weights, r"tags\.safetensors cannot be loaded"),
    (with_other_tags, r"tags\.json is missing, damaged or of another label set"),
    (with_another_scheme, r"tags\.json is missing, damaged or of another label set"),
    (with_another_label_set, "differs from the label set"),
    (with_pickled_weights, "has no weights in safetensors"),
]


@pytest.mark.parametrize(("harm", "words"), HARMS, ids=lambda value: getattr(value, "__name__", ""))
def test_incomplete_folders(
    checkpoint: Path, tmp_path: Path, harm: Callable[[Path], None], words: str
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "model"))
    assert has_tags(folder)
    assert not has_heads(folder)
    harm(folder)
    with pytest.raises(CheckpointError, match=words) as caught:
        TaggerLabeler.from_checkpoint(folder, device="cpu")
    assert "\n" not in caught.value.line()
