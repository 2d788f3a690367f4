"""Rules for fields: regular expressions of the label set or of a file, names of fields else.

They are the honest baseline of a label set of fields, and a first draft of values where nobody has
labeled. A field without expressions is looked for by its forms: a category by its words, a boolean
by the field's name with a word of negation before it, a date, a number or text behind the field's
name. Values are read and placed as everywhere else. A field that is ``of`` an observation is looked
for only where that is positive or uncertain, among the words that belong to it
(:mod:`baselines.rules.attributes`). What is a relative's, only planned or feared, or was stopped is
no value (:mod:`baselines.rules.clauses`); a classifier can decide instead
(:mod:`baselines.rules.judge`). A field with ``asked_if`` has one only where that holds.
"""

from __future__ import annotations

import hashlib
import re
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from baselines.rules.attributes import Mentions, Observed
from baselines.rules.clauses import denied, others
from baselines.rules.judge import Judge, Proposal, learned, proposed, read_item
from labelwright.errors import InputError
from labelwright.io.yaml_lines import YamlFile
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.records import Entity, Prediction, Reject, Report, Span
from labelwright.tasks.fields.answer import Reader, render
from labelwright.tasks.fields.checks import EMPTY, check_patterns
from labelwright.tasks.fields.normalise import candidates, read_value
from labelwright.tasks.fields.schema import Field, FieldType, fields_of, patterns_of
from labelwright.tasks.fields.sections import Sections
from labelwright.tasks.fields.values import Item
from labelwright.text.expressions import (
    Allowance,
    Expression,
    Match,
    SlowExpressionError,
    compiled,
)

NEAR = 40
"""Characters behind a field's name in which its value stands."""
_FIGURES = re.compile(r"[\s:=(]{0,9}([^\s,;()]*\d[^\s,;()]*[^\s.,;:()])")
"""A word with figures in it, at the beginning of a match."""
Patterns = Mapping[str, Mapping[str, tuple[Expression, ...]]]
_Marks = tuple[tuple[Entity, ...], float]


class Document:
    """A text, its sections, and the dates and numbers in it, found once for like fields."""

    def __init__(self, text: str, sections: Sections) -> None:
        self.text = text
        self.sections = sections
        self.allowance = Allowance(text)
        self._places: dict[tuple[object, ...], list[Span]] = {}

    def places(self, field: Field) -> Sequence[Span]:
        """Where the dates or numbers stand that a field could have, in order."""
        if field.figures not in self._places:
            self._places[field.figures] = candidates(field, self.text)
        return self._places[field.figures]

    def first(self, field: Field, start: int, end: int) -> Span | None:
        """The first date or number of a field that begins within a place."""
        places = self.places(field)
        at = bisect_left(places, (start, start))
        return places[at] if at < len(places) and places[at][0] < end else None


