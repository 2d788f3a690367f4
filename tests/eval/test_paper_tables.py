"""The published tables of Abdullah & Kim 2025 (JMIR Med Inform 13:e68618), from their own F1.

Values below are those of its Tables 1 to 3 (doi:10.2196/68618), per observation in the order
of the label set chexpert-14.
"""

import numpy as np
import pytest
from scipy import stats

from eval.stats.paired import paired_t, wilcoxon

TABLE_1 = {
    "ours": [
        0.9022, 0.8555, 0.8653, 0.9612, 0.9105, 0.9288, 0.8784,
        0.8613, 0.9619, 0.8510, 0.9627, 0.9734, 0.8607, 0.8470,
    ],
    "CheXbert": [
        0.8753, 0.8604, 0.8820, 0.9627, 0.9191, 0.9385, 0.8853,
        0.8656, 0.9780, 0.8649, 0.9623, 0.9758, 0.8402, 0.8557,
    ],
    "CheXpert": [
        0.8644, 0.8143, 0.8459, 0.9543, 0.9064, 0.9215, 0.8474,
        0.8576, 0.9572, 0.8475, 0.9629, 0.9702, 0.8043, 0.8557,
    ],
}  # fmt: skip
TABLE_2 = {
    "ours": [
        0.8907, 0.8233, 0.8008, 0.9490, 0.8850, 0.9104, 0.8886,
        0.8256, 0.9505, 0.7983, 0.9448, 0.9626, 0.7911, 0.7704,
    ],
    "CheXbert": [
        0.8641, 0.8113, 0.8230, 0.9507, 0.8934, 0.9222, 0.8907,
        0.8316, 0.9700, 0.8143, 0.9457, 0.9649, 0.7603, 0.7835,
    ],
    "CheXpert": [
        0.8447, 0.7650, 0.7770, 0.9415, 0.8805, 0.9101, 0.8568,
        0.8206, 0.9470, 0.7965, 0.9466, 0.9581, 0.7069, 0.7836,
    ],
}  # fmt: skip
AVERAGES_1 = {"ours": 0.9014, "CheXbert": 0.9047, "CheXpert": 0.8864}
AVERAGES_2 = {"ours": 0.8708, "CheXbert": 0.8733, "CheXpert": 0.8525}
TABLE_3 = [
    ("ours", "CheXbert", "0.35", "0.14"),
    ("ours", "CheXpert", "0.01", "0.005"),
    ("CheXbert", "CheXpert", "0.0005", "0.002"),
]
PRINTED = 0.00005
"""Half a unit of the last printed decimal."""


@pytest.mark.parametrize(
    ("table", "averages"), [(TABLE_1, AVERAGES_1), (TABLE_2, AVERAGES_2)], ids=["1", "2"]
)
def test_averages_follow_from_the_printed_observations(table, averages):
    for name, printed in averages.items():
        assert np.mean(table[name]) == pytest.approx(printed, abs=PRINTED), name


def as_printed(p: float, printed: str) -> str:
    return f"{p:.{len(printed) - 2}f}"


@pytest.mark.parametrize(("a", "b", "t", "w"), TABLE_3)
def test_table_3_follows_from_table_1_by_scipys_defaults(a, b, t, w):
    assert as_printed(paired_t(TABLE_1[a], TABLE_1[b]).p, t) == t
    d = np.round(np.subtract(TABLE_1[a], TABLE_1[b]), 12)
    assert as_printed(stats.wilcoxon(d).pvalue, w) == w


def test_the_printed_wilcoxon_column_mixes_two_methods():
    """One difference of CheXbert and CheXpert is 0 (No Finding), so SciPy's default leaves the
    exact distribution there and only there. The exact value is not the printed .002."""
    left, exact = [], []
    for a, b, _, _ in TABLE_3:
        d = np.round(np.subtract(TABLE_1[a], TABLE_1[b]), 12)
        exact.append(wilcoxon(TABLE_1[a], TABLE_1[b]))
        left.append(stats.wilcoxon(d).pvalue != pytest.approx(exact[-1].p))
    assert left == [False, False, True]
    assert [test.zeros for test in exact] == [0, 0, 1]
    d = np.round((np.array(TABLE_1["CheXbert"]) - np.array(TABLE_1["CheXpert"])) * 1e4)
    ranks = stats.rankdata(np.abs(d[d != 0]))
    signs = (np.arange(2 ** len(ranks))[:, None] >> np.arange(len(ranks))) & 1
    sums = np.minimum(signs @ ranks, (1 - signs) @ ranks)
    seen = min(ranks[d[d != 0] > 0].sum(), ranks[d[d != 0] < 0].sum())
    assert exact[2].p == pytest.approx((sums <= seen).mean())
    assert as_printed(exact[2].p, "0.0005") == "0.0005"


def test_the_tables_are_plain_means_over_tasks_of_the_weighted_f1():
    """Why ``eval.kinds.certainty.scores.paper_f1`` averages tasks without weights.

    If Table 1 is the mean of three tasks and Table 2 the mean of the first two, the uncertain
    task alone is 3 × T1 − 2 × T2. It must lie in [0, 1] for all observations, and must be 1
    for No Finding, which is never uncertain: both hold to the rounding of the printed values
    (3 and 2 half units) for all three labelers.
    """
    rounding = 5 * PRINTED + 1e-9
    for name in TABLE_1:
        uncertain = 3 * np.array(TABLE_1[name]) - 2 * np.array(TABLE_2[name])
        assert uncertain.max() <= 1 + rounding
        assert uncertain.min() > 0.6
        assert uncertain[13] == pytest.approx(1.0, abs=rounding)


def test_the_gain_over_chexpert_is_not_on_all_labels():
    """The text speaks of gains "across all pathology labels"; by Table 1 two are losses."""
    gain = np.array(TABLE_1["ours"]) - np.array(TABLE_1["CheXpert"])
    assert np.flatnonzero(gain < 0).tolist() == [10, 13]  # Pleural Other, No Finding


def test_no_difference_of_ours_and_chexbert_survives_either_table():
    """The paper's conclusion, from its Table 1 (P = .35, .14) and, which it does not print,
    its Table 2."""
    for table in (TABLE_1, TABLE_2):
        assert paired_t(table["ours"], table["CheXbert"]).p > 0.05
        assert wilcoxon(table["ours"], table["CheXbert"]).p > 0.05
