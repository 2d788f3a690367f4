"""Report and answer -> one instruction record, in the form that training reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelwright.label_set import LabelSet
from labelwright.prompt import messages

FORMATS = ("trl", "alpaca")
"""``trl``: prompt and completion as chat turns; ``alpaca``: instruction, input, output."""


def record(
    label_set: LabelSet, identifier: str, text: str, answer: str, *, meta: Mapping[str, Any]
) -> dict[str, Any]:
    """The record ``{id, prompt: [system, user], completion: [assistant], meta}``."""
    return {
        "id": identifier,
        "prompt": messages(label_set, text),
        "completion": [{"role": "assistant", "content": answer}],
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
