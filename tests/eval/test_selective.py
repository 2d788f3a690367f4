"""Selective labeling: curves and thresholds by hand, and what a guarantee is worth."""

import numpy as np
import pytest

from eval.probability import selective
from eval.probability.calibration import Resampling


def resampling(reports):
    return Resampling(np.arange(reports), 200, 0.95, 0)


def flat_units(confidence, wrong):
    size = len(confidence)
    return selective.Units(np.array(confidence), np.array(wrong, dtype=bool), np.arange(size), size)


def test_risk_coverage_by_hand():
    found = selective.curve(flat_units([0.9, 0.8, 0.7, 0.6], [0, 1, 0, 0]))
    assert found.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert found.risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    assert found.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    # Perfect order: the one mistake comes last.
    assert found.best_area == pytest.approx(1 / 16)
    assert found.error == 0.25


def test_ties_share_their_risk():
    found = selective.curve(flat_units([0.9, 0.9, 0.5, 0.5], [0, 1, 0, 0]))
    assert found.coverage.tolist() == [0.5, 1.0]
    assert found.area == pytest.approx((0.5 / 1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert selective.curve(flat_units([0.5] * 4, [1, 0, 0, 0])).area == pytest.approx(0.25)


def test_units_of_the_three_ways():
    gold = np.array([[0, 1], [2, 3]], dtype=np.int8)
    answers = np.array([[0, 1], [2, 0]], dtype=np.int8)
    confidence = np.array([[0.9, 0.8], [0.7, 0.6]])
    labels = selective.units(gold, answers, confidence, "labels")
    assert labels.confidence.tolist() == [0.9, 0.8, 0.7, 0.6]
    assert labels.wrong.tolist() == [False, False, False, True]
    reports = selective.units(gold, answers, confidence, "reports")
    assert reports.confidence.tolist() == [0.8, 0.8, 0.6, 0.6]
    flawless = selective.units(gold, answers, confidence, "flawless")
    assert flawless.confidence.tolist() == [0.8, 0.6]
    assert flawless.wrong.tolist() == [False, True]


def test_plain_threshold_takes_the_largest_coverage():
    of = flat_units([0.9, 0.8, 0.7, 0.6, 0.5], [0, 1, 0, 0, 1])
    # Accuracies from strict to lax: 1, 1/2, 2/3, 3/4, 3/5.
    assert selective.plain_threshold(of, 0.75) == 0.6
    assert selective.plain_threshold(of, 0.9) == 0.9
    assert selective.plain_threshold(of, 0.5) == 0.5
    assert selective.plain_threshold(flat_units([0.9, 0.5], [1, 0]), 0.9) is None


def test_what_has_no_probability_goes_to_a_person():
    of = flat_units([0.9, selective.NEVER], [0, 0])
    threshold = selective.plain_threshold(of, 0.5)
    assert threshold == 0.9
    found = selective.outcome(of, threshold, resampling(2))
    assert found.coverage.estimate[0] == 0.5
    assert found.to_person == 1
    assert selective.plain_threshold(flat_units([selective.NEVER], [0]), 0.5) is None


def test_outcome_by_hand():
    gold = np.zeros((4, 2), dtype=np.int8)
    answers = np.array([[0, 0], [0, 1], [1, 0], [0, 0]], dtype=np.int8)
    confidence = np.array([[0.9, 0.9], [0.9, 0.8], [0.4, 0.9], [0.9, 0.3]])
    of = selective.units(gold, answers, confidence, "labels")
    found = selective.outcome(of, 0.5, resampling(4))
    assert found.coverage.estimate[0] == 6 / 8
    assert found.accuracy.estimate[0] == pytest.approx(5 / 6)
    assert found.to_person == 2
    whole = selective.outcome(
        selective.units(gold, answers, confidence, "reports"), 0.5, resampling(4)
    )
    assert whole.coverage.estimate[0] == 4 / 8
    assert whole.accuracy.estimate[0] == pytest.approx(3 / 4)


def test_no_mistake_leaves_the_doubt_of_clopper_and_pearson():
    of = flat_units([0.9] * 100, [0] * 100)
    found = selective.outcome(of, 0.5, resampling(100))
    # The rule of three, two-sided: 1 - 0.025 ** (1 / 100)
    assert found.accuracy.low[0] == pytest.approx(0.025 ** (1 / 100))
    nothing = selective.outcome(of, 0.95, resampling(100))
    assert not nothing.accuracy.known[0]
    assert nothing.coverage.estimate[0] == 0


def test_guarantee_needs_enough_reports():
    # All confidences are equal, so there is one threshold with the whole error rate: 0.99 ** n
    # is at most 0.05 from n = 299 on.
    enough = int(np.ceil(np.log(0.05) / np.log(0.99)))
    for size, passes in ((enough, True), (enough - 1, False)):
        of = flat_units([0.9] * size, [0] * size)
        found = selective.guaranteed_threshold(of, of.confidence, 0.99)
        assert (found.threshold is not None) == passes


def failing(seed, reports, observations=5):
    """Decisions right with probability ``confidence ** 0.3``, all of a report by one coin."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.2, 1, (reports, 1)) * np.ones(observations)
    wrong = rng.random((reports, 1)) > confidence**0.3
    gold = np.zeros(confidence.shape, dtype=np.int8)
    return gold, np.where(wrong, 1, 0).astype(np.int8), confidence


def true_accuracy(threshold):
    """Accuracy above a threshold in :func:`failing`: the mean of c ** 0.3 from it to 1."""
    return (1 - threshold**1.3) / 1.3 / (1 - threshold)


@pytest.mark.parametrize("way", ["labels", "flawless"])
def test_the_guarantee_holds_where_whole_reports_fail(way):
    wish, runs, plain, promised, naive, found = 0.9, 150, 0, 0, 0, 0
    scored = selective.units(*failing(10_000, 2_000), way).confidence
    for seed in range(runs):
        of = selective.units(*failing(seed, 600), way)
        threshold = selective.plain_threshold(of, wish)
        plain += threshold is not None and true_accuracy(threshold) < wish
        promise = selective.guaranteed_threshold(of, scored, wish, seed=seed).threshold
        found += promise is not None
        promised += promise is not None and true_accuracy(promise) < wish
        # Taking the labels of a report as independent.
        alone = selective.Units(of.confidence, of.wrong, np.arange(len(of.wrong)), len(of.wrong))
        careless = selective.guaranteed_threshold(alone, scored, wish, seed=seed).threshold
        naive += careless is not None and true_accuracy(careless) < wish
    assert found > 0.5 * runs
    assert promised <= 0.05 * runs
    assert plain > 0.3 * runs
    if way == "labels":
        assert naive > 0.1 * runs


def test_a_guarantee_takes_one_report_per_patient():
    of = flat_units([0.9] * 600, [0] * 600)
    alone = selective.guaranteed_threshold(of, of.confidence, 0.98)
    assert alone.reports == 600
    assert alone.threshold == 0.9
    patients = np.arange(600) // 6
    found = selective.guaranteed_threshold(of, of.confidence, 0.98, clusters=patients)
    assert found.reports == 100
    assert found.threshold is None


def test_thresholds_depend_on_the_seed_alone():
    of = selective.units(*failing(1, 300), "labels")
    first = selective.guaranteed_threshold(of, of.confidence, 0.9, seed=4)
    assert selective.guaranteed_threshold(of, of.confidence, 0.9, seed=4) == first
