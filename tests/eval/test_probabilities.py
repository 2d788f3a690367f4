"""Probabilities from files: reading them, and the page's sections that they make."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from span_tools import load_comparison

from eval.probability.probabilities import load_probabilities
from eval.probability.sections import by_agreement
from labelwright.cli import main
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet

WORDS = ("positive", "negative", "uncertain", "blank")
OBSERVATIONS = ("Edema", "Fracture", "No Finding")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two observations of four certainties and one of two."""
    path = tmp_path_factory.mktemp("sets") / "small.yaml"
    path.write_text(
        """name: small
version: "1"
task: certainty
language: en
instruction: Label {labels} as {certainties}.
labels:
  - name: Edema
    description: Fluid in the lung.
  - name: Fracture
    description: A broken bone.
  - name: No Finding
    description: Nothing abnormal.
    certainties: [positive, blank]
""",
        encoding="utf-8",
    )
    return LabelSet.load(path)


def row(identifier, probs, labels=None):
    labels = labels or dict.fromkeys(OBSERVATIONS, "blank")
    return {"id": identifier, "labels": labels, "raw": "", "problems": [], "probs": probs}


def sure(word="blank", p=0.7):
    other = [w for w in WORDS if w != word]
    return {word: p} | dict.fromkeys(other, (1 - p) / 3)


def good():
    return {
        "Edema": sure(),
        "Fracture": sure("positive", 0.4),
        "No Finding": {"positive": 0.25, "blank": 0.75},
    }


def load(tmp_path, small, rows):
    gold = tmp_path / "gold.csv"
    gold.write_text("id,Edema,Fracture,No Finding\n1,,,\n2,1,,\n3,,0,1\n", encoding="utf-8")
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return load_probabilities(path, load_comparison(gold, {"a": path}, small), "a")


def test_probabilities_are_joined_by_id_and_holes_are_masked(tmp_path, small):
    open_answer = {"Edema": None, "Fracture": "positive", "No Finding": "blank"}
    rows = [row("2", good()), row("9", good()), row("1", good(), open_answer)]
    found = load(tmp_path, small, rows)
    assert found.values.shape == (3, 3, 4)
    assert found.values.dtype == np.float32
    assert found.known.tolist() == [[False, True, True], [True] * 3, [False] * 3]
    assert found.without == 1
    assert not np.isnan(found.values).any()
    assert found.values[1, 2].tolist() == [0.25, 0, 0, 0.75]
    assert found.values[2].sum() == 0
    assert found.confidence[1].tolist() == pytest.approx([0.7, 0.2, 0.75])
    # "Fracture" of report 2 is labeled blank although positive is more probable.
    assert found.not_the_most_probable == 1


def test_rounded_probabilities_are_made_to_sum_to_one(tmp_path, small):
    probs = good() | {
        "Edema": {"positive": 0.333, "negative": 0.333, "uncertain": 0.333} | {"blank": 0}
    }
    assert load(tmp_path, small, [row("1", probs)]).values[0, 0].sum() == pytest.approx(1)


def test_rows_without_probabilities(tmp_path, small):
    bare = {k: v for k, v in row("1", None).items() if k != "probs"}
    assert load(tmp_path, small, [bare]) is None
    assert load(tmp_path, small, [bare, row("2", good())]).without == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Edema": {"positive": 0.5, "negative": 0.5, "uncertain": 0}}, "lack blank"),
        ({"Edema": sure() | {"blank": 0.1}}, "sum to 0.4, not 1"),
        ({"Edema": sure() | {"blank": float("nan")}}, "not a number from 0 to 1"),
        ({"Edema": sure() | {"blank": 1.7, "positive": -1}}, "not a number from 0 to 1"),
        ({"Edema": sure() | {"blank": "0.7"}}, "not a number from 0 to 1"),
        ({"No Finding": sure()}, "a certainty it cannot take"),
        ({"Edema": None}, "a certainty but no probabilities"),
        ({"Edema": [0.1, 0.2, 0.3, 0.4]}, "a certainty but no probabilities"),
    ],
)
def test_bad_probabilities_name_file_and_row(tmp_path, small, change, message):
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path, small, [row("1", good()), row("2", good() | change)])
    assert caught.value.row == 2
    assert caught.value.source.endswith("predictions.jsonl")


