"""The flags of ``labelwright label`` for similar reports: in the prompt, or as voters."""

from __future__ import annotations

import argparse
from pathlib import Path

from labelwright.commands.flags import positive
from labelwright.loading import DEFAULT_K, NO_NEIGHBOURS


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
        choices=("context", "few-shot", NO_NEIGHBOURS),
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
