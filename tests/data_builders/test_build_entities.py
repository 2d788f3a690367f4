"""``labelwright build`` for label sets of entities: records, gold, counts, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from data_builders.build import Built, Job, build
from data_builders.sources.entities import Annotations
from data_builders.sources.entity_notes import EntityNotes
from data_builders.sources.entity_rules import EntityRules
from data_builders.splits.split_plan import SplitOptions
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Entity, Report
from labelwright.tasks.entities import answer as entities

SET = """
name: knee-2
version: "1.0"
task: entities
language: en
nesting: {nesting}
instruction: Extract these, one per line. {{labels}}.
{more}
labels:
  - name: Finding
    synonyms: [Abnormality]
  - name: Body Part
    key: Part
"""


def label_set(*, nesting: bool = False, more: str = "") -> LabelSet:
    return LabelSet.from_text(SET.format(nesting=str(nesting).lower(), more=more))


def note(
    identifier: str, text: str, *marked: tuple[str, str], patient: str | None = None
) -> Report:
    """A note in which each ``(type, words)`` is marked where the words stand first."""
    found = []
    for kind, words in marked:
        at = text.index(words)
        found.append(Entity.of(text, kind, (at, at + len(words))))
    return Report(identifier, text, "notes.jsonl", 1, patient, entities=tuple(found))


def built(
    tmp_path: Path,
    notes: Sequence[Report],
    used: LabelSet | None = None,
    *,
    rules: EntityRules | None = None,
    split: SplitOptions | None = None,
) -> tuple[Path, Built]:
    chosen = label_set() if used is None else used
    out = tmp_path / "out"
    job = Job(
        label_set=chosen,
        source=EntityNotes(chosen, Annotations(), rules),
        split=split or SplitOptions(ratios="none"),
    )
    return out, build(notes, job, out, overwrite=True)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_note_becomes_a_record_a_text_and_its_entities(tmp_path: Path) -> None:
    text = "Tear of the\nmedial meniscus. No effusion."
    marked = note("n1", text, ("Body Part", "medial meniscus"), ("Finding", "Tear"), patient="p")
    out, made = built(tmp_path, [marked, note("n2", "Nothing to see.")])
    first, second = rows(out / "train.jsonl")
    assert [turn["role"] for turn in first["prompt"]] == ["system", "user"]
    assert first["prompt"][1]["content"] == text
    assert first["completion"][0]["content"] == "Finding: Tear\nPart: medial meniscus"
    assert first["meta"] == {
        "patient": "p",
        "source": "notes.jsonl",
        "row": 1,
        "labels_by": "annotations",
    }
    assert second["completion"][0]["content"] == "none"
    assert rows(out / "train.entities.jsonl") == [
        {
            "id": "n1",
            "entities": [
                {"type": "Finding", "spans": [[0, 4]], "text": "Tear"},
                {"type": "Body Part", "spans": [[12, 27]], "text": "medial meniscus"},
            ],
        },
        {"id": "n2", "entities": []},
    ]
    assert [row["text"] for row in rows(out / "train.reports.jsonl")] == [text, "Nothing to see."]
    assert "entities" not in rows(out / "train.reports.jsonl")[0]
    assert not (out / "train.labels.csv").exists()
    assert made.manifest["task"] == "entities"
    assert made.manifest["prompt_version"] == entities.PROMPT_VERSION
    assert (out / "train.entities.jsonl").stat().st_mode & 0o777 == 0o600
    with open(out / "classes.csv", newline="") as handle:
        assert list(csv.reader(handle)) == [
            ["split", "type", "notes", "notes_with_it", "mentions"],
            ["train", "Finding", "2", "1", "1"],
            ["train", "Body Part", "2", "1", "1"],
        ]


def test_every_entity_is_in_a_record_rejected_or_left_out(tmp_path: Path) -> None:
    good = note("n1", "Tear of the meniscus.", ("Finding", "Tear"))
    twice = note("n2", "Tear and cyst.", ("Finding", "Tear"), ("Finding", "Tear"))
    outside = Report(
        "n3", "Short.", "x", 1, entities=(Entity("Finding", ((3, 9),), "rt."), good.entities[0])
    )
    repeated = note("n4", "tear of the Meniscus", ("Finding", "tear"))
    out, made = built(
        tmp_path,
        [good, twice, outside, repeated, Report("n5", "No entities known.", "x", 1)],
        split=SplitOptions(ratios="none", duplicates="drop"),
    )
    assert made.manifest["counts"] == {
        "in": 5,
        "records": 2,
        "rejected": 3,
        "rejected_by_reason": {
            "an entity's offsets are outside the text": 1,
            "no annotations: the input says nothing of entities": 1,
            "same text as another report": 1,
        },
        "negatives_read_as_blank": 0,
        "entities": {
            "in": 6,
            "records": 2,
            "rejected": 3,
            "left_out": {"given twice": 1},
            "place_not_said_by_answer": {},
        },
    }
    assert [row["id"] for row in rows(out / "rejects.jsonl")] == ["n3", "n5", "n4"]


@pytest.mark.parametrize(
    ("entity", "reason"),
    [
        (Entity("Finding", (), "Tear"), "an entity has no place in the text"),
        (Entity("Finding", ((0, 99),), "Tear"), "an entity's offsets are outside the text"),
        (
            Entity("Finding", ((5, 7), (0, 4)), "of Tear"),
            "the parts of an entity are out of order or overlap",
        ),
        (
            Entity("Finding", ((0, 4),), "Cyst"),
            "an entity's text is not what stands at its offsets",
        ),
    ],
)
def test_an_entity_that_does_not_fit_its_text_rejects_the_note(
    tmp_path: Path, entity: Entity, reason: str
) -> None:
    bad = Report("n1", "Tear of the meniscus.", "x", 1, entities=(entity,))
    out, _ = built(tmp_path, [bad, note("n2", "Nothing.")])
    assert [(r["id"], r["reason"]) for r in rows(out / "rejects.jsonl")] == [("n1", reason)]


def test_a_mention_over_a_line_break_is_taken_with_either_white_space(tmp_path: Path) -> None:
    text = "medial\n meniscus"
    for written in ("medial meniscus", text):
        report = Report("n1", text, "x", 1, entities=(Entity("Body Part", ((0, 16),), written),))
        out, made = built(tmp_path, [report])
        assert rows(out / "train.entities.jsonl")[0]["entities"][0]["text"] == text
        assert rows(out / "train.jsonl")[0]["completion"][0]["content"] == "Part: medial meniscus"
        assert made.manifest["counts"]["entities"]["place_not_said_by_answer"] == {}


def test_overlaps(tmp_path: Path) -> None:
    text = "Tear of the medial meniscus and cyst."
    nested = note(
        "n1",
        text,
        ("Finding", "Tear of the medial meniscus"),
        ("Body Part", "medial meniscus"),
        ("Finding", "cyst"),
    )
    fill = note("n2", "Nothing.")
    out, _ = built(tmp_path, [nested, fill])
    assert rows(out / "rejects.jsonl")[0]["reason"] == (
        "entities overlap, and the label set has no nesting"
    )
    out, made = built(tmp_path, [nested, fill], rules=EntityRules(overlaps="longest"))
    assert rows(out / "train.jsonl")[0]["completion"][0]["content"] == (
        "Finding: Tear of the medial meniscus\nFinding: cyst"
    )
    assert made.manifest["counts"]["entities"]["left_out"] == {"overlaps a longer entity": 1}
    assert made.manifest["entities"]["overlaps"] == "longest"
    out, made = built(tmp_path, [nested, fill], label_set(nesting=True))
    assert rows(out / "train.jsonl")[0]["completion"][0]["content"] == (
        "Finding: Tear of the medial meniscus\nPart: medial meniscus\nFinding: cyst"
    )
    assert made.manifest["counts"]["entities"]["place_not_said_by_answer"] == {}


def test_types_are_known_by_name_key_and_synonym_and_can_be_renamed(tmp_path: Path) -> None:
    report = note(
        "n1",
        "Tear, cyst, edema, knee.",
        ("finding", "Tear"),
        ("ABNORMALITY", "cyst"),
        ("Sign", "edema"),
        ("Body_Part", "knee"),
    )
    out, made = built(tmp_path, [report], rules=EntityRules(renames={"Sign": "Finding"}))
    assert [e["type"] for e in rows(out / "train.entities.jsonl")[0]["entities"]] == [
        "Finding",
        "Finding",
        "Finding",
        "Body Part",
    ]
    assert made.manifest["entities"]["renamed_types"] == {"Sign": "Finding"}


def test_unknown_types_stop_the_build_and_are_listed(tmp_path: Path) -> None:
    notes = [
        note("n1", "Tear, knee, 5 mm.", ("Finding", "Tear"), ("Size", "5 mm")),
        note("n2", "3 mm, Dr. May.", ("Size", "3 mm"), ("Person", "Dr. May")),
    ]
    with pytest.raises(InputError) as caught:
        built(tmp_path, notes)
    assert caught.value.line() == (
        "3 entities have types that label set knee-2 lacks: Size, Person; map a type with "
        "--rename-type OLD=NEW, or name those to keep with --only-types A,B; its types are: "
        "Finding, Body Part"
    )
    assert not (tmp_path / "out").exists()
    out, made = built(tmp_path, notes, rules=EntityRules(only=("Finding",)))
    assert [row["completion"][0]["content"] for row in rows(out / "train.jsonl")] == [
        "Finding: Tear",
        "none",
    ]
    assert made.manifest["counts"]["entities"]["left_out"] == {"type not asked for": 3}


def test_rules_must_fit_the_label_set() -> None:
    for rules, words in (
        (EntityRules(only=("Sign",)), "--only-types: label set knee-2 has no type 'Sign'; its typ"),
        (EntityRules(renames={"x": "Sign"}), "--rename-type: label set knee-2 has no type 'Sign'"),
        (EntityRules(unmarked=Certainty.POSITIVE), "no such certainty; its certainties are: none"),
    ):
        with pytest.raises(ConfigError, match=words):
            EntityNotes(label_set(), Annotations(), rules)


def test_certainties(tmp_path: Path) -> None:
    asked = label_set(more="certainties: {positive: present, negative: absent}")
    text = "Tear. No effusion."
    report = Report(
        "n1",
        text,
        "x",
        1,
        entities=(
            Entity.of(text, "Finding", (0, 4)),
            Entity.of(text, "Finding", (9, 17), certainty=Certainty.NEGATIVE),
        ),
    )
    unsure = Entity.of(text, "Finding", (0, 4), certainty=Certainty.UNCERTAIN)
    other = Report("n2", text, "x", 2, entities=(unsure,))
    out, made = built(tmp_path, [report, other, note("n3", "Nothing.")], asked)
    assert made.manifest["counts"]["rejected_by_reason"] == {
        "an entity has a certainty that the label set lacks": 1,
        "an entity has no certainty": 1,
    }
    rules = EntityRules(unmarked=Certainty.POSITIVE)
    out, _ = built(tmp_path, [report, note("n3", "Nothing.")], asked, rules=rules)
    assert rows(out / "train.jsonl")[0]["completion"][0]["content"] == (
        "Finding present: Tear\nFinding absent: effusion"
    )
    # a label set without certainties does not read them
    out, made = built(tmp_path, [report])
    assert rows(out / "train.jsonl")[0]["completion"][0]["content"] == (
        "Finding: Tear\nFinding: effusion"
    )
    assert made.manifest["counts"]["entities"]["certainties_not_asked_for"] == 1


def test_mentions_whose_place_the_answer_cannot_say_are_counted_and_kept(tmp_path: Path) -> None:
    text = "Old tear. New tear."
    later = Report("n1", text, "x", 1, entities=(Entity.of(text, "Finding", (14, 18)),))
    out, made = built(tmp_path, [later])
    assert rows(out / "train.jsonl")[0]["completion"][0]["content"] == "Finding: tear"
    assert rows(out / "train.entities.jsonl")[0]["entities"][0]["spans"] == [[14, 18]]
    assert made.manifest["counts"]["entities"]["place_not_said_by_answer"] == {"train": 1}


def test_splits_share_out_rare_types_and_keep_patients_together(tmp_path: Path) -> None:
    notes = [
        note(f"n{i}", f"Tear number {i} of the knee.", ("Finding", "Tear"), patient=f"p{i // 2}")
        for i in range(60)
    ]
    rare = [
        note(f"r{i}", f"Knee number {i} {'x' * i}.", ("Body Part", "Knee"), patient=f"q{i}")
        for i in range(5)
    ]
    split = SplitOptions(ratios="0.6,0.2,0.2")
    out, made = built(tmp_path, [*notes, *rare], split=split)
    patients: dict[str, set[str]] = {}
    with_rare = {}
    for name in ("train", "validation", "test"):
        patients[name] = {row["patient"] for row in rows(out / f"{name}.reports.jsonl")}
        with_rare[name] = sum(row["id"][0] == "r" for row in rows(out / f"{name}.entities.jsonl"))
    assert with_rare == {"train": 3, "validation": 1, "test": 1}
    assert not patients["train"] & patients["test"]
    assert not patients["train"] & patients["validation"]
    again = {p.name: p.read_bytes() for p in out.glob("*.jsonl")}
    out, _ = built(tmp_path, [*notes, *rare], split=split)
    assert {p.name: p.read_bytes() for p in out.glob("*.jsonl")} == again
    assert made.classes.lines()[0].split() == [
        "train",
        "(39)",
        "validation",
        "(13)",
        "test",
        "(13)",
    ]
