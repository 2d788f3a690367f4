"""``--model dictionary``: what it looks up, what it leaves, how it is asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tagger_tools import FLAT, label_set, write_notes

from baselines.dictionary import Dictionary, DictionaryLabeler, digest
from baselines.tagger.known import NEVER, Known
from baselines.tagger.notes import Note
from labelwright.cli import main
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Reject, Report


def note(text: str, *marked: tuple[str, str]) -> Note:
    """A note in which the first occurrence of each string is marked."""
    found = []
    for kind, words in marked:
        start = text.index(words)
        found.append(Entity.of(text, kind, (start, start + len(words))))
    return Note(text, text, tuple(found))


NOTES = [
    note("Carcinoma of the colon.", ("Lesion", "Carcinoma"), ("Site", "colon")),
    note("A colon cancer, not a colon.", ("Lesion", "colon cancer")),
    note("The colon is free.", ("Site", "colon")),
]


def test_the_longest_string_wins_and_a_rare_one_does_not() -> None:
    """``colon`` stands four times (once inside ``colon cancer``) and is marked twice: .5."""
    made = Dictionary.of(NOTES)
    strings = {("carcinoma",): 1.0, ("colon",): 0.5, ("colon", "cancer"): 1.0}
    assert {key: entry.share for key, entry in made.entries.items()} == {
        digest(words): share for words, share in strings.items()
    }
    text = "COLON  CANCER beside the colon; carcinomatosis, carcinoma."
    found = [(e.type, e.text, e.start, e.prob) for e in made.find(text, least=0.5)]
    assert found == [
        ("Lesion", "COLON  CANCER", 0, 1.0),
        ("Site", "colon", 25, 0.5),
        ("Lesion", "carcinoma", 48, 1.0),
    ]
    assert [e.text for e in made.find(text, least=0.6)] == ["COLON  CANCER", "carcinoma"]
    assert list(made.find("", least=0.0)) == []


def test_the_share_is_tuned_on_validation() -> None:
    """Where ``colon`` is always a site, looking it up is right; where it never is, it is not."""
    made = Dictionary.of(NOTES)
    sites = [note("The colon hurts.", ("Site", "colon"))]
    assert made.best_share(sites) == 0.05
    assert made.best_share([note("The colon hurts."), *NOTES[:1]]) == 0.05
    others = [note("A carcinoma. The colon, the colon.", ("Lesion", "carcinoma"))]
    assert made.best_share(others) == 0.55


def found(text: str, *marked: tuple[str, float, str]) -> list[Entity]:
    made = []
    for words, prob, kind in marked:
        start = text.index(words)
        made.append(replace(Entity.of(text, kind, (start, start + len(words))), prob=prob))
    return made


TOLD = "Carcinoma of the colon, colon cancer, liver."


def test_a_tagger_and_a_dictionary_decide_together() -> None:
    """The dictionary has ``Carcinoma`` and ``colon cancer`` (both always marked) and ``colon``
    (marked half of the time). The tagger is sure of ``liver``; of ``Carcinoma`` it is not, but
    the dictionary has it; ``the colon`` falls, so the dictionary's ``colon`` comes in; ``cancer``
    it is sure of, so nothing is put over it.
    """
    made = Dictionary.of(NOTES)
    said = found(
        TOLD,
        *(("Carcinoma", 0.4, "Lesion"), ("the colon", 0.7, "Site")),
        *(("cancer", 0.95, "Lesion"), ("liver", 0.9, "Site")),
    )
    both = Known(made, sure=0.9, share=0.5, overlaps=False)
    assert [(e.text, e.prob) for e in both.reread(TOLD, said)] == [
        *(("Carcinoma", 1.0), ("colon", 0.5), ("cancer", 0.95), ("liver", 0.9)),
    ]
    surer = both.from_probability(0.92).reread(TOLD, said)
    assert [(e.text, e.prob) for e in surer] == [("Carcinoma", 1.0), ("cancer", 0.95)]
    several = Known(made, sure=0.9, share=0.6, overlaps=True)
    assert [
        (e.text, e.prob) for e in several.reread(TOLD, found(TOLD, ("colon,", 0.9, "Site")))
    ] == [
        *(("Carcinoma", 1.0), ("colon,", 0.9), ("colon cancer", 1.0)),
    ]
    alone = Known(made, sure=0.0, share=NEVER, overlaps=False)
    assert alone.reread(TOLD, said) == tuple(said)


def test_how_far_each_is_believed_is_tuned() -> None:
    """Where the tagger's unsure mention is wrong and the dictionary's are right, both thresholds
    move until F1 is 1; where the tagger is right already, nothing changes.
    """
    made = Dictionary.of(NOTES)
    text = "Carcinoma of the colon, liver."
    gold = [found(text, ("Carcinoma", 1.0, "Lesion"), ("colon", 1.0, "Site"))]
    said = [found(text, ("Carcinoma", 0.9, "Lesion"), ("liver", 0.6, "Site"))]
    both = Known.tuned(made, [text], said, gold, overlaps=False)
    assert (both.sure, both.share) == (0.65, 0.05)
    assert [e.text for e in both.reread(text, said[0])] == ["Carcinoma", "colon"]
    right = Known.tuned(made, [text], gold, gold, overlaps=False)
    assert (right.sure, right.share) == (0.0, NEVER)


def test_a_dictionary_in_a_model_folder_holds_no_words() -> None:
    made = Dictionary.of(NOTES)
    text = json.dumps(made.to_json())
    assert not any(word in text.casefold() for word in ("carcinoma", "colon", "cancer"))
    again = Dictionary.from_json(json.loads(text), label_set())
    assert list(again.find(TOLD, least=0.1)) == list(made.find(TOLD, least=0.1))
    with pytest.raises(ValueError, match="another label set"):
        Dictionary.from_json(json.loads(text), LabelSet.load("disease-1"))
    endless = json.loads(text) | {"sizes": {digest(("a",)): [-1]}}
    with pytest.raises(ValueError, match="damaged"):
        Dictionary.from_json(endless, label_set())


def test_the_label_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_notes(tmp_path / "data", FLAT[:12])
    reports = data / "validation.reports.jsonl"
    flags = ["label", str(reports), "--out", str(tmp_path / "out"), "--model", "dictionary"]
    assert main([*flags, "--dictionary", str(data)]) == 0
    rows = [json.loads(r) for r in (tmp_path / "out/predictions.jsonl").read_text().splitlines()]
    for row, (_, gold) in zip(rows, FLAT[:12], strict=True):
        assert [(e["type"], e["spans"]) for e in row["entities"]] == [
            (e.type, [list(span) for span in e.spans]) for e in gold
        ]
    facts = json.loads((tmp_path / "out/manifest.json").read_text())["labeler"]
    assert (facts["kind"], facts["strings"]) == ("dictionary", 5)
    none = write_notes(tmp_path / "none", [(text, []) for text, _ in FLAT[:2]])
    for more, message in (
        ([], "needs --dictionary"),
        (["--dictionary", str(tmp_path)], "has no train.reports.jsonl"),
        (["--dictionary", str(none)], "no entity to look up"),
        (["--dictionary", str(data), "--label-set", "disease-1"], "is for label set lesion-2"),
        (["--dictionary", str(data), "--batch-size", "2"], "does not apply to --model dictionary"),
    ):
        assert main([*flags[:-4], "--out", str(tmp_path / "x"), *flags[-2:], *more]) == 2, message
        assert message in capsys.readouterr().err
    [empty] = DictionaryLabeler.from_folder(data).label_reports([Report("a", " ", "s", 1)])
    assert isinstance(empty, Reject)
