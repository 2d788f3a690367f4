"""Probabilities of picks in little memory: whole millionths, read as ``{label: {option: p}}``.

Files hold probabilities with six decimals, so nothing is lost. Labels and options are one object
for all answers to the same questions, and many answers are reckoned with as one array.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MILLION = 1_000_000
_TIE = 1e-6
Names = tuple[tuple[str, tuple[str, ...]], ...]
"""Labels in order, each with its options in order."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Which label and option each number stands for; made by :func:`layout_of`."""

    names: Names

    def __reduce__(self) -> tuple[object, tuple[Names]]:
        return layout_of, (self.names,)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each label's numbers begin; behind them how many there are."""
        found = [0]
        for _, options in self.names:
            found.append(found[-1] + len(options))
        return tuple(found)

    @cached_property
    def at(self) -> Mapping[str, tuple[int, tuple[str, ...]]]:
        """Per label where its numbers begin, and its options."""
        return {
            label: (start, options)
            for start, (label, options) in zip(self.starts, self.names, strict=False)
        }


_LAYOUTS: dict[Names, Layout] = {}


def layout_of(names: Names) -> Layout:
    """The one layout of these labels and options."""
    return _LAYOUTS.setdefault(names, Layout(names))


class Chances(Mapping[str, Mapping[str, float]]):
    """``{label: {option: p}}``, equal to the same as dictionaries.

    Attributes:
        millionths: four bytes for each option of each label.
    """

    __slots__ = ("layout", "millionths")

    def __init__(self, layout: Layout, millionths: bytes) -> None:
        self.layout, self.millionths = layout, millionths

    @classmethod
    def of(cls, probs: Mapping[str, Mapping[str, float]]) -> Chances:
        """From dictionaries of probabilities with six decimals."""
        from array import array

        if isinstance(probs, cls):
            return probs
        names = tuple((label, tuple(row)) for label, row in probs.items())
        numbers = (round(p * MILLION) for row in probs.values() for p in row.values())
        return cls(layout_of(names), array("I", numbers).tobytes())

    def __getitem__(self, label: str) -> dict[str, float]:
        start, options = self.layout.at[label]
        numbers = memoryview(self.millionths).cast("I")[start : start + len(options)]
        return {o: number / MILLION for o, number in zip(options, numbers, strict=True)}

    def __iter__(self) -> Iterator[str]:
        return iter(self.layout.at)

    def __len__(self) -> int:
        return len(self.layout.at)

    def __repr__(self) -> str:
        return repr(self.to_dict())

    def __reduce__(self) -> tuple[type[Chances], tuple[Layout, bytes]]:
        return type(self), (self.layout, self.millionths)

    def to_dict(self) -> dict[str, dict[str, float]]:
        """As dictionaries, for a file."""
        numbers = iter(memoryview(self.millionths).cast("I"))
        return {
            label: {option: next(numbers) / MILLION for option in options}
            for label, options in self.layout.names
        }


def plain(probs: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Probabilities in any form as dictionaries."""
    if isinstance(probs, Chances):
        return probs.to_dict()
    return {label: dict(row) for label, row in probs.items()}


def same_layout(probs: Sequence[Mapping[str, Mapping[str, float]] | None]) -> Layout | None:
    """The layout that all share; ``None`` where one is in another form."""
    first = probs[0] if probs else None
    layout = first.layout if isinstance(first, Chances) else None
    if layout is None or any(not isinstance(p, Chances) or p.layout is not layout for p in probs):
        return None
    return layout


def table(probs: Sequence[Mapping[str, Mapping[str, float]] | None]) -> Floats:
    """Those of :func:`same_layout` as ``[answers, numbers]``."""
    import numpy as np

    whole = b"".join([p.millionths for p in probs if isinstance(p, Chances)])
    found: Floats = np.frombuffer(whole, dtype=np.uint32).reshape(len(probs), -1) / MILLION
    return found


def rows(layout: Layout, numbers: Floats) -> list[Chances]:
    """``[answers, numbers]`` rounded to six decimals, as Python's ``round`` does it."""
    import numpy as np

    scaled = numbers * MILLION
    whole = np.rint(scaled)
    near = np.abs(np.abs(scaled - whole) - 0.5) < _TIE
    if near.any():  # a tie in binary need be none in decimals
        whole[near] = [round(round(p, 6) * MILLION) for p in numbers[near].tolist()]
    data = whole.astype(np.uint32)
    return [Chances(layout, row.tobytes()) for row in data]
