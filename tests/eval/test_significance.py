"""Tests and intervals equal SciPy's, statsmodels' and scikit-posthocs' on shared cases."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of_statsmodels
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_effectsize

from eval.stats.equivalence import detectable_effect, equivalence
from eval.stats.paired import (
    adjusted,
    cohens_h,
    mcnemar,
    paired_t,
    wilcoxon,
)
from eval.stats.resampling import (
    Sums,
    bootstrap_difference,
    bootstrap_runs,
    bootstrap_score,
    bootstraps,
    randomization,
)
from labelwright.errors import ConfigError


def two(seed: int, n: int, decimals: int = 3):
    rng = np.random.default_rng(seed)
    a = rng.normal(0.8, 0.1, n).round(decimals)
    return a, (a + rng.normal(0.01, 0.03, n)).round(decimals)


def micro_f1(sums):
    """F1 of summed ``tp, gold, answered`` as one part; any score of sums will do."""
    return (2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1))[..., None]


def counted(seed: int, n: int, quality: float = 0.8):
    """Counts ``[reports, 3]`` (tp, gold, answered) of two labelers over the same gold."""
    rng = np.random.default_rng(seed)
    gold = rng.random(n) < 0.4
    answers = [np.where(rng.random(n) < q, gold, ~gold) for q in (quality, 0.8)]
    return [np.stack([gold & x, gold, x], axis=1).astype(int) for x in answers]


# Over observations


@pytest.mark.parametrize("seed", range(3))
def test_paired_t_equals_scipy(seed):
    a, b = two(seed, 14)
    mine, theirs = paired_t(a, b), stats.ttest_rel(a, b)
    assert (mine.statistic, mine.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    interval = theirs.confidence_interval(0.95)
    assert (mine.low, mine.high) == pytest.approx((interval.low, interval.high))
    assert mine.effect == pytest.approx(mine.statistic / np.sqrt(14))


@pytest.mark.parametrize(("n", "decimals"), product((5, 11), (1, 2, 6)))
def test_exact_wilcoxon_counts_all_signs_with_ties_and_zeros(n, decimals):
    a, b = two(n, n, decimals)
    a[0] = b[0] + 0.3
    d = np.round(a - b, 9)
    every_sign = stats.wilcoxon(d, method=stats.PermutationMethod(n_resamples=np.inf))
    mine = wilcoxon(a, b)
    assert mine.p == pytest.approx(every_sign.pvalue)
    assert mine.zeros == (d == 0).sum()
    assert "zero differences discarded" in mine.method


def test_wilcoxon_of_many_pairs():
    a, b = two(1, 60, 6)
    exact = stats.wilcoxon(a - b, method="exact").pvalue
    assert wilcoxon(a, b).p == pytest.approx(exact)
    a, b = two(1, 300, 6)
    assert "normal approximation" in wilcoxon(a, b).method
    assert wilcoxon(a, b).p == pytest.approx(stats.wilcoxon(a - b, method="asymptotic").pvalue)


def test_float_noise_makes_no_difference():
    same = np.array([0.1 + 0.2, 0.7]), np.array([0.3, 0.7])
    assert paired_t(*same).zeros == wilcoxon(*same).zeros == 2
    assert paired_t(*same).p == wilcoxon(*same).p == 1.0


@pytest.mark.parametrize(
    ("a", "b", "note"),
    [
        ([0.5], [0.4], "one observation"),
        ([0.5, 0.6], [0.4, 0.5], "spread"),
        ([0.5, 0.6], [0.5, 0.6], "all differences are 0"),
    ],
)
def test_where_a_t_test_is_impossible_it_says_so(a, b, note):
    result = paired_t(a, b)
    assert note in result.note
    assert result.statistic is None
    assert result.p in (None, 1.0)
    assert np.isfinite(wilcoxon(a, b).p)


def test_rank_biserial_by_hand():
    """Differences 3, -1, 2: ranks 3, 1, 2; (3 + 2 - 1) / 6."""
    assert wilcoxon([3.0, 0.0, 2.0], [0.0, 1.0, 0.0]).effect == pytest.approx(4 / 6)
    assert wilcoxon(np.zeros(3), np.zeros(3)).effect is None


def test_mcnemar_equals_statsmodels():
    rng = np.random.default_rng(0)
    gold, a, b = (rng.integers(0, 4, (80, 5)).astype(np.int8) for _ in range(3))
    b[:, 0] = a[:, 0]  # no discordant report: P = 1
    result = mcnemar(tuple("vwxyz"), gold, a, b)
    for column in range(5):
        table = pd.crosstab(
            pd.Categorical(a[:, column] == gold[:, column], [True, False]),
            pd.Categorical(b[:, column] == gold[:, column], [True, False]),
            dropna=False,
        ).to_numpy()
        assert result.p[column] == pytest.approx(mcnemar_of_statsmodels(table, exact=True).pvalue)
        assert (result.a_only[column], result.b_only[column]) == (table[0, 1], table[1, 0])
    assert result.p_holm == pytest.approx(multipletests(result.p, method="holm")[1])
    assert result.p_bh == pytest.approx(multipletests(result.p, method="fdr_bh")[1])


def test_adjusted_and_cohens_h_equal_statsmodels():
    p = np.array([0.04, 0.001, 0.2, 0.03, 0.03, 1.0])
    assert adjusted(p, "holm") == pytest.approx(multipletests(p, method="holm")[1])
    assert adjusted(p, "bh") == pytest.approx(multipletests(p, method="fdr_bh")[1])
    assert len(adjusted(np.array([]), "holm")) == len(adjusted(np.array([]), "bh")) == 0
    assert cohens_h(np.array([0.9]), np.array([0.7]))[0] == pytest.approx(
        proportion_effectsize(0.9, 0.7)
    )


# Over reports


@pytest.mark.parametrize("seed", range(3))
def test_exact_randomization_tries_every_swap(seed):
    a, b = counted(seed, 11, quality=0.95)
    result = randomization(a, b, micro_f1)
    observed = micro_f1(a.sum(axis=0)) - micro_f1(b.sum(axis=0))
    differences = []
    for signs in product([False, True], repeat=11):
        swap = np.array(signs)[:, None]
        left, right = np.where(swap, b, a), np.where(swap, a, b)
        differences.append(micro_f1(left.sum(axis=0)) - micro_f1(right.sum(axis=0)))
    p = (np.abs(differences) >= abs(observed) - 1e-12).mean()
    assert result.exact
    assert result.p[0] == pytest.approx(p)
    assert result.permutations == 2**result.differing
    assert result.difference == pytest.approx(observed)


def test_random_swaps_agree_with_scipys_permutation_test():
    """Both draw their own swaps: P values agree to Monte Carlo error (4 standard errors)."""
    a, b = counted(5, 150, quality=0.86)
    both = np.concatenate([a, b])

    def difference(x, y, axis):
        return (micro_f1(both[x].sum(axis=-2)) - micro_f1(both[y].sum(axis=-2)))[..., 0]

    theirs = stats.permutation_test(
        (np.arange(150), np.arange(150, 300)),
        difference,
        permutation_type="samples",
        n_resamples=4_000,
        vectorized=True,
        batch=500,
        rng=np.random.default_rng(0),
    )
    mine = randomization(a, b, micro_f1, permutations=20_000, seed=1)
    assert not mine.exact
    assert 0.01 < mine.p[0] < 0.99
    assert mine.p[0] == pytest.approx(theirs.pvalue, abs=4 * 0.5 / np.sqrt(4_000))


def test_labelers_that_agree_everywhere_have_p_1():
    a, _ = counted(0, 40)
    result = randomization(a, a, micro_f1)
    assert (result.p[0], result.differing, result.difference[0]) == (1.0, 0, 0.0)


def test_same_seed_same_result_and_other_seed_another():
    a, b = counted(2, 300)
    first, again, other = (
        randomization(a, b, micro_f1, permutations=600, seed=s).p[0] for s in (1, 1, 2)
    )
    assert first == again != other
    draws = [bootstrap_score(a, micro_f1, resamples=600, seed=s).draws for s in (1, 1, 2)]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


def test_one_set_of_resamples_says_the_same_as_one_bootstrap_after_the_other():
    a, b = counted(2, 300)
    both = bootstraps({"a": a, "b": b}, [("a", "b")], micro_f1, resamples=200, seed=5)
    for name, table in (("a", a), ("b", b)):
        alone = bootstrap_score(table, micro_f1, resamples=200, seed=5)
        assert (both.single[name].draws == alone.draws).all()
        assert (both.single[name].low, both.single[name].high) == (alone.low, alone.high)
    apart = bootstrap_difference(a, b, micro_f1, resamples=200, seed=5)
    assert (both.paired["a", "b"].draws == apart.draws).all()
    assert (both.paired["a", "b"].acceleration == apart.acceleration).all()


def test_acceleration_is_the_skewness_of_the_jackknife():
    """Efron 1987: a = sum((m - t_i)^3) / (6 sum((m - t_i)^2)^1.5), t_i the score without i."""
    a = counted(1, 700)[0]
    left_out = np.array([micro_f1(a.sum(axis=0) - row)[0] for row in a])
    influence = left_out.mean() - left_out
    expected = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    drawn = bootstrap_score(a, micro_f1, resamples=100)
    assert drawn.acceleration[0] == pytest.approx(expected, rel=1e-6)


def test_a_report_s_counts_may_be_of_any_whole_type():
    a, b = counted(2, 300)
    wide = randomization(a.astype(np.int64), b.astype(np.int64), micro_f1, permutations=300)
    small = randomization(a.astype(np.int8), b.astype(np.int8), micro_f1, permutations=300)
    assert (wide.p == small.p).all()


def test_block_size_changes_nothing(monkeypatch):
    a, b = counted(2, 300)
    results = []
    for block in (512, 64):
        monkeypatch.setattr("eval.stats.resampling.BLOCK", block)
        drawn = bootstrap_difference(a, b, micro_f1, resamples=300)
        results.append((randomization(a, b, micro_f1, permutations=300).p, drawn.low, drawn.high))
    assert results[0] == results[1]


def test_bca_interval_equals_scipys_for_the_same_statistic():
    """SciPy draws its own resamples, so the bounds agree to Monte Carlo error."""
    a, b = counted(3, 200, quality=0.9)
    mine = bootstrap_difference(a, b, micro_f1, resamples=9_999, seed=0)

    def difference(indices, axis):
        left, right = a[indices].sum(axis=-2), b[indices].sum(axis=-2)
        return (micro_f1(left) - micro_f1(right))[..., 0]

    theirs = stats.bootstrap(
        (np.arange(200),),
        difference,
        n_resamples=9_999,
        method="BCa",
        vectorized=True,
        batch=500,
        rng=np.random.default_rng(0),
    )
    interval = theirs.confidence_interval
    assert mine.low[0] == pytest.approx(interval.low, abs=0.004)
    assert mine.high[0] == pytest.approx(interval.high, abs=0.004)
    assert mine.standard_error[0] == pytest.approx(theirs.standard_error, rel=0.03)


def test_a_score_that_never_varies_has_a_point_as_interval():
    perfect = np.tile([1, 1, 1], (30, 1))
    drawn = bootstrap_score(perfect, micro_f1, resamples=100)
    assert drawn.flat.all()
    assert drawn.low == drawn.high == drawn.estimate == 1


@pytest.mark.parametrize(
    ("clusters", "equivalent"), [(1, False), (30, False), (298, False), (299, True)]
)
def test_equal_answers_are_equivalent_only_where_reports_are_many(clusters, equivalent):
    """0 of n bounds a share of 1 % at 95 % from n = ln 0.05 / ln 0.99 = 298.1 on."""
    perfect = np.tile([1, 1, 1], (clusters, 1))
    result = equivalence(bootstrap_difference(perfect, perfect, micro_f1), margin=0.01)
    assert result.equivalent is equivalent
    assert result.noninferior is equivalent
    assert result.p_equivalent == pytest.approx(0.99**clusters)
    exact = stats.binomtest(0, clusters).proportion_ci(0.9).high
    assert (-result.low, result.high) == pytest.approx((exact, exact))


def test_equivalence_verdicts_and_p_values_agree():
    """P below alpha and the bound inside the margin are the same statement."""
    a, b = counted(8, 400, quality=0.8)
    drawn = bootstrap_difference(a, b, micro_f1, resamples=4_000)
    verdicts = set()
    for margin in (0.005, 0.02, 0.05, 0.08, 0.1, 0.12, 0.3):
        result = equivalence(drawn, margin=margin)
        assert result.noninferior == (result.p_noninferior < 0.05)
        assert result.equivalent == (result.p_equivalent < 0.05)
        verdicts.add((result.noninferior, result.equivalent))
    assert len(verdicts) > 1
    with pytest.raises(ConfigError, match="not positive"):
        equivalence(drawn, margin=0.0)


def test_detectable_effect_is_2_8_standard_errors():
    """(1.960 + 0.842) standard errors: two-sided 5 %, power 80 %."""
    a, b = counted(8, 400)
    drawn = bootstrap_difference(a, b, micro_f1, resamples=500)
    assert detectable_effect(drawn) / drawn.standard_error[0] == pytest.approx(2.8016, abs=1e-4)


def test_means_over_runs_that_are_alike_have_the_interval_of_one_run():
    """Three equal runs leave the choice of clusters alone: the quantiles of one run's draws."""
    counts = np.random.default_rng(5).integers(0, 6, (40, 3))
    single = bootstrap_score(counts, micro_f1, resamples=400, seed=2).draws
    runs = {"a": np.stack([counts] * 3, axis=1)}
    found = bootstrap_runs(runs, [], micro_f1, resamples=400, seed=2).single["a"]
    assert found.estimate == pytest.approx(micro_f1(counts.sum(axis=0)))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(single, (0.025, 0.975))))


