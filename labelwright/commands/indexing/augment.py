"""``labelwright index augment``: a data folder -> the same with similar reports in its prompts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labelwright.commands.flags import positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="the folder that labelwright build wrote")
    add("--index", required=True, type=Path, metavar="DIR", help="an index of this very folder")
    add(
        "--neighbours",
        required=True,
        choices=("context", "few-shot"),
        help="show the texts of similar reports, or texts with labels as worked examples",
    )
    add("--k", type=positive, default=3, metavar="N", help="neighbours per report (default: 3)")
    add(
        "--neighbour-words",
        type=positive,
        metavar="N",
        help="words and marks of all neighbours in a prompt (default: 400)",
    )
    add(
        "--neighbour-split",
        default="train",
        metavar="NAME",
        help="the split that neighbours may come from (default: %(default)s)",
    )
    add(
        "--most-similar",
        type=float,
        metavar="S",
        help="reports at least as similar as this (0 to 1) are no neighbours",
    )
    add("--out", required=True, type=Path, metavar="DIR", help="the data folder to write")
    add("--overwrite", action="store_true", help="replace an earlier build")


def run(arguments: argparse.Namespace) -> int:
    """Write the folder and say what is in it."""
    from data_builders.neighbours import with_neighbours
    from retrieval.augment import WORDS, Recipe

    recipe = Recipe(
        arguments.neighbours,
        arguments.k,
        words=arguments.neighbour_words or WORDS,
        split=arguments.neighbour_split,
        most_similar=arguments.most_similar,
    )
    told = with_neighbours(
        arguments.data, arguments.index, recipe, arguments.out, overwrite=arguments.overwrite
    )
    counts = ", ".join(f"{count:,} {split}" for split, count in told.records.items())
    shown = ", ".join(f"{count:,} with {k}" for k, count in sorted(told.neighbours.items()))
    sys.stdout.write(f"{counts} records; neighbours shown: {shown}\nwritten to {arguments.out}\n")
    return 0
