"""Prompts for models behind a server: the label set's own, or the one of a published benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from labelwright import prompt
from labelwright.errors import ConfigError
from labelwright.label_set import ENTITIES, LabelSet
from labelwright.tasks.entities.answer import render

Chat = list[dict[str, str]]

OWN, ALMEIDA = "labelwright", "almeida"


def almeida(label_set: LabelSet, text: str) -> Chat:
    """A prompt after that of Almeida et al. (Portuguese clinical entities with few-shot models).

    Their request in other words: the entities in order of appearance, exact text, no paraphrase,
    no overlap, then the list of entities and examples as ``text → response``; the note is the
    user's turn. Responses have a line ``type: text`` per mention.
    """
    names = ", ".join(label.key for label in label_set.labels)
    told = (
        "Extract the following entities from the text, in order of appearance, one per line as "
        "entity: text. Copy the exact text, do not paraphrase, and let no two entities overlap. "
        f"If there are none, answer none. Entities: {names}."
    )
    shown = [
        f"Example:\n{' '.join(example.text.split())}\n→\n{render(label_set, example.entities)}"
        for example in label_set.examples
    ]
    return [
        {"role": "system", "content": "\n\n".join([told, *shown])},
        {"role": "user", "content": text},
    ]


PROMPTS: Mapping[str, Callable[[LabelSet, str], Chat]] = {
    OWN: prompt.messages,
    ALMEIDA: almeida,
}
"""By the name that ``--prompt`` takes."""


def check_prompt(name: str, label_set: LabelSet) -> None:
    """Refuse a prompt that cannot ask what the label set asks.

    Raises:
        ConfigError: it is unknown, or not for this task or for certainties.
    """
    if name not in PROMPTS:
        raise ConfigError(f"unknown prompt {name!r}", remedy=f"choose one of: {', '.join(PROMPTS)}")
    if name != OWN and (label_set.task != ENTITIES or label_set.words):
        raise ConfigError(
            f"the prompt {name} asks for entities without certainties, and label set "
            f"{label_set.name} does not",
            remedy="leave --prompt out",
        )


def version_of(name: str, label_set: LabelSet) -> str:
    """Changes whenever the prompt is written otherwise."""
    return prompt.prompt_version(label_set) if name == OWN else f"{name}-1"
