"""``labelwright eval`` for label sets of entities, with good and with bad input."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pytest
from span_tools import CANARY, notes, write_case

from labelwright.cli import main
from labelwright.io.jsonl import write_jsonl

FAST = ("--resamples", "120", "--permutations", "150")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rates = {"ours": 0.1, "rules": 0.6, "ours-2": 0.12, "rules-2": 0.55}
    folder = write_case(tmp_path_factory.mktemp("case"), rates, count=40)
    write_jsonl(
        folder / "patients.jsonl",
        ({"id": i, "patient": f"p{n // 2}", "text": t} for n, (i, t, _) in enumerate(notes(40))),
    )
    return folder


def evaluate(case: Path, out: Path, *flags: str) -> int:
    usual = ("--gold", str(case / "gold.jsonl"), "--label-set", str(case / "labels.yaml"))
    return main(["eval", *usual, "--out", str(out), *FAST, *flags])


def preds(case: Path, *names: str) -> list[str]:
    return [part for name in names for part in ("--pred", f"{name}={case / name}")]


def test_two_runs_give_a_page_with_all_that_lies_beside_it(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    assert evaluate(case, out, *preds(case, "ours", "rules")) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("ours is better than rules by ")
    assert said[-1] == str(out / "index.html")
    value = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert value["metric"] == "micro_f1_strict"
    assert said[0] == value["verdict"][0]
    with open(out / "tables" / "schemes.csv", encoding="utf-8", newline="") as handle:
        schemes = {row["Counted as right"]: row for row in csv.DictReader(handle)}
    assert list(schemes) == ["Strict", "Exact", "Partial", "Type", "Overlap"]
    strict = value["labelers"]["ours"]["schemes"]["strict"]["micro"]["f1"]
    assert float(schemes["Strict"]["ours micro F1"]) == pytest.approx(strict, abs=1e-6)
    figures = {p.name for p in (out / "figures").iterdir()}
    assert {"forest.svg", "bars.svg", "heat-1.svg", "kinds-1.svg", "curves-1.svg"} <= figures
    for path in out.rglob("*"):
        assert path.is_dir() or CANARY not in path.read_text(encoding="utf-8"), path
    assert stat.S_IMODE((out / "index.html").stat().st_mode) == 0o644


def test_the_same_files_and_seed_give_the_same_bytes(case: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert evaluate(case, tmp_path / name, *preds(case, "ours", "rules")) == 0
    first = {p.relative_to(tmp_path / "a"): p for p in (tmp_path / "a").rglob("*") if p.is_file()}
    for name, path in first.items():
        assert path.read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_patients_text_and_margin(case: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    table = str(case / "patients.jsonl")
    flags = ("--patients", table, "--include-text", "--margin", "0.3", "--metric", "macro_f1_type")
    assert evaluate(case, out, *preds(case, "ours", "ours-2"), *flags) == 0
    html = (out / "index.html").read_text(encoding="utf-8")
    assert CANARY in html
    assert stat.S_IMODE((out / "index.html").stat().st_mode) == 0o600
    value = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert (value["clusters"], value["clustered_by_patient"]) == (20, True)
    assert value["settings"]["margin"] == 0.3
    assert CANARY not in json.dumps(value)


def test_the_verdict_carries_the_caution_of_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eleven reports are too few for interval and test; whoever reads the line alone must know."""
    case = write_case(tmp_path, {"ours": 0.0, "rules": 0.9}, count=11)
    assert evaluate(case, tmp_path / "two", *preds(case, "ours", "rules")) == 0
    first = capsys.readouterr().out.splitlines()[0]
    few = "Only 11 reports: intervals are too narrow and tests have little power."
    assert first.endswith(f". {few}")
    value = json.loads((tmp_path / "two" / "scores.json").read_text(encoding="utf-8"))
    assert value["verdict"] == [first]
    assert (tmp_path / "two" / "index.html").read_text(encoding="utf-8").count(few) == 1
    # No resample of a perfect labeler differs: an interval of one point is not shown.
    assert evaluate(case, tmp_path / "one", *preds(case, "ours")) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"ours reaches a strict micro F1 of 1.000, on 11 reports. {few}"
    assert len(said) == 2


def test_what_must_be_known_before_believing_is_said_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = write_case(tmp_path, {"ours": 0.1}, count=40)
    run = case / "ours" / "predictions.jsonl"
    lines = run.read_text(encoding="utf-8").splitlines(keepends=True)
    run.write_text("".join(lines[:30]), encoding="utf-8")
    assert evaluate(case, tmp_path / "out", *preds(case, "ours")) == 0
    said = capsys.readouterr().out.splitlines()
    missing = "ours has no prediction for 10 reports (25\u00a0%); they count as its errors."
    assert f"Caution: {missing}" in said[1:-1]


