"""Adding, deleting and rebuilding: what counts afterwards, what a kill leaves, what is gone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from index_tools import Numbers, built, circle, entry, ids, source_of

from labelwright.errors import CheckpointError, InputError, OutputError
from labelwright.label_set import LabelSet
from retrieval import index_change
from retrieval.embedders import embedder_for
from retrieval.index import Index
from retrieval.index_build import Plan, add_to_index
from retrieval.index_change import delete, rebuild
from retrieval.index_files import verify
from retrieval.index_groups import Item

CANARY = "kestrel-0417"


def add(folder: Path, items: Sequence[Item], embedder: Any | None = None) -> Index:
    add_to_index(folder, lambda: iter(items), embedder or Numbers(), Plan(source_of(items)))
    return Index.open(folder)


def near(index: Index, text: str, k: int = 3, **more: Any) -> list[str]:
    (found,) = index.search(Numbers().texts([text]), k=k, ids=[None], patients=[None], **more)
    return ids(found)


def test_added_reports_are_found_beside_the_others(tmp_path: Path) -> None:
    before = built(tmp_path / "index", circle(6))
    index = add(tmp_path / "index", [entry("new", "1 0 0", patient="p9"), *circle(2)])
    assert near(index, "1 0 0") == ["new", "r0", "r1"]
    assert index.manifest.counts == {"in": 9, "indexed": 7, "rejected": 2, "deleted": 0}
    assert index.fingerprint != before.fingerprint
    rejects = (tmp_path / "index" / "rejects.jsonl").read_text()
    assert rejects.count("the index already holds a report of this id") == 2
    assert ids([before.get("r0"), index.get("new")]) == ["r0", "new"]


def test_the_same_addition_again_changes_nothing(tmp_path: Path) -> None:
    built(tmp_path / "index", circle(6))
    once = add(tmp_path / "index", [entry("new", "1 0 0")])
    assert add(tmp_path / "index", [entry("new", "1 0 0")]).fingerprint == once.fingerprint


def test_an_addition_that_stopped_goes_on_or_is_dropped(tmp_path: Path) -> None:
    class Stopped(Numbers):
        def texts(self, texts: Sequence[str]) -> Any:
            if self.asked:
                raise KeyboardInterrupt
            return super().texts(texts)

    folder = tmp_path / "index"
    before = built(folder, circle(6))
    more = [entry(f"new{n}", f"0 1 {n}") for n in range(9)]
    with pytest.raises(KeyboardInterrupt):
        add(folder, more, Stopped())
    assert Index.open(folder).fingerprint == before.fingerprint
    with pytest.raises(OutputError, match=r"drop it with labelwright index rebuild"):
        add(folder, [entry("other", "1 0 0")])
    with pytest.raises(OutputError, match="an unfinished addition"):
        delete(folder, ["r0"])
    numbers = Numbers()
    assert add(folder, more, numbers).rows == 15
    assert len(numbers.asked) == 5  # the first four were stored
    with pytest.raises(KeyboardInterrupt):
        add(folder, [entry(f"x{n}", "1 1 1") for n in range(9)], Stopped())
    rebuild(folder)
    assert Index.open(folder).rows == 15
    assert add(folder, [entry("other", "1 0 0")]).rows == 16


def test_what_cannot_be_added_is_refused(tmp_path: Path, chexpert: LabelSet) -> None:
    folder = tmp_path / "index"
    built(folder, circle(6))
    with pytest.raises(InputError, match="none of 2 rows can be added"):
        add(folder, circle(2))
    with pytest.raises(CheckpointError, match="dimension 2 instead of 3"):
        add(folder, [entry("x", "1 0")], Numbers(2))
    with pytest.raises(CheckpointError, match="not the one that the index was built with"):
        add(folder, [entry("x", "1 0")], embedder_for("hashed"))
    plan = Plan({"kind": "test"}, chexpert)
    with pytest.raises(InputError, match="was built without labels"):
        add_to_index(folder, lambda: circle(2), Numbers(), plan)
    assert Index.open(folder).manifest.generation == 1


def test_deleted_reports_are_gone_with_their_texts(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    items = [*circle(6), entry("gone", f"1 0 0 {CANARY}", "test", "p7", {"Edema": "positive"})]
    before = built(folder, items)
    index_change.delete(folder, ["gone", "r1"])
    index = Index.open(folder)
    assert near(index, "1 0 0", split=None) == ["r0", "r2", "r3"]
    assert (index.get("gone"), index.get("r1"), index.split_of("gone")) == (None, None, None)
    assert index.manifest.counts == {"in": 7, "indexed": 5, "rejected": 0, "deleted": 2}
    assert dict(index.splits) == {"test": 0, "train": 5}
    assert index.fingerprint != before.fingerprint
    verify(folder, index.manifest)
    for path in folder.iterdir():
        assert CANARY.encode() not in path.read_bytes(), path.name
    with pytest.raises(InputError, match="no report of the split test; splits in it: train"):
        near(index, "1 0 0", split="test")


def test_unknown_ids_delete_nothing(tmp_path: Path) -> None:
    built(tmp_path / "index", circle(6))
    with pytest.raises(InputError, match=r"no report a, b, c, … \(4 of 5 ids\).* nothing was del"):
        delete(tmp_path / "index", ["r0", "a", "b", "c", "d"])
    assert Index.open(tmp_path / "index").rows == 6


def test_an_emptied_index_says_so_and_can_be_filled(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    built(folder, circle(6))
    delete(folder, [f"r{n}" for n in range(6)])
    for step in (lambda: None, lambda: rebuild(folder)):
        step()
        with pytest.raises(InputError, match="the index is empty"):
            near(Index.open(folder), "1 0 0")
        assert Index.open(folder).get("r0") is None
    index = add(folder, circle(2))
    assert near(index, "1 0 0") == ["r0", "r1"]
    assert index.manifest.counts == {"in": 8, "indexed": 2, "rejected": 0, "deleted": 6}


def test_a_rebuilt_index_answers_the_same_in_less_space(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    built(folder, circle(12))
    delete(folder, ["r1", "r4", "r5", "r6", "r7"])
    before = Index.open(folder)
    wanted = near(before, "1 0 0", 20)
    rebuild(folder)
    after = Index.open(folder)
    assert near(after, "1 0 0", 20) == wanted
    assert after.manifest.counts == before.manifest.counts
    assert (before.manifest.rows, after.manifest.rows) == (12, 7)
    named = {file.name for file in after.manifest.files}
    assert {p.name for p in folder.iterdir()} == named | {"manifest.json", "rejects.jsonl"}


def test_a_reader_keeps_what_it_opened(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    before = built(folder, circle(6))
    delete(folder, ["r0"])
    rebuild(folder)
    assert near(before, "1 0 0") == ["r0", "r1", "r2"]
    assert near(Index.open(folder), "1 0 0") == ["r1", "r2", "r3"]


def test_a_change_that_was_killed_before_its_manifest_did_not_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "index"
    before = built(folder, circle(6))
    with monkeypatch.context() as patch:
        patch.setattr(index_change, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            delete(folder, ["r0"])
    assert Index.open(folder).fingerprint == before.fingerprint
    assert near(Index.open(folder), "1 0 0") == ["r0", "r1", "r2"]
    delete(folder, ["r1"])
    assert near(Index.open(folder), "1 0 0") == ["r0", "r2", "r3"]
    named = {file.name for file in Index.open(folder).manifest.files}
    assert {p.name for p in folder.iterdir()} == named | {"manifest.json", "rejects.jsonl"}


class Changes(RuleBasedStateMachine):
    """Any order of changes, beside a dict that says what must be there."""

    names = st.sampled_from([f"n{n}" for n in range(8)])

    @initialize(kind=st.sampled_from(["flat", "hnsw"]))
    def start(self, kind: str) -> None:
        self.folder = Path(mkdtemp()) / "index"
        self.held, self.count = {"first": "1 0 0"}, 0
        built(self.folder, [entry("first", "1 0 0")], rows=2, kind=kind)

    @rule(name=names, x=st.integers(1, 9), y=st.integers(0, 9))
    def put(self, name: str, x: int, y: int) -> None:
        items = [entry(name, f"{x} {y} 0"), entry(f"{name}b", f"{y} {x} 1")]
        items.append(entry(f"number {self.count}", f"{x} 1 {y}"))  # never the same addition
        self.count += 1
        fresh = {i.report.id: i.report.text for i in items if i.report.id not in self.held}
        add(self.folder, items)
        self.held |= fresh

    @rule(data=st.data())
    def drop(self, data: Any) -> None:
        if self.held:
            name = data.draw(st.sampled_from(sorted(self.held)))
            delete(self.folder, [name])
            del self.held[name]

    @rule()
    def renew(self) -> None:
        rebuild(self.folder)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder.parent)

    @invariant()
    def holds_what_it_should(self) -> None:
        if not hasattr(self, "folder"):
            return
        index = Index.open(self.folder)
        counts = index.manifest.counts
        assert index.rows == len(self.held)
        assert counts["in"] == counts["indexed"] + counts["rejected"] + counts["deleted"]
        for name, text in self.held.items():
            found = index.get(name)
            assert found is not None
            assert found.text == text
        if self.held:
            assert set(near(index, "1 1 1", 30)) == set(self.held)


Changes.TestCase.settings = settings(max_examples=5, stateful_step_count=8, deadline=None)
TestChanges = Changes.TestCase
