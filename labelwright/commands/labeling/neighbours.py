"""The flags of ``labelwright label`` for similar reports: in the prompt, or as voters."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.flags import positive
from labelwright.errors import ConfigError

if TYPE_CHECKING:
    from labelwright.labelers.base import ReportLabeler
    from labelwright.readers.options import ReadOptions
    from retrieval.augment import Recipe
    from retrieval.index_sources import Images

KNN = "knn"
NONE = "none"
SHOWN = ("neighbours", "neighbour_words")
"""Flags for neighbours in prompts."""
CHOSEN = ("k", "neighbour_split", "most_similar", "image_column", "image_root")
"""Flags for which reports are neighbours."""
DEFAULT_K = 5


def add_neighbour_flags(parser: argparse.ArgumentParser) -> None:
    """``--index`` and the flags that go with it."""
    group = parser.add_argument_group(
        "similar reports", "from an index that labelwright index build has made"
    )
    group.add_argument(
        "--index",
        type=Path,
        metavar="DIR",
        help="the index; with --model knn its labeled reports vote, else they stand in the prompt",
    )
    group.add_argument(
        "--neighbours",
        choices=("context", "few-shot", NONE),
        help="how they stand in the prompt: their texts, texts with labels as worked examples, or "
        "not at all (default: as in training)",
    )
    group.add_argument(
        "--k", type=positive, metavar="N", help=f"neighbours per report (default: {DEFAULT_K})"
    )
    group.add_argument(
        "--neighbour-words",
        type=positive,
        metavar="N",
        help="words and marks of all neighbours in a prompt (default: 400)",
    )
    group.add_argument(
        "--neighbour-split",
        metavar="NAME",
        help="the split of the index that neighbours may come from (default: train)",
    )
    group.add_argument(
        "--most-similar",
        type=float,
        metavar="S",
        help="reports at least as similar as this (0 to 1) are no neighbours",
    )
    group.add_argument(
        "--image-column",
        metavar="NAME",
        help="look for similar images: the column of the input that names each report's image",
    )
    group.add_argument(
        "--image-root",
        type=Path,
        metavar="DIR",
        help="folder that the names of images start from (default: here)",
    )


def read_with_images(reading: ReadOptions, arguments: argparse.Namespace) -> ReadOptions:
    """Reading that keeps the column of images, so that they can be found."""
    column = arguments.image_column
    if column is None or column in reading.meta_columns:
        return reading
    return replace(reading, meta_columns=(*reading.meta_columns, column))


def knn_labeler(arguments: argparse.Namespace, others: tuple[str, ...]) -> ReportLabeler:
    """The labeler of ``--model knn``.

    Args:
        others: flags that mean nothing to it.

    Raises:
        ConfigError: the index is missing or has no labels, or a flag means nothing.
        InputError: the index cannot be opened.
    """
    from baselines.knn import NearestNeighbours
    from retrieval.index import Index

    _refuse(arguments, (*others, *SHOWN), "means nothing to --model knn")
    if arguments.index is None:
        raise ConfigError("--model knn needs --index", remedy="make one: labelwright index build")
    chosen = {"split": arguments.neighbour_split, "most_similar": arguments.most_similar}
    given: Mapping[str, Any] = {k: v for k, v in chosen.items() if v is not None}
    k = arguments.k or DEFAULT_K
    return NearestNeighbours(
        Index.open(arguments.index),
        k=k,
        images=_images(arguments),
        device=arguments.device or "auto",
        **given,
    )


def refuse_neighbour_flags(arguments: argparse.Namespace, to: str) -> None:
    """No flag is ignored in silence.

    Raises:
        ConfigError: one of the flags is given to a labeler that reads no prompt.
    """
    _refuse(arguments, ("index", *SHOWN, *CHOSEN), f"means nothing to {to}")


def with_neighbours(
    labeler: ReportLabeler, arguments: argparse.Namespace, trained: Mapping[str, Any] | None
) -> ReportLabeler:
    """The labeler, shown neighbours if the flags or its training ask for them.

    Args:
        trained: the recipe of its training, if it was trained with neighbours.

    Raises:
        ConfigError: flags that do not fit each other, the model or the index.
        InputError: the index cannot be opened.
    """
    if arguments.neighbours == NONE or (trained is None and arguments.neighbours is None):
        _refuse(
            arguments,
            ("index", *SHOWN[1:], *CHOSEN),
            "is for --neighbours context or few-shot, or for --model knn",
        )
        return labeler
    if arguments.index is None:
        if trained is not None:
            raise ConfigError(
                f"the model was trained with neighbours in its prompts ({trained['method']}, "
                f"k = {trained['k']})",
                remedy="give --index DIR, or --neighbours none to label without",
            )
        raise ConfigError("--neighbours needs --index", remedy="give the folder of an index")
    if getattr(labeler, "unit", "report") != "report":
        raise ConfigError(
            "the model reads sentence by sentence, and neighbours are similar to whole reports",
            remedy="add --unit report, or leave the neighbours out",
        )
    from retrieval.augment import Augmenter
    from retrieval.index import Index
    from retrieval.with_neighbours import WithNeighbours

    index = Index.open(arguments.index)
    recipe = _recipe(arguments, trained)
    augmenter = Augmenter(
        index,
        recipe,
        labeler.label_set,
        images=_images(arguments),
        device=arguments.device or "auto",
    )
    return WithNeighbours(labeler, augmenter)


def _images(arguments: argparse.Namespace) -> Images | None:
    from retrieval.index_sources import Images

    if arguments.image_column is None:
        _refuse(arguments, ("image_root",), "is for --image-column")
        return None
    return Images(arguments.image_column, arguments.image_root or Path())


def _recipe(arguments: argparse.Namespace, trained: Mapping[str, Any] | None) -> Recipe:
    from retrieval.augment import Recipe

    usual: Mapping[str, Any] = trained or {"method": arguments.neighbours, "k": DEFAULT_K}
    asked = {
        "method": arguments.neighbours,
        "k": arguments.k,
        "words": arguments.neighbour_words,
        "split": arguments.neighbour_split,
        "most_similar": arguments.most_similar,
    }
    return Recipe.from_json({**usual, **{k: v for k, v in asked.items() if v is not None}})


def _refuse(arguments: argparse.Namespace, flags: tuple[str, ...], why: str) -> None:
    given = [name for name in flags if getattr(arguments, name) is not None]
    if given:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"{named} {why}", remedy="leave it out")
