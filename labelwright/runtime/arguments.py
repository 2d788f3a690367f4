"""Flags and recipes of every training: ours and those of a library, declared once, read as one.

A recipe is a YAML mapping of the same names as the flags; flags win. Nothing is ignored in
silence: an unknown name, a value of the wrong kind and a setting that a training decides itself
are errors. The short help of a training is made of its own flags, before any library is loaded.
"""

from __future__ import annotations

import argparse
import difflib
import json
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

from labelwright.errors import ConfigError, LabelSetError
from labelwright.io.yaml_lines import YamlFile

STARTS = ("model_name_or_path", "init_from", "scratch")
"""The flags that say where the weights come from; one of them replaces a recipe's."""
NOWHERE = (None, "", "trainer_output")
"""What the output folder is where nobody named one."""
WIDTH, INDENT = 98, 30
EVERYWHERE: dict[str, tuple[Any, str]] = {
    "resume_from_checkpoint": (None, "use --resume"),
    "push_to_hub": (False, "nothing leaves this computer; upload the finished folder yourself"),
}
"""Settings of the libraries that no training takes: their only value, and why."""
LEAST = {
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "eval_accumulation_steps": 1,
    "dataloader_num_workers": 0,
    "learning_rate": 0,
    "weight_decay": 0,
    "max_grad_norm": 0,
    "seed": 0,
    "data_seed": 0,
}
"""The lowest values with which a library does not break off; of seeds there are 2**32."""


def option(default: Any, said: str, choices: Iterable[str] = (), **how: Any) -> Any:
    """A flag as a field of a training's dataclass; ``list`` as a default is an empty list."""
    told = {"help": said, **({"choices": [*choices]} if choices else {}), **how}
    if default is list:
        return field(default_factory=list, metadata=told)
    return field(default=default, metadata=told)


@dataclass
class CommonArguments:
    """The flags that every training has and no library."""

    data: str | None = option(None, "Folder that `labelwright build` wrote.", metavar="DIR")
    scratch: str | None = option(None, "Start from a small model with random weights.")
    resume: str = option(
        "auto",
        "auto: go on from the last whole checkpoint of the same run; never: delete "
        "this run's checkpoints and start over; PATH: go on from this checkpoint.",
        metavar="auto|never|PATH",
    )
    license: str | None = option(
        None,
        "The licence that the model card names, as the hub writes it: apache-2.0, mit, other, …",
        metavar="NAME",
    )
    dry_run: bool = option(False, "Show counts, lengths, weights or memory, and steps; exit.")


@dataclass(frozen=True)
class TrainingFlags:
    """What one training takes.

    Attributes:
        command: as the user writes it.
        task: the dataclass of its own flags.
        recipes: folder of the recipes that can be given by name.
        libraries: loads the dataclasses of the library's settings.
        defaults: of those settings, given the flags of recipe and command line.
        also: what the short help says of the library's flags.
    """

    command: str
    task: type
    recipes: Path
    libraries: Callable[[], Sequence[type]]
    defaults: Callable[[Sequence[str]], Mapping[str, Any]]
    also: str

    def read(self, argv: Sequence[str]) -> tuple[list[Any], Path | None]:
        """Our flags and the library's settings, and the recipe named by ``--config``.

        Raises:
            ConfigError: a flag, a recipe key or a value that cannot work.
        """
        recipe, rest = take_recipe(argv, self.recipes)
        parser = self._parser()
        names = {name for action in parser._actions for name in action.option_strings}
        nothing, flags = recipe_flags(recipe, {n[2:] for n in names}) if recipe else ({}, [])
        words = [*without_rivals(flags, rest, STARTS), *rest]
        parser.set_defaults(**{**self.defaults(words), **nothing})
        try:
            *found, unknown = parser.parse_args_into_dataclasses(
                words, return_remaining_strings=True, look_for_args_file=False
            )
        except (ValueError, ImportError, RuntimeError) as error:
            raise ConfigError(
                f"the settings cannot work together: {_first_line(error)}",
                remedy="change or remove the setting named there",
                source=recipe,
            ) from None
        if unknown:
            raise unknown_flag(unknown[0], names, command=self.command)
        return found, recipe

    def full_help(self) -> str:
        """The help of every flag, the library's included."""
        return str(self._parser().format_help())

    def short_help(self) -> str:
        """Our flags, and a word on the library's."""
        named = ", ".join(sorted(path.stem for path in self.recipes.glob("*.yaml")))
        lines = [
            "training flags (a recipe holds the same names, and a flag wins over it; - may stand "
            "for _)",
            *_line("config", "RECIPE", f"a YAML file, or a shipped one: {named}"),
            *_line("output_dir", "DIR", "where the model, its checkpoints and its manifest go"),
        ]
        for one in fields(self.task):
            lines += _line(one.name, _values(one), _said(one))
        return "\n".join(
            [*lines, self.also.rstrip(), _SEVERAL.format(self.command.replace(" ", ".cli ", 1))]
        )

    def _parser(self) -> Any:
        from transformers import HfArgumentParser

        command = self.command

        class Parser(HfArgumentParser):
            def error(self, message: str) -> NoReturn:
                raise ConfigError(
                    message.removeprefix("argument "), remedy=f"see {command} --help-all"
                )

        kinds: Any = (self.task, *self.libraries())
        usage = f"{command} [--config RECIPE] --data DIR --output_dir DIR [flags]"
        return Parser(kinds, prog=command, allow_abbrev=False, usage=usage)


