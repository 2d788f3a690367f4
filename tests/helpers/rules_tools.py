"""What the shipped chexpert-14 rules say of a text, in one short line."""

from __future__ import annotations

from baselines.rules.labeler import RulesLabeler
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.records import Certainty, Prediction, Report

LABEL_SET = LabelSet.load("chexpert-14")
LABELER = RulesLabeler.for_label_set(LABEL_SET)
SIGNS = {Certainty.POSITIVE: "+", Certainty.NEGATIVE: "-", Certainty.UNCERTAIN: "?"}


def predict(text: str, labeler: ReportLabeler = LABELER) -> Prediction:
    """The prediction for a text that is no reject."""
    (result,) = labeler.label_reports([Report("1", text, "test", 1)])
    assert isinstance(result, Prediction)
    return result


def said(text: str, labeler: ReportLabeler = LABELER) -> str:
    """``PE+ PT-``: Pleural Effusion positive, Pneumothorax negative, the others blank."""
    found = {LABEL_SET.by_name[name].key: c for name, c in predict(text, labeler).labels.items()}
    return " ".join(key + SIGNS[c] for key, c in found.items() if c in SIGNS)
