"""The public Python API: its names, what goes in and comes out, and its mistakes."""

from __future__ import annotations

import doctest
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import labelwright
from inference.labeler import Labeler
from labelwright.errors import ConfigError, InputError, LabelSetError

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = [
    "Build",
    "Certainty",
    "Comparison",
    "Entity",
    "LabelSet",
    "Labeler",
    "Prediction",
    "Reject",
    "Report",
    "__version__",
    "build",
    "compare",
    "errors",
    "label",
    "load",
    "read_predictions",
    "read_reports",
]
TEXTS = ["No pneumothorax.", "Small left pleural effusion."]


@pytest.fixture(scope="module")
def rules() -> labelwright.Labeler:
    return labelwright.load("rules")


def test_the_public_names() -> None:
    """A name that goes away breaks other people's code: change this list on purpose only."""
    assert labelwright.__all__ == NAMES
    assert dir(labelwright) == NAMES
    for name in NAMES:
        assert getattr(labelwright, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lable'"):
        _ = labelwright.lable


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import labelwright", ("torch", "transformers", "pandas", "numpy")),
        ("import labelwright; labelwright.load('rules').label(['Clear.'])", ("torch", "pandas")),
    ],
)
def test_nothing_heavy_is_imported(code: str, absent: tuple[str, ...]) -> None:
    program = f"import sys; {code}; print([n for n in {absent!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_list_of_texts(rules: labelwright.Labeler) -> None:
    first, second, empty = rules.label([*TEXTS, " "])
    assert first.labels["Pneumothorax"] is labelwright.Certainty.NEGATIVE
    assert second.labels["Pleural Effusion"] is labelwright.Certainty.POSITIVE
    assert (first.id, second.id, empty.id) == ("0", "1", "2")
    assert set(empty.labels.values()) == {None}
    assert not empty.complete
    assert len(empty.problems) == 1
    assert repr(rules) == "<labelwright.Labeler 'rules' of 'chexpert-14'>"


def test_reports_keep_their_ids(rules: labelwright.Labeler) -> None:
    report = labelwright.Report(id="r7", text=TEXTS[0], source="db", row=7)
    assert rules.label([report])[0].id == "r7"
    bad = labelwright.Report(id="r8", text="", source="db", row=8)
    (reject,) = rules.label_reports([bad])
    assert isinstance(reject, labelwright.Reject)
    assert (reject.id, reject.source, reject.row) == ("r8", "db", 8)


@pytest.mark.parametrize("wrong", [TEXTS[0], TEXTS[0].encode(), 3, None, {"a": TEXTS[0]}])
def test_one_text_is_no_list(rules: labelwright.Labeler, wrong: object) -> None:
    """A plain string would be labeled letter by letter."""
    with pytest.raises(TypeError, match=r"label\(\[text\]\)"):
        rules.label(wrong)
    with pytest.raises(TypeError) as raised:
        labelwright.label(wrong, rules)
    assert TEXTS[0] not in str(raised.value)


def test_the_generative_labeler_takes_no_plain_string_either() -> None:
    labeler = labelwright.load(
        "labelwright-chest", device="cpu", unchecked=True, calibration="none"
    )
    with pytest.raises(TypeError, match="not one str"):
        labeler.label(TEXTS[0])
    assert isinstance(labeler.labeler, Labeler)
    with pytest.raises(TypeError, match="not one str"):
        labeler.labeler.label(TEXTS[0])


@pytest.mark.parametrize("wrong", [[1], [None], [TEXTS[0], b"x"]])
def test_items_that_are_no_texts(rules: labelwright.Labeler, wrong: list[object]) -> None:
    with pytest.raises(TypeError, match=r"item \d is neither a text nor a Report"):
        rules.label(wrong)


