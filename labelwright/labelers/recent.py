"""What was found last, by digest: reports repeat each other, and what they repeat is read once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


def digest(*parts: str) -> bytes:
    """16 bytes for texts that are not kept."""
    whole = "".join([*(f"{len(part)} {part}" for part in parts[:-1]), parts[-1]])
    return hashlib.blake2b(whole.encode(errors="surrogatepass"), digest_size=16).digest()


class Recent(Generic[T]):
    """The values of the ``most`` keys that were asked for last.

    Threads that use it at the same time lose no more than a value.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[bytes, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes) -> T | None:
        """What is known of a key."""
        found = self._kept.get(key)
        if found is not None:
            try:
                self._kept.move_to_end(key)
            except KeyError:  # another thread's value took its place
                self._kept[key] = found
        return found

    def put(self, key: bytes, value: T) -> None:
        """Keep a value; the one that was not asked for the longest time gives way."""
        self._kept[key] = value
        if len(self._kept) > self.most:
            self._kept.popitem(last=False)
