"""``labelwright index search``: the reports of an index most similar to a text or image."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.commands.flags import positive
from labelwright.errors import ConfigError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from retrieval.index import Index, Neighbour

NEIGHBOURS = 5


def add_search_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("index", type=Path, metavar="INDEX")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--text", metavar="T", help="a report (it stays in the shell's history)")
    asked.add_argument("--text-file", type=Path, metavar="F", help="a report, UTF-8")
    asked.add_argument("--image", type=Path, metavar="F", help="an image, for clip embedders")
    asked.add_argument("--id", metavar="ID", help="a report of the index")
    parser.add_argument(
        "--k", type=positive, default=NEIGHBOURS, metavar="N", help="how many (default 5)"
    )
    parser.add_argument("--split", metavar="NAME", help="only of this split (default: all)")
    parser.add_argument("--patient", metavar="ID", help="none of this patient (--id knows its own)")
    parser.add_argument(
        "--most-similar",
        type=_similarity,
        metavar="S",
        help="none as similar as this, such as 0.98",
    )
    parser.add_argument(
        "--other-texts", action="store_true", help="none of the same text, case and spaces aside"
    )
    parser.add_argument("--show-text", action="store_true", help="print the reports too")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps")
    add_embedder_flag(parser)


def add_embedder_flag(parser: argparse.ArgumentParser) -> None:
    """``--embedder``, for indexes whose embedder has moved."""
    parser.add_argument(
        "--embedder",
        metavar="NAME",
        help="the index's own, where its folder has moved: text:FOLDER or clip:FOLDER",
    )


def search(arguments: argparse.Namespace) -> str:
    """A table of the neighbours.

    Raises:
        ConfigError: flags that do not go together.
        InputError: the index is empty or damaged, or the query cannot be read.
    """
    from retrieval.index import Index

    index = Index.open(arguments.index)
    vector, text, patient = _query(index, arguments)
    if arguments.other_texts and text is None:
        raise ConfigError("--other-texts needs a text", remedy="remove it with --image")
    (found,) = index.search(
        vector[None],
        k=arguments.k,
        ids=[arguments.id],
        patients=[arguments.patient or patient],
        split=arguments.split,
        most_similar=arguments.most_similar,
        texts=[text] if arguments.other_texts and text is not None else None,
    )
    if not found:
        return "no report may be shown for this query"
    return "\n".join(_table(found, show_text=arguments.show_text))


def _query(
    index: Index, arguments: argparse.Namespace
) -> tuple[NDArray[np.float32], str | None, str | None]:
    """Vector, text and patient of what is asked for."""
    if arguments.id is not None:
        report, vector = index.get(arguments.id), index.vector(arguments.id)
        if report is None or vector is None:
            raise InputError(
                f"the index holds no report {arguments.id}",
                remedy="check the id, or give --text",
                source=arguments.index,
            )
        return vector, report.text, report.patient
    embedder = index.embedder(arguments.device, name=arguments.embedder)
    if arguments.image is not None:
        from retrieval.embed import ImageEmbedder

        if not isinstance(embedder, ImageEmbedder):
            raise ConfigError(
                f"the embedder {embedder.name} of the index reads no images",
                remedy="give --text, or build the index with --embedder clip:FOLDER",
            )
        (seen,) = embedder.images([arguments.image])
        if isinstance(seen, str):
            raise InputError(seen, remedy="give another image", source=arguments.image)
        return seen, None, None
    text = arguments.text if arguments.text is not None else _read(arguments.text_file)
    if not text.strip():
        raise InputError("the query has no text", remedy="give a report")
    return embedder.texts([text])[0], text, None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError("cannot be read", remedy="give a UTF-8 text file", source=path) from None


def _table(found: list[Neighbour], *, show_text: bool) -> list[str]:
    width = max(len("id"), *(len(one.id) for one in found))
    lines = [f"{'id':{width}}  similarity  split"]
    for one in found:
        lines.append(f"{one.id:{width}}  {one.similarity:10.4f}  {one.split}")
        if show_text:
            lines += [f"    {line}" for line in one.text.splitlines()]
    return lines


def _similarity(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -1 <= value <= 2:
        raise argparse.ArgumentTypeError("must be a number such as 0.98")
    return value
