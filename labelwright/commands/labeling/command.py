"""``labelwright label``: reports in, a table of labels or entities out, resumable."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.input_flags import ReadingOptions, refuse_inside, with_column
from labelwright.commands.labeling.again import finished, remember, request_of
from labelwright.errors import ConfigError
from labelwright.labelers.settings import LabelerSettings
from labelwright.loading import RaySettings, labeled_by
from labelwright.options import flag, positive, read_by, switch
from labelwright.tasks import kind_of
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from inference.runs.batch import Summary
    from inference.runs.retry import Retried
    from inference.runs.watch import Watch
    from labelwright.labelers.base import ReportLabeler
    from labelwright.readers.options import ReadOptions
    from labelwright.records import Reject, Report

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
class LabelOptions(ReadingOptions):
    """What is labeled, by which labeler on how many workers, and what becomes of it."""

    settings: LabelerSettings = read_by(LabelerSettings.from_flags)
    spread: RaySettings = read_by(RaySettings.from_flags)

    out: Path = flag(
        "where the results go; - writes the table of results alone to the standard output",
        required=True,
        type=Path,
        metavar="DIR",
    )
    limit: int | None = flag("stop after N rows", type=positive, metavar="N")
    shard_rows: int | None = flag(
        "rows stored together; a resumed job keeps the number it began with",
        type=positive,
        metavar="N",
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
        f"label N rows spread over the input (default: {DRY_ROWS}), write nothing, estimate "
        "what all would take",
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
        refuse_inside(self.files, self.out)
        if self.dry_run and self.retry_rejects:
            raise ConfigError(
                "--dry-run and --retry-rejects exclude each other", remedy="leave one out"
            )
        if self.to_output:
            kept = ("also", "retry_rejects")
            self.refuse(kept, "needs a folder, and --out - keeps none", remedy=KEPT)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    LabelOptions.add_flags(parser)
    LabelerSettings.add_flags(parser)
    RaySettings.add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Label the files; the same command again resumes or says that all is done."""
    options = LabelOptions.from_flags(arguments)
    if options.to_output and not options.dry_run:
        return _to_standard_output(options)
    sys.stdout.write(perform(options) + "\n")
    return 0


def _to_standard_output(options: LabelOptions) -> int:
    """Label into a folder that goes afterwards; only the first table of it stays, as output.

    Rejects go to the standard error, a line of JSON each, and what a run says at its end.
    """
    import shutil
    from tempfile import TemporaryDirectory

    options.check()
    with TemporaryDirectory(prefix="labelwright-") as folder:
        out = Path(folder) / "out"
        line = perform(replace(options, out=out))
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
        table = out / _table(manifest)
        with open(table, encoding="utf-8", newline="") as rows:
            shutil.copyfileobj(rows, sys.stdout)
        with open(out / "rejects.jsonl", encoding="utf-8") as rejects:
            shutil.copyfileobj(rejects, sys.stderr)
    for said, instead in {
        f" (why: {out}/rejects.jsonl)": " (why: above)",
        " (disagreements.csv)": "",
        f" -> {table}": "",
    }.items():
        line = line.replace(said, instead)
    sys.stderr.write(line + "\n")
    return 0


def perform(options: LabelOptions) -> str:
    """Label into a folder; what to say at the end."""
    from inference.runs.interrupt import terminable
    from inference.runs.merge import id_clash
    from inference.runs.watch import Watch
    from labelwright.readers import scan
    from labelwright.readers.formats import format_of
    from labelwright.results import left_to_cut

    options.check()
    request = request_of(options, options.settings, options.spread)
    if request is not None and (done := finished(options.out, request)) is not None:
        from inference.runs.batch import finished_before

        table = options.out / _table(done)
        return closing(finished_before(done), table, 0)
    reading = with_column(options.reading, options.settings.image_column)
    with terminable(), ExitStack() as stack:
        for path in options.files:
            format_of(path, reading)  # before a folder that holds no reports is looked through
        watch = Watch(options.files)
        found = scan(options.files, reading)
        rows = min(found.rows, options.limit or found.rows)
        loaded = stack.enter_context(labeled_by(options.settings, options.spread, rows=rows))
        labeler, sections = loaded.labeler, loaded.sections
        if id_clash(labeler.label_set, id_column := _id_column(options)):
            raise ConfigError(
                f"the id column {id_column} has the name of an observation or of another column of "
                "the result table",
                remedy="rename the column",
            )
        if kind_of(labeler.label_set).whole_text and sections != "full":
            raise ConfigError(
                f"{labeler.label_set.task} are found in whole texts, so that their offsets are "
                "those of the text",
                remedy="leave --sections out",
            )
        told = {
            "text_columns": list(reading.text_columns),
            "encoding": reading.encoding,
            "format": reading.format,
            "sections": sections,
            "limit": options.limit,
            **reading.annotations(),
        }
        task = Task(
            labeler=labeler,
            files=options.files,
            reading=reading,
            limit=options.limit,
            cut_to=left_to_cut(options.files, sections),
            rows=rows,
            watch=watch,
            settings={"inputs": found.inputs, "options": told, "id_column": id_column},
            shard_rows=options.shard_rows or loaded.window,
            request=request,
        )
        return carry_out(task, options)


def _table(manifest: Mapping[str, Any]) -> str:
    """The name of a finished run's first table."""
    return next(str(name) for name in manifest["outputs"] if str(name).endswith(".csv"))


def _id_column(options: LabelOptions) -> str:
    """The user's own name for the id, so that ``labels.csv`` joins their tables."""
    if options.id_column:
        return options.id_column
    from labelwright.readers.formats import FORMATS, format_of

    trees = all(format_of(path, options.reading) is FORMATS["mimic-cxr"] for path in options.files)
    return "study_id" if trees else "id"


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
        from labelwright.readers import read_reports
        from labelwright.text.sections import SectionCut

        cut = SectionCut(self.cut_to)
        items = islice(read_reports(self.files, self.reading), self.limit)
        yield from self.watch.stream(cut.stream(items), self.settings["inputs"])
        self.whole = cut.whole


def carry_out(task: Task, options: LabelOptions) -> str:
    """Do what the flags ask; return the closing line."""
    from inference.exports.export import check_also
    from inference.runs.merge import tables_of

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
