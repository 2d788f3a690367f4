"""The flags of ``labelwright label`` that spread a run over processes, GPUs and machines."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.flags import positive
from labelwright.errors import ConfigError

if TYPE_CHECKING:
    from labelwright.labelers.base import ReportLabeler

    Made = tuple[ReportLabeler, str, int]
    """A labeler, the sections that it reads, and how many rows to store together."""

NOT_FOR_WORKERS = ("run", "parser", "rest", "out", "files")
RAY_ONLY = ("ray_address", "gpus_per_actor")


def add_ray_flags(parser: argparse.ArgumentParser) -> None:
    """``--ray-actors`` and the flags that go with it."""
    group = parser.add_argument_group("many workers", "needs the extra ray")
    group.add_argument(
        "--ray-actors",
        type=positive,
        metavar="N",
        help="label with N worker processes on Ray, each with a labeler of its own",
    )
    group.add_argument(
        "--ray-address",
        metavar="auto|HOST:PORT",
        help="a running Ray cluster, which report text is sent to (default: this machine alone)",
    )
    group.add_argument(
        "--gpus-per-actor",
        type=_share,
        metavar="X",
        help="GPUs per worker, such as 1, 0.5 or 0 (default: 1 if there are any, but 0 for rules)",
    )


@contextmanager
def labeled_by(
    arguments: argparse.Namespace, make: Callable[[argparse.Namespace], Made]
) -> Iterator[Made]:
    """The labeler of ``make``, here in this process or in workers on Ray.

    Raises:
        ConfigError: flags of Ray that cannot work.
        MissingExtraError: Ray is not installed.
    """
    if arguments.ray_actors is None:
        for name in RAY_ONLY:
            if getattr(arguments, name) is not None:
                raise ConfigError(
                    f"--{name.replace('_', '-')} means something beside --ray-actors only",
                    remedy="give --ray-actors N as well, or leave it out",
                )
        yield make(arguments)
        return
    device = arguments.device
    if device is not None and ":" in device:
        raise ConfigError(
            f"--device {device} picks one GPU for all workers",
            remedy="leave it out; --gpus-per-actor says what each worker gets",
        )
    gpus = arguments.gpus_per_actor
    if gpus is None and (arguments.model == "rules" or device == "cpu"):
        gpus = 0.0
    from inference.ray.pool import crew

    with crew(
        partial(make, _portable(arguments)),
        workers=arguments.ray_actors,
        address=arguments.ray_address,
        gpus=gpus,
    ) as workers:
        said = workers.introduction
        yield workers, said.sections, said.shard_rows


def _portable(arguments: argparse.Namespace) -> argparse.Namespace:
    """What a worker needs of the command line; it may stand in another folder."""
    kept = {k: v for k, v in vars(arguments).items() if k not in NOT_FOR_WORKERS}
    for name in ("model", "label_set", "rules", "calibration"):
        value: Any = kept.get(name)
        there = value is not None and Path(value).exists()
        if there and not (name == "model" and value == "rules"):
            kept[name] = type(value)(Path(value).absolute())
    return argparse.Namespace(**kept)


def _share(text: str) -> float:
    """A whole number of GPUs, or a part of one, as Ray gives them away."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (0 <= value <= 1 or (value > 1 and value == int(value))) or value == float("inf"):
        raise argparse.ArgumentTypeError("must be a part of 1, or a whole number")
    return value
