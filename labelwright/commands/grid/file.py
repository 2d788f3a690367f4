"""A grid's YAML file: flags for every stage, and axes whose options change some of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError, LabelSetError
from labelwright.io.yaml_lines import Step as YamlStep
from labelwright.io.yaml_lines import YamlFile

SHIPPED = "grids"
"""Folder of the shipped grids in the package ``baselines``."""
STAGES = ("build", "pretrain", "train", "pseudo", "label")
"""The stages of a cell, in order; each has flags."""
STARTS = frozenset({"model_name_or_path", "init_from", "scratch"})
"""Flags of training of which the last one given is the start."""
OWN: Mapping[str, frozenset[str]] = {
    "build": frozenset({"out", "overwrite", "preview", "debug", "help"}),
    "pretrain": frozenset({"data", "texts", "output_dir", "seed", "resume", "dry_run"}),
    "train": frozenset({"data", "output_dir", "seed", "resume", "dry_run", "init_from"}),
    "pseudo": frozenset({"data", "pred", "out", "overwrite", "model", "debug", "help"}),
    "label": frozenset({"out", "dry_run", "retry_rejects", "debug", "help"}),
}
"""Flags that the grid gives itself."""
KEYS = (
    *("name", "about", "files", "unlabeled", "seeds", "new_split_per_seed", "page"),
    *(*STAGES, "axes", "cells"),
)
PAGES = ("grid", "eval")
"""What scores the runs: the table of a grid of taggers, or the page of `labelwright eval`."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

Flags = Mapping[str, Any]
"""Flags of one stage, their names with underscores."""


@dataclass(frozen=True)
class Cell:
    """One combination of options, of each axis one.

    Attributes:
        options: option by axis, in the grid's order.
        flags: by stage, all levels put together.
    """

    options: Mapping[str, str]
    flags: Mapping[str, Flags]

    @property
    def name(self) -> str:
        """``axis=option, axis=option``."""
        return ", ".join(f"{axis}={option}" for axis, option in self.options.items())


@dataclass(frozen=True)
class Grid:
    """A grid as read.

    Attributes:
        files, unlabeled: inputs that the command line may replace.
        seeds: of training, one run of every cell for each.
        page: one of :data:`PAGES`.
        new_split: whether the seed also decides split and copies; otherwise all runs share them.
        base: flags of all cells, by stage.
        axes: flags by axis, option and stage.
        chosen: the cells that the file names, their options by axis; empty for all combinations.
    """

    name: str
    files: tuple[str, ...]
    unlabeled: tuple[str, ...]
    seeds: tuple[int, ...]
    new_split: bool
    base: Mapping[str, Flags]
    axes: Mapping[str, Mapping[str, Mapping[str, Flags]]] = field(default_factory=dict)
    page: str = PAGES[0]
    chosen: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def cells(
        self, *, only: Mapping[str, Sequence[str]], given: Mapping[str, Flags]
    ) -> Iterator[Cell]:
        """All combinations, in the order of the file.

        Args:
            only: the options to take, by axis; of other axes all.
            given: flags by stage that win over those of the file.

        Raises:
            ConfigError: an axis or option of ``only`` does not exist.
        """
        for axis, options in only.items():
            known = self.axes.get(axis)
            unknown = axis if known is None else next((o for o in options if o not in known), None)
            if unknown is not None:
                raise ConfigError(
                    f"--only {axis}={','.join(options)}: the grid has no {unknown!r}",
                    remedy=f"choose of: {', '.join(self.axes if known is None else known)}",
                )
        choices = [
            [(axis, option) for option in options if option in only.get(axis, options)]
            for axis, options in self.axes.items()
        ]
        wanted = [dict(options) for options in self.chosen.values()]
        every = [dict(chosen) for chosen in itertools.product(*choices)]
        found = [own for own in wanted if own in every] if wanted else every
        if not found:
            raise ConfigError(
                "the grid has no cell of these options", remedy="choose others with --only"
            )
        for cell in found:
            chosen = [(axis, cell[axis]) for axis in self.axes]
            levels = [self.base, *(self.axes[axis][option] for axis, option in chosen), given]
            flags = {stage: _merged([level.get(stage, {}) for level in levels]) for stage in STAGES}
            yield Cell(cell, flags)

    def name_of(self, options: Mapping[str, str]) -> str:
        """The name that the file gives a cell; empty where it names none."""
        found = (name for name, own in self.chosen.items() if dict(own) == dict(options))
        return next(found, "")

    def touching(self, stages: Sequence[str]) -> tuple[str, ...]:
        """The axes that change a flag of one of these stages."""
        return tuple(
            axis
            for axis, options in self.axes.items()
            if any(option.get(stage) for option in options.values() for stage in stages)
        )


