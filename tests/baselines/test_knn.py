from __future__ import annotations

from pathlib import Path

import pytest
from neighbour_tools import PATIENTS, REPORTS, make_index, report

from baselines.knn import NearestNeighbours
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject
from retrieval.embedders import embedder_for
from retrieval.index import Index
from retrieval.index_build import Plan, build_index
from retrieval.index_shards import Entry


@pytest.fixture(scope="module")
def index_folder(tmp_path_factory: pytest.TempPathFactory, chexpert: LabelSet) -> Path:
    return make_index(tmp_path_factory.mktemp("index") / "idx", chexpert)


def test_neighbours_vote_with_their_similarity(index_folder: Path) -> None:
    index = Index.open(index_folder)
    query = report("x", REPORTS["b"], None)
    (result,) = NearestNeighbours(index, k=3).label_reports([query])
    assert isinstance(result, Prediction)
    vectors = index.embedder().texts([query.text])
    (found,) = index.search(vectors, k=3, ids=["x"], patients=[None])
    total = sum(n.similarity for n in found)
    positive = sum(
        n.similarity for n in found if (n.labels or {})["Pleural Effusion"] == "positive"
    )
    assert result.probs is not None
    given_ = result.probs["Pleural Effusion"]
    assert given_["positive"] == pytest.approx(positive / total, abs=2e-6)
    assert sum(given_.values()) == pytest.approx(1, abs=5e-6)
    assert result.labels["Pleural Effusion"] is Certainty.POSITIVE
    assert result.model == "knn-3"


def test_votes_obey_the_label_set(index_folder: Path, chexpert: LabelSet) -> None:
    knn = NearestNeighbours(Index.open(index_folder), k=4)
    for name, text in REPORTS.items():
        (result,) = knn.label_reports([report(name, text, PATIENTS[name])])
        assert isinstance(result, Prediction)
        assert not chexpert.contradictions(result.labels)


def test_voters_need_labels_and_a_split(tmp_path: Path, index_folder: Path) -> None:
    entries = [Entry(report("a", "Some text."), "train", None)]
    build_index(tmp_path / "bare", lambda: iter(entries), embedder_for("hashed"), Plan({}))
    with pytest.raises(ConfigError, match="labels that are choices"):
        NearestNeighbours(Index.open(tmp_path / "bare"), k=1)
    with pytest.raises(ConfigError, match="no split dev"):
        NearestNeighbours(Index.open(index_folder), k=1, split="dev")


def test_a_report_without_neighbours_is_a_reject(tmp_path: Path, chexpert: LabelSet) -> None:
    labels = dict.fromkeys(chexpert.names, Certainty.BLANK)
    entries = [Entry(report("a", "Some text."), "train", labels)]
    plan = Plan({}, label_set=chexpert)
    build_index(tmp_path / "one", lambda: iter(entries), embedder_for("hashed"), plan)
    knn = NearestNeighbours(Index.open(tmp_path / "one"), k=1)
    results = knn.label_reports([report("a", "Some text."), report("b", " ")])
    assert [r.reason for r in results if isinstance(r, Reject)] == [
        "no neighbour with labels",
        "the report is empty",
    ]
