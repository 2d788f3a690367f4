"""Calibration and temperature: scikit-learn's values, hand sums, parameters found again."""

import numpy as np
import pytest
from scipy import optimize
from sklearn.metrics import brier_score_loss, log_loss

from eval.probability.calibration import (
    TOP,
    Resampling,
    brier_scores,
    calibration,
    expected_calibration_error,
    log_losses,
)
from eval.probability.probabilities import Probabilities, only_presence
from eval.probability.temperature import check_apart, fit_temperature
from labelwright.errors import ConfigError


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def drawn(seed, reports, *, observations=3, sharpness=1.0, scale=2.0):
    """Gold drawn from ``softmax(z)``, probabilities ``softmax(sharpness * z)``."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, scale, (reports, observations, 4))
    true = softmax(z)
    u = rng.random((reports, observations, 1))
    gold = (true.cumsum(axis=-1) < u).sum(axis=-1).clip(0, 3).astype(np.int8)
    return gold, given(softmax(sharpness * z))


def given(values, known=None, allowed=None):
    reports, observations = values.shape[:2]
    known = np.ones((reports, observations), dtype=bool) if known is None else known
    answers = np.where(known, values.argmax(axis=2), -1).astype(np.int8)
    return Probabilities(
        source="drawn",
        observations=tuple(f"o{i}" for i in range(observations)),
        values=np.where(known[..., None], values, 0).astype(np.float32),
        known=known,
        answers=answers,
        allowed=np.ones((observations, 4), dtype=bool) if allowed is None else allowed,
        without=0,
    )


def resampling(reports, resamples=200):
    return Resampling(np.arange(reports), resamples, 0.95, 0)


# Scores


@pytest.mark.parametrize("seed", range(3))
def test_brier_and_nll_equal_scikit_learn(seed):
    gold, probs = drawn(seed, 120)
    found = calibration(gold, probs, resampling(120))
    flat = probs.values.astype(np.float64).reshape(-1, 4)
    flat /= flat.sum(axis=1, keepdims=True)
    labels = range(4)
    brier = brier_score_loss(gold.ravel(), flat, labels=labels, scale_by_half=False)
    assert found.brier.estimate[0] == pytest.approx(brier, abs=1e-6)
    assert found.nll.estimate[0] == pytest.approx(
        log_loss(gold.ravel(), flat, labels=labels), abs=1e-6
    )
    for column in range(3):
        one = probs.values[:, column].astype(np.float64)
        one /= one.sum(axis=1, keepdims=True)
        expected = brier_score_loss(gold[:, column], one, labels=labels, scale_by_half=False)
        assert found.brier.estimate[1 + column] == pytest.approx(expected, abs=1e-6)
        assert found.nll.estimate[1 + column] == pytest.approx(
            log_loss(gold[:, column], one, labels=labels), abs=1e-6
        )


def test_brier_and_nll_by_hand():
    values = np.array([[0.5, 0.25, 0.25, 0.0]])
    assert brier_scores(values, np.array([0])) == pytest.approx(0.25 + 2 * 0.0625)
    assert brier_scores(values, np.array([3])) == pytest.approx(0.25 + 2 * 0.0625 + 1)
    assert log_losses(values, np.array([1])) == pytest.approx(np.log(4))
    assert log_losses(values, np.array([3])) == pytest.approx(-np.log(1e-7))


def test_ece_by_hand():
    # Width: bins (0.4, 0.4667], (0.8667, 0.9333]. |1 - 0.9| = 0.1 of both twos.
    confidence = np.array([0.45, 0.45, 0.9, 0.9])
    right = np.array([True, False, True, True])
    assert expected_calibration_error(confidence, right) == pytest.approx((0.1 + 0.2) / 4)
    # Two bins of equal mass: the same two groups.
    assert expected_calibration_error(confidence, right, "mass", bins=2) == pytest.approx(0.075)
    # One bin: over- and underconfidence cancel out. |3 - 2.7| / 4
    assert expected_calibration_error(confidence, right, bins=1) == pytest.approx(0.075)
    right = np.array([False, False, True, True])
    assert expected_calibration_error(confidence, right) == pytest.approx((0.9 + 0.2) / 4)
    assert expected_calibration_error(confidence, right, bins=1) == pytest.approx(0.7 / 4)


def test_bins_are_closed_on_the_right():
    # 1/15 is the border of the first bin and belongs to it; float32 must not move it.
    confidence = np.array([np.float32(1 / 15), 0.03, 0.08], dtype=np.float64)
    right = np.array([True, False, False])
    expected = (abs(1 - 1 / 15 - 0.03) + 0.08) / 3
    assert expected_calibration_error(confidence, right) == pytest.approx(expected)


def test_equal_confidences_share_a_bin_of_equal_mass():
    confidence = np.array([1.0] * 90 + [0.5] * 10)
    right = np.arange(100) % 2 == 0
    # Bins {1.0} and {0.5}: 45 of 90 and 5 of 10 are right.
    assert expected_calibration_error(confidence, right, "mass") == pytest.approx(45 / 100)


def test_calibration_agrees_with_the_plain_functions_and_skips_unknown_decisions():
    gold, probs = drawn(5, 150, sharpness=2)
    known = np.random.default_rng(0).random((150, 3)) < 0.8
    known[:, 2] = False
    probs = given(probs.values.astype(np.float64), known)
    found = calibration(gold, probs, resampling(150))
    right = gold == probs.answers
    assert found.masked == (~known).sum()
    assert found.decisions.tolist() == [known.sum(), *known.sum(axis=0)]
    for kind in ("width", "mass"):
        pooled = expected_calibration_error(probs.confidence[known], right[known], kind)
        assert found.ece[kind].estimate[0] == pytest.approx(pooled)
        first = known[:, 0]
        alone = expected_calibration_error(probs.confidence[first, 0], right[first, 0], kind)
        assert found.ece[kind].estimate[1] == pytest.approx(alone)
        stated = probs.values[known][:, 1].astype(float)
        negative = expected_calibration_error(stated, gold[known] == 1, kind)
        assert found.certainties["negative"][kind].estimate[0] == pytest.approx(negative)
        diagram = found.diagrams[TOP][kind]
        assert diagram.decisions.sum() == known.sum()
        weighted = np.abs(diagram.share - diagram.confidence) * diagram.decisions
        assert weighted.sum() / known.sum() == pytest.approx(pooled)
    assert not found.brier.known[3]
    everything = [found.brier, found.nll, *found.ece.values()]
    assert not any(np.isnan([s.estimate, s.low, s.high]).any() for s in everything)


def test_a_calibrated_labeler_shows_only_the_error_of_chance():
    gold, probs = drawn(2, 700)
    found = calibration(gold, probs, resampling(700))
    over, sure_probs = drawn(2, 700, sharpness=3)
    overconfident = calibration(over, sure_probs, resampling(700))
    for kind in ("width", "mass"):
        assert found.ece[kind].estimate[0] < 2 * found.by_chance[kind][0]
        assert overconfident.ece[kind].estimate[0] > 4 * overconfident.by_chance[kind][0]
        assert found.ece[kind].low[0] <= found.ece[kind].estimate[0] <= found.ece[kind].high[0]
    assert overconfident.nll.low[0] > found.nll.high[0]
    assert overconfident.brier.low[0] > found.brier.high[0]


def test_intervals_draw_whole_clusters():
    gold, probs = drawn(3, 200)
    doubled = given(np.repeat(probs.values, 2, axis=0).astype(np.float64))
    patients = np.repeat(np.arange(200), 2)
    once = calibration(gold, probs, resampling(200))
    twice = calibration(np.repeat(gold, 2, axis=0), doubled, Resampling(patients, 200, 0.95, 0))
    assert twice.brier.low == pytest.approx(once.brier.low, abs=1e-9)
    assert twice.nll.high == pytest.approx(once.nll.high, abs=1e-9)


@pytest.mark.parametrize("reports", [0, 1])
def test_hardly_any_report(reports):
    gold, probs = drawn(0, reports)
    found = calibration(gold, probs, resampling(reports))
    assert found.decisions.tolist() == [3 * reports, *[reports] * 3]
    assert np.isfinite(found.ece["mass"].estimate).all()


# Temperature


def test_temperature_is_found_again():
    gold, probs = drawn(0, 2500, sharpness=2)
    fitted = fit_temperature(gold, probs)
    assert fitted.shared == pytest.approx(2, rel=0.06)
    assert fitted.nll_after < fitted.nll_before
    tempered = probs.tempered(fitted.values)
    assert (tempered.answers == probs.answers).all()
    assert tempered.values.argmax(axis=2).tolist() == probs.values.argmax(axis=2).tolist()
    before = expected_calibration_error(probs.confidence.ravel(), (gold == probs.answers).ravel())
    after = expected_calibration_error(tempered.confidence.ravel(), (gold == probs.answers).ravel())
    assert after < before / 4


def test_temperature_equals_a_plain_minimisation():
    gold, probs = drawn(4, 300, sharpness=0.6)
    logs = np.log(probs.values.astype(np.float64))
    found = optimize.minimize(
        lambda t: log_loss(gold.ravel(), softmax(logs / t[0]).reshape(-1, 4), labels=range(4)),
        x0=[1.0],
        method="Nelder-Mead",
    )
    assert fit_temperature(gold, probs).shared == pytest.approx(found.x[0], rel=1e-3)


def test_one_temperature_per_observation():
    sharp, flat = drawn(0, 900, observations=1, sharpness=3), drawn(1, 900, observations=1)
    rare = np.zeros((900, 1), dtype=bool)
    rare[:10] = True
    gold = np.concatenate([sharp[0], flat[0], sharp[0]], axis=1)
    values = np.concatenate([p.values for p in (sharp[1], flat[1], sharp[1])], axis=1)
    known = np.concatenate([np.ones((900, 2), dtype=bool), rare], axis=1)
    fitted = fit_temperature(gold, given(values.astype(np.float64), known), per="observation")
    assert fitted.values[0] == pytest.approx(3, rel=0.15)
    assert fitted.values[1] == pytest.approx(1, rel=0.1)
    # Ten decisions are too few for a temperature of their own.
    assert fitted.own.tolist() == [True, True, False]
    assert fitted.values[2] == fitted.shared


def test_temperature_leaves_impossible_certainties_at_zero():
    allowed = np.array([[True, False, False, True]])
    values = np.array([[[0.9, 0, 0, 0.1]], [[0.2, 0, 0, 0.8]]])
    tempered = given(values, allowed=allowed).tempered(np.array([2.0]))
    # sqrt(.9) : sqrt(.1) = 3 : 1 and sqrt(.2) : sqrt(.8) = 1 : 2
    assert tempered.values[0, 0] == pytest.approx([0.75, 0, 0, 0.25])
    assert tempered.values[1, 0] == pytest.approx([1 / 3, 0, 0, 2 / 3])


def test_without_a_mistake_there_is_nothing_to_learn():
    values = np.tile([0.7, 0.1, 0.1, 0.1], (60, 2, 1))
    gold = np.zeros((60, 2), dtype=np.int8)
    fitted = fit_temperature(gold, given(values), per="observation")
    assert not fitted.fitted
    assert fitted.values.tolist() == [1.0, 1.0]
    gold[:30, 0] = 1
    fitted = fit_temperature(gold, given(values), per="observation")
    assert fitted.own.tolist() == [True, False]
    assert fitted.values[1] == fitted.shared


def test_fitting_and_scoring_the_same_reports_is_refused():
    check_apart(["a", "b"], ["c"])
    with pytest.raises(ConfigError, match="1 of the calibration reports are also scored"):
        check_apart(["a", "b"], ["b", "c"])


def test_nothing_to_fit_on():
    gold, probs = drawn(0, 5)
    nothing = given(probs.values, np.zeros((5, 3), dtype=bool))
    with pytest.raises(ConfigError, match="no decision of the calibration reports"):
        fit_temperature(gold, nothing)


# Gold that says only what is present


def test_probabilities_of_presence_by_hand():
    values = np.array([[[0.7, 0.1, 0.1, 0.1], [0.2, 0.5, 0.2, 0.1]]])
    found = given(values).of_presence(3)
    assert found.presence
    np.testing.assert_allclose(found.values, [[[0.7, 0, 0, 0.3], [0.2, 0, 0, 0.8]]], atol=1e-6)
    assert found.answers.tolist() == [[0, 3]]
    np.testing.assert_allclose(found.confidence, [[0.7, 0.8]], atol=1e-6)
    assert found.allowed.tolist() == [[True, False, False, True]] * 2


def test_unknown_decisions_stay_unknown():
    known = np.array([[True, False]])
    found = given(np.full((1, 2, 4), 0.25), known).of_presence(1)
    assert found.answers.tolist() == [[0, -1]]
    assert found.values[0, 1].tolist() == [0, 0, 0, 0]
    assert found.confidence[0, 1] == -1


@pytest.mark.parametrize(
    ("gold", "absent"),
    [
        ([[0, 3], [3, 3]], 3),  # positive or empty
        ([[0, 1], [1, 1]], 1),  # 1 or 0
        ([[0, 0], [0, 0]], 3),
        ([[0, 1], [3, 3]], None),
        ([[0, 2], [3, 3]], None),
        ([[1, 1], [3, 3]], None),
    ],
)
def test_which_gold_says_only_what_is_present(gold, absent):
    can = np.ones((2, 4), dtype=bool)
    assert only_presence(np.array(gold, dtype=np.int8), can) == absent


def test_observations_that_are_only_present_or_blank_do_not_count():
    can = np.array([[True, True, True, True], [True, False, False, True]])
    gold = np.array([[0, 3], [1, 0], [1, 3]], dtype=np.int8)
    assert only_presence(gold, can) == 1
    assert only_presence(gold, can[[1, 1]]) is None
