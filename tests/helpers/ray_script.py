"""What ``test_ray_batch.py`` runs in processes of their own: labelers that are slow or fail."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from inference.runs.shards import Shard
from labelwright.errors import CheckpointError, ConfigError, LabelwrightError
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.records import Certainty, Prediction, Reject, Report

CANARY = "canary-5d1e"
HEAD = LabelSet.load("head-ct-5")


class Fake:
    """Answers blank; the first word of a report says what else happens."""

    name = "fake"
    label_set = HEAD

    def __init__(self, fuse: Path, detail: str = "") -> None:
        self.fuse = fuse
        self.detail = detail
        self.loaded = time.time_ns()

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "fake", "detail": self.detail}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        for report in reports:
            if report.text.startswith("die"):
                os._exit(9)
            if report.text.startswith("once") and not self.fuse.exists():
                self.fuse.touch()
                os._exit(9)
            if report.text.startswith("raise"):
                raise ValueError(f"cannot read {report.text!r}")
            if report.text.startswith("known"):
                raise CheckpointError("no such weights", remedy="restore them", source="w")
        blank = dict.fromkeys(HEAD.names, Certainty.BLANK)
        return [
            Prediction(id=r.id, model=f"{os.getpid()} {self.loaded}", task="certainty", value=blank)
            for r in reports
        ]


def make(fuse: Path, kind: str) -> tuple[ReportLabeler, str, int]:
    if kind == "raises":
        raise KeyError(CANARY)
    if kind == "dies":
        os._exit(9)
    return Fake(fuse, str(os.getpid()) if kind == "differs" else ""), "full", 2


def shards(*firsts: str) -> list[Shard]:
    """Two reports each, of which the first begins with the word given."""
    return [
        Shard(n, 2 * n, [report(2 * n, word), report(2 * n + 1, "fine")])
        for n, word in enumerate(firsts)
    ]


def report(row: int, word: str) -> Report:
    return Report(id=f"r{row}", text=f"{word} {CANARY} {row}", source="s", row=row + 1)


def failures() -> None:
    """Each case of :data:`FAILURES` on one Ray of our own; their logs hold no report text."""
    from inference.ray.pool import session

    base = Path(os.environ["TMPDIR"])
    with session(None, workers=2) as ray:
        for name, case in FAILURES.items():
            from inference.ray.pool import RayPool

            case(
                lambda kind="", n=2, ray=ray, name=name, pool=RayPool: pool(
                    ray, partial(make, base / name, kind), workers=n, resources={"num_cpus": 0.5}
                )
            )
            (base / name).unlink(missing_ok=True)
            print(name)
        logs = [path for path in base.rglob("*") if path.is_file()]
        assert len(logs) > 10
        assert not [path for path in logs if CANARY.encode() in path.read_bytes()]
        (place,) = base.iterdir()
        assert place.stat().st_mode & 0o077 == 0


def all_of(hire: Callable[..., Any]) -> None:
    """Every shard once; two workers, each with one labeler for all its shards."""
    pool = hire()
    assert (pool.name, pool.label_set, pool.introduction.shard_rows) == ("fake", HEAD, 2)
    given = shards(*["fine"] * 40)
    taken = 0

    def stream() -> Any:
        nonlocal taken
        for shard in given:
            taken += 1
            yield shard

    done = []
    for shard, results in pool.label_shards(stream()):
        done.append(shard.index)
        assert [r.id for r in results] == [i.id for i in shard.items]
        assert taken <= len(done) + 4, "more is taken than workers can have on their way"
    assert sorted(done) == list(range(40))
    models = {r.model for _, results in pool.label_shards(iter(given)) for r in results}
    assert 1 <= len(models) <= 2
    assert list(pool.label_shards(iter([]))) == []
    assert [r.id for r in pool.label_reports([report(0, "fine")])] == ["r0"]


def one_death(hire: Callable[..., Any]) -> None:
    """A shard that ends its worker once is labeled by the next one."""
    done = [s.index for s, _ in hire().label_shards(iter(shards(*["fine"] * 5, "once", "fine")))]
    assert sorted(done) == list(range(7))


def fails(run: Callable[[], object], kind: type[LabelwrightError], words: str) -> None:
    with pytest.raises(kind) as caught:
        run()
    assert words in caught.value.line(), caught.value.line()
    assert CANARY not in caught.value.line()


def always_dies(hire: Callable[..., Any]) -> None:
    done = []

    def run() -> None:
        for shard, _ in hire(n=1).label_shards(iter(shards("fine", "die", *["fine"] * 4))):
            done.append(shard.index)

    # A busy worker has two shards; which of them killed it, a slow answer to the first hides.
    fails(run, LabelwrightError, "3 workers died over rows ")
    assert 1 not in done


def raises(hire: Callable[..., Any]) -> None:
    def run(word: str) -> list[object]:
        return list(hire(n=1).label_shards(iter(shards("fine", word))))

    fails(lambda: run("raise"), LabelwrightError, "fake failed on rows 3 to 4 with ValueError")
    fails(lambda: run("known"), LabelwrightError, "w: no such weights; restore them")


def cannot_load(hire: Callable[..., Any]) -> None:
    fails(lambda: hire("raises"), LabelwrightError, "a worker cannot load the labeler (KeyError)")
    fails(lambda: hire("dies"), LabelwrightError, "3 workers died one after the other")


def differ(hire: Callable[..., Any]) -> None:
    def run() -> None:
        pool = hire("differs")
        while True:
            list(pool.label_shards(iter(shards("fine"))))

    fails(run, ConfigError, "would not label alike (differ in detail)")


def stranger(hire: Callable[..., Any]) -> None:
    """Another process that has no token is not let in; Ray's port is open to all networks."""
    import ray

    address = ray.get_runtime_context().gcs_address
    asks = f"GcsClient(address={address!r}).internal_kv_keys(b'', None)"
    code = f"from ray._raylet import GcsClient; {asks}"
    others = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
    wrong = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    right = {name: os.environ[name] for name in wrong}
    for token, inside in [({}, False), (wrong, False), (right, True)]:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**others, **token},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) is inside, done.stderr
        assert ("token" in done.stderr) is not inside


FAILURES = {
    case.__name__: case
    for case in (all_of, one_death, always_dies, raises, cannot_load, differ, stranger)
}


def slowly(table: str, out: str, model: str, workers: int) -> int:
    """The command with a labeler that takes its time where it runs in workers."""
    from labelwright import loading
    from labelwright.cli import main

    more = ["--ray-actors", str(workers)] if workers else []
    if workers:
        loading._in_worker = slow
    return main(["label", table, "--out", out, "--model", model, "--shard-rows", "4", *more])


def slow(settings: Any) -> tuple[ReportLabeler, str, int]:
    """The labeler that was asked for, half a second slower per shard."""
    from labelwright.loading import load_labeler

    loaded = load_labeler(settings)
    labeler, sections = loaded.labeler, loaded.sections
    label_reports = labeler.label_reports

    def late(reports: Sequence[Report]) -> list[Prediction | Reject]:
        time.sleep(0.5)
        return list(label_reports(reports))

    labeler.label_reports = late  # type: ignore[method-assign]
    return labeler, sections, 4


if __name__ == "__main__":
    if sys.argv[1] == "failures":
        failures()
    else:
        sys.exit(slowly(*sys.argv[2:5], workers=0 if sys.argv[5:] else 2))
