"""HNSW and IVF-PQ beside the exact search: recall, exact similarities, the same rule."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from index_tools import Numbers, built, circle, entry

from labelwright.errors import ConfigError, InputError
from retrieval import index_ann
from retrieval.index import Index
from retrieval.index_build import Plan, add_to_index
from retrieval.index_change import delete, rebuild
from retrieval.index_groups import Item

ROWS, DIMENSION = 10_400, 16
KINDS = {"hnsw": {"links": 8, "ef_construction": 40}, "ivfpq": {"lists": 40, "code_bytes": 4}}


def cloud(count: int, *, seed: int, name: str = "r") -> list[Item]:
    made = np.random.default_rng(seed).standard_normal((count, DIMENSION))
    return [
        entry(
            f"{name}{n}",
            " ".join(f"{x:.4f}" for x in row),
            "test" if n % 10 == 0 else "train",
            f"p{n // 20}",
        )
        for n, row in enumerate(made)
    ]


@pytest.fixture(scope="module", autouse=True)
def _always_approximate() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_ann, "_FEW", 0)
        yield


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cloud") / "index"
    built(folder, cloud(ROWS, seed=0), Numbers(DIMENSION), rows=8192)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def approximate(
    request: pytest.FixtureRequest, flat: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A rebuilt copy; copy it before changing it."""
    folder = tmp_path_factory.mktemp(request.param) / "index"
    shutil.copytree(flat, folder)
    rebuild(folder, request.param, KINDS[request.param])
    return folder


def test_recall_and_exact_similarities(flat: Path, approximate: Path) -> None:
    queries = Numbers(DIMENSION).texts([i.report.text for i in cloud(100, seed=1)])
    more = {"k": 10, "ids": [f"r{n}" for n in range(100)], "patients": ["p3"] * 100}
    exact = Index.open(flat).search(queries, **more)
    found = Index.open(approximate).search(queries, **more)
    hits = 0
    for one, other in zip(exact, found, strict=True):
        right = {n.id: n.similarity for n in one}
        assert len(other) == 10
        assert [n.similarity for n in other] == sorted((n.similarity for n in other), reverse=True)
        for neighbour in other:
            assert neighbour.patient != "p3"
            assert neighbour.split == "train"
            if neighbour.id in right:
                assert neighbour.similarity == right[neighbour.id]
                hits += 1
    assert hits / 1000 > 0.9


def test_a_query_with_few_allowed_reports_gets_them_all(approximate: Path) -> None:
    """None of the nearest are allowed: the exact search finds those that are."""
    index = Index.open(approximate)
    query = index.vector("r7")
    assert query is not None
    (found,) = index.search(query[None], k=5, ids=["r7"], patients=["p0"], most_similar=-0.5)
    assert len(found) == 5
    assert found[0].similarity < -0.5


def test_deleted_and_added_reports_count_at_once(approximate: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    shutil.copytree(approximate, folder)
    query = Index.open(folder).vector("r7")
    assert query is not None
    delete(folder, ["r7"])
    (found,) = Index.open(folder).search(query[None], k=3, ids=[None], patients=[None])
    assert "r7" not in {n.id for n in found}
    text = cloud(8, seed=0)[7].report.text
    again = [entry("again", text)]
    add_to_index(folder, lambda: again, Numbers(DIMENSION), Plan({"kind": "test"}))
    index = Index.open(folder)
    (found,) = index.search(query[None], k=3, ids=[None], patients=[None])
    assert (found[0].id, found[0].similarity) == ("again", 1.0)
    assert index.manifest.ann is not None


def test_a_damaged_file_is_told_and_can_be_rebuilt(approximate: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    shutil.copytree(approximate, folder)
    (path,) = folder.glob("ann-*.faiss")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    query = Index.open(folder).vector("r7")
    assert query is not None
    with pytest.raises(InputError, match=r"ann-\d+.faiss: .* has changed; give labelwright index"):
        Index.open(folder).search(query[None], k=1, ids=[None], patients=[None])
    path.unlink()
    with pytest.raises(InputError, match="is missing"):
        Index.open(folder)
    rebuild(folder)
    (found,) = Index.open(folder).search(query[None], k=1, ids=[None], patients=[None])
    assert found[0].id == "r7"


def test_back_to_flat(approximate: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    shutil.copytree(approximate, folder)
    assert rebuild(folder, "flat").parameters == {}
    assert not list(folder.glob("*.faiss"))


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("flat", {"links": 8}, "links does not apply to an index of kind flat"),
        ("hnsw", {"probes": 8}, "probes does not apply to an index of kind hnsw; its parameters"),
        ("hnsw", {"links": 0}, "links must be 1 or more"),
        ("tree", {}, "unknown kind tree; choose one of: flat, hnsw, ivfpq"),
        ("ivfpq", {}, "ivfpq needs 9,984 reports at least, and there are 3"),
    ],
)
def test_parameters_that_make_no_sense(
    tmp_path: Path, kind: str, parameters: dict[str, int], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        built(tmp_path / "index", circle(3), kind=kind, **parameters)


def test_codes_must_divide_the_vectors(flat: Path) -> None:
    with pytest.raises(ConfigError, match="codes of 5 bytes do not divide vectors of 16 numbers"):
        rebuild(flat, "ivfpq", {"code_bytes": 5})
    assert Index.open(flat).manifest.kind == "flat"
