"""An index of report vectors on disk: open it, ask for similar reports, look one up.

>>> from pathlib import Path
>>> from retrieval.index import Index
>>> index = Index.open(Path("index"))  # doctest: +SKIP
>>> vectors = index.embedder().texts(["Small left effusion."])  # doctest: +SKIP
>>> index.search(vectors, k=5, ids=[None], patients=[None])  # doctest: +SKIP
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import CheckpointError, ConfigError, InputError
from labelwright.label_set import LabelSet
from retrieval.index_ann import Approximate
from retrieval.index_files import LABEL_SET, Manifest, check_sizes, damaged
from retrieval.index_search import Found, Vectors, exact
from retrieval.index_shards import DIGESTS, OpenShard, open_shard
from retrieval.leakage import Query, Rows

if TYPE_CHECKING:
    from retrieval.embed import Embedder

TRAIN = "train"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A report of the index.

    Attributes:
        similarity: inner product with the query's vector, rounded to six decimals; 1 when
            looked up by id.
        labels: as stored: ``{observation: certainty}``; ``None`` without labels.
    """

    id: str
    similarity: float
    patient: str | None
    split: str
    text: str
    labels: Mapping[str, Any] | None


class Index:
    """An open index. Its files are mapped, not read; later changes to the folder are not seen."""

    def __init__(self, path: Path, manifest: Manifest, shards: Sequence[OpenShard]) -> None:
        """Use :meth:`open`."""
        self.path = path
        self.manifest = manifest
        self.dimension = manifest.dimension
        self.embedder_facts: Mapping[str, Any] = manifest.embedder
        self.splits: Mapping[str, int] = manifest.splits
        self.fingerprint = manifest.fingerprint
        self.shards = shards
        self._ends = np.cumsum([len(shard.vectors) for shard in shards])
        self.vectors = Vectors([shard.vectors for shard in shards], self.ids_of)

    @classmethod
    def open(cls, path: Path, *, only_rows: bool = False) -> Index:
        """Open the index of a folder.

        Args:
            only_rows: pass over the file of an approximate search, and search exactly.

        Raises:
            InputError: there is none, it is of another version, or a file is damaged.
        """
        folder = Path(path)
        manifest = Manifest.read(folder)
        while True:
            needed = replace(manifest, ann=None) if only_rows else manifest
            try:
                check_sizes(folder, needed)
                return cls(folder, needed, open_shards(folder, needed))
            except InputError:
                before, manifest = manifest, Manifest.read(folder)
                if before.generation == manifest.generation:
                    raise  # else the files were replaced while they were opened

    @property
    def rows(self) -> int:
        """Rows that can be found: deleted ones do not count."""
        return int(self.manifest.counts["indexed"])

    @cached_property
    def label_set(self) -> LabelSet | None:
        """The label set of the labels; ``None`` if the index has none.

        Raises:
            InputError: the file is not the one that the index was built with.
        """
        if not self.manifest.label_set:
            return None
        path = self.path / LABEL_SET
        if not path.is_file():
            raise damaged(path, "is missing")
        found = LabelSet.from_text(path.read_text(encoding="utf-8"), path)
        if found.fingerprint != self.manifest.label_set["sha256"]:
            raise damaged(path, "has changed")
        return found

    def embedder(self, device: str = "auto", *, name: str | None = None) -> Embedder:
        """The embedder that the index was built with.

        Args:
            name: what it goes by now, where its folder has moved.

        Raises:
            CheckpointError: what goes by its name now makes other vectors.
            MissingExtraError: its package is not installed.
        """
        from safetensors.numpy import load_file

        from retrieval.embedders import embedder_for

        stored = self.manifest.state
        state = None if stored is None else load_file(self.path / stored.name)
        made = embedder_for(name or str(self.embedder_facts["name"]), device=device, state=state)
        self.check(made)
        return made

    def check(self, embedder: Embedder) -> None:
        """Refuse an embedder whose vectors are not those of the index.

        Raises:
            CheckpointError: it differs in dimension or in what its vectors depend on.
        """
        from retrieval.embed import differences

        facts = json.loads(json.dumps(dict(embedder.describe())))
        differ = differences(facts, self.embedder_facts)
        if embedder.dimension != self.dimension:
            differ.insert(0, f"dimension {embedder.dimension} instead of {self.dimension}")
        if differ:
            raise CheckpointError(
                f"the embedder {embedder.name} is not the one that the index was built with "
                f"(different: {', '.join(differ)})",
                remedy="restore that one, or build the index again",
                source=self.path,
            )

    def search(
        self,
        vectors: NDArray[np.float32],
        *,
        k: int,
        ids: Sequence[str | None],
        patients: Sequence[str | None],
        split: str | None = TRAIN,
        most_similar: float | None = None,
        texts: Sequence[str] | None = None,
    ) -> list[list[Neighbour]]:
        """The most similar reports that each query may be shown, most similar first, ties by id.

        Never found: the query's own id, reports of its patient, of another split, deleted
        ones. A flat index gives ``k`` wherever ``k`` are allowed.

        Args:
            vectors: one unit vector per query.
            ids: the report's own id per query; for a variant of a report, that report's id.
            patients: ``None`` where unknown: then only the id bars anything.
            split: ``None`` searches all splits.
            most_similar: leaves out reports whose similarity is this or more.
            texts: leaves out reports with the query's text, apart from case and white space.

        Raises:
            ConfigError: ``k`` below 1, or vectors of another dimension or with NaN in them.
            InputError: the index is empty, or has no report of the split.
        """
        asked = self._checked(vectors, k, ids, patients, split)
        words: Sequence[str | None] = [None] * len(asked) if texts is None else texts
        queries = [Query(*parts) for parts in zip(ids, patients, words, strict=True)]
        barred = [self._facts.barred(query) for query in queries]
        allowed = self._facts.allowed(split)
        found = self._found(asked, k, allowed, barred, most_similar)
        made = iter(self._neighbours([pair for pairs in found for pair in pairs]))
        return [list(islice(made, len(pairs))) for pairs in found]

    def get(self, identifier: str) -> Neighbour | None:
        """The report with this id, or ``None``."""
        row = self.row_of(identifier)
        return None if row is None else self._neighbours([(row, 1.0)])[0]

    def split_of(self, identifier: str) -> str | None:
        """The split of the report with this id, or ``None`` if the index does not hold it."""
        row = self.row_of(identifier)
        return None if row is None else str(self._cells(np.array([row]), ["split"])[0]["split"])

    def row_of(self, identifier: str) -> int | None:
        """The row of the report with this id, or ``None``."""
        rows = self._facts.with_id(identifier)
        found = zip(rows.tolist(), self.ids_of(rows), strict=True)
        return next((row for row, name in found if name == identifier), None)

    def vector(self, identifier: str) -> NDArray[np.float32] | None:
        """The stored vector of the report with this id, or ``None``."""
        row = self.row_of(identifier)
        return None if row is None else self.vectors.take(np.array([row]))[0]

    def ids_of(self, rows: NDArray[np.int64]) -> list[str]:
        """The ids of some rows."""
        return [str(cells["id"]) for cells in self._cells(rows, ["id"])]

    def _found(
        self,
        queries: NDArray[np.float32],
        k: int,
        allowed: NDArray[np.bool_],
        barred: Sequence[NDArray[np.int64]],
        most_similar: float | None,
    ) -> list[Found]:
        search = partial(exact if self._ann is None else self._ann.search, self.vectors)
        return search(queries, k=k, allowed=allowed, barred=barred, most_similar=most_similar)

    @cached_property
    def _ann(self) -> Approximate | None:
        return Approximate.open(self.path, self.manifest)

    def _checked(
        self,
        vectors: NDArray[np.float32],
        k: int,
        ids: Sequence[str | None],
        patients: Sequence[str | None],
        split: str | None,
    ) -> NDArray[np.float32]:
        asked = np.asarray(vectors, dtype=np.float32)
        if k < 1:
            raise ConfigError("k must be at least 1", remedy="ask for one report or more")
        if asked.ndim != 2 or asked.shape[1] != self.dimension:
            raise ConfigError(
                f"the query vectors have the shape {asked.shape}, those of the index "
                f"{self.dimension} dimensions",
                remedy="use the embedder that the index was built with",
            )
        if not len(asked) == len(ids) == len(patients):
            raise ValueError("vectors, ids and patients differ in number")
        if not np.isfinite(asked).all():
            raise ConfigError("a query vector holds NaN or infinity", remedy="check the embedder")
        if not self.rows:
            raise InputError("the index is empty", remedy="add reports to it", source=self.path)
        if split is not None and not self.splits.get(split):
            raise InputError(
                f"the index has no report of the split {split}",
                remedy=f"splits in it: {', '.join(n for n, c in self.splits.items() if c)}",
                source=self.path,
            )
        return asked

    @cached_property
    def _facts(self) -> Rows:
        ids, patients, texts = (
            np.concatenate([shard.table[name].to_numpy() for shard in self.shards])
            for name in DIGESTS
        )
        live = np.concatenate([shard.table["id"].is_valid().to_numpy() for shard in self.shards])
        names = sorted(self.splits)
        return Rows(ids, patients, texts, self._split_codes(names), names, live)

    def _split_codes(self, names: Sequence[str]) -> NDArray[np.int16]:
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = pa.array(names, pa.string())
        codes = [pc.index_in(shard.table["split"], wanted) for shard in self.shards]
        return np.concatenate([pc.fill_null(c, -1).to_numpy() for c in codes]).astype(np.int16)

    def _neighbours(self, found: Found) -> list[Neighbour]:
        rows = np.array([row for row, _ in found], np.int64)
        cells = self._cells(rows, ["id", "patient", "split", "text", "labels"])
        return [
            Neighbour(
                similarity=similarity,
                **{**one, "labels": None if one["labels"] is None else json.loads(one["labels"])},
            )
            for (_, similarity), one in zip(found, cells, strict=True)
        ]

    def _cells(self, rows: NDArray[np.int64], columns: list[str]) -> list[dict[str, Any]]:
        """Cells of some rows, in their order; what is read of a shard is read together."""
        made: list[dict[str, Any]] = [{}] * len(rows)
        where = np.searchsorted(self._ends, rows, "right")
        for number in np.unique(where).tolist():
            mine = np.flatnonzero(where == number)
            table = self.shards[number].table.select(columns)
            places = rows[mine] - (self._ends[number] - table.num_rows)
            for place, cells in zip(mine.tolist(), table.take(places).to_pylist(), strict=True):
                made[place] = cells
        return made


def open_shards(folder: Path, manifest: Manifest) -> list[OpenShard]:
    """Map all shards that count.

    Raises:
        InputError: one is damaged.
    """
    return [open_shard(folder, shard, manifest.dimension) for shard in manifest.shards]
