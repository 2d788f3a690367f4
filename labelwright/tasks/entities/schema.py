"""The rules of a label set of entities: certainties where asked for, nesting, worked examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.label_set import Example, LabelSet
from labelwright.records import Certainty, Entity
from labelwright.tasks.schema import Rules, Words
from labelwright.tasks.schema import read as read_shared
from labelwright.text.grounding import Grounder

EXAMPLE = ("text", "entities")
MENTION = ("type", "text", "certainty")


def read(file: YamlFile, text: str) -> LabelSet:
    """Check a file and build the label set.

    Raises:
        LabelSetError: it has mistakes; all are listed.
    """
    return read_shared(file, text, RULES, nesting=_nesting, examples=_examples)


def _nesting(value: Mapping[str, Any]) -> bool:
    return bool(value.get("nesting", False))


def _examples(value: Mapping[str, Any]) -> tuple[Example, ...]:
    return tuple(_example(item, _nesting(value)) for item in value.get("examples") or ())


def _example(item: Mapping[str, Any], nesting: bool) -> Example:
    """Every mention stands in the text, as was checked."""
    grounder = Grounder(item["text"], nesting=nesting)
    return Example(
        item["text"],
        tuple(
            Entity.of(
                item["text"],
                mention["type"],
                *grounder.place(mention["type"], mention["text"])[0],
                certainty=Certainty(mention["certainty"]) if "certainty" in mention else None,
            )
            for mention in item.get("entities") or ()
        ),
    )


def _check(file: YamlFile, value: Mapping[str, Any], names: Sequence[str], words: Words) -> None:
    if Certainty.BLANK in words:
        file.problem(["certainties"], "a mention cannot be 'blank'; delete it")
    if not isinstance(value.get("nesting", False), bool):
        file.problem(["nesting"], "nesting must be true or false")
    _check_examples(file, value, names, words)


def _check_examples(
    file: YamlFile,
    value: Mapping[str, Any],
    names: Sequence[str],
    words: Words,
) -> None:
    """Report every breach: a mention must be of a known type and stand in its text."""
    examples = value.get("examples")
    if examples is None:
        return
    if not isinstance(examples, list):
        file.problem(["examples"], "examples must be a list; write '- text: …'")
        return
    for index, example in enumerate(examples):
        path: list[Step] = ["examples", index]
        text = example.get("text") if isinstance(example, dict) else None
        if not isinstance(example, dict) or not isinstance(text, str) or not text.strip():
            file.problem(path, "an example is a mapping with a text; write '- text: …'")
            continue
        file.unknown_keys(path, example, EXAMPLE)
        mentions = example.get("entities") or []
        if not isinstance(mentions, list):
            file.problem([*path, "entities"], "entities must be a list; write '- type: …'")
            continue
        grounder = Grounder(text, nesting=bool(value.get("nesting", False)))
        for number, mention in enumerate(mentions):
            _mention(file, [*path, "entities", number], mention, grounder, names, words)


def _mention(
    file: YamlFile,
    path: list[Step],
    mention: object,
    grounder: Grounder,
    names: Sequence[str],
    words: Words,
) -> None:
    if not isinstance(mention, dict):
        file.problem(path, "an entity is a mapping; write '- type: …'")
        return
    file.unknown_keys(path, mention, MENTION)
    kind, text, certainty = (mention.get(key) for key in MENTION)
    if kind not in names:
        file.problem(path, f"unknown type {kind!r}; use the name of a label")
    if (certainty not in list(words)) if words else certainty is not None:
        known = ", ".join(words) or "none, or give the label set certainties"
        file.problem(path, f"certainty {certainty!r} does not fit; use: {known}")
    if not isinstance(text, str) or not grounder.place(str(kind), text)[0]:
        file.problem(path, "the mention does not stand in the example's text, or not once more")


RULES = Rules(top=("nesting", "examples"), needed=(Certainty.POSITIVE,), whole=_check)
