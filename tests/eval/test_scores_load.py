"""Gold and predictions from files: aligned by id, or refused with file, row and remedy."""

import json

import numpy as np
import pytest
from span_tools import load_comparison

from eval.kinds.certainty.page import VIEW
from eval.kinds.certainty.scores import score
from eval.read.aligned import read_column
from eval.stats.significance import CompareSettings, analysed
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet

HEAD_CT = LabelSet.load("head-ct-5")
CHEXPERT = LabelSet.load("chexpert-14")
NAMES = HEAD_CT.names
HEADER = "id," + ",".join(NAMES)
WORDS = {"1.0": "positive", "0.0": "negative", "-1.0": "uncertain", "": "blank"}
SMALL = CompareSettings(permutations=100, resamples=100)


def table(path, rows, header=HEADER):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def predictions(path, rows, names=NAMES):
    """Rows are ``(id, "1.0,,0.0,…")``; ``?`` leaves an observation undetermined."""
    with path.open("w", encoding="utf-8") as handle:
        for identifier, cells in rows:
            cells = cells.split(",")
            labels = {n: None if c == "?" else WORDS[c] for n, c in zip(names, cells, strict=True)}
            problems = [f"missing: {n}" for n, v in labels.items() if v is None]
            row = {"id": identifier, "labels": labels, "raw": "", "problems": problems}
            handle.write(json.dumps(row) + "\n")
    return path


@pytest.fixture
def gold(tmp_path):
    return table(tmp_path / "gold.csv", ["a,1.0,0.0,-1.0,,", "b,,,,,1.0", "c,0.0,,1.0,1.0,"])


def test_tables_and_prediction_rows_in_any_order_of_rows_and_columns(tmp_path, gold):
    reordered = table(
        tmp_path / "t.csv",
        ["1,,c,1.0,0.0,", ",1.0,b,,,", ",,a,-1.0,1.0,0.0"],
        header=f"{NAMES[3]},{NAMES[4]},id,{NAMES[2]},{NAMES[0]},{NAMES[1]}",
    )
    folder = tmp_path / "run"
    folder.mkdir()
    rows = [("b", ",,,,1.0"), ("c", "0.0,,1.0,1.0,"), ("a", "1.0,0.0,-1.0,,")]
    predictions(folder / "predictions.jsonl", rows)
    case = load_comparison(gold, {"t": reordered, "p": folder}, HEAD_CT)
    assert case.ids == ("a", "b", "c")
    assert case.gold.tolist() == [[0, 1, 2, 3, 3], [3, 3, 3, 3, 0], [1, 3, 0, 0, 3]]
    assert (case.pred["t"] == case.gold).all()
    assert (case.pred["p"] == case.gold).all()
    assert score(case, "p").exact_match == 1


def test_missing_undetermined_and_extra_predictions_are_errors_and_counted(tmp_path, gold):
    rows = [("a", "1.0,?,-1.0,,"), ("z", ",,,,"), ("b", ",,,,1.0")]
    pred = predictions(tmp_path / "p.jsonl", rows)
    case = load_comparison(gold, {"p": pred}, HEAD_CT)
    assert case.pred["p"].tolist() == [[0, -1, 2, 3, 3], [3, 3, 3, 3, 0], [-1] * 5]
    coverage = case.coverage["p"]
    assert (coverage.missing, coverage.extra, coverage.rows) == (("c",), 1, 3)
    assert (coverage.undetermined, coverage.undetermined_cells) == (("a",), 1)
    assert coverage.problems == {"missing": 1}
    assert score(case, "p").exact_match == pytest.approx(1 / 3)
    assert score(case, "p").confusion[:, :, 4].sum() == 6


def test_missing_drop_leaves_the_report_out_for_all(tmp_path, gold):
    full = table(tmp_path / "full.csv", ["a,1.0,0.0,-1.0,,", "b,,,,,1.0", "c,0.0,,1.0,1.0,"])
    part = table(tmp_path / "part.csv", ["a,1.0,0.0,-1.0,,", "c,0.0,,1.0,1.0,"])
    case = load_comparison(gold, {"full": full, "part": part}, HEAD_CT, missing="drop")
    assert case.ids == ("a", "c")
    assert case.dropped == ("b",)
    assert case.coverage["part"].missing == ("b",)
    only_b = table(tmp_path / "b.csv", ["b,,,,,1.0"])
    with pytest.raises(InputError, match="predicted by all labelers"):
        load_comparison(gold, {"part": part, "b": only_b}, HEAD_CT, missing="drop")


