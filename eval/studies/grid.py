"""The tables and the page of a grid: scores of every cell over its seeds, under one metric."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from markupsafe import Markup

from eval.comparing import compare, view_of
from eval.kinds.base import More
from eval.page.frame import write_report
from eval.page.render import render_page
from eval.page.tables import Column, Table, Value, main_text
from eval.read.aligned import Inputs
from eval.stats.significance import CompareSettings
from labelwright.errors import InputError, LabelwrightError
from labelwright.io.jsonl import atomic_write
from labelwright.io.manifest import sha256_file
from labelwright.label_set import LabelSet
from labelwright.version import __version__

SECONDS = "training seconds"
PAGE, TABLE, MARKDOWN, TYPES, RUNS = "grid.html", "grid.csv", "grid.md", "types.csv", "runs.csv"
CURVES = "curves.svg"
COMPARISON = "comparison"
"""Folder of the page with the tests."""
NAME = "run"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GridRun:
    """One cell with one seed.

    Attributes:
        options: option by axis.
        gold: entities of the test notes.
        folder: the labeled test notes.
        models: folders of the models trained for it, the one that labeled last.
        finished: whether it was labeled to its end.
        reason: why it failed; empty if it did not.
        name: of the cell, where the grid gives one.
    """

    options: Mapping[str, str]
    seed: int
    gold: Path
    folder: Path
    models: Sequence[Path]
    finished: bool
    reason: str = ""
    name: str = ""

    @property
    def label(self) -> str:
        """The cell's name, or else its options."""
        return self.name or " · ".join(self.cell)

    @property
    def cell(self) -> tuple[str, ...]:
        """The options alone."""
        return tuple(self.options.values())


@dataclass(frozen=True)
class Scored:
    """A run with its scores.

    Attributes:
        scores: by name, accuracy included; empty if there are none.
        types: strict F1 by type.
        seconds: of all trainings behind it; ``None`` where one was interrupted, since only its
            last part was timed.
        gold: digest of the gold.
    """

    run: GridRun
    scores: Mapping[str, float] = field(default_factory=dict)
    types: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    gold: str = ""
    reason: str = ""

    @property
    def status(self) -> str:
        """``finished``, ``failed`` or ``to do``."""
        return "finished" if self.scores else "failed" if self.reason else "to do"


def score(run: GridRun) -> Scored:
    """Score one run; a file that cannot be scored makes it a failed one."""
    if not run.finished:
        return Scored(run, reason=run.reason)
    try:
        label_set = LabelSet.load(run.gold.parent / "label_set.yaml")
        inputs = Inputs(label_set, run.gold, {NAME: run.folder})
        found = view_of(label_set).run_scores(inputs)
        return Scored(
            run,
            scores=found.whole,
            types=found.parts,
            seconds=_seconds(run.models),
            gold=sha256_file(run.gold),
        )
    except LabelwrightError as error:
        return Scored(run, reason=error.line())


def write_grid(out: Path, runs: Sequence[GridRun], *, title: str) -> Path:
    """Score all finished runs and write tables and page; return the page.

    Raises:
        OutputError: a file cannot be written.
    """
    scored = [score(run) for run in runs]
    table, types = summary(scored), by_type(scored)
    beside = _comparison(out, scored, title=title)
    texts = {
        TABLE: table.to_csv(),
        MARKDOWN: markdown(table),
        TYPES: types.to_csv(),
        RUNS: every_run(scored).to_csv(),
        PAGE: page(scored, title=title, comparison=beside),
    }
    for name, text in texts.items():
        with atomic_write(out / name, mode=0o644) as handle:
            handle.write(text)
    return out / PAGE


