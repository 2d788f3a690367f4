"""The rules of a label-set file that all task kinds share; every breach has its line and remedy.

A kind reads its files with :func:`read`, which checks what is common and calls the kind for the
rest: which further keys there are, which certainties, and its own checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from labelwright import kinds
from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.label_set import Label, LabelSet
from labelwright.records import Certainty

TOP = ("name", "version", "task", "language", "instruction", "certainties", "labels")
LABEL = ("name", "key", "description", "synonyms", "parent", "codes")
RESERVED = re.compile(r"[,.;:\n\r\t]|^\s|\s$|\s\s|^$")
"""What a name, key or certainty word may not hold: the answer line uses it."""

Words = dict[Certainty, str]


@dataclass(frozen=True)
class Rules:
    """What a kind's files have of their own.

    Attributes:
        top: further keys at the top.
        label: further keys of a label.
        items: the key of the list of labels, which is also their placeholder in instructions.
        certainties: whether the file may name certainties.
        usual: the certainties where the file names none, with their words.
        needed: certainties that a file that names some must name.
        each: checks one label: file, its place, its mapping, the certainties.
        whole: checks the rest: file, its mapping, the names of the labels, the certainties.
    """

    top: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    items: str = "labels"
    certainties: bool = True
    usual: Mapping[Certainty, str] = field(default_factory=dict)
    needed: tuple[Certainty, ...] = ()
    each: Callable[[YamlFile, list[Step], Mapping[str, Any], Words], None] | None = None
    whole: Callable[[YamlFile, Mapping[str, Any], Sequence[str], Words], None] | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys at the top."""
        shared = (self.items if key == "labels" else key for key in TOP)
        return (*(k for k in shared if k != "certainties" or self.certainties), *self.top)


def read(file: YamlFile, text: str, rules: Rules | None = None, **own: Any) -> LabelSet:
    """Check a file and build the label set of it; without rules it can only be wrong.

    Args:
        own: further fields of the label set, each a function of the file's checked mapping.

    Raises:
        LabelSetError: the file breaks a rule; all breaches are listed.
    """
    value = _checked(file, rules)
    allowed = tuple(value["certainties"])
    return LabelSet(
        name=value["name"],
        version=str(value["version"]),
        task=value["task"],
        language=value["language"],
        instruction=value["instruction"].strip(),
        labels=tuple(_label(item, allowed) for item in value[(rules or Rules()).items]),
        words=dict(value["certainties"]),
        text=text,
        kin=value.get("variant_of") or value["name"],
        **{name: of(value) for name, of in own.items()},
    )


def _checked(file: YamlFile, rules: Rules | None) -> dict[str, Any]:
    """The file's mapping with ``certainties`` normalised to ``{Certainty: word}``."""
    if not isinstance(file.value, dict):
        file.problem([], f"a label set is a mapping; start with {TOP[0]}: …")
        file.finish("not a label set")
    value: dict[str, Any] = dict(file.value)
    shared = Rules() if rules is None else rules
    items = shared.items
    if rules is None:  # what else there may be, only the kind would know
        value_like = {k: v for k, v in value.items() if get_close_matches(str(k), TOP, n=1)}
        file.unknown_keys([], value_like, TOP)
    else:
        file.unknown_keys([], value, rules.keys)
    for key in ("name", "version", "task", "instruction", items):
        if value.get(key) in (None, "", []):
            file.problem([], f"{key!r} is missing; add it")
    for key in ("name", "task", "instruction", "variant_of"):
        if key in value and not isinstance(value[key], str):
            file.problem([key], f"{key!r} must be text; quote it")
    if value.get("version") is not None and not isinstance(value["version"], str):
        file.problem(["version"], f'version must be text; write "{value["version"]}"')
    if isinstance(value.get("task"), str) and value["task"] not in kinds.KINDS:
        known = ", ".join(kinds.KINDS)
        file.problem(["task"], f"unknown task {value['task']!r}; use one of: {known}")
    if isinstance(value.get("instruction"), str):
        fields = set(re.findall(r"\{(\w*)\}", value["instruction"]))
        allowed = [items, "certainties"] if shared.certainties else [items]
        use = ", ".join(f"{{{name}}}" for name in allowed)
        for name in sorted(fields.difference(allowed)):
            file.problem(["instruction"], f"unknown placeholder {{{name}}}; use {use}")
    value.setdefault("language", "en")
    words = _certainties(file, value.get("certainties"), shared)
    names = _labels(file, items, value.get(items), words, rules)
    if shared.whole is not None:
        shared.whole(file, value, names, words)
    file.finish("mistake in the label set")
    value["certainties"] = words
    return value


def _text(file: YamlFile, path: list[Step], value: object, what: str) -> str | None:
    if not isinstance(value, str):
        hint = "YAML reads yes, no, on, off and numbers as something else; quote it"
        file.problem(path, f"{what} must be text, not {type(value).__name__}; {hint}")
        return None
    if RESERVED.search(value):
        file.problem(
            path, f"{what} {value!r} must not be empty or hold , . ; : or stray spaces; reword it"
        )
        return None
    return value


