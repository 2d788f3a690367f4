"""Approximate search for millions of reports, by FAISS: HNSW graphs, or inverted lists of codes.

FAISS names candidates only: their similarities are computed again from the stored vectors, so
they are exact, and a query that is left without ``k`` reports is answered by the exact search.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import ConfigError, MissingExtraError
from labelwright.io.jsonl import PRIVATE, writing
from labelwright.io.manifest import sha256_file
from retrieval.index_files import File, Manifest, damaged, next_number
from retrieval.index_search import Found, Matrix, Vectors, exact

FLAT, HNSW, IVFPQ = KINDS = ("flat", "hnsw", "ivfpq")
PARAMETERS: Mapping[str, Mapping[str, int]] = {
    FLAT: {},
    HNSW: {"links": 32, "ef_construction": 100, "ef_search": 96},
    IVFPQ: {"lists": 0, "code_bytes": 0, "probes": 32},
}
"""Parameters of each kind with their defaults; 0 stands for what suits the number of rows."""
_PER_LIST = 39
"""Vectors that an inverted list is learned from, the least that FAISS takes without a warning."""
_CODES = 39 * 256
"""Vectors that codes of eight bits need at least (FAISS warns below)."""
_SPARE = {HNSW: 16, IVFPQ: 64}
"""Candidates beyond ``k``; codes are coarse, so more of them are compared again."""
_FEW = 20_000
"""Allowed rows that are searched exactly, whatever the kind."""
_SHARE = 0.2
"""A smaller share of allowed rows is searched exactly: FAISS would pass over most it meets."""


def check_parameters(kind: str, given: Mapping[str, int]) -> dict[str, int]:
    """The parameters of a kind, with the defaults of those that are not given.

    Raises:
        ConfigError: no such kind, or a parameter that it does not have.
    """
    if kind not in PARAMETERS:
        raise ConfigError(f"unknown kind {kind}", remedy=f"choose one of: {', '.join(KINDS)}")
    known = PARAMETERS[kind]
    if strange := sorted(set(given) - set(known)):
        raise ConfigError(
            f"{', '.join(strange)} does not apply to an index of kind {kind}",
            remedy=f"its parameters: {', '.join(known) or 'none'}",
        )
    if least := [name for name, value in given.items() if value < int(known[name] > 0)]:
        raise ConfigError(f"{least[0]} must be 1 or more", remedy="give a larger number")
    return {**known, **given}


def need_faiss() -> Any:
    """The module ``faiss``.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise MissingExtraError("faiss-cpu", "approximate search", "retrieval") from None
    return faiss


def write_ann(folder: Path, manifest: Manifest, vectors: Vectors) -> File | None:
    """Write FAISS's file for all rows of the manifest; ``None`` for flat, which needs none.

    A file that holds the first of the rows already is read and the others are added to it;
    what was learned from the first then stands for all.

    Raises:
        OutputError: it cannot be written.
    """
    if manifest.kind == FLAT:
        return None
    faiss = need_faiss()
    index = None
    if manifest.ann is not None:
        index = _read(folder, manifest.ann)
        if index.ntotal > manifest.rows:
            index = None
    if index is None:
        index = _empty(manifest, vectors)
    done = index.ntotal
    for start, block in vectors.blocks():
        if start + len(block) > done:
            index.add(np.ascontiguousarray(block[max(0, done - start) :]))
    path = folder / f"ann-{next_number(folder):08d}.faiss"
    torn = path.with_name(f".{path.name}.tmp")
    with writing(path):
        torn.touch(PRIVATE)
        try:
            faiss.write_index(index, str(torn))
        except RuntimeError:
            torn.unlink(missing_ok=True)
            raise OSError(0, "FAISS cannot write it") from None
        torn.replace(path)
    return File.of(path)


