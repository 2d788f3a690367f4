"""The checks of a label set of fields; every breach has its line and its remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from labelwright.errors import ConfigError, LabelSetError
from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.label_set import LabelSet
from labelwright.tasks.schema import Rules, Words
from labelwright.text.expressions import compiled

TYPES = ("text", "number", "date", "boolean", "categorical")
SHARED = ("type", "many", "evidence", "asked_if", "of", "derived", "patterns")
OWN: Mapping[str, tuple[str, ...]] = {
    "text": ("most", "copy"),
    "number": ("unit", "units", "bare", "range", "decimals", "tolerance", "epsilon", "copy"),
    "date": ("dates", "precision", "range", "copy"),
    "boolean": ("no_means",),
    "categorical": ("values",),
}
"""The keys that only fields of a type have."""
ORDERS = ("dmy", "mdy", "ymd")
PRECISIONS = ("day", "month", "year")
EVIDENCE = ("required", "optional", "none")
DERIVED: Mapping[str, tuple[str, str, int, int]] = {
    "years": ("number", "date", 2, 2),
    "days": ("number", "date", 2, 2),
    "sum": ("number", "number", 2, 99),
    "difference": ("number", "number", 2, 2),
    "ratio": ("number", "number", 2, 2),
    "bmi": ("number", "number", 2, 2),
    "any": ("boolean", "boolean", 1, 99),
    "all": ("boolean", "boolean", 1, 99),
    "count": ("number", "boolean", 1, 99),
}
"""The rules of computed fields: type of the field, type of its sources, how many they are."""
EMPTY = "-"
"""What stands for "not mentioned" where an answer must say something."""
ISO = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


def units_of(given: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Name, factor and offset of each unit of a checked mapping."""
    for name, factor in given.items():
        if isinstance(factor, dict):
            yield str(name), ratio(factor.get("factor", 1)), ratio(factor.get("offset", 0))
        else:
            yield str(name), ratio(factor), 0.0


def ratio(given: object) -> float:
    """A number, or a fraction in text such as ``1/12``.

    Raises:
        ValueError, ZeroDivisionError: it is neither.
    """
    if isinstance(given, str):
        above, _, below = given.partition("/")
        return float(above) / float(below or 1)
    if not number(given):
        raise ValueError("no number")
    return float(given)  # type: ignore[arg-type]


def _factor(given: object) -> float | None:
    try:
        return ratio(given)
    except (ValueError, ZeroDivisionError):
        return None


