"""``labelwright label``: reports in, a table of labels or entities out, resumable."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.checkpoint import has_heads, has_tags
from labelwright.commands.flags import positive, share
from labelwright.commands.input_flags import add_reading_flags, read_options
from labelwright.commands.labeling.neighbours import (
    KNN,
    add_neighbour_flags,
    knn_labeler,
    read_with_images,
    refuse_neighbour_flags,
    with_neighbours,
)
from labelwright.commands.labeling.ray_flags import add_ray_flags, labeled_by
from labelwright.commands.labeling.runs import Task, add_run_flags, check_run_flags, perform
from labelwright.commands.labeling.server import (
    add_server_flags,
    refuse_server_flags,
    server_labeler,
)
from labelwright.errors import ConfigError
from labelwright.label_set import ENTITIES
from labelwright.shipped import named_model, shipped_model
from labelwright.text.sections import SECTION_CHOICES

if TYPE_CHECKING:
    from labelwright.labelers.base import ReportLabeler

RULES = "rules"
RULES_LABEL_SET = "chexpert-14"
MODEL_ONLY = ("device", "dtype", "batch_size")
"""Flags for anything that reads weights; those below are for generative models."""
GENERATIVE_ONLY = (
    "decode",
    "batch_tokens",
    "quantize",
    "deterministic",
    "long",
    "unit",
    "evidence",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add_reading_flags(parser)
    parser.add_argument(
        "--model",
        metavar="DIR|HUB_NAME|rules|knn",
        help="a folder that training wrote, a model of the hub, the rule-based labeler, "
        "or the votes of similar reports "
        "(default: the small model that comes with labelwright for the label set chexpert-14)",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where the results go"
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
        choices=("report", "sentence"),
        help="what the model reads at once; sentences are asked one by one and their answers put "
        "together (default: as the model was made for)",
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
        help="for taggers with several tags a word: from which probability on a tag counts "
        "(default: as tuned in training)",
    )
    add_server_flags(parser)
    add_ray_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Label the files; the same command again resumes or says that all is done."""
    from inference.cut import left_to_cut
    from inference.runs.interrupt import terminable
    from inference.runs.tables import id_clash
    from inference.runs.watch import Watch
    from labelwright.readers import scan
    from labelwright.readers.dispatch import format_of

    check_run_flags(arguments)
    if arguments.model is None:
        if arguments.server is not None:
            raise ConfigError("--server needs --model", remedy="name one of the server's models")
        arguments.model = str(shipped_model(arguments.label_set))
    if arguments.server is None:
        arguments.model = named_model(arguments.model)
    reading = read_with_images(read_options(arguments), arguments)
    with terminable(), ExitStack() as stack:
        for path in arguments.files:
            format_of(path, reading)  # before a folder that holds no reports is looked through
        watch = Watch(arguments.files)
        found = scan(arguments.files, reading)
        made = labeled_by(arguments, _labeler)
        labeler, sections, shard_rows = stack.enter_context(made)
        if id_clash(labeler.label_set, id_column := _id_column(arguments)):
            raise ConfigError(
                f"the id column {id_column} has the name of an observation or of another column of "
                "the result table",
                remedy="rename the column",
            )
        if labeler.label_set.task == ENTITIES and sections != "full":
            raise ConfigError(
                "entities are found in whole texts, so that their offsets are those of the text",
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
            rows=min(found.rows, arguments.limit or found.rows),
            watch=watch,
            settings={"inputs": found.inputs, "options": options, "id_column": id_column},
            shard_rows=arguments.shard_rows or shard_rows,
        )
        line = perform(task, arguments)
    sys.stdout.write(line + "\n")
    return 0


def _labeler(arguments: argparse.Namespace) -> tuple[ReportLabeler, str, int]:
    """The labeler, the sections it reads, and how many rows to store together."""
    labeler, sections, shard_rows = _plain_labeler(arguments)
    from labelwright.labelers.calibrated import calibrated

    folder = arguments.model if arguments.server is None else None
    labeler = calibrated(labeler, folder, arguments.calibration)
    if not arguments.unchecked:
        from labelwright.labelers.gate import gated

        labeler = gated(labeler)
    return labeler, sections, shard_rows


