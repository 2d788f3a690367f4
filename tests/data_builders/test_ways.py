"""Ways of saying: what their words say of each role, by kind, and texts that say nothing."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from kidney_lexicon import SMALL_SET, small
from rules_tools import said

from data_builders.synthetic.draw_findings import Case
from data_builders.synthetic.grammar import Grammar
from data_builders.synthetic.lexicon import Lexicon
from data_builders.synthetic.reports import ReportWriter
from data_builders.synthetic.statements import truth
from data_builders.synthetic.ways import plural
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
TINY = LabelSet.from_text(SMALL_SET)
LEXICON = Lexicon.for_label_set(CHEST)
GRAMMAR = Grammar(LEXICON, CHEST)

OWN = """
ways:
  - kind: but
    says: {a: negative, b: positive}
    evolves: [b]
    text: ["no {a} but {b_ax} {b_xis} there"]
  - kind: asked
    says: {a: blank}
    text: ["is there {a}"]
  - kind: gone
    says: {a: negative}
    only: {a: [Stone]}
    text: ["{a} {a_is} not seen"]
voids: ["see the knee film"]
summaries:"""

NOUNS = ("left renal cyst", "left stone")


def own(old: str = "", new: str = "") -> Lexicon:
    assert old in OWN
    return small("summaries:", OWN.replace(old, new, 1))


def written(grammar: Grammar, kind: str) -> dict[str, dict[str, Certainty]]:
    """The texts of a kind, left and right alike, and what they say."""
    made = [grammar.of_kind(Random(seed).random, kind) for seed in range(80)]
    return {s.text.replace("right", "left"): dict(s.says) for s in made if s is not None}


def test_each_role_is_said_as_the_way_says() -> None:
    grammar = Grammar(own(), TINY)
    assert grammar.kinds == ("but", "asked", "gone")
    both = {"Stone": NEGATIVE, "Cyst": POSITIVE}  # only the cyst evolves
    # Bare names and whole noun phrases stand on either side of the border.
    assert written(grammar, "but") == {
        "no stone but a left renal cyst is there": both,
        "no left stone but a left renal cyst is there": both,
        "no stone but a cyst is there": both,
        "no left stone but a cyst is there": both,
    }
    asked = written(grammar, "asked")
    assert set(asked) == {f"is there {name}" for name in ("cyst", "stone", *NOUNS)}
    assert all(said == {} for said in asked.values())
    denied = {"Stone": NEGATIVE}
    assert written(grammar, "gone") == {
        "stone is not seen": denied,
        "left stone is not seen": denied,
    }


def test_a_way_takes_what_the_case_wants_said_and_nothing_that_it_denies() -> None:
    wanted = {"Pneumothorax": NEGATIVE, "Pleural Effusion": POSITIVE, "Edema": UNCERTAIN}
    for seed in range(300):
        case, todo = Case("test", dict(wanted), asides=0.0, varied=1.0), dict(wanted)
        said = GRAMMAR.say(Random(seed).random, "Pneumothorax", NEGATIVE, todo, case)
        assert said.says["Pneumothorax"] is NEGATIVE
        assert "Pneumothorax" not in todo
        assert all(said.says[name] is wanted[name] for name in said.says.keys() & wanted.keys())
        assert all(case.states[name] is certainty for name, certainty in said.says.items())


def test_texts_that_say_nothing_leave_every_label_blank() -> None:
    void = Grammar(own(), TINY).of_kind(Random(1).random, "void")
    assert void is not None
    assert void.text == "see the knee film"
    assert set(truth(TINY, [void]).values()) == {BLANK}
    texts = set()
    for seed in range(60):
        written = GRAMMAR.of_kind(Random(seed).random, "void")
        assert written is not None
        assert set(truth(CHEST, [written]).values()) == {BLANK}
        texts.add(written.text)
    assert len(texts) > 30


def test_short_texts_are_of_every_kind_and_of_a_line_or_two() -> None:
    assert {"after-negation", "scope-end", "pseudo-negation", "run-on"} <= set(GRAMMAR.kinds)
    assert {"hypothetical", "other-person", "history", "request"} <= set(GRAMMAR.kinds)
    writer = ReportWriter(CHEST, balance=0.5, brief=1.0)
    profiles = Counter()
    words = []
    seen = Counter()
    for written in writer.stream(1500, 3):
        short = written.report.meta["profile"] == "short"
        profiles[short] += 1
        if short and not written.report.sections:
            words.append(len(written.report.text.split()))
        seen.update((n, c) for n, c in written.labels.items())
    assert 0.5 < profiles[True] / 1500 < 0.7
    assert sorted(words)[len(words) // 2] < 12
    for label in CHEST.labels:
        for certainty in label.certainties:
            assert seen[label.name, certainty] >= 25, (label.name, certainty)


# The wording decides; see docs/labeling-guide.md.
@pytest.mark.parametrize(
    ("kind", "part", "expected"),
    [
        ("after-negation", "has been ruled out", NEGATIVE),
        ("pseudo-negation", "has not been ruled out", UNCERTAIN),
        ("pseudo-negation", "no longer just mild", POSITIVE),
        ("form", ": possible", UNCERTAIN),
        ("doubt", "consistent with", POSITIVE),
        ("doubt", "suggestive of", UNCERTAIN),
        ("negative-for", "positive for", POSITIVE),
    ],
)
def test_wordings_say_what_the_guide_says(kind: str, part: str, expected: Certainty) -> None:
    found = [
        statement
        for seed in range(4000)
        if (statement := GRAMMAR.of_kind(Random(seed).random, kind)) is not None
        and part in statement.text
        and len(statement.says) == 1
    ]
    assert found
    assert {c for statement in found for c in statement.says.values()} == {expected}


def test_what_is_only_named_is_not_said() -> None:
    for kind in ("hypothetical", "request", "other-person", "history", "no-other"):
        blank = [way for way in LEXICON.ways if way.kind == kind and BLANK in way.says.values()]
        assert blank, kind


@pytest.mark.parametrize(
    ("term", "many"),
    [
        ("effusions", True),
        ("atelectasis", False),
        ("atelectases", True),
        ("mass", False),
        ("nodules or masses", True),
        ("pneumothorax on either side", False),
        ("", False),
    ],
)
def test_verbs_agree_with_the_term(term: str, many: bool) -> None:
    assert plural(term) is many


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("kind: but", "sort: but", "'kind' is missing"),
        ("says: {a: blank}", "says: {b: blank}", "needs the role a"),
        ("says: {a: blank}", "says: {a: maybe}", "unknown certainty 'maybe'"),
        ("says: {a: blank}", "says: {a: blank, e: blank}", "unknown key"),
        ("only: {a: [Stone]}", "only: {a: [Stome]}", "did you mean 'Stone'"),
        ("evolves: [b]", "evolves: [c]", "no role 'c'"),
        ("{b_ax} {b_xis}", "{c_ax} {b_xis}", "unknown slot {c_ax}"),
        ('    text: ["is there {a}"]\n', "", "'text' is missing"),
    ],
)
def test_mistakes_in_ways_are_found(old: str, new: str, problem: str) -> None:
    with pytest.raises(LabelSetError) as caught:
        own(old, new)
    assert any(problem in str(told) for told in caught.value.problems)


def test_a_lexicon_may_use_the_shared_ways_with_words_of_its_own() -> None:
    assert LEXICON.ways[0].kind == "history"  # its own stand first
    assert any(way.kind == "scope-end" for way in LEXICON.ways)
    assert not Lexicon.for_label_set(LabelSet.load("head-ct-5")).ways


def test_strangers_are_no_observation_and_leave_a_report_normal_only_if_usual() -> None:
    """The rules, which read with word lists of their own, find nothing in most of them either."""
    draw = Random(5).random
    made = [s for s in (GRAMMAR.of_kind(draw, "stranger") for _ in range(400)) if s is not None]
    assert len({s.text for s in made}) > 350
    for statement in made:
        labels = truth(CHEST, [statement])
        assert labels.pop("No Finding") is (BLANK if statement.abnormal else POSITIVE)
        assert set(labels.values()) == {BLANK}
    assert 150 < sum(s.abnormal for s in made) < 250
    silent = [said(s.text) in ("", "NF+") for s in made]
    assert sum(silent) / len(silent) > 0.93


def test_short_texts_hold_strangers_alone_and_beside_observations() -> None:
    texts = ReportWriter(CHEST, brief=1.0, lexicon=LEXICON).stream(400, seed=3)
    others = Counter(
        all(c is BLANK for n, c in w.labels.items() if n != "No Finding") for w in texts
    )
    assert 0.05 < others[True] / others.total() < 0.3  # .6 x .3 x .5 of strangers, and voids