def summary(scored: Sequence[Scored]) -> Table:
    """A row per cell: mean and standard deviation of every score over its finished runs."""
    shown = list(dict.fromkeys(name for s in scored for name in s.scores))
    named = any(s.run.name for s in scored)
    columns = [Column("cell")] * named
    columns += [*(Column(axis) for axis in _axes(scored)), Column("runs", "count")]
    for name in shown:
        columns += [Column("mean", "score", group=name), Column("sd", "score", group=name)]
    columns += [
        Column("mean", "tenth", group=SECONDS),
        Column("sd", "tenth", group=SECONDS),
    ]
    rows: list[tuple[Value, ...]] = []
    for cell, group in _cells(scored).items():
        done = [s for s in group if s.scores]
        row: list[Value] = [*([group[0].run.name] if named else []), *cell, len(done)]
        for name in shown:
            row += _mean_sd([s.scores[name] for s in done if name in s.scores])
        row += _mean_sd([s.seconds for s in done if s.seconds is not None])
        rows.append(tuple(row))
    return Table(
        name="grid",
        title="Cells",
        columns=tuple(columns),
        rows=tuple(rows),
        caption="Mean and standard deviation (n − 1) over runs with other seeds, on the test "
        "notes. Strict: place and type are the gold's; overlap: any overlap with a mention of the "
        "type; word: words marked with the type, without beginning and inside. A type that "
        "neither gold nor answer has counts 0.",
        signature=f"undefined:zero|labelwright:{__version__}",
    )


def by_type(scored: Sequence[Scored]) -> Table:
    """A row per cell: mean strict F1 of every type."""
    types = list(dict.fromkeys(name for s in scored for name in s.types))
    rows: list[tuple[Value, ...]] = []
    for cell, group in _cells(scored).items():
        done = [s for s in group if s.scores]
        values = [[s.types[name] for s in done if name in s.types] for name in types]
        rows.append((*cell, *(fmean(each) if each else None for each in values)))
    return Table(
        name="types",
        title="Strict F1 per type",
        columns=(
            *(Column(axis) for axis in _axes(scored)),
            *(Column(name, "score") for name in types),
        ),
        rows=tuple(rows),
        caption="Mean over the finished runs of a cell.",
        signature=f"undefined:zero|labelwright:{__version__}",
    )


def every_run(scored: Sequence[Scored]) -> Table:
    """A row per run: its state and its scores."""
    names = list(dict.fromkeys(name for s in scored for name in s.scores))
    return Table(
        name="runs",
        title="Runs",
        columns=(
            *(Column(axis) for axis in _axes(scored)),
            Column("seed", "count"),
            Column("state"),
            *(Column(name, "score") for name in names),
            Column(SECONDS, "tenth"),
            Column("why it failed", "wrap"),
        ),
        rows=tuple(
            (
                *s.run.cell,
                s.run.seed,
                s.status,
                *(s.scores.get(name) for name in names),
                s.seconds,
                s.reason,
            )
            for s in scored
        ),
        caption="Seconds of all trainings behind a run; a dash where one was interrupted.",
    )