def _plain_labeler(arguments: argparse.Namespace) -> tuple[ReportLabeler, str, int]:
    from inference.runs.batch import SHARD_ROWS
    from labelwright.label_set import LabelSet

    tags = arguments.server is None and has_tags(arguments.model)
    if arguments.threshold is not None and not tags:
        raise ConfigError("--threshold is for taggers", remedy="leave it out")
    if arguments.server is not None:
        served = server_labeler(arguments, ("rules", *MODEL_ONLY, *GENERATIVE_ONLY))
        return with_neighbours(served, arguments, served.neighbours), served.sections, served.window
    refuse_server_flags(arguments)
    if arguments.model == KNN:
        others = ("rules", "label_set", *MODEL_ONLY[1:], *GENERATIVE_ONLY)
        return knn_labeler(arguments, others), arguments.sections or "full", SHARD_ROWS
    if arguments.model == RULES:
        refuse_neighbour_flags(arguments, "the rules")
        given = _given(arguments, (*MODEL_ONLY, *GENERATIVE_ONLY))
        if given:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise ConfigError(f"{flags} means nothing to the rules", remedy="leave it out")
        from baselines.rules.labeler import RulesLabeler

        label_set = LabelSet.load(arguments.label_set or RULES_LABEL_SET)
        labeler = RulesLabeler.for_label_set(label_set, arguments.rules)
        return labeler, arguments.sections or "full", SHARD_ROWS
    if arguments.rules is not None:
        raise ConfigError("--rules is for --model rules", remedy="leave it out")
    if tags:
        return _tagger(arguments)
    if has_heads(arguments.model):
        return _encoder(arguments)
    from inference.labeler import Labeler
    from labelwright.labelers.normalising import normalising

    flags_of_it = (*MODEL_ONLY, *GENERATIVE_ONLY, "label_set", "sections")
    named = {name: getattr(arguments, name) for name in flags_of_it}
    given_flags: Mapping[str, Any] = {k: v for k, v in named.items() if v is not None}
    model = Labeler.from_checkpoint(arguments.model, **given_flags)
    shown = with_neighbours(model, arguments, model.neighbours)
    return normalising(shown, arguments.model), model.sections, model.window


def _encoder(arguments: argparse.Namespace) -> tuple[ReportLabeler, str, int]:
    from baselines.encoder.labeler import EncoderLabeler
    from inference.runs.batch import SHARD_ROWS

    refuse_neighbour_flags(arguments, "an encoder")
    if given_here := _given(arguments, GENERATIVE_ONLY):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given_here)
        raise ConfigError(f"{flags} means nothing to an encoder", remedy="leave it out")
    named = {name: getattr(arguments, name) for name in (*MODEL_ONLY, "label_set")}
    given: Mapping[str, Any] = {k: v for k, v in named.items() if v is not None}
    model = EncoderLabeler.from_checkpoint(arguments.model, **given)
    return model, arguments.sections or model.sections, SHARD_ROWS


def _tagger(arguments: argparse.Namespace) -> tuple[ReportLabeler, str, int]:
    from baselines.tagger.labeler import TaggerLabeler
    from inference.runs.batch import SHARD_ROWS
    from labelwright.labelers.normalising import normalising

    refuse_neighbour_flags(arguments, "a tagger")
    if given_here := _given(arguments, GENERATIVE_ONLY):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given_here)
        raise ConfigError(f"{flags} means nothing to a tagger", remedy="leave it out")
    named = {name: getattr(arguments, name) for name in (*MODEL_ONLY, "label_set", "threshold")}
    given: Mapping[str, Any] = {k: v for k, v in named.items() if v is not None}
    model = TaggerLabeler.from_checkpoint(arguments.model, **given)
    shown = normalising(model, arguments.model)
    return shown, arguments.sections or model.sections, SHARD_ROWS


def _given(arguments: argparse.Namespace, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if getattr(arguments, name) is not None]


def _id_column(arguments: argparse.Namespace) -> str:
    """The user's own name for the id, so that ``labels.csv`` joins their tables."""
    if arguments.id_column:
        return str(arguments.id_column)
    from labelwright.readers.dispatch import FORMATS, format_of

    reading = read_options(arguments)
    trees = all(format_of(path, reading) is FORMATS["mimic-cxr"] for path in arguments.files)
    return "study_id" if trees else "id"
