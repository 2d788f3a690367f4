"""Rules files: what is read, and one line with a remedy for every mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from baselines.rules.labeler import RulesLabeler, rule_book
from baselines.rules.phrases import MAX_FORMS, PhraseTrie, mistake, sentences
from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Report

KNEE = """
name: knee-2
version: "1"
task: certainty
language: en
instruction: "Label {labels} with {certainties}."
certainties: [positive, negative, uncertain, blank]
labels:
  - name: Effusion
  - name: Tear
  - name: Normal
    certainties: [positive, blank]
"""
RULES = """\
label_set: knee-2
scope: scope-en.yaml
observations:
  Effusion:
    mentions: ["joint? effusion*"]
  Tear:
    mentions: [tear]
    parts:
      - names: [meniscus]
        changed: [torn]
rest:
  label: Normal
  other_findings: [baker cyst]
"""
LABEL_SET = LabelSet.from_text(KNEE)


def problems(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "knee.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LabelSetError) as caught:
        rule_book.load(LABEL_SET, path)
    assert str(caught.value).startswith(f"{path}:")
    return tuple(line.removeprefix(f"{path}:") for line in caught.value.problems)


def test_rules_of_a_user_work(tmp_path: Path) -> None:
    path = tmp_path / "knee.yaml"
    path.write_text(RULES, encoding="utf-8")
    labeler = RulesLabeler.for_label_set(LABEL_SET, path)
    texts = ["No joint effusion. The meniscus is torn.", "Normal meniscus.", "A Baker cyst."]
    results = labeler.label_reports([Report(str(i), t, "x", i) for i, t in enumerate(texts)])
    labels = [list(r.labels.values()) for r in results if isinstance(r, Prediction)]
    positive, negative, blank = Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.BLANK
    assert labels == [[negative, positive, blank], [blank, negative, positive], [blank] * 3]


def test_a_scope_file_beside_the_rules_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "knie.yaml"
    path.write_text(RULES.replace("scope-en", "scope-de"), encoding="utf-8")
    (tmp_path / "scope-de.yaml").write_text("negative_before: [kein]\n", encoding="utf-8")
    labeler = RulesLabeler.for_label_set(LABEL_SET, path)
    (result,) = labeler.label_reports([Report("1", "Kein effusion", "x", 1)])
    assert isinstance(result, Prediction)
    assert result.labels["Effusion"] is Certainty.NEGATIVE
    assert set(labeler.describe()["rules_sha256"]) == {"knie.yaml", "scope-de.yaml"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kein Pneumothorax.", ""),
        ("Keine Pneumonie. COPD.", ""),
        ("Pneumothorax nicht nachweisbar.", ""),
        ("Geen pneumothorax.", ""),
        ("Ingen pneumothorax.", ""),
        ("Small effusion. Kein Pneumothorax.", "Pleural Effusion positive"),
        ("Lungs clear. Pneumothorax nicht ausgeschlossen.", ""),
    ],
)
def test_one_denial_in_another_language_is_no_finding(text: str, expected: str) -> None:
    (result,) = RulesLabeler.for_label_set(LabelSet.load("chexpert-14")).label_reports(
        [Report("1", text, "x", 1)]
    )
    assert isinstance(result, Prediction)
    known = {k: c for k, c in result.labels.items() if c not in (None, Certainty.BLANK)}
    assert ", ".join(f"{name} {c}" for name, c in known.items()) == expected
    assert result.problems == ("language: not that of the rules",)


def test_a_label_set_without_rules_is_told_so() -> None:
    with pytest.raises(LabelSetError, match=r"no rules for label set 'knee-2'; .*chexpert-14"):
        RulesLabeler.for_label_set(LABEL_SET)


@pytest.mark.parametrize("name", rule_book.shipped_names())
def test_shipped_rules_cover_their_label_set(name: str) -> None:
    label_set = LabelSet.load(name)
    book = rule_book.load(label_set)
    covered = {rules.label for rules in book.observations} | {book.rest.label if book.rest else ""}
    assert covered >= set(label_set.names)


def replaced(old: str, new: str) -> Callable[[], str]:
    assert old in RULES
    return lambda: RULES.replace(old, new)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (replaced("mentions: [tear]", "mention: [tear]"), 7, "did you mean 'mentions'"),
        (replaced("  Tear:", "  Tare:"), 6, "unknown key 'Tare'; did you mean 'Tear'"),
        (replaced("label: Normal", "label: Norm"), 12, "unknown label 'Norm'"),
        (replaced("rest:\n", "rest:\n  ignore: [Tare]\n"), 12, "unknown label 'Tare'"),
        (replaced("knee-2", "knee-3"), 1, "label_set must be 'knee-2'"),
        (replaced("scope-en.yaml", "scope-xx.yaml"), 2, "no scope file 'scope-xx.yaml'"),
        (replaced("scope: scope-en.yaml\n", ""), 1, "scope is missing"),
        (replaced("[tear]", "tear"), 7, "mentions must be a list"),
        (replaced("[tear]", "[no]"), 7, "False is not text; put it in quotes"),
        (replaced("[tear]", "[12]"), 7, "12 is not text"),
        (replaced("[tear]", "['te-ar']"), 7, "write a-b as 'a b'"),
        (replaced("[tear]", "['~3 tear']"), 7, "cannot begin or end with a gap"),
        (replaced("[tear]", "['tear ~77 x']"), 7, "gap '~77' is out of range"),
        (replaced("[tear]", "['tear?']"), 7, "phrase without a fixed word"),
        (replaced("[tear]", "['']"), 7, "empty phrase"),
        (replaced("      - names: [meniscus]\n        ch", "      - ch"), 9, "part without names"),
        (
            replaced("      - names: [meniscus]\n        changed: [torn]\n", "      - x\n"),
            9,
            "mapping",
        ),
        (
            replaced("    mentions: [tear]\n", "    mentions: [tear]\n    mentions: [a]\n"),
            8,
            "twice",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, text: Callable[[], str], line: int, message: str
) -> None:
    found = problems(tmp_path, text())
    assert any(p.startswith(f"{line}: ") and message in p for p in found), found


def test_a_mistake_in_the_scope_file(tmp_path: Path) -> None:
    (tmp_path / "scope-de.yaml").write_text("negative_befor: [kein]\n", encoding="utf-8")
    path = tmp_path / "knie.yaml"
    path.write_text(RULES.replace("scope-en", "scope-de"), encoding="utf-8")
    with pytest.raises(LabelSetError, match=r"scope-de\.yaml:1: .*did you mean 'negative_before'"):
        rule_book.load(LABEL_SET, path)


@pytest.mark.parametrize("content", ["", "[a, b]", "just text", "a: [1", "a: &x 1\nb: *x"])
def test_files_of_another_shape(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LabelSetError):
        rule_book.load(LABEL_SET, path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LabelSetError, match="cannot be read"):
        rule_book.load(LABEL_SET, tmp_path / "none.yaml")


def test_a_phrase_that_explodes_is_refused() -> None:
    many = " ".join("a|b|c|d" for _ in range(7))
    assert MAX_FORMS < 4**7
    assert mistake(many) is not None


@pytest.mark.parametrize(
    ("phrase", "text", "spans"),
    [
        ("lung mass|masses", "Lung masses, lung mass", [(0, 2), (3, 5)]),
        ("small? effusion*", "small effusions", [(0, 2), (1, 2)]),
        ("heart ~2 large", "heart is large", [(0, 3)]),
        ("heart ~2 large", "heart looks a bit large", []),
        ("heart ~2 large", "heart, large", []),
        ("air space", "Air-space air_space airspace", [(0, 2), (2, 4)]),
        (": no .", "x: no y", []),
        (": no .", "x: no", [(1, 3)]),
        (", new", "old, new", [(1, 3)]),
        ("? mass", "tumor (?mass", [(2, 4)]),
        ("mass ? .", "no mass?", [(1, 3)]),
        ("don't", "Don’t don't", [(0, 1), (1, 2)]),
        ("not seen", "isn’t seen, wasnt seen, want seen", [(0, 2), (3, 5)]),
        ("mass : none", "mass - none, mass=none, mass\tnone", [(0, 3), (4, 7), (8, 11)]),
        ("- small", "none – small, non-small", [(1, 3)]),
        ("^ normal", "normal and normal", [(0, 1)]),
        ("^ normal .", "normal", [(0, 1)]),
    ],
)
def test_phrase_syntax(phrase: str, text: str, spans: list[tuple[int, int]]) -> None:
    assert mistake(phrase) is None
    trie = PhraseTrie()
    trie.add(phrase, "x")
    (sentence,) = sentences(text)
    assert [(m.start, m.end) for m in trie.find(sentence.words)] == spans