def test_probabilities_that_are_no_object(tmp_path, small):
    with pytest.raises(InputError, match="no object of observations"):
        load(tmp_path, small, [row("1", [1, 2])])


# The page


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def files(folder, small, seed, prefix, reports=120):
    """Gold and predictions with probabilities of ``reports`` reports, as files."""
    rng = np.random.default_rng(seed)
    options = [WORDS, WORDS, ("positive", "blank")]
    codes = {"positive": "1", "negative": "0", "uncertain": "-1", "blank": ""}
    gold, rows = ["id,Edema,Fracture,No Finding"], []
    for number in range(reports):
        true, labels, probs = [], {}, {}
        for name, words in zip(OBSERVATIONS, options, strict=True):
            z = rng.normal(0, 3, len(words))
            true.append(rng.choice(words, p=softmax(z)))
            stated = softmax(1.7 * z)
            labels[name] = words[int(stated.argmax())]
            probs[name] = {w: float(p) for w, p in zip(words, stated, strict=True)}
        gold.append(",".join([f"{prefix}{number}", *(codes[t] for t in true)]))
        rows.append(row(f"{prefix}{number}", probs, labels))
    (folder / f"{prefix}-gold.csv").write_text("\n".join(gold) + "\n", encoding="utf-8")
    path = folder / f"{prefix}.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return str(folder / f"{prefix}-gold.csv"), str(path)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, small):
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "set.yaml").write_text(small.text, encoding="utf-8")
    return folder, files(folder, small, 0, "test"), files(folder, small, 1, "validation")


def evaluate(folder, out, *flags):
    gold, predictions = folder / "test-gold.csv", folder / "test.jsonl"
    common = [
        "--label-set",
        str(folder / "set.yaml"),
        "--resamples",
        "100",
        "--permutations",
        "100",
    ]
    given = ["eval", "--gold", str(gold), "--pred", f"a={predictions}", "--out", str(out)]
    return main([*given, *common, *flags])


def test_page_has_calibration_and_thresholds(inputs, tmp_path, capsys):
    folder, _, (gold, predictions) = inputs
    flags = ["--calibration-gold", gold, "--calibration-pred", f"a={predictions}"]
    flags += ["--accuracy", "0.8"]
    for name in ("one", "two"):
        assert evaluate(folder, tmp_path / name, *flags) == 0, capsys.readouterr().err
    page = (tmp_path / "one" / "index.html").read_text(encoding="utf-8")
    for words in ('id="calibration"', 'id="selective"', "too sure of itself", "With a, label"):
        assert words in page
    for first in sorted((tmp_path / "one").rglob("*.*")):
        assert (
            first.read_bytes()
            == (tmp_path / "two" / first.relative_to(tmp_path / "one")).read_bytes()
        )
    found = json.loads((tmp_path / "one" / "scores.json").read_text(encoding="utf-8"))["sections"]
    names = list(found["calibration"])
    assert names[0] == "a"
    assert found["calibration"]["a"]["ece"]["mass"]["pooled"]["value"] > 0.02
    saved = json.loads((tmp_path / "one" / "calibration.json").read_text(encoding="utf-8"))
    fitted = saved["labelers"]["a"]["temperature"]
    assert fitted["model"] == pytest.approx(1.7, rel=0.3)
    assert set(fitted["observations"]) == set(OBSERVATIONS)
    chosen = json.loads((tmp_path / "one" / "thresholds.json").read_text(encoding="utf-8"))
    sure = next(
        t for t in chosen["thresholds"] if (t["way"], t["origin"]) == ("labels", "guaranteed")
    )
    assert 0 < sure["threshold"] < 1
    # A report without calibration reports leaves none of the files behind.
    assert evaluate(folder, tmp_path / "one") == 0
    assert not (tmp_path / "one" / "calibration.json").exists()
    page = (tmp_path / "one" / "index.html").read_text(encoding="utf-8")
    assert "chosen on the very reports" in page
    assert "a could label" in page


