"""What ``labelwright index`` builds from: the flags for reports, labels and images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.commands.input_flags import add_reading_flags, read_options
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.text.sections import SECTION_CHOICES

if TYPE_CHECKING:
    from retrieval.embed import Embedder
    from retrieval.index_sources import Source


def add_source_flags(parser: argparse.ArgumentParser) -> None:
    """Files or a data folder, and what belongs to them."""
    add_reading_flags(parser, required=False)
    parser.add_argument(
        "--sections",
        choices=SECTION_CHOICES,
        help="what of a report of FILE to keep (default full)",
    )
    parser.add_argument("--split-name", metavar="NAME", help="split of FILE (default train)")
    data = parser.add_argument_group("instead of FILE")
    data.add_argument("--data", type=Path, metavar="DIR", help="a folder of labelwright build")
    data.add_argument(
        "--splits", type=names, default=(), metavar="A,B", help="of --data (default: all)"
    )
    labels = parser.add_argument_group("labels of FILE")
    labels.add_argument("--labels", type=Path, metavar="TABLE", help="in CheXpert coding")
    labels.add_argument("--label-set", metavar="NAME|FILE", help="whose labels the table holds")
    labels.add_argument(
        "--label-id-columns", type=names, default=(), metavar="A,B", help="id of the table"
    )
    images = parser.add_argument_group("images")
    images.add_argument(
        "--image-column", metavar="NAME", help="where a report names its image (clip embedders)"
    )
    images.add_argument("--image-root", type=Path, metavar="DIR", help="folder of the images")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps")


def source_of(arguments: argparse.Namespace) -> Source:
    """The reports that the flags name.

    Raises:
        ConfigError: flags that do not go together.
        InputError: a file cannot be read.
    """
    from retrieval.index_sources import Images, from_data_folder, with_images

    column, root = arguments.image_column, arguments.image_root
    if (column is None) != (root is None):
        raise ConfigError("--image-column and --image-root belong together", remedy="give both")
    if arguments.data is not None:
        given = ("files", "sections", "split_name", "labels", "label_set", "label_id_columns")
        _refuse(arguments, given, "is for report files, not for --data")
        source = from_data_folder(arguments.data, arguments.splits, column)
    else:
        _refuse(arguments, ("splits",), "is for --data")
        source = _of_files(arguments)
    return source if column is None else with_images(source, Images(column, root))


def check_images(arguments: argparse.Namespace, embedder: Embedder) -> None:
    """Refuse images that the embedder cannot read before any report is read.

    Raises:
        ConfigError: it reads texts only.
    """
    from retrieval.embed import ImageEmbedder

    if arguments.image_column is not None and not isinstance(embedder, ImageEmbedder):
        raise ConfigError(
            f"the embedder {embedder.name} reads no images",
            remedy="leave --image-column out, or give --embedder clip:FOLDER",
        )


def names(text: str) -> tuple[str, ...]:
    """Names divided by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _of_files(arguments: argparse.Namespace) -> Source:
    from inference.cut import SectionCut, left_to_cut
    from labelwright.readers import read_reports, scan
    from retrieval.index import TRAIN
    from retrieval.index_sources import LabelTable, from_reports

    if not arguments.files:
        raise ConfigError("no reports given", remedy="give files of reports, or --data DIR")
    if (arguments.labels is None) != (arguments.label_set is None):
        raise ConfigError("--labels and --label-set belong together", remedy="give both")
    labels = None
    if arguments.labels is not None:
        label_set = LabelSet.load(arguments.label_set)
        labels = LabelTable(arguments.labels, label_set, arguments.label_id_columns)
    else:
        _refuse(arguments, ("label_id_columns",), "is for --labels")
    options = read_options(arguments)
    if (column := arguments.image_column) and column not in options.meta_columns:
        options = replace(options, meta_columns=(*options.meta_columns, column))
    found = scan(arguments.files, options)
    sections = arguments.sections or "full"
    cut = SectionCut(left_to_cut(arguments.files, sections))
    facts = {
        "inputs": found.inputs,
        "sections": sections,
        "id_column": options.id_column,
        "text_columns": list(options.text_columns),
        "patient_column": options.patient_column,
        "encoding": options.encoding,
        "format": options.format,
    }
    return from_reports(
        lambda: cut.stream(read_reports(arguments.files, options)),
        facts=facts,
        total=found.rows,
        split=arguments.split_name or TRAIN,
        labels=labels,
    )


def _refuse(arguments: argparse.Namespace, flags: Sequence[str], why: str) -> None:
    for name in flags:
        if getattr(arguments, name):
            flag = "FILE" if name == "files" else f"--{name.replace('_', '-')}"
            raise ConfigError(f"{flag} {why}", remedy=f"leave {flag} out")
