"""The splits once more as CoNLL files, a token and its tag per line, for other trainers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from data_builders.folder import CONLL
from labelwright.annotations.conll import ConllWriter, open_file
from labelwright.annotations.writing import renamed
from labelwright.records import Entity, Report


class TagFiles:
    """Writes ``train.conll`` and its like; mentions that tags cannot say are counted.

    Attributes:
        scheme: one of :data:`labelwright.annotations.tags.SCHEMES`.
    """

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self._writers: dict[str, ConllWriter] = {}

    def open(self, folder: Path, split: str, stack: ExitStack) -> None:
        """Begin the file of a split; it is there, whole, when the stack closes without an error.

        Raises:
            OutputError: it cannot be written.
        """
        opened = open_file(folder / f"{split}{CONLL}", scheme=self.scheme)
        self._writers[split] = stack.enter_context(opened)

    def add(self, split: str, report: Mapping[str, Any], entities: Sequence[Entity]) -> None:
        """Write one spooled report."""
        made = Report(
            report["id"], report["text"], report["source"], report["row"], report["patient"]
        )
        self._writers[split].write(made, entities)

    def facts(self) -> dict[str, Any]:
        """Counts for the manifest."""
        entities = {split: writer.written.entities for split, writer in self._writers.items()}
        left_out: Counter[str] = Counter()
        for writer in self._writers.values():
            left_out.update(writer.written.left_out)
        facts = {"scheme": self.scheme, "entities": entities, "left_out": dict(left_out)}
        names: dict[str, str] = {}
        for writer in self._writers.values():
            names |= renamed(writer.written)
        return facts | ({"types_renamed": names} if names else {})