def test_a_data_frame(rules: labelwright.Labeler) -> None:
    frame = pd.DataFrame(
        {"study_id": ["a", "b", "c"], "findings": [*TEXTS, None], "sex": ["f", "m", "f"]}
    )
    table = labelwright.label(frame, rules, id_column="study_id")
    assert list(table.index) == ["a", "b"]
    assert table.index.name == "study_id"
    assert list(table.columns) == list(rules.label_set.names)
    assert table.loc["a", "Pneumothorax"] == 0.0
    assert table.loc["b", "Pleural Effusion"] == 1.0
    assert math.isnan(table.loc["b", "Fracture"])
    assert table.attrs["rejects"] == [
        {"id": "c", "source": "table", "row": 3, "reason": "the report has no text"}
    ]


def test_a_frame_without_ids_keeps_its_index(rules: labelwright.Labeler) -> None:
    frame = pd.DataFrame({"report": TEXTS}, index=[11, 12])
    assert list(labelwright.label(frame, rules).index) == ["11", "12"]
    numbered = labelwright.label(frame, rules, id_column="#")
    assert (list(numbered.index), numbered.index.name) == (["table#1", "table#2"], "id")
    with pytest.raises(TypeError, match=r"not a table; write labelwright\.label"):
        rules.label(frame)  # going over it gives the names of its columns
    assert [found.id for found in rules.label(frame["report"])] == ["0", "1"]
    german = frame.rename(columns={"report": "Befund"})
    assert labelwright.label(german, rules, text_columns="Befund").shape[0] == 2


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ([7.0, float("nan"), 8.0], ["7", "8"]),
        (pd.array([7, None, 8], dtype="Int64"), ["7", "8"]),
        (pd.array([7, None, 8], dtype="Float64"), ["7", "8"]),
        (pd.Categorical([7.0, None, 8.0]), ["7", "8"]),
        (np.array([7, 0, 8], dtype="uint8"), ["7", "0", "8"]),
        ([7.5, float("nan"), 8.0], ["7.5", "8.0"]),
        (["7", None, "8.0"], ["7", "8.0"]),
    ],
)
def test_whole_numbers_stay_whole_beside_an_empty_cell(
    rules: labelwright.Labeler, tmp_path: Path, ids: Any, found: list[str]
) -> None:
    frame = pd.DataFrame({"id": ids, "text": [*TEXTS, TEXTS[0]]})
    table = labelwright.label(frame, rules)
    assert list(table.index) == found
    assert [reject["reason"] for reject in table.attrs["rejects"]] == ["the id is missing"] * (
        3 - len(found)
    )
    if found[0] == "7" and not isinstance(ids, pd.Categorical):
        frame.to_parquet(tmp_path / "a.parquet")
        frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
        for name in ("a.parquet", "a.jsonl"):
            assert list(labelwright.label(tmp_path / name, rules).index) == found


def test_a_frame_reads_as_the_same_csv_file(rules: labelwright.Labeler, tmp_path: Path) -> None:
    frame = pd.read_csv(EXAMPLES / "reports.csv", dtype=str).head(40)
    frame.to_csv(tmp_path / "same.csv", index=False)
    asked = {"id_column": "id", "text_columns": ["findings", "impression"]}
    one = labelwright.label(frame, rules, **asked)
    two = labelwright.label(tmp_path / "same.csv", rules, **asked)
    pd.testing.assert_frame_equal(one, two)
    assert one.attrs["rejects"] == [{**r, "source": "table"} for r in two.attrs["rejects"]]


def test_probabilities_stand_beside_the_labels() -> None:
    table = labelwright.label(TEXTS, probabilities=True, device="cpu")
    columns = [f"Pneumothorax: {c.value}" for c in labelwright.Certainty]
    assert table[columns].sum(axis=1).to_numpy() == pytest.approx([1.0, 1.0], abs=1e-4)


