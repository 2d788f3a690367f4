"""Text fields as vectors: why the cosine of centroids says little, and what says more.

Papers print, per field, the cosine between the centroids of two labelers' embedded values. Values
of one field resemble each other whoever wrote them, so that it is near 1 for answers that are all
wrong, as long as they are of the same sort. Beside it stand the mean cosine document by document,
and what that mean is over all pairs of *different* documents: a labeler that shuffled its answers
would reach the second, and the centroids would not move at all.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from eval.kinds.fields.agreement import LONG, pairs_of
from eval.kinds.fields.asked import Asked
from eval.kinds.fields.charts import Side, scatter
from eval.kinds.fields.counts import Document
from eval.kinds.fields.read import FieldComparison
from eval.kinds.fields.stated import sides
from eval.page.contents import Section
from eval.page.figures import Drawing, both_widths
from eval.page.tables import Column, Table, Value
from eval.stats.counts import Floats

EMBEDDER = "hashed"
"""Of :mod:`retrieval.embedders`: words and word pairs, the same on every machine."""
MOST_DOCUMENTS = 2_000
"""Documents whose texts are embedded; of more, a sample."""
MOST_POINTS = 600
LEAST_POINTS = 20
"""Fewer values make no picture."""
PERPLEXITY = 30
LONGEST = 5_000
"""Characters of a value that are embedded."""


@dataclass(frozen=True)
class Likeness:
    """Two sides on one text field.

    Attributes:
        documents: in which both state something.
        centroids: cosine of the mean vectors of all values of each.
        same: mean cosine of the two values of a document; ``shuffled``: of values of two
            different documents, over all such pairs; ``None`` where there are none.
    """

    documents: int
    centroids: float | None
    same: float | None
    shuffled: float | None


def likeness_of(one: Mapping[int, Floats], other: Mapping[int, Floats]) -> Likeness:
    """Compare two sides.

    Args:
        one, other: vectors of length one by document.
    """
    both = sorted(one.keys() & other.keys())
    centroids = None
    if one and other:
        a, b = (np.mean(list(each.values()), axis=0) for each in (one, other))
        size = float(np.linalg.norm(a) * np.linalg.norm(b))
        centroids = float(a @ b) / size if size else None
    if not both:
        return Likeness(0, centroids, None, None)
    left, right = (np.array([each[d] for d in both], dtype=np.float64) for each in (one, other))
    own = float((left * right).sum())
    every = float(left.sum(axis=0) @ right.sum(axis=0))
    n = len(both)
    shuffled = (every - own) / (n * (n - 1)) if n > 1 else None
    return Likeness(n, centroids, own / n, shuffled)


def text_section(comparison: FieldComparison, *, seed: int) -> Section | None:
    """Likeness of text fields and their map; ``None`` without text fields or a second side."""
    texts = [field for field in comparison.asked if field.type == "text"]
    who = sides(comparison)
    if not texts or len(who) < 2:
        return None
    places = _sample(len(comparison.ids), MOST_DOCUMENTS, seed)
    vectors = _vectors(texts, who, places)
    pairs = _pairs(comparison, list(who))
    rows: list[tuple[Value, ...]] = []
    numbers: dict[str, dict[str, object]] = {}
    for a, b in pairs:
        for field in texts:
            found = likeness_of(vectors[a, field.name], vectors[b, field.name])
            rows.append(
                (
                    f"{a.name} and {b.name}",
                    field.name,
                    found.documents,
                    found.centroids,
                    found.same,
                    found.shuffled,
                )
            )
            numbers.setdefault(f"{a.name} / {b.name}", {})[field.name] = {
                "documents": found.documents,
                "centroid_cosine": found.centroids,
                "document_cosine": found.same,
                "shuffled_cosine": found.shuffled,
            }
    drawing = _map(texts, who, vectors, seed)
    table = _table(rows, len(places), len(comparison.ids))
    long = len(rows) > LONG
    return Section(
        id="texts",
        title="Text fields as vectors",
        lead="The cosine of centroids compares all values of a field at once: near 1 says that "
        "both write the same sort of thing, not that either is right. The mean cosine of the two "
        "values of each document can tell; shuffled documents show what it is worth.",
        figures=() if drawing is None else (drawing,),
        tables=() if long else (table,),
        folded_tables=(table,) if long else (),
        numbers=numbers,
    )


def _table(rows: Sequence[tuple[Value, ...]], taken: int, documents: int) -> Table:
    some = "" if taken == documents else f" A sample of {taken:,} documents."
    return Table(
        name="text-likeness",
        title="Cosines of text values",
        columns=(
            Column("Between"),
            Column("Field"),
            Column("documents", "count"),
            Column("centroids", "score", group="Cosine"),
            Column("document by document", "score", group="Cosine"),
            Column("shuffled documents", "score", group="Cosine"),
        ),
        rows=tuple(rows),
        caption="Documents in which both state the field. Shuffled: mean over all pairs of "
        f"different documents. Vectors: {EMBEDDER} words and word pairs.{some}",
    )


def _pairs(comparison: FieldComparison, who: Sequence[Side]) -> list[tuple[Side, Side]]:
    """The gold with each labeler, then labelers with each other."""
    gold = [side for side in who if side.place is None]
    labelers = {side.name: side for side in who if side.place is not None}
    named = pairs_of(comparison.names)
    return [
        *((g, other) for g in gold for other in labelers.values()),
        *((labelers[a], labelers[b]) for a, b in named),
    ]


def _sample(size: int, most: int, seed: int) -> list[int]:
    """Places of documents, in order: all of them, or a sample."""
    if size <= most:
        return list(range(size))
    return sorted(random.Random(seed).sample(range(size), most))


Vectors = dict[tuple[Side, str], dict[int, Floats]]


def _vectors(
    texts: Sequence[Asked], who: Mapping[Side, Sequence[Document | None]], places: Sequence[int]
) -> Vectors:
    """Per side and field the vector of each document that states it; each text is embedded once."""
    words: dict[tuple[Side, str], dict[int, str]] = {}
    for side, said in who.items():
        for field in texts:
            here = words.setdefault((side, field.name), {})
            for place in places:
                document = said[place]
                value = None if document is None else document.get(field.name)
                text = "" if value is None else _words(field, value)
                if text:
                    here[place] = text
    order = sorted({text for each in words.values() for text in each.values()})
    if not order:
        return {key: {} for key in words}
    from retrieval.embedders import embedder_for

    rows = dict(zip(order, embedder_for(EMBEDDER).texts(order), strict=True))
    return {key: {place: rows[t] for place, t in each.items()} for key, each in words.items()}


def _words(field: Asked, value: object) -> str:
    from labelwright.tasks.fields.values import FieldValue

    if not isinstance(value, FieldValue):
        return ""
    said = (item.raw if item.value is None else str(item.value) for item in field.stated(value))
    return " ".join(" ".join(said).split())[:LONGEST]


def _map(
    texts: Sequence[Asked],
    who: Mapping[Side, Sequence[Document | None]],
    vectors: Vectors,
    seed: int,
) -> Drawing | None:
    """t-SNE of all values at once, the same documents for every side."""
    keys = [(side, field.name) for side in who for field in texts]
    documents = sorted({place for key in keys for place in vectors[key]})
    per_document = max(1, sum(len(vectors[key]) for key in keys) // max(1, len(documents)))
    kept = [documents[i] for i in _sample(len(documents), MOST_POINTS // per_document, seed)]
    points = [(side, vectors[side, n][place]) for side, n in keys for place in kept
              if place in vectors[side, n]]  # fmt: skip
    if len(points) < LEAST_POINTS:
        return None
    matrix = np.array([vector for _, vector in points], dtype=np.float64)
    if len(np.unique(matrix, axis=0)) < LEAST_POINTS:
        return None
    perplexity = min(PERPLEXITY, (len(points) - 1) // 3)
    flat = _flattened(matrix, perplexity, seed)
    low, high = flat.min(axis=0), flat.max(axis=0)
    flat = (flat - low) / np.where(high > low, high - low, 1.0)
    by_side: dict[Side, list[tuple[float, float]]] = {side: [] for side in who}
    for (side, _), (x, y) in zip(points, flat.tolist(), strict=True):
        by_side[side].append((x, y))
    return both_widths(
        partial(scatter, {side: found for side, found in by_side.items() if found}),
        caption=f"t-SNE of {len(points):,} values of the text fields in {len(kept):,} documents, "
        f"all sides together (seed {seed}, perplexity {perplexity}, scikit-learn): one panel per "
        "side, the same map in each. Distances between groups mean nothing, and another seed "
        "gives another picture.",
    )


def _flattened(matrix: Floats, perplexity: int, seed: int) -> Floats:
    from sklearn.manifold import TSNE

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        made = TSNE(
            n_components=2,
            perplexity=perplexity,
            init="pca",
            learning_rate="auto",
            random_state=seed,
        )
        found: Floats = made.fit_transform(matrix)
    return found
