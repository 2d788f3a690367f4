"""The models that come with labelwright: small, and trained on no patient's report."""

from __future__ import annotations

from pathlib import Path

from labelwright.errors import ConfigError

MODELS = Path(__file__).parent / "models"
SHIPPED = {"chexpert-14": "labelwright-chest", "chexpert-14-words": "labelwright-chest-135m"}
"""Label set -> folder in ``labelwright/models``."""
USUAL = "chexpert-14"


def named_model(model: str) -> str:
    """The folder of a shipped model that is given by its name; any other ``model`` as it is."""
    shipped = model in SHIPPED.values() and not Path(model).exists()
    return str(MODELS / model) if shipped else model


def shipped_model(label_set: str | None = None) -> Path:
    """The folder of the model for a shipped label set.

    Args:
        label_set: its name; chest X-ray reports (``chexpert-14``) if not given.

    Raises:
        ConfigError: no model comes with labelwright for it.
    """
    folder = SHIPPED.get(label_set or USUAL)
    if folder is None:
        raise ConfigError(
            f"no model for the label set {label_set} comes with labelwright",
            remedy="give --model: a folder that training wrote, a model of the hub, or rules",
        )
    return MODELS / folder
