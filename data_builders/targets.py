"""What is known of a report, by task: the answer of its record, its row of gold, the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import IO, Any, Protocol

from data_builders.collect import Row
from data_builders.prepare import Prepared
from data_builders.sources.class_table import ClassTable
from data_builders.sources.entity_table import EntityTable
from labelwright.io.jsonl import dumps
from labelwright.label_set import ENTITIES, LabelSet
from labelwright.records import Certainty, Entity
from labelwright.tasks.certainty import answer as certainty
from labelwright.tasks.certainty.table import LabelWriter
from labelwright.tasks.entities import answer as entities

LABELS_CSV = ".labels.csv"
ENTITIES_JSONL = ".entities.jsonl"
Add = Callable[[str, Any], None]
"""Writes the gold of one report: its id, and what :meth:`Gold.of` gave."""


class Table(Protocol):
    """Counts of classes by split; ``reports`` are the reports of each split."""

    reports: Counter[str]

    def write_csv(self, handle: IO[str]) -> None:
        """Write ``classes.csv``."""
        ...

    def lines(self) -> list[str]:
        """The same for the eye."""
        ...


class Gold(Protocol):
    """What the writer asks of a task; ``suffix`` is how its gold files end."""

    suffix: str

    @property
    def table(self) -> Table:
        """The counts of classes."""
        ...

    def known(self, item: Prepared) -> Any:
        """What is known of a report that is not spooled yet; ``None`` for nothing."""
        ...

    def of(self, report: dict[str, Any], row: Row, split: str) -> Any:
        """What is known of a spooled report; takes out what is not part of its text file."""
        ...

    def count(self, split: str, known: Any) -> None:
        """Count one report of a split."""
        ...

    def drop(self, report: Mapping[str, Any]) -> None:
        """Count a report that is left out."""
        ...

    def answer(self, known: Any, text: str, split: str) -> str:
        """The answer of the record."""
        ...

    def rows(self, handle: IO[str]) -> Add:
        """Begin a gold file."""
        ...

    def facts(self) -> dict[str, Any]:
        """What was counted, for the manifest."""
        ...


class LabelGold:
    """The certainty task: an answer line, ``*.labels.csv``."""

    suffix = LABELS_CSV

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        self.table = ClassTable(label_set)

    def known(self, item: Prepared) -> dict[str, Certainty] | None:
        """The labels of the main source."""
        packed = item.labels
        if isinstance(packed, str):
            return None
        return dict(zip(self._label_set.names, packed, strict=True))

    def of(self, report: dict[str, Any], row: Row, split: str) -> dict[str, Certainty]:
        """The labels that count in the split."""
        del report
        packed = row.labels_in(split)
        if isinstance(packed, str):  # the plan has left such rows out
            raise ValueError("a row without labels was planned")
        return dict(zip(self._label_set.names, packed, strict=True))

    def count(self, split: str, known: Mapping[str, Certainty]) -> None:
        """Count the certainties of one report."""
        self.table.add(split, known.values())

    def drop(self, report: Mapping[str, Any]) -> None:
        """Nothing to count: labels are not counted one by one."""

    def answer(self, known: Mapping[str, Certainty], text: str, split: str) -> str:
        """The answer line."""
        del text, split
        return certainty.render(self._label_set, known)

    def rows(self, handle: IO[str]) -> Add:
        """Begin a table of labels."""
        return LabelWriter(handle, self._label_set).add

    def facts(self) -> dict[str, Any]:
        """Nothing beside the table of classes."""
        return {}


class EntityGold:
    """The entities task: one line per mention, ``*.entities.jsonl``.

    Attributes:
        kept: entities of the reports in each split.
        dropped: entities of reports that were left out of all splits.
        unsaid: entities per split that reading the answer does not give back, such as a mention
            whose words stand earlier in the text too, where only the later one is marked.
    """

    suffix = ENTITIES_JSONL

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        self.table = EntityTable(label_set)
        self.kept: Counter[str] = Counter()
        self.dropped = 0
        self.unsaid: Counter[str] = Counter()

    def known(self, item: Prepared) -> tuple[Entity, ...] | None:
        """The entities."""
        return item.entities

    def of(self, report: dict[str, Any], row: Row, split: str) -> tuple[Entity, ...]:
        """The entities of the report."""
        del row, split
        return tuple(Entity.from_json(entity) for entity in report.pop("entities"))

    def count(self, split: str, known: tuple[Entity, ...]) -> None:
        """Count the entities of one report."""
        self.kept[split] += len(known)
        self.table.add(split, known)

    def drop(self, report: Mapping[str, Any]) -> None:
        """Count the entities of a report that is left out."""
        self.dropped += len(report["entities"])

    def answer(self, known: tuple[Entity, ...], text: str, split: str) -> str:
        """The answer; what it cannot say is counted."""
        written = entities.render(self._label_set, known)
        read = entities.parse(self._label_set, written, text, ended=True).value or ()
        said = Counter((e.type, e.spans, e.certainty) for e in read)
        told = Counter((e.type, e.spans, e.certainty) for e in known)
        self.unsaid[split] += (told - said).total()
        return written

    def rows(self, handle: IO[str]) -> Add:
        """Begin a file of entities."""

        def add(identifier: str, known: tuple[Entity, ...]) -> None:
            row = {"id": identifier, "entities": [entity.to_json() for entity in known]}
            handle.write(dumps(row) + "\n")

        return add

    def facts(self) -> dict[str, Any]:
        """Entities in records and in reports that were left out."""
        unsaid = {split: count for split, count in self.unsaid.items() if count}
        return {
            "records": self.kept.total(),
            "rejected": self.dropped,
            "place_not_said_by_answer": unsaid,
        }


def gold_of(label_set: LabelSet) -> Gold:
    """The gold of the label set's task."""
    return EntityGold(label_set) if label_set.task == ENTITIES else LabelGold(label_set)
