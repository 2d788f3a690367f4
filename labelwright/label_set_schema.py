"""The rules of a label-set file; every breach is reported with its line and remedy."""

from __future__ import annotations

import re
from typing import Any

from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.labelers.about import check as check_about
from labelwright.records import Certainty
from labelwright.tasks.entities.examples import check_examples

CERTAINTY, ENTITIES = TASKS = ("certainty", "entities")
"""Task kinds that this version can run."""

BOTH = ("name", "version", "task", "language", "instruction", "certainties", "labels")
TOP = {
    CERTAINTY: (*BOTH, "exclusive", "about", "variant_of"),
    ENTITIES: (*BOTH, "nesting", "examples"),
}
LABEL = ("name", "key", "description", "synonyms", "parent", "codes", "certainties")
"""Keys of one label; a type of entities has no certainties of its own."""
EXCLUSIVE = ("label", "with")
RESERVED = re.compile(r"[,.;:\n\r\t]|^\s|\s$|\s\s|^$")
"""What a name, key or certainty word may not hold: the answer line uses it."""


def checked(file: YamlFile) -> dict[str, Any]:
    """Return the file's mapping with ``certainties`` normalised to ``{Certainty: word}``.

    Raises:
        LabelSetError: the file breaks a rule; all breaches are listed.
    """
    if not isinstance(file.value, dict):
        file.problem([], f"a label set is a mapping; start with {BOTH[0]}: …")
        file.finish("not a label set")
    value: dict[str, Any] = dict(file.value)
    entities = value.get("task") == ENTITIES
    file.unknown_keys([], value, TOP[ENTITIES if entities else CERTAINTY])
    for key in ("name", "version", "task", "instruction", "labels"):
        if value.get(key) in (None, "", []):
            file.problem([], f"{key!r} is missing; add it")
    for key in ("name", "task", "instruction", "variant_of"):
        if key in value and not isinstance(value[key], str):
            file.problem([key], f"{key!r} must be text; quote it")
    if value.get("version") is not None and not isinstance(value["version"], str):
        file.problem(["version"], f'version must be text; write "{value["version"]}"')
    if isinstance(value.get("task"), str) and value["task"] not in TASKS:
        file.problem(["task"], f"unknown task {value['task']!r}; use one of: {', '.join(TASKS)}")
    if isinstance(value.get("instruction"), str):
        fields = set(re.findall(r"\{(\w*)\}", value["instruction"]))
        for name in sorted(fields - {"labels", "certainties"}):
            file.problem(
                ["instruction"], f"unknown placeholder {{{name}}}; use {{labels}}, {{certainties}}"
            )
    value.setdefault("language", "en")
    words = _certainties(file, value.get("certainties"), entities=entities)
    names = _labels(file, value.get("labels"), words, entities=entities)
    _exclusive(file, value.get("exclusive"), names)
    if not isinstance(value.get("nesting", False), bool):
        file.problem(["nesting"], "nesting must be true or false")
    check_examples(file, value, names, words)
    if value.get("about") is not None:
        check_about(file, ["about"], value["about"])
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


def _certainties(file: YamlFile, value: object, *, entities: bool) -> dict[Certainty, str]:
    if value is None:
        return {} if entities else {c: c.value for c in Certainty}
    pairs: list[tuple[object, object, list[Step]]]
    if isinstance(value, list):
        pairs = [(item, item, ["certainties", i]) for i, item in enumerate(value)]
    elif isinstance(value, dict):
        pairs = [(k, v, ["certainties", str(k)]) for k, v in value.items()]
    else:
        file.problem(["certainties"], "certainties must be a list or a mapping to answer words")
        return {}
    words: dict[Certainty, str] = {}
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
            file.problem(path, f"certainty word {text!r} stands twice; words must differ")
        words[Certainty(str(name))] = text
    for needed in (Certainty.POSITIVE,) if entities else (Certainty.POSITIVE, Certainty.BLANK):
        if needed not in words and not file.problems:
            file.problem(["certainties"], f"{needed.value!r} is missing; every label set needs it")
    if entities and Certainty.BLANK in words:
        file.problem(["certainties"], "a mention cannot be 'blank'; delete it")
    return words


def _labels(
    file: YamlFile, value: object, words: dict[Certainty, str], *, entities: bool
) -> list[str]:
    if not isinstance(value, list):
        if value is not None:
            file.problem(["labels"], "labels must be a list; write '- name: …'")
        return []
    owner: dict[str, str] = {}
    names: list[str] = []
    for index, item in enumerate(value):
        path: list[Step] = ["labels", index]
        if not isinstance(item, dict):
            file.problem(path, "a label is a mapping; write '- name: …'")
            continue
        file.unknown_keys(path, item, LABEL[:-1] if entities else LABEL)
        if "name" not in item:
            file.problem(path, "label without a name; add 'name: …'")
            continue
        name = _text(file, [*path, "name"], item["name"], "label name")
        if name is None:
            continue
        names.append(name)
        _aliases(file, path, item, name, owner, words)
        _own_certainties(file, path, item.get("certainties"), words)
        codes = item.get("codes")
        if codes is not None and not isinstance(codes, dict):
            file.problem([*path, "codes"], "codes must be a mapping; write 'codes: {icd10cm: J90}'")
    for index, item in enumerate(value):
        _parent(file, ["labels", index, "parent"], item, value, names)
    return names


def _aliases(
    file: YamlFile,
    path: list[Step],
    item: dict[str, Any],
    name: str,
    owner: dict[str, str],
    words: dict[Certainty, str],
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
        text = _text(file, where, form, f"label {kind}")
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


def _own_certainties(
    file: YamlFile, path: list[Step], value: object, words: dict[Certainty, str]
) -> None:
    if value is None:
        return
    where: list[Step] = [*path, "certainties"]
    if not isinstance(value, list) or len(value) < 2:
        file.problem(where, "certainties must list at least two; for example [positive, blank]")
        return
    for index, item in enumerate(value):
        if item not in list(words):
            known = ", ".join(words)
            file.problem([*where, index], f"unknown certainty {item!r}; use some of: {known}")
    if Certainty.BLANK not in value:
        file.problem(where, "'blank' is missing; a report may always leave an observation out")


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


def _exclusive(file: YamlFile, value: object, names: list[str]) -> None:
    if value is None:
        return
    if not isinstance(value, list):
        file.problem(["exclusive"], "exclusive must be a list; write '- label: …'")
        return
    for index, item in enumerate(value):
        path: list[Step] = ["exclusive", index]
        if not isinstance(item, dict) or not {"label", "with"} <= set(item):
            file.problem(path, "an exclusive rule has the keys label and with; add them")
            continue
        file.unknown_keys(path, item, EXCLUSIVE)
        if item["label"] not in names:
            file.problem(
                [*path, "label"], f"unknown label {item['label']!r}; name one of the labels"
            )
        others = item["with"] if isinstance(item["with"], list) else [item["with"]]
        if not isinstance(item["with"], list):
            file.problem([*path, "with"], "'with' must be a list of labels; write [a, b]")
        for number, other in enumerate(others):
            if other not in names or other == item["label"]:
                file.problem(
                    [*path, "with", number], f"{other!r} is no other label; mend or delete it"
                )
