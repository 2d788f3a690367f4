"""Which reports may be shown beside a query: never itself, its patient, another split, a copy.

A neighbour that is the query itself, or another report of the same patient, hands a model the
answer. The rule is kept by numbers: every row of an index carries digests of its id, its
patient and its text, so that what is barred is found without reading a text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

NOBODY = 0
"""The digest of a patient who is not known."""
DECIMALS = 6
"""Similarities are compared after rounding to this many decimals."""


def digest(text: str) -> int:
    """64 bits of BLAKE2b, never :data:`NOBODY`; the same on every machine."""
    data = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(data, "little") or 1


def patient_digest(patient: str | None) -> int:
    """The digest of a patient's id without white space around it."""
    name = (patient or "").strip()
    return digest(name) if name else NOBODY


def text_digest(text: str) -> int:
    """The digest of a text apart from case, white space and forms of the same character."""
    return digest(" ".join(unicodedata.normalize("NFKC", text).casefold().split()))


@dataclass(frozen=True, slots=True)
class Query:
    """Who asks: what a neighbour must not share.

    Attributes:
        id: the report's own id; ``None`` where it has none.
        patient: ``None`` where unknown: then only ``id`` and ``text`` bar anything.
        text: bars reports of the same text; ``None`` allows them.
    """

    id: str | None
    patient: str | None
    text: str | None = None


@dataclass(frozen=True)
class Rows:
    """What the rule must know of the rows of an index, in their order.

    Attributes:
        ids: :func:`digest` of each id.
        patients: :func:`patient_digest` of each patient.
        texts: :func:`text_digest` of each text.
        splits: number of each row's split in ``split_names``.
        live: false for rows that were deleted.
    """

    ids: NDArray[np.uint64]
    patients: NDArray[np.uint64]
    texts: NDArray[np.uint64]
    splits: NDArray[np.int16]
    split_names: Sequence[str]
    live: NDArray[np.bool_]

    def allowed(self, split: str | None) -> NDArray[np.bool_]:
        """The rows that any query may be shown: live ones of the split; ``None`` takes all."""
        if split is None:
            return self.live
        if split not in self.split_names:
            return np.zeros_like(self.live)
        of_split: NDArray[np.bool_] = self.splits == list(self.split_names).index(split)
        return self.live & of_split

    def barred(self, query: Query) -> NDArray[np.int64]:
        """The rows that this query must not be shown, each once, in order."""
        found = []
        if query.id is not None:
            found.append(self._ids.find(digest(query.id)))
        if (patient := patient_digest(query.patient)) != NOBODY:
            found.append(self._patients.find(patient))
        if query.text is not None:
            found.append(self._texts.find(text_digest(query.text)))
        if not found:
            return np.empty(0, np.int64)
        return np.unique(np.concatenate(found))

    def with_id(self, identifier: str) -> NDArray[np.int64]:
        """The live rows whose id has this digest; the caller compares the ids themselves."""
        found = self._ids.find(digest(identifier))
        return found[self.live[found]]

    @cached_property
    def _ids(self) -> _Lookup:
        return _Lookup(self.ids)

    @cached_property
    def _patients(self) -> _Lookup:
        return _Lookup(self.patients)

    @cached_property
    def _texts(self) -> _Lookup:
        return _Lookup(self.texts)


class _Lookup:
    """Finds all places of a value in a column."""

    def __init__(self, column: NDArray[np.uint64]) -> None:
        self._order = np.argsort(column, kind="stable")
        self._sorted = column[self._order]

    def find(self, value: int) -> NDArray[np.int64]:
        wanted = np.uint64(value)
        first = np.searchsorted(self._sorted, wanted, "left")
        last = np.searchsorted(self._sorted, wanted, "right")
        return np.sort(self._order[first:last]).astype(np.int64)
