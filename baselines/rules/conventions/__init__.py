"""Other conventions than the labeling guide's: changes of the rule files, by name.

A convention is a YAML file in this folder, laid out as the rule files are. ``mentions`` and all
other lists are added to the lists of the same name; phrases under ``without`` are taken out, and
each must be there; ``rest: without_other_findings`` lets no finding outside the label set count.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError, LabelSetError
from labelwright.io.yaml_lines import YamlFile

SHIPPED = Path(__file__).parent


def names() -> list[str]:
    """What a convention may be called."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


class Convention:
    """The changes of one convention.

    Raises:
        ConfigError: there is none of this name, or it is for other labels.
        LabelSetError: its file has mistakes.
    """

    def __init__(self, name: str, label_set: str) -> None:
        if name not in names():
            raise ConfigError(
                f"unknown convention {name!r}", remedy=f"use one of: {', '.join(names())}"
            )
        self.path = SHIPPED / f"{name}.yaml"
        self._changes: Mapping[str, Any] = YamlFile.read(self.path).value
        if (own := self._changes["label_set"]) != label_set:
            raise ConfigError(
                f"convention {name!r} is for label set {own!r}", remedy="leave --convention out"
            )

    def rules(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The observations and the rest of a rules file, changed."""
        changed = deepcopy(dict(value))
        for label, changes in self._changes["observations"].items():
            self._change(changed["observations"].setdefault(label, {}), changes)
        if self._changes["rest"]["without_other_findings"]:
            changed["rest"]["other_findings"] = []
        return changed

    def scope(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The triggers of a scope file, changed."""
        changed = deepcopy(dict(value))
        self._change(changed, self._changes["scope"])
        return changed

    def _change(self, value: dict[str, Any], changes: Mapping[str, Any]) -> None:
        for phrase in changes.get("without", ()):
            if not _taken_out(value, phrase):
                raise LabelSetError(
                    f"there is no phrase {phrase!r} to take out",
                    remedy="it belongs to the shipped rules; leave --rules or --convention out",
                    source=self.path,
                )
        for key, added in changes.items():
            if key == "unchanged":
                value[key] = added
            elif key != "without":
                value[key] = [*added, *value.get(key, ())]


def _taken_out(value: Any, phrase: str) -> bool:
    """Take a phrase out of every list below ``value``; whether it was in one."""
    found = False
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, list):
            found |= phrase in part
            part[:] = [one for one in part if one != phrase]
        if isinstance(part, list | dict):
            found |= _taken_out(part, phrase)
    return found
