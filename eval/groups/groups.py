"""Groups of reports by a column of metadata: sex, age band, scanner, hospital."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.read.aligned import read_column
from labelwright.errors import ConfigError, InputError

NOT_STATED = "not stated"
UNKNOWN_WORDS = frozenset({"", "nan", "na", "n/a", "none", "null"})
MOST_GROUPS = 30


@dataclass(frozen=True)
class Grouping:
    """One column to group by; numbers are put in bands ``band`` wide where it is given."""

    column: str
    band: float | None = None

    @classmethod
    def parse(cls, text: str) -> Grouping:
        """``sex`` or ``age:band=10``.

        Raises:
            ConfigError: the band is no positive number, or the name is empty.
        """
        name, marked, width = text.partition(":band=")
        try:
            band = float(width) if marked else None
        except ValueError:
            band = 0.0
        if not name.strip() or (band is not None and not 0 < band < float("inf")):
            raise ConfigError(
                f"--subgroup {text!r} is neither COLUMN nor COLUMN:band=WIDTH",
                remedy="write for example sex or age:band=10",
            )
        return cls(name.strip(), band)


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of one column: ``member`` is the group number per report, ``[reports]``."""

    grouping: Grouping
    names: tuple[str, ...]
    member: NDArray[np.int64]


def load_groups(
    path: str | Path,
    groupings: Sequence[Grouping],
    ids: Sequence[str],
    *,
    id_columns: Sequence[str] = ("id",),
) -> list[Groups]:
    """Read the columns of a table or JSONL file and join them to the reports by id.

    Raises:
        InputError: file or column missing, no report has a value, a value of a banded column
            is not a number, or a column has more than :data:`MOST_GROUPS` values.
    """
    found = []
    for grouping in groupings:
        by_id = read_column(path, grouping.column, id_columns=id_columns)
        values = [by_id.get(identifier, "").strip() for identifier in ids]
        values = ["" if v.casefold() in UNKNOWN_WORDS else v for v in values]
        if not any(values):
            raise InputError(
                f"no scored report has a value of {grouping.column!r}",
                remedy="check the column and the ids of the metadata",
                source=path,
            )
        found.append(_groups(values, grouping, path))
    return found


def _groups(values: Sequence[str], grouping: Grouping, path: str | Path) -> Groups:
    if grouping.band is None:
        keys = [(0.0, v) if v else (1.0, NOT_STATED) for v in values]
    else:
        keys = [_band(v, grouping, path) if v else (np.inf, NOT_STATED) for v in values]
    order = sorted(set(keys))
    if len(order) > MOST_GROUPS:
        raise InputError(
            f"the column {grouping.column!r} makes {len(order)} groups",
            remedy=f"put numbers in bands ({grouping.column}:band=10), or group the values; at "
            f"most {MOST_GROUPS}",
            source=path,
        )
    place = {key: index for index, key in enumerate(order)}
    return Groups(grouping, tuple(name for _, name in order), np.array([place[k] for k in keys]))


def _band(value: str, grouping: Grouping, path: str | Path) -> tuple[float, str]:
    width = grouping.band or 1.0
    try:
        low = np.floor(float(value) / width) * width
    except ValueError:
        low = np.inf
    if not np.isfinite(low):
        raise InputError(
            f"a value of {grouping.column!r} is not a number, so it has no band",
            remedy="fix it, leave it empty where it is not known, or group without a band",
            source=path,
        )
    whole = width >= 1 and float(width).is_integer()
    last = f"{low + width - 1:g}" if whole else f"< {low + width:g}"
    return float(low), f"{low:g}" if width == 1 else f"{low:g}–{last}"
