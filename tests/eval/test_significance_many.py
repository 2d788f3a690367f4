"""Three and more labelers: equal to SciPy, statsmodels, scikit-posthocs and Demsar's paper."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats
from statsmodels.stats.anova import AnovaRM

from eval.stats.multiple import one_way_anova, ranks, repeated_measures_anova, tukey_hsd
from labelwright.errors import ConfigError


@pytest.fixture
def three():
    rng = np.random.default_rng(0)
    base = rng.normal(0.8, 0.1, 14)
    return {k: base + rng.normal(m, 0.02, 14) for k, m in (("a", 0.03), ("b", 0), ("c", 0))}


def test_anova_and_tukey_equal_scipy_and_statsmodels(three):
    one = one_way_anova(three)
    assert (one.f, one.p) == pytest.approx(tuple(stats.f_oneway(*three.values())))
    assert one.df == (2, 39)
    frame = pd.DataFrame(three).reset_index().melt("index", var_name="labeler")
    theirs = AnovaRM(frame, "value", "index", ["labeler"]).fit().anova_table.iloc[0]
    repeated = repeated_measures_anova(three)
    assert (repeated.f, repeated.p) == pytest.approx((theirs["F Value"], theirs["Pr > F"]))
    assert repeated.df == (theirs["Num DF"], theirs["Den DF"])
    tukey = stats.tukey_hsd(*three.values())
    interval = tukey.confidence_interval(0.95)
    for pair, place in zip(tukey_hsd(three), ((0, 1), (0, 2), (1, 2)), strict=True):
        assert pair.difference == pytest.approx(tukey.statistic[place])
        assert pair.p == pytest.approx(tukey.pvalue[place])
        assert (pair.low, pair.high) == pytest.approx((interval.low[place], interval.high[place]))


def test_runs_of_three_methods_by_hand_and_by_the_printed_table():
    """Means 62, 65, 72, grand mean 66 1/3: between 3 (4.3333² + 1.3333² + 5.6667²) = 158, within
    3 · 8 = 24, F = (158 / 2) / (24 / 6) = 19.75; with two degrees of freedom above,
    p = (1 + 2 F / 6)^-3 = .0022931. One unit of Tukey's range is sqrt(4 / 3), the printed table of
    q(3, 6) has 4.34 at .05 and 6.33 at .01: differences of 3, 7, 10 are 2.60, 6.06, 8.66 units.
    """
    runs = {"plain": [60, 62, 64], "more": [63, 65, 67], "most": [70, 72, 74]}
    one = one_way_anova({name: np.array(each, float) for name, each in runs.items()})
    assert (one.f, one.df) == (pytest.approx(19.75), (2, 6))
    assert one.p == pytest.approx((1 + 2 * 19.75 / 6) ** -3)
    assert one.p == pytest.approx(0.0022931, abs=1e-7)
    near, far, middle = tukey_hsd({name: np.array(each, float) for name, each in runs.items()})
    assert [near.difference, far.difference, middle.difference] == [-3, -10, -7]
    assert near.p > 0.05 > middle.p > 0.01 > far.p
    assert near.high - near.difference == pytest.approx(4.34 * np.sqrt(4 / 3), abs=0.002)


def test_methods_with_one_run_or_alone_have_no_test_over_runs():
    """Nothing within to compare with; and one method has nothing to be compared with."""
    single = {"a": np.array([0.7]), "b": np.array([0.8])}
    assert (one_way_anova(single).p, tukey_hsd(single)) == (None, ())
    alone = {"a": np.array([0.7, 0.8])}
    assert (one_way_anova(alone).p, tukey_hsd(alone)) == (None, ())


def test_greenhouse_geisser_epsilon():
    """1 for two labelers (nothing to correct); for three between 1/2 and 1, and P grows."""
    rng = np.random.default_rng(3)
    pair = {k: rng.random(10) for k in "ab"}
    assert repeated_measures_anova(pair).epsilon == pytest.approx(1.0)
    uneven = {"a": rng.random(10), "b": rng.random(10), "c": 8 * rng.random(10)}
    result = repeated_measures_anova(uneven)
    assert 0.5 <= result.epsilon < 0.8
    assert result.p_corrected > result.p


def test_friedman_nemenyi_and_wilcoxon_holm(three):
    result = ranks(three)
    friedman = stats.friedmanchisquare(*three.values())
    assert (result.statistic, result.p) == pytest.approx(tuple(friedman))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(pd.DataFrame(three))
        holm = scikit_posthocs.posthoc_wilcoxon(list(three.values()), p_adjust="holm")
    for pair in result.pairs:
        i, j = "abc".index(pair.a), "abc".index(pair.b)
        assert pair.p_nemenyi == pytest.approx(nemenyi.loc[pair.a, pair.b], abs=1e-6)
        assert pair.p_holm == pytest.approx(holm.iloc[i, j])


def test_critical_difference_of_demsar():
    """Demšar 2006, table 5a: q is 2.343 for three and 2.569 for four classifiers at .05; his
    example of four classifiers on 14 data sets has a critical difference of 1.25."""
    rng = np.random.default_rng(0)
    four = {k: rng.random(14) for k in "abcd"}
    assert ranks(four).critical_difference == pytest.approx(1.25, abs=0.005)
    result = ranks({k: rng.random(14) for k in "abc"})
    assert result.critical_difference == pytest.approx(2.343 * np.sqrt(12 / 84), abs=5e-4)


def test_groups_of_the_diagram_hold_labelers_within_the_critical_difference():
    scores = {
        "good": np.linspace(0.8, 0.9, 14),
        "bad": np.linspace(0.1, 0.2, 14),
        "alike": np.linspace(0.1, 0.2, 14) + np.tile([0.01, -0.01], 7),
    }
    result = ranks(scores)
    assert list(result.mean_ranks.values()) == [1.0, 2.5, 2.5]
    assert result.groups == (("bad", "alike"),)


def test_equal_labelers_and_too_few():
    same = dict.fromkeys("abc", np.linspace(0, 1, 14))
    result = ranks(same)
    assert (result.statistic, result.p) == (0.0, 1.0)
    assert result.groups == (("a", "b", "c"),)
    assert repeated_measures_anova(same).p is None
    flat = {k: np.full(5, v) for k, v in (("a", 0.1), ("b", 0.2))}
    assert one_way_anova(flat).p is None
    assert tukey_hsd(flat) == ()
    with pytest.raises(ConfigError, match="needs 3"):
        ranks(flat)


@pytest.mark.parametrize(
    "levels", [(0.1, 0.2, 0.3), (1 / 3, 1 / 3, 1 / 3), (4 / 14, 4 / 14, 4 / 14), (0.7, 0.7, 0.1)]
)
def test_float_noise_is_no_spread(levels):
    """The mean of equal numbers can differ from them in the last bit."""
    scores = {name: np.full(14, level) for name, level in zip("abc", levels, strict=True)}
    for test in (one_way_anova(scores), repeated_measures_anova(scores)):
        assert test.f is None
        assert test.p is None
        assert test.note
    assert tukey_hsd(scores) == ()


def test_equal_labelers_have_p_1_whatever_the_scores():
    """SciPy's F of equal groups is slightly negative for some scores, and its P value NaN."""
    for seed in range(200):
        drawn = np.random.default_rng(seed).random(14)
        test = one_way_anova({"a": drawn, "b": drawn, "c": drawn})
        assert test.p == pytest.approx(1.0)
