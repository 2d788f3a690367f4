"""``labelwright index search``: the reports of an index most similar to a text or image."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import ConfigError, InputError
from labelwright.options import ONE_OF, Options, flag, positive, switch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from retrieval.index import Index, Neighbour


def embedder_flag() -> Any:
    """``--embedder``, for indexes whose embedder has moved."""
    return flag(
        "the index's own, where its folder has moved: text:FOLDER or clip:FOLDER", metavar="NAME"
    )


def _similarity(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -1 <= value <= 2:
        raise argparse.ArgumentTypeError("must be a number such as 0.98")
    return value


@dataclass(frozen=True, kw_only=True)
class SearchOptions(Options):
    """Of ``search``; one of text, file, image and id is given."""

    index: Path = flag("the index folder", place=True, type=Path, metavar="INDEX")
    text: str | None = flag("a report (it stays in the shell's history)", metavar="T", group=ONE_OF)
    text_file: Path | None = flag("a report, UTF-8", type=Path, metavar="F", group=ONE_OF)
    image: Path | None = flag("an image, for clip embedders", type=Path, metavar="F", group=ONE_OF)
    id: str | None = flag("a report of the index", metavar="ID", group=ONE_OF)
    k: int = flag("how many (default 5)", default=5, type=positive, metavar="N")
    split: str | None = flag("only of this split (default: all)", metavar="NAME")
    patient: str | None = flag("none of this patient (--id knows its own)", metavar="ID")
    most_similar: float | None = flag(
        "none as similar as this, such as 0.98", type=_similarity, metavar="S"
    )
    other_texts: bool = switch("none of the same text, case and spaces aside")
    show_text: bool = switch("print the reports too")
    device: str = flag("auto, cpu, cuda or mps", default="auto", metavar="NAME")
    embedder: str | None = embedder_flag()


def search(options: SearchOptions) -> str:
    """A table of the neighbours.

    Raises:
        ConfigError: flags that do not go together.
        InputError: the index is empty or damaged, or the query cannot be read.
    """
    from retrieval.index import Index

    index = Index.open(options.index)
    vector, text, patient = _query(index, options)
    if options.other_texts and text is None:
        raise ConfigError("--other-texts needs a text", remedy="remove it with --image")
    (found,) = index.search(
        vector[None],
        k=options.k,
        ids=[options.id],
        patients=[options.patient or patient],
        split=options.split,
        most_similar=options.most_similar,
        texts=[text] if options.other_texts and text is not None else None,
    )
    if not found:
        return "no report may be shown for this query"
    return "\n".join(_table(found, show_text=options.show_text))


def _query(
    index: Index, options: SearchOptions
) -> tuple[NDArray[np.float32], str | None, str | None]:
    """Vector, text and patient of what is asked for."""
    if options.id is not None:
        report, vector = index.get(options.id), index.vector(options.id)
        if report is None or vector is None:
            raise InputError(
                f"the index holds no report {options.id}",
                remedy="check the id, or give --text",
                source=options.index,
            )
        return vector, report.text, report.patient
    embedder = index.embedder(options.device, name=options.embedder)
    if options.image is not None:
        from retrieval.embed import ImageEmbedder

        if not isinstance(embedder, ImageEmbedder):
            raise ConfigError(
                f"the embedder {embedder.name} of the index reads no images",
                remedy="give --text, or build the index with --embedder clip:FOLDER",
            )
        (seen,) = embedder.images([options.image])
        if isinstance(seen, str):
            raise InputError(seen, remedy="give another image", source=options.image)
        return seen, None, None
    text = _read(options.text_file) if options.text_file is not None else options.text or ""
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
