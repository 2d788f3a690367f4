"""The page's section on calibration, and ``calibration.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from eval.kinds.certainty.read import INDEX
from eval.kinds.certainty.scores import CLASSES, Analysis
from eval.page.contents import Section, unbroken
from eval.page.figures import Drawing, both_widths
from eval.page.plots import colour
from eval.page.tables import Column, Table, Value
from eval.page.verdict import percent
from eval.probability.calibration import (
    BINS,
    KINDS,
    TOP,
    Calibration,
    Spread,
    calibration,
    resampling_of,
)
from eval.probability.held_out import HeldOut
from eval.probability.plots import Panel, reliability
from eval.probability.probabilities import PRESENCE, Probabilities
from eval.probability.temperature import Per, Temperature, fit_temperature
from eval.stats.estimates import Estimate
from labelwright.version import __version__

FILE = "calibration.json"
_LEAD = (
    "Does a labeler that is 90 % sure turn out right in nine of ten cases? The expected "
    "calibration error (ECE) is the mean distance between stated probability and share that "
    f"came true, over {BINS} bins. By chance: the ECE that a perfectly calibrated labeler would "
    "show on as many decisions; only an ECE well above it counts."
)
_TITLES = {TOP: "Answer given"} | {c.value: c.value.capitalize() for c in CLASSES}


@dataclass(frozen=True, eq=False)
class Judged:
    """One row of the tables: a labeler as it is, or with its temperature."""

    labeler: str
    title: str
    place: int
    found: Calibration
    temperature: Temperature | None = None


def calibration_section(
    analysis: Analysis,
    given: Mapping[str, Probabilities],
    *,
    held: HeldOut | None = None,
    per: Per = "model",
) -> Section:
    """Calibration of every labeler with probabilities, before and after temperature scaling."""
    judged = _judged(analysis, given, held, per)
    section = Section(
        id="calibration",
        title="Calibration",
        lead=_LEAD,
        statements=tuple(unbroken(_statement(analysis, judged, name)) for name in given),
        notes=tuple(_notes(analysis, given, held)),
        figures=tuple(
            _figure(analysis, each, explained=not number) for number, each in enumerate(judged)
        ),
        tables=(
            _main_table(analysis, judged),
            _certainties_table(analysis, judged),
        ),
        folded_tables=(_observations_table(analysis, judged),),
        data_tables=(_bins_table(judged),),
        methods=_methods(held, per),
        numbers={each.title: _numbers(each) for each in judged},
    )
    if held is None:
        return section
    fitted = {j.labeler: j.temperature for j in judged if j.temperature is not None}
    return replace(section, files={FILE: _file(analysis, fitted, held)})


def _judged(
    analysis: Analysis, given: Mapping[str, Probabilities], held: HeldOut | None, per: Per
) -> list[Judged]:
    gold, resampling = analysis.comparison.gold, resampling_of(analysis)
    rows = []
    for name, probabilities in given.items():
        place = analysis.comparison.names.index(name)
        rows.append(Judged(name, name, place, calibration(gold, probabilities, resampling)))
        if held is None or name not in held.given:
            continue
        fitted = fit_temperature(held.comparison.gold, held.given[name], per=per)
        after = calibration(gold, probabilities.tempered(fitted.values), resampling)
        rows.append(Judged(name, f"{name}, {_words(fitted)}", place, after, fitted))
    return rows


def _words(fitted: Temperature) -> str:
    low, high = f"{fitted.values.min():.2f}", f"{fitted.values.max():.2f}"
    return f"T = {low}" if low == high else f"T = {low} to {high}"


def _statement(analysis: Analysis, judged: list[Judged], name: str) -> str:
    before, *after = [each for each in judged if each.labeler == name]
    mark = before.found.ece["mass"].known_mark(shown=analysis.enough)
    if mark is None:
        return f"{name} gives no decision with probabilities."
    right = before.found.diagrams[TOP]["mass"]
    stated, true = (float((v * right.decisions).sum()) for v in (right.confidence, right.share))
    direction = "too sure of itself" if stated > true else "not sure enough of itself"
    text = f"The probabilities of {name} are off by {mark.value:.3f}"
    if mark.low is not None and mark.high is not None:
        level = percent(analysis.tests.settings.level)
        text += f" ({level} CI {mark.low:.3f} to {mark.high:.3f})"
    text += f" on average, of which {before.found.by_chance['mass'][0]:.3f} could be chance"
    text += f"; on the whole it is {direction}" if abs(stated - true) > 1e-9 else ""
    if not after:
        return f"{text}."
    one, fitted = after[0], after[0].temperature
    if fitted is None or not fitted.fitted:
        return f"{text}. It makes no mistake on the calibration reports, so T stays 1."
    new = float(one.found.ece["mass"].estimate[0])
    return f"{text}. With {_words(fitted)}, fitted on other reports, they are off by {new:.3f}."


def _notes(
    analysis: Analysis, given: Mapping[str, Probabilities], held: HeldOut | None
) -> list[str]:
    notes = [PRESENCE] if any(each.presence for each in given.values()) else []
    silent = [name for name in analysis.comparison.names if name not in given]
    if silent:
        notes.append(f"{', '.join(silent)}: no probabilities, so not in this section.")
    for name, each in given.items():
        masked = int((~each.known).sum())
        if masked:
            notes.append(
                f"{name}: {masked} decisions without certainty or probabilities "
                f"({each.without} whole reports) are in no figure here."
            )
        if each.not_the_most_probable:
            notes.append(
                f"{name}: {each.not_the_most_probable} answers are not its most probable "
                "certainty; their confidence is that of the answer."
            )
    if held is not None and held.shared_patients:
        notes.append(
            f"{held.shared_patients} patients have reports both among the calibration and the "
            "scored reports: results are somewhat better than on new patients."
        )
    return notes


def _figure(analysis: Analysis, each: Judged, *, explained: bool) -> Drawing:
    panels = [
        Panel(_TITLES[key], kinds["width"], kinds["mass"])
        for key, kinds in each.found.diagrams.items()
    ]
    caption = f"Reliability of {each.title}"
    if explained:
        caption += (
            ": stated probability across, share that came true upwards; on the diagonal they "
            "agree. Bars: bins of equal width, with their number of decisions below. Dots: "
            f"{BINS} bins of equal mass"
        )
        caption += ", with intervals" if analysis.enough else ""
    caption += "."
    draw = partial(
        reliability,
        panels,
        label=f"Reliability diagrams of {each.title}.",
        place=each.place,
        intervals=analysis.enough,
    )
    return both_widths(draw, caption=caption)


def _methods(held: HeldOut | None, per: Per) -> str:
    text = (
        "Calibration of the probabilities was described by the expected calibration error over "
        f"{BINS} bins of equal mass, the multiclass Brier score and the negative log-likelihood"
    )
    if held is None:
        return f"{text}."
    unit = "model" if per == "model" else "observation"
    return (
        f"{text}, before and after scaling by one temperature per {unit} fitted on "
        f"{len(held.comparison.ids)} other reports."
    )


# Tables


def _signature(analysis: Analysis, score: str) -> str:
    return analysis.signature(f"{score}|bins:{BINS}")


def _main_table(analysis: Analysis, judged: list[Judged]) -> Table:
    """ECE, Brier score and NLL of every labeler, all observations together."""
    found = [each.found for each in judged]

    def score(spreads: Iterable[Spread]) -> list[Value]:
        return [spread.known_mark(shown=analysis.enough) for spread in spreads]

    return Table.of_columns(
        "calibration",
        "Calibration",
        [
            (Column("Labeler"), [each.title for each in judged]),
            (Column("Decisions", "count"), [int(f.decisions[0]) for f in found]),
            (
                Column("ECE", "score", group="Bins of equal mass"),
                score(f.ece["mass"] for f in found),
            ),
            (
                Column("by chance", "score", group="Bins of equal mass"),
                [float(f.by_chance["mass"][0]) for f in found],
            ),
            (
                Column("ECE", "score", group="Of equal width"),
                score(f.ece["width"] for f in found),
            ),
            (Column("Brier", "score"), score(f.brier for f in found)),
            (Column("NLL", "score"), score(f.nll for f in found)),
        ],
        caption="All observations together. Brier score: 0 is perfect, 2 the worst. NLL: mean "
        "negative log of the gold's probability. T: temperature fitted on other reports.",
        signature=_signature(analysis, "calibration"),
        keys=tuple(colour(each.place) for each in judged),
    )


def _certainties_table(analysis: Analysis, judged: list[Judged]) -> Table:
    """ECE of each certainty's probability."""
    return Table.of_columns(
        "calibration-certainties",
        "Calibration of each certainty",
        [
            (Column("Labeler"), [each.title for each in judged]),
            *(
                (
                    Column(c.value, "score"),
                    [
                        each.found.certainties[c.value]["mass"].known_mark(shown=analysis.enough)
                        for each in judged
                    ],
                )
                for c in CLASSES
            ),
        ],
        caption="ECE of the probability of one certainty against how often the gold has it, "
        "bins of equal mass.",
        signature=_signature(analysis, "ece-by-certainty"),
        keys=tuple(colour(each.place) for each in judged),
    )


