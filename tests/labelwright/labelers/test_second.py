"""Two readers: who says what, who decides, and what a run keeps of it."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.runs.merge import write_disagreements
from labelwright.cli import main
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet
from labelwright.labelers.gate import Gated
from labelwright.labelers.second import BY_SURENESS, Decision, TwoReaders
from labelwright.labelers.settings import LabelerSettings
from labelwright.records import Certainty, Prediction, Reject, Report
from labelwright.tasks import kind_of

P, N, U, B = Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.UNCERTAIN, Certainty.BLANK
CHEXPERT = LabelSet.load("chexpert-14")
REPORT = Report("1", "No effusion. Heart large.", "f.csv", 1)


class Says:
    """Says the same of every report; rejects what it is told to."""

    label_set = CHEXPERT

    def __init__(
        self,
        name: str,
        labels: Mapping[str, Certainty | None],
        probs: Mapping[str, float] | None = None,
        reject: str | None = None,
    ) -> None:
        self.name, self.reject = name, reject
        self.labels = dict.fromkeys(CHEXPERT.names, B) | dict(labels)
        self.evidence = {n: [[0, 3]] for n, c in self.labels.items() if c is not B}
        self.probs = None
        if probs is not None:
            self.probs = {n: {str(self.labels[n]): p} for n, p in probs.items()}

    def describe(self) -> dict[str, Any]:
        return {"model": self.name, "runtime": {"device": self.name}}

    def label_reports(self, reports: list[Report]) -> list[Prediction | Reject]:
        return [
            Reject(r.id, r.source, r.row, "no") if r.id == self.reject
            else Prediction(
                id=r.id,
                model=self.name,
                task="certainty",
                value=self.labels,
                probs=self.probs,
                evidence=self.evidence,
                seconds=1.0,
            )
            for r in reports
        ]  # fmt: skip


FIRST = Says(
    "one",
    {"Edema": U, "Fracture": N, "Cardiomegaly": P, "Pneumonia": None},
    {"Edema": 0.6, "Fracture": 0.9, "Cardiomegaly": 0.9},
)
SECOND = Says("other", {"Edema": P, "Fracture": P, "Cardiomegaly": P, "Pneumonia": N})


def read(decision: Decision, first: Says = FIRST, second: Says = SECOND) -> Prediction:
    (found,) = TwoReaders(first, second, decision).label_reports([REPORT])
    assert isinstance(found, Prediction)
    return found


LETTERS = LabelSet.from_text(
    """name: letters
version: "1"
task: fields
instruction: "Read. {fields}"
fields:
  - {name: Part, key: PA, type: categorical, values: [hand, finger]}
  - {name: Dose, key: DO, type: number, unit: mg, range: [1, 50], asked_if: {field: Drug, is: true}}
  - {name: Drug, key: DR, type: boolean}
  - {name: Signs, key: SI, type: text, many: true}
