"""What ``labelwright index`` builds from: the flags for reports, labels and images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.commands.input_flags import OptionalReadingOptions, with_column
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.options import flag, names
from labelwright.text.sections import SECTION_CHOICES

if TYPE_CHECKING:
    from retrieval.embed import Embedder
    from retrieval.index_sources import Source


LABELS, DATA, IMAGES = "labels of FILE", "instead of FILE", "images"


@dataclass(frozen=True, kw_only=True)
class SourceOptions(OptionalReadingOptions):
    """Files or a data folder, and what belongs to them."""

    sections: str | None = flag(
        "what of a report of FILE to keep (default full)", choices=SECTION_CHOICES
    )
    split_name: str | None = flag("split of FILE (default train)", metavar="NAME")
    data: Path | None = flag("a folder of labelwright build", group=DATA, type=Path, metavar="DIR")
    splits: tuple[str, ...] = flag(
        "of --data (default: all)", group=DATA, beside="data", default=(), type=names, metavar="A,B"
    )
    labels: Path | None = flag("in CheXpert coding", group=LABELS, type=Path, metavar="TABLE")
    label_set: str | None = flag("whose labels the table holds", group=LABELS, metavar="NAME|FILE")
    label_id_columns: tuple[str, ...] = flag(
        "id of the table", group=LABELS, beside="labels", default=(), type=names, metavar="A,B"
    )
    image_column: str | None = flag(
        "where a report names its image (clip embedders)", group=IMAGES, metavar="NAME"
    )
    image_root: Path | None = flag("folder of the images", group=IMAGES, type=Path, metavar="DIR")
    device: str = flag("auto, cpu, cuda or mps", default="auto", metavar="NAME")


def source_of(options: SourceOptions) -> Source:
    """The reports that the flags name.

    Raises:
        ConfigError: flags that do not go together.
        InputError: a file cannot be read.
    """
    from retrieval.index_sources import Images, from_data_folder, with_images

    options.refuse_idle()
    column, root = options.image_column, options.image_root
    if (column is None) != (root is None):
        raise ConfigError("--image-column and --image-root belong together", remedy="give both")
    if options.data is not None:
        given = ("files", "sections", "split_name", "labels", "label_set", "label_id_columns")
        options.refuse(given, "is for report files, not for --data")
        source = from_data_folder(options.data, options.splits, column)
    else:
        source = _of_files(options)
    return source if column is None or root is None else with_images(source, Images(column, root))


def check_images(options: SourceOptions, embedder: Embedder) -> None:
    """Refuse images that the embedder cannot read before any report is read.

    Raises:
        ConfigError: it reads texts only.
    """
    from retrieval.embed import ImageEmbedder

    if options.image_column is not None and not isinstance(embedder, ImageEmbedder):
        raise ConfigError(
            f"the embedder {embedder.name} reads no images",
            remedy="leave --image-column out, or give --embedder clip:FOLDER",
        )


def _of_files(options: SourceOptions) -> Source:
    from inference.cut import SectionCut, left_to_cut
    from labelwright.readers import read_reports, scan
    from retrieval.index import TRAIN
    from retrieval.index_sources import LabelTable, from_reports

    if not options.files:
        raise ConfigError("no reports given", remedy="give files of reports, or --data DIR")
    if (options.labels is None) != (options.label_set is None):
        raise ConfigError("--labels and --label-set belong together", remedy="give both")
    labels = None
    if options.labels is not None and options.label_set is not None:
        label_set = LabelSet.load(options.label_set)
        labels = LabelTable(options.labels, label_set, options.label_id_columns)
    reading = with_column(options.reading, options.image_column)
    found = scan(options.files, reading)
    sections = options.sections or "full"
    cut = SectionCut(left_to_cut(options.files, sections))
    facts = {
        "inputs": found.inputs,
        "sections": sections,
        "id_column": reading.id_column,
        "text_columns": list(reading.text_columns),
        "patient_column": reading.patient_column,
        "encoding": reading.encoding,
        "format": reading.format,
    }
    return from_reports(
        lambda: cut.stream(read_reports(options.files, reading)),
        facts=facts,
        total=found.rows,
        split=options.split_name or TRAIN,
        labels=labels,
    )
