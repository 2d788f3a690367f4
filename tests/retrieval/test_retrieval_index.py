"""An index on disk: what it holds, how a build goes on after a stop, what damage is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from index_tools import Numbers, built, circle, entry, ids, source_of
from numpy.typing import NDArray

from labelwright.errors import CheckpointError, ConfigError, InputError, OutputError
from labelwright.label_set import LabelSet
from labelwright.records import Reject
from retrieval import index as module
from retrieval.embedders import embedder_for
from retrieval.index import Index
from retrieval.index_build import Plan, build_index
from retrieval.index_change import delete
from retrieval.index_files import Manifest, verify

CANARY = "kestrel-0417"


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    items = [
        entry("a", "1 0 0 small\neffusion", "train", " p1 ", {"Edema": "positive"}),
        Reject("b", "x.csv", 2, "the report has no text"),
        entry("c", "0 1 0 Ödem 肺", "test"),
    ]
    index = built(tmp_path / "index", items)
    a, c = index.get("a"), index.get("c")
    assert a is not None
    assert c is not None
    assert (a.patient, a.split, a.text, a.labels) == (
        "p1",
        "train",
        "1 0 0 small\neffusion",
        {"Edema": "positive"},
    )
    assert (c.patient, c.text, c.labels) == (None, "0 1 0 Ödem 肺", None)
    assert index.get("b") is None
    assert [index.split_of(name) for name in "abc"] == ["train", None, "test"]
    assert (index.rows, index.dimension, dict(index.splits)) == (2, 3, {"test": 1, "train": 1})
    assert index.manifest.counts == {"in": 3, "indexed": 2, "rejected": 1, "deleted": 0}
    assert index.manifest.patients_unknown == 1
    vector = index.vector("c")
    assert vector is not None
    assert vector.tolist() == [0, 1, 0]
    (line,) = (tmp_path / "index" / "rejects.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "id": "b",
        "source": "x.csv",
        "row": 2,
        "reason": "the report has no text",
    }


def test_equal_texts_are_embedded_once(tmp_path: Path) -> None:
    numbers = Numbers()
    built(tmp_path / "index", [entry(f"r{n}", "1 2 3 normal") for n in range(4)], numbers)
    assert numbers.asked == ["1 2 3 normal"]


def test_the_label_set_comes_along(tmp_path: Path, chexpert: LabelSet) -> None:
    plan = Plan({"kind": "test"}, chexpert)
    build_index(tmp_path / "index", lambda: circle(3), Numbers(), plan)
    assert Index.open(tmp_path / "index").label_set == chexpert
    (tmp_path / "index" / "label_set.yaml").write_text(chexpert.text + "# more\n")
    with pytest.raises(InputError, match="has changed"):
        _ = Index.open(tmp_path / "index").label_set


def test_the_embedder_comes_back_as_it_was(tmp_path: Path) -> None:
    """``hashed`` learned how rare each word is; without that its vectors are others."""
    items = [entry(f"r{n}", f"The lungs are clear, series {n}.") for n in range(9)]
    index = built(tmp_path / "index", items, embedder_for("hashed:64"))
    made = index.embedder().texts(["The lungs are clear, series 4."])
    vector = index.vector("r4")
    assert vector is not None
    np.testing.assert_array_equal(made[0], vector)
    with pytest.raises(CheckpointError, match="different: documents, state_sha256"):
        index.check(embedder_for("hashed:64"))
    with pytest.raises(CheckpointError, match="dimension 32 instead of 64"):
        index.check(embedder_for("hashed:32"))


def test_a_folder_changed_while_it_is_opened_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(tmp_path / "index", circle(6))
    check = module.check_sizes

    def late(folder: Path, manifest: Manifest) -> None:
        monkeypatch.setattr(module, "check_sizes", check)
        delete(folder, ["r0"])
        check(folder, manifest)

    monkeypatch.setattr(module, "check_sizes", late)
    index = Index.open(tmp_path / "index")
    assert (index.manifest.generation, index.get("r0")) == (2, None)


class Stopped(Numbers):
    """Stops in the group whose first report is ``at``."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if texts[0].endswith(f"report {self.at}"):
            raise KeyboardInterrupt
        return super().texts(texts)


def test_no_id_stands_twice(tmp_path: Path) -> None:
    """Two splits of a folder that somebody edited: the second use is a reject, resumed or not."""
    items = [entry("a", "1 0 0"), entry("b", "0 1 0 report b"), entry("a", "0 0 1", "test")]
    with pytest.raises(KeyboardInterrupt):
        built(tmp_path / "index", items, Stopped("b"), rows=1)
    index = built(tmp_path / "index", items, rows=1)
    assert (index.rows, index.split_of("a")) == (2, "train")
    assert '"duplicate id"' in (tmp_path / "index" / "rejects.jsonl").read_text()


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "manifest.json"}


