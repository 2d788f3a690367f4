"""Variants of training reports: other texts, the same labels, never outside the training split."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kidney_lexicon import SMALL_SET, small

import data_builders.augment as augment
from baselines.rules.labeler import RulesLabeler
from data_builders.augment import OPERATIONS, Augmenter
from data_builders.synthetic.lexicon import Lexicon
from labelwright.cli import main
from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Report

EXAMPLES = Path(__file__).parents[2] / "examples"
CHEST = LabelSet.load("chexpert-14")
LEXICON = Lexicon.for_label_set(CHEST)
PLAIN = (
    "FINDINGS: The heart is enlarged. No pneumothorax is seen. There is a nodule at the right "
    "base. This may represent a granuloma. Bony structures are intact."
)


def texts() -> list[str]:
    with open(EXAMPLES / "reports.csv", encoding="utf-8", newline="") as handle:
        return [
            f"FINDINGS:\n{row['findings']}\n\nIMPRESSION:\n{row['impression']}"
            for row in csv.DictReader(handle)
        ]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes augmenters that try one operation only, always."""

    def only(operation: str, lexicon: Lexicon = LEXICON, seed: int = 1) -> Augmenter:
        monkeypatch.setattr(
            augment, "SHARES", {name: float(name == operation) for name in OPERATIONS}
        )
        return Augmenter(lexicon, seed)

    return only


def labels(written: list[str]) -> Iterator[object]:
    reports = [Report(str(i), text, "test", i + 1) for i, text in enumerate(written)]
    for answer in RulesLabeler.for_label_set(CHEST).label_reports(reports):
        yield answer.labels if isinstance(answer, Prediction) else answer.reason


@pytest.mark.parametrize("operation", ["order", "synonyms", "headings", "case"])
def test_the_rules_find_the_same_labels_in_variants(operation: str, alone: Any) -> None:
    # An independent reader of the reports: rules written without regard to the lexicon. Spelling,
    # short forms, masks and slips are left out: they change words that the rules look for.
    originals = texts()
    changed = [
        (text, variant.text)
        for text in originals
        for variant in alone(operation).variants(text[:40], text, 1)
    ]
    assert len(changed) >= 40
    before, after = (list(labels(list(side))) for side in zip(*changed, strict=True))
    same = [a == b for a, b in zip(before, after, strict=True)]
    assert sum(same) >= len(same) - 1


def test_a_sentence_moves_with_those_that_refer_to_it(alone: Any) -> None:
    seen = {v.text for seed in range(20) for v in alone("order", seed=seed).variants("a", PLAIN, 2)}
    assert len(seen) >= 4  # of the five other orders of three blocks
    for text in seen:
        assert "nodule at the right base. This may represent a granuloma." in text
        assert sorted(text.replace(".", "").split()) == sorted(PLAIN.replace(".", "").split())


@pytest.mark.parametrize(
    "text",
    [
        "1. No effusion. 2. Large heart. 3. Clear lungs.",
        "- No effusion seen.\n- The heart is large.",
        "Lungs: No opacity seen. Heart: The heart is large.",
        "No effusion is seen. As described above, the heart is large.",
    ],
)
def test_lists_and_references_keep_their_order(text: str, alone: Any) -> None:
    assert alone("order").variants("a", text, 3) == []


def test_headings_change_within_their_section(alone: Any) -> None:
    text = "INDICATION: Cough.\n\nFINDINGS: Clear lungs.\n\nIMPRESSION: Normal chest."
    (made, *_) = alone("headings", seed=3).variants("a", text, 1)
    kinds = [heading.split(":")[0].casefold() for heading in made.text.split("\n\n")]
    assert kinds[0].startswith(("indication", "reason"))
    assert kinds[1] in {"findings", "description"}
    assert kinds[2] in {"impression", "conclusion", "opinion"}


def test_synonyms_keep_capitals(alone: Any) -> None:
    lexicon = replace(small(), synonyms={"there is no": ("no",)})
    words = {
        v.text
        for seed in range(30)
        for text in ("There is no cyst.", "THERE IS NO CYST.")
        for v in alone("synonyms", lexicon, seed).variants("a", text, 1)
    }
    assert words == {"No cyst.", "NO CYST."}


def test_slips_spare_negations_and_hedges(alone: Any) -> None:
    kept = [word for word in LEXICON.keep if len(word) >= 6]
    for word in kept:
        for made in alone("slips").variants(word, f"There is {word} something quite unclear.", 5):
            assert f" {word} " in made.text