def test_page_without_probabilities_has_no_such_section(inputs, tmp_path):
    folder, (gold, _), _ = inputs
    assert (
        main(
            [
                "eval",
                "--gold",
                gold,
                "--pred",
                f"a={gold}",
                "--out",
                str(tmp_path / "out"),
                "--label-set",
                str(folder / "set.yaml"),
                "--resamples",
                "100",
                "--permutations",
                "100",
            ]
        )
        == 0
    )
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert 'id="calibration"' not in page
    assert 'id="selective"' not in page


def test_gold_of_positives_alone_is_judged_by_presence_and_fits_nothing(inputs, tmp_path, capsys):
    folder, _, (other_gold, other) = inputs
    for name in ("test", "validation"):
        lines = (folder / f"{name}-gold.csv").read_text(encoding="utf-8").splitlines()
        only = [re.sub(r"(?<=,)(-1|0)(?=,|$)", "", line) for line in lines]
        (tmp_path / f"{name}-gold.csv").write_text("\n".join(only) + "\n", encoding="utf-8")
        (tmp_path / f"{name}.jsonl").write_bytes((folder / f"{name}.jsonl").read_bytes())
    (tmp_path / "set.yaml").write_bytes((folder / "set.yaml").read_bytes())
    assert evaluate(tmp_path, tmp_path / "out") == 0
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count("The gold says only what is present") == 2  # calibration, selective labeling
    scores = json.loads((tmp_path / "out" / "scores.json").read_text(encoding="utf-8"))
    found = scores["sections"]["calibration"]["a"]
    certainties = found["ece_by_certainty"]
    assert certainties["negative"]["mass"] is None
    assert certainties["positive"]["mass"] is not None
    fit = ["--calibration-pred", f"a={other}", "--calibration-gold"]
    poor = str(tmp_path / "validation-gold.csv")
    for where, flags in ((tmp_path, [*fit, other_gold]), (folder, [*fit, poor])):
        assert evaluate(where, tmp_path / "no", *flags) == 2
        assert "only what is present" in capsys.readouterr().err


# Two readers


def with_second(found, disagree):
    """The row of a prediction with a second reader, who says "negative" or else "positive"."""
    first = {name: found["labels"][name] for name in disagree}
    other = {n: "positive" if w == "negative" else "negative" for n, w in first.items()}
    second = {"model": "rules", "labels": {**found["labels"], **other}, "disagree": disagree}
    return {**found, "second": {**second, "first": first, "decided": []}}


def test_agreement_comes_before_probability(tmp_path, small):
    labels = {"Edema": "blank", "Fracture": "positive", "No Finding": "blank"}
    rows = [
        with_second(row("1", good(), labels), []),
        with_second(row("2", good(), labels), ["Edema", "Fracture"]),
        {**row("3", good(), labels), "second": {"model": "rules", "rejected": "no text"}},
    ]
    given = {"a": load(tmp_path, small, rows)}
    paths = {"a": tmp_path / "predictions.jsonl"}
    comparison = load_comparison(tmp_path / "gold.csv", paths, small)
    found = by_agreement(paths, comparison, given)["a"]
    expected = [[0.85, 0.7, 0.875], [0.35, 0.2, 0.875], [0.35, 0.2, 0.375]]
    np.testing.assert_allclose(found.confidence, expected, atol=1e-6)
    np.testing.assert_allclose(given["a"].confidence, [[0.7, 0.4, 0.75]] * 3, atol=1e-6)
    # Blank against negative is no difference where only presence counts.
    present = by_agreement(paths, comparison, given, presence=True)["a"]
    assert present.confidence[1] == pytest.approx([0.85, 0.2, 0.875])


