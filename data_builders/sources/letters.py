"""Values that come along with synthetic letters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from data_builders.sources.base import Source
from data_builders.synthetic.letters.writer import Letter
from labelwright.label_set import LabelSet
from labelwright.records import Report
from labelwright.tasks.base import Known
from labelwright.tasks.fields.values import Fields


class LetterValues(Source):
    """The values of every letter, kept until they are asked for."""

    name = "letters"

    def __init__(self, letters: Iterable[Letter]) -> None:
        self._letters = letters
        self._waiting: dict[str, Fields] = {}

    def reports(self) -> Iterator[Report]:
        """The letters' texts."""
        for letter in self._letters:
            self._waiting[letter.report.id] = letter.fields
            yield letter.report

    def known(self, reports: Sequence[Report], label_set: LabelSet) -> list[Known[Any] | str]:
        """The values that came with the letters."""
        del label_set
        return [Known(self._waiting.pop(report.id)) for report in reports]

    def describe(self) -> Mapping[str, Any]:
        """Its kind only: how they were drawn stands beside it in the manifest."""
        return {"kind": self.name}
