"""Words and word pairs hashed into a vector, rare ones weighing more: needs no model.

Signed feature hashing (Weinberger et al., 2009) with ``1 + log(tf)`` and, after ``fit``, the
smoothed inverse document frequency ``1 + log((1 + n) / (1 + df))`` of each bucket, for words and
for pairs by themselves. The hash is MurmurHash3 with a fixed seed, so a text has the same vector
in every process and on every machine.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from labelwright.errors import CheckpointError, ConfigError
from retrieval.embed import check_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

DIMENSIONS = 1024
LEAST, MOST = 16, 2**20
"""Bounds of the dimensions: fewer tell no two reports apart, more fill the memory."""
BATCH = 1024
"""Texts that are counted together."""
PAIR_WEIGHT = 0.25
"""Weight of a pair beside a word's 1: pairs tell "left effusion, no nodule" from "left nodule, no
effusion", but weighing as much as words they find reports of the same style, not of the same
findings (``docs/embedders.md``)."""
FREQUENCY, DOCUMENTS = "document_frequency", "documents"
"""Names of the arrays in the state."""
_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
WORD = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+")
"""A run of letters and digits; kana and Chinese characters, written without spaces, one by one."""


class HashedEmbedder:
    """Hashed words and word pairs.

    Args:
        dimension: number of buckets.

    Raises:
        ConfigError: the number of dimensions is out of bounds.
    """

    def __init__(self, dimension: int = DIMENSIONS) -> None:
        if not LEAST <= dimension <= MOST:
            raise ConfigError(
                f"hashed:{dimension} is not possible",
                remedy=f"give between {LEAST} and {MOST} dimensions, or just hashed",
            )
        from sklearn.feature_extraction.text import HashingVectorizer

        self._dimension = dimension
        self._frequency: NDArray[np.int64] = np.zeros((2, dimension), dtype=np.int64)
        self._documents = 0
        self._vectorizers = [
            HashingVectorizer(
                n_features=dimension, analyzer=features, alternate_sign=True, norm=None
            )
            for features in (_words, _pairs)
        ]

    @classmethod
    def named(cls, name: str, *, state: Mapping[str, NDArray[Any]] | None) -> HashedEmbedder:
        """``hashed`` or ``hashed:4096``, with what an earlier ``fit`` learned.

        Raises:
            CheckpointError: the state is not of this embedder.
            ConfigError: the number of dimensions is none or out of bounds.
        """
        digits = name.partition(":")[2] or str(DIMENSIONS)
        if not (digits.isascii() and digits.isdigit() and len(digits) < 9):
            raise ConfigError(f"unknown embedder {name!r}", remedy="write it as in hashed:4096")
        embedder = cls(int(digits))
        if state is not None:
            embedder._restore(state)
        return embedder

    @property
    def name(self) -> str:
        """``hashed:`` and the number of dimensions."""
        return f"hashed:{self._dimension}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def describe(self) -> Mapping[str, Any]:
        """All that the vectors depend on."""
        return {
            "kind": "hashed",
            "name": self.name,
            "dimension": self._dimension,
            "features": "words and word pairs, lower case, NFKC, MurmurHash3, signed",
            "weights": "1 + log(tf), inverse document frequency",
            "pair_weight": PAIR_WEIGHT,
            "documents": self._documents,
            "state_sha256": self._digest(),
        }

    def fit(self, texts: Iterable[str]) -> None:
        """Learn the document frequencies from the texts to be indexed, in one pass.

        What was learned before is forgotten.
        """
        frequency = np.zeros((2, self._dimension), dtype=np.int64)
        documents = 0
        for block in _blocks(texts):
            for row, counts in zip(frequency, self._counts(block), strict=True):
                row += counts.getnnz(axis=0)
            documents += len(block)
        self._frequency, self._documents = frequency, documents

    def state(self) -> Mapping[str, NDArray[np.int64]]:
        """What ``fit`` learned, as arrays."""
        return {FREQUENCY: self._frequency, DOCUMENTS: np.array([self._documents], dtype=np.int64)}

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row of length one per text.

        Raises:
            ValueError: a text is empty; the row is named.
        """
        check_texts(texts)
        vectors = np.zeros((len(texts), self._dimension), dtype=np.float32)
        rarity = 1.0 + np.log((1.0 + self._documents) / (1.0 + self._frequency))
        for start in range(0, len(texts), BATCH):
            block = texts[start : start + BATCH]
            words, pairs = self._counts(block)
            whole = (
                _weighed(words, rarity[0]) + PAIR_WEIGHT * _weighed(pairs, rarity[1])
            ).toarray()
            for row in np.flatnonzero(~whole.any(axis=1)).tolist():
                whole[row, _bucket(block[row], self._dimension)] = 1.0
            vectors[start : start + BATCH] = whole / np.linalg.norm(whole, axis=1, keepdims=True)
        return vectors

    def _counts(self, texts: Sequence[str]) -> list[csr_matrix]:
        """Signed counts of words and of pairs; where they cancel each other out, nothing."""
        found = [vectorizer.transform(texts) for vectorizer in self._vectorizers]
        for counts in found:
            counts.eliminate_zeros()
        return found

    def _digest(self) -> str | None:
        if not self._documents:
            return None
        number = self._documents.to_bytes(8, "little")
        return hashlib.sha256(number + self._frequency.astype("<i8").tobytes()).hexdigest()

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        shapes = {key: (array.shape, array.dtype.kind) for key, array in state.items()}
        if shapes != {FREQUENCY: ((2, self._dimension), "i"), DOCUMENTS: ((1,), "i")}:
            raise CheckpointError(
                f"the stored document frequencies do not belong to {self.name}",
                remedy="build the index again",
            )
        documents, frequency = int(state[DOCUMENTS][0]), state[FREQUENCY].astype(np.int64)
        if documents < 0 or frequency.min() < 0 or frequency.max() > documents:
            raise CheckpointError(
                "the stored document frequencies are damaged", remedy="build the index again"
            )
        self._frequency, self._documents = frequency, documents


def _words(text: str) -> list[str]:
    words: list[str] = WORD.findall(unicodedata.normalize("NFKC", text).lower())
    return words


def _pairs(text: str) -> list[str]:
    return [f"{first} {second}" for first, second in pairwise(_words(text))]


def _weighed(counts: csr_matrix, rarity: NDArray[np.float64]) -> csr_matrix:
    size = 1.0 + np.log(np.abs(counts.data))
    counts.data = np.sign(counts.data) * size * rarity[counts.indices]
    return counts


def _bucket(text: str, dimension: int) -> int:
    """Where a text without any word stands, or one whose words cancel each other out."""
    from sklearn.utils import murmurhash3_32

    return int(murmurhash3_32(" ".join(text.split()), positive=True) % dimension)


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    waiting = iter(texts)
    while block := list(islice(waiting, BATCH)):
        yield block
