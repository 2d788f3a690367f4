"""Notes of a data folder as windows of tokens with their tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from baselines.epochs import Draws
from baselines.tagger.notes import read_split
from baselines.tagger.sections import dropped
from baselines.tagger.tags import Tagging
from baselines.tagger.words import BATCH, Window, WordReader
from labelwright.errors import ConfigError
from labelwright.io.data_folder import AGAIN, REPORTS, DataFolder
from labelwright.io.jsonl import read_jsonl
from labelwright.records import Entity


@dataclass
class EncodingCounts:
    """What was counted while the reports of a split were encoded.

    Attributes:
        learnable: entities that the tags can say exactly; the others overlap where they must
            not, touch, have several parts, or begin or end inside a word.
        with_class: reports that hold a class, by its number.
    """

    limit: int
    reports: int = 0
    words: int = 0
    tokens: int = 0
    windows: int = 0
    entities: int = 0
    learnable: int = 0
    with_class: Counter[int] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "reports": self.reports,
            "words": self.words,
            "tokens": self.tokens,
            "windows": self.windows,
            "limit_tokens": self.limit,
            "entities": self.entities,
            "entities_learnable": self.learnable,
        }


@dataclass(frozen=True, eq=False)
class Tagged:
    """A report in words, for scoring: where its words stand, and its entities."""

    text: str
    spans: NDArray[np.int64]
    entities: tuple[Entity, ...]


class Rows(Dataset[dict[str, Any]]):
    """Windows with the tags of their words; ``place`` says which report each belongs to.

    Args:
        hiding: with which probability the model is not to see a section.
        opening: number of tokens that open a window.
        draws: decides which are hidden.
        asked: for each type that windows are asked about, the tags that say it.
    """

    def __init__(
        self,
        *,
        hiding: float = 0.0,
        opening: int = 0,
        draws: Draws | None = None,
        asked: Sequence[NDArray[np.int64]] = (),
    ) -> None:
        self.windows: list[Window] = []
        self.place: list[int] = []
        self.draws = draws
        self.shares: list[float] = []
        self._tags: list[NDArray[np.uint16]] = []
        self._hiding, self._opening, self._asked = hiding, opening, asked

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        window, tags = self.windows[index], self._tags[index]
        own = tags[window.start : window.start + len(window.firsts)]
        sections = window.sections
        if sections is not None and self._hiding and self.draws is not None:
            random = self.draws.of(index)
            if window.prefix and random.random() < self._hiding:
                window = window.without_prefix(self._opening)
            elif not window.prefix:
                seen = dropped(sections, self._hiding, random)
                window = window._replace(sections=seen)
        row = {"input_ids": window.ids, "firsts": window.firsts, "labels": own, "rows": index}
        if window.sections is not None:
            row["sections"] = window.sections
        if self._asked:
            row["held"] = self._held(index)
        if self.shares:
            row["shares"] = self.shares[index]
        return row

    def _held(self, index: int) -> NDArray[np.float32]:
        """0 or 1 for each type that is asked about."""
        window, tags = self.windows[index], self._tags[index]
        own = tags[window.start : window.start + len(window.firsts)]
        return np.array([_says(own, tags).any() for tags in self._asked], dtype=np.float32)

    def question_weights(self, way: str) -> list[float] | None:
        """One weight per type that is asked about, by the windows that hold it."""
        if way == "none":
            return None
        held = sum((self._held(n) for n in range(len(self))), np.zeros(len(self._asked)))
        return [weight_of(int(count), len(self), way) for count in held.tolist()]

    def add(self, place: int, window: Window, tags: NDArray[np.uint16]) -> None:
        """Append a window of the report with this number; ``tags`` are those of its whole text."""
        self.windows.append(window)
        self.place.append(place)
        self._tags.append(tags)


@dataclass(frozen=True, eq=False)
class Split:
    """All that was encoded of a split; ``notes`` are empty where nothing is to be scored."""

    rows: Rows
    notes: Sequence[Tagged]
    counts: EncodingCounts


def encode_split(
    data: DataFolder,
    split: str,
    reader: WordReader,
    tagging: Tagging,
    *,
    keep_notes: bool,
    rows: Rows | None = None,
    pseudo: tuple[set[str], float] | None = None,
) -> Split:
    """Read and encode a split.

    Args:
        keep_notes: keep texts and entities in memory, for scoring.
        rows: where the windows go; new ones where none are given.
        pseudo: ids of the notes that a labeler labeled, and how much they count; ``None`` where
            all count alike.

    Raises:
        InputError: the files are damaged.
        ConfigError: no report has a word.
    """
    rows, notes, counts = Rows() if rows is None else rows, [], EncodingCounts(reader.limit)
    places = {name: place for place, name in enumerate(tagging.classes)}
    found = read_split(data, split)
    while batch := list(islice(found, BATCH)):
        for note, words in zip(batch, reader.read([note.text for note in batch]), strict=True):
            tags = tagging.encode(words.spans, note.entities)
            for window in words.windows:
                rows.add(counts.reports, window, tags)
                if pseudo is not None:
                    rows.shares.append(pseudo[1] if note.id in pseudo[0] else 1.0)
                counts.tokens += len(window.ids)
            if keep_notes:
                notes.append(Tagged(note.text, words.spans, note.entities))
            counts.reports += 1
            counts.words += len(words)
            counts.windows += len(words.windows)
            counts.entities += len(note.entities)
            counts.learnable += tagging.learnable(note.text, words.spans, note.entities)
            counts.with_class.update({places[e.type, e.certainty] for e in note.entities})
    if not len(rows):
        raise ConfigError(f"no {split} report has a word", remedy=AGAIN, source=data.path)
    return Split(rows, notes, counts)


def pseudo_labeled(data: DataFolder) -> set[str]:
    """The training notes whose entities are a labeler's (``labelwright pseudo-label``)."""
    rows = read_jsonl(data.path / REPORTS.format("train"))
    return {str(row["id"]) for _, row in rows if "pseudo_round" in (row.get("meta") or {})}


def tags_of_types(tagging: Tagging, types: Sequence[str]) -> list[NDArray[np.int64]]:
    """For each type the numbers of the tags that say it."""
    width, first = len(tagging.kinds), 0 if tagging.multilabel else 1
    return [
        np.array(
            [
                first + place * width + kind
                for place, (own, _) in enumerate(tagging.classes)
                if own == name
                for kind in range(width)
            ]
        )
        for name in types
    ]


def _says(own: NDArray[np.uint16], tags: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which words of a window have one of these tags."""
    if own.ndim == 1:
        return np.isin(own, tags)
    found: NDArray[np.bool_] = np.any(own[:, tags] > 0, axis=1)
    return found


def class_weights(counts: EncodingCounts, tagging: Tagging, way: str) -> list[float] | None:
    """One weight per tag, by how many of the N training reports hold its class (n): (N - n) / n.

    A class that no report holds, and ``O``, weigh 1. ``plain`` weights fall below 1 for a class
    of more than half of the reports, to 0 for one of all; ``clamped`` ones never do.

    Args:
        way: ``none``, ``plain`` or ``clamped``.
    """
    if way == "none":
        return None
    weights = [] if tagging.multilabel else [1.0]
    for place in range(len(tagging.classes)):
        weight = weight_of(counts.with_class[place], counts.reports, way)
        weights += [weight] * len(tagging.kinds)
    return weights


def weight_of(held: int, among: int, way: str) -> float:
    """(N - n) / n, with ``clamped`` at least 1; 1 where nothing holds it."""
    weight = (among - held) / held if held else 1.0
    return max(weight, 1.0) if way == "clamped" else weight
