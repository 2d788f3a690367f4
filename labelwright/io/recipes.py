"""Recipes: YAML files that hold a training's flags, read so that nothing is ignored in silence.

A recipe is a mapping of flag names to values; flags of the command line win over it.
"""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError, LabelSetError
from labelwright.io.yaml_lines import YamlFile


def take_recipe(argv: Sequence[str], shipped: Path) -> tuple[Path | None, list[str]]:
    """The file that ``--config`` names, if any, and the other flags.

    Args:
        shipped: folder of the recipes that can be given by name.

    Raises:
        ConfigError: there is no such recipe.
    """
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    finder.add_argument("--config")
    try:
        found, rest = finder.parse_known_args(list(argv))
    except argparse.ArgumentError:
        raise ConfigError("--config without a file", remedy="write --config RECIPE") from None
    if found.config is None:
        return None, rest
    path = Path(found.config)
    by_name = shipped / f"{found.config}.yaml"
    if not path.is_file() and by_name.is_file():
        return by_name, rest
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in shipped.glob("*.yaml")))
        raise ConfigError(
            f"no recipe {found.config!r}", remedy=f"give a YAML file or one of: {names}"
        )
    return path, rest


def recipe_flags(recipe: Path, names: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """The recipe as flags, so that its values are checked like flags; nulls as defaults.

    Args:
        names: the flags that exist, without their dashes.

    Raises:
        ConfigError: the file is no mapping, or has an unknown or repeated key.
    """
    try:
        file = YamlFile.read(recipe)
        if not isinstance(file.value, dict):
            file.problem([], "a recipe is a mapping; write 'key: value' lines")
        file.unknown_keys([], file.value, sorted(n for n in names if "-" not in n))
        file.finish("mistake in the recipe")
    except LabelSetError as error:
        raise ConfigError(
            error.what, remedy=error.remedy, source=error.source, row=error.row
        ) from None
    nothing: dict[str, Any] = {}
    flags: list[str] = []
    for key, value in file.value.items():
        if value is None:
            nothing[key] = None
        elif isinstance(value, list):
            flags += [f"--{key}", *map(str, value)]
        elif isinstance(value, dict):
            flags += [f"--{key}", json.dumps(value)]
        else:
            flags += [f"--{key}={value}"]
    return nothing, flags


def without_rivals(flags: list[str], given: Sequence[str], group: Iterable[str]) -> list[str]:
    """The recipe's flags, less those of ``group`` if the command line gives any of the group.

    Args:
        group: names of flags of which only one may stand, such as where the weights come from.
    """
    rivals = set(group)
    if not {_name(flag) for flag in given} & rivals:
        return flags
    return [flag for flag in flags if _name(flag) not in rivals]


def _name(flag: str) -> str:
    return flag.split("=")[0].removeprefix("--").replace("-", "_")


def unknown_flag(flag: str, names: Iterable[str], *, command: str) -> ConfigError:
    """The error for a flag that does not exist, with the nearest one that does.

    Args:
        names: the flags that exist, with their dashes.
        command: the command whose ``--help-all`` lists them.
    """
    name = flag.split("=")[0]
    near = difflib.get_close_matches(name, sorted(names), n=1)
    remedy = f"did you mean {near[0]}?" if near else f"see {command} --help-all"
    return ConfigError(f"unknown flag {name}", remedy=remedy)