"""
)
LETTER = Report("1", "Hand and finger. Drug, 5 mg or 500 mg. No fever, cough.", "f.csv", 1)


class Reads:
    """Reads the same lines of every letter, with the probability of each field."""

    label_set = LETTERS

    def __init__(self, name: str, answer: str, probs: Mapping[str, float]) -> None:
        self.name, self.answer, self.probs = name, answer, probs

    def describe(self) -> dict[str, Any]:
        return {"model": self.name}

    def label_reports(self, reports: list[Report]) -> list[Prediction | Reject]:
        kind = kind_of(LETTERS)
        made = []
        for one in reports:
            said = kind.parse(LETTERS, self.answer, one.text, ended=True)
            value = {n: replace(v, prob=self.probs.get(n)) for n, v in (said.value or {}).items()}
            made.append(
                Prediction(
                    id=one.id, model=self.name, task="fields", value=value, problems=said.problems
                )
            )
        return list(made)


def test_two_readers_of_fields_and_the_surer_one_decides(tmp_path: Path) -> None:
    sure = {"Part": 0.6, "Dose": 0.4, "Drug": 0.9}
    one = Reads("one", "PA hand\nDO 500 mg\nDR yes\nSI fever\nSI cough", sure)
    other = Reads("two", "PA finger\nDO 5 mg\nSI cough\nSI fever", dict.fromkeys(sure, 0.8))
    (found,) = TwoReaders(one, other, Decision(otherwise=BY_SURENESS)).label_reports([LETTER])
    assert isinstance(found, Prediction)
    assert found.second is not None
    assert found.second["disagree"] == ["Part", "Dose", "Drug"]  # lists have no order
    assert found.second["labels"]["Drug"] == "-"
    assert found.second["first"] == {"Part": "hand", "Dose": "500", "Drug": "true"}
    assert found.second["decided"] == ["Part", "Dose"]
    assert {name: one.value for name, one in found.value.items()} == {
        "Part": "finger", "Dose": 5.0, "Drug": True, "Signs": "fever",
    }  # fmt: skip
    assert found.value["Dose"].prob == 0.8
    assert found.problems == ()  # of the first: 500 mg is out of range
    (kept,) = TwoReaders(one, other, Decision()).label_reports([LETTER])
    assert isinstance(kept, Prediction)
    assert kept.problems == ("out of range: Dose",)
    (swapped,) = TwoReaders(one, other, Decision(otherwise=math.inf)).label_reports([LETTER])
    assert isinstance(swapped, Prediction)
    assert swapped.problems == ("not asked: Dose",)  # the relation as it is now
    line = json.dumps({**found.to_json(), "notes": []}) + "\n"
    (tmp_path / "predictions.jsonl").write_text(line, encoding="utf-8")
    told = write_disagreements(tmp_path, LETTERS, id_column="id")
    assert (told.labels, told.reports, told.decided_by_second) == (3, 1, 2)
    assert [list(row.values())[1:] for row in rows(tmp_path / "disagreements.csv")] == [
        ["Part", "hand", "finger", "finger", "second", "0.6"],
        ["Dose", "500", "5", "5", "second", "0.4"],
        ["Drug", "true", "-", "true", "first", "0.9"],
    ]


def test_the_surer_reader_of_labels_decides() -> None:
    second = Says("other", {"Edema": P, "Fracture": P, "Cardiomegaly": P}, {"Edema": 0.7})
    found = read(Decision(otherwise=BY_SURENESS), second=second)
    assert found.second is not None
    assert found.second["decided"] == ["Edema"]  # of the others it gives no probability
    assert found.labels["Edema"] is P
    assert found.labels["Fracture"] is N
    chosen = Decision.chosen(CHEXPERT, "surer", None, "rules")
    assert chosen == Decision(otherwise=BY_SURENESS)


def test_agreement_and_disagreement_are_told() -> None:
    found = read(Decision())
    assert found.model == "one"
    assert found.second is not None
    assert found.second["model"] == "other"
    assert found.second["labels"] == SECOND.labels
    assert found.second["disagree"] == ["Edema", "Pneumonia", "Fracture"]
    assert found.second["first"] == {"Edema": U, "Fracture": N, "Pneumonia": None}
    assert found.second["decided"] == []
    assert found.labels == FIRST.labels  # what the first left open stays open
    assert found.seconds == 2.0
    row = json.loads(json.dumps(found.to_json()))
    assert Prediction.from_json(row).to_json() == row


@pytest.mark.parametrize(
    ("decision", "edema", "fracture"),
    [
        (Decision(otherwise=math.inf), P, P),
        (Decision({"Edema": math.inf}), P, N),
        (Decision({"Edema": 0.7, "Fracture": 0.7}), P, N),  # 0.6 is below, 0.9 is not
        (Decision({"Edema": 0.6}, otherwise=0.95), U, P),
    ],
)
def test_who_decides(decision: Decision, edema: Certainty, fracture: Certainty) -> None:
    found = read(decision)
    assert (found.labels["Edema"], found.labels["Fracture"]) == (edema, fracture)
    assert found.second is not None
    by_second = {name for name in ("Edema", "Fracture") if found.labels[name] is P}
    assert set(found.second["decided"]) - {"Pneumonia"} == by_second
    assert found.labels["Pneumonia"] is (N if decision.otherwise > 1 else None)
    assert found.probs == FIRST.probs  # the first reader's own
    for name in by_second:
        assert found.evidence is not None
        assert found.evidence[name] == SECOND.evidence[name]


def test_a_reader_without_probabilities_decides_unless_the_second_always_does() -> None:
    plain = Says("one", {"Edema": U, "Fracture": N})
    found = read(Decision({"Edema": 0.9, "Fracture": math.inf}), plain)
    assert (found.labels["Edema"], found.labels["Fracture"]) == (U, P)


def test_a_label_that_becomes_blank_has_no_evidence() -> None:
    found = read(Decision(otherwise=math.inf), FIRST, Says("other", {}))
    assert set(found.labels.values()) == {B}
    assert found.evidence == {}


def test_rejects_of_either() -> None:
    reports = [REPORT, Report("2", "x", "f.csv", 2)]
    one, two = TwoReaders(
        Says("one", {"Edema": P}, reject="1"), Says("other", {}, reject="2"), Decision()
    ).label_reports(reports)
    assert isinstance(one, Reject)
    assert isinstance(two, Prediction)
    assert two.second == {"model": "other", "rejected": "no"}


def test_normal_beside_a_finding_of_the_other_reader_gives_way() -> None:
    first = Says("one", {"No Finding": P, "Pleural Effusion": N})
    both = TwoReaders(first, Says("other", {"Cardiomegaly": P}), Decision({"Cardiomegaly": 2.0}))
    (found,) = Gated(both).label_reports([REPORT])
    assert isinstance(found, Prediction)
    assert (found.labels["Cardiomegaly"], found.labels["No Finding"]) == (P, B)
    assert "rule: No Finding" in found.notes
    assert found.second is not None


def test_a_run_knows_both_readers_and_who_decides() -> None:
    said = TwoReaders(FIRST, SECOND, Decision({"Edema": 0.7})).describe()
    assert said["model"] == "one"
    assert said["second_reader"] == {"model": "other"}
    assert said["first_from"]["Edema"] == "0.7"
    assert said["runtime"] == {"device": "one", "second_reader": {"device": "other"}}


def test_readers_of_other_label_sets_are_refused() -> None:
    other = Says("other", {})
    other.label_set = LabelSet.load("head-ct-5")
    with pytest.raises(ConfigError, match=r"chexpert-14 1\.0, not head-ct-5"):
        TwoReaders(FIRST, other, Decision())


def test_a_reader_that_is_asked_in_other_words() -> None:
    other = Says("other", {"Edema": P})
    other.label_set = LabelSet.load("chexpert-14-words")
    found = read(Decision(otherwise=2.0), second=other)
    assert found.labels["Edema"] is P
    assert TwoReaders(FIRST, other, Decision()).label_set == CHEXPERT


# Who decides, from files


def test_what_decide_means(tmp_path: Path) -> None:
    def chosen(choice: str | None, folder: Path | None = None) -> Decision:
        return Decision.chosen(CHEXPERT, choice, folder, "rules")

    assert chosen("first") == chosen(None) == chosen(None, tmp_path) == Decision()
    assert chosen("second") == Decision(otherwise=math.inf)
    file = {"otherwise": "second", "observations": {"Edema": 0.8, "Fracture": "first"}}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(file))
    expected = Decision({"Edema": 0.8, "Fracture": 0.0}, math.inf)
    assert chosen(str(path)) == expected
    (tmp_path / "second_reader.json").write_text(json.dumps({"second_readers": {"rules": file}}))
    assert chosen(None, tmp_path) == expected
    assert Decision.chosen(CHEXPERT, None, tmp_path, "another") == Decision()
    assert chosen("first", tmp_path) == Decision()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"observations": {"Edema": "both"}}', '{"observations": {"Edema": true}}']
)
def test_files_that_do_not_say_who_decides(text: str, tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text(text)
    with pytest.raises(InputError, match="does not say who decides"):
        Decision.chosen(CHEXPERT, str(path), None, "rules")


def test_an_unknown_observation_is_named(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text('{"observations": {"Oedema": 0.5}}')
    with pytest.raises(ConfigError, match="'Oedema' is not an observation of chexpert-14"):
        Decision.chosen(CHEXPERT, str(path), None, "rules")


# The command

TEXTS = (
    "Lungs clear. No effusion.",
    "Right lower lobe consolidation, concerning for pneumonia.",
    "Endotracheal tube above the carina. Mild oedema.",
    "nan",
    "Old rib fracture. The heart is large.",
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "reports.csv"
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows([("id", "text"), *((f"r{i}", t) for i, t in enumerate(TEXTS))])
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def label(table: Path, out: Path, checkpoint: Path, *more: str) -> int:
    flags = ["--model", str(checkpoint), "--device", "cpu", "--second-reader", "rules"]
    return main(["label", str(table), *flags, "--out", str(out), *more])


def test_a_run_of_two_readers_and_its_table(
    table: Path, tmp_path: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert label(table, out, tiny_checkpoint) == 0
    lines = (out / "predictions.jsonl").read_text().splitlines()
    found = {row["id"]: row for row in map(json.loads, lines)}
    assert set(found) == {"r0", "r1", "r2", "r4"}
    differing = [
        (identifier, name)
        for identifier, row in found.items()
        for name in row["second"]["disagree"]
    ]
    assert differing  # an untrained model and the rules
    written = rows(out / "disagreements.csv")
    assert [(row["id"], row["observation"]) for row in written] == differing
    for row in written:
        own = found[row["id"]]
        assert row["second"] == own["second"]["labels"][row["observation"]]
        assert row["first"] != row["second"]
        assert row["decided_by"] == "first"
        assert float(row["probability"]) == own["probs"][row["observation"]][row["first"]]
    other = tmp_path / "other"  # an id column by the name of one of the table's own
    shutil.copytree(out, other)
    write_disagreements(other, LabelSet.load("chexpert-14"), id_column="label")
    assert rows(other / "disagreements.csv") == written
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["readers"]["labels_that_differ"] == len(differing)
    assert "disagreements.csv" in manifest["outputs"]
    assert manifest["labeler"]["second_reader"]["model"] == "rules"
    assert f"{len(differing)} labels where the two readers differ" in capsys.readouterr().out
    assert label(table, out, tiny_checkpoint) == 0
    again = capsys.readouterr().out
    assert again.startswith("already finished")
    assert f"{len(differing)} labels where the two readers differ" in again


def test_an_interrupted_run_of_two_readers_is_resumed(
    table: Path, tmp_path: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert label(table, whole, tiny_checkpoint, "--shard-rows", "2") == 0
    part.mkdir()
    job = json.loads((whole / "manifest.json").read_text())
    state = {k: job[k] for k in ("labeler", "label_set_sha256", "inputs", "options", "labelwright")}
    (part / "job.json").write_text(json.dumps({**state, "shard_rows": 2}))
    (part / "disagreements.csv").write_text("torn")
    assert label(table, part, tiny_checkpoint) == 0
    for name in ("labels.csv", "disagreements.csv", "rejects.jsonl"):
        assert (part / name).read_bytes() == (whole / name).read_bytes()
    capsys.readouterr()
    assert label(table, part, tiny_checkpoint, "--decide", "second") == 2
    assert "labeler.first_from" in capsys.readouterr().err


def test_retried_rejects_stand_in_the_table(
    table: Path, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    out = tmp_path / "out"
    assert label(table, out, tiny_checkpoint, "--decode", "free") == 0
    assert rows(out / "disagreements.csv") == []  # an untrained model ends no answer
    assert label(table, out, tiny_checkpoint, "--retry-rejects") == 0
    assert rows(out / "disagreements.csv")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["readers"]["reports_that_differ"] == 4


def test_the_second_decides_everything_it_is_given(
    table: Path, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    ours, rules = tmp_path / "ours", tmp_path / "rules"
    assert label(table, ours, tiny_checkpoint, "--decide", "second") == 0
    assert main(["label", str(table), "--model", "rules", "--out", str(rules)]) == 0
    assert (ours / "labels.csv").read_bytes() == (rules / "labels.csv").read_bytes()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--model", "rules", "--decide", "second"], "--decide is for two readers"),
        (["--model", "rules", "--second-reader", "rules"], "both readers are rules"),
        (["--second-reader", "rules", "--decide", "nowhere.json"], "does not say who decides"),
        (["--second-reader", "knn"], "needs --index"),
    ],
)
def test_flags_that_do_not_fit(
    flags: list[str], said: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["label", str(table), *flags, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err


def test_what_either_reader_finds_amiss_is_told(tmp_path: Path) -> None:
    """A text in another language is left alone: blank, and not without a word."""
    table = tmp_path / "reports.csv"
    table.write_text("id,report\n1,Kein Pneumothorax.\n2,No pneumothorax.\n", encoding="utf-8")
    assert main(["label", str(table), "--out", str(tmp_path / "out")]) == 0
    with open(tmp_path / "out" / "predictions.jsonl", encoding="utf-8") as rows:
        foreign, english = map(json.loads, rows)
    assert set(foreign["labels"].values()) == {"blank"}
    assert foreign["problems"] == ["language: de"]
    assert (english["labels"]["Pneumothorax"], english["problems"]) == ("negative", [])


def test_who_reads_where_nobody_is_named() -> None:
    """The model that comes along brings the rules; a model that is named reads alone."""
    first, second = LabelerSettings().readers()
    assert first.labeler == "model"
    assert second is not None
    assert second.labeler == "rules"
    for settings in (
        LabelerSettings(model="labelwright-chest"),
        LabelerSettings(model="rules"),
        LabelerSettings(second_reader="none"),
    ):
        assert settings.readers() == (settings, None)
    with pytest.raises(ConfigError, match="--decide is for two readers"):
        LabelerSettings(second_reader="none", decide="first").readers()
