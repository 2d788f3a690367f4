"""Rules for fields: regular expressions of the label set or of a file, names of fields else.

They are the honest baseline of a label set of fields, and a first draft of values where nobody has
labeled. A field without expressions is looked for by its forms: a category by its words, a boolean
by the field's name with a word of negation before it, a date, a number or text behind the field's
name. Values are read and placed as everywhere else. A field that is ``of`` an observation is looked
for only where that is positive or uncertain, among the words that belong to it
(:mod:`baselines.rules.attributes`).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from baselines.rules.attributes import Mentions, Observed
from labelwright.io.yaml_lines import YamlFile
from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Reject, Report
from labelwright.tasks.fields.answer import Reader, render
from labelwright.tasks.fields.checks import check_patterns
from labelwright.tasks.fields.normalise import candidates, read_value
from labelwright.tasks.fields.schema import Field, FieldType, fields_of, patterns_of
from labelwright.tasks.fields.values import Item
from labelwright.tasks.fields.yes_no import denies

NEAR = 40
"""Characters behind a field's name in which its value stands."""
BEFORE = 40
"""Characters before a boolean's name in which a negation counts."""
FLAGS = re.IGNORECASE | re.MULTILINE
_STOP = re.compile(r"[.;:\n]")
Patterns = Mapping[str, Mapping[str, tuple[re.Pattern[str], ...]]]


class FieldRules:
    """Labels documents by regular expressions; a ``ReportLabeler``.

    Args:
        patterns: per field, per value that a match means (``""``: the match is the value).
        sha256: of the file that they came from, if it was not the label set.
    """

    name = "rules"

    def __init__(self, label_set: LabelSet, patterns: Patterns, sha256: str | None = None) -> None:
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
        compiled = {
            field.name: {
                value: tuple(re.compile(one, FLAGS) for one in each)
                for value, each in (given.get(field.name) or _usual(label_set, field)).items()
            }
            for field in own.asked
        }
        return cls(label_set, compiled, sha256)

    def describe(self) -> Mapping[str, Any]:
        """Hashes of the label set and of the file."""
        return {
            "model": self.name,
            "label_set": self.label_set.name,
            "label_set_sha256": self.label_set.fingerprint,
            "rules_sha256": self._sha256,
        }

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One result per document, in order."""
        return [self._label(report) for report in reports]

    def _label(self, report: Report) -> Prediction:
        began = time.perf_counter()
        reader = Reader(self.label_set, report.text)
        found = False
        mentions = None if self._observed is None else self._observed.mentions(report)
        for field in self._own.asked:
            for item in self._items(field, report.text, mentions):
                reader.take(field.name, item)
                found = True
        if not found:
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
            seconds=time.perf_counter() - began,
        )

    def _items(self, field: Field, text: str, mentions: Mentions | None) -> list[Item]:
        """What the expressions find: the first, or all where a field may have many.

        Of an observation's field the nearest to its mention comes first.
        """
        found = sorted(self._all(field, text), key=lambda item: item.spans)
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

    def _all(self, field: Field, text: str) -> Iterator[Item]:
        for value, expressions in self._patterns[field.name].items():
            for expression in expressions:
                for match in expression.finditer(text):
                    item = self._item(field, text, value, match)
                    if item is not None:
                        yield item

    def _item(self, field: Field, text: str, value: str, match: re.Match[str]) -> Item | None:
        group = 1 if match.re.groups and match[1] is not None else 0
        start, end = match.span(group)
        if start == end:
            return None
        if field.type is FieldType.BOOLEAN:
            said = value == "true"
            if said and _denied(text, match.start()):
                said = False
            return Item(text[start:end], said, "", ((start, end),))
        if field.type is FieldType.CATEGORICAL:
            return Item(text[start:end], value, "", ((start, end),))
        if field.type is FieldType.TEXT:
            stop = min(end, start + field.most)
            raw = text[start:stop].rstrip()
            return Item(raw, " ".join(raw.split()), "", ((start, start + len(raw)),))
        for a, b in candidates(field, text):
            if start <= a < end:
                reading = read_value(self._own, field, text[a:b])
                return Item(text[a:b], reading.value, reading.unit, ((a, b),))
        return None


def _denied(text: str, start: int) -> bool:
    """Whether a word of negation stands before a place, in its clause."""
    before = _STOP.split(text[max(start - BEFORE, 0) : start])[-1]
    return denies(before)


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
            file.problem([str(name)], f"{name!r} is no field of {label_set.name}; mend the name")
            continue
        values = [one.value for one in field.values]
        item = {"patterns": each, "values": values}
        check_patterns(file, [str(name)], item, field.type.value)
    file.finish("mistake in the rules")
    return {str(name): patterns_of(each) for name, each in given.items()}


LABELER = FieldRules
