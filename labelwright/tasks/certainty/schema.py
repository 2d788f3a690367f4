"""The rules of a certainty label set: certainties per observation, and what excludes what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.label_set import Exclusive, LabelSet
from labelwright.labelers.about import check as check_about
from labelwright.records import Certainty
from labelwright.tasks.schema import Rules, Words
from labelwright.tasks.schema import read as read_shared

EXCLUSIVE = ("label", "with")


def read(file: YamlFile, text: str) -> LabelSet:
    """Check a file and build the label set.

    Raises:
        LabelSetError: it has mistakes; all are listed.
    """
    return read_shared(
        file, text, RULES, exclusive=_rules_of, about=lambda value: value.get("about")
    )


def _rules_of(value: Mapping[str, Any]) -> tuple[Exclusive, ...]:
    given = value.get("exclusive") or ()
    return tuple(Exclusive(item["label"], tuple(item["with"])) for item in given)


def _own_certainties(
    file: YamlFile, path: list[Step], item: Mapping[str, Any], words: Words
) -> None:
    value = item.get("certainties")
    if value is None:
        return
    where: list[Step] = [*path, "certainties"]
    if not isinstance(value, list) or len(value) < 2:
        file.problem(where, "certainties must list at least two; for example [positive, blank]")
        return
    for index, said in enumerate(value):
        if said not in list(words):
            known = ", ".join(words)
            file.problem([*where, index], f"unknown certainty {said!r}; use some of: {known}")
    if Certainty.BLANK not in value:
        file.problem(where, "'blank' is missing; a report may always leave an observation out")


def _whole(
    file: YamlFile,
    whole: Mapping[str, Any],
    names: Sequence[str],
    words: Words,  # noqa: ARG001
) -> None:
    if whole.get("about") is not None:
        check_about(file, ["about"], whole["about"])
    value = whole.get("exclusive")
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
                    [*path, "with", number], f"{other!r} is not another label; fix or delete it"
                )


RULES = Rules(
    top=("exclusive", "about", "variant_of"),
    label=("certainties",),
    usual={c: c.value for c in Certainty},
    needed=(Certainty.POSITIVE, Certainty.BLANK),
    each=_own_certainties,
    whole=_whole,
)
