"""Texts as units that are never cut, and entities with label tokens around their words.

As in MELM every word of an entity stands between two tokens that name its tag; a word with its
two label tokens is one unit. Label tokens have ids behind the vocabulary's end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baselines.tagger.words import Pieces

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
