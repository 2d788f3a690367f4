"""Conventions of published label files, as changes of the shipped rules.

Expected labels follow the table at the end of ``docs/labeling-guide.md`` and those in
``docs/rules.md``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from rules_tools import LABEL_SET, said

from baselines.rules.conventions import names
from baselines.rules.labeler import RulesLabeler
from labelwright.errors import ConfigError, LabelSetError
from labelwright.label_set import LabelSet

LABELERS = {name: RulesLabeler.for_label_set(LABEL_SET, convention=name) for name in names()}
LABELER = LABELERS["chexpert"]
TABLE = {
    "No new consolidation.": "CO?",
    "Mild vascular congestion.": "ED?",
    "No vascular congestion.": "ED- NF+",
    "The heart is borderline enlarged.": "CM?",
    "Borderline cardiomegaly.": "CM?",
    "Heart size is unchanged.": "CM?",
    "The heart is stable and mildly enlarged.": "CM+",
    "The mediastinum is stable.": "EC?",
    "Blunting of the right costophrenic angle.": "PE?",
    "Calcified nodule in the left lung.": "",
    "Nodular opacity at the right apex.": "LO+ LL+",
    "Right breast mass.": "LL+",
    "Peribronchial thickening.": "LO+",
    "Scarring or atelectasis at the left base.": "LO? AT?",
    "Both costophrenic angles are sharp.": "",
    "Radiation pneumonitis. Empyema.": "",
    "Enlarged cardiomediastinal silhouette.": "EC+",
    "Lingular consolidation. No other opacity.": "LO- CO+",
    "Lungs clear. Calcified granuloma.": "NF+",
    "Large effusion, no pneumothorax.": "PE+ PT-",
}

CT_RATE = {
    "Pleuroparenchymal sequela densities in the lingula.": "PO+",
    "Interlobular septal thickening.": "",
    "Ground-glass densities in both lungs.": "LO+",
    "Consolidative density in the middle lobe.": "CO+",
    "A mass in the right upper lobe.": "",
    "Nodules in both lungs.": "LL+",
    "A stent in the left coronary artery.": "SD+",
    "Metallic sutures in the sternum.": "SD+",
    "Large effusion, no pneumothorax.": "PE+ PT-",
}


@pytest.mark.parametrize(("text", "expected"), TABLE.items())
def test_sentence(text: str, expected: str) -> None:
    assert sorted(said(text, LABELER).split()) == sorted(expected.split())


@pytest.mark.parametrize(("text", "expected"), CT_RATE.items())
def test_ct_rate(text: str, expected: str) -> None:
    assert sorted(said(text, LABELERS["ct-rate"]).split()) == sorted(expected.split())


def test_a_run_knows_its_convention() -> None:
    usual = RulesLabeler.for_label_set(LABEL_SET).describe()["rules_sha256"]
    changed = LABELER.describe()["rules_sha256"]
    assert set(changed) - set(usual) == {"chexpert.yaml"}
    assert usual.items() <= changed.items()


def test_unknown_names_and_other_labels_are_refused(tmp_path: Path) -> None:
    assert names() == ["chexpert", "ct-rate"]
    with pytest.raises(ConfigError, match="unknown convention 'mimic'"):
        RulesLabeler.for_label_set(LABEL_SET, convention="mimic")
    with pytest.raises(ConfigError, match="is for label set 'chexpert-14'"):
        RulesLabeler.for_label_set(LabelSet.load("head-ct-5"), convention="chexpert")
    own = tmp_path / "own.yaml"
    own.write_text(
        "label_set: chexpert-14\nscope: scope-en.yaml\nobservations:\n"
        "  Pneumonia: {mentions: [pneumonia]}\n"
    )
    with pytest.raises(LabelSetError, match="there is no phrase"):
        RulesLabeler.for_label_set(LABEL_SET, own, "chexpert")
