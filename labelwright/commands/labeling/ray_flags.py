"""The flags of ``labelwright label`` that spread a run over processes, GPUs and machines."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from labelwright.errors import ConfigError
from labelwright.labelers.settings import RULES, LabelerSettings
from labelwright.loading import LoadedLabeler, load_labeler
from labelwright.options import Options, flag, positive

if TYPE_CHECKING:
    from labelwright.labelers.base import ReportLabeler


_RAY = "many workers (needs the extra ray)"


def _workers(text: str) -> int | None:
    """A number of processes; ``auto`` is none."""
    return None if text == "auto" else positive(text)


def _share(text: str) -> float:
    """A whole number of GPUs, or a part of one, as Ray gives them away."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (0 <= value <= 1 or (value > 1 and value == int(value))) or value == float("inf"):
        raise argparse.ArgumentTypeError("must be a part of 1, or a whole number")
    return value


SHARES, LEAST_WINDOW = 4, 128
"""Shards for each process at least, so that none waits long for the last; but none of few rows."""


@dataclass(frozen=True, kw_only=True)
class RaySettings(Options, group=_RAY):
    """How a run is spread over processes, GPUs and machines."""

    workers: int | None = flag(
        "processes of this machine that label, each with a labeler of its own (default: auto, "
        "which is one, or as many as cores are idle where thousands of reports are labeled by "
        "rules or by a small model)",
        type=_workers,
        metavar="auto|N",
    )
    ray_actors: int | None = flag(
        "label with N worker processes on Ray, each with a labeler of its own",
        type=positive,
        metavar="N",
    )
    ray_address: str | None = flag(
        "a running Ray cluster, which report text is sent to (default: this machine alone)",
        beside="ray_actors",
        metavar="auto|HOST:PORT",
    )
    gpus_per_actor: float | None = flag(
        "GPUs per worker, such as 1, 0.5 or 0 (default: 1 if there are any, but 0 for rules)",
        beside="ray_actors",
        type=_share,
        metavar="X",
    )


@contextmanager
def labeled_by(
    settings: LabelerSettings, ray: RaySettings, *, rows: int
) -> Iterator[LoadedLabeler]:
    """The labeler that the settings name: in this process, in several, or in workers on Ray.

    Args:
        rows: how many will be labeled.

    Raises:
        ConfigError: settings that cannot work.
        MissingExtraError: Ray is not installed.
    """
    ray.refuse_idle()
    if ray.ray_actors is None:
        yield _here(settings, ray.workers, rows)
        return
    if ray.workers is not None:
        raise ConfigError(
            "--workers are processes of this machine and --ray-actors workers on Ray",
            remedy="give one of the two",
        )
    device = settings.device
    if device is not None and ":" in device:
        raise ConfigError(
            f"--device {device} picks one GPU for all workers",
            remedy="remove it; --gpus-per-actor says what each worker gets",
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


def _here(settings: LabelerSettings, workers: int | None, rows: int) -> LoadedLabeler:
    """A labeler of this machine, in one process or more."""
    from inference.runs.processes import Processes, fitting_workers

    loaded = load_labeler(settings)
    if workers is None:
        workers = fitting_workers(rows) if loaded.cheap else 1
    if workers == 1:
        return loaded
    several = Processes(loaded.labeler, partial(_in_worker, settings), workers)
    window = max(LEAST_WINDOW, min(loaded.window, rows // (SHARES * workers)))
    return replace(loaded, labeler=several, window=window)


def _in_worker(settings: LabelerSettings) -> tuple[ReportLabeler, str, int]:
    loaded = load_labeler(settings)
    return loaded.labeler, loaded.sections, loaded.window
