"""Which answers of a labeling run are sure enough for training, and why the others are not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from data_builders.folder import MANIFEST
from labelwright.errors import ConfigError, InputError
from labelwright.io.manifest import sha256_file
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Prediction
from labelwright.results import PREDICTIONS, read_predictions


@dataclass(frozen=True)
class SureChoice:
    """Which notes are sure enough.

    Attributes:
        least: probability that the least sure entity of a note must have.
        with_empty: keep notes in which nothing was found, too, although they have no probability.
    """

    least: float
    with_empty: bool = False


@dataclass
class Round:
    """What became of the notes of one round.

    Attributes:
        offered: predictions of the run.
        reasons: why notes were not kept, with counts; with ``kept`` they make ``offered``.
        entities: entities of the kept notes by type.
    """

    number: int
    offered: int = 0
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    entities: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "round": self.number,
            "offered": self.offered,
            "kept": self.kept,
            "not_kept": dict(sorted(self.reasons.items())),
            "entities": dict(sorted(self.entities.items())),
        }


def check_run(label_set: LabelSet, run: Path) -> dict[str, Any]:
    """What the manifest of a finished labeling run says of its labeler.

    Raises:
        InputError: it is no finished run, or its predictions were changed since.
        ConfigError: it is of another label set or read parts of the reports.
    """
    path = run / MANIFEST
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        labeler, fingerprint = dict(value["labeler"]), value["label_set_sha256"]
        written, sections = value["outputs"][PREDICTIONS], value["options"]["sections"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            "this is not a folder of a finished labeling run",
            remedy="give what labelwright label --out wrote",
            source=run,
        ) from None
    if fingerprint != label_set.fingerprint:
        raise ConfigError(
            f"the run has another label set than the data folder, {label_set.name}",
            remedy="label with a model of the same label set",
            source=run,
        )
    if sections != "full":
        raise ConfigError(
            f"the run read the sections {sections}, so its places are not those of whole notes",
            remedy="label with --sections full",
            source=run,
        )
    if sha256_file(run / PREDICTIONS) != written:
        raise InputError(
            f"{PREDICTIONS} was changed after the run", remedy="label again", source=run
        )
    return {"labeler": labeler, "manifest": sha256_file(path)}


def sure_answers(
    path: Path, label_set: LabelSet, choice: SureChoice, this: Round
) -> dict[str, tuple[tuple[Entity, ...], float | None]]:
    """Entities and least probability of the notes that pass, by id."""
    sure: dict[str, tuple[tuple[Entity, ...], float | None]] = {}
    mentions = probable = 0
    for _, prediction in read_predictions(path, label_set):
        this.offered += 1
        probs = [e.prob for e in prediction.entities or () if e.prob is not None]
        mentions += len(prediction.entities or ())
        probable += len(probs)
        reason = _objection(prediction, label_set, choice)
        if reason is None:
            sure[prediction.id] = (prediction.entities or (), min(probs, default=None))
        else:
            this.reasons[reason] += 1
    if mentions and not probable:
        raise ConfigError(
            "the run gives no probabilities, so nobody can say what is sure",
            remedy="label with a tagger or a model of ours",
            source=path,
        )
    return sure


def _objection(prediction: Prediction, label_set: LabelSet, choice: SureChoice) -> str | None:
    """Why a note is not sure enough; ``None`` if it is."""
    entities = prediction.entities
    if entities is None or prediction.problems:
        return "the answer has problems"
    if not entities:
        return None if choice.with_empty else "nothing was found"
    if any(entity.prob is None or not entity.spans for entity in entities):
        return "an entity has no probability or no place"
    if any((entity.certainty is None) == bool(label_set.words) for entity in entities):
        return "an entity has no certainty"
    if not label_set.nesting and _overlap(entities):
        return "entities overlap"
    least = min(entity.prob for entity in entities if entity.prob is not None)
    return None if least >= choice.least else "an entity is not sure"


def _overlap(entities: Iterable[Entity]) -> bool:
    spans = sorted(span for entity in entities for span in entity.spans)
    return any(a[1] > b[0] for a, b in pairwise(spans))
