"""The page's section on selective labeling: what can be labeled alone, what a person sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from eval.kinds.certainty.scores import Analysis
from eval.page.contents import Section, unbroken
from eval.page.figures import Drawing, both_widths
from eval.page.plots import colour
from eval.page.tables import Column, Table, main_text, span_text
from eval.page.verdict import percent
from eval.probability.calibration import resampling_of
from eval.probability.held_out import HeldOut
from eval.probability.plots import RiskCurve, risk_coverage
from eval.probability.probabilities import PRESENCE, Probabilities
from eval.probability.selective import (
    WAYS,
    Curve,
    ThresholdResult,
    curve,
    guaranteed_threshold,
    outcome,
    plain_threshold,
    units,
)
from eval.stats.estimates import Estimate
from labelwright.version import __version__

FILE = "thresholds.json"
_LEAD = (
    "A labeler that knows when it is unsure can label the rest alone. A label (or a whole report, "
    "if any of its labels is) whose probability is below a threshold goes to a person. The curves "
    "show what is wrong among the labels given automatically, from the surest to all."
)
_HINDSIGHT = (
    "These thresholds were chosen on the very reports they are measured on, which is optimistic. "
    "Give calibration reports (--calibration-gold, --calibration-pred) for thresholds that hold."
)
_AGREEMENT = (
    "The order is that of agreement: a label that both readers give has the confidence "
    "0.5 + p / 2, one that only one gives p / 2, where p is its probability (1 if there is none)."
)


Origin = Literal["guaranteed", "plain", "in hindsight"]


@dataclass(frozen=True, eq=False)
class ThresholdChoice:
    """One threshold of one labeler and way; ``result`` is ``None`` where there is none.

    ``independent``: calibration reports that a guarantee counts, one per patient.
    """

    labeler: str
    place: int
    way: str
    origin: Origin
    result: ThresholdResult | None
    independent: int = 0


@dataclass(frozen=True, eq=False)
class Risks:
    """The risk–coverage curve of one labeler and way."""

    labeler: str
    place: int
    way: str
    found: Curve


def sampled(found: Curve) -> list[tuple[float, float]]:
    """Coverage and risk at about every half percent of coverage, and at the end."""
    size = len(found.coverage)
    if not size:
        return []
    places = np.searchsorted(found.coverage, np.arange(1, 201) / 200 - 1e-9)
    kept = np.unique(np.append(np.minimum(places, size - 1), size - 1))
    return [(float(found.coverage[i]), float(found.risk[i])) for i in kept]


def selective_section(
    analysis: Analysis,
    given: Mapping[str, Probabilities],
    *,
    wish: float,
    held: HeldOut | None = None,
    agreement: bool = False,
) -> Section:
    """Thresholds for the accuracy ``wish`` (a share), and the risk–coverage curves.

    Args:
        agreement: whether the confidences come from two readers' agreement.
    """
    choices: list[ThresholdChoice] = []
    curves: list[Risks] = []
    for name, probabilities in given.items():
        for way in WAYS:
            more, found = _of_way(analysis, name, probabilities, way, wish, held)
            choices += more
            curves.append(found)
    section = Section(
        id="selective",
        title="Selective labeling",
        lead=_LEAD,
        statements=tuple(
            unbroken(_statement(analysis, choices, name, wish, held)) for name in given
        ),
        notes=(*((_AGREEMENT,) if agreement else ()), *_notes(given, held)),
        figures=(_figure(curves, choices, wish),),
        tables=(
            _thresholds_table(analysis, choices, wish),
            _areas_table(analysis, curves),
        ),
        data_tables=(_points_table(curves),),
        methods=_methods(analysis, wish, held),
        numbers=_numbers(analysis, choices, curves, wish),
    )
    if held is None:
        return section
    file = _file(analysis, choices, wish, held)
    if agreement:
        file["rule"] = (
            "label automatically where 0.5 + p / 2 (both readers agree) or p / 2 (they differ) is "
            "at least the threshold; p is the probability of the answer, 1 where there is none"
        )
    return replace(section, files={FILE: file})


def _notes(given: Mapping[str, Probabilities], held: HeldOut | None) -> tuple[str, ...]:
    chosen = set() if held is None else set(held.given)
    late = [name for name in given if name not in chosen]
    notes = (PRESENCE,) if any(each.presence for each in given.values()) else ()
    if not late:
        return notes
    return (
        *notes,
        _HINDSIGHT if not chosen else f"{', '.join(late)}: {_HINDSIGHT}",
    )


def _of_way(
    analysis: Analysis,
    name: str,
    probabilities: Probabilities,
    way: str,
    wish: float,
    held: HeldOut | None,
) -> tuple[list[ThresholdChoice], Risks]:
    comparison, settings = analysis.comparison, analysis.tests.settings
    place = comparison.names.index(name)
    scored = units(comparison.gold, probabilities.answers, probabilities.confidence, way)
    thresholds: dict[Origin, float | None]
    independent = 0
    if held is None or name not in held.given:
        thresholds = {"in hindsight": plain_threshold(scored, wish)}
    else:
        there, other = held.given[name], held.comparison
        chosen_on = units(other.gold, there.answers, there.confidence, way)
        promise = guaranteed_threshold(
            chosen_on,
            scored.confidence,
            wish,
            level=settings.level,
            clusters=other.cluster_index,
            seed=settings.seed,
        )
        independent = promise.reports
        thresholds = {
            "guaranteed": promise.threshold,
            "plain": plain_threshold(chosen_on, wish),
        }
    found = [
        ThresholdChoice(
            name,
            place,
            way,
            origin,
            None if at is None else outcome(scored, at, resampling_of(analysis)),
            independent,
        )
        for origin, at in thresholds.items()
    ]
    return found, Risks(name, place, way, curve(scored))


def _statement(
    analysis: Analysis, choices: list[ThresholdChoice], name: str, wish: float, held: HeldOut | None
) -> str:
    mine = {c.origin: c for c in choices if c.labeler == name and c.way == "labels"}
    wished = percent(wish)
    if "in hindsight" in mine:
        result = mine["in hindsight"].result
        if result is None:
            return f"No threshold lets {name} reach {wished}: a person has to see every label."
        alone, rest = _shares(result)
        return f"{name} could label {alone} automatically at {wished} and send {rest} to a person."
    n = len(held.comparison.ids) if held is not None else 0
    sure, level = mine["guaranteed"].result, percent(analysis.tests.settings.level)
    reports = f"{n} calibration report" + ("s" if n != 1 else "")
    if mine["guaranteed"].independent != n:
        patients = f" of {mine['guaranteed'].independent} patients"
    else:
        patients = ""
    if sure is not None:
        alone, rest = _shares(sure)
        return (
            f"With {name}, label {alone} automatically at {wished} and send {rest} to a person. "
            f"Chosen on {reports}{patients}, the threshold {sure.threshold:.4g} keeps this "
            f"promise with {level} confidence; here {_measured(analysis, sure)} of the labels "
            "given automatically are right."
        )
    plain = mine["plain"].result
    if plain is None:
        return f"No threshold lets {name} reach {wished} on {reports}."
    alone, rest = _shares(plain)
    return (
        f"From {reports}{patients} no threshold of {name} can be promised to reach "
        f"{wished} with {level} confidence. The lowest that reached it there labels {alone} "
        f"automatically and sends {rest} to a person; here {_measured(analysis, plain)} of its "
        "labels are right."
    )


def _shares(result: ThresholdResult) -> tuple[str, str]:
    alone = float(result.coverage.estimate[0])
    return f"{100 * alone:.1f} %", f"{100 * (1 - alone):.1f} %"


def _measured(analysis: Analysis, result: ThresholdResult) -> str:
    mark = result.accuracy.known_mark(shown=analysis.enough)
    if mark is None:
        return "none"
    return f"{main_text('percent', mark)} {span_text('percent', mark)}".strip()


def _figure(curves: list[Risks], choices: list[ThresholdChoice], wish: float) -> Drawing:
    panels = []
    for way in WAYS:
        panel = []
        for each in curves:
            if each.way != way:
                continue
            marks = [
                _mark(c) for c in choices if (c.labeler, c.way) == (each.labeler, way) and c.result
            ]
            known = [m for m in marks if m is not None]
            panel.append(RiskCurve(each.labeler, each.place, sampled(each.found), known))
        panels.append(panel)
    return both_widths(
        partial(risk_coverage, [w.capitalize() for w in WAYS.values()], panels, wish=wish),
        caption="Share wrong over the share labeled automatically; marks are the thresholds of the "
        "table, the dashed line what the wish allows. Whole reports, all right: a report counts as "
        "wrong if any of its labels is.",
    )


def _mark(choice: ThresholdChoice) -> tuple[float, float, str] | None:
    result = choice.result
    if result is None or not result.accuracy.known[0]:
        return None
    coverage, risk = float(result.coverage.estimate[0]), 1 - float(result.accuracy.estimate[0])
    tip = (
        f"{choice.labeler}, {choice.origin}: threshold {result.threshold:.6g}, "
        f"{100 * coverage:.1f} % automatic, {100 * risk:.2f} % of it wrong"
    )
    return coverage, risk, tip


# Tables


def _thresholds_table(analysis: Analysis, choices: list[ThresholdChoice], wish: float) -> Table:
    """What each threshold does to the scored reports."""
    level, results = percent(analysis.tests.settings.level), [c.result for c in choices]
    size, enough = max(1, len(analysis.comparison.ids)), analysis.enough
    return Table.of_columns(
        "thresholds",
        f"Thresholds for an accuracy of {percent(wish)}",
        [
            (Column("Labeler"), [c.labeler for c in choices]),
            (Column("Way"), [WAYS[c.way] for c in choices]),
            (Column("Threshold"), [c.origin for c in choices]),
            (Column("Value"), [None if r is None else f"{r.threshold:.6g}" for r in results]),
            (
                Column("Automatic", "percent"),
                [None if r is None else r.coverage.known_mark(shown=enough) for r in results],
            ),
            (
                Column("Right of these", "percent"),
                [None if r is None else r.accuracy.known_mark(shown=enough) for r in results],
            ),
            (
                Column("Reports a person sees", "percent"),
                [None if r is None else r.to_person / size for r in results],
            ),
        ],
        caption="Plain: the lowest that meets the wish on the calibration reports. Guaranteed: "
        f"meets it with {level} confidence on further reports of the same kind. Automatic and "
        "right are measured on the scored reports, which had no part in either. A dash: no "
        "threshold does.",
        signature=analysis.signature(f"selective|wish:{wish:g}"),
        keys=tuple(colour(c.place) for c in choices),
    )


def _areas_table(analysis: Analysis, curves: list[Risks]) -> Table:
    """Areas under the curves, with the best possible and that of no order at all."""
    return Table.of_columns(
        "risk-coverage",
        "Area under the risk–coverage curve",
        [
            (Column("Labeler"), [c.labeler for c in curves]),
            (Column("Way"), [WAYS[c.way] for c in curves]),
            (Column("Area", "score"), [c.found.area for c in curves]),
            (Column("Best possible", "score"), [c.found.best_area for c in curves]),
            (Column("Without any order", "score"), [c.found.error for c in curves]),
        ],
        caption="Mean share wrong over all coverages: small is good. Best possible: the same "
        "mistakes, all of them least sure. Without any order: a confidence that says nothing.",
        signature=analysis.signature("aurc", intervals=False),
        keys=tuple(colour(c.place) for c in curves),
    )


def _points_table(curves: list[Risks]) -> Table:
    """The curves, for the CSV file."""
    return Table(
        "risk-coverage-points",
        "Points of the risk–coverage curves",
        (
            *(Column(n) for n in ("labeler", "way")),
            *(Column(n, "score") for n in ("coverage", "risk")),
        ),
        tuple((c.labeler, WAYS[c.way], x, y) for c in curves for x, y in sampled(c.found)),
    )


# Sentences and numbers


def _methods(analysis: Analysis, wish: float, held: HeldOut | None) -> str:
    if held is None:
        return ""
    return (
        f"Thresholds for selective labeling at an accuracy of {percent(wish)} were chosen on "
        f"{len(held.comparison.ids)} other reports by Learn-then-Test with an error rate of "
        f"{percent(analysis.tests.settings.alpha)}."
    )


def _numbers(
    analysis: Analysis, choices: list[ThresholdChoice], curves: list[Risks], wish: float
) -> dict[str, Any]:
    return {
        "wish": wish,
        "thresholds": [
            {"labeler": c.labeler, "way": c.way, "origin": c.origin, **_result(analysis, c)}
            for c in choices
        ],
        "area": [
            {
                "labeler": c.labeler,
                "way": c.way,
                "area": c.found.area,
                "best": c.found.best_area,
                "error": c.found.error,
            }
            for c in curves
        ],
    }


def _result(analysis: Analysis, choice: ThresholdChoice) -> dict[str, Any]:
    if choice.result is None:
        return {"threshold": None}
    result = choice.result
    return {
        "threshold": result.threshold,
        "coverage": _json(result.coverage.known_mark(shown=analysis.enough)),
        "accuracy": _json(result.accuracy.known_mark(shown=analysis.enough)),
        "reports_to_person": result.to_person,
    }


def _file(
    analysis: Analysis, choices: list[ThresholdChoice], wish: float, held: HeldOut
) -> dict[str, Any]:
    label_set = analysis.comparison.label_set
    chosen = [c for c in choices if c.origin != "in hindsight"]
    return {
        "labelwright": __version__,
        "label_set": label_set.name,
        "label_set_sha256": label_set.fingerprint,
        "accuracy": wish,
        "confidence": analysis.tests.settings.level,
        "rule": "label automatically where the probability of the answer is at least the threshold",
        "gold": held.comparison.gold_source,
        "reports": len(held.comparison.ids),
        "thresholds": [
            {
                "labeler": c.labeler,
                "way": c.way,
                "origin": c.origin,
                "threshold": None if c.result is None else c.result.threshold,
            }
            for c in chosen
        ],
    }


def _json(mark: Estimate | None) -> dict[str, float | None] | None:
    return None if mark is None else mark.to_json()
