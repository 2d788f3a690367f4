"""Fixtures that several test files share."""

from __future__ import annotations

import csv
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from labelwright.checkpoint import TaskInfo, save_task
from labelwright.io.jsonl import write_json, write_jsonl
from labelwright.label_set import LabelSet
from labelwright.prompt import messages
from labelwright.records import Certainty
from labelwright.tasks.certainty.answer import PROMPT_VERSION, render

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")  # on a machine with other work a slow example says nothing


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


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """A shell that starts the tests in the background lets them ignore Ctrl-C, which some send."""
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that hold a slow test go first, so that no worker waits for the last of them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


_loaded = 0


def pytest_runtest_setup() -> None:
    """What hundreds of new modules hold is there to stay: garbage is not looked for among it.

    Every training and every model that is let go ends with a full collection, which would take
    as long as the training of a tiny model.
    """
    global _loaded
    if len(sys.modules) > _loaded + 200:
        _loaded = len(sys.modules)
        gc.freeze()


@pytest.fixture(autouse=True)
def _field_limit() -> Iterator[None]:
    """The readers set the limit of all CSV readers of a process; some tests make it short."""
    before = csv.field_size_limit()
    yield
    csv.field_size_limit(before)


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


@pytest.fixture(scope="session")
def records_folder(tmp_path_factory: pytest.TempPathFactory, chexpert: LabelSet) -> Path:
    """A data folder for training: 24 training and 6 validation records. Copy it to change it."""
    return write_records(tmp_path_factory.mktemp("records"), chexpert)


@pytest.fixture(scope="session")
def learned(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, chexpert: LabelSet
) -> Path:
    """The tiny model after it learned :func:`varied` labels by heart, in both layouts."""
    from sft.train import main

    folder = tmp_path_factory.mktemp("learned")
    records = write_records(folder, chexpert, train=12, said=varied)
    out = folder / "model"
    flags = ["--per_device_train_batch_size=12", "--num_train_epochs=60", "--learning_rate=1e-2"]
    quiet = ["--disable_tqdm=true", "--save_strategy=no", "--report_to=none", "--logging_steps=20"]
    start = ["--model_name_or_path", str(tiny_checkpoint), "--output_dir", str(out)]
    assert main(["--data", str(records), *start, *flags, *quiet]) == 0
    return out


def half_blank(label_set: LabelSet, number: int) -> dict[str, Certainty]:
    """Two labels for every other report, none for the rest."""
    labels = {label_set.names[0]: Certainty.POSITIVE, label_set.names[1]: Certainty.NEGATIVE}
    return labels if number % 2 else {}


def varied(label_set: LabelSet, number: int) -> dict[str, Certainty]:
    """Labels of all kinds that obey the rules; the same for the same report."""
    report, labels = number % len(REPORTS), {}
    for place, label in enumerate(label_set.labels):
        kinds = label.certainties if len(label.certainties) > 2 else (Certainty.BLANK,)
        labels[label.name] = kinds[(report * (place + 1) + place * place) % len(kinds)]
    return labels


def write_records(
    folder: Path,
    label_set: LabelSet,
    *,
    train: int = 24,
    said: Callable[[LabelSet, int], dict[str, Certainty]] = half_blank,
) -> Path:
    """A data folder in the form of ``labelwright build``, from :data:`REPORTS` in turn."""
    rows = [
        {
            "id": f"r{number}",
            "prompt": messages(label_set, f"{REPORTS[number % len(REPORTS)]} Series {number}."),
            "completion": [
                {"role": "assistant", "content": render(label_set, said(label_set, number))}
            ],
            "meta": {},
        }
        for number in range(train + 6)
    ]
    write_jsonl(folder / "train.jsonl", rows[:train])
    write_jsonl(folder / "validation.jsonl", rows[train:])
    (folder / "label_set.yaml").write_text(label_set.text, encoding="utf-8")
    manifest = {
        "label_set": label_set.name,
        "label_set_sha256": label_set.fingerprint,
        "prompt_version": PROMPT_VERSION,
        "sections": "both",
        "counts": {"records": train + 6},
    }
    write_json(folder / "manifest.json", manifest)
    return folder
