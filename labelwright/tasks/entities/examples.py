"""The rules of the worked examples in a label set of entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.records import Certainty
from labelwright.text.grounding import Grounder

EXAMPLE = ("text", "entities")
MENTION = ("type", "text", "certainty")


def check_examples(
    file: YamlFile,
    value: Mapping[str, Any],
    names: Sequence[str],
    words: Mapping[Certainty, str],
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
    words: Mapping[Certainty, str],
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
