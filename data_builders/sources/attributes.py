"""Attributes of observations in synthetic reports: what the grammar's own clauses say of them.

Every clause of the grammar says which observations it is about. Where it is about one that is
present or possible, and about no other, its words of side, region, size and change are that
observation's. Where a clause with such words is about several, or two clauses disagree, nobody
knows whose words they are: the attribute is a gap, neither taught nor scored. So are the attributes
of absent observations, of which nothing is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_builders.sources.base import Source
from data_builders.synthetic.lexicon import Lexicon
from data_builders.synthetic.reports import ReportWriter, SyntheticReport
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Report
from labelwright.tasks.base import Known
from labelwright.tasks.fields.answer import Reader
from labelwright.tasks.fields.normalise import candidates, read_value
from labelwright.tasks.fields.schema import Field, FieldType, fields_of
from labelwright.tasks.fields.values import Fields, Item
from labelwright.text.expressions import Allowance, compiled

TRIES = 20
"""Reports that are drawn at most for one of which an attribute is known; mostly it is two."""
PRESENT = (Certainty.POSITIVE, Certainty.UNCERTAIN)


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
        self._stream = writer.stream(count * TRIES, seed)
        self._count = count
        self._label_set = label_set
        self._sha256 = words.sha256
        self._waiting: dict[str, Fields] = {}
        self.open = self.silent = 0
        self._fields: dict[str, list[Field]] = {}
        self._of = {field.name: field.of for field in own.fields}
        for field in own.asked:
            if field.of:
                self._fields.setdefault(field.of, []).append(field)
        self._patterns = {
            field.name: [
                (value, compiled(one, any_case=True))
                for value, each in field.patterns.items()
                for one in each
            ]
            for fields in self._fields.values()
            for field in fields
        }

    def reports(self) -> Iterator[Report]:
        """The texts; one of which no attribute is known teaches nothing, and another is drawn.

        Raises:
            ConfigError: of far too many none is known.
        """
        left = self._count
        for written in self._stream:
            if not left:
                return
            known, left_open = self._attributes(written)
            if not known:
                self.silent += 1
                continue
            left -= 1
            self.open += left_open
            self._waiting[written.report.id] = known
            yield written.report
        if left:
            raise ConfigError(
                f"{self._count * TRIES} reports were written, and only {self._count - left} of "
                f"{self._count} say an attribute that is known",
                remedy="check the expressions of the fields against the lexicon's words",
            )

    def known(self, reports: Sequence[Report], label_set: LabelSet) -> list[Known[Any] | str]:
        """What the clauses of each report say."""
        del label_set
        return [Known(self._waiting.pop(report.id)) for report in reports]

    def describe(self) -> Mapping[str, Any]:
        """Its kind and the words that it writes with."""
        return {"kind": self.name, "lexicon_sha256": self._sha256}

    def counts(self) -> dict[str, Any]:
        """Attributes whose words may be another observation's; reports that taught nothing."""
        return {"attributes_left_open": self.open, "reports_drawn_anew": self.silent}

    def _attributes(self, written: SyntheticReport) -> tuple[Fields, int]:
        """What is known of a report, and how many attributes nobody can tell whose they are."""
        text = written.report.text
        reader = Reader(self._label_set, text)
        values: dict[str, set[Any]] = {}
        asked, open_ = {""}, set()
        for start, end, says in written.clauses:
            present = [name for name, said in says.items() if said in PRESENT]
            asked.update(present)
            for field in (field for name in present for field in self._fields.get(name, ())):
                for item in self._items(field, text, start, end):
                    known = values.setdefault(field.name, set())
                    if len(says) > 1 or (known and item.value not in known and not field.many):
                        open_.add(field.name)
                    elif item.value not in known:
                        known.add(item.value)
                        reader.take(field.name, item)
        if not any(values.values()):
            reader.lines([("none", None)])
        found = reader.finish().value or {}
        taught = {
            name: one
            for name, one in found.items()
            if self._of[name] in asked and name not in open_
        }
        return taught, len(open_)

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
            for match in Allowance(clause).matches(expression, clause):
                yield Item(match[0], value, "", ((start + match.start(), start + match.end()),))
