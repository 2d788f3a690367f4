"""Exact search: every allowed row is compared, block by block, in bounded memory.

A product of matrices finds the candidates. Those near the border are compared again one by
one in double precision, so equal vectors have equal similarities wherever they stand, and
the order is the same on every machine: by similarity, then by id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.leakage import DECIMALS

QUERIES = 256
"""Queries compared together: with shards of 8,192 rows, 8 MiB of similarities."""
BLOCK = 8192
"""Rows compared together at most."""
SLACK = np.float32(2e-5)
"""More than float32 products of unit vectors err, rounding of similarities included."""
_KEPT = 1024
"""Candidates of one query beyond which all but the best are dropped."""

Matrix = NDArray[np.float32]
Found = list[tuple[int, float]]
"""Rows with their similarities, most similar first."""


@dataclass(frozen=True)
class Vectors:
    """The vectors of all shards as one column of rows.

    Attributes:
        names: ids of the rows asked for.
    """

    shards: Sequence[Matrix]
    names: Callable[[NDArray[np.int64]], list[str]]

    def blocks(self) -> Iterator[tuple[int, Matrix]]:
        """Pieces of at most :data:`BLOCK` rows, each with the number of its first."""
        start = 0
        for shard in self.shards:
            for first in range(0, len(shard), BLOCK):
                yield start + first, shard[first : first + BLOCK]
            start += len(shard)

    def take(self, rows: NDArray[np.int64]) -> Matrix:
        """The vectors of some rows, copied."""
        ends = np.cumsum([len(shard) for shard in self.shards])
        made = np.empty((len(rows), self.shards[0].shape[1]), np.float32)
        where = np.searchsorted(ends, rows, "right")
        for number in np.unique(where):
            shard = self.shards[number]
            mine = where == number
            made[mine] = shard[rows[mine] - (ends[number] - len(shard))]
        return made

    def best(
        self,
        query: NDArray[np.float32],
        rows: NDArray[np.int64],
        k: int,
        most_similar: float | None,
    ) -> Found:
        """The ``k`` best of some rows, compared in double precision."""
        products = self.take(rows).astype(np.float64) * query.astype(np.float64)
        similar = np.round(products.sum(axis=1), DECIMALS)
        if most_similar is not None:
            near = similar < most_similar
            rows, similar = rows[near], similar[near]
        if len(rows) > k:
            border = np.partition(similar, -k)[-k]
            rows, similar = rows[similar >= border], similar[similar >= border]
        order = np.argsort(-similar, kind="stable")
        rows, similar = rows[order], similar[order]
        if (similar[1:] == similar[:-1]).any():
            names = self.names(rows)
            order = np.array(sorted(range(len(rows)), key=lambda i: (-similar[i], names[i])))
            rows, similar = rows[order], similar[order]
        return list(zip(rows[:k].tolist(), similar[:k].tolist(), strict=True))


def exact(
    vectors: Vectors,
    queries: Matrix,
    *,
    k: int,
    allowed: NDArray[np.bool_],
    barred: Sequence[NDArray[np.int64]],
    most_similar: float | None = None,
) -> list[Found]:
    """The ``k`` most similar rows of each query, fewer only where fewer are allowed.

    Args:
        queries: one unit vector per row.
        allowed: rows that every query may find.
        barred: rows that each query must not find.
        most_similar: similarities from here on are left out.
    """
    found: list[Found] = []
    for first in range(0, len(queries), QUERIES):
        some = slice(first, first + QUERIES)
        block = _Search(vectors, queries[some], k, most_similar)
        found += block.run(allowed, barred[some])
    return found


class _Search:
    """The search of one block of queries over all rows."""

    def __init__(
        self, vectors: Vectors, queries: Matrix, k: int, most_similar: float | None
    ) -> None:
        self._vectors = vectors
        self._queries = np.ascontiguousarray(queries, dtype=np.float32)
        self._k = k
        self._limit = most_similar
        count = len(queries)
        self._rows = [np.empty(0, np.int64)] * count
        self._similar = [np.empty(0, np.float32)] * count
        self._floor = np.full(count, np.finfo(np.float32).min, np.float32)

    def run(self, allowed: NDArray[np.bool_], barred: Sequence[NDArray[np.int64]]) -> list[Found]:
        asker = np.repeat(np.arange(len(barred)), [len(rows) for rows in barred])
        row = np.concatenate([*barred, np.empty(0, np.int64)])
        order = np.argsort(row, kind="stable")
        asker, row = asker[order], row[order]
        for start, block in self._vectors.blocks():
            rows = start + np.flatnonzero(allowed[start : start + len(block)])
            if not len(rows):
                continue
            chosen = block if len(rows) == len(block) else block[rows - start]
            similar = self._queries @ chosen.T
            mine = slice(*np.searchsorted(row, (start, start + len(block))))
            column = np.minimum(np.searchsorted(rows, row[mine]), len(rows) - 1)
            there = rows[column] == row[mine]
            similar[asker[mine][there], column[there]] = -np.inf
            if self._limit is not None:
                similar[similar >= np.float32(self._limit) + SLACK] = -np.inf
            self._add(similar, rows)
        finished = zip(self._queries, self._rows, strict=True)
        return [self._vectors.best(q, rows, self._k, self._limit) for q, rows in finished]

    def _add(self, similar: Matrix, rows: NDArray[np.int64]) -> None:
        """Keep what may be among the best: nothing that is surely beaten by ``k`` others.

        Args:
            similar: one line per query, one column per row of ``rows``.
        """
        asker, column = np.nonzero(similar >= self._floor[:, None])
        values = similar[asker, column]
        cuts = np.searchsorted(asker, np.arange(len(similar) + 1))
        for number in np.flatnonzero(np.diff(cuts)).tolist():
            new = slice(cuts[number], cuts[number + 1])
            values_now = np.concatenate([self._similar[number], values[new]])
            rows_now = np.concatenate([self._rows[number], rows[column[new]]])
            sure = values_now
            if self._limit is not None:  # those at the limit may turn out to be beyond it
                sure = values_now[values_now < np.float32(self._limit) - SLACK]
            if len(sure) >= self._k:
                border = np.partition(sure, -self._k)[-self._k] - SLACK
                self._floor[number] = border
                kept = values_now >= border
                values_now, rows_now = values_now[kept], rows_now[kept]
            if len(rows_now) > self._k + _KEPT:
                values_now, rows_now = self._thin(number, rows_now)
            self._similar[number], self._rows[number] = values_now, rows_now

    def _thin(
        self, number: int, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Compare many near ties now, so that repeated texts do not fill the memory."""
        best = self._vectors.best(self._queries[number], rows, self._k, self._limit)
        kept = np.array([row for row, _ in best], np.int64)
        return np.array([value for _, value in best], np.float32), kept
