"""``labelwright eval`` over fields: files in, the page and its numbers out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labelwright.cli import main
from labelwright.io.jsonl import write_jsonl

LABEL_SET = """\
name: letters-5
version: "1.0"
task: fields
language: en
instruction: "Read {fields}."
fields:
  - {name: Dose, key: DO, type: number, unit: mg, tolerance: 1, range: [1, 1000]}
  - {name: Smoking, key: SM, type: categorical, values: [never, former, current]}
  - {name: Admission, key: AD, type: date}
  - {name: Diabetes, key: DI, type: boolean, no_means: closed-world}
  - {name: Diagnosis, key: DX, type: text}
"""
TEXT = (
    "Furosemide 40 mg. Ex smoker. Admitted 03/02/2021, born 05.06.1950. Diagnosis: SECRET stenosis."
)
FEW = ["--resamples", "200", "--permutations", "200"]


def place(words: str) -> list[list[int]]:
    start = TEXT.index(words)
    return [[start, start + len(words)]]


def stated(value: Any, raw: str, **more: Any) -> dict[str, Any]:
    spans = place(raw) if raw in TEXT else []
    return {"value": value, "raw": raw, "spans": spans, "status": "stated", **more}


NULL = {"value": None, "status": "not mentioned"}
GOLD = {
    "Dose": {"value": 40, "raw": "40 mg", "spans": place("40 mg")},
    "Smoking": "former",
    "Admission": {"value": "2021-02-03", "raw": "03/02/2021", "spans": place("03/02/2021")},
    "Diabetes": None,
    "Diagnosis": {"value": "SECRET stenosis", "raw": "SECRET stenosis"},
}
RIGHT = {
    "Dose": stated(40, "40 mg", prob=0.9),
    "Smoking": stated("former", "Ex smoker", prob=0.9),
    "Admission": stated("2021-02-03", "03/02/2021", prob=0.9),
    "Diabetes": {**NULL, "prob": 0.9},
    "Diagnosis": stated("SECRET stenosis", "SECRET stenosis", prob=0.9),
}
WRONG = {
    "Dose": stated(40000, "40 mg", prob=0.2),
    "Smoking": {**stated(None, "moderate"), "status": "unreadable"},
    "Admission": stated("1950-06-05", "05.06.1950"),
    "Diabetes": stated(False, "no"),
    "Diagnosis": stated("stenosis", "stenosis"),
}


def write(folder: Path) -> None:
    (folder / "label_set.yaml").write_text(LABEL_SET, encoding="utf-8")
    ids = [f"d{n}" for n in range(4)]
    write_jsonl(folder / "g.fields.jsonl", ({"id": i, "fields": GOLD} for i in ids[:3]))
    write_jsonl(folder / "texts.jsonl", ({"id": i, "text": TEXT} for i in ids))
    runs: dict[str, list[dict[str, Any] | None]] = {
        "good": [RIGHT, RIGHT, RIGHT, RIGHT],
        "bad": [RIGHT, WRONG, None, WRONG],
    }
    for name, rows in runs.items():
        write_jsonl(
            folder / f"{name}.jsonl",
            (
                {
                    "id": i,
                    "labels": {},
                    "fields": fields,
                    "raw": "",
                    "problems": ["unknown field (2)"] if fields is WRONG else [],
                    "notes": [],
                    "model": name,
                }
                for i, fields in zip(ids, rows, strict=True)
            ),
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fields")
    write(path)
    return path


def run(folder: Path, out: str, *flags: str) -> tuple[str, dict[str, Any]]:
    pred = [f"--pred={name}={folder / name}.jsonl" for name in ("good", "bad")]
    label_set = f"--label-set={folder / 'label_set.yaml'}"
    done = main(["eval", label_set, *pred, f"--out={folder / out}", *FEW, *flags])
    assert done == 0
    page = (folder / out / "index.html").read_text(encoding="utf-8")
    return page, json.loads((folder / out / "scores.json").read_text(encoding="utf-8"))


def test_scores_kinds_and_points(folder: Path) -> None:
    gold = f"--gold={folder / 'g.fields.jsonl'}"
    page, scores = run(folder, "page", gold, f"--reports={folder / 'texts.jsonl'}")
    bad = scores["labelers"]["bad"]
    # Of 3 documents one is right, one wrong in all but Diabetes, one has no answer.
    each = 2 * 1 / (3 + 2)
    found = {name: mark["value"] for name, mark in bad["averages"].items()}
    assert found["macro_f1"] == pytest.approx(4 * each / 5)
    assert found["micro_f1"] == pytest.approx(2 * 4 / (12 + 8))
    assert found["exact"] == pytest.approx(1 / 3)
    # Said or not: 2 of 3 in every field that gold states, 2 of 3 in Diabetes.
    assert found["presence"] == pytest.approx(2 / 3)
    assert scores["labelers"]["good"]["averages"]["exact"]["value"] == 1
    # "stenosis" of 8 characters in "SECRET stenosis" of 15 is 8/15 alike.
    assert found["likeness"] == pytest.approx((1 + round(1e4 * 8 / 15) / 1e4 + 0) / 3)
    kinds = scores["sections"]["kinds"]["bad"]["kinds"]
    assert {kind: n for kind, n in kinds.items() if n} == {
        # Four stated fields and one that only had to be left empty.
        "no-answer": 5,
        "unknown": 2,
        # Out of range, and no category; the date is another one of the text.
        "type": 2,
        "occurrence": 1,
        "length": 1,
    }
    points = scores["sections"]["kinds"]["bad"]["points"]
    assert (points["points"], points["points_with_unsupported"]) == (2 + 2 * 2, 6)
    sure = scores["sections"]["sureness"]
    assert sure["good"]["All fields"]["brier"] == pytest.approx(0.01)
    # One right at .9, five rights in all, and one wrong at .2.
    assert sure["bad"]["All fields"]["brier"] == pytest.approx((5 * 0.01 + 0.04) / 6)
    # Of Dose one right at .9, one wrong at .2: none is wrong at half coverage, half at full.
    dose = sure["bad"]["Dose"]
    assert (dose["decisions"], dose["ece"]) == (2, pytest.approx((0.1 + 0.2) / 2))
    assert (dose["aurc"], dose["aurc_best"]) == (pytest.approx(0.25), pytest.approx(0.25))
    # Dose alone has wrong decisions with a probability: it alone has diagrams of its own.
    assert "Calibration and risk of Dose." in page
    assert "bad: 1 decisions, stated 0.200, right 0.000" in page
    assert "SECRET" not in page
    for name in ("errors.csv", "tables/outside-categories.csv", "scores.json"):
        assert "SECRET" not in (folder / "page" / name).read_text(encoding="utf-8")
    lines = (folder / "page" / "errors.csv").read_text(encoding="utf-8").splitlines()
    assert (
        f"d1,bad,Admission,wrong occurrence,…,{_spans('03/02/2021')},…,{_spans('05.06.1950')}"
        in (lines)
    )
    assert "not mentioned means no" in page


def _spans(words: str) -> str:
    ((start, end),) = place(words)
    return f"{start} {end}"


def test_text_is_shown_where_it_is_asked_for(folder: Path) -> None:
    gold = f"--gold={folder / 'g.fields.jsonl'}"
    texts = f"--reports={folder / 'texts.jsonl'}"
    page, _ = run(folder, "open", gold, texts, "--include-text")
    assert "SECRET" in page
    assert "1950-06-05 (05.06.1950)" in page
    assert (folder / "open" / "index.html").stat().st_mode & 0o077 == 0
    table = (folder / "open" / "tables" / "outside-categories.csv").read_text(encoding="utf-8")
    assert "bad,Smoking,moderate,1" in table


def test_without_gold_nobody_is_right(folder: Path) -> None:
    page, scores = run(folder, "alone")
    assert "accuracy" not in page.casefold()
    assert scores["gold"] is None
    assert not (folder / "alone" / "errors.csv").exists()
    agreed = scores["sections"]["agreement"]["good / bad"]
    # Three documents have two answers: one the same in all, two in Diabetes alone.
    assert agreed["mean"]["value"] == pytest.approx((4 * 1 / 3 + 1) / 5)
    smoking = agreed["fields"]["Smoking"]
    assert (smoking["documents"], smoking["same"], smoking["same_presence"]) == (3, 1, 3)
    # former/former once, former/unreadable twice: seen 1/3, by chance 3·1/9.
    assert smoking["kappa"] == pytest.approx(0)
    assert agreed["fields"]["Diabetes"]["kappa"] is None
    assert scores["sections"]["points"]["bad"]["points"] == 4 + 2 * 4
    assert "SECRET" not in page


def test_what_needs_gold_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pred = f"--pred={folder / 'good.jsonl'}"
    assert main(["eval", pred, f"--out={folder / 'no'}", "--label-set=chexpert-14"]) == 2
    assert "compared with gold" in capsys.readouterr().err
    out, label_set = f"--out={folder / 'no'}", f"--label-set={folder / 'label_set.yaml'}"
    assert main(["eval", pred, out, label_set, "--data", str(folder)]) == 2
    assert "there is none" in capsys.readouterr().err
