"""``labelwright label``: reports in, a table of labels or entities out, resumable."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from labelwright.commands.flags import positive, share
from labelwright.commands.input_flags import add_reading_flags, read_options, with_column
from labelwright.commands.labeling.neighbours import add_neighbour_flags
from labelwright.commands.labeling.ray_flags import RaySettings, add_ray_flags, labeled_by
from labelwright.commands.labeling.repeated import finished, request_of
from labelwright.commands.labeling.runs import (
    Task,
    add_run_flags,
    check_run_flags,
    closing,
    perform,
    to_standard_output,
)
from labelwright.commands.labeling.server import add_server_flags
from labelwright.errors import ConfigError
from labelwright.loading import RULES_LABEL_SET, LabelerSettings
from labelwright.tasks import kind_of
from labelwright.text.sections import SECTION_CHOICES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add_reading_flags(parser)
    parser.add_argument(
        "--model",
        metavar="DIR|HUB_NAME|rules|knn|dictionary",
        help="a folder that training wrote, a model of the hub, the rule-based labeler, "
        "or the votes of similar reports "
        "(default: for chexpert-14 the small model that comes with labelwright, with the rules as "
        "second reader, who decides)",
    )
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="where the results go; - writes the table of results alone to the standard output",
    )
    parser.add_argument(
        "--label-set",
        metavar="FILE|NAME",
        help=f"for a model that brings none (rules: {RULES_LABEL_SET} if not given)",
    )
    parser.add_argument(
        "--rules", type=Path, metavar="FILE", help="a rules file of your own, for --model rules"
    )
    parser.add_argument(
        "--sections",
        choices=SECTION_CHOICES,
        help="what of a report to read (default: as in training; full for others); a report "
        "without headings is read whole",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="stop after N rows")
    parser.add_argument(
        "--shard-rows",
        type=positive,
        metavar="N",
        help="rows stored together; a stopped job keeps its first value",
    )
    parser.add_argument(
        "--unchecked",
        action="store_true",
        help="take the labeler's answers as they are: no check whether a text is a report of the "
        "label set's examination and language, and whether it says what is called normal",
    )
    _add_second_flags(parser)
    add_run_flags(parser)
    model = parser.add_argument_group("model")
    model.add_argument(
        "--batch-size",
        type=positive,
        metavar="N",
        help="reports generated together (default: 8 on CPU, 64 on a GPU)",
    )
    model.add_argument("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps")
    model.add_argument(
        "--dtype",
        metavar="NAME",
        help="auto, float32, bfloat16 or float16 (auto: float32 on CPU, else the checkpoint's)",
    )
    model.add_argument(
        "--decode",
        metavar="WAY",
        help="one-pass, constrained or free (default: one-pass where the model was trained for "
        "it, else constrained; entities: constrained or free)",
    )
    model.add_argument(
        "--batch-tokens",
        type=positive,
        metavar="N",
        help="tokens computed together by one-pass and constrained (default: 512 on CPU, "
        "2048 there for models below 50 million parameters, 16384 on a GPU)",
    )
    model.add_argument(
        "--calibration",
        metavar="FILE|none",
        help="calibration.json of a comparison: temper the probabilities as fitted there "
        "(default: the file of that name in the model's folder, if it has one)",
    )
    model.add_argument("--quantize", metavar="KIND", help="int8 or nf4 weights (bitsandbytes)")
    model.add_argument(
        "--deterministic",
        action="store_true",
        default=None,
        help="one report at a time: the same bits whatever is labeled beside it",
    )
    model.add_argument(
        "--long",
        choices=("windows", "reject"),
        help="a report beyond the model's context: read in parts (the default) or reject",
    )
    model.add_argument(
        "--unit",
        choices=("report", "sentence", "clause"),
        help="what the model reads at once; sentences or their clauses are asked one by one and "
        "their answers put together (default: as the model was made for)",
    )
    model.add_argument(
        "--evidence",
        metavar="WAY",
        help="find the sentences that carry each label: context, alone, masked or exact "
        "(default: labels only)",
    )
    add_neighbour_flags(parser)
    model.add_argument(
        "--threshold",
        type=share,
        metavar="P",
        help="for taggers with several tags a word: from which probability on a tag counts; for "
        "--model dictionary: in which share of its occurrences a string must have been marked "
        "(default: as tuned on validation)",
    )
    model.add_argument(
        "--dictionary",
        type=Path,
        metavar="DIR",
        help="with --model dictionary: a folder of labelwright build; the mentions of its training "
        "notes are looked up",
    )
    model.add_argument(
        "--tagger",
        type=Path,
        metavar="DIR",
        help="for fields: read only the sentences in which this tagger finds something",
    )
    add_server_flags(parser)
    add_ray_flags(parser)


def _add_second_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("second reader")
    group.add_argument(
        "--second-reader",
        metavar="DIR|HUB_NAME|rules|knn|none",
        help="another labeler for the same label set, which reads every report too; "
        "predictions.jsonl and disagreements.csv say where the two differ (default: none; without "
        "--model the rules)",
    )
    group.add_argument(
        "--decide",
        metavar="first|second|FILE",
        help="whose label stands where they differ: one of them, or a JSON file that says it per "
        "observation (default: as learned for this model and this second reader, else the first)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Label the files; the same command again resumes or says that all is done."""
    if to_standard_output(arguments) and not arguments.dry_run:
        return _to_standard_output(arguments)
    line = _label(arguments)
    sys.stdout.write(line + "\n")
    return 0


