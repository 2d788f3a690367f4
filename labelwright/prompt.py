"""The prompt of a label set, whatever its task: an instruction, then the report by itself."""

from __future__ import annotations

from functools import lru_cache

from labelwright.label_set import ENTITIES, LabelSet
from labelwright.tasks.certainty import answer as certainty
from labelwright.tasks.entities import answer as entities


def prompt_version(label_set: LabelSet) -> str:
    """Changes whenever prompt or answer of the label set's task are written otherwise."""
    if label_set.task == ENTITIES:
        return entities.PROMPT_VERSION
    return certainty.PROMPT_VERSION


@lru_cache(maxsize=64)
def system_prompt(label_set: LabelSet) -> str:
    """The instruction with its placeholders filled; the same for every report."""
    if label_set.task != ENTITIES:
        return certainty.system_prompt(label_set)
    words = ", ".join(label_set.words.values())
    filled = label_set.instruction.replace("{labels}", entities.listing(label_set))
    told = " ".join(filled.replace("{certainties}", words).split())
    shown = [
        f"Text: {' '.join(example.text.split())}\n"
        f"Answer:\n{entities.render(label_set, example.entities)}"
        for example in label_set.examples
    ]
    return "\n\n".join([told, *shown])


def faults(label_set: LabelSet, answer: str) -> tuple[str, ...]:
    """What of an answer is not as the label set's task writes it; empty for a right one."""
    if label_set.task == ENTITIES:
        return entities.faults(label_set, answer)
    parsed = certainty.parse(label_set, answer, ended=True)
    return parsed.problems + parsed.notes


def messages(label_set: LabelSet, text: str) -> list[dict[str, str]]:
    """The prompt as a chat of a system and a user turn; the report stands alone in the second."""
    return [
        {"role": "system", "content": system_prompt(label_set)},
        {"role": "user", "content": text},
    ]