def number(value: object) -> bool:
    """Whether YAML read a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _each(file: YamlFile, path: list[Step], item: Mapping[str, Any], words: Words) -> None:
    """Check one field by itself."""
    del words
    kind = item.get("type")
    if kind not in TYPES:
        file.problem([*path, "type"], f"type {kind!r} is none; use one of: {', '.join(TYPES)}")
        return
    for key in item:
        home = [one for one, keys in OWN.items() if key in keys]
        if home and kind not in home:
            file.problem([*path, key], f"{key!r} is for {' and '.join(home)} fields; delete it")
    if item.get("parent") is not None:
        file.problem([*path, "parent"], "fields have no parent; use groups")
    short = item.get("key")
    if isinstance(short, str) and (" " in short or short == EMPTY):
        file.problem([*path, "key"], f"key {short!r} must be one word; shorten it")
    if item.get("bare") is False and not (item.get("unit") or item.get("units")):
        file.problem([*path, "bare"], "'bare: false' asks for units; name some")
    for name in ("many", "copy", "bare"):
        _one_of(file, path, item, name, (True, False))
    _one_of(file, path, item, "evidence", EVIDENCE)
    _one_of(file, path, item, "no_means", ("stated", "closed-world"))
    _one_of(file, path, item, "precision", PRECISIONS)
    _one_of(file, path, item, "decimals", (",", "."))
    _dates(file, [*path, "dates"], item.get("dates"))
    most = item.get("most", 1)
    if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= 20_000:
        file.problem([*path, "most"], "most is a number of characters from 1 to 20000")
    _numbers(file, path, item)
    _range(file, [*path, "range"], item.get("range"), kind)
    if kind == "categorical":
        _values(file, [*path, "values"], item.get("values"), many=item.get("many") is True)
    check_patterns(file, [*path, "patterns"], item, kind)


def _one_of(
    file: YamlFile,
    path: list[Step],
    item: Mapping[str, Any],
    key: str,
    allowed: Sequence[object],
) -> None:
    if key in item and not any(item[key] is a or item[key] == a for a in allowed):
        shown = ", ".join(str(one).lower() for one in allowed)
        file.problem([*path, key], f"{key} cannot be {item[key]!r}; use one of: {shown}")


def _dates(file: YamlFile, path: list[Step], given: object) -> None:
    if given is None:
        return
    if not isinstance(given, dict):
        file.problem(path, "dates is a mapping; write 'dates: {order: dmy, century: 1930}'")
        return
    file.unknown_keys(path, given, ("order", "century"))
    _one_of(file, path, given, "order", ORDERS)
    century = given.get("century", 1930)
    if not isinstance(century, int) or not 1000 <= century <= 9900:
        file.problem([*path, "century"], "century is the first of a hundred years, as in 1930")


def _numbers(file: YamlFile, path: list[Step], item: Mapping[str, Any]) -> None:
    unit = item.get("unit", "")
    if not isinstance(unit, str):
        file.problem([*path, "unit"], "unit must be text; quote it")
    units = item.get("units")
    if units is not None and not isinstance(units, dict):
        file.problem([*path, "units"], "units are a mapping to factors; write 'units: {g: 1000}'")
    elif units:
        for name, factor in units.items():
            where: list[Step] = [*path, "units", str(name)]
            parts = factor if isinstance(factor, dict) else {"factor": factor}
            file.unknown_keys(where, parts, ("factor", "offset"))
            read = {key: _factor(part) for key, part in parts.items()}
            if None in read.values() or read.get("factor") == 0:
                wrong = f"unit {name!r} needs a factor that is a number other than 0"
                file.problem(where, f"{wrong}, such as 1000 or 1/12")
            if not isinstance(name, str):
                file.problem(where, f'a unit must be text; write "{name}"')
    tolerance = item.get("tolerance", 0)
    parts = tolerance if isinstance(tolerance, dict) else {"absolute": tolerance}
    file.unknown_keys([*path, "tolerance"], parts, ("absolute", "relative"))
    if not all(number(part) and part >= 0 for part in parts.values()):
        file.problem([*path, "tolerance"], "tolerance is a number from 0 on, or {relative: 0.05}")
    epsilon = item.get("epsilon", 1)
    if not number(epsilon) or epsilon <= 0:
        file.problem([*path, "epsilon"], "epsilon is a number above 0, in the field's unit")


def _range(file: YamlFile, path: list[Step], given: object, kind: object) -> None:
    if given is None:
        return
    if not isinstance(given, list) or len(given) != 2:
        file.problem(path, "range has two ends, null for an open one; write [0, 120]")
        return
    low, high = given
    if kind == "number":
        if not all(end is None or number(end) for end in given):
            file.problem(path, "the ends of a range are numbers or null; correct them")
        elif low is not None and high is not None and low > high:
            file.problem(path, f"the range runs from {low} down to {high}; turn it round")
        return
    texts = [None if end is None else str(end) for end in given]
    if not all(end is None or ISO.fullmatch(end) for end in texts):
        file.problem(path, "the ends of a range of dates are ISO dates; write ['1990-01-01', null]")
    elif texts[0] is not None and texts[1] is not None and texts[0] > texts[1]:
        file.problem(path, f"the range runs from {low} back to {high}; turn it round")


def _values(file: YamlFile, path: list[Step], given: object, *, many: bool) -> None:
    if not isinstance(given, list) or not given:
        file.problem(path, "a categorical field lists its values; write '- value: …'")
        return
    owner: dict[str, int] = {}
    for index, item in enumerate(given):
        where: list[Step] = [*path, index]
        if isinstance(item, dict):
            file.unknown_keys(where, item, ("value", "word", "meaning", "synonyms", "alone"))
            value, word = item.get("value"), item.get("word", item.get("value"))
            synonyms = item.get("synonyms") or []
            if not isinstance(synonyms, list):
                file.problem([*where, "synonyms"], "synonyms must be a list; write [a, b]")
                synonyms = []
            _one_of(file, where, item, "alone", (True, False) if many else (False,))
        else:
            value = word = item
            synonyms = []
        for what, form in (
            ("value", value),
            ("word", word),
            *(("synonym", each) for each in synonyms),
        ):
            if not isinstance(form, str):
                hint = "YAML reads yes, no and numbers as something else; quote it"
                file.problem(where, f"a {what} must be text, not {type(form).__name__}; {hint}")
            elif form != " ".join(form.split()) or form in ("", EMPTY) or " | " in form:
                file.problem(where, f"{what} {form!r} cannot stand in an answer; reword it")
            elif owner.setdefault(form.casefold(), index) != index:
                file.problem(where, f"{what} {form!r} means two values; every form must be unique")


def check_patterns(file: YamlFile, path: list[Step], item: Mapping[str, Any], kind: object) -> None:
    """Check the expressions of a field of a type."""
    given = item.get("patterns")
    if given is None:
        return
    by_value = kind in ("boolean", "categorical")
    if by_value != isinstance(given, dict):
        form = "a mapping from values to expressions" if by_value else "a list of expressions"
        file.problem(path, f"patterns of {kind} fields are {form}; correct them")
        return
    values = {
        entry.get("value") if isinstance(entry, dict) else entry
        for entry in item.get("values") or ()
    }
    for key, each in given.items() if isinstance(given, dict) else [(None, given)]:
        where = path if key is None else [*path, str(key)]
        if kind == "categorical" and key not in values:
            file.problem(where, f"{key!r} is no value of the field; use one of its values")
        if kind == "boolean" and not isinstance(key, bool):
            file.problem(where, f"{key!r} is neither true nor false; use one of them")
        for expression in each if isinstance(each, list) else [each]:
            try:
                compiled(expression)
            except ConfigError as error:
                file.problem(where, f"{error.what}; correct it")


def _whole(file: YamlFile, whole: Mapping[str, Any], names: Sequence[str], words: Words) -> None:
    """Check what lies between fields, and the keys at the top."""
    del words
    items = [one for one in whole.get("fields") or () if isinstance(one, dict)]
    types = {one.get("name"): one.get("type") for one in items}
    _dates(file, ["dates"], whole.get("dates"))
    _one_of(file, [], whole, "decimals", (",", "."))
    for key in ("yes_word", "no_word"):
        word = whole.get(key, "yes")
        if not isinstance(word, str) or len(word.split()) != 1 or word == EMPTY:
            file.problem([key], f"{key} must be one word; quote it")
    _keys(file, items)
    for index, item in enumerate(whole.get("fields") or ()):
        if isinstance(item, dict):
            _asked_if(file, ["fields", index, "asked_if"], item, items, types)
            _derived(file, ["fields", index, "derived"], item, types)
    _observations(file, whole, items)
    _lists(file, whole, "groups", _group(names))
    _lists(file, whole, "order", _chain(types))
    _lists(file, whole, "exclusive", _exclusion(types))
    _lists(file, whole, "examples", _example(names))


def _keys(file: YamlFile, items: Sequence[Mapping[str, Any]]) -> None:
    """The keys that fields get of their names are unique, too."""
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        name = item.get("name")
        key = item.get("key") or ("_".join(name.split()) if isinstance(name, str) else None)
        if isinstance(key, str) and seen.setdefault(key.casefold(), index) != index:
            file.problem(["fields", index], f"key {key!r} stands twice; give another key")


def _asked_if(
    file: YamlFile,
    path: list[Step],
    item: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]],
    types: Mapping[Any, Any],
) -> None:
    given = item.get("asked_if")
    if given is None:
        return
    if not isinstance(given, dict):
        file.problem(path, "asked_if is a mapping; write 'asked_if: {field: X, is: true}'")
        return
    file.unknown_keys(path, given, ("field", "is"))
    other = given.get("field")
    if other not in types or other == item.get("name"):
        file.problem(path, f"asked_if names {other!r}, which is no other field; correct it")
        return
    said = given.get("is", [])
    source = next(one for one in items if one.get("name") == other)
    for value in said if isinstance(said, list) else [said]:
        _fits(file, path, source, value)
    seen = {item.get("name")}
    conditions = {one.get("name"): one.get("asked_if") for one in items}
    while other is not None and other not in seen:
        seen.add(other)
        step = conditions.get(other)
        other = step.get("field") if isinstance(step, dict) else None
    if other is not None:
        file.problem(path, "asked_if goes in a circle; cut it")


def _fits(file: YamlFile, path: list[Step], item: Mapping[str, Any], value: object) -> None:
    """A value that a condition compares is one that the field can have."""
    kind = item.get("type")
    if kind == "boolean" and not isinstance(value, bool):
        file.problem(path, f"{item['name']} is true or false, not {value!r}; correct the condition")
    if kind == "categorical":
        known = [
            entry.get("value") if isinstance(entry, dict) else entry
            for entry in item.get("values") or ()
        ]
        if value not in known:
            file.problem(path, f"{value!r} is no value of {item['name']}; use one of its values")


def _derived(
    file: YamlFile, path: list[Step], item: Mapping[str, Any], types: Mapping[Any, Any]
) -> None:
    given = item.get("derived")
    if given is None:
        return
    if not isinstance(given, dict) or given.get("rule") not in DERIVED:
        file.problem(path, f"derived needs a rule; use one of: {', '.join(DERIVED)}")
        return
    file.unknown_keys(path, given, ("rule", "from"))
    made, of, least, most = DERIVED[given["rule"]]
    if item.get("type") != made or item.get("many"):
        file.problem(path, f"rule {given['rule']} makes a single {made}; change the field's type")
    sources = given.get("from")
    if not isinstance(sources, list) or not least <= len(sources) <= most:
        count = str(least) if least == most else f"at least {least}"
        file.problem([*path, "from"], f"rule {given['rule']} needs {count} fields; list them")
        return
    for source in sources:
        if types.get(source) != of or source == item.get("name"):
            file.problem(
                [*path, "from"],
                f"{source!r} is no other {of} field; rule {given['rule']} needs them",
            )


def _observations(
    file: YamlFile, whole: Mapping[str, Any], items: Sequence[Mapping[str, Any]]
) -> None:
    """Fields of observations need the label set that has these."""
    name = whole.get("observations")
    if name is None:
        for index, item in enumerate(items):
            if item.get("of") is not None:
                file.problem(
                    ["fields", index, "of"],
                    "'of' names an observation; add 'observations: LABEL SET' at the top",
                )
        return
    try:
        known = LabelSet.load(str(name)).names
    except LabelSetError:
        file.problem(["observations"], f"no label set {name!r}; name one with observations")
        return
    for index, item in enumerate(items):
        if item.get("of") is not None and item["of"] not in known:
            file.problem(["fields", index, "of"], f"{item['of']!r} is not in label set {name}")


Check = Callable[[YamlFile, list[Step], Any], None]


def _lists(file: YamlFile, whole: Mapping[str, Any], key: str, check: Check) -> None:
    given = whole.get(key)
    if given is None:
        return
    if not isinstance(given, list):
        file.problem([key], f"{key} must be a list; write '- …'")
        return
    for index, item in enumerate(given):
        check(file, [key, index], item)


def _group(names: Sequence[str]) -> Check:
    home: dict[str, str] = {}

    def check(file: YamlFile, path: list[Step], item: Any) -> None:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            file.problem(path, "a group has a name and fields; write '- {name: …, fields: […]}'")
            return
        file.unknown_keys(path, item, ("name", "fields", "sections"))
        fields = item.get("fields")
        if not isinstance(fields, list) or not fields:
            file.problem(path, "a group lists its fields; write 'fields: [a, b]'")
            return
        for name in fields:
            if name not in names:
                file.problem([*path, "fields"], f"{name!r} is no field; name one of the fields")
            elif home.setdefault(name, item["name"]) != item["name"]:
                file.problem([*path, "fields"], f"{name!r} is in two groups; choose one")
        if not isinstance(item.get("sections", []), list):
            file.problem([*path, "sections"], "sections must be a list; write [header]")

    return check


def _chain(types: Mapping[Any, Any]) -> Check:
    def check(file: YamlFile, path: list[Step], item: Any) -> None:
        if not isinstance(item, list) or len(item) < 2:
            file.problem(path, "an order lists two dates or more; write '- [first, second]'")
            return
        for name in item:
            if types.get(name) != "date":
                file.problem(path, f"{name!r} is no date field; name dates")

    return check


def _exclusion(types: Mapping[Any, Any]) -> Check:
    def check(file: YamlFile, path: list[Step], item: Any) -> None:
        if not isinstance(item, list) or len(item) < 2:
            file.problem(path, "what excludes each other is a list of two or more; write [a, b]")
            return
        for one in item:
            name = one.get("field") if isinstance(one, dict) else one
            if name not in types:
                file.problem(path, f"{name!r} is no field; name one of the fields")
            elif isinstance(one, dict):
                file.unknown_keys(path, one, ("field", "is"))
                if "is" not in one:
                    file.problem(path, "a condition has a value; write {field: X, is: v}")
            elif types[name] != "boolean":
                file.problem(path, f"{name!r} is not boolean; write {{field: {name}, is: v}}")

    return check


def _example(names: Sequence[str]) -> Check:
    def check(file: YamlFile, path: list[Step], item: Any) -> None:
        text = item.get("text") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(text, str) or not text.strip():
            file.problem(path, "an example is a mapping with a text; write '- text: …'")
            return
        file.unknown_keys(path, item, ("text", "fields"))
        fields = item.get("fields") or {}
        if not isinstance(fields, dict):
            file.problem([*path, "fields"], "fields are a mapping; write 'fields: {name: words}'")
            return
        for name, said in fields.items():
            if name not in names:
                file.problem(
                    [*path, "fields", str(name)], f"{name!r} is no field; correct the name"
                )
            for words in said if isinstance(said, list) else [said]:
                if words is not None and (not isinstance(words, str) or not words.strip()):
                    file.problem(
                        [*path, "fields", str(name)], f"what {name} says must be text; quote it"
                    )

    return check


RULES = Rules(
    items="fields",
    certainties=False,
    top=(
        "dates",
        "decimals",
        "yes_word",
        "no_word",
        "groups",
        "order",
        "exclusive",
        "observations",
        "examples",
    ),
    label=(*SHARED, *dict.fromkeys(key for keys in OWN.values() for key in keys)),
    each=_each,
    whole=_whole,
)