def test_gold_with_some_observations_is_scored_on_those(tmp_path):
    few = table(tmp_path / "g.csv", ["a,1,0", "b,,1"], header=f"id,{NAMES[4]},{NAMES[1]}")
    pred = table(tmp_path / "p.csv", ["a,,0,,,1", "b,1,1,,,"])
    case = load_comparison(few, {"p": pred}, HEAD_CT)
    assert case.observations == (NAMES[1], NAMES[4])
    assert case.unscored == (NAMES[0], NAMES[2], NAMES[3])
    assert score(case, "p").exact_match == 1


def test_patients_from_another_table_become_clusters(tmp_path, gold):
    people = table(tmp_path / "p.csv", ["a,7", "c,7"], header="id,subject_id")
    case = load_comparison(gold, {"p": gold}, HEAD_CT, patients=people, patient_column="subject_id")
    assert case.cluster_index.tolist() == [0, 1, 0]
    assert case.without_cluster == 1
    result = analysed(VIEW, case, SMALL, metric="accuracy").tests
    assert result.clustered
    assert result.clusters == 2


def test_patients_from_the_meta_of_report_rows(tmp_path):
    rows = [{"id": "a", "patient": "7", "meta": {"sex": "F"}}, {"id": "b", "patient": None}]
    path = tmp_path / "test.reports.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    assert read_column(path, "patient") == {"a": "7", "b": ""}
    assert read_column(path, "sex") == {"a": "F", "b": ""}


def test_zero_for_no_finding_means_blank_and_is_counted(tmp_path):
    header = "id," + ",".join(CHEXPERT.names)
    zero = table(tmp_path / "g.csv", ["a" + "," * 13 + ",0.0"], header=header)
    case = load_comparison(zero, {"p": zero}, CHEXPERT)
    assert case.gold[0, 13] == 3
    assert case.gold_read_as_blank == case.coverage["p"].read_as_blank == 1


def test_uncertain_no_finding_is_refused_in_gold_and_an_error_in_predictions(tmp_path):
    header = "id," + ",".join(CHEXPERT.names)
    odd = table(tmp_path / "o.csv", ["a" + "," * 13 + ",-1.0"], header=header)
    good = table(tmp_path / "g.csv", ["a" + "," * 13 + ",1.0"], header=header)
    with pytest.raises(InputError, match="No Finding cannot be uncertain"):
        load_comparison(odd, {"p": good}, CHEXPERT)
    assert load_comparison(good, {"p": odd}, CHEXPERT).pred["p"][0, 13] == -1


def test_ids_of_several_columns(tmp_path):
    header = "subject_id,study_id," + ",".join(NAMES)
    two = table(tmp_path / "g.csv", ["1,2,1.0,,,,"], header=header)
    ours = table(tmp_path / "labels.csv", ["1/2,1.0,,,,"])
    case = load_comparison(two, {"p": ours}, HEAD_CT, id_columns=("subject_id", "study_id"))
    assert case.ids == ("1/2",)
    assert score(case, "p").exact_match == 1


BAD = [
    (["a,1,,,,", "b,,,,,", "a,,,,,"], "row 1 stands again", 3),
    (["a,1,,,,", "b,2.0,,,,"], "code other than", 2),
    ([",1,,,,"], "empty id", 1),
    (["x,1,,,,"], "no id of the gold", None),
]


@pytest.mark.parametrize(("rows", "message", "row"), BAD)
def test_bad_prediction_tables_name_file_and_row(tmp_path, gold, rows, message, row):
    path = table(tmp_path / "bad.csv", rows)
    with pytest.raises(InputError, match=message) as caught:
        load_comparison(gold, {"p": path}, HEAD_CT)
    assert caught.value.source == str(path)
    assert caught.value.row == row
    assert caught.value.remedy


