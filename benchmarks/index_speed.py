"""Size, speed and recall of the index: exact search beside HNSW and IVF-PQ.

    python benchmarks/index_speed.py [--vectors 50000] [--kinds flat hnsw ivfpq] [--folder DIR]

Vectors of length 384 in clusters: 64 latent numbers, turned and with some noise, as sentence
embeddings have far fewer directions than numbers. Each kind is built and searched in processes
of its own; times are CPU seconds, memory is the largest resident set, in which mapped files
count as far as they were touched.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelwright.records import Report
from retrieval.index import Index
from retrieval.index_build import Plan, build_index
from retrieval.index_change import rebuild
from retrieval.index_groups import Item
from retrieval.index_shards import Entry

DIMENSION, LATENT, NEIGHBOURS, QUERIES, SINGLE = 384, 64, 10, 1000, 100
PER_CLUSTER = 200
KINDS = ("flat", "hnsw", "ivfpq")


class Clusters:
    """An embedder of numbers: the text "17" stands for the 17th vector."""

    dimension = DIMENSION
    name = "clusters"

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        self._turn = rng.standard_normal((LATENT, DIMENSION), dtype=np.float32)
        centres = (max(1, count // PER_CLUSTER), LATENT)
        self._centres = rng.standard_normal(centres, dtype=np.float32)

    def describe(self) -> Mapping[str, Any]:
        """Nothing but its name."""
        return {"name": self.name}

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of some numbers, which must follow each other."""
        rng = np.random.default_rng(int(texts[0]) + 1)
        some = rng.integers(len(self._centres), size=len(texts))
        latent = self._centres[some]
        latent += 0.6 * rng.standard_normal((len(texts), LATENT), dtype=np.float32)
        made = latent @ self._turn
        made += 0.8 * rng.standard_normal(made.shape, dtype=np.float32)
        return made / np.linalg.norm(made, axis=1, keepdims=True)


def entries(count: int) -> Iterator[Item]:
    """As many reports, five per patient; the last fiftieth is a split of its own."""
    for n in range(count):
        split = "test" if n * 50 >= count * 49 else "train"
        yield Entry(Report(f"r{n}", str(n), "", n + 1, patient=f"p{n // 5}"), split)


def build(folder: Path, kind: str, count: int) -> dict[str, Any]:
    """Build the exact index, or another kind from a copy of it."""
    if kind == "flat":
        build_index(folder / kind, lambda: entries(count), Clusters(count), Plan({"n": count}))
    else:
        shutil.copytree(folder / "flat", folder / kind, copy_function=os.link)
        rebuild(folder / kind, kind)
    found = Index.open(folder / kind).manifest
    return {
        "megabytes": sum(f.bytes for f in found.files) / 1e6,
        "own megabytes": 0.0 if found.ann is None else found.ann.bytes / 1e6,
    }


def search(folder: Path, kind: str, count: int) -> dict[str, Any]:
    """Search all queries together, then some of them one by one."""
    index = Index.open(folder / kind)
    queries = Clusters(count).texts([str(count + n) for n in range(QUERIES)])
    nobody: list[str | None] = [None] * QUERIES
    index.search(queries[:1], k=1, ids=[None], patients=[None])  # opens what is opened once
    began = time.process_time()
    found = index.search(queries, k=NEIGHBOURS, ids=nobody, patients=nobody)
    together = time.process_time() - began
    began = time.process_time()
    for n in range(SINGLE):
        index.search(queries[n : n + 1], k=NEIGHBOURS, ids=[None], patients=[None])
    single = time.process_time() - began
    path = folder / "exact.json"
    if kind == "flat":
        path.write_text(json.dumps([[one.id for one in some] for some in found]))
    wanted = json.loads(path.read_text())
    hits = sum(
        len({one.id for one in some} & set(right))
        for some, right in zip(found, wanted, strict=True)
    )
    return {
        "queries/s": QUERIES / together,
        "single/s": SINGLE / single,
        "recall": hits / sum(map(len, wanted)),
        "median similarity": float(np.median([s.similarity for some in found for s in some])),
    }


def apart(step: str, folder: Path, kind: str, count: int) -> dict[str, Any]:
    """One step in a process of its own, with its CPU seconds and peak memory."""
    words = [sys.executable, __file__, "--vectors", str(count), "--folder", str(folder)]
    done = subprocess.run(
        [*words, "--step", step, "--kinds", kind], check=True, stdout=subprocess.PIPE, text=True
    )
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def main() -> None:
    """Measure each kind and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, default=50_000)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--step", choices=("build", "search"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        began = time.process_time()
        step = build if given.step == "build" else search
        made = step(given.folder, given.kinds[0], given.vectors)
        made["seconds"] = time.process_time() - began
        made["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(json.dumps(made))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        print(f"{given.vectors:,} vectors of {DIMENSION} numbers; {QUERIES:,} queries, k = 10")
        print(f"{'':8}{'build s':>9}{'peak MB':>9}{'own MB':>8}{'all MB':>8}", end="")
        print(f"{'queries/s':>11}{'one by one':>12}{'peak MB':>9}{'recall@10':>11}")
        exact = 0.0
        for kind in dict.fromkeys(("flat", *given.kinds)):
            made = apart("build", folder, kind, given.vectors)
            found = apart("search", folder, kind, given.vectors)
            print(
                f"{kind:8}{made['seconds']:9.1f}{made['peak MB']:9,.0f}"
                f"{made['own megabytes']:8,.0f}{made['megabytes']:8,.0f}"
                f"{found['queries/s']:11,.0f}{found['single/s']:12,.1f}{found['peak MB']:9,.0f}"
                f"{found['recall']:11.3f}",
                flush=True,
            )
            exact = exact or found["queries/s"]
            if kind != "flat":
                print(f"{'':8}{found['queries/s'] / exact:.1f} x as many queries as flat")
            else:
                print(f"{'':8}median similarity of the ten: {found['median similarity']:.2f}")


if __name__ == "__main__":
    main()