def _to_standard_output(arguments: argparse.Namespace) -> int:
    """Label into a folder that goes afterwards; only the first table of it stays, as output.

    Rejects go to the standard error, a line of JSON each, and what a run says at its end.
    """
    import shutil
    from tempfile import TemporaryDirectory

    check_run_flags(arguments)
    with TemporaryDirectory(prefix="labelwright-") as folder:
        arguments.out = Path(folder) / "out"
        line = _label(arguments)
        manifest = json.loads((arguments.out / "manifest.json").read_text(encoding="utf-8"))
        table = arguments.out / _table(manifest)
        with open(table, encoding="utf-8", newline="") as rows:
            shutil.copyfileobj(rows, sys.stdout)
        with open(arguments.out / "rejects.jsonl", encoding="utf-8") as rejects:
            shutil.copyfileobj(rejects, sys.stderr)
    for said, instead in {
        f" (why: {arguments.out}/rejects.jsonl)": " (why: above)",
        " (disagreements.csv)": "",
        f" -> {table}": "",
    }.items():
        line = line.replace(said, instead)
    sys.stderr.write(line + "\n")
    return 0


def _label(arguments: argparse.Namespace) -> str:
    """Label into a folder; what to say at the end."""
    from inference.cut import left_to_cut
    from inference.runs.interrupt import terminable
    from inference.runs.tables import id_clash
    from inference.runs.watch import Watch
    from labelwright.readers import scan
    from labelwright.readers.dispatch import format_of

    check_run_flags(arguments)
    request = request_of(arguments)
    if request is not None and (done := finished(arguments.out, request)) is not None:
        from inference.runs.batch import finished_before

        table = arguments.out / _table(done)
        return closing(finished_before(done), table, 0)
    settings = LabelerSettings.from_flags(arguments)
    reading = with_column(read_options(arguments), arguments.image_column)
    with terminable(), ExitStack() as stack:
        for path in arguments.files:
            format_of(path, reading)  # before a folder that holds no reports is looked through
        watch = Watch(arguments.files)
        found = scan(arguments.files, reading)
        rows = min(found.rows, arguments.limit or found.rows)
        spread = RaySettings.from_flags(arguments)
        loaded = stack.enter_context(labeled_by(settings, spread, rows=rows))
        labeler, sections = loaded.labeler, loaded.sections
        if id_clash(labeler.label_set, id_column := _id_column(arguments)):
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
        options = {
            "text_columns": list(reading.text_columns),
            "encoding": reading.encoding,
            "format": reading.format,
            "sections": sections,
            "limit": arguments.limit,
            **reading.annotations(),
        }
        task = Task(
            labeler=labeler,
            files=arguments.files,
            reading=reading,
            limit=arguments.limit,
            cut_to=left_to_cut(arguments.files, sections),
            rows=rows,
            watch=watch,
            settings={"inputs": found.inputs, "options": options, "id_column": id_column},
            shard_rows=arguments.shard_rows or loaded.window,
            request=request,
        )
        return perform(task, arguments)


def _table(manifest: Mapping[str, Any]) -> str:
    """The name of a finished run's first table."""
    return next(str(name) for name in manifest["outputs"] if str(name).endswith(".csv"))


def _id_column(arguments: argparse.Namespace) -> str:
    """The user's own name for the id, so that ``labels.csv`` joins their tables."""
    if arguments.id_column:
        return str(arguments.id_column)
    from labelwright.readers.dispatch import FORMATS, format_of

    reading = read_options(arguments)
    trees = all(format_of(path, reading) is FORMATS["mimic-cxr"] for path in arguments.files)
    return "study_id" if trees else "id"
