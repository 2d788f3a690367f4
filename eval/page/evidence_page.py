"""The evidence page: reports with the sentences that carry their labels, in one HTML file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.page.render import render_page, script_json
from labelwright import kinds
from labelwright.errors import InputError
from labelwright.io.jsonl import PRIVATE, atomic_write
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report
from labelwright.results import read_predictions
from labelwright.text.amounts import amount
from labelwright.version import __version__

MOST = 5_000
"""Reports in one page, if not told otherwise: some 10 MB, which browsers open at once."""

BLOCK = 1_000
"""Rows that a browser reads together: the first before the page is shown, others when asked for.
More than it shows at once."""

LETTERS = {
    Certainty.POSITIVE: "p",
    Certainty.UNCERTAIN: "u",
    Certainty.NEGATIVE: "n",
    Certainty.BLANK: "b",
    None: "-",
}
"""How the page's data names a label; what is blank is left out, unless two readers differ there or
a rule of the label set made it so."""
WORDS = {
    "p": "positive",
    "u": "uncertain",
    "n": "negative",
    "b": "blank",
    "-": "no answer",
}
"""What the page calls a label."""
STATED = {"p": "stated", "u": "unreadable", "n": "no", "b": "not mentioned", "-": "no answer"}
"""The same where what is shown are values, and not certainties."""
RULE = "rule: "
"""How a note begins that names a label which gave way to a rule of the label set."""


@dataclass
class EvidenceData:
    """What the page shows.

    Attributes:
        rows: one object per report, in the order of the reports.
        values: whether values are shown, and not certainties of observations.
        labels: how many labels are not blank; of values, how many are stated.
        carried: how many of these have a sentence.
        missing: reports that have no prediction.
        left: reports with a prediction that are beyond the page's limit.
        second: the second reader, where there is one.
        differ: how many labels the two readers differ in.
        decided: how many of these are shown as the second reader reads them.
        nothing: the observations that, when positive, say that nothing was found; the page gives
            them a colour of their own.
    """

    observations: tuple[str, ...]
    model: str
    values: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)
    labels: int = 0
    carried: int = 0
    missing: int = 0
    left: int = 0
    second: str | None = None
    differ: int = 0
    decided: int = 0
    nothing: tuple[str, ...] = ()

    def facts(self) -> str:
        """What the page holds, in one line."""
        if self.values:
            said = f"{amount(self.labels, 'value')} stated"
        else:
            said = f"{amount(self.labels, 'label')} not blank"
        parts = [f"{amount(len(self.rows), 'report')}, {said}"]
        if self.labels:
            parts.append(f"{self.carried:,} with a place in the text")
        if self.second is not None:
            differ = f"{amount(self.differ, 'label')} where {self.model} and {self.second} differ"
            decided = f", {self.decided:,} of them decided by {self.second}"
            parts.append(differ + (decided if self.differ else ""))
        if self.left:
            parts.append(f"{amount(self.left, 'more report')} not on this page")
        if self.missing:
            parts.append(f"{amount(self.missing, 'report')} without a prediction")
        return "; ".join(parts) + "."


def collect(
    predictions: Path,
    reports: Iterable[Report | Reject],
    *,
    most: int = MOST,
    label_set: LabelSet | None = None,
) -> EvidenceData:
    """Join reports with their predictions.

    Args:
        predictions: ``predictions.jsonl``.
        reports: as they were labeled: the same text, cut to the same sections.
        most: reports beyond so many are only counted.
        label_set: what was asked, where it is known: the heads of its exclusive rules say that
            nothing was found.

    Raises:
        InputError: no report has a prediction, a prediction cannot be read, or a place of
            evidence lies outside its report.
    """
    found = {each.id: each for _, each in read_predictions(predictions)}
    first = next(iter(found.values()), None)
    if first is None:
        raise InputError("there is no prediction", remedy="label first", source=predictions)
    data = EvidenceData(tuple(first.labels), first.model)
    if not first.labels:
        names = dict.fromkeys(n for each in found.values() for n in _names(each))
        data = EvidenceData(tuple(names), first.model, values=bool(names))
    if label_set is not None:
        data.nothing = tuple(rule.label for rule in label_set.exclusive)
    places = {name: place for place, name in enumerate(data.observations)}
    for report in reports:
        if isinstance(report, Reject):
            continue
        prediction = found.pop(report.id, None)
        if prediction is None:
            data.missing += 1
        elif len(data.rows) >= most:
            data.left += 1
        else:
            data.rows.append(_row(report, prediction, places, data))
    if not data.rows:
        raise InputError(
            "no report of these files has a prediction here",
            remedy="give the files that were labeled, and their --id-column",
            source=predictions,
        )
    return data


def _row(
    report: Report, prediction: Prediction, places: dict[str, int], data: EvidenceData
) -> dict[str, Any]:
    if data.values:
        return _value_row(report, prediction, places, data)
    labels: list[list[Any]] = []
    other = _otherwise(prediction, data)
    ruled = {note.removeprefix(RULE) for note in prediction.notes if note.startswith(RULE)}
    for name, label in prediction.labels.items():
        silent = label is Certainty.BLANK and name not in other and name not in ruled
        if silent or name not in places:
            continue
        given = (prediction.probs or {}).get(name, {})
        sure = None if label is None else given.get(label.value)
        spans = [list(map(int, span)) for span in (prediction.evidence or {}).get(name, ())]
        if not _inside(spans, len(report.text)):
            raise _outside(report)
        sure = None if sure is None else round(sure, 3)
        entry: list[Any] = [places[name], LETTERS[label], sure, spans]
        if name in other or name in ruled:
            entry += [other.get(name, ""), *([1] if name in ruled else [])]
        labels.append(entry)
        data.labels += label is not Certainty.BLANK
        data.carried += bool(spans)
    return {"id": report.id, "t": report.text, "l": labels}


def _names(prediction: Prediction) -> Iterable[str]:
    """The fields of a value that is no certainty per observation; empty where it has none."""
    return prediction.value if isinstance(prediction.value, Mapping) else ()


def _value_row(
    report: Report, prediction: Prediction, places: dict[str, int], data: EvidenceData
) -> dict[str, Any]:
    """A report with the values that are stated of it, each with its places."""
    labels: list[list[Any]] = []
    for finding in kinds.load(prediction.task).shown(prediction):
        spans = [list(map(int, span)) for span in finding.spans]
        if not _inside(spans, len(report.text)):
            raise _outside(report)
        sure = None if finding.probability is None else round(finding.probability, 3)
        letter = LETTERS[finding.certainty]
        labels.append([places[finding.name], letter, sure, spans, "", 0, str(finding.value)])
        data.labels += 1
        data.carried += bool(spans)
    return {"id": report.id, "t": report.text, "l": labels}


def _outside(report: Report) -> InputError:
    return InputError(
        f"evidence of report {report.id} lies outside its text",
        remedy="give the files that were labeled, with the same --text-columns",
    )


def _otherwise(prediction: Prediction, data: EvidenceData) -> dict[str, str]:
    """What the other reader says of the observations that two differ in, as letters."""
    second = prediction.second
    if second is None:
        return {}
    data.second = str(second.get("model"))
    found = {}
    for name in second.get("disagree", ()):
        given = second["labels"][name], second["first"][name]
        shown_as_second = name in second["decided"]
        data.decided += shown_as_second
        said = given[1] if shown_as_second else given[0]
        found[name] = LETTERS[None if said is None else Certainty(said)]
    data.differ += len(found)
    return found


def _inside(spans: Sequence[Sequence[int]], size: int) -> bool:
    return all(len(span) == 2 and 0 <= span[0] < span[1] <= size for span in spans)


def html(data: EvidenceData, *, title: str) -> str:
    """The page; it needs no network and runs no script but its own."""
    context = {
        "version": __version__,
        "title": title,
        "facts": data.facts(),
        "nothing_found": bool(data.nothing),
        "model": data.model,
        "probabilities": any(entry[2] is not None for row in data.rows for entry in row["l"]),
        "words": STATED if data.values else WORDS,
        "what": ("Field", "Words") if data.values else ("Observation", "Sentences"),
        "data": script_json(
            {
                "observations": data.observations,
                "rows": data.rows[:BLOCK],
                **({"total": len(data.rows)} if len(data.rows) > BLOCK else {}),
                **({"words": STATED} if data.values else {}),
                **({"second": data.second} if data.second is not None else {}),
                "nothing": [n for n, o in enumerate(data.observations) if o in data.nothing],
            }
        ),
        "more": (
            script_json(data.rows[start : start + BLOCK])
            for start in range(BLOCK, len(data.rows), BLOCK)
        ),
    }
    return render_page("evidence", context)


def write_page(data: EvidenceData, out: Path, *, title: str) -> None:
    """Write the page, readable by its owner only since it holds report text.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_write(out, mode=PRIVATE) as handle:
        handle.write(html(data, title=title))
