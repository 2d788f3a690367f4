"""Splits: nothing linked is parted, the seed decides, labels are spread, leaks are found."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_builders.splits.split import SplitItem, groups, parse_ratios, split_items, text_digest
from data_builders.splits.split_plan import (
    THRESHOLD,
    NearDuplicates,
    _buckets,
    jaccard,
    overlaps,
    read_split_file,
    shingles,
)
from labelwright.errors import ConfigError, InputError
from labelwright.records import Certainty

P, N, U, B = Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.UNCERTAIN, Certainty.BLANK
THIRDS = {"train": 0.8, "validation": 0.1, "test": 0.1}


def strata(*said: Certainty) -> tuple[str, ...]:
    """The classes of a report that says this of its observations 0, 1, …."""
    return tuple(f"{place} {c}" for place, c in enumerate(said) if c is not B)


ITEMS = st.lists(
    st.builds(
        SplitItem,
        id=st.uuids().map(str),
        patient=st.one_of(st.none(), st.sampled_from("ABCDEFGH")),
        text=st.integers(0, 30).map(lambda n: text_digest(f"text {n}")),
        strata=st.tuples(*[st.sampled_from(list(Certainty))] * 3).map(lambda said: strata(*said)),
    ),
    max_size=40,
)


@given(ITEMS, st.integers(0, 5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_patient_and_no_text_is_in_two_splits(
    items: list[SplitItem], seed: int, stratify: bool
) -> None:
    try:
        splits = split_items(items, THIRDS, seed=seed, stratify=stratify)
    except ConfigError:
        assert len(set(groups(items))) < 3
        return
    assert len(splits) == len(items)
    assert not items or set(splits) == set(THIRDS)
    for key in ("patient", "text"):
        homes: dict[object, str] = {}
        for item, split in zip(items, splits, strict=True):
            if getattr(item, key) is not None:
                assert homes.setdefault(getattr(item, key), split) == split
    assert list(overlaps(items, list(splits))) == []
    assert split_items(items, THIRDS, seed=seed, stratify=stratify) == splits


def test_groups_link_through_others() -> None:
    items = [
        SplitItem("1", "A", b"x", ()),
        SplitItem("2", "B", b"y", ()),
        SplitItem("3", None, b"z", ()),
        SplitItem("4", "A", b"y", ()),
    ]
    assert groups(items) == [0, 0, 1, 0]


def _many(count: int) -> list[SplitItem]:
    rng = random.Random(1)
    return [
        SplitItem(
            str(i),
            str(rng.randrange(count // 2)),
            rng.randbytes(16),
            strata(P if i % 50 == 0 else B, U if i % 20 == 0 else N, P if i % 3 else B),
        )
        for i in range(count)
    ]


def test_shares_and_rare_labels_are_spread() -> None:
    items = _many(2000)
    splits = split_items(items, THIRDS, seed=13)
    for name, share in THIRDS.items():
        held = [item for item, split in zip(items, splits, strict=True) if split == name]
        assert len(held) == pytest.approx(2000 * share, rel=0.1)
        rare = sum("0 positive" in item.strata for item in held)  # 40 in all
        assert rare == pytest.approx(40 * share, abs=1)


def test_the_seed_changes_the_split() -> None:
    items = _many(200)
    assert split_items(items, THIRDS, seed=1) != split_items(items, THIRDS, seed=2)


def test_a_large_group_does_not_empty_the_other_splits() -> None:
    items = [SplitItem(str(i), "one", bytes([i]), strata(P)) for i in range(90)]
    items += [SplitItem(f"o{i}", None, b"o" + bytes([i]), strata(P)) for i in range(10)]
    splits = split_items(items, THIRDS, seed=0)
    assert set(splits[:90]) == {"train"}
    assert {"validation", "test"} <= set(splits[90:])


def test_all_of_one_patient_cannot_be_split() -> None:
    items = [SplitItem(str(i), "one", bytes([i]), strata(P)) for i in range(9)]
    with pytest.raises(ConfigError, match=r"9 reports form 1 group.*--split none"):
        split_items(items, THIRDS, seed=0)


@pytest.mark.parametrize(
    "text", ["0.8,0.1", "0.8,0.1,0.2", "a,b,c", "", "1.2,-0.1,-0.1", "nan,0,1"]
)
def test_bad_ratios(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a split; give the shares"):
        parse_ratios(text)


def test_ratios() -> None:
    assert parse_ratios("0.8, 0.1, 0.1") == THIRDS
    assert parse_ratios("0.9,0,0.1") == {"train": 0.9, "test": 0.1}
    assert parse_ratios("none") == {"train": 1.0}
    assert parse_ratios("test") == {"test": 1.0}


def test_text_digest_ignores_case_punctuation_and_width() -> None:
    assert text_digest("No  EFFUSION.\n") == text_digest("no effusion")
    assert text_digest("ﬁndings") == text_digest("Findings")
    assert text_digest("no effusion") != text_digest("effusion no")


MIMIC = """dicom_id,study_id,subject_id,split
a-1,50000001,10000001,train
a-2,50000001,10000001,train
b-1,50000002,10000002,validate
c-1,50000003,10000003,test
"""


def test_mimic_split_file(tmp_path: Path) -> None:
    path = tmp_path / "mimic-cxr-2.0.0-split.csv.gz"
    path.write_bytes(gzip.compress(MIMIC.encode()))
    assert read_split_file(path) == {
        "50000001": "train",
        "50000002": "validation",
        "50000003": "test",
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (MIMIC + "d-1,50000001,10000001,test\n", r":5: report 50000001 is already in the train"),
        (MIMIC + "d-1,50000009,10000001,holdout\n", r":5: unknown split; use one of"),
        (MIMIC + "d-1,50000009\n", r":5: the row has 2 cells, the header 4"),
        ("study_id,fold\n1,train\n", "no column split; columns found: study_id, fold"),
        ("study,split\n1,train\n", "name it with --split-id-columns"),
        ("", "the table is empty"),
    ],
)
def test_bad_split_files(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "split.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=words):
        read_split_file(path)


def test_overlaps_are_found() -> None:
    items = [
        SplitItem("1", "A", b"x", ()),
        SplitItem("2", "A", b"y", ()),
        SplitItem("3", None, b"x", ()),
    ]
    found = {
        (o.kind, o.index, o.held_out) for o in overlaps(items, ["train", "test", "validation"])
    }
    assert found == {("patient", 0, "test"), ("text", 0, "validation")}
    assert list(overlaps(items, [None, "test", "validation"])) == []


def test_jaccard_by_hand() -> None:
    # trigrams abc, bcd, cde and abc, bcd, cdf: two shared of four
    assert jaccard(shingles("a b c d e"), shingles("A b, c d f.")) == 0.5
    assert len(shingles("two words")) == 1
    assert shingles(" .. ") == frozenset()
    assert jaccard(frozenset(), frozenset()) == 0.0


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40), max_size=30))
@settings(max_examples=60, deadline=None)
def test_near_duplicates_equal_comparing_all_pairs(texts: list[list[str]]) -> None:
    rng = random.Random(0)
    held = [" ".join(words) for words in texts]
    asked = held + [" ".join([*words, rng.choice("abcdefgh")]) for words in texts]
    index = NearDuplicates(("test", text) for text in held)
    for text in asked:
        close = any(jaccard(shingles(text), shingles(other)) >= 0.9 for other in held)
        assert index.find(text) == ({"test"} if close else set())


def test_near_duplicates_name_every_split() -> None:
    base = " ".join(f"w{i}" for i in range(60))
    index = NearDuplicates([("validation", base), ("test", base + " x"), ("test", "unlike this")])
    assert index.find(base + " y") == {"validation", "test"}
    assert index.find("something else entirely") == set()


def test_without_stratification_the_split_is_random() -> None:
    """Of 1,000 reports the shares are met exactly, and a rare label falls where it falls."""
    items = [
        SplitItem(str(i), None, text_digest(f"text {i}"), strata(P if i < 10 else B))
        for i in range(1000)
    ]
    held = []
    for seed in range(40):
        splits = split_items(items, THIRDS, seed=seed, stratify=False)
        assert [splits.count(name) for name in THIRDS] == [800, 100, 100]
        held.append(splits[:10].count("test"))
    # 10 draws at 1 in 10, without replacement: mean 1, standard deviation .94; over 40 seeds .15
    assert 0.4 < sum(held) / len(held) < 1.6
    assert max(held) >= 3
    stratified = [split_items(items, THIRDS, seed=s)[:10].count("test") for s in range(5)]
    assert stratified == [1] * 5


def test_sets_at_the_threshold_share_a_bucket() -> None:
    """Every size up to 400 with as many changes as the threshold allows, and one more."""
    rng = random.Random(0)
    for size in range(1, 400):
        grams = [rng.getrandbits(64) for _ in range(2 * size)]
        for gone in range(size):
            # without `gone` of them, and with as many others: (size - gone) / (size + gone)
            if (size - gone) / (size + gone) < THRESHOLD:
                break
            other = grams[gone : size + gone]
            assert set(_buckets(grams[:size])) & set(_buckets(other))
        for gone in range(1, size):
            if (size - gone) / size < THRESHOLD:
                break
            assert set(_buckets(grams[:size])) & set(_buckets(grams[gone:size]))
