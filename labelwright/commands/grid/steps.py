"""The steps of a grid's cells: the command lines that make them, shared where they are equal."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from labelwright.commands import pseudo_label
from labelwright.commands.building import command as build
from labelwright.commands.flags import Parser
from labelwright.commands.grid.file import STAGES, STARTS, Cell, Flags, Grid
from labelwright.commands.labeling import command as label
from labelwright.errors import ConfigError

DATA, ENCODERS, MODELS, RUNS = "data", "encoders", "models", "runs"
TEST_SPLIT, TEST = "test", "test.reports.jsonl"
WITH = "with"
"""Flag of the stage ``train`` that is the grid's: what is trained, if anything is."""
TRAININGS: Mapping[str, str | None] = {
    "tagger": "train-tagger",
    "language-model": "train",
    "none": None,
}
ROUNDS, START = "rounds", "start"
"""Flags of the stage ``pseudo`` that are the grid's: how often, and from where training starts."""
OBJECTIVE, NO_OBJECTIVE, OF_ANY_TEXT = "objective", "none", "mlm"
"""Flag of the stage ``pretrain``, without which nothing is pre-trained; ``mlm`` reads the
unlabeled notes too."""
FRESH, GOING_ON = "fresh", "continue"
OF_PSEUDO = "pseudo_weight"
"""Flag of training that means nothing before the first round of pseudo-labels."""
LONGEST = 240
"""Bytes of a folder's name, so that its log has one too."""
_OF_CHOICE = ("min_prob", "with_empty")


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        folder: what it makes, relative to the grid's folder.
        command: ``build``, ``pretrain``, ``train-tagger``, ``train``, ``label`` or
            ``pseudo-label``.
        words: files and flags that do not name folders of the grid.
        inside: files of the grid's folder that are labeled.
        places: flags that name folders of the grid, such as ``--data``.
        needs: folders that must be finished before.
    """

    folder: str
    command: str
    words: tuple[str, ...]
    inside: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Folders of the grid that are read."""
        made = (*self.inside, *(place for _, place in self.places if place != self.folder))
        return tuple(dict.fromkeys("/".join(place.split("/")[:2]) for place in made))

    def command_line(self, out: Path) -> list[str]:
        """The words after ``labelwright``."""
        files = [str(out / place) for place in self.inside]
        flags = [f"{flag}={out / place}" for flag, place in self.places]
        return [self.command, *files, *self.words, *flags]


@dataclass(frozen=True)
class Run:
    """One cell with one seed.

    Attributes:
        steps: in order; the last one labels the test notes.
        data: the folder whose gold the run is scored with.
    """

    cell: Cell
    seed: int
    steps: tuple[Step, ...]
    data: str

    @property
    def folder(self) -> str:
        """The labeled test notes, relative to the grid's folder."""
        return self.steps[-1].folder

    @property
    def models(self) -> tuple[str, ...]:
        """The models trained for it, the one that labels last."""
        kinds = ("pretrain", "train-tagger")
        return tuple(step.folder for step in self.steps if step.command in kinds)


def plan(
    grid: Grid,
    cells: Iterable[Cell],
    *,
    files: Sequence[str],
    unlabeled: Sequence[str],
    seeds: Sequence[int],
) -> list[Run]:
    """The runs of all cells, cell by cell.

    Raises:
        ConfigError: files lack, or a flag cannot work.
    """
    cells = list(cells)
    if not files and not all("synthetic" in cell.flags["build"] for cell in cells):
        raise ConfigError("no annotated notes", remedy="give their files after the grid's name")
    runs = [_run(grid, cell, files, unlabeled, seed) for cell in cells for seed in seeds]
    long = next((r for r in runs for s in r.steps if len(s.folder.encode()) > LONGEST), None)
    if long is not None:
        raise ConfigError(
            f"{long.cell.name}: too long for a folder's name", remedy="shorten axes or options"
        )
    check(step for run in runs for step in run.steps)
    return runs


