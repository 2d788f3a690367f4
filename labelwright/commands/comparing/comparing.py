"""What the commands that compare labelers share: flags, id columns, settings of tests."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from labelwright.errors import ConfigError

if TYPE_CHECKING:
    from eval.stats.significance import Settings


def add_patients_flag(parser: argparse.ArgumentParser) -> None:
    """``--patients``."""
    parser.add_argument(
        "--patients",
        metavar="FILE",
        help="table or JSONL file with the patient of each report; tests then resample patients",
    )


def add_missing_flag(parser: argparse.ArgumentParser, compared: str) -> None:
    """``--missing``.

    Args:
        compared: what is compared, as help names it: labeler or cell.
    """
    parser.add_argument(
        "--missing",
        choices=("error", "drop"),
        default="error",
        help=f"reports without a prediction: errors of the {compared} (default), or left out for "
        "all",
    )


def id_columns(text: str) -> tuple[str, ...]:
    """The columns that ``--id-column`` names.

    Raises:
        ConfigError: a name is empty.
    """
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise ConfigError(
            f"--id-column {text!r} has an empty name", remedy="write NAME or NAME,NAME"
        )
    return names


def check_seed(arguments: argparse.Namespace) -> None:
    """Refuse a seed that no generator takes.

    Raises:
        ConfigError: it is negative.
    """
    if arguments.seed < 0:
        raise ConfigError("--seed is negative", remedy="give a whole number from 0")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """What the flags say of scores and tests."""
    from eval.stats.significance import Settings

    return Settings(
        undefined=arguments.undefined,
        permutations=arguments.permutations,
        resamples=arguments.resamples,
        margin=arguments.margin,
        seed=arguments.seed,
    )