def read_grid(path: str | Path) -> Grid:
    """Read a grid by path, or a shipped one by name.

    Raises:
        ConfigError: there is no such file, or it has mistakes; the first is shown with its line.
    """
    file = Path(path)
    if not file.is_file():
        folder = Path(str(resources.files("baselines"))) / SHIPPED
        file = folder / f"{path}.yaml"
        if not file.is_file():
            names = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
            raise ConfigError(
                f"no grid {str(path)!r}", remedy=f"give a YAML file or one of: {names}"
            )
    try:
        return _grid(YamlFile.read(file))
    except LabelSetError as error:
        raise ConfigError(
            error.what, remedy=error.remedy, source=error.source, row=error.row
        ) from None


def given_flags(values: Sequence[str]) -> dict[str, Flags]:
    """``--set STAGE.FLAG=VALUE`` as flags by stage; the value is read as YAML.

    ``null`` takes a flag of the file away.

    Raises:
        ConfigError: a value has another form, or sets what the grid gives itself.
    """
    import yaml

    found: dict[str, dict[str, Any]] = {}
    for text in values:
        name, equals, value = text.partition("=")
        stage, point, flag = name.partition(".")
        if not (equals and point and flag) or stage not in STAGES:
            raise ConfigError(
                f"--set {text!r} sets nothing",
                remedy=f"write STAGE.FLAG=VALUE, the stage one of: {', '.join(STAGES)}",
            )
        key = _key(flag)
        if key in OWN[stage]:
            raise ConfigError(f"--set {name}: the grid gives this flag itself", remedy="remove it")
        try:
            found.setdefault(stage, {})[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            found.setdefault(stage, {})[key] = value
    return dict(found)


def _grid(file: YamlFile) -> Grid:
    value = file.value
    if not isinstance(value, dict):
        file.problem([], "a grid is a mapping; write 'key: value' lines")
        file.finish("mistake in the grid")
    file.unknown_keys([], value, KEYS)
    name = value.get("name")
    if not isinstance(name, str) or not name.strip():
        file.problem(["name"], "a grid needs a name; add 'name: …'")
    seeds = value.get("seeds", [42])
    if (
        not isinstance(seeds, list)
        or not seeds
        or len(set(map(str, seeds))) < len(seeds)
        or any(type(seed) is not int or not 0 <= seed < 2**32 for seed in seeds)
    ):
        file.problem(["seeds"], "seeds are different whole numbers; write [1, 2, 3]")
        seeds = [42]
    new_split = value.get("new_split_per_seed", False)
    if not isinstance(new_split, bool):
        file.problem(["new_split_per_seed"], "write true or false")
    page = value.get("page", PAGES[0])
    if page not in PAGES:
        file.problem(["page"], f"page {page!r} is unknown; write {' or '.join(PAGES)}")
    base = {stage: _flags(file, [stage], stage, value.get(stage)) for stage in STAGES}
    if new_split and "seed" in base["build"]:
        file.problem(["build", "seed"], "new_split_per_seed gives this flag; remove one of them")
    axes = _axes(file, value.get("axes"))
    chosen = _chosen(file, value.get("cells"), axes)
    files, unlabeled = (_paths(file, key, value.get(key)) for key in ("files", "unlabeled"))
    file.finish("mistake in the grid")
    return Grid(str(name), files, unlabeled, tuple(seeds), new_split, base, axes, page, chosen)


def _chosen(
    file: YamlFile, value: object, axes: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, str]]:
    """The cells that are named, each with one option of every axis."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not value:
        file.problem(["cells"], "cells are a mapping; write 'NAME: {AXIS: OPTION, …}' lines")
        return {}
    found: dict[str, dict[str, str]] = {}
    for name, options in value.items():
        path: list[YamlStep] = ["cells", str(name)]
        if not isinstance(options, dict) or {str(axis) for axis in options} != axes.keys():
            file.problem(path, f"a cell names an option of each axis: {', '.join(axes)}")
            continue
        wrong = next((a for a, o in options.items() if str(o) not in axes[str(a)]), None)
        if wrong is not None:
            known = ", ".join(axes[str(wrong)])
            file.problem([*path, str(wrong)], f"{wrong} has no such option; choose of: {known}")
        own = {axis: str(options[axis]) for axis in axes}
        if own in found.values():
            file.problem(path, "the cell appears twice; delete one")
        found[str(name)] = own
    return found


def _axes(file: YamlFile, value: object) -> dict[str, dict[str, dict[str, Flags]]]:
    found: dict[str, dict[str, dict[str, Flags]]] = {}
    if not isinstance(value, dict) or not value:
        file.problem(["axes"], "a grid needs axes; write 'axes:' and under it 'AXIS: {OPTION: …}'")
        return found
    for axis, options in value.items():
        path: list[YamlStep] = ["axes", str(axis)]
        if not isinstance(options, dict) or not options:
            file.problem(path, "an axis is a mapping of options; write 'OPTION: {STAGE: …}'")
            continue
        for name in (axis, *options):
            if isinstance(name, bool) or not NAME.fullmatch(str(name)):
                file.problem(
                    [*path, str(name)],
                    f"{name!r} cannot be part of a folder's name; use letters, digits, '.', '_' "
                    "and '-', and put yes, no, on, off into quotes",
                )
        found[str(axis)] = {
            str(option): _option(file, [*path, str(option)], stages)
            for option, stages in options.items()
        }
    _check_apart(file, found)
    return found


def _option(file: YamlFile, path: list[YamlStep], value: object) -> dict[str, Flags]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        file.problem(path, "an option is a mapping of stages; write {} if it changes nothing")
        return {}
    file.unknown_keys(path, value, STAGES)
    return {s: _flags(file, [*path, s], s, value[s]) for s in STAGES if s in value}


def _flags(file: YamlFile, path: list[YamlStep], stage: str, value: object) -> Flags:
    if value is None:
        return {}
    if not isinstance(value, dict):
        file.problem(path, "flags are a mapping; write 'flag: value' lines")
        return {}
    found: dict[str, Any] = {}
    for name, given in value.items():
        key = _key(str(name))
        if key in OWN[stage]:
            file.problem([*path, str(name)], f"the grid gives {name!r} itself; remove it")
        elif key in found:
            file.problem([*path, str(name)], f"{name!r} appears twice; delete one")
        elif isinstance(given, dict) or given is None:
            file.problem([*path, str(name)], f"{name!r} needs a value or a list")
        found[key] = given
    return found


def _check_apart(file: YamlFile, axes: Mapping[str, Mapping[str, Mapping[str, Flags]]]) -> None:
    """Two axes that set one flag would overwrite each other."""
    owner: dict[tuple[str, str], str] = {}
    for axis, options in axes.items():
        for option, stages in options.items():
            for stage, flags in stages.items():
                for key in flags:
                    what = "start" if key in STARTS else key
                    first = owner.setdefault((stage, what), axis)
                    if first != axis:
                        file.problem(
                            ["axes", axis, option, stage, key],
                            f"axis {first!r} sets {stage} {key!r} too; make one axis of both",
                        )


def _paths(file: YamlFile, key: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return tuple(value)
    file.problem([key], f"{key!r} is a path or a list of paths")
    return ()


def _merged(levels: Sequence[Flags]) -> Flags:
    found: dict[str, Any] = {}
    for level in levels:
        if STARTS & level.keys():
            found = {k: v for k, v in found.items() if k not in STARTS}
        found |= level
    return {key: value for key, value in found.items() if value is not None}


def _key(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")
