"""A label set of findings in three kinds, and entities by their words."""

from __future__ import annotations

import json
from typing import Any

from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Entity
from labelwright.tasks.entities.answer import parse

FINDINGS: dict[str, Any] = {
    "name": "findings",
    "version": "1",
    "task": "entities",
    "instruction": "List the mentions of: {labels}.",
    "labels": [
        {"name": "Disease", "description": "a disease or syndrome."},
        {"name": "Chemical substance", "key": "Chemical", "synonyms": ["drug"]},
    ],
}


def made(**changes: Any) -> LabelSet:
    """The label set of these tests, changed."""
    return LabelSet.from_text(json.dumps(FINDINGS | changes))


PLAIN = made()
NESTED = made(nesting=True)
SURE = made(certainties={"positive": "present", "negative": "negated"})


def at(text: str, kind: str, *mentions: str, certainty: Certainty | None = None) -> Entity:
    """The entity at the first place of each part."""
    spans = [(text.index(m), text.index(m) + len(m)) for m in mentions]
    return Entity.of(text, kind, *spans, certainty=certainty)


def spans_of(label_set: LabelSet, answer: str, text: str) -> list[tuple[tuple[int, int], ...]]:
    return [entity.spans for entity in parse(label_set, answer, text).value]