def _observations_table(analysis: Analysis, judged: list[Judged]) -> Table:
    """The same scores per observation."""
    columns: list[tuple[Column, Sequence[Value]]] = [(Column("Observation"), analysis.parts)]
    parts = range(1, 1 + len(analysis.parts))
    for each in judged:
        found, group = each.found, each.title

        def score(spread: Spread) -> list[Value]:
            return [spread.known_mark(part, shown=analysis.enough) for part in parts]

        chance = found.by_chance["mass"]
        columns += [
            (
                Column("ECE", "score", group=group, colour=colour(each.place)),
                score(found.ece["mass"]),
            ),
            (
                Column("by chance", "score", group=group),
                [float(chance[part]) if found.decisions[part] else None for part in parts],
            ),
            (Column("Brier", "score", group=group), score(found.brier)),
            (Column("NLL", "score", group=group), score(found.nll)),
        ]
        if each.temperature is not None and each.temperature.per == "observation":
            values = each.temperature.values.tolist()
            columns.append((Column("T", "score", group=group), values))
    return Table.of_columns(
        "calibration-observations",
        "Calibration per observation",
        columns,
        caption="ECE over bins of equal mass.",
        signature=_signature(analysis, "calibration"),
    )


def _bins_table(judged: list[Judged]) -> Table:
    """Every bin of every diagram, for the CSV file."""
    rows: list[tuple[Value, ...]] = []
    for each in judged:
        for key, kinds in each.found.diagrams.items():
            for kind in KINDS:
                d = kinds[kind]
                for k, count in enumerate(d.decisions):
                    share = Estimate(float(d.share[k]), float(d.low[k]), float(d.high[k]))
                    borders = float(d.left[k]), float(d.right[k])
                    middle = float(d.confidence[k])
                    rows.append((each.title, key, kind, *borders, int(count), middle, share))
    return Table(
        "calibration-bins",
        "Bins of the reliability diagrams",
        (
            *(Column(n) for n in ("labeler", "probability of", "bins")),
            *(Column(n, "score") for n in ("above", "up to")),
            Column("decisions", "count"),
            *(Column(n, "score") for n in ("mean probability", "share")),
        ),
        tuple(rows),
    )


