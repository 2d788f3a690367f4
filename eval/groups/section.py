"""The page's section on subgroups: scores and gaps per sex, age band, scanner, hospital."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from eval.groups.subgroups import MIN_CASES, Audit, AuditSettings, Groups, audit
from eval.kinds.certainty.scores import CLASSES, Analysis
from eval.page.contents import SUBGROUPS, Section, unbroken
from eval.page.figures import Drawing, both_widths
from eval.page.forest import difference_axis
from eval.page.plots import WIDE, Row, colour, interval_text, legend, signed
from eval.page.svg import Canvas, shorten
from eval.page.tables import Column, Table, Value, p_equals
from eval.page.verdict import percent
from labelwright.records import Certainty

_LEAD = (
    "Does a labeler serve all groups alike? A gap is a group's score minus that of all other "
    "reports. It may come from the labeler, but also from prevalence: where findings are rarer, "
    "F1 is lower even if the labeler works as well. How often the gold has a finding in each "
    "group therefore stands beside the scores."
)
_POSITIVE = CLASSES.index(Certainty.POSITIVE)


def subgroup_section(analysis: Analysis, columns: Sequence[Groups], *, min_size: int) -> Section:
    """Audit every column; groups with fewer than ``min_size`` patients are shown unscored."""
    settings = analysis.tests.settings
    audits = audit(
        analysis.comparison,
        columns,
        AuditSettings(
            metric=analysis.metric,
            min_size=min_size,
            resamples=settings.resamples,
            permutations=settings.permutations,
            level=settings.level,
            seed=settings.seed,
        ),
    )
    unit = "patients" if analysis.tests.clustered else "reports"
    return Section(
        id=SUBGROUPS,
        title="Subgroups",
        lead=_LEAD,
        statements=tuple(unbroken(_statement(analysis, a, len(audits))) for a in audits if a.gaps),
        notes=tuple(n for a in audits for n in _notes(analysis, a, min_size, unit)),
        figures=tuple(_figure(analysis, a) for a in audits if a.gaps),
        tables=tuple(_scores(analysis, a, number, unit) for number, a in enumerate(audits, 1)),
        folded_tables=tuple(_prevalence(a, analysis, number) for number, a in enumerate(audits, 1)),
        data_tables=(_observations(analysis, audits),),
        methods=_methods(analysis, audits, min_size, unit),
        numbers={a.groups.grouping.column: _numbers(a) for a in audits},
    )


def _statement(analysis: Analysis, found: Audit, columns: int) -> str:
    """For which labelers groups differ, best and worst group of each."""
    names = [found.groups.names[g] for g in found.scored]
    column, settings = found.groups.grouping.column, analysis.tests.settings
    parts: dict[bool, list[str]] = {True: [], False: []}
    for labeler, gaps in found.gaps.items():
        p = found.p_largest[labeler]
        parts[p < settings.alpha].append(
            f"{labeler} ({names[gaps.best]} {gaps.score.estimate[gaps.best]:.3f}, "
            f"{names[gaps.worst]} {gaps.score.estimate[gaps.worst]:.3f}, gap "
            f"{_plain(gaps.largest.value)}, {percent(settings.level)} CI "
            f"{_plain(gaps.largest.low)} to {_plain(gaps.largest.high)}, {p_equals(p)})"
        )
    sentences = [
        f"{claim} {'; '.join(parts[shown])}."
        for shown, claim in (
            (True, f"By {column}, a difference between groups is shown for"),
            (False, f"By {column}, no difference is shown for"),
        )
        if parts[shown]
    ]
    if columns > 1:
        sentences.append(f"P values are adjusted over {columns} columns.")
    return " ".join(sentences)


def _plain(value: float | None) -> str:
    return f"{value or 0.0:.3f}".replace("-", "−")


def _notes(analysis: Analysis, found: Audit, min_size: int, unit: str) -> list[str]:
    column, notes = found.groups.grouping.column, []
    small = [n for i, n in enumerate(found.groups.names) if i not in found.scored]
    if small:
        notes.append(f"{column}: too small to score (under {min_size} {unit}): {', '.join(small)}.")
    if len(found.scored) < 2:
        notes.append(f"{column}: fewer than two groups are large enough, so nothing is compared.")
    elif not found.common:
        notes.append(
            f"{column}: no observation has {MIN_CASES} cases in every group, so nothing is "
            "compared."
        )
    left_out = [n for n in analysis.comparison.observations if n not in found.common]
    if found.gaps and left_out:
        notes.append(
            f"{column}: fewer than {MIN_CASES} cases in some group, so not in the means: "
            f"{', '.join(left_out)}."
        )
    return notes


def _figure(analysis: Analysis, found: Audit) -> Drawing:
    names = tuple(found.gaps)
    column = found.groups.grouping.column
    rows = [
        Row(
            f"{found.groups.names[group]} (n = {found.reports[group]})",
            tuple(gaps.gap.mark(place) for gaps in found.gaps.values()),
        )
        for place, group in enumerate(found.scored)
    ]
    level = percent(analysis.tests.settings.level)
    return both_widths(
        partial(
            group_forest,
            rows,
            labelers=names,
            label=f"Forest plot of gaps in {analysis.short} by {column}.",
            score=analysis.short,
        ),
        caption=f"{column}: mean {analysis.short} of each group minus that of all other groups, "
        f"with {level} intervals. Hollow: the interval holds 0.",
    )


def _share_positive(found: Audit, group: int) -> float | None:
    cases = found.cases[group]
    return float(cases[:, _POSITIVE].sum() / cases.sum()) if cases.sum() else None


def _name(found: Audit, number: int, part: str = "") -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", found.groups.grouping.column.casefold()).strip("-")
    return "-".join(p for p in ("subgroups", str(number), slug[:40], part) if p)


def _scores(analysis: Analysis, found: Audit, number: int, unit: str) -> Table:
    columns = [Column("Group"), Column("Reports", "count")]
    if unit == "patients":
        columns.append(Column("Patients", "count"))
    columns.append(Column("Positive", "percent"))
    for name in found.gaps:
        key = colour(analysis.comparison.names.index(name))
        columns += [
            Column("score", "score", group=name, colour=key),
            Column("gap", "delta", group=name),
            Column("p (Holm)", "p", group=name),
        ]
    rows: list[tuple[Value, ...]] = []
    for group, title in enumerate(found.groups.names):
        row: list[Value] = [title, int(found.reports[group])]
        if unit == "patients":
            row.append(int(found.patients[group]))
        row.append(_share_positive(found, group))
        for gaps in found.gaps.values():
            if group not in found.scored:
                row += [None, None, None]
                continue
            place = found.scored.index(group)
            row += [gaps.score.mark(place), gaps.gap.mark(place), float(gaps.p_holm[place])]
        rows.append(tuple(row))
    return Table(
        name=_name(found, number),
        title=f"Groups by {found.groups.grouping.column}",
        columns=tuple(columns),
        rows=tuple(rows),
        caption=f"Score: mean {analysis.short} over {len(found.common)} observations. Positive: "
        "share of the gold's labels that are positive. p: permutation test of the gap, adjusted "
        "over the groups.",
        signature=analysis.signature(f"{analysis.metric}|common:{len(found.common)}", tests=True),
    )


def _prevalence(found: Audit, analysis: Analysis, number: int) -> Table:
    shown = [g for g in range(len(found.groups.names)) if found.reports[g]]
    rows: list[tuple[Value, ...]] = []
    for index, observation in enumerate(analysis.comparison.observations):
        counts = found.cases[:, index]
        shares = (float(counts[g, _POSITIVE] / counts[g].sum()) for g in shown)
        rows.append((observation, *shares))
    return Table(
        name=_name(found, number, "prevalence"),
        title=f"How often the gold is positive, by {found.groups.grouping.column}",
        columns=(
            Column("Observation"),
            *(Column(found.groups.names[g], "percent") for g in shown),
        ),
        rows=tuple(rows),
        caption="Share of the group's reports.",
    )


def _observations(analysis: Analysis, audits: Sequence[Audit]) -> Table:
    """Every group, observation and labeler in long form, for the CSV file."""
    rows: list[tuple[Value, ...]] = []
    for found in audits:
        for labeler, gaps in found.gaps.items():
            for place, group in enumerate(found.scored):
                for index, observation in enumerate(analysis.comparison.observations):
                    cases = [int(n) for n in found.cases[group, index]]
                    score = float(gaps.each[place, index])
                    name = found.groups.names[group]
                    column = found.groups.grouping.column
                    rows.append((column, name, labeler, observation, *cases, score))
    return Table(
        name="subgroups-observations",
        title="Scores per group and observation",
        columns=(
            *(Column(n) for n in ("column", "group", "labeler", "observation")),
            *(Column(f"gold {c.value}", "count") for c in CLASSES),
            Column(analysis.short, "score"),
        ),
        rows=tuple(rows),
        signature=analysis.signature(intervals=False),
    )


def _methods(analysis: Analysis, audits: Sequence[Audit], min_size: int, unit: str) -> str:
    listing = ", ".join(a.groups.grouping.column for a in audits)
    settings = analysis.tests.settings
    return (
        f"Subgroups by {listing} were compared if they had at least {min_size} {unit}, on the mean "
        f"{analysis.short} over observations with {MIN_CASES} cases or more in every group. "
        f"Intervals of gaps are bootstrap intervals over {unit}; largest gaps were tested with "
        f"{settings.permutations:,} permutations of group membership"
        + (" and Holm's adjustment over the columns." if len(audits) > 1 else ".")
    )


def _numbers(found: Audit) -> dict[str, Any]:
    names = found.groups.names
    scored = [names[g] for g in found.scored]
    return {
        "band": found.groups.grouping.band,
        "groups": {
            name: {
                "reports": int(found.reports[g]),
                "patients": int(found.patients[g]),
                "scored": g in found.scored,
                "share_positive": _share_positive(found, g),
            }
            for g, name in enumerate(names)
        },
        "common_observations": list(found.common),
        "labelers": {
            labeler: {
                "groups": {
                    name: {
                        "score": gaps.score.mark(i).to_json(),
                        "gap": gaps.gap.mark(i).to_json(),
                        "p": float(gaps.p[i]),
                        "p_holm": float(gaps.p_holm[i]),
                    }
                    for i, name in enumerate(scored)
                },
                "largest_gap": {
                    "best": scored[gaps.best],
                    "worst": scored[gaps.worst],
                    **gaps.largest.to_json(),
                    "p": gaps.p_largest,
                    "p_holm_over_columns": found.p_largest[labeler],
                },
            }
            for labeler, gaps in found.gaps.items()
        },
    }


def group_forest(
    rows: Sequence[Row], *, labelers: Sequence[str], label: str, score: str, width: int = WIDE
) -> Canvas:
    """Gaps with their intervals, zero in the middle; hollow where the interval holds 0.

    Args:
        rows: a group each, with one estimate per labeler.
        label: what a screen reader says.
        score: the score's short name, for the head of the numbers.
    """
    narrow, single = width < 500, len(labelers) == 1
    names = 118 if narrow else 200
    numbers = 172 if single and not narrow else 0
    line = 24 if single else 8 + 11 * len(labelers)
    top = 30 if single else 48
    canvas = Canvas(width, top + line * len(rows) + 30, label=label)
    axis = difference_axis(rows, names + 10, width - numbers - 18, most=5 if narrow else 8)
    bottom = canvas.height - 28
    digits = 3 if len(axis.ticks) > 1 and axis.ticks[1] - axis.ticks[0] < 0.01 else 2
    for tick in axis.ticks:
        canvas.line(axis.at(tick), top, axis.at(tick), bottom, "grid" if tick else "zero")
        canvas.text(axis.at(tick), bottom + 15, signed(tick, digits), "t tick middle")
    if not single:
        legend(canvas, names + 10, 13, labelers, start=0)
    canvas.text(axis.at(0) - 6, top - 8, "← lower", "t small end")
    higher = "higher →" if narrow else "higher than the others →"
    canvas.text(axis.at(0) + 6, top - 8, higher, "t small")
    if numbers:
        canvas.text(width, top - 8, f"Δ{shorten(score, 60, 11.5)} [interval]", "t small end")
    for index, row in enumerate(rows):
        y = top + index * line
        canvas.text(0, y + line / 2 + 4, shorten(row.name, names, 12.5), "t", tip=row.name)
        for place, mark in enumerate(row.marks):
            if mark is None:
                continue
            at = y + (line / 2 if single else 10 + 11 * place)
            css = colour(place)
            if mark.low is not None and mark.high is not None:
                canvas.line(axis.at(mark.low), at, axis.at(mark.high), at, f"whisker {css}")
            tip = f"{row.name}, {labelers[place]}: {interval_text(mark)}"
            shown = css if mark.side else f"{css} hollow"
            canvas.mark(place, axis.at(mark.value), at, shown, tip=tip)
            if numbers:
                canvas.text(width, y + line / 2 + 4, interval_text(mark), "t num end")
    return canvas
