"""The flags of ``labelwright label`` that spread a run over processes, GPUs and machines."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

from labelwright.commands.flags import positive
from labelwright.errors import ConfigError
from labelwright.loading import RULES, LabelerSettings, LoadedLabeler, flag, load_labeler

if TYPE_CHECKING:
    from labelwright.labelers.base import ReportLabeler


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


@dataclass(frozen=True, kw_only=True)
class RaySettings:
    """The flags of :func:`add_ray_flags`."""

    ray_actors: int | None = None
    ray_address: str | None = None
    gpus_per_actor: float | None = None

    @classmethod
    def from_flags(cls, arguments: argparse.Namespace) -> RaySettings:
        """The settings that a command line gives."""
        return cls(**{field.name: getattr(arguments, field.name) for field in fields(cls)})


@contextmanager
def labeled_by(settings: LabelerSettings, ray: RaySettings) -> Iterator[LoadedLabeler]:
    """The labeler that the settings name, here in this process or in workers on Ray.

    Raises:
        ConfigError: settings that cannot work.
        MissingExtraError: Ray is not installed.
    """
    if ray.ray_actors is None:
        for name in ("ray_address", "gpus_per_actor"):
            if getattr(ray, name) is not None:
                raise ConfigError(
                    f"{flag(name)} means something beside --ray-actors only",
                    remedy="give --ray-actors N as well, or leave it out",
                )
        yield load_labeler(settings)
        return
    device = settings.device
    if device is not None and ":" in device:
        raise ConfigError(
            f"--device {device} picks one GPU for all workers",
            remedy="leave it out; --gpus-per-actor says what each worker gets",
        )
    gpus = ray.gpus_per_actor
    weightless = settings.labeler == RULES and settings.second_reader in (None, RULES)
    if gpus is None and (weightless or device == "cpu"):
        gpus = 0.0
    from inference.ray.pool import ray_pool

    with ray_pool(
        partial(_in_worker, settings), workers=ray.ray_actors, address=ray.ray_address, gpus=gpus
    ) as workers:
        said = workers.introduction
        yield LoadedLabeler(workers, said.sections, said.shard_rows)


def _in_worker(settings: LabelerSettings) -> tuple[ReportLabeler, str, int]:
    loaded = load_labeler(settings)
    return loaded.labeler, loaded.sections, loaded.window


def _share(text: str) -> float:
    """A whole number of GPUs, or a part of one, as Ray gives them away."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (0 <= value <= 1 or (value > 1 and value == int(value))) or value == float("inf"):
        raise argparse.ArgumentTypeError("must be a part of 1, or a whole number")
    return value