def test_a_labeler_without_probabilities_has_two_groups(tmp_path, small):
    labels = {"Edema": "blank", "Fracture": "positive", "No Finding": None}
    rows = [with_second(row("1", None, labels), ["Fracture"]), row("2", good())]
    del rows[0]["probs"]
    load(tmp_path, small, rows)
    paths = {"a": tmp_path / "predictions.jsonl"}
    comparison = load_comparison(tmp_path / "gold.csv", paths, small)
    found = by_agreement(paths, comparison, {})["a"]
    assert found.confidence[0].tolist() == [1.0, 0.5, -1.0]
    assert found.answers[0].tolist() == [3, 0, -1]
    with pytest.raises(ConfigError, match="no labeler was run with a second reader"):
        by_agreement({"a": tmp_path / "gold.csv"}, comparison, {})


def test_selective_labeling_by_agreement(inputs, tmp_path, capsys):
    """The second reader is right where the first is wrong, and the curve knows it."""
    folder, (gold, predictions), (other_gold, other) = inputs
    words = {"1": "positive", "0": "negative", "-1": "uncertain", "": "blank"}
    for path, truth in ((predictions, gold), (other, other_gold)):
        true = {}
        for line in Path(truth).read_text(encoding="utf-8").splitlines()[1:]:
            identifier, *codes = line.split(",")
            true[identifier] = {n: words[c] for n, c in zip(OBSERVATIONS, codes, strict=True)}
        lines = []
        for text in Path(path).read_text(encoding="utf-8").splitlines():
            one = json.loads(text)
            said = true[one["id"]]
            differ = [name for name in OBSERVATIONS if said[name] != one["labels"][name]]
            first = {name: one["labels"][name] for name in differ}
            one["second"] = {"model": "b", "labels": said, "disagree": differ}
            one["second"] |= {"first": first, "decided": []}
            lines.append(json.dumps(one))
        copy = tmp_path / Path(path).name
        copy.write_text("\n".join(lines) + "\n", encoding="utf-8")
        (tmp_path / Path(truth).name).write_bytes(Path(truth).read_bytes())
    (tmp_path / "set.yaml").write_bytes((folder / "set.yaml").read_bytes())
    flags = ["--calibration-gold", other_gold, "--accuracy", "0.9"]
    flags += ["--calibration-pred", f"a={tmp_path / Path(other).name}"]
    areas = {}
    for confidence in ("probability", "agreement"):
        out = tmp_path / confidence
        assert evaluate(tmp_path, out, *flags, "--confidence", confidence) == 0
        scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))["sections"]
        (area,) = [a for a in scores["selective"]["area"] if a["way"] == "labels"]
        areas[confidence] = area
        file = json.loads((out / "thresholds.json").read_text(encoding="utf-8"))
        assert ("both readers agree" in file["rule"]) is (confidence == "agreement")
        assert "calibration" in scores
    assert areas["agreement"]["area"] == pytest.approx(areas["agreement"]["best"], abs=1e-9)
    assert areas["probability"]["area"] > areas["agreement"]["area"]
    capsys.readouterr()
    assert evaluate(folder, tmp_path / "none", "--confidence", "agreement") == 2
    assert "no labeler was run with a second reader" in capsys.readouterr().err


def test_flags_that_do_not_fit(inputs, tmp_path, capsys):
    folder, (gold, predictions), (other_gold, other) = inputs
    plain = folder / "labels.csv"
    plain.write_text(Path(other_gold).read_text(encoding="utf-8"), encoding="utf-8")
    cases = [
        (["--calibration-gold", gold], "belong together"),
        (["--calibration-pred", f"a={other}"], "belong together"),
        (["--calibration-gold", gold, "--calibration-pred", f"a={predictions}"], "also scored"),
        (
            ["--calibration-gold", other_gold, "--calibration-pred", f"b={other}"],
            "not one of the labelers",
        ),
        (
            ["--calibration-gold", other_gold, "--calibration-pred", f"a={plain}"],
            "hold no probabilities",
        ),
        (["--accuracy", "99"], "not between 0.5 and 1"),
        (["--subgroup", "sex"], "belong together"),
        (["--metadata", gold, "--subgroup", "age:band=x"], "neither COLUMN"),
        (["--metadata", gold, "--subgroup", "age"], "no column age"),
    ]
    for flags, message in cases:
        assert evaluate(folder, tmp_path / "out", *flags) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
