"""The tables of tests: pairs of labelers, observations one by one, several labelers at once."""

from __future__ import annotations

from eval.page.tables import Column, Table, Value, sentence
from eval.stats.estimates import Estimate
from eval.stats.paired import over_labels_caveat
from eval.stats.tested import Tested


def differences(analysis: Tested) -> Table:
    """The reference minus each other labeler, per observation, with randomization P values."""
    columns = [Column(sentence(analysis.unit[0]))]
    for pair in analysis.pairs:
        group = f"{pair.a} − {pair.b}"
        columns += [
            Column("difference", "delta", group=group),
            Column("p", "p", group=group),
            Column("p, Holm", "p", group=group),
        ]
    changes = [analysis.changes(pair, analysis.metric) for pair in analysis.pairs]
    rows: list[tuple[Value, ...]] = []
    for index, name in enumerate(analysis.parts):
        row: list[Value] = [name]
        for pair, change in zip(analysis.pairs, changes, strict=True):
            test = analysis.test(pair)
            defined = analysis.enough and change[index + 1] is not None
            row += [
                change[index + 1],
                float(test.p[index + 1]) if defined else None,
                float(test.p_holm[index]) if defined else None,
            ]
        rows.append(tuple(row))
    foot: list[Value] = [analysis.whole]
    for pair, change in zip(analysis.pairs, changes, strict=True):
        p = float(analysis.test(pair).p[0]), analysis.p(pair)
        foot += [change[0], *(p if analysis.enough else (None, None))]
    return Table(
        name="differences",
        title=f"Differences in {analysis.short}",
        columns=tuple(columns),
        rows=tuple(rows),
        foot=tuple(foot),
        caption=f"p: paired randomization test. Holm: over the {analysis.unit[1]}; in the last row "
        "over the pairs of labelers.",
        signature=analysis.signature(tests=True),
    )


def comparisons(analysis: Tested) -> Table:
    """The primary tests of every pair of labelers."""
    rows: list[tuple[Value, ...]] = []
    for pair in analysis.tests.pairs:
        test = analysis.test(pair)
        equal = analysis.equivalence(pair)
        rows.append(
            (
                f"{pair.a} − {pair.b}",
                analysis.change(pair),
                float(test.p[0]) if analysis.enough else None,
                analysis.p(pair) if analysis.enough else None,
                None if equal is None else equal.p_noninferior,
                None if equal is None else equal.p_equivalent,
                analysis.detectable(pair),
            )
        )
    margin = analysis.tests.settings.margin
    bootstrap = "Bootstrap" if margin is None else f"Bootstrap, margin {margin:g}"
    swaps = f"Randomization over {'patients' if analysis.tests.clustered else 'reports'}"
    return Table(
        name="tests",
        title=f"Tests of the {analysis.headline}"
        if analysis.whole != "Mean"
        else "Tests of the mean",
        columns=(
            Column("Pair"),
            Column("difference", "delta"),
            Column("p", "p", group=swaps),
            Column("p, Holm", "p", group=swaps),
            Column("p, not worse", "p", group=bootstrap),
            Column("p, equivalent", "p", group=bootstrap),
            Column("detectable", "score", group="80 % power"),
        ),
        rows=tuple(rows),
        caption=f"{sentence(analysis.headline)}, first labeler minus second. Not worse: than the "
        "second by the margin or more. Detectable: the smallest true difference that would be "
        "found in four studies of five. Only the column Holm is adjusted for the number of pairs.",
        signature=analysis.signature(tests=True),
    )


def over_parts(analysis: Tested) -> Table:
    """The paired tests that papers print, with their caveat."""
    rows: list[tuple[Value, ...]] = []
    methods: dict[str, None] = {}
    for pair in analysis.tests.pairs:
        test = analysis.test(pair)
        t, w = test.paired_t, test.wilcoxon
        methods |= {t.method: None, w.method: None}
        rows.append((f"{pair.a} − {pair.b}", t.n, t.zeros, t.p, t.effect, w.p, w.effect))
    return Table(
        name=f"over-{analysis.unit[1]}",
        title=f"Paired tests over {analysis.unit[1]}",
        columns=(
            Column("Pair"),
            Column(analysis.unit[1], "count"),
            Column("equal", "count"),
            Column("p", "p", group="Paired t"),
            Column("Cohen's dz", "delta", group="Paired t"),
            Column("p", "p", group="Wilcoxon"),
            Column("rank-biserial", "delta", group="Wilcoxon"),
        ),
        rows=tuple(rows),
        caption=f"{over_labels_caveat(analysis.unit[1])} Methods: {'; '.join(methods)}.",
        signature=analysis.signature(intervals=False),
    )


