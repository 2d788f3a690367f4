"""The memory that a training will take, from one step on tensors without data."""

from __future__ import annotations

from pathlib import Path

import torch

from sft.memory import Alive, Memory, memory
from sft.prepare import prepare
from sft.train import FineTuning


def test_what_is_alive_is_counted_once_until_it_is_freed() -> None:
    """A kilobyte each of float32; a view is no memory of its own; the sum is freed in between."""
    with Alive() as alive:
        first = torch.zeros(256)
        view = first.view(16, 16)
        assert alive.bytes == 1024
        both = first + 1
        assert (alive.bytes, alive.peak) == (2048, 2048)
        del both
        assert (alive.bytes, alive.peak) == (1024, 2048)
        del first
        assert alive.bytes == 1024  # the view holds it
        del view
    assert alive.bytes == 0


def estimate(records: Path, start: Path, *flags: str) -> Memory:
    run = FineTuning()
    words = ["--data", str(records), "--output_dir", "none", "--model_name_or_path", str(start)]
    settings = run.parse([*words, "--use_cpu=true", *flags])
    data = run.open(settings)
    ready = prepare(settings, data, run.start(settings, data, Path("none")))
    return memory(settings, ready, ready.datasets["train"], steps=3)


def test_a_training_in_parts(records_folder: Path, tiny_checkpoint: Path) -> None:
    """Four bytes a weight, eight for AdamW; a step grows with its batch, less with an adapter."""
    one, eight = (
        estimate(records_folder, tiny_checkpoint, f"--per_device_train_batch_size={n}")
        for n in (1, 8)
    )
    assert one.weights == 4 * one.parameters
    assert one.optimizer == 8 * one.trainable == 8 * one.parameters
    gradients = 4 * one.parameters
    assert 4 < (eight.step - gradients) / (one.step - gradients) < 12
    adapter = estimate(records_folder, tiny_checkpoint, "--use_peft", "--lora_r=4")
    assert adapter.parameters == one.parameters
    assert adapter.optimizer == 8 * adapter.trainable < one.optimizer / 4
    assert adapter.weights == 4 * (adapter.parameters + adapter.trainable)
    kept = estimate(
        records_folder,
        tiny_checkpoint,
        "--per_device_train_batch_size=8",
        "--activation_checkpointing=true",
    )
    assert kept.step < 0.8 * eight.step
    frozen = estimate(records_folder, tiny_checkpoint, "--freeze_embeddings")
    assert frozen.trainable < one.trainable
    assert one.program > 1e8  # on a CPU the libraries count
