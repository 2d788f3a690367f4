"""Records of groups of fields: what a model is trained on is what labeling by group asks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labelwright.cli import main
from labelwright.errors import InputError
from labelwright.label_set import LabelSet
from labelwright.labelers.grouped import Grouped
from labelwright.records import Prediction, Reject, Report
from labelwright.tasks import kind_of
from labelwright.tasks.fields.schema import fields_of
from labelwright.tasks.fields.sections import Sections
from sft.data import open_records, read_records, value_of

SET = """name: stays
version: "1"
task: fields
instruction: "Read the letter. {fields}"
fields:
  - {name: Admitted, key: AD, type: date}
  - {name: Reason, key: RE, type: text}
  - {name: Aspirin, key: AS, type: boolean}
  - {name: Drug, key: DR, type: text, asked_if: {field: Aspirin, is: true}}
  - {name: Age, key: AG, type: number, unit: years}
groups:
  - {name: stay, fields: [Admitted, Reason]}
  - {name: drugs, fields: [Aspirin, Drug], sections: [therapy]}
"""
TEXT = "Seen on {day}/5/2019 for chest pain, aged 71 years.\n\nTherapy: aspirin and ramipril."
THERAPY = "Therapy: aspirin and ramipril."


def gold(day: int) -> dict[str, Any]:
    return {
        "Admitted": f"2019-05-{day:02}", "Reason": "chest pain", "Aspirin": True,
        "Drug": {"value": "chest pain", "raw": "chest pain", "spans": [[22, 32]]}, "Age": 71,
    }  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("groups")
    (folder / "set.yaml").write_text(SET, encoding="utf-8")
    days = range(10, 28)
    rows = [{"id": str(d), "text": TEXT.format(day=d), "patient": f"p{d // 3}"} for d in days]
    known = [{"id": str(d), "fields": gold(d)} for d in days]
    known[0]["fields"] = {"Admitted": "2019-05-10"}  # nobody looked for the others
    for name, each in (("reports", rows), ("gold", known)):
        text = "".join(json.dumps(row) + "\n" for row in each)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    asked = ["build", str(folder / "reports.jsonl"), "--label-set", str(folder / "set.yaml")]
    given = ["--labels", str(folder / "gold.jsonl"), "--patient-column", "patient", "--by-group"]
    assert main([*asked, *given, "--split", "0.6,0.2,0.2", "--out", str(folder / "data")]) == 0
    return folder / "data"


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_record_for_each_group_with_its_sections_and_what_stands_there(data: Path) -> None:
    records = {row["id"]: row for row in rows_of(data / "train.jsonl")}
    stay = next(row for row in records.values() if row["meta"]["group_of"] != "10")
    day = stay["meta"]["group_of"]
    system, user = (turn["content"] for turn in stay["prompt"])
    assert system == "Read the letter. AD Admitted (date); RE Reason (text)"
    assert user == TEXT.format(day=day)
    drugs = records[f"{day}#2"]
    assert drugs["prompt"][1]["content"] == THERAPY
    # "chest pain" was called a drug in another section, so it is not taught of this one
    assert drugs["completion"][0]["content"] == "AS yes"
    assert records[f"{day}#3"]["completion"][0]["content"] == "AG 71 years"
    whole = rows_of(data / "test.jsonl")
    assert all(row["prompt"][1]["content"].startswith("Seen on") for row in whole)
    manifest = json.loads((data / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["by_group"] == 3


def test_groups_of_a_document_and_documents_of_a_patient_stay_in_one_split(data: Path) -> None:
    homes: dict[str, set[str]] = {}
    for split in ("train", "validation", "test"):
        for row in rows_of(data / f"{split}.jsonl"):
            homes.setdefault(row["meta"]["patient"], set()).add(split)
    assert len(homes) == 7
    assert all(len(splits) == 1 for splits in homes.values())
    train, texts = rows_of(data / "train.jsonl"), rows_of(data / "train.reports.jsonl")
    assert len(train) == 3 * len(texts)


def test_records_of_groups_are_read_with_what_they_do_not_ask(data: Path) -> None:
    records = open_records(data)
    assert records.by_group
    label_set = records.label_set
    read = [*read_records(records.train, label_set)]
    one = next(record for record in read if record.id.endswith("#1") and record.id != "10#1")
    assert set(value_of(label_set, one)) == {"Admitted", "Reason"}
    if first := [record for record in read if record.id.startswith("10#")]:
        assert [set(value_of(label_set, one)) for one in first] == [{"Admitted"}, set(), set()]
    changed = data.parent / "changed.jsonl"
    text = (data / "train.jsonl").read_text(encoding="utf-8")
    changed.write_text(text.replace("RE Reason (text)", "RE Reason (date)"), encoding="utf-8")
    with pytest.raises(InputError, match="not the label set's"):
        list(read_records(changed, label_set))


class Echo:
    """Keeps what it is asked."""

    name = "echo"

    def __init__(self, label_set: LabelSet, seen: list[tuple[str, str]]) -> None:
        self.label_set, self.seen = label_set, seen

    def describe(self) -> dict[str, Any]:
        return {}

    def label_reports(self, reports: list[Report]) -> list[Prediction | Reject]:
        kind = kind_of(self.label_set)
        prompt = kind.instruction(self.label_set)
        self.seen += [(prompt, report.text) for report in reports]
        value = kind.parse(self.label_set, "none", "", ended=True).value
        return [
            Prediction(id=report.id, model="echo", task="fields", value=value, raw="none")
            for report in reports
        ]


def test_labeling_by_group_asks_what_the_records_taught(data: Path) -> None:
    label_set = LabelSet.load(data / "label_set.yaml")
    texts = rows_of(data / "train.reports.jsonl")
    seen: list[tuple[str, str]] = []
    parts = kind_of(label_set).asked_apart(label_set)
    labeler = Grouped(Echo(label_set, seen), [Echo(part, seen) for part in parts])
    labeler.label_reports([Report(row["id"], row["text"], "x", 1) for row in texts])
    taught = [tuple(t["content"] for t in row["prompt"]) for row in rows_of(data / "train.jsonl")]
    assert sorted(seen) == sorted(taught)


def test_a_text_without_any_heading_is_read_whole() -> None:
    own = fields_of(LabelSet.from_text(SET))
    assert Sections(own, "No heading here.").of_group("drugs") == [(0, 16)]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--windows", "20"], "--windows is not for --by-group"),
        (["--label-set", "chexpert-14"], "--by-group is for label sets of the task fields"),
        (["--label-set", "chest-attributes", "--synthetic", "3"], "has none"),
    ],
)
def test_what_by_group_does_not_go_with(
    flags: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set.yaml").write_text(SET, encoding="utf-8")
    files = [] if "--synthetic" in flags else ["nowhere.jsonl", "--labels", "nowhere.jsonl"]
    asked = ["build", *files, "--label-set", str(tmp_path / "set.yaml"), "--by-group"]
    assert main([*asked, "--out", str(tmp_path / "data"), *flags]) == 2
    assert said in capsys.readouterr().err
