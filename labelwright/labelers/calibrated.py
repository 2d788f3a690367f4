"""A labeler whose probabilities are tempered as ``calibration.json`` of a comparison says.

Probabilities become the softmax of ``log p / T`` per slot (temperature scaling, Guo et
al. 2017, arXiv:1706.04599). The likeliest option stays the likeliest, so no label changes.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelwright.chances import Chances, Layout, rows, same_layout, table
from labelwright.errors import ConfigError, InputError
from labelwright.io.manifest import sha256_file
from labelwright.labelers.base import ReportLabeler, Wrapping
from labelwright.records import FLOOR, Certainty, Prediction, Reject, Report
from labelwright.tasks import kind_of

Probs = Mapping[str, Mapping[str, float]]
FILE, OFF = "calibration.json", "none"
"""The file in a model folder that is used by itself, and the word that keeps it from being used."""


class Calibrated(Wrapping):
    """Wraps a labeler; implements :class:`labelwright.labelers.base.ReportLabeler`."""

    def __init__(
        self, labeler: ReportLabeler, temperatures: Mapping[str, float], sha256: str
    ) -> None:
        super().__init__(labeler)
        self._temperatures = dict(temperatures)
        self._sha256 = sha256

    @classmethod
    def from_file(cls, labeler: ReportLabeler, path: Path) -> Calibrated:
        """Take the temperatures that were fitted for this very model.

        Raises:
            InputError: the file is no ``calibration.json``.
            ConfigError: it was fitted for another label set or another model.
        """
        try:
            file = json.loads(path.read_text(encoding="utf-8"))
            label_set, fitted = str(file["label_set_sha256"]), dict(file["labelers"])
            rows = [
                (row["model"], row["model_sha256"], row["temperature"]) for row in fitted.values()
            ]
            codes = {Certainty(k) for k, count in dict(file["gold_certainties"]).items() if count}
            known = [
                (model, sha256, {str(k): float(v) for k, v in found["observations"].items()})
                for model, sha256, found in rows
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise _none(path) from None
        if label_set != labeler.label_set.fingerprint:
            raise ConfigError(
                "the calibration was fitted for another label set",
                remedy="fit it again with this model's predictions",
                source=path,
            )
        if len(codes - {Certainty.POSITIVE}) < 2 < len(labeler.label_set.certainties):
            raise ConfigError(
                "the calibration was fitted on a gold that says only what is present",
                remedy="fit it on a gold with negatives or uncertain labels, or remove it",
                source=path,
            )
        own = labeler.describe().get("model_sha256")
        for model, sha256, temperatures in known:
            same = sha256 == own if own is not None else model == labeler.name
            whole = set(temperatures) == set(labeler.label_set.names)
            if same and whole and all(0 < t < math.inf for t in temperatures.values()):
                return cls(labeler, temperatures, sha256_file(path))
        raise ConfigError(
            f"the calibration holds no temperatures fitted for this very {labeler.name}",
            remedy="fit them with this model's own predictions of other reports",
            source=path,
        )

    def describe(self) -> Mapping[str, Any]:
        """The wrapped labeler's, and the hash of the calibration."""
        return {**self._labeler.describe(), "calibration_sha256": self._sha256}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """The wrapped labeler's results with tempered probabilities."""
        results = self._labeler.label_reports(reports)
        made = [r for r in results if isinstance(r, Prediction) and r.probs is not None]
        found = iter(self._tempered([r.probs for r in made if r.probs is not None]))
        return [
            replace(r, probs=next(found))
            if isinstance(r, Prediction) and r.probs is not None
            else r
            for r in results
        ]

    def _tempered(self, probs: Sequence[Probs]) -> Sequence[Probs]:
        layout = same_layout(probs)
        if layout is not None:
            return _all_tempered(layout, probs, self._temperatures)
        return [
            {name: tempered(given, self._temperatures[name]) for name, given in one.items()}
            for one in probs
        ]


def calibrated(
    labeler: ReportLabeler, model: str | Path | None, chosen: str | None
) -> ReportLabeler:
    """The labeler with its temperatures, if it has any.

    Those that stand in the model's own folder count only for the weights and the way of asking
    (decoding, and report or sentence) that they were fitted for; others give other probabilities.

    Args:
        model: its folder; ``None``, or no folder, where it has none.
        chosen: a file, :data:`OFF` for none, or ``None`` for that of the model's folder.

    Raises:
        InputError, ConfigError: as :meth:`Calibrated.from_file`.
    """
    if chosen is not None:
        return labeler if chosen == OFF else Calibrated.from_file(labeler, Path(chosen))
    own = None if model is None else Path(model) / FILE
    if own is None or not _has_choices(labeler) or not own.is_file():
        return labeler
    said = labeler.describe()
    fitted = {(row["model_sha256"], _way(row.get("decoding"))) for row in _rows(own)}
    if (said.get("model_sha256"), _way(said.get("decoding"))) in fitted:
        return Calibrated.from_file(labeler, own)
    if said.get("model_sha256") not in {sha256 for sha256, _ in fitted}:
        logging.getLogger(__name__).warning(
            "%s: fitted for other weights than these, and not used; fit it again or delete it", own
        )
    return labeler


def _has_choices(labeler: ReportLabeler) -> bool:
    return kind_of(labeler.label_set).choices(labeler.label_set) is not None


def _rows(path: Path) -> list[Mapping[str, Any]]:
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
        return [dict(row) for row in file["labelers"].values() if row["model_sha256"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _none(path) from None


def _none(path: Path) -> InputError:
    return InputError(
        "this is not a calibration.json",
        remedy="give the one that this version's labelwright eval wrote (--calibration-gold …)",
        source=path,
    )


def _way(decoding: Any) -> tuple[Any, Any]:
    known = decoding if isinstance(decoding, Mapping) else {}
    return known.get("mode"), known.get("unit")


def tempered(probs: Mapping[str, float], temperature: float) -> dict[str, float]:
    """The softmax of ``log p / T``, rounded to six decimals.

    >>> tempered({"positive": 0.8, "negative": 0.2}, 2.0)
    {'positive': 0.666667, 'negative': 0.333333}
    """
    logs = {key: math.log(max(value, FLOOR)) / temperature for key, value in probs.items()}
    most = max(logs.values())
    powers = {key: math.exp(value - most) for key, value in logs.items()}
    total = sum(powers.values())
    return {key: round(value / total, 6) for key, value in powers.items()}


def _all_tempered(
    layout: Layout, probs: Sequence[Probs], temperatures: Mapping[str, float]
) -> list[Chances]:
    """As :func:`tempered`, of many answers at once."""
    import numpy as np

    *starts, _ = layout.starts
    sizes = [len(options) for _, options in layout.names]
    logs = np.log(np.maximum(table(probs), FLOOR))
    logs /= np.repeat([temperatures[name] for name, _ in layout.names], sizes)
    logs -= np.repeat(np.maximum.reduceat(logs, starts, axis=1), sizes, axis=1)
    powers = np.exp(logs)
    return rows(layout, powers / np.repeat(np.add.reduceat(powers, starts, axis=1), sizes, axis=1))
