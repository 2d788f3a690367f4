"""The shapes in which a task kind and the engines speak to each other.

Frozen dataclasses without behaviour of their own to speak of; numpy stands in annotations only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from labelwright.records import Answer, Certainty, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

V = TypeVar("V")
"""The value of a report: what is known or said of it."""

Picks = Mapping[str, str]
"""Per slot the name of the option taken."""
Probabilities = Mapping[str, Mapping[str, float]]
"""Per slot the probability of each option."""
Chat = list[dict[str, str]]
"""A prompt as turns with ``role`` and ``content``."""
WriteGold = Callable[[str, Any], None]
"""Writes the id and the value of one report."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One decision of an answer: fixed ``prefix``, then one of ``options``.

    Attributes:
        label: its name in every file.
        key: its short name in answers.
        options: what is written for each option, by the option's name.
        silent: the option that says nothing of it (blank), if there is one; it has no evidence.
        whole: options that only the whole report says, and no sentence of it.
        open: options that words of the text follow, which a guide keeps valid.
    """

    label: str
    key: str
    prefix: str
    options: Mapping[str, str]
    silent: str | None = None
    whole: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Choices:
    """Answers that are one line of choices: all slots in order, then ``end``."""

    slots: tuple[Slot, ...]
    end: str

    def line(self, picks: Picks) -> str:
        """The line that says ``picks``.

        Raises:
            KeyError: a slot has no pick, or an unknown one.
        """
        return "".join(s.prefix + s.options[picks[s.label]] for s in self.slots) + self.end

    def longest(self, *, full_names: bool = False) -> str:
        """A line with the longest option in every slot; with full names as a model may write it."""
        most = [max(slot.options.values(), key=len) for slot in self.slots]
        if full_names:
            pairs = zip(self.slots, most, strict=True)
            return ", ".join(f"{slot.label}:{text}" for slot, text in pairs) + self.end
        pairs = zip(self.slots, most, strict=True)
        return "".join(slot.prefix + text for slot, text in pairs) + self.end


class Guide(Protocol):
    """What may be written in answer to one text, byte by byte; states are values of its own."""

    def start(self) -> Any:
        """The state before the first byte."""
        ...

    def advance(self, state: Any, piece: bytes) -> Any | None:
        """The state behind a token's bytes; ``None`` where they would not be valid."""
        ...

    def may_end(self, state: Any) -> bool:
        """Whether the answer may end here."""
        ...


@dataclass(frozen=True, slots=True)
class Grammar:
    """What may be written, in the languages that servers understand; ``None`` for not sayable."""

    json_schema: Mapping[str, Any] | None = None
    lark: str | None = None


@dataclass(frozen=True, slots=True)
class Known(Generic[V]):
    """What a source knows of a report.

    Attributes:
        adjusted: how many parts of it were read otherwise than they were given.
        text: the report's text, where the source changed it.
    """

    value: V
    adjusted: int = 0
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Parsed(Generic[V]):
    """An answer as understood.

    Attributes:
        value: ``None`` where the answer determines nothing.
        problems: what was wrong, e.g. ``missing: Edema``; never text of answer or report.
        notes: what was written otherwise than :meth:`TaskKind.render` does and still accepted.
    """

    value: V | None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """The answer to a part of a report: a window, or a sentence with all places where it stands."""

    places: Sequence[Span]
    answer: Answer


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a report says, as exports and reviewers see it.

    Attributes:
        name: the label's.
        certainty: positive where the kind knows none.
        probability: of the finding, where the labeler gives it.
        spans: evidence, or the parts of the mention, as offsets into the labeled text.
        mention: the words of a mention.
        form: what the value is, where the finding has one: ``text``, ``number``, ``date``,
            ``boolean`` or ``categorical``.
        value: the value; of a date ISO text, of a category the label set's value.
        unit: of a number.
        comparator: of a number that is a bound: ``<``, ``<=``, ``>=`` or ``>``.
        missing: why a value is missing that is asked for: ``unknown`` or ``error`` (FHIR's
            data-absent-reason).
    """

    name: str
    certainty: Certainty
    probability: float | None
    spans: Sequence[Sequence[int]]
    mention: str = ""
    form: str = ""
    value: str | float | bool | None = None
    unit: str = ""
    missing: str = ""
    comparator: str = ""


@dataclass(frozen=True, slots=True)
class Table(Generic[V]):
    """A result table.

    Attributes:
        file: its name.
        columns: those behind the id.
        rows: the rows of one report's value, cells as text.
    """

    file: str
    columns: tuple[str, ...]
    rows: Callable[[V], Iterable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class ClassForm:
    """How the classes of a data folder are counted and shown.

    Attributes:
        row: what a row of the table is, e.g. ``observation``.
        columns: the counted columns.
        shown: those that the terminal shows: column, head, width in characters.
    """

    row: str
    columns: tuple[str, ...]
    shown: tuple[tuple[str, str, int], ...]


class Tally(Generic[V]):
    """Counts what the labeled rows of a run say; this one counts nothing."""

    def add(self, value: V) -> None:
        """Count one."""

    def facts(self) -> dict[str, Any]:
        """What the manifest says of them."""
        return {}


@dataclass(frozen=True)
class Statistic:
    """A score as a function of summed counts, for resampling.

    Attributes:
        parts: the score over all parts first (mean or pooled), then one name per part.
        counted: ``[parts - 1]``: those that belong to the mean.
        of: counts ``[..., *kind's own]`` to scores ``[..., len(parts)]``.
    """

    name: str
    parts: tuple[str, ...]
    counted: Bools
    of: Callable[[Counts], Floats]
