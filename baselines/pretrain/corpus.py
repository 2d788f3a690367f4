"""Windows of tokens to mask, and the batches made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from baselines.encoder.model import padded, padded_ids
from baselines.epochs import Draws
from baselines.pretrain.losses import IGNORED
from baselines.pretrain.marking import Window, every_token, windows, words_of_entities
from baselines.pretrain.masking import Masker
from baselines.tagger.notes import Note
from baselines.tagger.tags import Tagging
from baselines.tagger.words import BATCH, WordReader

PLAIN, LABELED = TEACHERS = ("plain", "labeled")
"""What the teacher reads: the text, or the text with its label tokens."""


@dataclass
class Counts:
    """What was counted while texts were read.

    Attributes:
        unused: windows without anything to mask.
        unmarked: words of entities that are longer than a window.
        left_out: notes that must not be trained on, by reason.
    """

    notes: int = 0
    tokens: int = 0
    windows: int = 0
    entities: int = 0
    unused: int = 0
    unmarked: int = 0
    rejected: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "notes": self.notes,
            "tokens": self.tokens,
            "windows": self.windows,
            "entities": self.entities,
            "windows_without_entity": self.unused,
            "words_longer_than_a_window": self.unmarked,
            "rejected": self.rejected,
            "left_out": dict(self.left_out),
        }


class Corpus(Dataset[dict[str, Any]]):
    """Windows, masked anew whenever one is asked for.

    Args:
        draws: decides what is masked; one without epochs masks the same every time.
        teacher: ``plain`` or ``labeled``, what a teacher reads; ``None`` without one.
    """

    def __init__(self, masker: Masker, draws: Draws, *, teacher: str | None = None) -> None:
        self.windows: list[Window] = []
        self.draws = draws
        self._masker, self._teacher = masker, teacher

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        window = self.windows[index]
        shown, targets = self._masker(window.ids, window.eligible, self.draws.of(index))
        row = {"input_ids": shown, "targets": targets}
        if self._teacher is not None:
            chosen = targets != IGNORED
            if self._teacher == PLAIN:
                places, read = window.plain, window.without_labels()
            else:
                places, read = np.arange(len(window.ids), dtype=np.int32), window.ids
            row["positives"] = np.where(chosen, places, -1).astype(np.int32)
            row["teacher_ids"] = read
        return row

    def without_labels(self, index: int) -> dict[str, Any]:
        """The same tokens masked in the same window as plain text."""
        window = self.windows[index]
        shown, targets = self._masker(window.ids, window.eligible, self.draws.of(index))
        there = window.plain >= 0
        return {"input_ids": shown[there], "targets": targets[there]}


class Reading:
    """Turns notes into windows.

    Args:
        tagging: BIO tags whose words are masked; ``None`` where any token is.
        labels: id of the label token of each tag.
    """

    def __init__(
        self, reader: WordReader, tagging: Tagging | None, labels: Sequence[int] = ()
    ) -> None:
        self._reader, self._tagging, self._labels = reader, tagging, labels

    def into(self, corpus: Corpus, notes: Iterable[Note], counts: Counts) -> None:
        """Read notes in a stream; of their texts only token ids are kept."""
        reader, tagging = self._reader, self._tagging
        found = iter(notes)
        while batch := list(islice(found, BATCH)):
            for note, pieces in zip(batch, reader.pieces([n.text for n in batch]), strict=True):
                counts.notes += 1
                counts.entities += len(note.entities)
                if tagging is None:
                    marked = every_token(pieces, room=reader.room)
                else:
                    tags = tagging.encode(pieces.spans, note.entities).tolist()
                    marked = words_of_entities(pieces, tags, self._labels, room=reader.room)
                counts.unmarked += marked.unmarked
                for window in windows(marked, reader.head, reader.tail, reader.room):
                    if not window.eligible.any():
                        counts.unused += 1
                        continue
                    counts.windows += 1
                    counts.tokens += len(window.ids)
                    corpus.windows.append(window)


class MaskedPadding:
    """Makes a batch of rows of :class:`Corpus`: padded at the end.

    Args:
        frame: tokens that open and close a window; no candidates of the contrast.
        vocabulary: ids from here on are label tokens, which are none either.
    """

    def __init__(self, pad: int, *, frame: tuple[int, int], vocabulary: int) -> None:
        self._pad, self._frame, self._vocabulary = pad, frame, vocabulary

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Tensors ``[batch, longest]``."""
        batch = padded_ids([row["input_ids"] for row in rows], self._pad)
        batch["targets"] = padded([row["targets"] for row in rows], IGNORED)
        if "positives" in rows[0]:
            batch["positives"] = padded([row["positives"] for row in rows], -1)
            read, there = padded_ids([row["teacher_ids"] for row in rows], self._pad).values()
            batch["teacher_ids"], batch["teacher_mask"] = read, there
            places = torch.arange(read.shape[1])
            inner = (places >= self._frame[0]) & (
                places < there.sum(dim=1, keepdim=True) - self._frame[1]
            )
            batch["candidates"] = inner & (read < self._vocabulary)
        return batch
