"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelwright.certainty import PROMPT_VERSION
from labelwright.checkpoint import TaskInfo, save_task
from labelwright.label_set import LabelSet

REPORTS = (
    "The heart is mildly enlarged. No pneumothorax or pleural effusion.",
    "Clear lungs. Normal heart size. No acute bony abnormality.",
    "Right lower lobe consolidation, concerning for pneumonia.",
    "Small left pleural effusion with adjacent atelectasis.",
    "Endotracheal tube ends 4 cm above the carina. Mild pulmonary edema.",
    "Old healed fracture of the left seventh rib. Lungs are clear.",
    "Possible nodule in the right upper lobe. Follow-up is suggested.",
    "Mediastinal contour is widened. Cardiac silhouette is stable.",
    "Bibasilar opacities may be atelectasis or early infection.",
    "No focal consolidation, effusion or pneumothorax.",
    "Pacemaker leads in expected position. Cardiomegaly is unchanged.",
    "Apical pleural thickening, unchanged. No edema.",
)
"""A dozen short reports, written for these tests."""


@pytest.fixture(scope="session")
def chexpert() -> LabelSet:
    """The shipped set of fourteen observations."""
    return LabelSet.load("chexpert-14")


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory, chexpert: LabelSet) -> Path:
    """A model folder as training writes it, with random weights. Copy it before changing it."""
    from sft.scratch import Shape, make_scratch_model

    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_scratch_model(REPORTS, folder, label_set=chexpert, shape=Shape())
    info = TaskInfo(
        label_set_sha256=chexpert.fingerprint,
        prompt_version=PROMPT_VERSION,
        layouts=("line",),
        sections="both",
        base_model="scratch",
    )
    save_task(folder, chexpert, info)
    return folder
