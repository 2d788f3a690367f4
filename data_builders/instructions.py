"""Report and labels -> one instruction record, in the form that training reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelwright.certainty import render
from labelwright.label_set import LabelSet
from labelwright.prompt import messages
from labelwright.records import Labels

FORMATS = ("trl", "alpaca")
"""``trl``: prompt and completion as chat turns; ``alpaca``: instruction, input, output."""


def record(
    label_set: LabelSet, identifier: str, text: str, labels: Labels, *, meta: Mapping[str, Any]
) -> dict[str, Any]:
    """The record ``{id, prompt: [system, user], completion: [assistant], meta}``.

    Raises:
        ValueError: the labels do not fit the label set.
    """
    return {
        "id": identifier,
        "prompt": messages(label_set, text),
        "completion": [{"role": "assistant", "content": render(label_set, labels)}],
        "meta": dict(meta),
    }


def alpaca(made: Mapping[str, Any]) -> dict[str, Any]:
    """A record as ``{id, instruction, input, output, meta}``; the same three texts."""
    system, user = made["prompt"]
    (answer,) = made["completion"]
    return {
        "id": made["id"],
        "instruction": system["content"],
        "input": user["content"],
        "output": answer["content"],
        "meta": made["meta"],
    }


def readable(made: Mapping[str, Any]) -> str:
    """A record for the eye, turn by turn."""
    turns = [*made["prompt"], *made["completion"]]
    parts = [f"=== {made['id']}", *(f"--- {turn['role']}\n{turn['content']}" for turn in turns)]
    return "\n".join(parts) + "\n"