class FieldRules:
    """Labels documents by regular expressions; a ``ReportLabeler``.

    Args:
        patterns: per field, per value that a match means (``""``: the match is the value).
        sha256: of the file that they came from, if it was not the label set.
    """

    name = "rules"

    def __init__(self, label_set: LabelSet, patterns: Patterns, sha256: str | None = None) -> None:
        self._judge: Judge | None = None
        self._tagger: ReportLabeler | None = None
        self.label_set = label_set
        self._own = fields_of(label_set)
        self._patterns = patterns
        self._sha256 = sha256
        named = self._own.observations
        self._observed = Observed(LabelSet.load(named)) if named else None

    @classmethod
    def for_label_set(cls, label_set: LabelSet, rules_file: Path | None = None) -> FieldRules:
        """Build them of the label set, and of a file ``field: expressions`` that adds to it.

        Raises:
            LabelSetError: the file names no field, or an expression that is none.
        """
        own = fields_of(label_set)
        given = {field.name: field.patterns for field in own.fields if field.patterns}
        sha256 = None
        if rules_file is not None:
            text = YamlFile.read(rules_file)
            given |= _of_file(text, label_set)
            sha256 = hashlib.sha256(rules_file.read_bytes()).hexdigest()
        patterns = {
            field.name: {
                value: tuple(compiled(one, any_case=True) for one in each)
                for value, each in (given.get(field.name) or _usual(label_set, field)).items()
            }
            for field in own.asked
        }
        return cls(label_set, patterns, sha256)

    def describe(self) -> Mapping[str, Any]:
        """Hashes of the label set and of the file; what a classifier was learned from."""
        told: dict[str, Any] = {
            "model": self.name,
            "label_set": self.label_set.name,
            "label_set_sha256": self.label_set.fingerprint,
            "rules_sha256": self._sha256,
        }
        if self._judge is not None:
            told["judge"] = dict(self._judge.facts)
        if self._tagger is not None:
            told["tagger"] = dict(self._tagger.describe())
        return told

    def learn(self, folder: Path, tagger: ReportLabeler | None = None) -> None:
        """Learn from a data folder which spans are values (:mod:`baselines.rules.judge`).

        Args:
            tagger: a labeler of entities; what it marks may be a value too.

        Raises:
            InputError, ConfigError: as for :func:`baselines.rules.judge.learned`.
        """
        self._tagger = tagger
        self._judge = learned(self.label_set, folder, self._proposals)

    def _proposals(self, reports: Sequence[Report]) -> list[dict[str, list[Proposal]]]:
        """By document and field the spans that may be a value."""
        found = []
        for report, marks in zip(reports, self._tagged(reports), strict=True):
            if isinstance(marks, Reject):
                raise InputError(
                    marks.reason, remedy="leave it out", source=marks.source, row=marks.row
                )
            text = self._read(report)
            found.append({f.name: self._proposed(f, text, marks[0]) for f in self._own.asked})
        return found

    def _read(self, report: Report) -> Document:
        return Document(report.text, Sections(self._own, report.text))

    def _tagged(self, reports: Sequence[Report]) -> list[_Marks | Reject]:
        """What the tagger marks in each document, and the seconds that it took; or its reject."""
        if self._tagger is None:
            return [((), 0.0)] * len(reports)
        return [
            (tuple(one for one in (result.entities or ()) if one.spans), result.seconds or 0.0)
            if isinstance(result, Prediction)
            else replace(result, reason=f"tagger: {result.reason}")
            for result in self._tagger.label_reports(reports)
        ]

    def _proposed(self, field: Field, text: Document, tagged: Sequence[Entity]) -> list[Proposal]:
        """The spans that may be the field's value."""
        found = proposed(
            self._own, field, text.text, self._all(field, text), text.places(field), tagged
        )
        return [one for one in found if text.sections.may_hold(field, one.item.spans[0][0])]

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One result per document, in order."""
        tagged = self._tagged(reports)
        return [
            marks if isinstance(marks, Reject) else self._label(one, *marks)
            for one, marks in zip(reports, tagged, strict=True)
        ]

    def _label(
        self, report: Report, tagged: Sequence[Entity], seconds: float
    ) -> Prediction | Reject:
        try:
            return self._labeled(report, tagged, seconds)
        except SlowExpressionError as error:
            return Reject(report.id, report.source, report.row, error.what)

    def _labeled(self, report: Report, tagged: Sequence[Entity], seconds: float) -> Prediction:
        began = time.perf_counter()
        reader = Reader(self.label_set, report.text)
        mentions = None if self._observed is None else self._observed.mentions(report)
        text = self._read(report)
        found: dict[str, list[Item]] = {}
        probs: dict[tuple[str, tuple[Span, ...]], float] = {}
        silent: dict[str, float] = {}
        for field in self._own.asked:
            if self._judge is None or not self._judge.knows(field):
                found[field.name] = self._items(field, text, mentions)
                continue
            proposals = self._proposed(field, text, tagged)
            kept, silent[field.name] = self._judge.decide(field, report.text, proposals)
            found[field.name] = [item for item, _ in kept]
            probs |= {(field.name, item.spans): prob for item, prob in kept}
        found = {
            name: items if self._is_asked(name, found) else [] for name, items in found.items()
        }
        for name, items in found.items():
            for item in items:
                reader.take(name, item, probs.get((name, item.spans)))
            if not items and name in silent:
                reader.say(name, EMPTY, silent[name])
        if not any(found.values()):
            reader.lines([("none", None)])
        parsed = reader.finish()
        return Prediction(
            id=report.id,
            model=self.name,
            task=self.label_set.task,
            value=parsed.value,
            raw="" if parsed.value is None else render(self.label_set, parsed.value),
            problems=parsed.problems,
            notes=parsed.notes,
            seconds=seconds + time.perf_counter() - began,
        )

    def _is_asked(self, name: str, found: Mapping[str, Sequence[Item]]) -> bool:
        """Whether what a field hangs on is so, and is asked itself."""
        needed = self._own.by_name[name].asked_if
        if needed is None or needed.field not in found:
            return True
        values = [item.value for item in found[needed.field]]
        said = any(v in needed.values for v in values) if needed.values else bool(values)
        return said and self._is_asked(needed.field, found)

    def _items(self, field: Field, text: Document, mentions: Mentions | None) -> list[Item]:
        """What the expressions find: the first, or all where a field may have many.

        Of an observation's field the nearest to its mention comes first.
        """
        found = sorted(self._all(field, text), key=lambda item: item.spans)
        found = [item for item in found if text.sections.may_hold(field, item.spans[0][0])]
        if mentions is not None and field.of:
            far = [mentions.distance(field.of, item.spans[0]) for item in found]
            known = [(d, item) for d, item in zip(far, found, strict=True) if d is not None]
            found = [item for _, item in sorted(known, key=lambda each: each[0])]
        if not field.many:
            return found[:1]
        kept: dict[Any, Item] = {}
        for item in found:
            kept.setdefault(item.spans if field.copied else item.value, item)
        return list(kept.values())

    def _all(self, field: Field, document: Document) -> Iterator[Item]:
        for value, expressions in self._patterns[field.name].items():
            for expression in expressions:
                for match in document.allowance.matches(expression, document.text):
                    item = self._item(field, document, value, match)
                    if item is not None:
                        yield item

    def _item(self, field: Field, document: Document, value: str, match: Match) -> Item | None:
        text = document.text
        group = 1 if match.re.groups and match[1] is not None else 0
        start, end = match.span(group)
        if start == end or others(field, text, start, end):
            return None
        if field.type is FieldType.BOOLEAN:
            said = value == "true"
            if said and (no := denied(text, start)) is not False:
                if no is None:
                    return None
                said = False
            return Item(text[start:end], said, "", ((start, end),))
        if field.type is FieldType.CATEGORICAL:
            return Item(text[start:end], value, "", ((start, end),))
        if field.type is FieldType.TEXT:
            raw = text[start:end].rstrip()
            return Item(raw, " ".join(raw.split()), "", ((start, start + len(raw)),))
        place = document.first(field, start, end)
        unread = None if place is not None else _FIGURES.match(text, start, end)
        if unread is not None and read_value(self._own, field, unread[1]).value is None:
            place = unread.span(1)
        if place is None:
            return None
        return read_item(self._own, field, text, place)


def _usual(label_set: LabelSet, field: Field) -> dict[str, tuple[str, ...]]:
    """Expressions of a field that has none: its names, the words of its categories."""
    if field.type is FieldType.CATEGORICAL:
        return {
            one.value: tuple(_whole(form) for form in dict.fromkeys((*one.synonyms, one.word)))
            for one in field.values
        }
    del label_set
    names = "|".join(_whole(form) for form in (field.name, *field.synonyms))
    if field.type is FieldType.BOOLEAN:
        return {"true": (names,)}
    if field.type is FieldType.TEXT:
        return {"": (rf"(?:{names})\s*[:=]\s*([^\n]+)",)}
    return {"": (rf"(?:{names})([^\n]{{1,{NEAR}}})",)}


def _whole(form: str) -> str:
    """An expression for a form as whole words, blanks of any length."""
    words = r"[\s_-]+".join(map(re.escape, form.replace("_", " ").split()))
    return rf"(?<!\w){words}(?!\w)"


def _of_file(file: YamlFile, label_set: LabelSet) -> dict[str, Mapping[str, tuple[str, ...]]]:
    own = fields_of(label_set)
    given = file.value if isinstance(file.value, dict) else {}
    if not given:
        file.problem([], "a rules file of fields is a mapping; write 'FIELD: [expression]'")
    for name, each in given.items():
        field = own.by_name.get(name)
        if field is None:
            file.problem([str(name)], f"{name!r} is no field of {label_set.name}; correct the name")
            continue
        values = [one.value for one in field.values]
        item = {"patterns": each, "values": values}
        check_patterns(file, [str(name)], item, field.type.value)
    file.finish("mistake in the rules")
    return {str(name): patterns_of(each) for name, each in given.items()}


LABELER = FieldRules
