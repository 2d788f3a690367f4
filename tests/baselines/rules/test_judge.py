"""A classifier that decides which spans of rules and tagger are values of fields."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from baselines.rules.fields import FieldRules
from baselines.rules.judge import Proposal, chosen
from labelwright.cli import main
from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Prediction, Reject, Report
from labelwright.tasks.fields.schema import fields_of
from labelwright.tasks.fields.values import Fields, Item, Status

YAML = """\
name: cases
version: "1"
task: fields
language: es
instruction: "{fields}"
fields:
  - {name: Age, key: AG, type: number, unit: años, bare: false, patterns: ['(\\d+ años)']}
  - {name: Ward, key: WA, type: text, patterns: ['(sala [A-Z]\\d)']}
  - {name: Doctors, key: DO, type: text, many: true}
"""
DRUGS = ("aspirina", "digoxina", "heparina", "insulina")


def case(n: int) -> tuple[str, dict[str, Any]]:
    """A text with a duration before the age, or without any age, and a ward before the own one."""
    drug, since, age = DRUGS[n % 4], n % 7 + 2, n % 61 + 20
    text = f"Toma {drug} desde hace {since} años; de sala A{n % 9}. "
    fields: dict[str, Any] = {"Age": None, "Ward": f"sala B{n % 9}", "Doctors": None}
    if n % 3:
        text += f"Paciente de {age} años. "
        fields["Age"] = age
    text += f"Ingresa en sala B{n % 9}."
    if n % 2:
        text += f" Firma Dra. Ana Gil, revisa Luis Sanz, y saluda Eva Mora{n}."
        fields["Doctors"] = ["Ana Gil"]
    return text, fields


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    (folder / "cases.yaml").write_text(YAML, encoding="utf-8")
    cases = [(f"c{n}", *case(n)) for n in range(90)]
    write_jsonl(folder / "texts.jsonl", ({"id": i, "text": text} for i, text, _ in cases))
    write_jsonl(folder / "gold.fields.jsonl", ({"id": i, "fields": f} for i, _, f in cases))
    out = folder / "data"
    named = [f"--label-set={folder / 'cases.yaml'}", f"--labels={folder / 'gold.fields.jsonl'}"]
    texts = str(folder / "texts.jsonl")
    assert main(["build", texts, *named, "--split=0.9,0,0.1", f"--out={out}"]) == 0
    return out


class Names:
    """A tagger that marks every name, whatever it is."""

    name = "names"
    label_set = LabelSet.load("disease-1")

    def describe(self) -> Mapping[str, Any]:
        """Its name."""
        return {"model": self.name}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """Every one of the three names."""
        return [
            Prediction(
                id=report.id,
                model=self.name,
                task="entities",
                value=tuple(
                    Entity.of(report.text, "Name", (at, at + len(name)))
                    for name in ("Ana Gil", "Luis Sanz", "Eva Mora")
                    if (at := report.text.find(name)) >= 0
                ),
                seconds=60.0,
            )
            for report in reports
        ]


def said(rules: FieldRules, text: str) -> Fields:
    (found,) = rules.label_reports([Report("a", text, "x", 1)])
    assert isinstance(found, Prediction)
    assert found.value is not None
    return found.value


def test_it_learns_what_words_are_of_and_says_how_sure_it_is(data: Path) -> None:
    label_set = LabelSet.load(data / "label_set.yaml")
    rules = FieldRules.for_label_set(label_set)
    text = "Toma digoxina desde hace 4 años; de sala A2. Paciente de 77 años. Ingresa en sala B5."
    without = "Toma heparina desde hace 3 años; de sala A2. Ingresa en sala B1. Firma Dra. Ana Gil."
    # Rules take the first match: a duration, and another ward.
    assert (said(rules, text)["Age"].value, said(rules, text)["Ward"].value) == (4, "sala A2")
    rules.learn(data)
    found = said(rules, text)
    assert (found["Age"].value, found["Ward"].value) == (77, "sala B5")
    assert found["Age"].items[0].spans == ((text.index("77"), text.index("77") + 7),)
    assert 0.5 < (found["Age"].prob or 0) <= 1
    silent = said(rules, without)["Age"]
    assert silent.status is Status.NOT_MENTIONED
    assert 0.5 < (silent.prob or 0) <= 1
    # Nothing marks doctors yet: nothing could be learned of them, and the rules decide.
    assert said(rules, without)["Doctors"].prob is None
    least = rules.describe()["judge"]["least"]
    assert set(least) == {"Age", "Ward"}
    rules.learn(data, Names())
    doctors = said(rules, f"{without} Revisa Luis Sanz.")["Doctors"]
    assert doctors.values == ("Ana Gil",)
    assert rules.describe()["tagger"] == {"model": "names"}
    (timed,) = rules.label_reports([Report("a", without, "x", 1)])
    assert isinstance(timed, Prediction)
    assert (timed.seconds or 0) >= 60  # those that the tagger says it took


def test_the_surest_span_counts_and_none_that_overlaps_it() -> None:
    own = fields_of(LabelSet.from_text(YAML))
    places = [(0, 5), (3, 8), (10, 12)]
    spans = [Proposal(Item("x", "x", "", (place,)), ("rules",)) for place in places]
    probs = [0.6, 0.9, 0.7]

    def kept(field: str, least: float) -> list[tuple[int, int]]:
        found = chosen(own.by_name[field], spans, probs, least)
        return [item.spans[0] for item, _ in found]

    assert kept("Ward", 0.5) == [(3, 8)]
    assert kept("Doctors", 0.5) == [(3, 8), (10, 12)]
    assert kept("Doctors", 0.8) == [(3, 8)]
    assert kept("Doctors", 0.95) == []


def test_the_command_scores_better_than_the_rules_alone(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--model=rules", f"--label-set={data / 'label_set.yaml'}"]
    runs = {"alone": [], "judged": [f"--judge={data}"]}
    texts, right = str(data / "test.reports.jsonl"), {}
    gold = [json.loads(one) for one in (data / "test.fields.jsonl").read_text().splitlines()]
    for name, flags in runs.items():
        out = tmp_path / name
        assert main(["label", texts, *asked, *flags, f"--out={out}"]) == 0
        rows = map(json.loads, (out / "predictions.jsonl").read_text().splitlines())
        found = {row["id"]: row["fields"]["Age"]["value"] for row in rows}
        right[name] = sum(found[row["id"]] == row["fields"]["Age"]["value"] for row in gold)
    assert (right["alone"], right["judged"]) == (0, len(gold))
    capsys.readouterr()
    out = f"--out={tmp_path / 'no'}"
    assert main(["label", texts, "--model=rules", f"--judge={data}", out]) == 2
    assert "--judge is for fields" in capsys.readouterr().err
    other = tmp_path / "other.yaml"
    other.write_text(YAML.replace("Ward", "Room"), encoding="utf-8")
    wrong = ["--model=rules", f"--label-set={other}", f"--judge={data}", out]
    assert main(["label", texts, *wrong]) == 2
    assert "the data folder is for label set cases" in capsys.readouterr().err
