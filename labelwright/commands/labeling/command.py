"""``labelwright label``: reports in, a table of labels or entities out, resumable."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelwright.commands.input_flags import with_column
from labelwright.commands.labeling.ray_flags import RaySettings, labeled_by
from labelwright.commands.labeling.runs import (
    RunOptions,
    Task,
    carry_out,
    closing,
    finished,
    request_of,
)
from labelwright.errors import ConfigError
from labelwright.labelers.settings import LabelerSettings
from labelwright.options import read_by
from labelwright.tasks import kind_of


@dataclass(frozen=True, kw_only=True)
class LabelOptions(RunOptions):
    """A labeler, what it labels and on how many workers."""

    settings: LabelerSettings = read_by(LabelerSettings.from_flags)
    spread: RaySettings = read_by(RaySettings.from_flags)


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
    from inference.cut import left_to_cut
    from inference.runs.interrupt import terminable
    from inference.runs.tables import id_clash
    from inference.runs.watch import Watch
    from labelwright.readers import scan
    from labelwright.readers.dispatch import format_of

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
    from labelwright.readers.dispatch import FORMATS, format_of

    trees = all(format_of(path, options.reading) is FORMATS["mimic-cxr"] for path in options.files)
    return "study_id" if trees else "id"
