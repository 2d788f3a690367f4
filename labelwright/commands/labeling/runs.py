"""What ``labelwright label`` does with labeler and reports: run, retry or dry run; exports.

The same command again on a finished folder is answered without loading any model: the manifest
keeps a digest of the command, its flags, and how every file that they name and all of labelwright
itself looked (inode, size, times). Where anything differs the usual way decides, which compares
contents.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.input_flags import ReadingOptions
from labelwright.errors import ConfigError
from labelwright.io.jsonl import write_json
from labelwright.io.manifest import versions
from labelwright.options import Options, flag, positive, switch
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from inference.runs.batch import Summary
    from inference.runs.retry import Retried
    from inference.runs.watch import Watch
    from labelwright.labelers.base import ReportLabeler
    from labelwright.readers.options import ReadOptions
    from labelwright.records import Reject, Report

_NO_CHOICE = frozenset({"out", "workers", "settings", "spread"})
_ELSEWHERE = ("server", "index", "retry_rejects", "dry_run", "also", "ray_actors")
"""Flags with which the result depends on more than files that are named, or more is to be done."""
_MODELS = ("model", "second_reader")
_BY_RULE = (None, "rules", "none")
REQUEST = "request"


def request_of(*options: Options) -> str | None:
    """The digest of a command; ``None`` where it depends on more than files that are here."""
    told = {k: v for each in options for k, v in vars(each).items()}
    given = {k: v for k, v in told.items() if k not in _NO_CHOICE}
    if any(given.get(name) for name in _ELSEWHERE):
        return None
    for model in (given.get(name) for name in _MODELS):
        if model not in _BY_RULE and not _whole_folder(Path(str(model))):
            return None
    own = Path(__file__).parents[3]
    trees = [own / name for name in ("labelwright", "inference", "baselines")]
    for value in given.values():
        trees += [path for path in _paths(value) if path.exists()]
    facts = [sorted((k, repr(v)) for k, v in given.items()), dict(versions())]
    marks = [sorted(_marks(tree)) for tree in trees]
    return hashlib.sha256(json.dumps([facts, marks]).encode()).hexdigest()


def finished(out: Path, request: str) -> dict[str, Any] | None:
    """The manifest of a folder that this very command finished, with all its files there."""
    try:
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(manifest, dict) or manifest.get(REQUEST) != request:
        return None
    left = any((out / name).exists() for name in ("job.json", "parts", "retry"))
    outputs = manifest.get("outputs")
    if left or not isinstance(outputs, dict) or not all((out / n).is_file() for n in outputs):
        return None
    return manifest


def remember(out: Path, request: str) -> None:
    """Let the manifest of a finished folder tell this command again.

    Raises:
        OutputError: it cannot be written.
    """
    path = out / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if manifest.get(REQUEST) != request:
        write_json(path, manifest | {REQUEST: request})


def _whole_folder(path: Path) -> bool:
    """Whether a model lies in a folder alone: an adapter's base may stand elsewhere."""
    return path.is_dir() and not (path / "adapter_config.json").exists()


def _paths(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, str) and value and len(value) < 1000 and "\0" not in value:
        yield Path(value)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _paths(each)


