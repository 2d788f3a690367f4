"""Groups by metadata, scores and gaps per group, their intervals and permutation tests."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from eval.groups.subgroups import NOT_STATED, AuditSettings, Grouping, Groups, audit, load_groups
from eval.kinds.certainty.read import Comparison
from eval.kinds.certainty.scores import score
from eval.read.aligned import Coverage
from eval.stats.paired import adjusted
from labelwright.cli import main
from labelwright.errors import ConfigError, InputError

QUICK = AuditSettings(metric="accuracy", resamples=300, permutations=500)


def compared(chexpert, gold, answers, clusters=None, names=("a",)):
    """A comparison of reports 0, 1, … over the first observations of the set."""
    answers = answers if isinstance(answers, list) else [answers]
    covered = Coverage("file", len(gold), (), 0, (), 0, {}, 0)
    return Comparison(
        label_set=chexpert,
        observations=chexpert.names[1 : 1 + gold.shape[1]],
        ids=tuple(str(i) for i in range(len(gold))),
        clusters=None if clusters is None else tuple(str(c) for c in clusters),
        gold=gold.astype(np.int8),
        pred={n: a.astype(np.int8) for n, a in zip(names, answers, strict=True)},
        coverage=dict.fromkeys(names, covered),
    )


def drawn(seed, reports=300, observations=3, quality=0.8):
    """Gold at random and answers right with probability ``quality``, one per report or all."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 4, (reports, observations))
    right = rng.random(gold.shape) < np.broadcast_to(np.reshape(quality, (-1, 1)), gold.shape)
    return gold, np.where(right, gold, (gold + 1) % 4)


def split(member, names=("F", "M"), column="sex"):
    return Groups(Grouping(column), tuple(names), np.asarray(member))


# Groups


def test_groupings_are_parsed():
    assert Grouping.parse("sex") == Grouping("sex")
    assert Grouping.parse("age:band=10") == Grouping("age", 10)
    for text in ("age:band=0", "age:band=x", "age:band=nan", "age:band=inf", ":band=3", " "):
        with pytest.raises(ConfigError, match="neither COLUMN nor"):
            Grouping.parse(text)


def test_groups_are_joined_by_id(tmp_path):
    path = tmp_path / "metadata.csv"
    path.write_text("id,age,sex\n3,61,F\n1,70.5,M\n2,69,\n4,nan,F\n", encoding="utf-8")
    sex, age = load_groups(path, [Grouping("sex"), Grouping("age", 10)], ["1", "2", "3", "4", "5"])
    assert sex.names == ("F", "M", NOT_STATED)
    assert sex.member.tolist() == [1, 2, 0, 0, 2]
    assert age.names == ("60–69", "70–79", NOT_STATED)
    assert age.member.tolist() == [1, 0, 0, 2, 2]