_SEVERAL = """
Several GPUs: accelerate launch --config_file accelerate_config.yaml -m {}
[flags]
"""


def _values(one: Any) -> str:
    if "choices" in one.metadata:
        return "|".join(one.metadata["choices"])
    if one.default is False:
        return ""
    usual = {"int": "N", "float": "X", "list[str]": "A B"}
    return str(one.metadata.get("metavar") or usual.get(str(one.type), "NAME"))


def _said(one: Any) -> str:
    default = "" if one.default in (None, False, MISSING) else f" (default {one.default})"
    return f"{str(one.metadata['help']).rstrip('.')}{default}"


def _line(name: str, values: str, said: str) -> list[str]:
    head = f"  --{name} {values}".rstrip()
    body = textwrap.wrap(said, WIDTH - INDENT, break_on_hyphens=False)
    if len(head) < INDENT - 1:
        head, body = f"{head:{INDENT}}{body[0]}", body[1:]
    return [head, *(" " * INDENT + line for line in body)]


def check_output(output: str | None) -> None:
    """Refuse a training without a folder for its model.

    Raises:
        ConfigError: there is none.
    """
    if output in NOWHERE:
        raise ConfigError("no folder for the model", remedy="give --output_dir DIR")


def check_decided(settings: Any, decided: Mapping[str, tuple[Any, str]]) -> None:
    """Refuse settings that would be without effect, wrong, unsafe or no such numbers.

    Args:
        decided: their only value, and why, by name.

    Raises:
        ConfigError: one has another value, or a number is too low.
    """
    for name, (only, why) in {**EVERYWHERE, **decided}.items():
        if getattr(settings, name) != only:
            raise ConfigError(f"{name} cannot be set: {why}", remedy="remove it")
    for name, least in LEAST.items():
        value = getattr(settings, name, None)
        most = 2**32 if "seed" in name else float("inf")
        if value is not None and not least <= value < most:
            raise ConfigError(
                f"{name} cannot be {value}",
                remedy=f"give {least} or more" + (f", below {most}" if "seed" in name else ""),
            )
    _check_schedule(settings)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _check_schedule(settings: Any) -> None:
    """Refuse a schedule that lacks a number of its own, before texts are read for it."""
    import torch
    from transformers import get_scheduler

    idle = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    own = dict(settings.lr_scheduler_kwargs or {})
    try:
        get_scheduler(settings.lr_scheduler_type, idle, 0, 1, own)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"lr_scheduler_type: {_first_line(error)}",
            remedy="give its numbers with --lr_scheduler_kwargs '{\"NAME\": VALUE}'",
        ) from None


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
