"""Texts of notes that were worked on last, cut into words once."""

from __future__ import annotations

from sqlalchemy import Connection

from review.store import notes
from review.store.work import RefusedError
from review.text.lines import Page


class Pages:
    """The pages of some notes, the oldest let go first."""

    def __init__(self, most: int = 12_000_000, many: int = 400) -> None:
        self._most, self._many, self._kept = most, many, dict[int, Page]()

    def of(self, connection: Connection, note: int) -> Page:
        """The page of a note.

        Raises:
            RefusedError: there is none.
        """
        if (page := self._kept.get(note)) is not None:
            return page
        text = notes.text_of(connection, note)
        if text is None:
            raise RefusedError("there is no such note")
        page = Page(text)
        kept = {**self._kept, note: page}
        size = sum(len(each.text) for each in kept.values())
        while len(kept) > 1 and (size > self._most or len(kept) > self._many):
            size -= len(kept.pop(next(iter(kept))).text)
        self._kept = kept
        return page
