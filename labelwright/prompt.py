"""The prompt of a label set, whatever its task: an instruction, then the report by itself."""

from __future__ import annotations

from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of
from labelwright.tasks.base import Chat


def prompt_version(label_set: LabelSet) -> str:
    """Changes whenever prompt or answer of the label set's task are written otherwise."""
    return kind_of(label_set).answer_version


def system_prompt(label_set: LabelSet) -> str:
    """The instruction with its placeholders filled; the same for every report."""
    return kind_of(label_set).instruction(label_set)


def faults(label_set: LabelSet, answer: str) -> tuple[str, ...]:
    """What of an answer is not as the label set's task writes it; empty for a right one."""
    return kind_of(label_set).faults(label_set, answer)


def messages(label_set: LabelSet, text: str) -> Chat:
    """The prompt as a chat of a system and a user turn; the report stands alone in the second."""
    return [
        {"role": "system", "content": system_prompt(label_set)},
        {"role": "user", "content": text},
    ]
