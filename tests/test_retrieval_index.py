"""An index built, opened and asked: what is stored is found again, in the right order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from labelwright.records import Reject, Report
from retrieval.embed import embedder_for
from retrieval.index import Index
from retrieval.index_build import Plan, build_index
from retrieval.index_groups import Item
from retrieval.index_shards import Entry


def some() -> Iterator[Item]:
    for n in range(50):
        text = f"Small effusion number {n} on the left."
        report = Report(f"r{n}", text, "x.csv", n + 1, patient=f"p{n // 2}")
        yield Entry(report, "train" if n % 5 else "test", {"Pleural Effusion": "positive"})
    yield Reject("q", "x.csv", 51, "the report has no text")


def test_what_is_stored_is_found(tmp_path: Path) -> None:
    built = build_index(
        tmp_path / "index", some, embedder_for("hashed"), Plan({"kind": "files"}, shard_rows=16)
    )
    assert built.counts == {"in": 51, "indexed": 50, "rejected": 1, "deleted": 0}
    index = Index.open(tmp_path / "index")
    vectors = index.embedder().texts(["Small effusion number 7 on the left."])
    (found,) = index.search(vectors, k=5, ids=["r7"], patients=["p3"])
    assert len(found) == 5
    assert all(n.patient != "p3" and n.split == "train" for n in found)
    seven = index.get("r7")
    assert seven is not None
    assert seven.text == "Small effusion number 7 on the left."
    assert seven.labels == {"Pleural Effusion": "positive"}
    assert index.split_of("r5") == "test"
    assert index.get("r77") is None