# Numbers for programs


def _numbers(each: Judged) -> dict[str, Any]:
    def spread(found: Spread) -> dict[str, Any]:
        marks = (
            (name, found.known_mark(i))
            for i, name in enumerate(("pooled", *each.found.observations)[: len(found.estimate)])
        )
        return {name: mark and mark.to_json() for name, mark in marks}

    found = each.found
    return {
        "decisions": int(found.decisions[0]),
        "masked": found.masked,
        "bins": BINS,
        "ece": {kind: spread(found.ece[kind]) for kind in KINDS},
        "ece_by_chance": {kind: float(found.by_chance[kind][0]) for kind in KINDS},
        "ece_by_certainty": {
            word: {kind: spread(kinds[kind])["pooled"] for kind in KINDS}
            for word, kinds in found.certainties.items()
        },
        "brier": spread(found.brier),
        "nll": spread(found.nll),
        "temperature": None if each.temperature is None else _temperature(each.temperature),
    }


def _temperature(fitted: Temperature) -> dict[str, Any]:
    return {
        "per": fitted.per,
        "model": fitted.shared,
        "observations": dict(zip(fitted.observations, fitted.values.tolist(), strict=True)),
        "decisions": fitted.decisions,
        "nll_before": fitted.nll_before,
        "nll_after": fitted.nll_after,
        "fitted": fitted.fitted,
    }


def _file(analysis: Analysis, fitted: Mapping[str, Temperature], held: HeldOut) -> dict[str, Any]:
    label_set = analysis.comparison.label_set
    return {
        "labelwright": __version__,
        "label_set": label_set.name,
        "label_set_sha256": label_set.fingerprint,
        "method": "probabilities become softmax(log p / T) per observation",
        "gold": held.comparison.gold_source,
        "reports": len(held.comparison.ids),
        "gold_certainties": {
            certainty.value: int((held.comparison.gold == index).sum())
            for certainty, index in INDEX.items()
        },
        "labelers": {
            name: {
                "model": held.sources[name].model,
                "model_sha256": held.sources[name].labeler.get("model_sha256"),
                "decoding": held.sources[name].labeler.get("decoding"),
                "predictions": held.sources[name].path,
                "predictions_sha256": held.sources[name].sha256,
                "temperature": _temperature(each),
            }
            for name, each in fitted.items()
        },
    }
