"""Which section each word stands in, and three ways to tell a tagger.

``embedding``: the section's vector is concatenated to every token's, and a layer that starts as
the identity for the token and as zero for the section projects both to the encoder's width, so
that the first step is that of the plain encoder. ``prefix``: the section's name stands before its
text, in every window of it. ``bias``: each section adds its own number to each tag's score; a
vector concatenated before the linear layer of the tags would come to the same. These are the
three places of Francis et al. 2025 (doi:10.3389/frai.2024.1450477, section 3.4.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.tagger.choices import WAYS
from labelwright.text.section_tables import OTHER, SectionTable

NOWHERE, UNSEEN = 0, 1
"""Numbers of no section, and of one that no training note had."""


@dataclass(frozen=True)
class Sections:
    """The sections that a tagger knows.

    Attributes:
        way: ``embedding``, ``prefix`` or ``bias``.
        table: finds them in a text.
        names: those of the training notes, in order; the first has the number 2.
    """

    way: str
    table: SectionTable
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many numbers there are, with those of no section and of an unseen one."""
        return len(self.names) + 2

    def of_words(self, text: str, spans: NDArray[np.int64]) -> NDArray[np.int16]:
        """The number of each word's section, ``[words]``."""
        found = np.zeros(len(spans), dtype=np.int16)
        for section in self.table.split(text):
            first, end = np.searchsorted(spans[:, 0], [section.start, section.end])
            found[first:end] = self._number(section.name)
        return found

    def title(self, number: int) -> str:
        """What stands before the text of a section; empty for none."""
        if number == NOWHERE:
            return ""
        return f"{OTHER if number == UNSEEN else self.names[number - 2]}: "

    def _number(self, name: str) -> int:
        return self.names.index(name) + 2 if name in self.names else UNSEEN

    def to_json(self) -> dict[str, Any]:
        """For ``tags.json``."""
        return {"way": self.way, "table": self.table.to_json(), "names": list(self.names)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Sections:
        """The inverse of :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError: the value is damaged.
        """
        if value["way"] not in WAYS:
            raise ValueError("way")
        names = tuple(map(str, value["names"]))
        return cls(str(value["way"]), SectionTable.from_json(value["table"]), names)


def dropped(
    numbers: NDArray[np.int16], share: float, random: np.random.Generator
) -> NDArray[np.int16]:
    """The sections of a window, some of which the model is not to see.

    Each section of it is hidden with this probability: as none or as an unseen one, at equal odds,
    so that the model knows notes without headings and with strange ones.
    """
    hidden = numbers.copy()
    for number in np.unique(numbers):
        if random.random() < share:
            hidden[numbers == number] = random.integers(0, 2)
    return hidden


def names_in(table: SectionTable, texts: Iterable[str]) -> set[str]:
    """The sections of some texts, those under unknown headings left out."""
    return {s.name for text in texts for s in table.split(text)} - {OTHER}
