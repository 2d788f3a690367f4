"""Many workers on Ray as one labeler: shards go out, results come back, none lost or doubled.

The process that runs the command reads the reports and writes every file, so the workers need
neither the inputs nor a shared disk. A worker that dies is replaced and its shards are labeled
again elsewhere.

The Ray that workers run in: one of our own, private and gone after the run, or a cluster.

A Ray of our own listens on this machine's ports, where any user could give it work; it answers
only to a token made for this run. Its sockets, logs and spilled objects stand in a folder that
nobody else may open, removed at the end. Usage statistics, dashboard and the forwarding of the
workers' output are off.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.runs.shards import Shard
from inference.runs.workers import AHEAD, Factory, Failure, Introduction, Worker, rows_of
from labelwright.errors import ConfigError, LabelwrightError, MissingExtraError
from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Reject, Report

PREFIX = "lw-ray-"
STORE_BYTES = 2**28
"""Shared memory for rows on their way (two shards per worker); Ray spills what is beyond."""
LONGEST_PLACE = 16
"""A socket's path may have 107 bytes; Ray's own part and ours take some 90."""


@contextmanager
def session(address: str | None, *, workers: int) -> Iterator[Any]:
    """Connect to the cluster at ``address``, or start a Ray of our own if there is none.

    Args:
        address: ``auto`` (the cluster that this machine belongs to) or ``host:port``.
        workers: processes to come; a Ray of our own gives a CPU to each, real or not.

    Yields:
        The package ``ray``, connected.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: no cluster answers, or it does not let us in.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."  # what it would print of dead workers; we say it
    if address is not None and address.startswith("ray://"):
        raise ConfigError(
            "Ray's client protocol (ray://) is not supported",
            remedy="run the command on a machine of the cluster with --ray-address auto",
        )
    if address is None:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray as untyped
    except ImportError:
        raise MissingExtraError("ray", "labeling with --ray-actors", "ray") from None
    ray: Any = untyped
    with ExitStack() as stack:
        stack.callback(ray.shutdown)
        if address is not None:
            _join(ray, address)
        else:
            place = stack.enter_context(_place())
            stack.callback(ray.shutdown)  # before its folder is removed
            _init(
                ray,
                address="local",  # else RAY_ADDRESS would send the reports elsewhere
                num_cpus=max(workers, os.cpu_count() or 1),
                include_dashboard=False,
                object_store_memory=STORE_BYTES,
                _temp_dir=str(place),
            )
        yield ray


def _join(ray: Any, address: str) -> None:
    try:
        _init(ray, address=address)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ConfigError(
            f"no Ray cluster lets us in at {address} ({type(error).__name__})",
            remedy="run the command on a machine of the cluster with --ray-address auto, with "
            "the Ray version and the token (RAY_AUTH_MODE, RAY_AUTH_TOKEN) of the cluster",
        ) from error


def _init(ray: Any, **settings: Any) -> None:
    """Start quietly; Ray's own handler of SIGTERM would end the run without a word."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, configure_logging=False, **settings)
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _place() -> Iterator[Path]:
    """A private folder for Ray's files; those of killed runs are removed first."""
    base = Path(tempfile.gettempdir())
    if len(os.fsencode(base)) > LONGEST_PLACE:
        base = Path("/tmp")  # noqa: S108 - the folder made in it is private
    for left in base.glob(f"{PREFIX}*"):
        pid = left.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and left.stat().st_uid == os.getuid() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))
    try:
        yield place / "r"  # Ray opens the folder it is given to everybody, so it gets an inner one
    finally:
        for _ in range(20):  # Ray's processes end a moment after they are told to
            shutil.rmtree(place, ignore_errors=True)
            if not place.exists():
                break
            time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


log = logging.getLogger("labelwright.ray")
FLAG = "--ray-actors"
DEATHS_PER_SHARD = 3
DEATHS_IN_A_ROW = 3


@dataclass(eq=False)
class _Actor:
    """A worker as the pool sees it; ``flying`` holds its calls, the one at work first."""

    actor: Any
    flying: dict[Any, Shard] = field(default_factory=dict)