def mcnemar(analysis: Tested) -> Table:
    """McNemar's test per observation, the reference against each other labeler."""
    columns = [Column(sentence(analysis.unit[0]))]
    for pair in analysis.pairs:
        group = f"{pair.a}, {pair.b}"
        columns += [
            Column("first right", "count", group=group),
            Column("second right", "count", group=group),
            Column("p", "p", group=group),
            Column("Holm", "p", group=group),
            Column("BH", "p", group=group),
        ]
    rows: list[tuple[Value, ...]] = []
    for index, name in enumerate(analysis.parts):
        row: list[Value] = [name]
        for pair in analysis.pairs:
            m = pair.mcnemar
            if m is None:
                raise ValueError("no McNemar tests of this pair")
            row += [int(m.a_only[index]), int(m.b_only[index])]
            row += [float(m.p[index]), float(m.p_holm[index]), float(m.p_bh[index])]
        rows.append(tuple(row))
    return Table(
        name="mcnemar",
        title=f"Right against wrong, per {analysis.unit[0]}",
        columns=tuple(columns),
        rows=tuple(rows),
        caption="Exact McNemar tests. First right: reports that the first labeler has right and "
        "the second wrong. BH: Benjamini–Hochberg. The test takes reports as independent.",
        signature=analysis.signature("mcnemar", intervals=False),
    )


def several(analysis: Tested) -> list[Table]:
    """Tests of three and more labelers at once; none with fewer."""
    found = analysis.several
    if found is None:
        return []
    friedman = len(found.ranks.mean_ranks) - 1
    overall: list[tuple[Value, ...]] = [
        ("Friedman", f"χ²({friedman}) = {found.ranks.statistic:.2f}", found.ranks.p)
    ]
    for test in (found.repeated, found.one_way):
        f = "–" if test.f is None else f"F({test.df[0]:g}, {test.df[1]:g}) = {test.f:.2f}"
        overall.append((test.name, f, test.p))
        if test.p_corrected is not None:
            corrected = f"Greenhouse–Geisser, ε = {test.epsilon or 0:.2f}"
            overall.append((test.name, corrected, test.p_corrected))
    after: list[tuple[Value, ...]] = []
    tukey = {(pair.a, pair.b): pair for pair in found.tukey}
    for pair in found.ranks.pairs:
        honest = tukey.get((pair.a, pair.b))
        after.append(
            (
                f"{pair.a} − {pair.b}",
                None if honest is None else Estimate(honest.difference, honest.low, honest.high),
                None if honest is None else honest.p,
                pair.p,
                pair.p_holm,
                pair.p_nemenyi,
            )
        )
    return [
        Table(
            name="overall",
            title="All labelers at once",
            columns=(Column("Test"), Column("Statistic", "wrap"), Column("p", "p")),
            rows=tuple(overall),
            caption=f"Over the {analysis.unit[1]}; the same caveat as for the paired tests.",
            signature=analysis.signature(intervals=False),
            sortable=False,
        ),
        Table(
            name="pairwise",
            title="Which pairs differ",
            columns=(
                Column("Pair"),
                Column("difference", "delta", group="Tukey HSD"),
                Column("p", "p", group="Tukey HSD"),
                Column("p", "p", group="Wilcoxon"),
                Column("p, Holm", "p", group="Wilcoxon"),
                Column("p", "p", group="Nemenyi"),
            ),
            rows=tuple(after),
            caption=f"Over the {analysis.unit[1]}.",
            signature=analysis.signature(intervals=False),
        ),
    ]
