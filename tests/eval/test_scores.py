"""Scores on counts equal scikit-learn's, and every undefined score follows a stated rule."""

import numpy as np
import pytest
from sklearn import metrics

from eval.kinds.certainty.read import Comparison
from eval.kinds.certainty.scores import (
    TASKS,
    Statistic,
    applicable,
    gold_counts,
    report_counts,
    score,
    statistics,
    task_counts,
)
from eval.stats.counts import cluster_counts
from labelwright.label_set import LabelSet

CHEXPERT = LabelSet.load("chexpert-14")
HEAD_CT = LabelSet.load("head-ct-5")
POSITIVE, NEGATIVE, UNCERTAIN, BLANK, NONE = 0, 1, 2, 3, -1
CLASS = {"positive": [0], "negative": [1], "uncertain": [2], "mention": [0, 1, 2]}


def comparison(gold, label_set=CHEXPERT, clusters=None, **pred) -> Comparison:
    gold = np.asarray(gold, dtype=np.int8)
    return Comparison(
        label_set=label_set,
        observations=label_set.names[: gold.shape[1]],
        ids=tuple(f"r{i}" for i in range(len(gold))),
        clusters=clusters,
        gold=gold,
        pred={name: np.asarray(codes, dtype=np.int8) for name, codes in pred.items()},
        coverage={},
    )


def random_case(seed: int, *, reports: int = 60, undetermined: float = 0.05, label_set=CHEXPERT):
    """Gold and an answer that is right two times in three; No Finding as the label set allows."""
    rng = np.random.default_rng(seed)
    shape = (reports, len(label_set.names))
    gold = rng.choice(4, size=shape, p=[0.3, 0.2, 0.1, 0.4])
    pred = np.where(rng.random(shape) < 0.67, gold, rng.integers(0, 4, shape))
    for column, label in enumerate(label_set.labels):
        if len(label.certainties) == 2:
            gold[:, column] = np.where(gold[:, column] == POSITIVE, POSITIVE, BLANK)
            pred[:, column] = np.where(pred[:, column] == POSITIVE, POSITIVE, BLANK)
    pred[rng.random(shape) < undetermined] = NONE
    return comparison(gold, label_set, a=pred)


def binary(codes, task):
    """1 in the class, 0 outside, -1 undetermined."""
    return np.where(codes < 0, -1, np.isin(codes, CLASS[task]).astype(int))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("undetermined", [0.0, 0.1])
def test_task_scores_equal_scikit_learns(seed, undetermined):
    case = random_case(seed, undetermined=undetermined, reports=[5, 20, 60, 200][seed])
    result = score(case, "a")
    for task in TASKS:
        gold, pred = binary(case.gold, task), binary(case.pred["a"], task)
        for column in range(14):
            expected = metrics.precision_recall_fscore_support(
                gold[:, column], pred[:, column], labels=[1], average=None, zero_division=0.0
            )
            got = result.tasks[task]
            assert got.precision[column] == pytest.approx(expected[0][0])
            assert got.recall[column] == pytest.approx(expected[1][0])
            assert got.f1[column] == pytest.approx(expected[2][0])
            assert got.support[column] == expected[3][0]


@pytest.mark.parametrize("task", TASKS)
def test_macro_and_micro_equal_scikit_learns_over_the_applicable_observations(task):
    case = random_case(7, reports=120)
    kept = applicable(case, task)
    gold, pred = (binary(x, task)[:, kept] for x in (case.gold, case.pred["a"]))
    got = score(case, "a").tasks[task]
    for average, mine in (("macro", got.macro), ("micro", got.micro)):
        expected = metrics.precision_recall_fscore_support(
            gold == 1, pred == 1, average=average, zero_division=0.0
        )
        assert (mine.precision, mine.recall, mine.f1) == pytest.approx(expected[:3])


