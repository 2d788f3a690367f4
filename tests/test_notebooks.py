"""The notebooks run from the first cell to the last, and what they show is HTML without danger."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from test_layout import ROOT

from labelwright.records import Certainty, Entity, Prediction
from labelwright.shown import comparison_html

BOOKS = ROOT / "examples" / "notebooks"


def executed(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the cells where Jupyter does, in the notebook's folder; the names that they leave."""
    book = json.loads((BOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert book["nbformat"] == 4
    shutil.copytree(ROOT / "examples", folder / "examples")
    monkeypatch.chdir(folder / "examples" / "notebooks")
    found: dict[str, Any] = {}
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # outputs would hold report text
            exec(compile("".join(cell["source"]), cell["id"], "exec"), found)
    return found


def test_label_and_inspect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = executed("label_and_inspect", tmp_path, monkeypatch)
    assert found["prediction"].labels["Pleural Effusion"] is Certainty.POSITIVE
    assert found["prediction"].labels["Pneumothorax"] is Certainty.NEGATIVE
    assert not found["empty"].complete
    assert len(found["table"]) == 40


@pytest.mark.slow
def test_train_and_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = executed("train_and_compare", tmp_path, monkeypatch)
    assert (tmp_path / "out" / "notebook" / "model" / "manifest.json").is_file()
    assert set(found["comparison"].scores["labelers"]) == {"ours", "rules"}
    assert "ours" in found["comparison"]._repr_html_()


class Words(HTMLParser):
    """The tags and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += f"{data}|"


def test_predictions_and_comparisons_as_html() -> None:
    nasty = "<script>alert(1)</script>"
    labels = {"Edema": Certainty.POSITIVE, "Fracture": Certainty.BLANK, "Other": None}
    probs = {"Edema": {"positive": 0.876}}
    said = Prediction(id=nasty, model="m", task="certainty", value=labels, probs=probs)
    shown = Words(said._repr_html_())
    assert "script" not in shown.tags
    assert f"{nasty}| · m|" in shown.text
    assert "Edema|positive|0.88|" in shown.text
    assert "Other|no answer|" in shown.text
    assert "Fracture" not in shown.text
    assert "1 blank|" in shown.text
    mentions = (Entity("Disease", ((3, 9),), "asthma", prob=0.5), Entity("Disease", (), nasty))
    found = Words(Prediction(id="a", model="m", task="entities", value=mentions)._repr_html_())
    assert "Disease|asthma|3–9|0.50|" in found.text
    assert f"Disease|{nasty}|not in the text|" in found.text
    assert "script" not in found.tags
    nothing = Prediction(id="a", model="m", task="entities", value=None, problems=("cut off",))
    assert "no answer|cut off|" in Words(nothing._repr_html_()).text
    compared = Words(comparison_html(("a is better.", "Caution: <b>"), "out/index.html"))
    assert compared.text == "a is better.|Caution: <b>|out/index.html|"
