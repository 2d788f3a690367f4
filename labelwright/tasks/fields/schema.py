"""A label set of fields: what each field is, and how its YAML becomes one.

The checks, line by line, are in :mod:`labelwright.tasks.fields.checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from labelwright.io.yaml_lines import YamlFile
from labelwright.label_set import Label, LabelSet
from labelwright.tasks.fields.checks import RULES, units_of
from labelwright.tasks.schema import read as read_shared

CENTURY = 1930
"""Two-digit years fall into the hundred years that begin here, unless the label set says."""
MOST = 300
"""Characters of a text value, unless the label set says."""
YES_NO = {
    "en": ("yes", "no"),
    "it": ("sì", "no"),
    "es": ("sí", "no"),
    "fr": ("oui", "non"),
    "de": ("ja", "nein"),
    "nl": ("ja", "nee"),
    "pt": ("sim", "não"),
}
"""How booleans are answered, by language, unless the label set says."""


class FieldType(StrEnum):
    """What kind of value a field has."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"
    CATEGORICAL = "categorical"


@dataclass(frozen=True, slots=True)
class Category:
    """One value of a categorical field.

    Attributes:
        value: as files hold it.
        word: as answers write it.
        meaning: for the instruction.
        synonyms: other words that say it.
        alone: whether, of a field with ``many``, it excludes all others.
    """

    value: str
    word: str
    meaning: str = ""
    synonyms: tuple[str, ...] = ()
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that texts may use: ``value * factor + offset`` is in the field's unit."""

    name: str
    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Dates:
    """How dates are written: the order of digits, and where two-digit years begin."""

    order: str = "dmy"
    century: int = CENTURY


