"""What a training shows where no terminal is."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

from labelwright.cli import main
from labelwright.program import show_messages
from labelwright.runtime.training_lines import line, show_lines


class Numbers(Dataset):  # type: ignore[type-arg]
    """Eight points on a line."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        x = torch.tensor([float(index)])
        return {"x": x, "labels": 2 * x}


class Slope(torch.nn.Module):
    """One weight, squared error."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        found = self.weight * x
        return {"loss": ((found - labels) ** 2).mean(), "logits": found}


@pytest.mark.parametrize(
    ("steps", "terminal"), [(2, False), (2, True), (9, False)], ids=["plain", "terminal", "short"]
)
def test_lines_and_no_bar_without_a_terminal(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
    terminal: bool,
) -> None:
    """A training that is shorter than the interval says its mean loss at the end."""
    show_messages()
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=4, logging_steps=steps, report_to=[], save_strategy="no"
    )
    arguments.set_dataloader(train_batch_size=8)
    trainer = Trainer(model=Slope(), args=arguments, train_dataset=Numbers())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    show_lines(trainer)
    trainer.train()
    said = capsys.readouterr()
    assert "{" not in said.out + said.err
    lines = [part for part in said.err.splitlines() if part.startswith("labelwright: ")]
    usual = ["labelwright: step 2 of 4:", "labelwright: step 4 of 4:"]
    expected = usual if steps == 2 else ["labelwright: step 4 of 4: train"]
    assert [part.partition(" loss ")[0] for part in lines] == expected
    assert ("it/s" in said.err) == terminal
    if not terminal:
        assert said.err.splitlines() == lines


def test_only_what_is_worth_a_look() -> None:
    logs = {"loss": 0.51234, "grad_norm": 1.5, "epoch": 2.0, "learning_rate": 1e-3}
    assert line(logs) == "loss 0.5123"
    scores = {"eval_loss": 1.25, "eval_macro_f1": 0.5, "eval_runtime": 3.0, "epoch": 1.0}
    assert line(scores) == "eval loss 1.25, eval macro f1 0.5"
    assert line({"train_runtime": 3.0, "train_loss": 0.4}) == "train loss 0.4"


@pytest.mark.parametrize("command", ["train", "train-encoder", "train-tagger", "pretrain"])
def test_every_training_keeps_a_library_from_talking_of_its_kernels(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """``bitsandbytes`` warns as it is imported, of what would have to come from the hub."""
    talker = logging.getLogger("bitsandbytes")
    before = talker.level
    talker.setLevel(logging.NOTSET)
    try:
        assert main([command, "--data", "nowhere", "--output_dir", "nowhere"]) == 2
        assert not talker.isEnabledFor(logging.WARNING)
    finally:
        talker.setLevel(before)
    assert len(capsys.readouterr().err.splitlines()) == 1