def test_a_stopped_build_goes_on(tmp_path: Path) -> None:
    items = [*circle(10), Reject("x", "x.csv", 11, "no text"), *circle(12)[10:]]
    whole = built(tmp_path / "whole", items)
    with pytest.raises(KeyboardInterrupt):
        built(tmp_path / "index", items, Stopped("8"))
    with pytest.raises(InputError, match="not finished"):
        Index.open(tmp_path / "index")
    with pytest.raises(OutputError, match="other reports or settings"):
        built(tmp_path / "index", circle(11))
    numbers = Numbers()
    again = built(tmp_path / "index", items, numbers, rows=7)
    assert [text.split()[-1] for text in numbers.asked] == ["8", "9", "10", "11"]
    assert again.manifest.counts == whole.manifest.counts
    assert contents(tmp_path / "index") == contents(tmp_path / "whole")
    assert again.fingerprint == whole.fingerprint
    assert built(tmp_path / "index", items, Stopped("0")).fingerprint == whole.fingerprint


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from index_tools import Numbers, built, circle
from retrieval import index_shards
at = int(sys.argv[3])
write = index_shards.write_table
def table(path, made):
    if path.name == f"{at:08d}.arrow":
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, made)
index_shards.write_table = table
built(Path(sys.argv[2]), circle(12))
"""


def test_a_killed_build_goes_on(tmp_path: Path) -> None:
    """Between a shard's vectors and its table, the worst moment."""
    helpers = str(Path(__file__).parents[1] / "helpers")
    words = [sys.executable, "-c", KILLED, helpers, str(tmp_path / "index"), "1"]
    killed = subprocess.run(words, check=False, env={**os.environ, "PYTHONPATH": "."})
    assert killed.returncode == -signal.SIGKILL
    assert {p.name for p in (tmp_path / "index").iterdir()} >= {"job.json", "00000001.npy"}
    numbers = Numbers()
    built(tmp_path / "index", circle(12), numbers)
    built(tmp_path / "whole", circle(12))
    assert len(numbers.asked) == 8
    assert contents(tmp_path / "index") == contents(tmp_path / "whole")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id\n")
    with pytest.raises(OutputError, match=r"holds no index \(labels.csv\)"):
        built(tmp_path, circle(3))
    built(tmp_path / "index", circle(3))
    with pytest.raises(OutputError, match="an index of other reports or settings"):
        built(tmp_path / "index", circle(4))
    with pytest.raises(OutputError, match="an index of other reports or settings"):
        built(tmp_path / "index", circle(3), kind="hnsw")


def test_nothing_to_index_is_an_error_and_can_be_mended(tmp_path: Path) -> None:
    rejects = [Reject("a", "x.csv", 1, "the report has no text")]
    plan = Plan(source_of(rejects))
    with pytest.raises(InputError, match="none of 1 row can be indexed"):
        build_index(tmp_path / "index", lambda: rejects, Numbers(), plan)
    assert "has no text" in (tmp_path / "index" / "rejects.jsonl").read_text()
    assert built(tmp_path / "index", circle(3)).rows == 3
    assert (tmp_path / "index" / "rejects.jsonl").read_text() == ""


def test_private_files_and_no_text_in_the_others(tmp_path: Path) -> None:
    items = [
        entry("a", f"1 0 0 {CANARY}", patient="p1", labels={"Edema": "positive"}),
        Reject("b", "x.csv", 2, "the report has no text"),
    ]
    built(tmp_path / "index", items, rows=1)
    for path in (tmp_path / "index").iterdir():
        public = path.name in {"manifest.json", "label_set.yaml"}
        assert path.stat().st_mode & 0o777 == (0o644 if public else 0o600), path.name
        if path.suffix != ".arrow":
            assert CANARY.encode() not in path.read_bytes(), path.name
    assert not [p.name for p in (tmp_path / "index").iterdir() if p.name.startswith(".")]


def swap_vectors(folder: Path) -> None:
    np.save(folder / "00000001.npy", np.zeros((4, 3), np.float64)[:, :2])


def cut(folder: Path) -> None:
    path = folder / "00000001.arrow"
    path.write_bytes(path.read_bytes()[:-8])


def tear(folder: Path) -> None:
    """The same size, another content: only its SHA-256 tells."""
    path = folder / "00000001.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: (f / "00000001.arrow").unlink(), r"00000001.arrow: .* is missing"),
        (cut, r"00000001.arrow: .* bytes instead of"),
        (swap_vectors, r"00000001.npy: .* bytes instead of"),
        (tear, r"00000001.npy: .* has changed"),
        (lambda f: (f / "manifest.json").write_text("{"), "not that of an index"),
        (lambda f: (f / "manifest.json").unlink(), "not an index folder"),
    ],
)
def test_damage_is_told(tmp_path: Path, harm: Any, message: str) -> None:
    built(tmp_path / "index", circle(8))
    harm(tmp_path / "index")
    with pytest.raises(InputError, match=message):
        verify(tmp_path / "index", Index.open(tmp_path / "index").manifest)


def test_an_index_of_another_version_is_told(tmp_path: Path) -> None:
    built(tmp_path / "index", circle(3))
    path = tmp_path / "index" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(InputError, match=r"format 99; this version reads 1; build .* again"):
        Index.open(tmp_path / "index")
    with pytest.raises(InputError, match="no such index folder"):
        Manifest.read(tmp_path / "nowhere")


def test_queries_that_cannot_be_answered(tmp_path: Path) -> None:
    index = built(tmp_path / "index", circle(3))
    one: dict[str, Any] = {"ids": [None], "patients": [None]}
    query = Numbers().texts(["1 0 0"])
    with pytest.raises(ConfigError, match="k must be at least 1"):
        index.search(query, k=0, **one)
    with pytest.raises(ConfigError, match=r"\(1, 2\), those of the index 3 dimensions"):
        index.search(query[:, :2], k=1, **one)
    with pytest.raises(ConfigError, match="NaN"):
        index.search(query * np.float32(np.nan), k=1, **one)
    with pytest.raises(InputError, match="no report of the split test; splits in it: train"):
        index.search(query, k=1, split="test", **one)
    with pytest.raises(ValueError, match="differ in number"):
        index.search(query, k=1, ids=[], patients=[None])
    assert index.search(query[:0], k=1, ids=[], patients=[]) == []
    (found,) = index.search(query, k=9, **one)
    assert ids(found) == ["r0", "r1", "r2"]