@dataclass(frozen=True, slots=True)
class AskedIf:
    """A field is asked about only where another is stated, or has one of the values."""

    field: str
    values: tuple[str | float | bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Derived:
    """A field that is computed from others by a rule of this name."""

    rule: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """One field.

    Attributes:
        name: in every file; unique.
        key: how answers name it.
        description: for the instruction.
        synonyms: other names that answers may use.
        many: whether it has a list of values.
        unit: that of its numbers; empty for none.
        units: the units that texts may use besides.
        bare: whether numbers of the text without a unit may be its value.
        range: least and most that is likely: numbers, or dates as ISO text; ``None`` for open.
        decimals: the decimal mark of its numbers: the language's, unless the label set says;
            what can be no other number (``2.64`` with ``,``) is read all the same.
        tolerance, relative: how far a number may be from the known one and still be equal.
        epsilon: the smallest difference that matters, for relative errors.
        dates: how its dates are written.
        precision: ``day``, ``month`` or ``year``, at which dates are kept and compared.
        evidence: ``required``, ``optional`` or ``none``: whether a value needs a place.
        copied: whether values are words of the text.
        most: characters that a value has at most.
        asked_if: where it is asked at all.
        closed_world: whether exports and scores read "not mentioned" as *no*.
        values: those of a categorical field.
        group: the name of its group; empty for none.
        of: the observation that it describes; empty for none.
        codes: ``{terminology: code}``.
        derived: how it is computed, for a field that is not asked.
        patterns: regular expressions that find it, by the value that a match means; under
            ``""`` those whose match is the value.
    """

    name: str
    key: str
    type: FieldType
    description: str = ""
    synonyms: tuple[str, ...] = ()
    many: bool = False
    unit: str = ""
    units: tuple[Unit, ...] = ()
    bare: bool = True
    range: tuple[float | str | None, float | str | None] = (None, None)
    decimals: str | None = None
    tolerance: float = 0.0
    relative: float = 0.0
    epsilon: float | None = None
    dates: Dates = Dates()
    precision: str = "day"
    evidence: str = "required"
    copied: bool = True
    most: int = MOST
    asked_if: AskedIf | None = None
    closed_world: bool = False
    values: tuple[Category, ...] = ()
    group: str = ""
    of: str = ""
    codes: Mapping[str, str] = field(default_factory=dict)
    derived: Derived | None = None
    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def by_value(self) -> Mapping[str, Category]:
        """The categories by value."""
        return {category.value: category for category in self.values}

    @property
    def figures(self) -> tuple[object, ...]:
        """What two fields share of which a text holds the same dates or numbers."""
        return (self.type, self.dates, self.unit, self.units, self.decimals, self.bare)

    def near(self, known: float, said: float) -> bool:
        """Whether a number is as near to the known one as the label set asks."""
        return abs(said - known) <= max(self.tolerance, self.relative * abs(known)) + 1e-9


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that are asked together, in these sections of the text where any are named."""

    name: str
    fields: tuple[str, ...]
    sections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """That a field has a value: one side of an exclusion."""

    field: str
    value: str | float | bool = True


@dataclass(frozen=True)
class FieldSet:
    """What a label set of fields has of its own.

    Attributes:
        fields: in order.
        groups: fields asked together.
        order: names of dates that must not run backwards, each a chain.
        exclusive: conditions of which at most one holds, each a set.
        yes, no: how booleans are answered.
        observations: the certainty label set that fields with ``of`` belong to; empty for none.
        examples: worked examples: a text, and by field the words of the answer.
    """

    fields: tuple[Field, ...]
    groups: tuple[Group, ...] = ()
    order: tuple[tuple[str, ...], ...] = ()
    exclusive: tuple[tuple[Condition, ...], ...] = ()
    yes: str = "yes"
    no: str = "no"
    observations: str = ""
    examples: tuple[tuple[str, Mapping[str, tuple[str, ...]]], ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """The fields by name."""
        return {one.name: one for one in self.fields}

    @cached_property
    def by_key(self) -> Mapping[str, Field]:
        """The fields by key."""
        return {one.key: one for one in self.fields}

    @cached_property
    def asked(self) -> tuple[Field, ...]:
        """The fields that models are asked for: all that are not computed."""
        return tuple(one for one in self.fields if one.derived is None)

    @cached_property
    def many(self) -> frozenset[str]:
        """The names of the fields that have lists of values."""
        return frozenset(one.name for one in self.fields if one.many)


def fields_of(label_set: LabelSet) -> FieldSet:
    """The fields of a label set.

    Raises:
        TypeError: it is of another task.
    """
    if not isinstance(label_set.own, FieldSet):
        raise TypeError(f"label set {label_set.name} has no fields")
    return label_set.own


def read(file: YamlFile, text: str) -> LabelSet:
    """Check a file and build the label set.

    Raises:
        LabelSetError: it has mistakes; all are listed.
    """
    made = read_shared(file, text, RULES, own=_field_set)
    labels = tuple(
        Label(one.name, one.key, one.description, one.synonyms, codes=one.codes, certainties=())
        for one in fields_of(made).fields
    )
    return replace(made, labels=labels)


def by_group(label_set: LabelSet) -> tuple[LabelSet, ...]:
    """A label set per group, and one of the fields in none; empty where there is one at most.

    What lies between groups (conditions, orders, exclusions, computed fields) is for the whole.
    """
    own = fields_of(label_set)
    names = dict.fromkeys(field.group for field in own.asked)
    found = []
    for name in names if len(names) > 1 else ():
        fields = tuple(_alone(f, own, name) for f in own.asked if f.group == name)
        kept = {field.name for field in fields}
        shown = tuple(
            (text, {one: words for one, words in said.items() if one in kept})
            for text, said in own.examples
        )
        part = replace(own, fields=fields, order=(), exclusive=(), examples=shown)
        labels = tuple(label for label in label_set.labels if label.name in kept)
        text = f"{label_set.text}\n# asked: {name}\n"
        found.append(replace(label_set, labels=labels, own=part, text=text))
    return tuple(found)


def _alone(field: Field, own: FieldSet, group: str) -> Field:
    """A field without a condition on another group's."""
    needed = field.asked_if
    inside = needed is None or own.by_name[needed.field].group == group
    return field if inside else replace(field, asked_if=None)


def _field_set(value: Mapping[str, Any]) -> FieldSet:
    groups = tuple(
        Group(item["name"], tuple(item["fields"]), tuple(item.get("sections") or ()))
        for item in value.get("groups") or ()
    )
    home = {name: group.name for group in groups for name in group.fields}
    yes, no = YES_NO.get(str(value.get("language", "en"))[:2], YES_NO["en"])
    return FieldSet(
        fields=tuple(_field(item, value, home) for item in value["fields"]),
        groups=groups,
        order=tuple(tuple(chain) for chain in value.get("order") or ()),
        exclusive=tuple(tuple(map(_condition, one)) for one in value.get("exclusive") or ()),
        yes=value.get("yes_word", yes),
        no=value.get("no_word", no),
        observations=value.get("observations", ""),
        examples=tuple(
            (
                item["text"],
                {k: _listed(v) for k, v in (item.get("fields") or {}).items() if v is not None},
            )
            for item in value.get("examples") or ()
        ),
    )


def _condition(item: Any) -> Condition:
    if isinstance(item, str):
        return Condition(item)
    return Condition(item["field"], _plain(item["is"]))


def _plain(value: Any) -> str | float | bool:
    """A YAML scalar as a field's value."""
    if isinstance(value, bool):
        return value
    return float(value) if isinstance(value, (int, float)) else str(value)


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _field(item: Mapping[str, Any], whole: Mapping[str, Any], home: Mapping[str, str]) -> Field:
    kind = FieldType(item["type"])
    tolerance = item.get("tolerance", 0)
    if not isinstance(tolerance, dict):
        tolerance = {"absolute": tolerance}
    copied = item.get("copy", True) and item.get("derived") is None
    says = kind in (FieldType.BOOLEAN, FieldType.CATEGORICAL)
    dates = {**(whole.get("dates") or {}), **(item.get("dates") or {})}
    low, high = item.get("range") or (None, None)
    derived = item.get("derived")
    return Field(
        name=item["name"],
        key=item.get("key") or "_".join(item["name"].split()),
        type=kind,
        description=" ".join(str(item.get("description") or "").split()),
        synonyms=tuple(item.get("synonyms") or ()),
        many=item.get("many", False),
        unit=item.get("unit", ""),
        units=tuple(Unit(*each) for each in units_of(item.get("units") or {})),
        bare=item.get("bare", True),
        range=(_bound(low), _bound(high)),
        decimals=item.get("decimals", whole.get("decimals", _mark(whole))),
        tolerance=float(tolerance.get("absolute", 0)),
        relative=float(tolerance.get("relative", 0)),
        epsilon=None if item.get("epsilon") is None else float(item["epsilon"]),
        dates=Dates(dates.get("order", "dmy"), dates.get("century", CENTURY)),
        precision=item.get("precision", "day"),
        evidence=item.get("evidence", _evidence(item, copied=copied and not says)),
        copied=copied and not says,
        most=item.get("most", MOST),
        asked_if=_asked_if(item.get("asked_if")),
        closed_world=item.get("no_means") == "closed-world",
        values=tuple(map(_category, item.get("values") or ())),
        group=home.get(item["name"], ""),
        of=item.get("of", ""),
        codes={str(k): str(v) for k, v in (item.get("codes") or {}).items()},
        derived=None if derived is None else Derived(derived["rule"], tuple(derived["from"])),
        patterns=patterns_of(item.get("patterns")),
    )


def _bound(value: Any) -> float | str | None:
    return None if value is None else str(value) if not _number(value) else float(value)


def _evidence(item: Mapping[str, Any], *, copied: bool) -> str:
    if item.get("derived") is not None:
        return "none"
    return "required" if copied else "optional"


def _mark(whole: Mapping[str, Any]) -> str:
    """The decimal mark of the label set's language."""
    language = str(whole.get("language", "en"))[:2]
    return "," if language in YES_NO and language != "en" else "."


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _asked_if(given: Mapping[str, Any] | None) -> AskedIf | None:
    if given is None:
        return None
    values = given.get("is", [])
    return AskedIf(
        given["field"], tuple(map(_plain, values if isinstance(values, list) else [values]))
    )


def _category(item: Any) -> Category:
    if isinstance(item, str):
        return Category(item, item)
    return Category(
        item["value"],
        item.get("word", item["value"]),
        " ".join(str(item.get("meaning") or "").split()),
        tuple(item.get("synonyms") or ()),
        item.get("alone", False),
    )


def patterns_of(given: Any) -> dict[str, tuple[str, ...]]:
    """Checked expressions by the value that a match means; under ``""`` the match is it."""
    if not isinstance(given, dict):
        return {"": _listed(given)} if given else {}
    return {str(value).lower() if isinstance(value, bool) else str(value): _listed(each)
            for value, each in given.items()}  # fmt: skip