def markdown(table: Table) -> str:
    """A table of means and standard deviations with ``±`` between them, in Markdown."""
    heads: list[str] = []
    cells: list[list[str]] = [[] for _ in table.rows]
    place = 0
    while place < len(table.columns):
        column = table.columns[place]
        heads.append(column.group or column.title)
        for row, texts in zip(table.rows, cells, strict=True):
            text = main_text(column.kind, row[place])
            if column.group and row[place + 1] is not None:
                text += f" ± {main_text(column.kind, row[place + 1])}"
            texts.append(text.replace("|", "\\|"))
        place += 2 if column.group else 1
    lines = [heads, ["---"] * len(heads), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page(scored: Sequence[Scored], *, title: str, comparison: str | None = None) -> str:
    """The page: table of cells, types, learning curves, runs.

    Args:
        comparison: where the page with the tests stands, relative to this one, if there is one.
    """
    count = [s.status for s in scored].count
    facts = (
        f"{len(_cells(scored)):,} cells; {count('finished'):,} of {len(scored):,} runs finished, "
        f"{count('failed'):,} failed, {count('to do'):,} to do."
    )
    context = {
        "version": __version__,
        "title": title,
        "facts": facts,
        "notices": _notices(scored),
        "table": summary(scored),
        "types": by_type(scored),
        "runs": every_run(scored),
        "curves": _curves(scored),
        "comparison": comparison,
    }
    return render_page("grid", context)


def _comparison(out: Path, scored: Sequence[Scored], *, title: str) -> str | None:
    """Write the comparison of the cells with several runs; where its page is, from ``out``.

    It has what the table of means has not: tests over the runs (ANOVA, Tukey), intervals and
    tests over the patients of the test notes, kinds of errors. ``None`` where fewer than two cells
    have several runs, or the test notes differ between them.

    Raises:
        OutputError: it cannot be written.
    """
    runs = {
        group[0].run.label: [str(s.run.folder) for s in group if s.scores]
        for group in _cells(scored).values()
    }
    runs = {name: paths for name, paths in runs.items() if len(paths) > 1}
    golds = {s.run.gold for s in scored if s.scores}
    if len(runs) < 2 or len(golds) > 1:
        return None
    gold = golds.pop()
    try:
        found = compare(
            Inputs(
                LabelSet.load(gold.parent / "label_set.yaml"),
                gold,
                {name: paths[0] for name, paths in runs.items()},
                patients=gold.parent / "test.reports.jsonl",
            ),
            CompareSettings(),
            more=More(runs=runs, first_only=True),
            title=f"{title}: tests",
        )
    except LabelwrightError as error:  # such as cells that cannot be named in one table
        log.warning("no comparison of the cells: %s", error.line())
        return None
    return write_report(found, out / COMPARISON).relative_to(out).as_posix()


def _notices(scored: Sequence[Scored]) -> list[str]:
    """What limits a comparison of cells."""
    found = []
    if len(tests := {s.gold for s in scored if s.gold}) > 1:
        found.append(
            f"The runs are scored on {len(tests)} different sets of test notes: between cells "
            "of different splits, the notes differ too."
        )
    if any(len([s for s in group if s.scores]) == 1 for group in _cells(scored).values()):
        found.append(
            "Some cells have one run only: nothing says how far chance in training moves them."
        )
    return found


def _curves(scored: Sequence[Scored]) -> list[dict[str, Any]]:
    """The pictures of the first finished run of each cell, model by model."""
    found = []
    for cell, group in _cells(scored).items():
        first = next((s.run for s in group if s.scores), None)
        paths = [] if first is None else [model / CURVES for model in first.models]
        pictures = [_picture(path) for path in paths if path.is_file()]
        if first is not None and pictures:
            found.append({"name": " · ".join(cell), "seed": first.seed, "pictures": pictures})
    return found


def _picture(path: Path) -> Markup:
    """The drawing; the page's style for text would win over the colours of its legend."""
    drawn = path.read_text(encoding="utf-8")
    own = re.sub(r'(<text [^>]*)fill="(#[0-9a-f]{6})"', r'\1style="fill:\2"', drawn)
    return Markup(own)  # noqa: S704 - our own file


def _seconds(models: Sequence[Path]) -> float | None:
    total = 0.0
    for model in models:
        try:
            facts = json.loads((model / "manifest.json").read_text(encoding="utf-8"))
            if facts["resumed_from"] is not None:
                return None
            total += float(facts["metrics"]["train_runtime"])
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(
                "the manifest of the training is missing or damaged",
                remedy="delete the folder, so that it is made again",
                source=model,
            ) from None
    return total


def _cells(scored: Sequence[Scored]) -> dict[tuple[str, ...], list[Scored]]:
    found: dict[tuple[str, ...], list[Scored]] = {}
    for each in scored:
        found.setdefault(each.run.cell, []).append(each)
    return found


def _axes(scored: Sequence[Scored]) -> list[str]:
    return list(scored[0].run.options) if scored else []


def _mean_sd(values: Sequence[float]) -> tuple[float | None, float | None]:
    return fmean(values) if values else None, stdev(values) if len(values) > 1 else None
