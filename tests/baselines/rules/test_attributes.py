"""Attributes belong to the observation whose mention is nearest, and to none that is absent."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from baselines.rules.fields import FieldRules
from data_builders.sources.attributes import PRESENT, AttributeValues
from data_builders.synthetic.reports import ReportWriter
from labelwright.label_set import LabelSet
from labelwright.labelers.dependent import Dependent
from labelwright.records import Certainty, Prediction, Reject, Report
from labelwright.tasks.fields.schema import fields_of
from labelwright.tasks.fields.values import NOT_MENTIONED, Item, stated

LABELS = LabelSet.load("chest-attributes")


@pytest.fixture(scope="module")
def rules() -> FieldRules:
    return FieldRules.for_label_set(LABELS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Small left pleural effusion, increased since prior, and moderate right basilar "
            "atelectasis. No pneumothorax.",
            {
                "Pleural Effusion side": ["left"],
                "Pleural Effusion amount": ["small"],
                "Pleural Effusion change": ["larger"],
                "Atelectasis side": ["right"],
                "Atelectasis region": ["lower"],
                "Atelectasis degree": ["moderate"],
            },
        ),
        (
            "No left effusion. Large right pneumothorax with mild cardiomegaly.",
            {
                "Pneumothorax side": ["right"],
                "Pneumothorax amount": ["large"],
                "Cardiomegaly degree": ["mild"],
            },
        ),
        (
            "Possible small apical pneumothorax on the left. Bilateral effusions, unchanged.",
            {
                "Pneumothorax side": ["left"],
                "Pneumothorax amount": ["small"],
                "Pleural Effusion side": ["left", "right"],
                "Pleural Effusion change": ["unchanged"],
            },
        ),
        (
            "1.2 cm nodule at the left base, stable. Edema is moderate to severe and has worsened.",
            {
                "Lung Lesion side": ["left"],
                "Lung Lesion region": ["lower"],
                "Lung Lesion size": [12.0],
                "Lung Lesion change": ["unchanged"],
                "Edema degree": ["severe"],
                "Edema change": ["larger"],
            },
        ),
        ("Heart size is normal. The lungs are clear on the left and on the right.", {}),
    ],
)
def test_words_go_to_the_nearest_mention(
    rules: FieldRules, text: str, said: dict[str, list[object]]
) -> None:
    (found,) = rules.label_reports([Report("a", text, "s", 1)])
    assert isinstance(found, Prediction)
    assert found.value is not None
    assert {n: list(v.values) for n, v in found.value.items() if v.items} == said
    for value in found.value.values():
        for item in value.items:
            assert text[slice(*item.spans[0])] == item.raw


class _Says:
    """Says the same attributes of every report."""

    name, label_set = "says", LABELS

    def describe(self) -> dict[str, object]:
        return {"kind": "stub"}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        left = stated(Item("left", "left"))
        value = dict.fromkeys(LABELS.names, NOT_MENTIONED) | {
            "Pneumothorax side": left,
            "Pleural Effusion side": left,
        }
        return [Prediction(id=r.id, model="m", task="fields", value=value) for r in reports]


class _Finds:
    """Finds a pneumothorax that may be, and no effusion; rejects the second report."""

    name, label_set = "finds", LabelSet.load("chexpert-14")

    def describe(self) -> dict[str, object]:
        return {"kind": "stub"}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        labels = dict.fromkeys(self.label_set.names, Certainty.NEGATIVE)
        labels["Pneumothorax"] = Certainty.UNCERTAIN
        first = Prediction(id="a", model="m", task="certainty", value=labels)
        return [first, *(Reject(r.id, "s", 2, "empty") for r in reports[1:])]


def test_what_is_said_of_absent_observations_is_taken_back() -> None:
    labeler = Dependent(_Says(), _Finds())
    first, second = labeler.label_reports([Report(i, "x", "s", 1) for i in "ab"])
    assert isinstance(first, Prediction)
    assert first.value["Pneumothorax side"].value == "left"
    assert first.value["Pleural Effusion side"] == NOT_MENTIONED
    assert first.notes == ("observation absent: Pleural Effusion side",)
    assert isinstance(second, Prediction)
    assert second.problems == ("observations not known",)
    assert second.value["Pleural Effusion side"].value == "left"
    assert labeler.describe() == {"kind": "stub", "depends_on": {"kind": "stub"}}


def test_the_grammar_knows_whose_words_are_whose() -> None:
    shares = {"balance": 1.0, "noise": 0.0, "brief": 0.0}
    source = AttributeValues(LABELS, 80, 3, **shares)
    reports = list(source.reports())
    known = source.known(reports, LABELS)
    stream = ReportWriter(LabelSet.load("chexpert-14"), **shares).stream(400, 3)
    written = {drawn.report.id: drawn for drawn in stream}
    assert len(reports) == 80
    # Reports that teach nothing are drawn anew, so the last ones have higher numbers.
    assert reports[-1].id == f"synthetic-3-{79 + source.counts()['reports_drawn_anew']}"
    of = {field.name: field.of for field in fields_of(LABELS).fields}
    stated_somewhere = gaps = 0
    for report, each in zip(reports, known, strict=True):
        drawn = written[report.id]
        assert each.value
        present = {n for *_, says in drawn.clauses for n, said in says.items() if said in PRESENT}
        assert {of[name] for name in each.value} <= present  # of others nothing is asked
        gaps += sum(of[name] in present and name not in each.value for name in LABELS.names)
        for name, value in each.value.items():
            for item in value.items:
                stated_somewhere += 1
                ((start, end),) = item.spans
                assert report.text[start:end] == item.raw
                home = [says for a, b, says in drawn.clauses if a <= start and end <= b]
                assert any(set(says) == {of[name]} for says in home)
    assert stated_somewhere > 40
    assert gaps == source.counts()["attributes_left_open"] > 0
