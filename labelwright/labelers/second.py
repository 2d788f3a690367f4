"""Two readers: one labeler labels, another reads the same reports, and both answers are kept.

Where they agree a label is more often right than where they differ, whatever either says of its own
certainty. So every prediction tells what the second reader said and where the two differ, and a
:class:`Decision` says per observation who decides there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler, key_of
from labelwright.records import Prediction, Reject, Report
from labelwright.tasks import kind_of

FIRST, SECOND, SURER = "first", "second", "surer"
OWN_FILE = "second_reader.json"
"""In a model's folder: who decides beside which second reader."""
BY_SURENESS = -1.0


@dataclass(frozen=True)
class Decision:
    """Who decides where the readers differ, per observation.

    The first reader decides where the probability of its label reaches the observation's number,
    else the second: 0 is always the first, more than 1 always the second, :data:`BY_SURENESS` the
    one that gives its own label the higher probability. A first reader that gives no probability,
    or leaves the observation open, decides unless the number is above 1.

    Attributes:
        least: the number per observation; those not named have ``otherwise``.
    """

    least: Mapping[str, float] = field(default_factory=dict)
    otherwise: float = 0.0

    def by_second(self, name: str, probability: float | None, other: float | None = None) -> bool:
        """Whether the second reader decides on an observation.

        Args:
            probability, other: of the first reader's label, and of the second's.
        """
        least = self.least.get(name, self.otherwise)
        if least == BY_SURENESS:
            return probability is not None and other is not None and other > probability
        return least > 1 if probability is None else probability < least

    def to_json(self, label_set: LabelSet) -> dict[str, float]:
        """The number of every observation, for manifests."""
        return {name: self.least.get(name, self.otherwise) for name in label_set.names}

    @classmethod
    def chosen(
        cls, label_set: LabelSet, choice: str | None, folder: str | Path | None, second: str
    ) -> Decision:
        """What ``--decide`` asks for.

        Args:
            choice: ``first``, ``second``, ``surer``, a JSON file, or ``None`` for what the first
                reader's folder says of this second reader (the first, if nothing).
            folder: of the first reader, if it has one.
            second: the second reader's name.

        Raises:
            InputError: the file is no such file.
            ConfigError: it names what is not an observation of the label set.
        """
        if choice in (FIRST, SECOND, SURER):
            return cls(otherwise=_number(choice))
        if choice is not None:
            return cls._of(Path(choice), label_set, None)
        own = None if folder is None else Path(folder) / OWN_FILE
        return cls._of(own, label_set, second) if own is not None and own.is_file() else cls()

    @classmethod
    def _of(cls, path: Path, label_set: LabelSet, second: str | None) -> Decision:
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            if second is not None:
                value = value["second_readers"].get(second, {})
            least = {str(k): _number(v) for k, v in value.get("observations", {}).items()}
            otherwise = _number(value.get("otherwise", FIRST))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                "this does not say who decides",
                remedy='write {"otherwise": "surer", "observations": {NAME: "second" or 0.9}}',
                source=path,
            ) from None
        unknown = [name for name in least if name not in label_set.names]
        if unknown:
            raise ConfigError(
                f"{unknown[0]!r} is not an observation of {label_set.name}",
                remedy="use the names of the label set",
                source=path,
            )
        return cls(least, otherwise)


def _number(value: Any) -> float:
    if value in (FIRST, SECOND, SURER):
        return {FIRST: 0.0, SECOND: math.inf, SURER: BY_SURENESS}[value]
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError("no share")
    return float(value)


def usual_second(folder: str | Path) -> str | None:
    """The second reader that a model comes with: the first that its folder's file names."""
    try:
        known = json.loads((Path(folder) / OWN_FILE).read_text(encoding="utf-8"))["second_readers"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return next(iter(known), None) if isinstance(known, dict) else None


class TwoReaders:
    """Two labelers of one label set; implements :class:`labelwright.labelers.base.ReportLabeler`.

    Name, probabilities and all that is not said of the second reader are the first's.

    Raises:
        ConfigError: they label different things.
    """

    def __init__(self, first: ReportLabeler, second: ReportLabeler, decision: Decision) -> None:
        one, other = first.label_set, second.label_set
        if not kind_of(one).has_sides(one):
            raise ConfigError(
                f"a second reader is for labels and fields, not for {one.task}",
                remedy="leave --second-reader out, and compare the two with labelwright eval",
            )
        if not one.asks_as(other):
            raise ConfigError(
                f"a second reader labels the same observations as the first: {one.name} "
                f"{one.version}, not {other.name} {other.version}",
                remedy="give a second reader for the first one's label set",
            )
        self._first, self._second, self._decision = first, second, decision

    @property
    def name(self) -> str:
        """The first reader's."""
        return self._first.name

    @property
    def label_set(self) -> LabelSet:
        """Of both."""
        return self._first.label_set

    def key(self, report: Report) -> bytes:
        """What two reports must share to get the same answer of both."""
        digest = blake2b(key_of(self._first, report), digest_size=16)
        digest.update(key_of(self._second, report))
        return digest.digest()

    def describe(self) -> Mapping[str, Any]:
        """What the first says of itself, and beside it the second and who decides."""
        first, second = dict(self._first.describe()), dict(self._second.describe())
        runtime = {**first.pop("runtime", {}), "second_reader": second.pop("runtime", {})}
        numbers = self._decision.to_json(self.label_set)
        decides = {k: SURER if v == BY_SURENESS else str(v) for k, v in numbers.items()}
        return {**first, "second_reader": second, "first_from": decides, "runtime": runtime}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """The first reader's results with what the second says; a reject of the first stays."""
        return [
            one if isinstance(one, Reject) else self._both(one, other)
            for one, other in zip(
                self._first.label_reports(reports), self._second.label_reports(reports), strict=True
            )
        ]

    def _both(self, one: Prediction, other: Prediction | Reject) -> Prediction:
        if isinstance(other, Reject):
            return replace(one, second={"model": self._second.name, "rejected": other.reason})
        kind, label_set = kind_of(self.label_set), self.label_set
        first = kind.sides(label_set, one.value, one.probs)
        others = kind.sides(label_set, other.value, other.probs)
        differ = [name for name, (said, _) in first.items() if others.get(name, [said])[0] != said]
        decided = [
            name
            for name in differ
            if self._decision.by_second(name, first[name][1], others[name][1])
        ]
        second: dict[str, Any] = {
            "model": other.model,
            "labels": {name: said for name, (said, _) in others.items()},
            "disagree": differ,
            "first": {name: first[name][0] for name in differ},
            "decided": decided,
        }
        if other.probs is not None:
            second["probs"] = {k: dict(v) for k, v in other.probs.items()}
        if one.probs is None and (sure := {n: first[n][1] for n in differ if first[n][1]}):
            second["sure"] = sure
        return replace(
            kind.exchanged(label_set, one, other, decided),
            second=second,
            seconds=None if one.seconds is None else one.seconds + (other.seconds or 0.0),
        )
