"""OMOP CDM 5.4: ``note_nlp.csv``, one row per observation that a report speaks of, mention, or
value of a field that has a place in the text.

Columns and their meaning are those of the table NOTE_NLP
(https://ohdsi.github.io/CommonDataModel/cdm54.html#note_nlp). ``term_exists`` is ``Y`` for
positive only, since the table counts a negated, possible or ruled-out term as not there.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import IO

from inference.exports.rows import Context, Row, findings
from labelwright.io.delimited import escape
from labelwright.label_set import Label
from labelwright.records import Certainty, Report
from labelwright.tasks.base import Finding

COLUMNS = (
    "note_nlp_id",
    "note_id",
    "section_concept_id",
    "snippet",
    "offset",
    "lexical_variant",
    "note_nlp_concept_id",
    "note_nlp_source_concept_id",
    "nlp_system",
    "nlp_date",
    "nlp_datetime",
    "term_exists",
    "term_temporal",
    "term_modifiers",
)
LONGEST = {"snippet": 250, "lexical_variant": 250, "nlp_system": 250, "term_modifiers": 2000}
"""Characters that the table has room for."""
NO_CONCEPT = "0"
"""OMOP's concept for what is not mapped."""
OMOP_CODE = "omop"
"""Under this name a label set's ``codes`` hold the OMOP concept of an observation."""
LABELS = ("boolean", "categorical")
"""Forms of values that are the label set's own words, and none of a report's."""
_NUMBER = re.compile(r"-?[0-9]+")


def write(handle: IO[str], rows: Iterable[Row], context: Context) -> None:
    """Write the table with its header; labels come from complete answers only."""
    writer = csv.writer(handle, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    quoting = csv.writer(handle, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    number = 0
    for row in rows:
        for finding in findings(row, context.label_set):
            if finding.form and not finding.spans:
                continue
            number += 1
            cells = _cells(number, row, finding, context)
            (quoting if any("\r" in cell for cell in cells) else writer).writerow(cells)


def _cells(number: int, row: Row, finding: Finding, context: Context) -> list[str]:
    label = context.label_set.by_name[finding.name]
    note = row.prediction["id"]
    snippet, variant = _words(row.report if context.text else None, finding)
    moment = context.finished.partition("+")[0]
    value = {
        "note_nlp_id": str(number),
        "note_id": note if _NUMBER.fullmatch(note) else escape(note),
        "section_concept_id": NO_CONCEPT,
        "snippet": escape(snippet),
        "offset": str(finding.spans[0][0]) if finding.spans and context.whole else "",
        "lexical_variant": escape(variant),
        "note_nlp_concept_id": label.codes.get(OMOP_CODE, NO_CONCEPT),
        "note_nlp_source_concept_id": NO_CONCEPT,
        "nlp_system": escape(f"{context.system}, model {row.prediction['model']}"),
        "nlp_date": moment.partition("T")[0],
        "nlp_datetime": moment.replace("T", " "),
        "term_exists": "Y" if finding.certainty is Certainty.POSITIVE else "N",
        "term_temporal": "",
        "term_modifiers": escape(_modifiers(label, finding, context)),
    }
    return [value[name][: LONGEST.get(name)] for name in COLUMNS]


def _words(report: Report | None, finding: Finding) -> tuple[str, str]:
    """The text around the first mention, and the mention; without text the label's name."""
    if report is None or not finding.spans:
        return "", finding.name
    start, end = finding.spans[0]
    room = max(0, LONGEST["snippet"] - 1 - (end - start)) // 2
    before = report.text[max(0, start - room) : start]
    after = report.text[end : end + room]
    snippet = " ".join((before + report.text[start:end] + after).split())
    words = finding.mention or report.text[start:end]
    return snippet, " ".join(words.split()) or finding.name


def _modifiers(label: Label, finding: Finding, context: Context) -> str:
    parts = [f"certainty={finding.certainty.value}"] if context.label_set.words else []
    if finding.probability is not None:
        parts.append(f"probability={finding.probability:.4f}")
    what = "field" if finding.form else "type" if finding.mention else "observation"
    parts.append(f"{what}={label.name}")
    if finding.form in LABELS or (finding.form and context.text):
        parts.append(f"value={finding.comparator}{_written(finding)}")
        parts += [f"unit={finding.unit}"] if finding.unit else []
    codes = {name: code for name, code in label.codes.items() if name != OMOP_CODE}
    parts += [f"{name}={code}" for name, code in codes.items()]
    return ";".join(part.replace(";", ",") for part in parts)


def _written(finding: Finding) -> str:
    value = finding.value
    if isinstance(value, bool):
        return "yes" if value else "no"
    plain = f"{value:.15g}" if isinstance(value, float) else str(value)
    return " ".join(plain.split())
