"""The grammar: same seed same reports, labels that follow from what was written, lexicon errors."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from kidney_lexicon import SMALL_SET, small

from data_builders.synthetic.draw_findings import Case
from data_builders.synthetic.grammar import Grammar
from data_builders.synthetic.lexicon import Lexicon
from data_builders.synthetic.noise import Noise, draw_manner
from data_builders.synthetic.phrases import tidy, write
from data_builders.synthetic.reports import ReportWriter, write_reports
from data_builders.synthetic.statements import Statement, truth
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.certainty.table import read_labels

POSITIVE, NEGATIVE, UNCERTAIN, BLANK = (
    Certainty.POSITIVE,
    Certainty.NEGATIVE,
    Certainty.UNCERTAIN,
    Certainty.BLANK,
)
EXAMPLES = Path(__file__).parents[2] / "examples"
CHEST = LabelSet.load("chexpert-14")
HEAD = LabelSet.load("head-ct-5")
SETS = [CHEST, HEAD]
ZERO = [0.0].__getitem__

PINNED = [
    "No stone or cyst.",
    "No cyst.\nNothing acute.",
    "No cyst. No stone.\n\nNothing acute.",
    "Unchanged right renal cyst. Otherwise normal.",
]


def first(*_: object) -> float:
    """A draw that always takes the first option."""
    return ZERO(0)


def test_same_seed_and_index_give_the_same_report_whatever_the_slice() -> None:
    whole = list(write_reports(CHEST, 60, 5))
    parts = [*write_reports(CHEST, 25, 5), *write_reports(CHEST, 35, 5, start=25)]
    assert whole == parts
    assert whole != list(write_reports(CHEST, 60, 6))


def test_reports_of_a_seed_are_pinned() -> None:
    # Recorded from this grammar; changes only where the grammar or the small lexicon does.
    # random.Random(n).random() gives the same values in every version of Python.
    written = write_reports(LabelSet.from_text(SMALL_SET), 4, 1, lexicon=small(), noise=0.0)
    assert [report.text for report, _ in written] == PINNED


@pytest.mark.parametrize("label_set", SETS, ids=lambda s: s.name)
@pytest.mark.parametrize("balance", [0.0, 1.0])
def test_labels_keep_the_rules_of_the_label_set(label_set: LabelSet, balance: float) -> None:
    for report, labels in write_reports(label_set, 500, 11, balance=balance):
        assert tuple(labels) == label_set.names
        assert not label_set.contradictions(labels)
        for name, certainty in labels.items():
            assert certainty in label_set.by_name[name].certainties
        assert report.text.strip()
        assert not set(report.text) & set("{}[]|")
        assert "  " not in report.text
        assert not any(part.start >= part.end for part in report.sections)


@pytest.mark.parametrize("label_set", SETS, ids=lambda s: s.name)
def test_every_observation_occurs_with_every_certainty_when_balanced(label_set: LabelSet) -> None:
    seen = Counter(
        pair
        for _, labels in write_reports(label_set, 900, 3, balance=1.0)
        for pair in labels.items()
    )
    for label in label_set.labels:
        for certainty in label.certainties:
            assert seen[label.name, certainty] >= 10, (label.name, certainty)


def test_balance_lifts_rare_certainties() -> None:
    def uncertain(balance: float) -> int:
        return sum(
            certainty is UNCERTAIN
            for _, labels in write_reports(CHEST, 400, 2, balance=balance)
            for certainty in labels.values()
        )

    assert uncertain(1.0) > 2 * uncertain(0.0)


def test_reports_are_of_the_length_and_normality_of_real_ones() -> None:
    reports = list(write_reports(CHEST, 1000, 1))
    words = sorted(len(report.text.split()) for report, _ in reports)
    normal = sum(labels["No Finding"] is POSITIVE for _, labels in reports) / len(reports)
    assert 20 <= words[len(words) // 2] <= 60
    assert 0.2 <= normal <= 0.5


@pytest.mark.parametrize("label_set", SETS, ids=lambda s: s.name)
def test_evidence_is_the_text_that_speaks_of_the_observation(label_set: LabelSet) -> None:
    writer = ReportWriter(label_set, noise=0.0)
    derived = {rule.label for rule in label_set.exclusive}
    for written in writer.stream(300, 9):
        said = {name for name, certainty in written.labels.items() if certainty is not BLANK}
        assert set(written.evidence) == said - derived
        for spans in written.evidence.values():
            for start, end in spans:
                clause = written.report.text[start:end]
                assert clause == clause.strip()
                assert clause


def test_sections_carry_their_names_and_exclude_their_headings() -> None:
    for report, _ in islice(write_reports(CHEST, 400, 4), 400):
        for part in report.sections:
            before = report.text[: part.start].rstrip()
            assert before.endswith(":")
            assert part.name in {"indication", "comparison", "technique", "findings", "impression"}


def test_what_stands_before_the_findings_does_not_count() -> None:
    lexicon = Lexicon.for_label_set(CHEST)
    for written in ReportWriter(CHEST, lexicon=lexicon).stream(500, 21):
        for part in written.report.sections:
            if part.name in {"indication", "comparison", "technique"}:
                for spans in written.evidence.values():
                    assert all(end <= part.start or start >= part.end for start, end in spans)


@pytest.mark.parametrize("label_set", SETS, ids=lambda s: s.name)
def test_every_line_of_the_lexicon_can_be_written(label_set: LabelSet) -> None:
    lexicon = Lexicon.for_label_set(label_set)
    slots = dict.fromkeys(
        ("x", "ax", "y", "t", "u", "is", "has", "or_list", "nor_list", "any"), "q"
    )
    lines = [
        line
        for group in (lexicon.frames, lexicon.summaries, lexicon.front)
        for ls in group.values()
        for line in ls
    ]
    for observation in lexicon.observations.values():
        lines += [*observation.terms, *observation.found, *observation.found_many]
        lines += [line for group in observation.clauses.values() for line in group]
    lines += [line for joint in lexicon.joint for line in joint.lines]
    lines += [line for aside in lexicon.asides for line in aside.lines]
    for line in lines:
        text = tidy(write(line.phrase, first, lexicon.words, slots))
        assert not set(text) & set("{}[]|")


SPOKEN = [
    ({"Pneumothorax": NEGATIVE}, "Pneumothorax", NEGATIVE),
    ({"Edema": POSITIVE}, "Edema", POSITIVE),
    ({"Pneumonia": UNCERTAIN}, "Pneumonia", UNCERTAIN),
    ({"Support Devices": NEGATIVE}, "Support Devices", NEGATIVE),
]


@pytest.mark.parametrize(("states", "name", "certainty"), SPOKEN)
def test_a_wanted_certainty_is_written_as_such(
    states: dict[str, Certainty], name: str, certainty: Certainty
) -> None:
    grammar = Grammar(Lexicon.for_label_set(CHEST), CHEST)
    for seed in range(50):
        draw = Random(seed).random
        case = Case("test", dict(states), asides=0.0)
        said = grammar.say(draw, name, certainty, dict(states), case).says
        assert said[name] is certainty


def test_positive_beats_uncertain_beats_negative() -> None:
    statements = [
        Statement("no effusion", {"Pleural Effusion": NEGATIVE}),
        Statement("small effusion", {"Pleural Effusion": POSITIVE}),
        Statement("no edema", {"Edema": NEGATIVE}),
        Statement("edema cannot be excluded", {"Edema": UNCERTAIN}),
    ]
    labels = truth(CHEST, statements)
    assert labels["Pleural Effusion"] is POSITIVE
    assert labels["Edema"] is UNCERTAIN
    assert labels["No Finding"] is BLANK


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([Statement("no effusion", {"Pleural Effusion": NEGATIVE})], POSITIVE),
        ([Statement("pacemaker", {"Support Devices": POSITIVE})], POSITIVE),
        ([Statement("scoliosis", {}, abnormal=True)], BLANK),
        ([Statement("possible nodule", {"Lung Lesion": UNCERTAIN})], BLANK),
        ([], POSITIVE),
    ],
)
def test_no_finding_follows_from_the_rest(statements: list[Statement], expected: Certainty) -> None:
    assert truth(CHEST, statements)["No Finding"] is expected


def test_a_small_lexicon_gives_another_label_set_its_reports() -> None:
    label_set = LabelSet.from_text(SMALL_SET)
    texts = {}
    for report, labels in write_reports(label_set, 200, 1, lexicon=small(), noise=0.0):
        texts[report.text] = labels
    assert texts["Normal kidneys."]["Healthy"] is POSITIVE
    joined = " ".join(texts)
    assert "cannot be excluded" in joined
    assert "renal cyst and" in joined or "stone and" in joined


@pytest.mark.parametrize(
    "numbers", [{"balance": 1.5}, {"noise": -0.1}, {"start": -1}], ids=["balance", "noise", "start"]
)
def test_numbers_out_of_range_are_told_at_once(numbers: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(numbers))):
        write_reports(CHEST, 1, 1, **numbers)  # type: ignore[arg-type]


def test_noise_never_touches_negations_and_hedges() -> None:
    lexicon = Lexicon.for_label_set(CHEST)
    noise = Noise(lexicon)
    draw = Random(3).random
    for word in lexicon.keep:
        clause = f"{word} {word}"
        for _ in range(20):
            assert noise.slip(draw, clause) == clause
    assert draw_manner(first, 0.0).mask == ""


def test_no_negation_can_be_masked() -> None:
    lexicon = Lexicon.for_label_set(CHEST)
    assert not set(lexicon.maskable) & {*lexicon.keep, "no", "not", "nor", "may", "or", "and"}


@pytest.mark.parametrize(
    ("label_set", "reports", "labels", "count"),
    [(CHEST, "reports.csv", "labels.csv", 120), (HEAD, "head_ct.csv", "head_ct_labels.csv", 20)],
    ids=["chest", "head"],
)
def test_the_hand_written_examples_are_whole(
    label_set: LabelSet, reports: str, labels: str, count: int
) -> None:
    with open(EXAMPLES / reports, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    known = list(read_labels(EXAMPLES / labels, label_set, id_columns=["id"]))
    assert [row["id"] for row in rows] == [identifier for _, identifier, _ in known]
    assert len(rows) == len({row["id"] for row in rows}) == count
    assert all(row["findings"] or row["impression"] for row in rows)
    assert len({row["findings"] + row["impression"] for row in rows}) == count
    for _, _, given in known:
        assert not label_set.contradictions(given)
    seen = {pair for _, _, given in known for pair in given.items()}
    for label in label_set.labels:
        stated = [certainty for certainty in label.certainties if certainty is not BLANK]
        assert {(label.name, certainty) for certainty in stated} <= seen
