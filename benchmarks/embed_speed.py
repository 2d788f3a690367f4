"""Reports per second that each embedder turns into vectors on one core; how good neighbours are.

    python benchmarks/embed_speed.py [--reports 600] [--embedders hashed minilm text:FOLDER]

The reports are those of ``examples/reports.csv``, repeated with a number added so that no two are
equal. Time is the process's CPU time on one thread, the better of two runs.

Neighbours: for each of the 120 labeled reports, the most similar one of another patient; of the
observations that either of the two speaks of, the share that both label alike. A report drawn at
random in its place gives the floor.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import csv
from pathlib import Path
from typing import Any

import numpy as np
from measure import seconds
from numpy.typing import NDArray

from retrieval.embed import Embedder
from retrieval.embedders import embedder_for

EXAMPLES = Path(__file__).parents[1] / "examples"


def rows(name: str) -> list[dict[str, str]]:
    """A table of the examples."""
    with (EXAMPLES / name).open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def alike(similar: NDArray[Any], patients: NDArray[Any], labels: NDArray[Any]) -> float:
    """Mean agreement of each report's labels with those of the most similar one."""
    barred = patients[:, None] == patients[None, :]
    nearest = np.where(barred, -np.inf, similar).argmax(axis=1)
    shares = []
    for row, other in enumerate(nearest):
        spoken = (labels[row] != "") | (labels[other] != "")
        if spoken.any():
            shares.append(float((labels[row] == labels[other])[spoken].mean()))
    return float(np.mean(shares))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=600)
    parser.add_argument("--embedders", nargs="+", default=["hashed", "minilm"])
    arguments = parser.parse_args()
    reports = rows("reports.csv")
    texts = [f"{row['findings']}\n\n{row['impression']}".strip() for row in reports]
    patients = np.array([row["patient"] for row in reports])
    table = {row["id"]: list(row.values())[1:] for row in rows("labels.csv")}
    labels = np.array([table[row["id"]] for row in reports])
    many = [f"{texts[n % len(texts)]} Study {n}." for n in range(arguments.reports)]
    words = sum(len(text.split()) for text in many) / len(many)
    print(f"{len(many)} reports, {words:.0f} words each, one thread")

    random = np.random.default_rng(0).random((200, len(texts), len(texts)))
    floor = np.mean([alike(chance, patients, labels) for chance in random])
    speeds: dict[str, float] = {}
    for name in arguments.embedders:
        embedder: Any = embedder_for(name, device="cpu")
        if hasattr(embedder, "fit"):
            print(f"{name:10} learns {len(many) / seconds(lambda e=embedder: e.fit(many)):8.0f} /s")
        speeds[name] = len(many) / seconds(lambda e=embedder: e.texts(many))
        print(f"{name:10} {speeds[name]:8.1f} reports/s, {embedder.dimension} dimensions")
        print(f"{'':10} {neighbours(embedder, texts, patients, labels):8.3f} of labels alike")
    print(f"{'by chance':10} {floor:8.3f} of labels alike")
    first = arguments.embedders[0]
    for name in arguments.embedders[1:]:
        print(f"{first} against {name}: {speeds[first] / speeds[name]:.0f} x as fast")


def neighbours(
    embedder: Embedder, texts: list[str], patients: NDArray[Any], labels: NDArray[Any]
) -> float:
    """Agreement of labels with the nearest report, by an embedder that learned from these texts."""
    learner: Any = embedder
    if hasattr(learner, "fit"):
        learner.fit(texts)
    vectors = embedder.texts(texts)
    return alike(vectors @ vectors.T, patients, labels)


if __name__ == "__main__":
    main()