def _marks(path: Path) -> Iterator[tuple[str, int, int, int, int]]:
    files = (p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if file.suffix != ".pyc":
            s = file.stat()
            yield str(file), s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns


ALSO = ("parquet", "omop", "fhir", "brat", "questionnaire")
DRY_ROWS = 20
RESULTS = "results"
KEPT = "give --out a folder"
REMARKS = {
    "language": "in another language",
    "examination": "of another examination",
    "unknown words": "mostly of unknown words",
    "nothing said": "not called normal since no sentence says so",
    "rule": "where a rule of the label set overrode the likeliest label",
    "labels_that_differ": "label{s} where the two readers differ (disagreements.csv)",
    "decided_by_second": "of them decided by the second reader",
    "contradiction": "with labels that a rule of the label set forbids together",
}
"""What the closing line says of predictions with a problem or note of a kind (``{s}``: plural)."""


def _also(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if unknown := [name for name in names if name not in ALSO]:
        raise argparse.ArgumentTypeError(
            f"unknown {unknown[0]!r}; choose from: {', '.join(ALSO)}, with commas between"
        )
    return names


@dataclass(frozen=True, kw_only=True)
class RunOptions(ReadingOptions):
    """What is labeled, and what becomes of it."""

    out: Path = flag(
        "where the results go; - writes the table of results alone to the standard output",
        required=True,
        type=Path,
        metavar="DIR",
    )
    limit: int | None = flag("stop after N rows", type=positive, metavar="N")
    shard_rows: int | None = flag(
        "rows stored together; a stopped job keeps its first value", type=positive, metavar="N"
    )
    also: tuple[str, ...] = flag(
        "further files: parquet (predictions.parquet), omop (note_nlp.csv), fhir "
        "(observations.ndjson), brat (a folder of texts and mentions, for entities), "
        "questionnaire (a FHIR form with a response per document, for fields); also for a "
        "finished folder, without labeling again",
        group=RESULTS,
        default=(),
        type=_also,
        metavar="A,B",
    )
    also_text: bool = switch(
        "let the omop file hold the words of the report that speak for a label",
        group=RESULTS,
        beside="to_omop",
        use="--also omop",
    )
    retry_rejects: bool = switch(
        "label the rejected reports of a finished folder again, with this model and flags",
        group=RESULTS,
    )
    dry_run: int | None = flag(
        f"label N rows spread over the input (default: {DRY_ROWS}), write nothing, say what "
        "all would take",
        group=RESULTS,
        type=positive,
        nargs="?",
        const=DRY_ROWS,
        metavar="N",
    )

    @property
    def to_omop(self) -> bool:
        """Whether the OMOP file is written."""
        return "omop" in self.also

    @property
    def to_output(self) -> bool:
        """Whether the table goes to the standard output (``--out -``), and not into a folder."""
        return str(self.out) == "-"

    def check(self) -> None:
        """Refuse flags that do not apply together.

        A table on the standard output is all that stays of its run: nothing is kept that could be
        retried, and further files would have no place.

        Raises:
            ConfigError: there are such.
        """
        self.refuse_idle()
        if self.dry_run and self.retry_rejects:
            raise ConfigError(
                "--dry-run and --retry-rejects exclude each other", remedy="leave one out"
            )
        if self.to_output:
            kept = ("also", "retry_rejects")
            self.refuse(kept, "needs a folder, and --out - keeps none", remedy=KEPT)


@dataclass
class Task:
    """All that a run, a retry and a dry run need.

    Attributes:
        cut_to: what is left to be cut from the reports.
        rows: rows to come, counted before.
        settings: ``inputs``, ``options`` and ``id_column`` of :func:`inference.runs.batch.run`.
        shard_rows: rows stored together.
        request: what tells the same command again.
        whole: reports without headings that the latest reading kept whole.
    """

    labeler: ReportLabeler
    files: Sequence[Path]
    reading: ReadOptions
    limit: int | None
    cut_to: str
    rows: int
    watch: Watch
    settings: Mapping[str, Any]
    shard_rows: int
    request: str | None = None
    whole: int = field(default=0, init=False)

    def reports(self) -> Iterable[Report | Reject]:
        """Open the inputs: reports cut to what is read, and rejects, in order."""
        from inference.cut import SectionCut
        from labelwright.readers import read_reports

        cut = SectionCut(self.cut_to)
        items = islice(read_reports(self.files, self.reading), self.limit)
        yield from self.watch.stream(cut.stream(items), self.settings["inputs"])
        self.whole = cut.whole


def carry_out(task: Task, options: RunOptions) -> str:
    """Do what the flags ask; return the closing line."""
    from inference.exports.export import check_also
    from inference.runs.tables import tables_of

    out = options.out
    check_also(options.also, task.labeler.label_set)
    table = out / tables_of(task.labeler.label_set)[0]
    if options.dry_run:
        from inference.runs.dry_run import dry_run

        return dry_run(task.labeler, task.reports(), total=task.rows, rows=options.dry_run).line()
    if options.retry_rejects:
        from inference.runs.retry import retry

        again = retry(task.labeler, task.reports, out, shard_rows=task.shard_rows, **task.settings)
        line = retried(again, table)
    else:
        from inference.runs.batch import run

        summary = run(
            task.labeler,
            task.reports(),
            out,
            total=task.rows,
            shard_rows=task.shard_rows,
            **task.settings,
        )
        if task.request is not None:
            remember(out, task.request)
        line = closing(summary, table, task.whole)
    from inference.exports.export import export

    written = export(
        out,
        options.also,
        label_set=task.labeler.label_set,
        reports=task.reports,
        text=options.also_text,
    )
    return line + "".join(f", {path}" for path in written)


def closing(summary: Summary, table: Path, whole: int) -> str:
    """One line on a run that ended, whose table is ``table``."""
    if summary.finished_before:
        head = f"already finished: {amount(summary.rows, 'row')}"
    else:
        head = amount(summary.rows, "row")
    parts = [_counts(head, summary, table)]
    if whole:
        parts.append(f"{whole:,} without headings read whole")
    for kind, words in REMARKS.items():
        if count := summary.remarks.get(kind):
            parts.append(f"{count:,} {words.format(s=_plural(count))}")
    if not summary.finished_before:
        if summary.labeled_now < summary.rows:
            parts.append(f"{summary.rows - summary.labeled_now:,} done by an earlier run")
        rate = summary.labeled_now / max(summary.seconds, 1e-9)
        parts.append(f"{rate:,.1f} rows/s")
    return "; ".join(parts) + f" -> {table}"


def retried(done: Retried, table: Path) -> str:
    """One line on a retry that ended, whose table is ``table``."""
    if not done.tried:
        head = "no rejected report to try again"
    else:
        tried = amount(done.tried, "rejected report")
        head = f"{tried} tried again, {done.labeled_now:,} labeled"
    return f"{head}; {_counts(amount(done.rows, 'row'), done, table)} -> {table}"


def _counts(head: str, counts: Summary | Retried, table: Path) -> str:
    why = f" (why: {table.with_name('rejects.jsonl')})" if counts.rejected else ""
    return f"{head}: {counts.labeled:,} labeled, {counts.rejected:,} rejected{why}"


def _plural(count: int) -> str:
    return "" if count == 1 else "s"