def test_mentions_are_a_long_table() -> None:
    class Finder:
        name = "finder"
        label_set = labelwright.LabelSet.load("disease-1")

        def label_reports(self, reports):
            kind = self.label_set.names[0]
            return [
                labelwright.Prediction(
                    id=r.id,
                    model="finder",
                    task="entities",
                    value=(labelwright.Entity.of(r.text, kind, (0, 5)),),
                )
                for r in reports
            ]

    from labelwright.loading import LoadedLabeler

    finder = labelwright.Labeler(LoadedLabeler(Finder(), "full", 8))
    table = labelwright.label(["Fever since Monday."], finder)
    assert table.loc["0", "text"] == "Fever"
    assert (table.loc["0", "start"], table.loc["0", "end"]) == (0, 5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: labelwright.load("rules", decode="free"), "^decode does not apply to the rules"),
        (lambda: labelwright.load("rules", dekode="free"), "no labeler has the setting dekode"),
        (lambda: labelwright.read_reports("a.csv", id="x"), "unknown option among id"),
        (
            lambda: labelwright.build("a.csv", label_set="chexpert-14", out="o", lables="x"),
            "build takes no lables; see labelwright build --help",
        ),
        (
            lambda: labelwright.build("a.csv", label_set="chexpert-14", out="o", seed="x"),
            "must be a whole number",
        ),
        (
            lambda: labelwright.compare("gold.csv", {"a": "b"}, out="o", labell="x"),
            "eval takes no labell",
        ),
    ],
)
def test_mistakes_say_what_and_how_to_fix_it(call, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        call()
    assert raised.value.remedy
    assert not re.search(r"--(?!help)", str(raised.value))  # arguments, not flags


def test_settings_of_a_loaded_labeler(rules: labelwright.Labeler) -> None:
    with pytest.raises(ConfigError, match="takes no more settings"):
        labelwright.label(TEXTS, rules, label_set="chexpert-14")
    with pytest.raises(LabelSetError, match="no label set"):
        labelwright.load("rules", label_set="none-such")
    with pytest.raises(InputError, match="no column"):
        labelwright.label(pd.DataFrame({"note": TEXTS}), rules, text_columns=["text"])


def test_build_label_and_compare(
    rules: labelwright.Labeler, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The way of the README, in Python; nothing is printed."""
    built = labelwright.build(
        EXAMPLES / "reports.csv",
        label_set="chexpert-14",
        labels=EXAMPLES / "labels.csv",
        out=tmp_path / "records",
        id_column="id",
        text_columns=["findings", "impression"],
        split="test",
    )
    assert built.manifest["command"] == "build"
    reports = [
        item
        for item in labelwright.read_reports(built.folder / "test.reports.jsonl")
        if isinstance(item, labelwright.Report)
    ]
    found = rules.label(reports)
    rows = "".join(json.dumps(p.to_json()) + "\n" for p in found)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "predictions.jsonl").write_text(rows)
    again = labelwright.read_predictions(tmp_path / "one")
    assert [p.to_json() for p in again] == [p.to_json() for p in found]
    comparison = labelwright.compare(
        built.folder / "test.labels.csv",
        {"one": tmp_path / "one", "two": tmp_path / "two"},
        label_set="chexpert-14",
        out=tmp_path / "page",
        resamples=100,
        permutations=100,
    )
    assert comparison.page.is_file()
    assert comparison.scores["settings"]["resamples"] == 100
    assert str(comparison) == "\n".join(comparison.verdicts)
    assert str(tmp_path) not in str(comparison)
    assert capfd.readouterr().out == ""


def test_a_file_of_no_predictions(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(InputError, match="not a prediction"):
        labelwright.read_predictions(tmp_path / "p.jsonl")


def test_the_examples_of_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ``>>>`` of docs/python.md, run in the folder that a clone starts from."""
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    found = doctest.testfile(
        str(EXAMPLES.parent / "docs" / "python.md"),
        module_relative=False,
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
    )
    assert found.attempted > 15
    assert found.failed == 0
