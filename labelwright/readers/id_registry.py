"""Remembers every id of a run in little memory, to find the second use of one."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from struct import Struct

_ROW_BITS = 40
_ROW_MASK = (1 << _ROW_BITS) - 1
_DIGEST = Struct("QQ")
_FIRST_SLOTS = 1 << 12


class IdRegistry:
    """A set of ids with the place where each was seen first.

    An open-addressing table of 16-byte digests and one packed place each: 24 bytes a slot,
    at most two thirds full, instead of some 200 bytes an id in a ``dict`` of strings.
    """

    def __init__(self) -> None:
        self._count = 0
        self._allocate(_FIRST_SLOTS)

    def __len__(self) -> int:
        return self._count

    def add(self, identifier: str, file: int, row: int) -> tuple[int, int] | None:
        """Note an id; return ``(file, row)`` of its first use if there was one.

        Args:
            file: number of the input file.
            row: 1-based.
        """
        data = identifier.encode("utf-8", "surrogatepass")
        high, low = _DIGEST.unpack(blake2b(data, digest_size=_DIGEST.size).digest())
        highs, lows, places, mask = self._highs, self._lows, self._places, self._mask
        slot = high & mask
        while seen := places[slot]:
            if highs[slot] == high and lows[slot] == low:
                return seen >> _ROW_BITS, seen & _ROW_MASK
            slot = (slot + 1) & mask
        highs[slot], lows[slot], places[slot] = high, low, (file << _ROW_BITS) | row
        self._count += 1
        if self._count * 3 > mask * 2:
            self._grow()
        return None

    def _allocate(self, slots: int) -> None:
        self._mask = slots - 1
        self._highs = array("Q", bytes(8 * slots))
        self._lows = array("Q", bytes(8 * slots))
        self._places = array("Q", bytes(8 * slots))

    def _grow(self) -> None:
        old = zip(self._highs, self._lows, self._places, strict=True)
        self._allocate(2 * (self._mask + 1))
        highs, lows, places, mask = self._highs, self._lows, self._places, self._mask
        for high, low, place in old:
            if place:
                slot = high & mask
                while places[slot]:
                    slot = (slot + 1) & mask
                highs[slot], lows[slot], places[slot] = high, low, place