class RayPool:
    """Implements ``ReportLabeler`` and the batch runner's ``ShardLabeler`` with workers on Ray.

    What it says of itself is what its first worker says; a worker that says anything else (of
    its model, versions, dtype) is refused, since its labels would not be the same.
    """

    def __init__(self, ray: Any, make: Factory, *, workers: int, resources: Mapping[str, Any]):
        self._ray = ray
        self._workers = workers
        self._new = ray.remote(Worker).options(max_restarts=0, **resources)
        self._make = make
        self._starting: dict[Any, _Actor] = {}
        self._ready: list[_Actor] = []
        self._again: deque[Shard] = deque()
        self._deaths: dict[int, int] = {}
        self._deaths_in_a_row = 0
        self._first: Introduction | None = None
        for _ in range(workers):
            self._start()
        while not self._ready:
            self._look()

    @property
    def introduction(self) -> Introduction:
        """What the first worker said."""
        assert self._first is not None  # noqa: S101 - __init__ waits for it
        return self._first

    @property
    def name(self) -> str:
        """What stands in ``Prediction.model``."""
        return self.introduction.name

    @property
    def label_set(self) -> LabelSet:
        """The observations it labels."""
        return self.introduction.label_set

    def describe(self) -> Mapping[str, Any]:
        """As the workers' labeler; that Ray was used is a matter of ``runtime`` only."""
        own = self.introduction.description
        runtime = {
            **own.get("runtime", {}),
            "ray": {"version": self._ray.__version__, "actors": self._workers},
        }
        return {**own, "runtime": runtime}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """Label a few reports as one shard."""
        ((_, results),) = self.label_shards(iter([Shard(0, 0, reports)]))
        return list(results)

    def label_shards(
        self, shards: Iterator[Shard]
    ) -> Iterator[tuple[Shard, Sequence[Prediction | Reject]]]:
        """Give every shard back once, with its results, in the order in which they are done.

        Only shards that a worker is free for are taken, so memory does not grow with their
        number.

        Raises:
            LabelwrightError: a worker failed, or workers died again and again.
        """
        while True:
            self._send(shards)
            if not any(hand.flying for hand in self._ready) and self._ready:
                return
            for shard, answer in self._look():
                if isinstance(answer, Failure):
                    raise answer.error()
                yield shard, answer

    def _send(self, shards: Iterator[Shard]) -> None:
        for ahead in range(1, AHEAD + 1):
            for hand in self._ready:
                if len(hand.flying) < ahead:
                    shard = self._again.popleft() if self._again else next(shards, None)
                    if shard is None:
                        return
                    hand.flying[hand.actor.label.remote(shard)] = shard

    def _look(self) -> list[tuple[Shard, list[Prediction | Reject] | Failure]]:
        """Wait until something has happened; return what was labeled."""
        calls = {call: hand for hand in self._ready for call in hand.flying} | self._starting
        done, _ = self._ray.wait(list(calls), num_returns=1)
        answers = []
        for call in done:
            hand = calls[call]
            try:
                answer = self._ray.get(call)
            except self._ray.exceptions.RayTaskError as error:
                raise LabelwrightError(
                    f"a call of a worker failed ({type(error).__name__})",
                    remedy="do all machines have the same versions? finished rows are kept",
                ) from None
            except self._ray.exceptions.RayError:
                self._replace(hand)
                continue
            self._deaths_in_a_row = 0
            if call in self._starting:
                self._accept(self._starting.pop(call), answer)
            else:
                answers.append((hand.flying.pop(call), answer))
        return answers

    def _start(self) -> None:
        actor = self._new.remote(self._make, FLAG)
        self._starting[actor.introduce.remote()] = _Actor(actor)

    def _accept(self, hand: _Actor, said: Introduction | Failure) -> None:
        if isinstance(said, Failure):
            raise said.error()
        first = self._first = self._first or said
        theirs, ours = (
            {k: v for k, v in i.description.items() if k != "runtime"} for i in (said, first)
        )
        if differs := sorted(k for k in {*theirs, *ours} if theirs.get(k) != ours.get(k)):
            raise ConfigError(
                f"the workers on {first.machine} and {said.machine} would not label alike "
                f"(differ in {', '.join(differs)})",
                remedy="give all machines the same model, versions and kind of device",
            )
        self._ready.append(hand)

    def _replace(self, hand: _Actor) -> None:
        """Count a death, put the worker's shards back in line and start another worker."""
        self._ray.kill(hand.actor)
        self._starting = {
            call: other for call, other in self._starting.items() if other is not hand
        }
        self._ready = [other for other in self._ready if other is not hand]
        at_work = next(iter(hand.flying.values()), None)
        self._again.extendleft(reversed(hand.flying.values()))
        self._deaths_in_a_row += 1
        where = "" if at_work is None else f" over {rows_of(at_work)}"
        log.warning("a worker died%s; another takes its place", where)
        if at_work is not None:
            self._deaths[at_work.index] = self._deaths.get(at_work.index, 0) + 1
            if self._deaths[at_work.index] >= DEATHS_PER_SHARD:
                raise LabelwrightError(
                    f"{DEATHS_PER_SHARD} workers died over {rows_of(at_work)}",
                    remedy="finished rows are kept; a smaller --batch-size needs less memory",
                )
        if self._deaths_in_a_row >= max(DEATHS_IN_A_ROW, self._workers + 1):
            raise LabelwrightError(
                f"{self._deaths_in_a_row} workers died one after the other",
                remedy="finished rows are kept; is there enough memory for all --ray-actors?",
            )
        self._start()


@contextmanager
def ray_pool(
    make: Factory,
    *,
    workers: int,
    address: str | None = None,
    gpus: float | None = None,
) -> Iterator[RayPool]:
    """Workers on a cluster, or on a Ray of this machine that ends with the block.

    Args:
        make: loads the labeler in a worker; it is sent there, so it must be small.
        workers: how many processes label, each with a labeler of its own.
        address: of a running cluster; ``None`` starts a Ray on this machine.
        gpus: GPUs per worker, also a part of one; one if there are any, when not given.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: no cluster answers, or it has too little for the workers.
        LabelwrightError: a worker cannot load the labeler.
    """
    with session(address, workers=workers) as ray:
        there = ray.cluster_resources()
        if gpus is None:
            gpus = 1.0 if there.get("GPU") else 0.0
        cpus = max(1, int(there.get("CPU", 1)) // workers) if address is None else 1
        _refuse_too_many(there, workers, gpus, local=address is None)
        yield RayPool(ray, make, workers=workers, resources={"num_cpus": cpus, "num_gpus": gpus})


def _refuse_too_many(there: Mapping[str, float], workers: int, gpus: float, *, local: bool) -> None:
    """Ray would wait for ever. A cluster may grow, but not from nothing to a GPU."""
    needed = gpus * (workers if local else 1)
    if needed > there.get("GPU", 0.0):
        raise ConfigError(
            f"the workers need {needed:g} GPUs, and Ray sees {there.get('GPU', 0.0):g}",
            remedy="give fewer --ray-actors or a smaller --gpus-per-actor",
        )
