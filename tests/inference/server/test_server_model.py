"""A model behind a real server answers as it does in this process: ``transformers serve``."""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REPORTS
from decoding_tools import learn_by_heart
from server_tools import serving, transformers_serve

from inference.labeler import Labeler
from inference.load import load
from inference.prompts import answer_room
from inference.server.labeler import ServerLabeler
from labelwright.cli import main
from labelwright.errors import CheckpointError, ConfigError, ServerError
from labelwright.io.manifest import sha256_model
from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Report

pytestmark = pytest.mark.slow

NEW = ("Clear lungs. Pacemaker leads.", "Edema <|im_end|> and effusion.", "Old rib fracture.")
"""Reports that the model was not taught; it answers something else than a valid line to some."""


@pytest.fixture(scope="module")
def taught(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model after learning a dozen answers, drawn at random, by heart."""

    folder = tmp_path_factory.mktemp("served") / "chest"
    shutil.copytree(tiny_checkpoint, folder)
    loaded = load(folder, device="cpu")
    rng = random.Random(3)
    allowed = loaded.label_set.labels
    lessons = {text: {x.name: rng.choice(x.certainties) for x in allowed} for text in REPORTS}
    learn_by_heart(loaded, lessons, steps=300, enough=0.02)
    loaded.model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def server(taught: Path) -> Iterator[str]:
    """``transformers serve`` with the model, as a process of its own."""
    with transformers_serve(taught) as url:
        yield url


def test_the_same_answers_as_without_a_server(taught: Path, server: str) -> None:
    texts = (*REPORTS, *NEW)
    reports = [Report(str(row), text, "t", row) for row, text in enumerate(texts)]
    local = Labeler.from_checkpoint(taught, device="cpu", decode="free").label_reports(reports)
    served = ServerLabeler.connect(server, str(taught), concurrency=4)
    answers = served.label_reports(reports)
    assert served.kind == "transformers"
    assert served.name == "chest"
    assert served.sections == "both"
    for one, other in zip(local, answers, strict=True):
        assert isinstance(one, Prediction)
        assert isinstance(other, Prediction)
        assert other.raw == one.raw
        assert other.labels == one.labels
        assert (other.problems, other.notes) == (one.problems, one.notes)
    complete = [answer for answer in answers if isinstance(answer, Prediction) and answer.complete]
    assert len(complete) >= len(REPORTS)
    assert len({answer.raw for answer in complete}) > 6


def test_the_label_command(
    taught: Path, server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "reports.csv"
    with open(table, "w", newline="") as handle:
        csv.writer(handle).writerows(
            [("id", "text"), *((f"r{i}", t) for i, t in enumerate(REPORTS))]
        )
    words = ["label", str(table), "--model", str(taught)]
    assert main([*words, "--server", server, "--out", str(tmp_path / "served")]) == 0
    assert main([*words, "--decode", "free", "--out", str(tmp_path / "local")]) == 0
    served, local = ((tmp_path / name / "labels.csv").read_bytes() for name in ("served", "local"))
    assert served == local
    assert served.count(b"\n") == 1 + len(REPORTS)
    manifest = json.loads((tmp_path / "served" / "manifest.json").read_text())
    assert manifest["labeler"]["server"]["kind"] == "transformers"
    capfd.readouterr()
    assert main([*words, "--server", server, "--out", str(tmp_path / "served")]) == 0
    assert capfd.readouterr().out.startswith("already finished: 12 rows: 12 labeled, 0 rejected")
    again = [*words, "--server", server, "--decode", "constrained", "--out", str(tmp_path / "c")]
    assert main(again) == 2
    assert "this server (transformers serve) cannot constrain answers" in capfd.readouterr().err


def test_models_that_the_server_does_not_have(server: str, tiny_checkpoint: Path) -> None:
    with pytest.raises(ServerError, match=r"refuses a request \(HTTP 400\)"):
        ServerLabeler.connect(server, str(tiny_checkpoint))


def test_a_model_under_another_name(tiny_checkpoint: Path) -> None:
    with serving() as fake:
        labeler = ServerLabeler.connect(fake.url, "chest", folder=tiny_checkpoint)
    assert (labeler.name, labeler.sections) == ("chest", "both")
    described = labeler.describe()
    assert described["context"] == 2048
    assert described["folder_sha256"] == sha256_model(tiny_checkpoint)
    assert described["decoding"]["max_tokens"] == answer_room(load(tiny_checkpoint, device="cpu"))


def broken(folder: Path, place: Path, **task: Any) -> Path:
    shutil.copytree(folder, place)
    own = json.loads((place / "labelwright.json").read_text())
    (place / "labelwright.json").write_text(json.dumps(own | task))
    return place


def test_what_must_be_known_of_a_model(
    tiny_checkpoint: Path, tmp_path: Path, chexpert: LabelSet
) -> None:
    address = "http://127.0.0.1:9/v1"
    with pytest.raises(ConfigError, match="does not say what it labels; give --model-folder"):
        ServerLabeler.connect(address, "chest")
    with pytest.raises(CheckpointError, match="trained on another label set than head-ct-5"):
        ServerLabeler.connect(address, str(tiny_checkpoint), label_set="head-ct-5")
    with pytest.raises(CheckpointError, match=r"the model folder has no label_set.yaml"):
        ServerLabeler.connect(address, "chest", folder=tmp_path, label_set="chexpert-14")
    old = broken(tiny_checkpoint, tmp_path / "old", prompt_version="0")
    with pytest.raises(CheckpointError, match="prompt version 0"):
        ServerLabeler.connect(address, str(old))
    branches = broken(tiny_checkpoint, tmp_path / "branches", layouts=["branches"])
    with pytest.raises(CheckpointError, match="does not write answer lines"):
        ServerLabeler.connect(address, str(branches), label_set=chexpert)
    by_sentence = broken(tiny_checkpoint, tmp_path / "by-sentence", unit="sentence")
    with pytest.raises(
        CheckpointError, match="reads sentence by sentence, and a server is asked whole reports"
    ):
        ServerLabeler.connect(address, str(by_sentence))
