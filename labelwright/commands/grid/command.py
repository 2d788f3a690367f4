"""``labelwright grid``: every combination of training settings built, trained, labeled, scored."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.errors import ConfigError, OutputError
from labelwright.options import Options, flag, seed, switch

if TYPE_CHECKING:
    from labelwright.commands.grid.file import Grid
    from labelwright.commands.grid.run import Folder
    from labelwright.commands.grid.steps import Run

EPILOG = """\
A grid names flags of build, pretrain, trainings, pseudo-label and label, and axes whose options
change some of them; every combination of options is a cell, or those that the grid names. The same
command again goes on; what is finished is not made again.
  labelwright grid almeida2025-imbalance notes/ --set build.label-set=semclinbr-12 --out grid
"""


@dataclass(frozen=True, kw_only=True)
class GridOptions(Options):
    """A grid, what of it is run, and on which notes."""

    grid: str = flag(
        "a YAML file, or a shipped one: almeida2025, almeida2025-imbalance, aprilia2025, "
        "cecca2025, francis2025, francis2025-parts",
        place=True,
        metavar="GRID",
    )
    files: tuple[str, ...] = flag(
        "annotated notes (default: those of the grid)",
        place=True,
        default=(),
        nargs="*",
        metavar="FILE",
    )
    unlabeled: tuple[str, ...] = flag(
        "notes without annotations, for cells with pseudo-labels",
        default=(),
        nargs="+",
        metavar="FILE",
    )
    out: Path = flag("where all that is made goes", required=True, type=Path, metavar="DIR")
    seeds: str | None = flag("seeds of training (default: those of the grid, or 42)", metavar="N,N")
    only: tuple[str, ...] = flag(
        "only these options of an axis; repeatable",
        default=(),
        action="append",
        metavar="AXIS=A,B",
    )
    set: tuple[str, ...] = flag(
        "a flag for all cells, such as train.num_train_epochs=2, or null to take one of the "
        "file away; stages: build, pretrain, train, pseudo, label; repeatable",
        default=(),
        action="append",
        metavar="STAGE.FLAG=VALUE",
    )
    dry_run: bool = switch("list the cells and what is to be done; stop")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    GridOptions.add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run what is not finished and write the tables."""
    from inference.runs.interrupt import terminable
    from labelwright.commands.grid.file import given_flags, read_grid
    from labelwright.commands.grid.run import LEDGER, Folder, run_all
    from labelwright.commands.grid.steps import plan
    from labelwright.io.jsonl import writing
    from labelwright.io.lock import LOCK_FILE, locked

    options = GridOptions.from_flags(arguments)
    grid = read_grid(options.grid)
    cells = grid.cells(only=_only(options.only), given=given_flags(options.set))
    runs = plan(
        grid,
        cells,
        files=options.files or grid.files,
        unlabeled=options.unlabeled or grid.unlabeled,
        seeds=_seeds(options.seeds) or grid.seeds,
    )
    out = options.out
    foreign = out.is_dir() and not (out / LEDGER).is_file()
    if foreign and any(path.name != LOCK_FILE for path in out.iterdir()):
        raise OutputError("the folder holds other files", remedy="choose another --out", source=out)
    folder = Folder(out)
    folder.check(list(dict.fromkeys(step for run in runs for step in run.steps)))
    if options.dry_run:
        sys.stdout.write(_rehearsal(runs, folder))
        return 0
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with terminable(), locked(out):
        failed: dict[tuple[str, int], str] = {}
        try:
            failed = run_all(runs, folder, say=_say)
        finally:
            page = _write(grid, runs, folder, failed)
    sys.stdout.write(f"{page}\n")
    if failed:
        (cell, number), reason = next(iter(failed.items()))
        raise ConfigError(
            f"{len(failed)} of {len(runs)} runs failed; the first, {cell}, seed {number}: {reason}",
            remedy=f"fix it and give the same command again (messages: {out / 'logs'})",
        )
    return 0


