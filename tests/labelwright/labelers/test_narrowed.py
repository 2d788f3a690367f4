"""Only sentences in which a tagger found something are read; values stand in the whole text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from baselines.rules.fields import FieldRules
from labelwright.cli import main
from labelwright.errors import InputError
from labelwright.label_set import LabelSet
from labelwright.labelers.narrowed import Narrowed, kept_sentences
from labelwright.records import Entity, Prediction, Reject, Report

EXAMPLES = Path(__file__).parents[3] / "examples"
VISITS = LabelSet.load(EXAMPLES / "visits.yaml")
TEXT = "Seen 3/4/2023 in the office.  A 27-year-old woman. Nothing else. She smokes 5 a day."


class Numbers:
    """A tagger of numbers that stand before a blank or a dash."""

    name = "numbers"
    label_set = VISITS

    def describe(self) -> Mapping[str, Any]:
        return {"model": self.name}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        return [
            Prediction(
                id=one.id,
                model=self.name,
                task="entities",
                value=tuple(
                    Entity.of(one.text, "Number", match.span())
                    for match in re.finditer(r"\b\d+(?=[ -])", one.text)
                ),
            )
            for one in reports
        ]


def test_values_stand_in_the_whole_text() -> None:
    narrowed = Narrowed(FieldRules.for_label_set(VISITS), Numbers())
    one, other = narrowed.label_reports(
        [Report("a", TEXT, "x", 1), Report("b", "A man, seen once.", "x", 2)]
    )
    assert isinstance(one, Prediction)
    read = "Seen 3/4/2023 in the office.\nA 27-year-old woman.\nShe smokes 5 a day."
    assert one.notes == (f"read {len(read)} of {len(TEXT)} characters",)
    said = {name: value.value for name, value in one.value.items() if value.items}
    assert said == {
        "Visit date": "2023-04-03", "Age": 27.0, "Sex": "F", "Smoking": "current",
        "Cigarettes": 5.0,
    }  # fmt: skip
    for value in one.value.values():
        for item in value.items:
            ((start, end),) = item.spans
            assert TEXT[start:end] == item.raw
    assert isinstance(other, Prediction)
    assert other.notes == ("read 17 of 17 characters",)
    assert other.value["Sex"].value == "M"


class Picky(Numbers):
    """Rejects what is long."""

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        found = super().label_reports(reports)
        return [
            Reject(report.id, report.source, report.row, "long") if len(report.text) > 50 else one
            for report, one in zip(reports, found, strict=True)
        ]


def test_what_the_tagger_rejects_is_rejected() -> None:
    asked = [Report("a", TEXT, "x", 1), Report("b", "A man of 31.", "x", 2)]
    judged = FieldRules.for_label_set(VISITS)
    judged._tagger = Picky()
    for labeler in (Narrowed(FieldRules.for_label_set(VISITS), Picky()), judged):
        reject, read = labeler.label_reports(asked)
        assert reject == Reject("a", "x", 1, "tagger: long")
        assert isinstance(read, Prediction)
        assert (read.id, read.value["Sex"].value) == ("b", "M")
    with pytest.raises(InputError, match="tagger: long"):
        judged._proposals(asked)


def test_sentences_of_spans() -> None:
    assert kept_sentences("One. Two. Three.", [(6, 7), (4, 5)]) == [(5, 9)]
    assert kept_sentences("One. Two. Three.", [(11, 12), (2, 6)]) == [(0, 4), (5, 9), (10, 16)]
    assert kept_sentences("One. Two. Three.", []) == []


def test_a_tagger_is_for_fields(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    asked = ["label", str(EXAMPLES / "visits.jsonl"), "--tagger", "nowhere"]
    given = ["--model", "rules", "--out", str(tmp_path / "out")]
    assert main([*asked, *given]) == 2
    assert "silence would count as an answer here" in capsys.readouterr().err
    assert main([*asked, *given, "--label-set", str(EXAMPLES / "visits.yaml")]) == 2
    assert "nowhere is no tagger" in capsys.readouterr().err