def check(steps: Iterable[Step]) -> None:
    """Read every command line as its command will, before anything runs.

    Raises:
        ConfigError: a flag or a value that the command does not take.
    """
    from baselines.arguments import parse
    from baselines.pretrain.arguments import PRETRAIN
    from baselines.tagger.arguments import TAGGER

    out, seen = Path("out"), set()
    for step in steps:
        flags = [flag for flag, _ in step.places]
        if (key := (step.command, step.words, len(step.inside), *flags)) in seen:
            continue
        seen.add(key)
        words = step.command_line(out)
        if step.command == "train-tagger":
            parse(TAGGER, words[1:])
        elif step.command == "train":
            from sft.arguments import parse as parse_training

            parse_training(words[1:])
        elif step.command == "pretrain":
            parse(PRETRAIN, words[1:])
        else:
            _parser(step.command).parse_args(words[1:])


class _Strict(Parser):
    """A parser whose mistakes are errors of the grid."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{self.prog}: {message}", remedy="fix the grid, or --set")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            raise ConfigError(
                f"{self.prog}: unknown flag {rest[0].partition('=')[0]}",
                remedy=f"see {self.prog} --help",
            )
        return found


def _parser(command: str) -> _Strict:
    parser = _Strict(prog=f"labelwright {command}")
    kinds = {"build": build, "label": label, "pseudo-label": pseudo_label}
    kinds[command].add_arguments(parser)
    return parser


def _run(grid: Grid, cell: Cell, files: Sequence[str], unlabeled: Sequence[str], seed: int) -> Run:
    names = _Names(grid, cell, seed)
    rounds, start, pseudo = _pseudo(cell)
    if rounds and not unlabeled:
        raise ConfigError(
            f"{cell.name}: pseudo-labels need unlabeled notes", remedy="give --unlabeled FILE"
        )
    data = names.folder(DATA, STAGES[:1], seeded=grid.new_split)
    building = words_of(cell.flags["build"])
    if grid.new_split:
        building += (f"--seed={seed}",)
    steps = [Step(data, "build", (*files, *building), places=(("--out", data),))]
    trained = _command(cell) is not None
    if trained == any(flag in cell.flags["label"] for flag in ("model", "server")):
        raise ConfigError(
            f"{cell.name}: a cell either trains a model or names one",
            remedy="write 'label: {model: …}' or 'label: {server: …}' with 'train: {with: none}'",
        )
    if rounds and not trained:
        raise ConfigError(f"{cell.name}: pseudo-labels need a training", remedy="name one")
    encoder = None
    if (before := _pretraining(names, unlabeled, data, seed)) is not None:
        if _command(cell) != TRAININGS["tagger"]:
            raise ConfigError(
                f"{cell.name}: what is pre-trained is an encoder, and no tagger is trained",
                remedy="leave out the stage pretrain",
            )
        steps.append(before)
        encoder = before.folder
    model = names.folder(MODELS, STAGES[:3])
    if trained:
        first = () if not rounds else (OF_PSEUDO,)
        steps.append(_training(cell, data, model, seed, encoder=encoder, without=first))
    reading = words_of({k: v for k, v in pseudo.items() if k not in _OF_CHOICE})
    for number in range(1, rounds + 1):
        key = f"+round={number}"
        base = names.folder("", STAGES[:4]).lstrip("/")
        answers, more, fit = (f"{part}/{base}{key}" for part in (f"{RUNS}", DATA, MODELS))
        answers += "+unlabeled"
        steps += [
            Step(
                answers,
                "label",
                (*unlabeled, *reading),
                places=(("--model", model), ("--out", answers)),
            ),
            Step(
                more,
                "pseudo-label",
                (*unlabeled, *words_of(pseudo)),
                places=(("--data", data), ("--pred", answers), ("--out", more)),
            ),
            _training(cell, more, fit, seed, model if start == GOING_ON else None, encoder=encoder),
        ]
        model = fit
    tested = names.folder(RUNS, STAGES)
    steps.append(
        Step(
            tested,
            "label",
            words_of(cell.flags["label"]),
            inside=(f"{data}/{TEST}",),
            places=((("--model", model),) * trained) + (("--out", tested),),
        )
    )
    return Run(cell, seed, tuple(steps), data)


@dataclass(frozen=True)
class _Names:
    grid: Grid
    cell: Cell
    seed: int

    def folder(self, kind: str, stages: Sequence[str], *, seeded: bool = True) -> str:
        """``kind/axis=option+…+seed=1``, of the axes that change one of the stages."""
        axes = self.grid.touching(stages)
        parts = [f"{axis}={self.cell.options[axis]}" for axis in axes]
        parts += [f"seed={self.seed}"] if seeded else []
        return f"{kind}/{'+'.join(parts) or 'all'}"


def _command(cell: Cell) -> str | None:
    """The command that trains for a cell."""
    kind = cell.flags["train"].get(WITH, "tagger")
    if kind not in TRAININGS:
        raise ConfigError(
            f"{cell.name}: train with {kind!r} is unknown", remedy=f"use {', '.join(TRAININGS)}"
        )
    return TRAININGS[kind]


def _training(
    cell: Cell,
    data: str,
    model: str,
    seed: int,
    before: str | None = None,
    *,
    encoder: str | None = None,
    without: Sequence[str] = (),
) -> Step:
    """A training; it starts from ``before``, or from ``encoder``, or where its flags say."""
    places = [("--data", data), ("--output_dir", model)]
    given = cell.flags["train"].items()
    flags: Flags = {k: v for k, v in given if k not in (WITH, *without)}
    if before is not None or encoder is not None:
        flags = {k: v for k, v in flags.items() if k not in STARTS}
    if before is not None:
        places.append(("--init_from", before))
    elif encoder is not None:
        places.append(("--model_name_or_path", encoder))
    words = (*words_of(flags, training=True), f"--seed={seed}")
    return Step(model, str(_command(cell)), words, places=tuple(places))


def _pretraining(names: _Names, unlabeled: Sequence[str], data: str, seed: int) -> Step | None:
    """The step before training, if the cell has one; it starts where the training would have."""
    flags = dict(names.cell.flags["pretrain"])
    if flags.get(OBJECTIVE, NO_OBJECTIVE) == NO_OBJECTIVE:
        return None
    if not STARTS & flags.keys():
        flags |= {k: v for k, v in names.cell.flags["train"].items() if k in STARTS}
    folder = names.folder(ENCODERS, STAGES[:2])
    words = words_of(flags, training=True)
    if flags[OBJECTIVE] == OF_ANY_TEXT and unlabeled:
        words += ("--texts", *unlabeled)
    words += (f"--seed={seed}",)
    return Step(folder, "pretrain", words, places=(("--data", data), ("--output_dir", folder)))


def _pseudo(cell: Cell) -> tuple[int, str, dict[str, Any]]:
    """Rounds, start, and the flags of the commands."""
    flags = dict(cell.flags["pseudo"])
    rounds, start = flags.pop(ROUNDS, 0), flags.pop(START, FRESH)
    if type(rounds) is not int or not 0 <= rounds <= 9:
        raise ConfigError(
            f"pseudo rounds: {rounds!r} is not a number from 0 to 9", remedy="give one"
        )
    if start not in (FRESH, GOING_ON):
        raise ConfigError(
            f"pseudo start: {start!r} is unknown", remedy=f"write {FRESH} or {GOING_ON}"
        )
    return rounds, str(start), flags


def words_of(flags: Mapping[str, Any], *, training: bool = False) -> tuple[str, ...]:
    """Flags as words of a command line.

    Args:
        training: whether the command takes ``--flag true`` and ``--flag a b``, as trainings do;
            the others take a bare ``--flag``, and repeat it for lists.
    """
    words: list[str] = []
    for key, value in flags.items():
        name = f"--{key}" if training else f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            words += [f"{name}={str(value).lower()}"] if training else [name] * value
        elif isinstance(value, list) and training:
            words += [name, *map(str, value)]
        elif isinstance(value, list):
            words += [f"{name}={part}" for part in value]
        else:
            words.append(f"{name}={value}")
    return tuple(words)
