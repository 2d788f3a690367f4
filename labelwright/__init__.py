"""labelwright: instruction-tuned generative labelers for clinical text.

The names below are the public Python API; everything else may change without notice.

>>> import labelwright
>>> labeler = labelwright.load("rules")
>>> labeler.label(["No pneumothorax."])[0].labels["Pneumothorax"].value
'negative'

Importing this module imports neither torch nor pandas: each name is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from labelwright.version import __version__

if TYPE_CHECKING:
    from labelwright import errors
    from labelwright.api import (
        Build,
        Comparison,
        Labeler,
        build,
        compare,
        label,
        load,
        read_predictions,
        read_reports,
    )
    from labelwright.label_set import LabelSet
    from labelwright.records import Certainty, Entity, Prediction, Reject, Report

_HOMES = {
    "labelwright.api": (
        *("Build", "Comparison", "Labeler", "build", "compare", "label", "load"),
        *("read_predictions", "read_reports"),
    ),
    "labelwright.label_set": ("LabelSet",),
    "labelwright.records": ("Certainty", "Entity", "Prediction", "Reject", "Report"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Build",
    "Certainty",
    "Comparison",
    "Entity",
    "LabelSet",
    "Labeler",
    "Prediction",
    "Reject",
    "Report",
    "__version__",
    "build",
    "compare",
    "errors",
    "label",
    "load",
    "read_predictions",
    "read_reports",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("labelwright.errors")
    if (home := _HOME.get(name)) is None:
        raise AttributeError(f"module 'labelwright' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
