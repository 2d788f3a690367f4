"""Prompts for models behind a server: the label set's own, or another that its task knows."""

from __future__ import annotations

from labelwright import prompt
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.tasks import every_kind, kind_of
from labelwright.tasks.base import Chat

OWN = "labelwright"


def names() -> tuple[str, ...]:
    """What ``--prompt`` takes."""
    return (OWN, *dict.fromkeys(name for kind in every_kind() for name in kind.other_prompts))


def chat(name: str, label_set: LabelSet, text: str) -> Chat:
    """The prompt of a text.

    Raises:
        KeyError: this label set has no such prompt, as :func:`check_prompt` would have said.
    """
    if name == OWN:
        return prompt.messages(label_set, text)
    return kind_of(label_set).prompts(label_set)[name](text)


def check_prompt(name: str, label_set: LabelSet) -> None:
    """Refuse a prompt that cannot ask what the label set asks.

    Raises:
        ConfigError: it is unknown, or not for this label set.
    """
    if name not in names():
        raise ConfigError(f"unknown prompt {name!r}", remedy=f"choose one of: {', '.join(names())}")
    if name != OWN and name not in kind_of(label_set).prompts(label_set):
        asks = next(k.other_prompts[name] for k in every_kind() if name in k.other_prompts)
        raise ConfigError(
            f"the prompt {name} asks for {asks}, and label set {label_set.name} does not",
            remedy="leave --prompt out",
        )


def version_of(name: str, label_set: LabelSet) -> str:
    """Changes whenever the prompt is written otherwise."""
    return prompt.prompt_version(label_set) if name == OWN else f"{name}-1"