def test_duplicated_gold_and_gold_without_rows(tmp_path, gold):
    twice = table(tmp_path / "twice.csv", ["a,1,,,,", "a,1,,,,"])
    with pytest.raises(InputError, match="row 1 stands again"):
        load_comparison(twice, {"p": gold}, HEAD_CT)
    with pytest.raises(InputError, match="no rows"):
        load_comparison(table(tmp_path / "none.csv", []), {"p": gold}, HEAD_CT)
    with pytest.raises(ConfigError, match="no predictions"):
        load_comparison(gold, {}, HEAD_CT)


def test_predictions_of_another_label_set(tmp_path, gold):
    other = predictions(tmp_path / "p.jsonl", [("a", "1.0")], names=["Edema"])
    with pytest.raises(InputError, match="not of label set head-ct-5"):
        load_comparison(gold, {"p": other}, HEAD_CT)
    chest = table(tmp_path / "c.csv", ["a,1"], header="id,Edema")
    with pytest.raises(InputError, match="no column of the label set"):
        load_comparison(gold, {"p": chest}, HEAD_CT)


def test_predictions_that_lack_an_observation(tmp_path, gold):
    short = table(tmp_path / "s.csv", ["a,1"], header=f"id,{NAMES[0]}")
    with pytest.raises(InputError, match=f"no answers for {NAMES[1]}"):
        load_comparison(gold, {"p": short}, HEAD_CT)


@pytest.mark.parametrize(
    "line", ['{"id": "a"}', '{"id": "a", "labels": {"Hydrocephalus": "perhaps"}}', "[1]", "{"]
)
def test_rows_that_are_no_predictions(tmp_path, gold, line):
    path = tmp_path / "p.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_comparison(gold, {"p": path}, HEAD_CT)
    assert caught.value.row == 1


def test_an_id_by_a_name_of_the_hospital(tmp_path, gold):
    """The only column besides the observations; where there are two, the flag is named."""
    own = ["b,,,,,1.0", "a,1.0,0.0,-1.0,,", "c,0.0,,1.0,1.0,"]
    case = load_comparison(
        gold, {"p": table(tmp_path / "p.csv", own, header=",".join(["FallNr", *NAMES]))}, HEAD_CT
    )
    assert case.ids == ("a", "b", "c")
    assert (case.pred["p"] == case.gold).all()
    header = ",".join(["FallNr", "Datum", *NAMES])
    two = table(tmp_path / "two.csv", [row.replace(",", ",1,", 1) for row in own], header=header)
    with pytest.raises(InputError) as error:
        load_comparison(gold, {"p": two}, HEAD_CT)
    assert "no column id; name the id with --id-column; columns found: FallNr, D" in str(
        error.value
    )


def test_files_that_are_not_there(tmp_path, gold):
    for path in (tmp_path / "no.csv", tmp_path / "no.jsonl", tmp_path):
        with pytest.raises(InputError, match="no such file"):
            load_comparison(gold, {"p": path}, HEAD_CT)


def test_a_patient_with_two_names_and_a_missing_column(tmp_path, gold):
    two = table(tmp_path / "two.csv", ["a,7", "a,8"], header="id,patient")
    with pytest.raises(InputError, match="different values"):
        load_comparison(gold, {"p": gold}, HEAD_CT, patients=two)
    with pytest.raises(InputError, match="no column subject"):
        load_comparison(gold, {"p": gold}, HEAD_CT, patients=two, patient_column="subject")


@pytest.mark.parametrize("labelers", [1, 2, 3])
def test_one_report_and_one_blank_observation_give_finite_results(tmp_path, labelers):
    one = table(tmp_path / "g.csv", ["a,1.0,,,,"])
    wrong = table(tmp_path / "w.csv", ["a,0.0,,,,"])
    files = dict(list({"x": one, "y": wrong, "z": one}.items())[:labelers])
    result = analysed(VIEW, load_comparison(one, files, HEAD_CT), SMALL, metric="accuracy").tests
    assert len(result.pairs) == labelers * (labelers - 1) // 2
    for pair in result.pairs:
        for difference in pair.differences.values():
            interval = difference.interval
            for values in (difference.p, interval.low, interval.high, interval.estimate):
                assert np.isfinite(values).all()
    assert bool(result.several) == (labelers == 3)