def test_means_over_runs_vary_as_the_runs_do_and_their_differences_by_run():
    """All clusters alike, so that runs alone are drawn. The runs of a have F1 2 · 3 / 10 = .6 and
    2 · 4 / 10 = .8: both draws are the first in a quarter of cases, so the interval is .6 to .8
    around .7. Each run of b is .2 below its run of a, hence always the difference .2; the single
    run of c has F1 1, and a minus c is -.4 to -.2.
    """
    one = {"a": [(3, 5, 5), (4, 5, 5)], "b": [(2, 5, 5), (3, 5, 5)], "c": [(5, 5, 5)]}
    tables = {name: np.array([runs] * 30) for name, runs in one.items()}
    found = bootstrap_runs(tables, [("a", "b"), ("a", "c")], micro_f1, resamples=400, seed=2)
    told = {**found.single, **found.paired}
    assert {key: (each.estimate[0], each.low[0], each.high[0]) for key, each in told.items()} == {
        "a": pytest.approx((0.7, 0.6, 0.8)),
        "b": pytest.approx((0.5, 0.4, 0.6)),
        "c": pytest.approx((1, 1, 1)),
        ("a", "b"): pytest.approx((0.2, 0.2, 0.2)),
        ("a", "c"): pytest.approx((-0.3, -0.4, -0.2)),
    }


def test_sums_of_a_compact_table_are_exact_without_a_copy() -> None:
    counts = np.ones((5_000, 2, 3), dtype=np.int8)
    counts[::3] = 0
    counts[:, 0, 1] = 0
    weights = np.random.default_rng(0).integers(0, 4, (3, 5_000)).astype(np.uint8)
    right = np.einsum("rc,cij->rij", weights.astype(np.int64), counts.astype(np.int64))
    compact, wide = Sums(counts), Sums(counts.astype(np.int64))
    assert np.shares_memory(compact.matrix, counts)
    assert wide.matrix.dtype == np.int8
    assert np.array_equal(compact.of(weights), right)
    assert np.array_equal(wide.of(weights), right)
