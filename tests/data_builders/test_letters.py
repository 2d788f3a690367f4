"""Synthetic discharge letters: gold right by construction, every field, traps, the same by seed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from data_builders.synthetic.letters.draft import wrapped
from data_builders.synthetic.letters.phrases import Hole, Mark, compiled
from data_builders.synthetic.letters.writer import LetterWriter, spoken_of, write_letters
from labelwright.cli import main
from labelwright.errors import ConfigError, LabelSetError
from labelwright.label_set import LabelSet
from labelwright.tasks.fields.answer import parse, render
from labelwright.tasks.fields.normalise import read_value
from labelwright.tasks.fields.schema import FieldType, fields_of
from labelwright.tasks.fields.values import Status, from_json

LABEL_SET = LabelSet.load("cardiac-discharge-74")
OWN = fields_of(LABEL_SET)
WHOLE = ("anamnesi", "terapia", "esami_ingresso", "decorso_post_operatorio", "esami_dimissione")
WHOLE += ("terapia_dimissione",)
LETTERS = list(write_letters(LABEL_SET, 300, 13))


@pytest.mark.parametrize("name", ["cardiac-discharge-74", "discharge-summary-28"])
def test_every_place_holds_its_words_and_they_mean_the_value(name: str) -> None:
    label_set = LabelSet.load(name)
    own = fields_of(label_set)
    letters = LETTERS if label_set == LABEL_SET else list(write_letters(label_set, 100, 13))
    assert spoken_of(label_set) == set(own.by_name)
    for letter in letters:
        assert set(letter.fields) == set(own.by_name)
        for name, one in letter.fields.items():
            field = own.by_name[name]
            for item in one.items:
                ((start, end),) = item.spans
                assert letter.report.text[start:end] == item.raw
                if field.type is FieldType.BOOLEAN:
                    assert isinstance(item.value, bool)
                else:
                    reading = read_value(own, field, item.raw)
                    assert (reading.value, reading.wrong, reading.doubt) == (item.value, "", "")


def test_all_fields_are_stated_by_some_and_silent_in_others() -> None:
    stated = Counter(n for x in LETTERS for n, one in x.fields.items() if one.items)
    assert set(stated) == set(OWN.by_name)
    assert max(stated.values()) < len(LETTERS) or "cognome" in stated
    for name in OWN.by_name:
        silent = sum(x.fields[name].status is Status.NOT_MENTIONED for x in LETTERS)
        assert silent > 0 or name in ("nome", "cognome")
    said = {(n, item.value) for x in LETTERS for n, one in x.fields.items() for item in one.items}
    for field in OWN.fields:
        if field.type is FieldType.BOOLEAN and field.name != "morte":
            assert {(field.name, True), (field.name, False)} <= said
        for category in field.values:
            assert (field.name, category.value) in said


def test_answers_of_the_gold_read_back_as_the_gold() -> None:
    for letter in LETTERS[:40]:
        parsed = parse(LABEL_SET, render(LABEL_SET, letter.fields), letter.report.text)
        assert parsed.value is not None
        for name, one in letter.fields.items():
            assert parsed.value[name].value == one.value, name
        assert not [p for p in parsed.problems if not p.startswith("no evidence")]


def test_traps_are_in_the_letters_and_in_no_value() -> None:
    """Relatives, other numbers and former doses beside fields that stay silent."""
    silent = [
        x
        for x in LETTERS
        if "Padre diabetico" in x.report.text and x.fields["diabete"].status is Status.NOT_MENTIONED
    ]
    assert silent
    wards = [x for x in LETTERS if "Segreteria di reparto tel." in x.report.text]
    assert any(not x.fields["numero_di_telefono"].items for x in wards)
    former = [x for x in LETTERS if "(in precedenza" in x.report.text]
    for letter in former:
        dose = letter.fields["lasix_dosaggio"].items[0]
        assert "in precedenza" in letter.report.text[dose.spans[0][1] :][:20]
    assert former
    assert {x.report.meta["manner"] for x in LETTERS} >= {"clean", "slips", "misread", "wrapped"}


def test_dates_and_days_fit_each_other() -> None:
    for letter in LETTERS:
        value = {name: one.value for name, one in letter.fields.items()}
        dates = ("data_di_nascita", "data_ingresso_cch", "data_dimissione_cch")
        known = [str(value[name]) for name in dates if value[name] is not None]
        assert known == sorted(known)
        if value["morte"]:
            assert value["data_dimissione_cch"] is None
            assert value["terapia_dimissione"] is None
        for name in ("causa_morte", "data_morte"):
            assert value[name] is None or value["morte"]
        for dependent, on in (("anno_redo", "redo"), ("lasix_dosaggio", "lasix")):
            assert value[dependent] is None or value[on] is True


def test_the_same_letter_by_seed_and_index_alone() -> None:
    again = LetterWriter(LABEL_SET).write(13, 7)
    assert again == LETTERS[7]
    (other,) = write_letters(LABEL_SET, 1, 14)
    assert other.report.text != LETTERS[0].report.text
    clean = list(write_letters(LABEL_SET, 20, 13, noise=0.0))
    assert {x.report.meta["manner"] for x in clean} == {"clean"}
    with pytest.raises(ConfigError, match="noise is 2"):
        write_letters(LABEL_SET, 1, 1, noise=2.0)
    with pytest.raises(
        LabelSetError, match="there are letters for: cardiac-discharge-74, discharge"
    ):
        write_letters(LabelSet.load("chexpert-14"), 1, 1)


def test_the_command_builds_records_and_gold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["build", "--label-set", LABEL_SET.name, "--synthetic", "12", "--split", "none"]
    assert main([*words, "--seed", "13", "--out", str(tmp_path / "a")]) == 0
    rows, gold = (
        [json.loads(line) for line in (tmp_path / "a" / name).read_text().splitlines()]
        for name in ("train.jsonl", "train.fields.jsonl")
    )
    assert [row["id"] for row in rows] == [x.report.id for x in LETTERS[:12]]
    assert rows[3]["completion"][0]["content"] == render(LABEL_SET, LETTERS[3].fields)
    assert from_json(gold[3]["fields"]) == LETTERS[3].fields
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["synthetic"]["letters"] == 12
    assert main([*words, "--balance", "0.5", "--out", str(tmp_path / "b")]) == 2
    assert "--balance is for reports, not letters" in capsys.readouterr().err
    assert main(["build", "--label-set", "disease-1", "--synthetic", "3", "--out", "x"]) == 2
    assert "no letters are written for disease-1" in capsys.readouterr().err


def test_letters_with_their_targets_marked(tmp_path: Path) -> None:
    words = ["build", "--label-set", "discharge-target-1", "--synthetic", "12", "--split", "none"]
    assert main([*words, "--seed", "13", "--out", str(tmp_path)]) == 0
    lines = (tmp_path / "train.entities.jsonl").read_text().splitlines()
    marked = {row["id"]: row["entities"] for row in map(json.loads, lines)}
    for letter in LETTERS[:12]:
        fields = [n for n in letter.fields if n not in WHOLE and letter.fields[n].items]
        spans = {span for n in fields for span in letter.fields[n].items[0].spans}
        found = {tuple(entity["spans"][0]) for entity in marked[letter.report.id]}
        assert found <= spans
        for start, end in spans:  # every value is marked, at least as part of a longer one
            assert any(a <= start and end <= b for a, b in found)


def test_markup_of_phrases() -> None:
    assert compiled("a <redo=true|REDO> <{anno}>") == (
        "a ",
        Mark("redo", "true", ("REDO",)),
        " ",
        Mark(None, None, (Hole("anno"),)),
    )
    assert compiled("<x|<{y}>>") == (Mark("x", None, (Mark(None, None, (Hole("y"),)),)),)
    for broken in ("<a", "a>", "{a"):
        with pytest.raises(LabelSetError):
            compiled(broken)


def test_wrapping_moves_nothing() -> None:
    text = "parola " * 60 + "\n" + "altra " * 30
    lines = wrapped(text)
    assert len(lines) == len(text)
    assert max(map(len, lines.split("\n"))) <= 100
    assert lines.split() == text.split()