def test_flags_of_the_gold_do_not_reach_predictions(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = tmp_path / "gold.export"
    gold.write_bytes((case / "gold.jsonl").read_bytes())
    words = ["eval", "--gold", str(gold), "--label-set", str(case / "labels.yaml"), *FAST]
    words += ["--input-format", "entities", *preds(case, "ours")]
    conll = tmp_path / "tagger.tagged"
    sentences = (f"# id = {i}\n" + "".join(f"{w}\tO\n" for w in t.split()) for i, t, _ in notes(40))
    conll.write_text("\n".join(sentences), encoding="utf-8")
    words += ["--pred", f"tagger={conll}"]
    assert main([*words, "--out", str(tmp_path / "no")]) == 2
    assert "tagger.tagged: the suffix does not tell the format" in capsys.readouterr().err
    reading = ["--pred-reading", "tagger:input-format=conll"]
    assert main([*words, *reading, "--out", str(tmp_path / "yes")]) == 0
    value = json.loads((tmp_path / "yes" / "scores.json").read_text(encoding="utf-8"))
    found = {name: each["mentions"] for name, each in value["labelers"].items()}
    assert found["ours"] > 40
    assert found["tagger"] == 0
    for given, wanted in (
        ("tag-scheme", "is not an option with its value"),
        ("nobody:tag-scheme=bio", "names none of the labelers; use one of: ours, tagger"),
        ("colour=red", "has no option 'colour'"),
        ("tagger:tag-scheme=x", "argument --tag-scheme: invalid choice"),
    ):
        try:
            code = main([*words, "--pred-reading", given, "--out", str(tmp_path / "bad")])
        except SystemExit as ended:
            code = int(ended.code or 0)
        assert code == 2
        error = capsys.readouterr().err
        assert wanted in error
        assert error.count("\n") == 1


def test_seeds_alone_compare_the_first_runs(case: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    runs = [f"--seeds={n}={case / n},{case / n}-2" for n in ("ours", "rules")]
    assert evaluate(case, out, *runs) == 0
    value = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    seeds = value["sections"]["seeds"]
    first = value["labelers"]["ours"]["schemes"]["strict"]["micro"]["f1"]
    assert seeds["labelers"]["ours"]["micro_f1_strict"]["runs"][0] == pytest.approx(first)
    assert seeds["tests"]["micro_f1_strict"]["df"] == [1, 2]
    with open(out / "tables" / "seeds.csv", encoding="utf-8", newline="") as handle:
        row = next(r for r in csv.DictReader(handle) if r["Score"] == "Strict micro F1")
    assert float(row["ours mean"]) == pytest.approx(
        seeds["labelers"]["ours"]["micro_f1_strict"]["mean"], abs=1e-5
    )
    assert (out / "tables" / "seeds-runs.csv").exists()


def test_an_earlier_report_is_replaced_with_all_its_files(case: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    runs = [f"--seeds={n}={case / n},{case / n}-2" for n in ("ours", "rules")]
    assert evaluate(case, out, *runs) == 0
    assert evaluate(case, out, *preds(case, "ours")) == 0
    assert not (out / "tables" / "seeds.csv").exists()
    assert not (out / "figures" / "forest.svg").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "no predictions to score; give at least one --pred NAME=PATH"),
        (("--id-column", "study"), "--id-column does not apply to label set four-types"),
        (("--accuracy", "0.9"), "--accuracy does not apply to label set four-types"),
        (("--subgroup", "sex"), "--subgroup does not apply to label set four-types"),
        (("--metric", "kappa"), "unknown metric 'kappa'"),
        (("--metric", "micro_f1_certainty"), "the label set has no certainties"),
        (("--seeds", "ours=one"), "does not name a labeler and its runs"),
        (("--seeds", "ours=a,a"), "names a run twice"),
        (("--reference", "nobody"), "not one of the labelers"),
        (("--margin", "2"), "margin 2 is not between 0 and 1"),
    ],
)
def test_mistakes_are_one_line(
    case: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    message: str,
) -> None:
    pred = preds(case, "ours") if flags and flags[0] != "--seeds" else []
    assert evaluate(case, tmp_path / "report", *pred, *flags) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "report").exists()


def test_flags_of_entities_are_refused_for_certainties(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ["eval", "--gold", "g.csv", "--pred", "p.csv", "--out", str(tmp_path / "out")]
    for flags, name in (
        (["--seeds", "a=b,c"], "--seeds does not apply"),
        (
            ["--tag-scheme", "bio"],
            "--tag-scheme does not apply to label set chexpert-14, only to label sets of entities",
        ),
        (["--metric", "micro_f1_strict"], "unknown metric 'micro_f1_strict'"),
    ):
        assert main([*usual, *flags]) == 2
        assert name in capsys.readouterr().err


def test_a_label_set_of_certainties_does_not_fit_entities(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pred = preds(case, "ours")
    assert main(["eval", "--gold", str(case / "gold.jsonl"), *pred, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "gold.jsonl:1: the row holds entities, and label set chexpert-14 asks for none" in error


def test_texts_that_lack_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = write_case(tmp_path, {"ours": 0.3}, count=6, texts=False)
    assert evaluate(case, tmp_path / "out", *preds(case, "ours"), "--include-text") == 2
    assert "--include-text needs the texts; give them" in capsys.readouterr().err
    texts = tmp_path / "texts.jsonl"
    write_jsonl(texts, ({"id": i, "text": t} for i, t, _ in notes(6)))
    flags = ("--include-text", "--reports", str(texts))
    assert evaluate(case, tmp_path / "out", *preds(case, "ours"), *flags) == 0
    assert CANARY in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_the_made_up_example_of_the_manual_can_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks/scoring"))
    import span_scoring

    made = span_scoring.make_notes(12, 8, 7)
    assert all(
        text[start:end] == mention.text
        for text, mentions in made
        for mention in mentions
        for start, end in mention.spans
    )
    span_scoring.write(tmp_path, made)
    flags = ["--gold", str(tmp_path / "gold.jsonl"), "--pred", f"large={tmp_path / 'large-1'}"]
    flags += ["--label-set", str(tmp_path / "four-types.yaml"), "--out", str(tmp_path / "out")]
    assert main(["eval", *flags, *FAST]) == 0
    assert "large reaches a strict micro F1 of " in capsys.readouterr().out
    assert span_scoring.score(made, [list(mentions) for _, mentions in made]) >= 0
