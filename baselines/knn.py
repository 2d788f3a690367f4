"""Nearest neighbours as a labeler: the labels of the most similar reports vote.

Every neighbour votes with its similarity (never less than zero). The shares of the votes are the
probabilities; the likeliest options that obey the label set's rules are picked. A report
without any neighbour is rejected. The simplest baseline there is for a labeled collection
(Cover & Hart 1967, nearest neighbor pattern classification).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from labelwright.errors import ConfigError
from labelwright.labelers.base import key_of_one
from labelwright.records import Prediction, Reject, Report
from labelwright.tasks import kind_of
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
        ConfigError: the index holds no values that are made of choices, or ``k`` is below 1.
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
        label_set = index.label_set
        choices = None if label_set is None else kind_of(label_set).choices(label_set)
        if label_set is None or choices is None:
            raise ConfigError(
                "neighbours can vote only where the index holds labels that are choices",
                remedy="build the index from a data folder of labelwright build",
            )
        if split not in index.splits:
            raise ConfigError(
                f"the index holds no split {split}",
                remedy=f"it holds: {', '.join(index.splits)}",
            )
        self._index = index
        self.name, self.label_set = f"knn-{k}", label_set
        self._kind, self._choices = kind_of(label_set), choices
        self._recipe = Recipe(CONTEXT, k, split=split, most_similar=most_similar)
        self._finder = Finder(index, images=images, device=device)

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
            "label_set": self.label_set.name,
            "label_set_sha256": self.label_set.fingerprint,
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
        slots = self._choices.slots
        votes = {slot.label: dict.fromkeys(slot.options, 0.0) for slot in slots}
        for weight, (_, known) in zip(weights, labeled, strict=True):
            picks = self._kind.picks(self.label_set, self._kind.from_object(self.label_set, known))
            for slot in slots:
                option = picks.get(slot.label) or slot.silent
                if option is not None:
                    votes[slot.label][option] += weight / total
        settled, changed = self._kind.choose(self.label_set, votes)
        fewer = len(neighbours) < self._recipe.k
        notes = (f"neighbours: {len(neighbours)} of {self._recipe.k}",) if fewer else ()
        return Prediction(
            id=report.id,
            model=self.name,
            task=self.label_set.task,
            value=self._kind.picked(self.label_set, settled),
            notes=(*notes, *(f"rule: {name}" for name in changed)),
            probs={
                name: {str(option): round(value, 6) for option, value in share.items()}
                for name, share in votes.items()
            },
            seconds=seconds,
        )
