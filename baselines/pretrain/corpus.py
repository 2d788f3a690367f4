"""Windows of tokens to mask, and the batches made of them.

Texts as units that are never cut, and entities with label tokens around their words.

As in MELM every word of an entity stands between two tokens that name its tag; a word with its
two label tokens is one unit. Label tokens have ids behind the vocabulary's end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from baselines.encoder.model import padded, padded_ids
from baselines.epochs import Draws
from baselines.pretrain.masking import IGNORED, Masker
from baselines.tagger.notes import Note
from baselines.tagger.tags import Tagging
from baselines.tagger.words import BATCH, Pieces, WordReader

Ids = NDArray[np.int32]


class Window(NamedTuple):
    """A part of a text that is read at once, with the tokens that open and close it.

    Attributes:
        ids: token ids; those of label tokens are not below the vocabulary's size.
        eligible: which tokens may be masked.
        plain: for each token its place in the same window without label tokens; -1 for label
            tokens.
    """

    ids: Ids
    eligible: NDArray[np.bool_]
    plain: Ids

    def without_labels(self) -> Ids:
        """The same window as plain text."""
        return self.ids[self.plain >= 0]


@dataclass(frozen=True, eq=False)
class Marked:
    """A whole text in units.

    Attributes:
        ids: its tokens, label tokens included, without opening and closing ones.
        eligible: which of them may be masked.
        labels: which are label tokens.
        bounds: where units begin, and the end; ``[units + 1]``.
        unmarked: words of entities that got no label tokens, since they are longer than a window.
    """

    ids: Ids
    eligible: NDArray[np.bool_]
    labels: NDArray[np.bool_]
    bounds: NDArray[np.int64]
    unmarked: int = 0


def every_token(pieces: Pieces, *, room: int) -> Marked:
    """A text any token of which may be masked; longer words than a window are several units."""
    tokens = pieces.tokens
    edges = np.unique(np.concatenate([[0], pieces.firsts, [len(tokens)]])).astype(np.int64)
    yes = np.ones(len(tokens), dtype=bool)
    return Marked(tokens, yes, ~yes, _parted(edges, room))


def words_of_entities(
    pieces: Pieces, tags: Sequence[int], labels: Sequence[int], *, room: int
) -> Marked:
    """A text with label tokens around the words of its entities, which alone may be masked.

    Args:
        tags: for each word the number of its tag, 0 for none.
        labels: id of the label token of each tag; the first, of tag 0, is not used.
        room: tokens of a window; a longer unit would fit into none.
    """
    tokens, firsts = pieces.tokens, pieces.firsts
    units = [tokens[: firsts[0]] if len(firsts) else tokens]
    marked, unmarked = [False], 0
    for start, end, tag in zip(firsts, np.append(firsts[1:], len(tokens)), tags, strict=True):
        word = tokens[start:end]
        held = tag > 0 and len(word) + 2 <= room
        unmarked += int(tag > 0 and not held)
        units.append(np.array([labels[tag], *word, labels[tag]]) if held else word)
        marked.append(held)
    sizes = [len(unit) for unit in units]
    bounds = np.cumsum([0, *sizes])
    inside, label = np.repeat(marked, sizes), np.zeros(bounds[-1], dtype=bool)
    label[bounds[:-1][marked]] = label[bounds[1:][marked] - 1] = True
    whole = np.concatenate(units).astype(np.int32)
    return Marked(whole, inside & ~label, label, _parted(np.unique(bounds), room), unmarked)


def windows(
    marked: Marked, head: Sequence[int], tail: Sequence[int], room: int
) -> Iterator[Window]:
    """Cut a text between units into parts of at most ``room`` tokens; none is lost or repeated."""
    bounds, before = marked.bounds, len(head)
    start = 0
    frame = np.zeros(before, dtype=bool), np.zeros(len(tail), dtype=bool)
    while start < len(bounds) - 1:
        end = int(np.searchsorted(bounds, bounds[start] + room, side="right")) - 1
        end = max(end, start + 1)
        part = slice(int(bounds[start]), int(bounds[end]))
        start = end
        inner = marked.ids[part]
        ids = np.concatenate([head, inner, tail]).astype(np.int32)
        labels = np.concatenate([frame[0], marked.labels[part], frame[1]])
        eligible = np.concatenate([frame[0], marked.eligible[part], frame[1]])
        plain = np.where(labels, -1, np.cumsum(~labels) - 1).astype(np.int32)
        yield Window(ids, eligible, plain)


def _parted(edges: NDArray[np.int64], room: int) -> NDArray[np.int64]:
    """The borders of units, with more of them inside units that no window holds."""
    if not np.any(np.diff(edges) > room):
        return edges
    more = [cut for start, end in pairwise(edges.tolist()) for cut in range(start, end, room)]
    return np.array([*more, int(edges[-1])], dtype=np.int64)


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