@pytest.mark.parametrize("undetermined", [0.0, 0.1])
@pytest.mark.parametrize("label_set", [CHEXPERT, HEAD_CT], ids=["chexpert", "head-ct"])
def test_the_papers_f1_is_scikit_learns_weighted_f1_averaged_over_tasks(undetermined, label_set):
    case = random_case(1, undetermined=undetermined, label_set=label_set)
    result = score(case, "a")
    for level, tasks in (
        ("all", ("positive", "negative", "uncertain")),
        ("posneg", ("positive", "negative")),
    ):
        expected = [
            np.mean(
                [
                    metrics.f1_score(
                        binary(case.gold, task)[:, column],
                        binary(case.pred["a"], task)[:, column],
                        labels=[0, 1],
                        average="weighted",
                        zero_division=0.0,
                    )
                    for task in tasks
                ]
            )
            for column in range(case.gold.shape[1])
        ]
        assert result.paper[level].per_observation == pytest.approx(expected)
        assert result.paper[level].mean == pytest.approx(np.mean(expected))


def test_the_papers_f1_of_an_impossible_certainty_is_one():
    """No Finding is never negative or uncertain: those two tasks are perfect, as in its tables."""
    case = random_case(2, undetermined=0.0)
    result = score(case, "a")
    positive = 3 * result.paper["all"].per_observation[13] - 2
    assert 2 * result.paper["posneg"].per_observation[13] - 1 == pytest.approx(positive)


@pytest.mark.parametrize("seed", range(3))
def test_chexberts_weighted_f1(seed):
    """Definition: F1 of negative, uncertain, positive weighted by their share of the gold."""
    case = random_case(seed, reports=100)
    result = score(case, "a")
    expected = []
    for column in range(14):
        gold, pred = case.gold[:, column], case.pred["a"][:, column]
        weights = np.array([(gold == c).sum() for c in (NEGATIVE, UNCERTAIN, POSITIVE)])
        f1 = metrics.f1_score(
            gold, pred, labels=[NEGATIVE, UNCERTAIN, POSITIVE], average=None, zero_division=0.0
        )
        expected.append((weights / weights.sum()) @ f1)
    assert result.chexbert["all"].per_observation == pytest.approx(expected)
    assert result.chexbert["all"].mean == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("undetermined", [0.0, 0.2])
def test_kappa_accuracy_and_confusion_equal_scikit_learns(undetermined):
    case = random_case(3, undetermined=undetermined, reports=150)
    result = score(case, "a")
    for column in range(14):
        gold, pred = case.gold[:, column], case.pred["a"][:, column]
        assert result.kappa.per_observation[column] == pytest.approx(
            metrics.cohen_kappa_score(gold, pred)
        )
        assert result.accuracy.per_observation[column] == pytest.approx((gold == pred).mean())
        table = metrics.confusion_matrix(gold, pred, labels=[0, 1, 2, 3, -1])
        assert (result.confusion[column] == table[:4]).all()
    assert result.exact_match == pytest.approx((case.gold == case.pred["a"]).all(axis=1).mean())


def test_a_labeler_that_answers_nothing_earns_nothing():
    case = random_case(4)
    silent = comparison(case.gold, a=np.full(case.gold.shape, NONE))
    result = score(silent, "a")
    assert result.paper["all"].mean == result.chexbert["all"].mean == result.exact_match == 0
    assert result.accuracy.mean == 0
    assert all(result.tasks[task].micro.f1 == 0 for task in TASKS)


def test_an_undetermined_answer_is_no_false_positive():
    """Gold: one positive, one blank; both answers undetermined, a third report is right."""
    case = comparison([[POSITIVE], [BLANK], [POSITIVE]], a=[[NONE], [NONE], [POSITIVE]])
    got = score(case, "a").tasks["positive"]
    assert (got.precision[0], got.recall[0]) == (1.0, 0.5)
    table = task_counts(report_counts(case.gold, case.pred["a"]).sum(axis=0), "positive")
    counted = [int(x[0]) for x in (table.tp, table.fp, table.fn, table.tn, table.missed)]
    assert counted == [1, 0, 1, 0, 1]
    assert table.void[0] == 1


