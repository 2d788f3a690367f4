"""Attributes of observations in synthetic reports: what the grammar's own clauses say of them.

Every clause of the grammar says which observations it is about. Where it is about one that is
present or possible, and about no other, its words of side, region, size and change are that
observation's. A report in which a clause with such words is about several, or in which two clauses
disagree, is left out with its reason: nobody knows there whose words they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_builders.sources.base import Source
from data_builders.synthetic.lexicon import Lexicon
from data_builders.synthetic.reports import ReportWriter, SyntheticReport
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Report
from labelwright.tasks.base import Known
from labelwright.tasks.fields.answer import Reader
from labelwright.tasks.fields.normalise import candidates, read_value
from labelwright.tasks.fields.schema import Field, FieldType, fields_of
from labelwright.tasks.fields.values import Fields, Item

SHARED = "a clause is about several observations"
TWO = "two clauses say different things"
PRESENT = (Certainty.POSITIVE, Certainty.UNCERTAIN)
FLAGS = re.IGNORECASE | re.MULTILINE


class AttributeValues(Source):
    """Synthetic reports of the observations' label set, with the attributes that they state.

    Args:
        label_set: with fields that describe observations.
        lexicon: the words; by default those shipped for the observations.
        shares: as for :class:`data_builders.synthetic.reports.ReportWriter`.

    Raises:
        LabelSetError: there is no lexicon for the observations.
    """

    name = "attributes"

    def __init__(
        self,
        label_set: LabelSet,
        count: int,
        seed: int,
        *,
        lexicon: Path | None = None,
        **shares: float,
    ) -> None:
        own = fields_of(label_set)
        observations = LabelSet.load(own.observations)
        words = Lexicon.for_label_set(observations, lexicon)
        writer = ReportWriter(observations, lexicon=words, **shares)
        self._stream = writer.stream(count, seed)
        self._label_set = label_set
        self._sha256 = words.sha256
        self._waiting: dict[str, Fields | str] = {}
        self._fields: dict[str, list[Field]] = {}
        for field in own.asked:
            if field.of:
                self._fields.setdefault(field.of, []).append(field)
        self._patterns = {
            field.name: [
                (value, re.compile(one, FLAGS))
                for value, each in field.patterns.items()
                for one in each
            ]
            for fields in self._fields.values()
            for field in fields
        }

    def reports(self) -> Iterator[Report]:
        """The texts."""
        for written in self._stream:
            self._waiting[written.report.id] = self._attributes(written)
            yield written.report

    def known(self, reports: Sequence[Report], label_set: LabelSet) -> list[Known[Any] | str]:
        """What the clauses of each report say, or why that is not known."""
        del label_set
        found = [self._waiting.pop(report.id) for report in reports]
        return [each if isinstance(each, str) else Known(each) for each in found]

    def describe(self) -> Mapping[str, Any]:
        """Its kind and the words that it writes with."""
        return {"kind": self.name, "lexicon_sha256": self._sha256}

    def _attributes(self, written: SyntheticReport) -> Fields | str:
        text = written.report.text
        reader = Reader(self._label_set, text)
        values: dict[str, set[Any]] = {}
        taken = False
        for start, end, says in written.clauses:
            present = [name for name, said in says.items() if said in PRESENT]
            for name in present:
                for field in self._fields.get(name, ()):
                    for item in self._items(field, text, start, end):
                        if len(says) > 1:
                            return SHARED
                        known = values.setdefault(field.name, set())
                        if item.value not in known:
                            known.add(item.value)
                            reader.take(field.name, item)
                            taken = True
                        if len(known) > 1 and not field.many:
                            return TWO
        if not taken:
            reader.lines([("none", None)])
        return reader.finish().value or {}

    def _items(self, field: Field, text: str, start: int, end: int) -> Iterator[Item]:
        """What the words of one clause say of a field."""
        clause = text[start:end]
        if field.type is FieldType.NUMBER:
            own = fields_of(self._label_set)
            for a, b in candidates(field, clause):
                reading = read_value(own, field, clause[a:b])
                if reading.value is not None and reading.unit:
                    place = ((start + a, start + b),)
                    yield Item(clause[a:b], reading.value, reading.unit, place, reading.comparator)
            return
        for value, expression in self._patterns[field.name]:
            for match in expression.finditer(clause):
                yield Item(match[0], value, "", ((start + match.start(), start + match.end()),))
