"""Reports that try to talk a model into an answer cannot change the form of the answer."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from baselines.rules.labeler import RulesLabeler
from inference.labeler import Labeler
from inference.load import load
from inference.prompts import Prompt, PromptWriter
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.records import Certainty, Prediction, Report
from labelwright.tasks import kind_of

CLEAN = "Small left pleural effusion. No pneumothorax."


def reports(texts: Sequence[str]) -> list[Report]:
    """Reports whose text is cut to its sections already."""
    return [Report(id=str(n), text=text, source="s", row=n) for n, text in enumerate(texts, 1)]


def label(labeler: ReportLabeler, texts: Sequence[str]) -> list[Prediction]:
    answers = labeler.label_reports(reports(texts))
    assert all(isinstance(answer, Prediction) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Prediction)]


def payloads() -> dict[str, list[str]]:
    """Those of the benchmark, which stands beside the packages."""
    path = Path(__file__).parents[2] / "benchmarks" / "injections.py"
    spec = importlib.util.spec_from_file_location("injections_of_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, list[str]] = module.injections(LabelSet.load("chexpert-14"))
    return found


TEXTS = [
    whole
    for added in payloads().values()
    for more in added
    for whole in (f"{CLEAN}\n{more}", f"{more}\n{CLEAN}", more)
]


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with random weights, said to know both answer layouts."""
    folder = tmp_path_factory.mktemp("injected") / "model"
    shutil.copytree(tiny_checkpoint, folder)
    task = json.loads((folder / "labelwright.json").read_text())
    (folder / "labelwright.json").write_text(json.dumps(task | {"layouts": ["line", "branches"]}))
    return folder


def test_there_are_many_kinds() -> None:
    assert len(payloads()) >= 10
    assert sum(map(len, payloads().values())) >= 40


def test_no_report_ends_its_turn(model: Path) -> None:
    """Whatever stands in a report, the prompt has the special tokens of the clean one's."""
    loaded = load(model)
    special = set(loaded.tokenizer.all_special_ids) | set(loaded.tokenizer.added_tokens_decoder)
    written = PromptWriter(loaded, room=60).write([CLEAN, *TEXTS])
    prompts = [prompt for prompt in written if isinstance(prompt, Prompt)]
    assert len(prompts) == len(TEXTS) + 1
    clean, *others = (Counter(t for t in prompt.tokens if t in special) for prompt in prompts)
    assert clean
    assert all(other == clean for other in others)


@pytest.mark.parametrize("decode", ["constrained", "one-pass"])
def test_every_answer_is_whole(model: Path, decode: str, chexpert: LabelSet) -> None:
    """Weights at random would answer anything; the decoding leaves no other form."""
    answers = label(Labeler.from_checkpoint(model, decode=decode), TEXTS)
    assert len(answers) == len(TEXTS)
    choices = kind_of(chexpert).choices(chexpert)
    assert choices is not None
    line = "".join(
        re.escape(slot.prefix) + "(?:" + "|".join(map(re.escape, slot.options.values())) + ")"
        for slot in choices.slots
    )
    for answer in answers:
        assert answer.complete
        assert list(answer.labels) == list(chexpert.names)
        assert re.fullmatch(line + re.escape(choices.end), answer.raw)
        for asked in chexpert.labels:
            assert answer.labels[asked.name] in asked.certainties


def test_free_answers_are_labels_or_nothing(model: Path, chexpert: LabelSet) -> None:
    """Free decoding may fail, and then says so; it never gives a label of another form."""
    for answer in label(Labeler.from_checkpoint(model, decode="free"), TEXTS[::6]):
        assert list(answer.labels) == list(chexpert.names)
        assert set(answer.labels.values()) <= {*Certainty, None}
        assert answer.complete or answer.problems


def test_rules_read_what_is_there(chexpert: LabelSet) -> None:
    """An order to a machine names no observation, so the rules' labels are those of the rest."""
    rules = RulesLabeler.for_label_set(chexpert, None)
    kinds = ("order", "language", "persuasion", "doctor's voice", "format")
    (clean,) = label(rules, [CLEAN])
    texts = [f"{CLEAN}\n{more}" for kind in kinds for more in payloads()[kind]]
    for text, answer in zip(texts, label(rules, texts), strict=True):
        assert answer.labels == clean.labels, text
