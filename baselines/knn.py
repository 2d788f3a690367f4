"""Nearest neighbours as a labeler: the labels of the most similar reports vote.

Every neighbour votes with its similarity (never less than zero). The shares of the votes are the
probabilities; the label is the likeliest certainty that obeys the label set's rules. A report
without any neighbour is rejected. The simplest baseline there is for a labeled collection
(Cover & Hart 1967, nearest neighbor pattern classification).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from labelwright.errors import ConfigError
from labelwright.label_set import CERTAINTY, LabelSet
from labelwright.labelers.base import key_of_one
from labelwright.records import Certainty, Prediction, Reject, Report
from labelwright.tasks.certainty.rules import settle
from labelwright.version import __version__
from retrieval.augment import CONTEXT, Recipe
from retrieval.find import Finder
from retrieval.index import Index, Neighbour
from retrieval.index_sources import Images

LEAST_WEIGHT = 1e-6
"""Weight of a neighbour that is not similar at all, so that it still has a vote."""


class NearestNeighbours:
    """Labels reports by the votes of their neighbours in an index.

    It implements :class:`labelwright.labelers.base.ReportLabeler`.

    Raises:
        ConfigError: the index holds no labels of a certainty label set, or ``k`` is below 1.
    """

    def __init__(
        self,
        index: Index,
        *,
        k: int,
        split: str = "train",
        most_similar: float | None = None,
        images: Images | None = None,
        device: str = "auto",
    ) -> None:
        if index.label_set is None or index.label_set.task != CERTAINTY:
            raise ConfigError(
                "neighbours can vote only where the index holds certainty labels",
                remedy="build the index from a data folder of labelwright build",
            )
        if split not in index.splits:
            raise ConfigError(
                f"the index holds no split {split}",
                remedy=f"it holds: {', '.join(index.splits)}",
            )
        self._index = index
        self._label_set = index.label_set
        self._recipe = Recipe(CONTEXT, k, split=split, most_similar=most_similar)
        self._finder = Finder(index, images=images, device=device)

    @property
    def name(self) -> str:
        """What stands in ``Prediction.model``."""
        return f"knn-{self._recipe.k}"

    @property
    def label_set(self) -> LabelSet:
        """The observations whose labels the index holds."""
        return self._label_set

    def describe(self) -> Mapping[str, Any]:
        """All that the answers depend on."""
        return {
            "kind": "nearest neighbours",
            "name": self.name,
            "k": self._recipe.k,
            "split": self._recipe.split,
            "most_similar": self._recipe.most_similar,
            "weights": "similarity",
            "index_sha256": self._index.fingerprint,
            "index_embedder": dict(self._index.embedder_facts),
            "label_set": self._label_set.name,
            "label_set_sha256": self._label_set.fingerprint,
            "versions": {"labelwright": __version__},
        }

    def key(self, report: Report) -> bytes:
        """Equal texts have different neighbours where id or patient differ."""
        return key_of_one(report)

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One result per report, in order."""
        began = time.perf_counter()
        asked = [report for report in reports if report.text.strip()]
        found = iter(self._finder.find(asked, self._recipe))
        share = (time.perf_counter() - began) / max(len(asked), 1)
        return [
            self._voted(report, next(found), share)
            if report.text.strip()
            else Reject(report.id, report.source, report.row, "the report is empty")
            for report in reports
        ]

    def _voted(
        self, report: Report, neighbours: Sequence[Neighbour] | str, seconds: float
    ) -> Prediction | Reject:
        if isinstance(neighbours, str):
            return Reject(report.id, report.source, report.row, neighbours)
        labeled = [(n.similarity, n.labels) for n in neighbours if n.labels is not None]
        if not labeled:
            return Reject(report.id, report.source, report.row, "no neighbour with labels")
        weights = [max(similarity, LEAST_WEIGHT) for similarity, _ in labeled]
        total = sum(weights)
        votes = {
            label.name: dict.fromkeys(label.certainties, 0.0) for label in self._label_set.labels
        }
        for weight, (_, labels) in zip(weights, labeled, strict=True):
            for name, share in votes.items():
                share[Certainty(labels.get(name, Certainty.BLANK))] += weight / total
        settled, changed = settle(self._label_set, votes)
        fewer = len(neighbours) < self._recipe.k
        notes = (f"neighbours: {len(neighbours)} of {self._recipe.k}",) if fewer else ()
        return Prediction(
            id=report.id,
            labels=settled,
            model=self.name,
            notes=(*notes, *(f"rule: {name}" for name in changed)),
            probs={
                name: {certainty.value: round(value, 6) for certainty, value in share.items()}
                for name, share in votes.items()
            },
            evidence=None,
            seconds=seconds,
        )
