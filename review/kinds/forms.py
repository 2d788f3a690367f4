"""The form of any label set."""

from __future__ import annotations

from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.tasks import extension, kind_of
from review.kinds.base import Form
from review.kinds.choices import ChoicesForm


def form_of(label_set: LabelSet) -> Form:
    """The form of a label set's kind.

    Raises:
        ConfigError: labels of this kind cannot be reviewed.
    """
    kind = kind_of(label_set)
    if (module := extension(kind, "review.kinds")) is not None:
        made: Form = module.FORM(label_set)
        return made
    if kind.choices(label_set) is None:
        raise ConfigError(
            f"label sets of the task {kind.name} cannot be reviewed",
            remedy="give one whose answers are choices, or of another task",
        )
    return ChoicesForm(label_set)
