"""Which part of a document a group's fields are looked for in."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import pairwise

from labelwright.records import Span
from labelwright.tasks.fields.schema import Field, FieldSet


class Sections:
    """The named sections of a text: each reaches to the next heading of any group.

    A field whose group names sections is looked for in those that the text has; where it has none
    of them, wherever no other group's section is. Fields of groups without sections are looked
    for everywhere.
    """

    def __init__(self, own: FieldSet, text: str) -> None:
        self._named = {group.name for group in own.groups if group.sections}
        marks = sorted(
            (match.start(), group.name)
            for group in own.groups
            for heading in group.sections
            for match in _heading(heading).finditer(text)
        )
        self._text = text
        self._starts = [start for start, _ in marks]
        self._homes = [name for _, name in marks]
        self._present = set(self._homes)

    def of_group(self, name: str) -> list[Span]:
        """Where the fields of a group are looked for; the whole text where nothing says."""
        marks = [*self._starts, len(self._text)]
        found = [
            (start, end)
            for (start, end), home in zip(pairwise(marks), self._homes, strict=True)
            if home == name and self._text[start:end].strip()
        ]
        return found if name in self._named and found else [(0, len(self._text))]

    def may_hold(self, field: Field, place: int) -> bool:
        """Whether a field may have a value that stands at a place."""
        if field.group not in self._named:
            return True
        before = bisect_right(self._starts, place) - 1
        home = self._homes[before] if before >= 0 else ""
        return home == field.group if field.group in self._present else not home


def _heading(words: str) -> re.Pattern[str]:
    plain = r"\s+".join(map(re.escape, words.split()))
    return re.compile(rf"(?:^|(?<=[.;]\s))[ \t]*{plain}\b", re.IGNORECASE | re.MULTILINE)
