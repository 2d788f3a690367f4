"""Embedders by name, and the one that needs no model: hashed words and word pairs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import REPORTS
from hypothesis import given, settings
from hypothesis import strategies as st

from labelwright.errors import CheckpointError, ConfigError
from retrieval.embed import Embedder, ImageEmbedder, differences
from retrieval.embed_hashed import LEAST, MOST, HashedEmbedder
from retrieval.embedders import embedder_for

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "hash",
        "hashed:",
        "hashed:x",
        "hashed:٣٢",
        "hashed:-4",
        "minilm:x",
        "text:",
        "text",
        "clip:",
    ],
)
def test_names_that_do_not_exist(name: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown embedder .*hashed"):
        embedder_for(name)


@pytest.mark.parametrize("dimension", [0, LEAST - 1, MOST + 1, 99_999_999])
def test_dimensions_out_of_bounds(dimension: int) -> None:
    with pytest.raises(ConfigError, match="give between 16 and 1048576 dimensions"):
        embedder_for(f"hashed:{dimension}")


def test_names_and_sizes() -> None:
    usual, wide = embedder_for("hashed"), embedder_for("hashed:4096")
    assert (usual.name, usual.dimension) == ("hashed:1024", 1024)
    assert (wide.name, wide.dimension) == ("hashed:4096", 4096)
    assert isinstance(usual, Embedder)
    assert not isinstance(usual, ImageEmbedder)
    assert wide.texts(REPORTS).shape == (len(REPORTS), 4096)
    assert usual.texts([]).shape == (0, 1024)


def test_only_hashed_has_a_state() -> None:
    with pytest.raises(ValueError, match="minilm has no state"):
        embedder_for("minilm", state={})


def test_the_hash_is_murmurhash3_with_seed_0() -> None:
    """The published test vector of "test" is 0xba6bd213: as a signed number -0x45942ded."""
    (vector,) = embedder_for("hashed").texts(["test"])
    assert 0x45942DED % 1024 == 493
    assert vector[493] == -1.0
    assert np.count_nonzero(vector) == 1


def test_weights_by_hand() -> None:
    """ "a a b" has a twice, b, "a a" and "a b" once; pairs weigh a quarter."""
    (vector,) = embedder_for("hashed:65536").texts(["a a b"])
    raw = np.array([0.25, 0.25, 1, 1 + np.log(2)])
    found = np.sort(np.abs(vector[vector != 0]))
    np.testing.assert_allclose(found, raw / np.linalg.norm(raw), rtol=1e-6)


def test_rare_words_weigh_more_once_learned() -> None:
    """Of 4 reports all have "lungs" and one has "nodule": 1 + log(5/5) and 1 + log(5/2)."""
    embedder = HashedEmbedder(65536)
    plain = embedder.texts(["lungs", "nodule"])
    embedder.fit(["Lungs. Nodule.", "Lungs lungs.", "Lungs clear.", "LUNGS."])
    both = embedder.texts(["lungs nodule"])[0]
    common, rare = np.abs(plain).argmax(axis=1)
    assert abs(both[rare] / both[common]) == pytest.approx(1 + np.log(5 / 2), rel=1e-6)


def test_learning_again_forgets() -> None:
    embedder, fresh = HashedEmbedder(), HashedEmbedder()
    embedder.fit(REPORTS)
    embedder.fit(REPORTS[:3])
    fresh.fit(REPORTS[:3])
    assert embedder.describe() == fresh.describe()


def test_learning_streams_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    def stream() -> Iterator[str]:
        yield from REPORTS

    whole, parts = HashedEmbedder(), HashedEmbedder()
    whole.fit(stream())
    expected = whole.texts(REPORTS)
    monkeypatch.setattr("retrieval.embed_hashed.BATCH", 5)
    parts.fit(stream())
    assert parts.describe() == whole.describe()
    np.testing.assert_array_equal(parts.texts(REPORTS), expected)


def test_the_state_brings_the_same_vectors_back() -> None:
    embedder = HashedEmbedder(256)
    embedder.fit(REPORTS)
    again = embedder_for("hashed:256", state=embedder.state())
    assert differences(embedder.describe(), again.describe()) == []
    np.testing.assert_array_equal(embedder.texts(REPORTS), again.texts(REPORTS))
    assert differences(embedder.describe(), HashedEmbedder(256).describe()) == [
        "documents",
        "state_sha256",
    ]


def test_a_state_of_another_embedder_or_a_damaged_one() -> None:
    embedder = HashedEmbedder(256)
    embedder.fit(REPORTS)
    state = dict(embedder.state())
    with pytest.raises(CheckpointError, match="do not belong to hashed:1024"):
        embedder_for("hashed", state=state)
    with pytest.raises(CheckpointError, match="do not belong to hashed:256"):
        embedder_for("hashed:256", state={})
    for key, value in (("documents", -1), ("document_frequency", -1), ("documents", 1)):
        damaged = state | {key: np.full_like(state[key], value)}
        with pytest.raises(CheckpointError, match="damaged"):
            embedder_for("hashed:256", state=damaged)


def test_another_process_finds_the_same_vectors() -> None:
    script = (
        "import sys, json; from retrieval.embed_hashed import HashedEmbedder;"
        "texts = json.load(sys.stdin); e = HashedEmbedder(); e.fit(texts);"
        "sys.stdout.buffer.write(e.texts(texts).tobytes())"
    )
    embedder = HashedEmbedder()
    embedder.fit(REPORTS)
    result = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(REPORTS).encode(),
        capture_output=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"},
    )
    there = np.frombuffer(result.stdout, dtype=np.float32).reshape(len(REPORTS), -1)
    np.testing.assert_allclose(there, embedder.texts(REPORTS), atol=1e-6)


def test_letters_written_in_other_ways_are_the_same() -> None:
    composed, taken_apart = "Cardiomegalía ﬁbrosis", "cardiomegali\u0301a FIBROSIS"
    one, other = embedder_for("hashed").texts([composed, taken_apart])
    np.testing.assert_array_equal(one, other)


def test_texts_without_spaces_share_their_letters() -> None:
    """ "Pleural effusion on the right", "on the left", and "fracture", in Chinese."""
    right, left, other = embedder_for("hashed").texts(["右侧胸腔积液", "左侧胸腔积液", "骨折"])
    assert right @ left > 0.5 > abs(right @ other)


def test_neighbours_are_about_the_same_thing() -> None:
    embedder = HashedEmbedder()
    embedder.fit(REPORTS)
    query = embedder.texts(["A small pleural effusion on the left with atelectasis."])[0]
    assert (embedder.texts(REPORTS) @ query).argmax() == 3


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=8))
@settings(deadline=None, max_examples=60)
def test_any_text_has_one_vector_whatever_stands_beside_it(texts: list[str]) -> None:
    embedder = embedder_for("hashed:32")
    vectors = embedder.texts(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(embedder.texts([text])[0], vector, atol=1e-6)


@pytest.mark.parametrize("empty", ["", "  ", "\n\t"])
def test_empty_texts_are_named(empty: str) -> None:
    with pytest.raises(ValueError, match="row 1 is empty"):
        embedder_for("hashed").texts(["Clear lungs.", empty])


def test_where_a_model_was_found_is_no_difference() -> None:
    assert (
        differences({"name": "text:/a", "kind": "text"}, {"name": "text:/b", "kind": "text"}) == []
    )
    assert differences({"name": "x", "window": 1}, {"name": "x", "kind": "text"}) == [
        "kind",
        "window",
    ]
