"""The leakage rule against a brute-force oracle: what may be found is found, and nothing else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_tools import Numbers, built, circle, entry, ids

from retrieval import index_ann, index_search
from retrieval.index import Index, Neighbour
from retrieval.index_change import delete
from retrieval.leakage import NOBODY, digest, patient_digest, text_digest

VECTORS = ("1 0 0", "0 1 0", "3 4 0", "4 3 0", "1 1 1", "0 0 1", "-1 0 0", "3 4 0.001")
PATIENTS = st.sampled_from([None, "", "p1", " p1 ", "p2", "P1"])
SPLITS = st.sampled_from(["train", "test", "validation"])
TEXTS = st.builds(
    lambda vector, word: f"{vector} {word}",
    st.sampled_from(VECTORS),
    st.sampled_from(["effusion", "EFFUSION", "effusion  ", "edema", "cafe\u0301", "caf\u00e9"]),
)


@dataclass(frozen=True)
class Row:
    id: str
    text: str
    patient: str | None
    split: str
    deleted: bool


@dataclass(frozen=True)
class Asked:
    id: str | None
    patient: str | None
    text: str


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Row], list[Asked]]:
    names = draw(
        st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=14, unique=True)
    )
    rows = [
        Row(n, draw(TEXTS), draw(PATIENTS), draw(SPLITS), draw(st.integers(0, 4)) == 0)
        for n in names
    ]
    one = st.builds(Asked, st.sampled_from([None, *names, "stranger"]), PATIENTS, TEXTS)
    return rows, draw(st.lists(one, min_size=1, max_size=5))


def right(
    rows: list[Row], asked: Asked, k: int, split: str | None, limit: float | None, other: bool
) -> list[tuple[str, float]]:
    """The rule in plain words, row by row."""
    query = Numbers().texts([asked.text])[0].astype(np.float64)
    found = []
    for row in rows:
        similarity = round(float(np.dot(Numbers().texts([row.text])[0].astype(float), query)), 6)
        same_patient = (
            bool((asked.patient or "").strip())
            and (row.patient or "").strip() == (asked.patient or "").strip()
        )
        same_text = _plain(row.text) == _plain(asked.text)
        if row.deleted or row.id == asked.id or same_patient:
            continue
        if split is not None and row.split != split:
            continue
        if (limit is not None and similarity >= limit) or (other and same_text):
            continue
        found.append((row.id, similarity))
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:k]


def _plain(text: str) -> list[str]:
    return text.replace("e\u0301", "\u00e9").lower().split()


def whole(rows: list[Row], found: Neighbour) -> Neighbour:
    """What must be told of the row that was found."""
    row = next(row for row in rows if row.id == found.id)
    return Neighbour(
        id=row.id,
        similarity=found.similarity,
        patient=(row.patient or "").strip() or None,
        split=row.split,
        text=row.text,
        labels={"n": row.id},
    )


def prepared(folder: Path, rows: list[Row], kind: str) -> Index:
    items = [entry(r.id, r.text, r.split, r.patient, {"n": r.id}) for r in rows]
    built(folder, items, rows=3, kind=kind)
    if gone := [row.id for row in rows if row.deleted]:
        delete(folder, gone)
    return Index.open(folder)


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
@settings(max_examples=60, deadline=None)
@given(
    world=worlds(),
    choices=st.lists(
        st.tuples(
            st.integers(1, 6),
            st.sampled_from([None, "train", "test"]),
            st.sampled_from([None, 1.0, 0.98, 0.96, 0.5, -2.0]),
            st.booleans(),
        ),
        min_size=4,
        max_size=6,
    ),
)
def test_exactly_what_is_allowed_is_found(
    kind: str,
    world: tuple[list[Row], list[Asked]],
    choices: list[tuple[int, str | None, float | None, bool]],
) -> None:
    rows, asked = world
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)  # nobody will cut the power
        # so small that every border of blocks and every early choice is met
        patch.setattr(index_search, "BLOCK", 2)
        patch.setattr(index_search, "QUERIES", 2)
        patch.setattr(index_search, "_KEPT", 1)
        patch.setattr(index_ann, "_FEW", 0)
        patch.setattr(index_ann, "_SHARE", 0)
        index = prepared(Path(name) / "index", rows, kind)
        for k, split, limit, other in choices:
            if not any(split in (None, row.split) for row in rows if not row.deleted):
                continue  # refused, see test_retrieval_index.py
            found = index.search(
                Numbers().texts([one.text for one in asked]),
                k=k,
                ids=[one.id for one in asked],
                patients=[one.patient for one in asked],
                split=split,
                most_similar=limit,
                texts=[one.text for one in asked] if other else None,
            )
            for one, some in zip(asked, found, strict=True):
                wanted = right(rows, one, k, split, limit, other)
                assert [(n.id, n.similarity) for n in some] == wanted
                assert all(neighbour == whole(rows, neighbour) for neighbour in some)


def test_a_patient_with_most_of_the_reports_leaves_the_others(tmp_path: Path) -> None:
    items = [entry(f"a{n}", f"1 0 0 {n}", patient="big") for n in range(200)]
    items += [entry(f"b{n}", f"0 1 0 {n}", patient="small") for n in range(3)]
    index = built(tmp_path / "index", items, rows=64)
    query = Numbers().texts(["1 0 0"])
    (found,) = index.search(query, k=5, ids=["a0"], patients=["big"])
    assert ids(found) == ["b0", "b1", "b2"]


def test_equal_vectors_come_by_id_wherever_they_stand(tmp_path: Path) -> None:
    """5,000 reports of the same text, as normal ones are; ids in no order."""
    order = np.random.default_rng(0).permutation(5000)
    items = [entry(f"n{n:04d}", "1 2 3 normal") for n in order]
    index = built(tmp_path / "index", items, rows=700)
    (found,) = index.search(Numbers().texts(["1 2 3"]), k=4, ids=["n0001"], patients=[None])
    assert ids(found) == ["n0000", "n0002", "n0003", "n0004"]
    assert {one.similarity for one in found} == {1.0}


def test_no_limit_finds_a_copy_and_the_limit_does_not(tmp_path: Path) -> None:
    index = built(tmp_path / "index", circle(20))
    query = Numbers().texts(["1 0 0"])
    (near,) = index.search(query, k=1, ids=[None], patients=[None])
    assert (near[0].id, near[0].similarity) == ("r0", 1.0)
    (far,) = index.search(query, k=1, ids=[None], patients=[None], most_similar=0.98)
    # the angles are 1.5 / 19 apart; cos(3 * 1.5 / 19) is the first below 0.98
    assert (far[0].id, far[0].similarity) == ("r3", 0.972084)


def test_digests_are_the_same_on_every_machine() -> None:
    """BLAKE2b of eight bytes, little-endian, as ``b2sum -l 64`` prints them byte by byte."""
    assert digest("abc").to_bytes(8, "little").hex() == "d8bb14d833d59559"
    assert patient_digest(" p1\n") == patient_digest("p1") != patient_digest("p2")
    assert patient_digest("  ") == patient_digest(None) == NOBODY
    assert text_digest("Small  EFFUSION.\n") == text_digest("small effusion.")
    assert text_digest("small effusion") != text_digest("small effusion.")