def test_groups_from_the_metadata_of_reports(tmp_path):
    path = tmp_path / "test.reports.jsonl"
    rows = [
        {"id": "a", "text": "Clear.", "meta": {"dose": "0.12"}},
        {"id": "b", "text": "", "meta": {}},
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    (found,) = load_groups(path, [Grouping("dose", 0.1)], ["a", "b"])
    assert found.names == ("0.1–< 0.2", NOT_STATED)


def test_bands_are_in_numeric_order(tmp_path):
    path = tmp_path / "metadata.csv"
    path.write_text("id,age\n1,100\n2,9\n3,-5\n4,25\n", encoding="utf-8")
    (found,) = load_groups(path, [Grouping("age", 20)], list("1234"))
    assert found.names == ("-20–-1", "0–19", "20–39", "100–119")
    assert found.member.tolist() == [3, 1, 0, 2]


@pytest.mark.parametrize(
    ("text", "grouping", "message"),
    [
        ("id,sex\n1,F\n", Grouping("age"), "no column age"),
        ("id,sex\n999,F\n", Grouping("sex"), "no scored report has a value of 'sex'"),
        ("id,sex\n1,\n", Grouping("sex"), "no scored report has a value of 'sex'"),
        ("id,age\n1,old\n", Grouping("age", 10), "is not a number"),
        ("id,age\n1,inf\n", Grouping("age", 10), "is not a number"),
        ("id,sex\n1,F\n1,M\n", Grouping("sex"), "different values"),
        (
            "id,age\n" + "".join(f"{i},{i}\n" for i in range(40)),
            Grouping("age"),
            "makes 40 groups",
        ),
    ],
)
def test_bad_metadata(tmp_path, text, grouping, message):
    path = tmp_path / "metadata.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_groups(path, [grouping], [str(i) for i in range(40)])


# Scores and gaps


def test_scores_and_gaps_by_hand(chexpert):
    # 40 reports of group 0 all right, 60 of group 1 half right: gaps are 0.5 both ways.
    gold = np.zeros((100, 1))
    answers = np.zeros((100, 1))
    answers[40:70] = 1
    found = audit(
        compared(chexpert, gold, answers), [split((np.arange(100) >= 40).astype(int))], QUICK
    )[0]
    gaps = found.gaps["a"]
    assert found.reports.tolist() == [40, 60]
    assert gaps.score.estimate == pytest.approx([1, 0.5])
    assert gaps.gap.estimate == pytest.approx([0.5, -0.5])
    assert gaps.largest.value == pytest.approx(0.5)
    assert (gaps.best, gaps.worst) == (0, 1)
    assert (gaps.gap.low[0], gaps.gap.high[0]) == pytest.approx(
        (-gaps.gap.high[1], -gaps.gap.low[1]), abs=0.03
    )
    assert gaps.score.low[0] == gaps.score.high[0] == 1
    assert gaps.p_largest == pytest.approx(1 / 501)


@pytest.mark.parametrize("metric", ["chexbert_all", "macro_f1_positive", "kappa", "paper_all"])
def test_group_scores_equal_those_of_the_group_alone(chexpert, metric):
    comparison = compared(chexpert, *drawn(3))
    member = np.random.default_rng(0).integers(0, 3, 300)
    settings = replace(QUICK, metric=metric)
    found = audit(comparison, [split(member, "xyz")], settings)[0]
    for group in range(3):
        kept = member == group
        alone = compared(chexpert, comparison.gold[kept], comparison.pred["a"][kept])
        scores = score(alone, "a")
        expected = {
            "chexbert_all": scores.chexbert["all"].mean,
            "macro_f1_positive": scores.tasks["positive"].macro.f1,
            "kappa": scores.kappa.mean,
            "paper_all": scores.paper["all"].mean,
        }[metric]
        assert found.gaps["a"].score.estimate[group] == pytest.approx(expected)
        assert found.gaps["a"].each[group].mean() == pytest.approx(expected)
        assert (
            found.cases[group, 0].tolist()
            == np.bincount(comparison.gold[kept][:, 0], minlength=4).tolist()
        )


def test_small_groups_are_shown_and_not_scored(chexpert):
    member = np.repeat([0, 1, 2], [150, 140, 10])
    found = audit(compared(chexpert, *drawn(0)), [split(member, ("F", "M", NOT_STATED))], QUICK)[0]
    assert found.reports.tolist() == [150, 140, 10]
    assert found.scored == (0, 1)
    assert len(found.gaps["a"].score.estimate) == 2
    # Ten patients with many reports are a small group too.
    patients = np.concatenate([np.arange(150), 150 + np.arange(140) % 10, 200 + np.arange(10)])
    clustered = compared(chexpert, *drawn(0), clusters=patients)
    found = audit(clustered, [split(member, ("F", "M", NOT_STATED))], QUICK)[0]
    assert found.patients.tolist() == [150, 10, 10]
    assert found.scored == (0,)
    assert found.gaps == {}
    assert found.p_largest == {}


def test_the_mean_takes_observations_that_every_group_has(chexpert):
    gold, answers = drawn(1)
    member = np.arange(300) % 2
    gold[(member == 1) & (gold[:, 2] == 0), 2] = 3
    gold[np.flatnonzero(member)[:4], 2] = 0
    comparison = compared(chexpert, gold, answers)
    found = audit(comparison, [split(member)], replace(QUICK, metric="macro_f1_positive"))[0]
    assert found.common == comparison.observations[:2]
    assert found.gaps["a"].score.estimate[1] == pytest.approx(found.gaps["a"].each[1][:2].mean())
    # Weighted F1 needs cases of any certainty but blank.
    found = audit(comparison, [split(member)], replace(QUICK, metric="chexbert_all"))[0]
    assert found.common == comparison.observations
    gold[member == 0] = 3
    nothing = audit(
        compared(chexpert, gold, answers), [split(member)], replace(QUICK, metric="chexbert_all")
    )
    assert nothing[0].common == ()
    assert nothing[0].gaps == {}


# Tests


def test_p_value_equals_scipys_permutation_test(chexpert):
    gold, answers = drawn(8, 80, 1, np.repeat([0.85, 0.7], 40))
    member = np.repeat([0, 1], 40)
    right = (gold == answers)[:, 0].astype(float)
    expected = stats.permutation_test(
        (right[:40], right[40:]),
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        vectorized=True,
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).pvalue
    settings = replace(QUICK, permutations=20_000)
    gaps = audit(compared(chexpert, gold, answers), [split(member)], settings)[0].gaps["a"]
    assert gaps.p[0] == pytest.approx(expected, abs=0.015)
    # With two groups, both gaps and the largest difference are the same question.
    assert gaps.p[0] == gaps.p[1] == gaps.p_largest


def test_error_rate_of_the_permutation_test(chexpert):
    """Labels of a report fail together, reports of a patient too; groups do not differ."""
    hits, runs = 0, 200
    settings = replace(QUICK, resamples=100, permutations=199, metric="macro_f1_positive")
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        patients = np.repeat(np.arange(90), 2)
        quality = np.where(rng.random(90) < 0.2, 0.3, 0.9)[patients]
        gold, answers = drawn(seed, 180, 2, quality)
        member = rng.permutation(np.repeat([0, 1, 2], 30))[patients]
        comparison = compared(chexpert, gold, answers, patients)
        gaps = audit(comparison, [split(member, "xyz")], settings)[0].gaps["a"]
        hits += gaps.p_largest <= 0.05
    # 5 % of 200 and three standard errors.
    assert hits <= 10 + 3 * np.sqrt(200 * 0.05 * 0.95)


def test_p_values_are_adjusted_over_groups_and_columns(chexpert):
    comparison = compared(chexpert, *drawn(2))
    rng = np.random.default_rng(1)
    columns = [split(rng.integers(0, 3, 300), "xyz", str(n)) for n in range(3)]
    found = audit(comparison, columns, QUICK)
    for each in found:
        assert each.gaps["a"].p_holm == pytest.approx(adjusted(each.gaps["a"].p, "holm"))
    plain = np.array([each.gaps["a"].p_largest for each in found])
    assert [each.p_largest["a"] for each in found] == pytest.approx(adjusted(plain, "holm"))


def test_a_gap_can_come_from_prevalence_alone(chexpert):
    """Sensitivity and specificity are 0.9 in both groups; F1 differs, accuracy does not."""
    rng = np.random.default_rng(0)
    member = np.repeat([0, 1], 1000)
    positive = rng.random((2000, 1)) < np.where(member, 0.5, 0.05)[:, None]
    gold = np.where(positive, 0, 3)
    answers = np.where(rng.random((2000, 1)) < 0.9, gold, 3 - gold)
    comparison = compared(chexpert, gold, answers)
    f1 = audit(comparison, [split(member)], replace(QUICK, metric="macro_f1_positive"))[0]
    assert f1.gaps["a"].gap.high[0] < -0.2
    assert f1.gaps["a"].p_largest < 0.01
    share = audit(comparison, [split(member)], QUICK)[0].gaps["a"]
    assert abs(share.gap.estimate[0]) < 0.03


def test_labelers_share_groups_and_results_depend_on_the_seed_alone(chexpert):
    gold, answers = drawn(4)
    worse = np.where(np.arange(300)[:, None] % 2, answers, (gold + 1) % 4)
    comparison = compared(chexpert, gold, [answers, worse], names=("a", "b"))
    first = audit(comparison, [split(np.arange(300) % 2)], QUICK)[0]
    again = audit(comparison, [split(np.arange(300) % 2)], QUICK)[0]
    assert first.gaps["b"].score.estimate[0] == 0
    assert first.gaps["a"].score.estimate[0] > 0.7
    one, other = first.gaps["a"], again.gaps["a"]
    assert (one.score.low == other.score.low).all()
    assert (one.gap.high == other.gap.high).all()
    assert (one.p == other.p).all()


def test_page_of_subgroups(tmp_path, chexpert):
    """Hostile names of groups and columns stay text; same inputs give the same bytes."""
    gold, answers = drawn(5, 120)
    names = ("Edema", "Fracture", "Pneumonia")
    code = {0: "1", 1: "0", 2: "-1", 3: ""}
    for name, table in (("gold", gold), ("labels", answers)):
        lines = [f"{i}," + ",".join(code[int(c)] for c in r) for i, r in enumerate(table)]
        text = "\n".join(["id," + ",".join(names), *lines]) + "\n"
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    column = "Sex / <b>../x"
    rows = [
        f"{i},{'<script>alert(1)</script>' if i % 2 else 'F'},{20 + i % 60}" for i in range(119)
    ]
    metadata = tmp_path / "metadata.csv"
    metadata.write_text("\n".join([f"id,{column},age", *rows]) + "\n", encoding="utf-8")
    flags = ["--metadata", str(metadata), "--subgroup", column, "--subgroup", "age:band=30"]
    quick = ["--resamples", "100", "--permutations", "100", "--metric", "accuracy"]
    labels = [f"--pred=a={tmp_path / 'labels.csv'}", f"--pred=b={tmp_path / 'gold.csv'}"]
    for out in ("one", "two"):
        given = ["eval", "--gold", str(tmp_path / "gold.csv"), "--out", str(tmp_path / out)]
        assert main([*given, *labels, *flags, *quick]) == 0
    page = (tmp_path / "one" / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<b>../x" not in page
    assert "too small to score (under 30 reports): not stated" in page
    assert "It may come from the labeler, but also from prevalence" in page
    written = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    assert "subgroups-1-sex-b-x.csv" in {p.name for p in written}
    for path in written:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()
    found = json.loads((tmp_path / "one" / "scores.json").read_text(encoding="utf-8"))
    groups = found["sections"]["subgroups"][column]["groups"]
    assert groups["F"]["reports"] == 60
    assert not groups[NOT_STATED]["scored"]
    perfect = found["sections"]["subgroups"][column]["labelers"]["b"]["largest_gap"]
    assert perfect["value"] == 0
    assert perfect["p"] == 1