def _rehearsal(runs: Sequence[Run], folder: Folder) -> str:
    lines, todo = [], dict[str, str]()
    for each in runs:
        left = [step for step in each.steps if not folder.finished(step)]
        todo |= {step.folder: step.command for step in left}
        words = ", ".join(step.command for step in left)
        lines.append(f"{each.cell.name}, seed {each.seed}: {words or 'finished'}")
    commands = list(todo.values())
    counts = ", ".join(f"{commands.count(name)} {name}" for name in dict.fromkeys(commands))
    cells = len({each.cell.name for each in runs})
    lines.append(f"{cells} cells, {len(runs)} runs; to do: {counts or 'nothing'}")
    return "\n".join(lines) + "\n"


def _write(
    grid: Grid, runs: Sequence[Run], folder: Folder, failed: Mapping[tuple[str, int], str]
) -> Path:
    """Score all finished runs and write the tables, or the page of ``labelwright eval``."""
    if grid.page == "eval":
        return _compare(grid, runs, folder)
    from eval.studies.grid import GridRun, write_grid

    found = [
        GridRun(
            options=each.cell.options,
            seed=each.seed,
            gold=folder.out / each.data / _gold(each),
            folder=folder.out / each.folder,
            models=tuple(folder.out / model for model in each.models),
            finished=folder.finished(each.steps[-1]),
            reason=failed.get((each.cell.name, each.seed), ""),
            name=grid.name_of(each.cell.options),
        )
        for each in runs
    ]
    return write_grid(folder.out, found, title=grid.name)


def _gold(run: Run) -> str:
    """The file of known values that a run's data folder has for its test split."""
    from labelwright.commands.grid.steps import TEST_SPLIT
    from labelwright.label_set import LabelSet
    from labelwright.tasks import kind_of

    label_set = LabelSet.load(str(run.cell.flags["build"]["label_set"]))
    return f"{TEST_SPLIT}{kind_of(label_set).gold_suffix}"


def _compare(grid: Grid, runs: Sequence[Run], folder: Folder) -> Path:
    """One page for all finished runs over the same data, the folder of the last one given back."""
    from labelwright.commands.comparing import command as compare
    from labelwright.commands.flags import Parser

    page = folder.out
    for data in dict.fromkeys(run.data for run in runs):
        done = [r for r in runs if r.data == data and folder.finished(r.steps[-1])]
        if not done:
            continue
        parser = Parser(prog="labelwright eval")
        compare.add_arguments(parser)
        place = folder.out / data
        page = folder.out / "pages" / data.partition("/")[2]
        seeds = len({run.seed for run in done}) > 1
        names = {
            "-".join(run.cell.options.values()) + (f"-{run.seed}" if seeds else ""): run.folder
            for run in done
        }
        words = [f"--pred={name}={folder.out / made}" for name, made in names.items()]
        label_set = done[0].cell.flags["build"]["label_set"]
        words += [f"--label-set={label_set}", f"--gold={place / _gold(done[0])}"]
        words += [f"--patients={place / 'test.reports.jsonl'}", f"--out={page}"]
        compare.run(parser.parse_args([*words, f"--title={grid.name}"]))
        page /= "index.html"
    return page


def _only(values: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for value in values:
        axis, _, options = value.partition("=")
        parts = [part.strip() for part in options.split(",")]
        if not axis or not all(parts) or axis in found:
            raise ConfigError(
                f"--only {value!r} names no options", remedy="write AXIS=A,B, once per axis"
            )
        found[axis] = parts
    return found


def _seeds(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    try:
        found = tuple(seed(part.strip()) for part in text.split(","))
    except argparse.ArgumentTypeError as error:
        raise ConfigError(f"--seeds {text!r}: each {error}", remedy="write 1,2,3") from None
    if len(set(found)) < len(found):
        raise ConfigError(f"--seeds {text!r} has one twice", remedy="give each once")
    return found


def _say(line: str) -> None:
    sys.stderr.write(f"labelwright: {line}\n")
    sys.stderr.flush()