def _empty(manifest: Manifest, vectors: Vectors) -> Any:
    faiss = need_faiss()
    given, dimension = manifest.parameters, manifest.dimension
    product = faiss.METRIC_INNER_PRODUCT
    if manifest.kind == HNSW:
        index = faiss.IndexHNSWFlat(dimension, given["links"], product)
        index.hnsw.efConstruction = given["ef_construction"]
        return index
    if manifest.rows < _CODES:
        raise ConfigError(
            f"ivfpq needs {_CODES:,} reports at least, and there are {manifest.rows:,}",
            remedy="choose --kind flat, which is quick at that size",
        )
    lists = given["lists"] or round(4 * math.sqrt(manifest.rows))
    lists = min(lists, manifest.rows // _PER_LIST)
    code = given["code_bytes"] or _code_bytes(dimension)
    if dimension % code:
        raise ConfigError(
            f"codes of {code} bytes do not divide vectors of {dimension} numbers",
            remedy=f"give a divisor of {dimension}",
        )
    centres = faiss.IndexFlatIP(dimension)
    centres.add(_centres(vectors.take(_spread(manifest.rows, lists * _PER_LIST)), lists))
    index = faiss.IndexIVFPQ(centres, dimension, lists, code, 8, product)
    index.train(vectors.take(_spread(manifest.rows, 2 * _CODES)))
    return index


def _centres(vectors: Matrix, count: int) -> Matrix:
    """Centres of length one by k-means; scikit-learn's is many times as quick as FAISS's here."""
    from sklearn.cluster import KMeans

    means = KMeans(count, init="random", n_init=1, max_iter=10, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that ten rounds do not end it is meant
        found: Matrix = means.fit(vectors).cluster_centers_.astype(np.float32)
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.float32(1e-12))
    return found


def _spread(rows: int, wanted: int) -> NDArray[np.int64]:
    """So many rows, spread evenly over all."""
    return np.linspace(0, rows - 1, min(rows, wanted)).astype(np.int64)


def _code_bytes(dimension: int) -> int:
    """A byte for every eight numbers, or for the next divisor below."""
    return next(n for n in range(max(1, dimension // 8), 0, -1) if dimension % n == 0)


def _read(folder: Path, file: File) -> Any:
    """FAISS's file, read after its digest is checked: it trusts the sizes inside.

    Raises:
        InputError: it is damaged.
    """
    path = folder / file.name
    if sha256_file(path) != file.sha256:
        raise damaged(path, "has changed")
    try:
        return need_faiss().read_index(str(path))
    except RuntimeError:
        raise damaged(path, "cannot be read") from None


@dataclass(frozen=True)
class Approximate:
    """The approximate search of an open index.

    Attributes:
        index: FAISS's own, whose numbers are the rows of the index.
    """

    index: Any
    kind: str
    parameters: Mapping[str, int]

    @classmethod
    def open(cls, folder: Path, manifest: Manifest) -> Approximate | None:
        """Read it; ``None`` for a flat index.

        Raises:
            InputError: its file is damaged.
            MissingExtraError: FAISS is not installed.
        """
        if manifest.ann is None:
            return None
        index = _read(folder, manifest.ann)
        if index.ntotal != manifest.rows or index.d != manifest.dimension:
            raise damaged(folder / manifest.ann.name, "holds other rows than the manifest says")
        return cls(index, manifest.kind, manifest.parameters)

    def search(
        self,
        vectors: Vectors,
        queries: Matrix,
        *,
        k: int,
        allowed: NDArray[np.bool_],
        barred: Sequence[NDArray[np.int64]],
        most_similar: float | None = None,
    ) -> list[Found]:
        """Like :func:`retrieval.index_search.exact`, from the candidates that FAISS names."""
        found: list[Found] = [[] for _ in queries]
        open_queries = list(range(len(queries)))
        many = int(allowed.sum())
        if many > max(_FEW, _SHARE * len(allowed)):
            for fetch in self._fetches(k, many):
                if not open_queries:
                    break
                rows = self._candidates(queries[open_queries], fetch, allowed)
                left = []
                for number, mine in zip(open_queries, rows, strict=True):
                    mine = np.setdiff1d(mine[mine >= 0], barred[number], assume_unique=False)
                    best = vectors.best(queries[number], mine, k, most_similar)
                    found[number] = best
                    if len(best) < k:
                        left.append(number)
                open_queries = left
        if open_queries:
            rest = exact(
                vectors,
                queries[open_queries],
                k=k,
                allowed=allowed,
                barred=[barred[number] for number in open_queries],
                most_similar=most_similar,
            )
            for number, best in zip(open_queries, rest, strict=True):
                found[number] = best
        return found

    def _fetches(self, k: int, many: int) -> Iterator[int]:
        """How many candidates to ask for: at first, and again where too few were allowed."""
        first = k + _SPARE[self.kind]
        yield from dict.fromkeys(min(fetch, many) for fetch in (first, 8 * first))

    def _candidates(
        self, queries: Matrix, fetch: int, allowed: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        faiss = need_faiss()
        more: dict[str, Any] = {}
        if not allowed.all():
            bits = np.packbits(allowed, bitorder="little")
            more["sel"] = faiss.IDSelectorBitmap(bits)
        if self.kind == HNSW:
            wide = max(self.parameters["ef_search"], fetch)
            parameters = faiss.SearchParametersHNSW(efSearch=wide, **more)
        else:
            parameters = faiss.SearchParametersIVF(nprobe=self.parameters["probes"], **more)
        asked = np.ascontiguousarray(queries, dtype=np.float32)
        rows: NDArray[np.int64] = self.index.search(asked, fetch, params=parameters)[1]
        return rows
