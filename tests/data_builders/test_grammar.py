"""Parts of the grammar: denials beside findings, named causes, other examinations, conventions."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from kidney_lexicon import SMALL_SET, small

from data_builders.synthetic.clauses import listed
from data_builders.synthetic.draw_findings import Case
from data_builders.synthetic.grammar import Grammar
from data_builders.synthetic.lexicon import Lexicon
from data_builders.synthetic.noise import PLAIN, Noise, replaced, word_table
from data_builders.synthetic.reports import ReportWriter
from data_builders.synthetic.statements import Statement, truth
from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty

POSITIVE, NEGATIVE, UNCERTAIN, BLANK = (
    Certainty.POSITIVE,
    Certainty.NEGATIVE,
    Certainty.UNCERTAIN,
    Certainty.BLANK,
)
CHEST = LabelSet.load("chexpert-14")
LEXICON = Lexicon.for_label_set(CHEST)
GRAMMAR = Grammar(LEXICON, CHEST)
TINY = LabelSet.from_text(SMALL_SET)


def bodies(states: dict[str, Certainty], count: int = 80) -> list[list[Statement]]:
    return [
        GRAMMAR.findings(Random(seed).random, Case("test", dict(states), asides=0.0))
        for seed in range(count)
    ]


def test_a_kind_of_a_finding_can_be_denied_and_the_finding_stays_positive() -> None:
    written = bodies({"Lung Opacity": POSITIVE})
    denied = [body for body in written if any(s.says.get("Lung Opacity") is NEGATIVE for s in body)]
    assert len(written) * 0.2 < len(denied) < len(written) * 0.7
    assert all(truth(CHEST, body)["Lung Opacity"] is POSITIVE for body in written)


def test_what_is_denied_beside_findings_is_denied_without_them_too() -> None:
    # Otherwise its words would betray the finding: "no suspicious opacity" must not mean opacity.
    for name, observation in LEXICON.observations.items():
        for line in observation.despite:
            assert observation.terms, name
            assert line.phrase.slots() <= LEXICON.words.keys()
    texts = " ".join(
        s.text for body in bodies({"Lung Opacity": NEGATIVE, "Edema": NEGATIVE}, 400) for s in body
    )
    assert "suspicious pulmonary opacity" in texts


def test_causes_are_uncertain_or_certain_as_the_words_say() -> None:
    seen = set()
    for seed in range(300):
        case = Case("test", {"Lung Opacity": POSITIVE, "Edema": UNCERTAIN}, asides=0.0)
        for statement in GRAMMAR.findings(Random(seed).random, case):
            if {"Lung Opacity", "Edema"} <= statement.says.keys():
                assert statement.says["Lung Opacity"] is POSITIVE
                seen.add(statement.says["Edema"])
    assert UNCERTAIN in seen


def test_another_examination_stands_behind_the_chest_and_may_count() -> None:
    says = set()
    for written in ReportWriter(CHEST, noise=0.0).stream(1500, 8):
        if "Chest. " not in written.report.text:
            continue
        for name, spans in written.evidence.items():
            for start, end in spans:
                clause = written.report.text[start:end]
                if any(part in clause.casefold() for part in ("ankle.", "foot.", "hip.", "wrist.")):
                    says.add(name)
    assert says <= {"Fracture"}
    assert says


# Decided by the human index codes of public chest reports; see docs/synthetic.md.
@pytest.mark.parametrize("phrase", ["mediastinum is stable", "unchanged cardiac silhouette"])
def test_a_stable_heart_or_mediastinum_says_nothing(phrase: str) -> None:
    told = [
        statement
        for written in range(1500)
        for statement in GRAMMAR.findings(
            Random(written).random, Case("test", {"Fracture": NEGATIVE}, asides=1.0)
        )
        if phrase in statement.text
    ]
    assert told
    assert all(not s.says and not s.abnormal for s in told)


def test_sternal_wires_and_clips_are_not_normal() -> None:
    (aside,) = [
        a for a in LEXICON.asides if any("sternotomy" in str(line.phrase.parts) for line in a.lines)
    ]
    assert aside.abnormal


def test_lists_join_their_last_two() -> None:
    assert listed(Random(0).random, ["a"]) == ("a", "a")
    forms = {listed(Random(seed).random, ["a", "b", "c"]) for seed in range(200)}
    assert ("a, b or c", "a, b nor c") in forms
    assert ("a, b, or c", "a, b, nor c") in forms
    assert {either for either, _ in forms} == {
        *("a, b or c", "a, b, or c", "a, b and c", "a, b/c", "a, b, c", "a, b and/or c"),
    }


def test_the_share_of_masked_words_is_the_manners() -> None:
    noise = Noise(LEXICON)
    text = " ".join(LEXICON.maskable)
    words = len(text.split())
    for share in (0.0, 0.5, 1.0):
        manner = replace(PLAIN, mask="XXXX", masked=share)
        made = noise.clause(Random(1).random, manner, text).split().count("XXXX")
        assert abs(made / words - share) < 0.25
    assert "XXXX" not in noise.clause(Random(1).random, PLAIN, text)


def test_replaced_words_keep_their_capitals() -> None:
    table = word_table({"Clear": "", "x ray": ""})
    other = {"clear": "free", "x ray": "film"}.__getitem__
    assert replaced(table, "CLEAR Clear clear X ray", other) == "FREE Free free Film"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("absent_too: [gas]\nother_exams: [{heading: [hip]}]", "'text' is missing"),
        ("other_exams: [{heading: [hip], text: [x], closing: [y], side: z}]", "side"),
        (
            "other_exams: [{heading: [hip], text: [x], closing: [y], says: {Bone: positive}}]",
            "Bone",
        ),
        ("synonyms: {is seen: [no]}", "list of words"),
        ("synonyms: {is seen: []}", "list of words"),
    ],
)
def test_mistakes_in_the_new_keys_are_found(more: str, problem: str) -> None:
    with pytest.raises(LabelSetError) as caught:
        small("summaries:", f"{more}\nsummaries:")
    assert any(problem in str(told) for told in (caught.value.problems or [caught.value]))


def test_unknown_causes_are_found() -> None:
    with pytest.raises(LabelSetError, match=r"Stome.*Stone"):
        small("evolves: true", "evolves: true\n    causes: [Stome]")


def test_a_small_lexicon_may_use_them_all() -> None:
    lexicon = small(
        "summaries:",
        "absent_too: [free gas]\n"
        "other_exams: [{heading: [hip], text: [no fracture], closing: [normal hip]}]\n"
        "summaries:",
    )
    texts = " ".join(w.report.text for w in ReportWriter(TINY, lexicon=lexicon).stream(800, 2))
    assert "free gas" in texts.casefold()
    assert "hip. no fracture" in texts.casefold()
