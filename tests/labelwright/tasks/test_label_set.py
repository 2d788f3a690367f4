"""Label sets: the shipped ones load, every mistake is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from baselines.rules.labeler import RulesLabeler
from data_builders.sources.openi_codes import CodeTable
from data_builders.synthetic.reports import write_reports
from labelwright.cli import main
from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet, shipped_names
from labelwright.prompt import system_prompt
from labelwright.records import Certainty, Prediction, Report
from labelwright.tasks.certainty.answer import parse, render

GOOD = """\
name: small
version: "1"
task: certainty
instruction: "Label: {labels}"
labels:
  - name: Alpha
    key: A
    synonyms: [first]
  - name: Beta
    parent: Alpha
    certainties: [positive, blank]
exclusive:
  - label: Beta
    with: [Alpha]
"""


def test_shipped_label_sets_differ_in_size() -> None:
    sizes = {name: len(LabelSet.load(name).labels) for name in shipped_names()}
    assert sizes == {
        "breast-cancer-pt-10": 10,
        "cardiac-discharge-74": 74,
        "chest-attributes": 28,
        "chexpert-14": 14,
        "chexpert-14-words": 14,
        "discharge-summary-28": 28,
        "discharge-target-1": 1,
        "disease-1": 1,
        "head-ct-5": 5,
        "ibd-nl-9": 9,
        "radiology-id-5": 5,
        "semclinbr-12": 12,
        "tumour-morphology-1": 1,
    }


def test_chexpert_rules() -> None:
    label_set = LabelSet.load("chexpert-14")
    assert label_set.by_name["No Finding"].certainties == (Certainty.POSITIVE, Certainty.BLANK)
    devices = {"No Finding": Certainty.POSITIVE, "Support Devices": Certainty.POSITIVE}
    assert label_set.contradictions(devices) == []
    edema = {"No Finding": Certainty.POSITIVE, "Edema": Certainty.UNCERTAIN}
    assert label_set.contradictions(edema) == [("No Finding", "Edema")]


def test_a_variant_asks_the_same_in_other_words() -> None:
    """Names, order, rules and codes are those of the other; keys and instruction are not."""
    one, words = LabelSet.load("chexpert-14"), LabelSet.load("chexpert-14-words")
    assert (one.kin, words.kin) == ("chexpert-14", "chexpert-14")
    assert words.names == one.names
    assert words.exclusive == one.exclusive
    for label, other in zip(words.labels, one.labels, strict=True):
        same = ("name", "description", "parent", "codes", "certainties")
        assert [getattr(label, a) for a in same] == [getattr(other, a) for a in same]
        assert {*label.synonyms, label.key.capitalize()} >= set(other.synonyms)
    assert system_prompt(words) == "Label this chest X-ray report."
    line = render(words, {"Cardiomegaly": Certainty.POSITIVE})
    assert line.startswith("enlarged mediastinum blank, enlarged heart positive, lung opacity")
    assert (parse(words, line).value or {})["Cardiomegaly"] is Certainty.POSITIVE
    assert words.fingerprint != one.fingerprint
    assert one.asks_as(words)
    assert words.asks_as(one)
    assert not one.asks_as(LabelSet.load("head-ct-5"))
    fewer = LabelSet.from_text(words.text.replace("    certainties: [positive, blank]\n", ""))
    assert not one.asks_as(fewer)


def test_a_variant_takes_rules_lexicon_and_codes_of_its_kin() -> None:
    sets = [LabelSet.load("chexpert-14"), LabelSet.load("chexpert-14-words")]
    texts = ["No effusion. The heart is enlarged.", "Possible pneumonia."]
    reports = [Report(id=str(i), text=text, source="t", row=i) for i, text in enumerate(texts)]
    said = [RulesLabeler.for_label_set(own).label_reports(reports) for own in sets]
    labels = [[p.labels for p in own if isinstance(p, Prediction)] for own in said]
    assert labels[0] == labels[1]
    assert labels[0][0]["Cardiomegaly"] is Certainty.POSITIVE
    assert list(write_reports(sets[0], 5, 3)) == list(write_reports(sets[1], 5, 3))
    assert CodeTable.for_label_set(sets[0]) == CodeTable.for_label_set(sets[1])


def test_equal_by_text_and_hashable() -> None:
    one, two = LabelSet.from_text(GOOD), LabelSet.from_text(GOOD)
    assert one == two
    assert hash(one) == hash(two)
    assert one != LabelSet.from_text(GOOD.replace("small", "other"))
    assert one.fingerprint == two.fingerprint


def test_defaults() -> None:
    label_set = LabelSet.from_text(GOOD)
    assert label_set.language == "en"
    assert label_set.by_name["Beta"].key == "Beta"
    assert label_set.certainties == tuple(Certainty)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("version:", "versoin:", 2, "did you mean 'version'"),
        ('version: "1"', "version: 1", 2, 'write "1"'),
        ("task: certainty", "task: guessing", 3, "use one of: certainty"),
        ("{labels}", "{label}", 4, "unknown placeholder"),
        ("  - name: Alpha", "  - nmae: Alpha", 6, "did you mean 'name'"),
        ("name: Beta", "name: Alpha", 9, "must be unique"),
        ("name: Beta", "name: A", 9, "already means 'Alpha'"),
        ("name: Beta", "name: positive", 9, "also a certainty word"),
        ("name: Beta", "name: no", 9, "quote it"),
        ("name: Beta", "name: 'B, C'", 9, "must not be empty or hold"),
        ("key: A", "key: ''", 7, "must not be empty"),
        ("synonyms: [first]", "synonyms: first", 8, "must be a list"),
        ("synonyms: [first]", "synonyms: [x, x]", 8, "repeats a form"),
        ("parent: Alpha", "parent: Gamma", 10, "unknown parent"),
        ("parent: Alpha", "parent: Beta", 10, "its own ancestor"),
        ("[positive, blank]", "[positive, maybe]", 11, "unknown certainty 'maybe'"),
        ("[positive, blank]", "[positive]", 11, "at least two"),
        ("    with: [Alpha]", "    with: [Beta]", 14, "not another label"),
        ("    with: [Alpha]", "    without: [Alpha]", 13, "keys label and with"),
        ("    key: A", "    key: A\n    key: B", 8, "appears twice"),
    ],
)
def test_mistakes_have_line_and_remedy(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    with pytest.raises(LabelSetError) as caught:
        LabelSet.from_text(GOOD.replace(old, new, 1), "set.yaml")
    problems = caught.value.problems
    assert any(p.startswith(f"set.yaml:{line}: ") and words in p for p in problems), problems


@pytest.mark.parametrize(
    "text", ["", "- a\n", "a: [", "a: &x 1\nb: *x\n", "certainties: 3\n", "labels: 3\n", "[" * 1200]
)
def test_not_a_label_set_at_all(text: str) -> None:
    with pytest.raises(LabelSetError):
        LabelSet.from_text(text)


def test_all_mistakes_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(GOOD.replace("task:", "tusk:").replace("parent: Alpha", "parent: X"))
    assert main(["label-set", "check", str(file)]) == 2
    err = capsys.readouterr().err
    assert f"{file}:3: " in err
    assert f"{file}:10: " in err
    assert "Traceback" not in err


def test_check_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label-set", "check", "head-ct-5"]) == 0
    assert "5 labels" in capsys.readouterr().out
    assert main(["label-set", "show", "head-ct-5"]) == 0
    assert "Hydrocephalus blank." in capsys.readouterr().out
    assert main(["label-set", "list"]) == 0
    assert capsys.readouterr().out.split() == shipped_names()


def test_unknown_name_lists_the_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label-set", "check", "chexpert-15"]) == 2
    assert ", ".join(shipped_names()) in capsys.readouterr().err


def test_answer_words_of_another_language() -> None:
    german = GOOD.replace(
        'instruction: "Label: {labels}"',
        'language: de\ninstruction: "Befunde: {labels}; {certainties}"\n'
        "certainties: {positive: ja, negative: nein, uncertain: fraglich, blank: leer}",
    )
    label_set = LabelSet.from_text(german)
    assert label_set.words[Certainty.UNCERTAIN] == "fraglich"
    with pytest.raises(LabelSetError, match="appears twice"):
        LabelSet.from_text(german.replace("nein", "ja"))
