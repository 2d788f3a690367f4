"""The neighbours of reports in an index, by their text or by their image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import ConfigError
from labelwright.records import Report

if TYPE_CHECKING:
    from retrieval.embed import Embedder, ImageEmbedder
    from retrieval.index import Index, Neighbour
    from retrieval.index_sources import Images

Vector = NDArray[np.float32]


class Chosen(Protocol):
    """Which reports of an index are neighbours."""

    @property
    def k(self) -> int:
        """At most so many."""
        ...

    @property
    def split(self) -> str:
        """Of this split only."""
        ...

    @property
    def most_similar(self) -> float | None:
        """None that are at least as similar as this."""
        ...


class Finder:
    """Looks reports up in an index; a report that the index holds is not embedded again.

    Raises:
        ConfigError: similar images are asked for and the index's embedder reads none.
    """

    def __init__(self, index: Index, *, images: Images | None = None, device: str = "auto") -> None:
        self._index = index
        self._images = images
        self._device = device
        if images is not None:
            self._image_embedder()

    def find(self, reports: Sequence[Report], chosen: Chosen) -> list[list[Neighbour] | str]:
        """The neighbours of each report under the leakage rule, the most similar first.

        A reason stands in place of those of a report whose image cannot be read.
        """
        vectors = self._vectors(reports)
        able = [place for place, vector in enumerate(vectors) if not isinstance(vector, str)]
        results: list[list[Neighbour] | str] = [v if isinstance(v, str) else [] for v in vectors]
        if not able:
            return results
        found = self._index.search(
            np.stack([vector for vector in vectors if not isinstance(vector, str)]),
            k=chosen.k,
            ids=[reports[place].id for place in able],
            patients=[reports[place].patient for place in able],
            split=chosen.split,
            most_similar=chosen.most_similar,
        )
        for place, neighbours in zip(able, found, strict=True):
            results[place] = neighbours
        return results

    @cached_property
    def _embedder(self) -> Embedder:
        return self._index.embedder(self._device)

    def _image_embedder(self) -> ImageEmbedder:
        from retrieval.embed import ImageEmbedder

        if not isinstance(self._embedder, ImageEmbedder):
            raise ConfigError(
                f"the index's embedder {self._embedder.name} reads no images",
                remedy="leave --image-column out, or build the index with clip:MODEL",
            )
        return self._embedder

    def _vectors(self, reports: Sequence[Report]) -> list[Vector | str]:
        stored = [self._stored(report) for report in reports]
        new = [r for r, vector in zip(reports, stored, strict=True) if vector is None]
        made = iter(self._embedded(new) if new else ())
        return [next(made) if vector is None else vector for vector in stored]

    def _stored(self, report: Report) -> Vector | None:
        """The vector of a report that the index holds with the same text."""
        known = self._index.get(report.id)
        return self._index.vector(report.id) if known and known.text == report.text else None

    def _embedded(self, reports: Sequence[Report]) -> Sequence[Vector | str]:
        if self._images is None:
            return list(self._embedder.texts([report.text for report in reports]))
        paths = [self._images.of(report) for report in reports]
        read = [path for path in paths if not isinstance(path, str)]
        made = iter(self._image_embedder().images(read))
        return [path if isinstance(path, str) else next(made) for path in paths]