def _certainties(file: YamlFile, value: object, rules: Rules) -> Words:
    if value is None:
        return dict(rules.usual)
    pairs: list[tuple[object, object, list[Step]]]
    if isinstance(value, list):
        pairs = [(item, item, ["certainties", i]) for i, item in enumerate(value)]
    elif isinstance(value, dict):
        pairs = [(k, v, ["certainties", str(k)]) for k, v in value.items()]
    else:
        file.problem(["certainties"], "certainties must be a list or a mapping to answer words")
        return {}
    words: Words = {}
    for name, word, path in pairs:
        if name not in Certainty.__members__.values():
            file.problem(path, f"unknown certainty {name!r}; use some of: {', '.join(Certainty)}")
            continue
        text = _text(file, list(path), word, "certainty word")
        if text is None:
            continue
        if " " in text:
            file.problem(path, f"certainty word {text!r} must be one word; shorten it")
        if text.casefold() in {w.casefold() for w in words.values()}:
            file.problem(path, f"certainty word {text!r} appears twice; words must differ")
        words[Certainty(str(name))] = text
    for needed in rules.needed:
        if needed not in words and not file.problems:
            file.problem(["certainties"], f"{needed.value!r} is missing; every label set needs it")
    return words


def _labels(
    file: YamlFile, items: str, value: object, words: Words, rules: Rules | None
) -> list[str]:
    one = items.removesuffix("s")
    if not isinstance(value, list):
        if value is not None:
            file.problem([items], f"{items} must be a list; write '- name: …'")
        return []
    owner: dict[str, str] = {}
    names: list[str] = []
    for index, item in enumerate(value):
        path: list[Step] = [items, index]
        if not isinstance(item, dict):
            file.problem(path, f"a {one} is a mapping; write '- name: …'")
            continue
        if rules is not None:
            file.unknown_keys(path, item, (*LABEL, *rules.label))
        if "name" not in item:
            file.problem(path, f"{one} without a name; add 'name: …'")
            continue
        name = _text(file, [*path, "name"], item["name"], f"{one} name")
        if name is None:
            continue
        names.append(name)
        _aliases(file, path, item, name, owner, words)
        if rules is not None and rules.each is not None:
            rules.each(file, path, item, words)
        codes = item.get("codes")
        if codes is not None and not isinstance(codes, dict):
            file.problem([*path, "codes"], "codes must be a mapping; write 'codes: {icd10cm: J90}'")
    for index, item in enumerate(value):
        _parent(file, [items, index, "parent"], item, value, names)
    return names


def _aliases(
    file: YamlFile,
    path: list[Step],
    item: dict[str, Any],
    name: str,
    owner: dict[str, str],
    words: Words,
) -> None:
    synonyms = item.get("synonyms") or []
    if not isinstance(synonyms, list):
        file.problem([*path, "synonyms"], "synonyms must be a list; write [a, b]")
        synonyms = []
    own: set[str] = set()
    forms = [("name", name, [*path, "name"])]
    if item.get("key") is not None:
        forms.append(("key", item["key"], [*path, "key"]))
    forms += [("synonym", s, [*path, "synonyms", i]) for i, s in enumerate(synonyms)]
    for kind, form, where in forms:
        text = _text(file, where, form, f"{str(path[0]).removesuffix('s')} {kind}")
        if text is None:
            continue
        folded = text.casefold()
        if folded in owner and (owner[folded] != name or kind == "name"):
            file.problem(
                where, f"{kind} {text!r} already means {owner[folded]!r}; every form must be unique"
            )
        elif folded in own and kind == "synonym":
            file.problem(where, f"synonym {text!r} repeats a form of {name!r}; delete it")
        if folded in {w.casefold() for w in words.values()}:
            file.problem(where, f"{kind} {text!r} is also a certainty word; rename one of them")
        owner.setdefault(folded, name)
        own.add(folded)


def _parent(
    file: YamlFile, path: list[Step], item: object, items: list[Any], names: list[str]
) -> None:
    parent = item.get("parent") if isinstance(item, dict) else None
    if parent is None:
        return
    if parent not in names:
        file.problem(path, f"unknown parent {parent!r}; use the name of another label")
        return
    parents = {i.get("name"): i.get("parent") for i in items if isinstance(i, dict)}
    seen, at = set(), parent
    while at is not None and at not in seen:
        seen.add(at)
        at = parents.get(at)
    if isinstance(item, dict) and item.get("name") in seen:
        file.problem(path, f"{item['name']!r} is its own ancestor; cut the circle")


def _label(item: Mapping[str, Any], allowed: tuple[Certainty, ...]) -> Label:
    own = item.get("certainties")
    return Label(
        name=item["name"],
        key=item.get("key") or item["name"],
        description=" ".join(str(item.get("description") or "").split()),
        synonyms=tuple(item.get("synonyms") or ()),
        parent=item.get("parent"),
        codes={str(k): str(v) for k, v in (item.get("codes") or {}).items()},
        certainties=allowed if own is None else tuple(c for c in allowed if c in own),
    )