@pytest.mark.parametrize(
    ("rule", "value", "macro"), [("zero", 0.0, 0.5), ("one", 1.0, 1.0), ("skip", 0.0, 1.0)]
)
def test_undefined_f1_follows_the_rule_and_is_marked(rule, value, macro):
    """Two observations: one perfect, one blank everywhere (0/0)."""
    codes = [[POSITIVE, BLANK], [BLANK, BLANK]]
    case = comparison(codes, a=codes)
    result = score(case, "a", undefined=rule)
    got = result.tasks["positive"]
    assert got.undefined.tolist() == [False, True]
    assert got.f1[1] == value
    assert got.macro.f1 == macro
    assert result.kappa.undefined.tolist() == [False, True]
    assert result.chexbert["all"].undefined.tolist() == [False, True]
    named = statistics(case, undefined=rule)
    summed = report_counts(case.gold, case.pred["a"]).sum(axis=0)
    assert named["macro_f1_positive"].of(summed)[0] == macro


def test_a_class_answered_but_never_gold_is_defined_and_zero():
    case = comparison([[BLANK], [BLANK]], a=[[POSITIVE], [BLANK]])
    got = score(case, "a", undefined="skip").tasks["positive"]
    assert not got.undefined[0]
    assert got.f1[0] == got.macro.f1 == 0


def test_a_task_that_the_label_set_rules_out_is_in_no_mean():
    case = random_case(5, undetermined=0.0)
    negative = score(case, "a").tasks["negative"]
    assert negative.applicable.tolist() == [True] * 13 + [False]
    assert negative.macro.f1 == pytest.approx(negative.f1[:13].mean())


@pytest.mark.parametrize("reports", [0, 1])
def test_no_and_one_report_give_finite_scores(reports):
    gold = np.full((reports, 14), BLANK)
    result = score(comparison(gold, a=gold), "a")
    named = statistics(comparison(gold, a=gold))
    summed = report_counts(gold.astype(np.int8), gold.astype(np.int8)).sum(axis=0)
    for statistic in named.values():
        assert np.isfinite(statistic.of(summed)).all()
    assert result.exact_match == reports
    assert result.kappa.undefined.all() or reports == 0


@pytest.mark.parametrize("rule", ["zero", "one", "skip"])
def test_statistics_are_the_scores(rule):
    case = random_case(6)
    result = score(case, "a", undefined=rule)
    expected = {
        "kappa": (result.kappa.mean, result.kappa.per_observation),
        "accuracy": (result.accuracy.mean, result.accuracy.per_observation),
    }
    for task, got in result.tasks.items():
        expected[f"macro_f1_{task}"] = got.macro.f1, got.f1
        expected[f"micro_f1_{task}"] = got.micro.f1, got.f1
    for level in ("all", "posneg"):
        expected[f"paper_{level}"] = result.paper[level].mean, result.paper[level].per_observation
        other = result.chexbert[level]
        expected[f"chexbert_{level}"] = other.mean, other.per_observation
    named = statistics(case, undefined=rule)
    assert named.keys() == expected.keys()
    summed = report_counts(case.gold, case.pred["a"]).sum(axis=0)
    resampled = np.stack([summed, summed]).astype(np.float64)
    for name, (first, rest) in expected.items():
        check(named[name], summed, resampled, first, rest)


def check(statistic: Statistic, summed, resampled, first, rest) -> None:
    assert statistic.of(summed) == pytest.approx([first, *rest])
    assert (statistic.of(resampled) == statistic.of(summed)).all()
    assert len(statistic.parts) == 1 + len(statistic.counted)


def test_counts_of_reports_add_up_to_clusters_and_prevalence():
    case = random_case(8)
    counts = report_counts(case.gold, case.pred["a"])
    assert (counts.sum(axis=(-2, -1)) == 1).all()
    clusters = np.arange(60) // 7
    grouped = cluster_counts(counts, clusters)
    assert len(grouped) == 9
    assert (grouped[0] == counts[:7].sum(axis=0)).all()
    assert (grouped.sum(axis=0) == counts.sum(axis=0)).all()
    assert (gold_counts(case) == counts.sum(axis=(0, -1))).all()
