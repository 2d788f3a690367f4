"""Temperatures of a comparison, applied while labeling."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.cli import main
from labelwright.errors import ConfigError, InputError
from labelwright.io.manifest import sha256_model
from labelwright.label_set import LabelSet
from labelwright.labelers.calibrated import FILE, Calibrated, calibrated, tempered
from labelwright.labelers.second import Decision
from labelwright.labelers.settings import LabelerSettings
from labelwright.loading import load_labeler
from labelwright.records import Certainty, Prediction, Reject, Report
from labelwright.shipped import MODELS


class Fixed:
    """Gives every report the same probabilities."""

    name = "fixed"
    label_set = LabelSet.load("head-ct-5")

    def describe(self) -> dict[str, Any]:
        return {"model_sha256": "abc"}

    def label_reports(self, reports: list[Report]) -> list[Prediction | Reject]:
        probs = {n: {"positive": 0.8, "blank": 0.2} for n in self.label_set.names}
        labels = dict.fromkeys(self.label_set.names, Certainty.POSITIVE)
        return [
            Reject(r.id, r.source, r.row, "no") if r.id == "bad"
            else Prediction(id=r.id, model=self.name, task="certainty", value=labels, probs=probs)
            for r in reports
        ]  # fmt: skip


def calibration(path: Path, sha256: str = "abc", **change: Any) -> Path:
    names = LabelSet.load("head-ct-5").names
    file = {
        "label_set_sha256": LabelSet.load("head-ct-5").fingerprint,
        "gold_certainties": {"positive": 5, "negative": 7, "uncertain": 0, "blank": 30},
        "labelers": {
            "other": _row("xyz", dict.fromkeys(names, 9.0)),
            "mine": _row(sha256, dict.fromkeys(names, 2.0)),
        },
    }
    path.write_text(json.dumps(file | change))
    return path


def _row(sha256: str, observations: dict[str, float]) -> dict[str, Any]:
    temperature = {"observations": observations}
    return {"model": "m", "model_sha256": sha256, "temperature": temperature}


def test_probabilities_are_tempered_and_labels_stay(tmp_path: Path) -> None:
    labeler = Calibrated.from_file(Fixed(), calibration(tmp_path / "c.json"))
    reports = [Report("1", "x", "s", 1), Report("bad", "x", "s", 2)]
    found, reject = labeler.label_reports(reports)
    assert isinstance(found, Prediction)
    assert isinstance(reject, Reject)
    # 0.8 and 0.2 to the power 1/2: 2 to 1.
    assert found.probs is not None
    assert found.probs[labeler.label_set.names[0]] == {"positive": 0.666667, "blank": 0.333333}
    assert set(found.labels.values()) == {Certainty.POSITIVE}
    assert labeler.describe().keys() == {"model_sha256", "calibration_sha256"}


@given(
    st.lists(st.floats(0.001, 1.0), min_size=2, max_size=4),
    st.floats(0.1, 10.0),
)
def test_the_order_of_probabilities_stays(values: list[float], temperature: float) -> None:
    before = np.array(values) / sum(values)
    after = tempered({str(i): float(p) for i, p in enumerate(before)}, temperature)
    found = np.array(list(after.values()))
    assert found.sum() == pytest.approx(1, abs=1e-5)
    expected = before ** (1 / temperature)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-6)


def test_a_calibration_of_another_model_or_label_set(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    with pytest.raises(ConfigError, match="fitted for this very fixed"):
        Calibrated.from_file(Fixed(), calibration(path, "other hash"))
    with pytest.raises(ConfigError, match="another label set"):
        Calibrated.from_file(Fixed(), calibration(path, label_set_sha256="0"))
    for few in ({"positive": 5, "blank": 30}, {"positive": 3, "negative": 9, "uncertain": 0}):
        with pytest.raises(ConfigError, match="only what is present"):
            Calibrated.from_file(Fixed(), calibration(path, gold_certainties=few))
    for text in ("", "[]", "{}", '{"labelers": 1, "label_set_sha256": "x"}'):
        path.write_text(text)
        with pytest.raises(InputError, match=r"not a calibration\.json"):
            Calibrated.from_file(Fixed(), path)


def test_the_file_in_the_folder_of_a_model_is_used_by_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (reports,) = [[Report("1", "x", "s", 1)]]
    first = LabelSet.load("head-ct-5").names[0]

    def probability(model: Path | None, chosen: str | None) -> float:
        (found,) = calibrated(Fixed(), model, chosen).label_reports(reports)
        assert isinstance(found, Prediction)
        assert found.probs is not None
        return found.probs[first]["positive"]

    assert probability(tmp_path, None) == 0.8  # no file there
    calibration(tmp_path / "calibration.json")
    assert probability(tmp_path, None) == 0.666667
    assert probability(tmp_path, "none") == 0.8
    assert probability(None, None) == 0.8
    assert probability(None, str(tmp_path / "calibration.json")) == 0.666667
    before = sha256_model(tmp_path)
    calibration(tmp_path / "calibration.json", "xyz")
    assert sha256_model(tmp_path) == before  # it names the model by this hash
    assert probability(tmp_path, None) == 0.8
    assert "fitted for other weights" in caplog.text


def test_the_file_of_a_model_is_for_the_way_of_asking_that_it_was_fitted_for(
    tmp_path: Path,
) -> None:
    path = calibration(tmp_path / "calibration.json")
    file = json.loads(path.read_text())
    file["labelers"]["mine"]["decoding"] = {"mode": "one-pass", "unit": "sentence", "long": "x"}
    del file["labelers"]["other"]
    path.write_text(json.dumps(file))
    assert type(calibrated(Fixed(), tmp_path, None)) is Fixed
    assert type(calibrated(Fixed(), tmp_path, str(path))) is Calibrated


@pytest.mark.parametrize("name", sorted(path.parent.name for path in MODELS.glob(f"*/{FILE}")))
def test_what_comes_with_a_model_was_fitted_for_it(name: str) -> None:
    """If this fails the weights have changed: fit both files of the folder again."""
    labeler = load_labeler(LabelerSettings(model=name, unchecked=True)).labeler
    assert type(labeler) is Calibrated
    Decision.chosen(labeler.label_set, None, MODELS / name, "rules")


def test_fitted_by_eval_and_used_by_label(
    tmp_path: Path, tiny_checkpoint: Path, chexpert: LabelSet
) -> None:
    """The file that ``eval`` writes is the one that ``label`` reads."""
    for split, rows in (("one", range(30)), ("two", range(30, 60))):
        with (tmp_path / f"{split}.csv").open("w", newline="") as handle:
            out = csv.writer(handle)
            out.writerow(["id", "text"])
            out.writerows([f"r{row}", f"Opacity number {row}."] for row in rows)
        with (tmp_path / f"{split}-gold.csv").open("w", newline="") as handle:
            out = csv.writer(handle)
            out.writerow(["id", *chexpert.names])
            for row in rows:
                codes = [((row + place) % 3 - 1) * 1.0 for place in range(13)]
                out.writerow([f"r{row}", *codes, ""])
        command = ["label", str(tmp_path / f"{split}.csv"), "--model", str(tiny_checkpoint)]
        assert main([*command, "--out", str(tmp_path / split), "--device", "cpu"]) == 0
    gold = ["--gold", str(tmp_path / "two-gold.csv"), "--pred", f"m={tmp_path / 'two'}"]
    held = ["--calibration-gold", str(tmp_path / "one-gold.csv")]
    held += ["--calibration-pred", f"m={tmp_path / 'one'}"]
    quick = ["--permutations", "100", "--resamples", "100"]
    assert main(["eval", *gold, *held, *quick, "--out", str(tmp_path / "page")]) == 0
    fitted = tmp_path / "page" / "calibration.json"
    again = ["label", str(tmp_path / "two.csv"), "--model", str(tiny_checkpoint)]
    again += ["--device", "cpu", "--calibration", str(fitted), "--out", str(tmp_path / "three")]
    assert main(again) == 0
    before, after = (_probs(tmp_path / name) for name in ("two", "three"))
    file = json.loads(fitted.read_text())["labelers"]["m"]["temperature"]["observations"]
    for name, temperature in file.items():
        assert after[name] == pytest.approx(tempered(before[name], temperature), abs=2e-6)


def _probs(folder: Path) -> dict[str, dict[str, float]]:
    line = (folder / "predictions.jsonl").read_text().splitlines()[0]
    return json.loads(line)["probs"]  # type: ignore[no-any-return]