@given(st.text(max_size=200), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_any_text_is_varied_or_left_alone(text: str, count: int) -> None:
    augmenter = Augmenter(LEXICON, 5)
    made = augmenter.variants("x", text, count)
    assert made == augmenter.variants("x", text, count)
    assert len({text, *(v.text for v in made)}) == len(made) + 1
    assert all(v.operations and set(v.operations) <= set(OPERATIONS) for v in made)


def test_another_seed_report_or_number_gives_another_variant() -> None:
    first, second = Augmenter(LEXICON, 1).variants("a", PLAIN, 2)
    assert first != second
    assert Augmenter(LEXICON, 2).variants("a", PLAIN, 1) != [first]
    assert Augmenter(LEXICON, 1).variants("b", PLAIN, 1) != [first]


def build(out: Path, *more: str) -> int:
    files = [str(EXAMPLES / "reports.csv"), "--labels", str(EXAMPLES / "labels.csv")]
    return main(["build", *files, "--label-set", "chexpert-14", "--out", str(out), *more])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_build_adds_variants_to_the_training_split_alone(tmp_path: Path) -> None:
    assert build(tmp_path / "plain") == build(tmp_path / "more", "--augment", "2") == 0
    plain, more = tmp_path / "plain", tmp_path / "more"
    for name in ("validation.jsonl", "test.jsonl", "test.labels.csv", "validation.reports.jsonl"):
        assert (plain / name).read_bytes() == (more / name).read_bytes()
    before = {row["id"]: row for row in rows(plain / "train.jsonl")}
    after = rows(more / "train.jsonl")
    assert [row for row in after if row["id"] in before] == list(before.values())
    with open(more / "train.labels.csv", encoding="utf-8", newline="") as handle:
        coded = {row.pop("id"): row for row in csv.DictReader(handle)}
    reports = {row["id"]: row for row in rows(more / "train.reports.jsonl")}
    assert list(reports) == [row["id"] for row in after] == list(coded)
    variants = [row for row in after if row["id"] not in before]
    for row in variants:
        original = before[row["meta"]["variant_of"]]
        assert row["completion"] == original["completion"]
        assert row["meta"]["patient"] == original["meta"]["patient"]
        assert row["prompt"] != original["prompt"]
        assert coded[row["id"]] == coded[original["id"]]
        assert reports[row["id"]]["text"] in row["prompt"][-1]["content"]
    manifest = json.loads((more / "manifest.json").read_text(encoding="utf-8"))
    told = manifest["augmentation"]
    assert told["copies"] == 2
    assert told["reports"] == len(before)
    assert told["made"] == len(variants) > 1.8 * len(before)
    assert told["operations"]["order"] == sum("order" in v["meta"]["operations"] for v in variants)
    assert manifest["counts"]["records"] == 120
    assert json.loads((plain / "manifest.json").read_text(encoding="utf-8"))["augmentation"] is None


def test_the_same_seed_builds_the_same_variants(tmp_path: Path) -> None:
    for name, seed in (("one", "7"), ("two", "7")):
        assert build(tmp_path / name, "--augment", "1", "--seed", seed) == 0
    for name in ("train.jsonl", "train.labels.csv", "train.reports.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_new_ids_avoid_those_of_other_reports(tmp_path: Path) -> None:
    reports, out = tmp_path / "r.csv", tmp_path / "out"
    text = "The heart is enlarged. No effusion is seen."
    reports.write_text(f"id,text\na,{text}\na~1,{text} Clear lungs.\n", encoding="utf-8")
    flags = ["--label-set", "chexpert-14", "--labels", "rules", "--split", "none"]
    assert main(["build", str(reports), *flags, "--augment", "1", "--out", str(out)]) == 0
    assert [row["id"] for row in rows(out / "train.jsonl")] == ["a", "a~2", "a~1", "a~1~1"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--augment", "1", "--split", "test"], "training reports"),
        (["--augment", "1", "--preview", "1"], "no variants"),
        (["--lexicon", "x.yaml"], "--synthetic and --augment"),
    ],
)
def test_misuse_is_told_in_one_line(
    flags: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tmp_path / "out", *flags) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_label_set_without_lexicon_needs_one() -> None:
    with pytest.raises(LabelSetError, match="lexicon"):
        Lexicon.for_label_set(LabelSet.from_text(SMALL_SET))
