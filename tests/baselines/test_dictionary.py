"""``--model dictionary``: what it looks up, what it leaves, how it is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tagger_tools import FLAT, write_notes

from baselines.dictionary import Dictionary, DictionaryLabeler
from baselines.tagger.notes import Note
from labelwright.cli import main
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
    made = Dictionary(NOTES)
    shares = {" ".join(words): entry.share for words, entry in made.entries.items()}
    assert shares == {"carcinoma": 1.0, "colon": 0.5, "colon cancer": 1.0}
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
    made = Dictionary(NOTES)
    sites = [note("The colon hurts.", ("Site", "colon"))]
    assert made.best_share(sites) == 0.05
    assert made.best_share([note("The colon hurts."), *NOTES[:1]]) == 0.05
    others = [note("A carcinoma. The colon, the colon.", ("Lesion", "carcinoma"))]
    assert made.best_share(others) == 0.55


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
    empty = write_notes(tmp_path / "none", [(text, []) for text, _ in FLAT[:2]])
    for more, message in (
        ([], "needs --dictionary"),
        (["--dictionary", str(tmp_path)], "has no train.reports.jsonl"),
        (["--dictionary", str(empty)], "no entity to look up"),
        (["--dictionary", str(data), "--label-set", "disease-1"], "is for label set lesion-2"),
        (["--dictionary", str(data), "--batch-size", "2"], "does not apply to --model dictionary"),
    ):
        assert main([*flags[:-4], "--out", str(tmp_path / "x"), *flags[-2:], *more]) == 2, message
        assert message in capsys.readouterr().err
    found = DictionaryLabeler.from_folder(data).label_reports([Report("a", " ", "s", 1)])
    assert isinstance(found[0], Reject)
