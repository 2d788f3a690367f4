"""What options of ``train-tagger`` cost: a training step with each, beside the plain step.

    python benchmarks/training/step_costs.py [--encoder minilm|tiny] [--rounds 7] [--tokens 128]

All models take the same steps (forward, backward, AdamW) on the same batch of eight windows, in
turns, so that other work on the machine meets them alike. The ratio of a round is that of the CPU
times of one step each; the median of the rounds is printed, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from baselines.encoder.scratch import PRESETS, make_scratch_encoder
from baselines.encoder.start import find_encoder, load_parts
from baselines.tagger.choices import BIAS, EMBEDDING
from baselines.tagger.token_classifier import Objective, TokenClassifier, WordPadding

TAGS, SECTIONS, WINDOWS = 19, 8, 8
OPTIONS: dict[str, tuple[str | None, Objective]] = {
    "plain": (None, Objective()),
    "--sections-as bias": (BIAS, Objective()),
    "--sections-as embedding": (EMBEDDING, Objective()),
    "--label-smoothing 0.1": (None, Objective(smoothing=0.1)),
    "--r-drop 1": (None, Objective(r_drop=1.0)),
    "--r-drop 1 --sections-as embedding": (EMBEDDING, Objective(r_drop=1.0)),
}
"""Way of the sections, and the objective, by flags."""


def step_of(source: str, option: str, batch: dict[str, torch.Tensor]) -> Callable[[], None]:
    """One training step of a model of its own."""
    way, objective = OPTIONS[option]
    torch.manual_seed(0)
    encoder, _ = load_parts(source, name=source, dtype=torch.float32)
    sections = None if way is None else (way, SECTIONS)
    model = TokenClassifier(encoder, TAGS, head="softmax", dropout=0.1, sections=sections).train()
    model.aim(objective)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

    def step() -> None:
        optimizer.zero_grad()
        model(**batch)["loss"].backward()
        optimizer.step()

    return step


def batch_of(tokens: int, vocabulary: int) -> dict[str, torch.Tensor]:
    """Eight windows of random words, two tokens each, in sections of a dozen words."""
    random_ = np.random.default_rng(0)
    firsts = np.arange(1, tokens - 2, 2)
    rows = [
        {
            "input_ids": random_.integers(5, vocabulary, tokens),
            "firsts": firsts,
            "labels": random_.integers(0, TAGS, len(firsts)).astype(np.uint16),
            "rows": row,
            "sections": (np.arange(tokens) // 24 % SECTIONS).astype(np.int16),
        }
        for row in range(WINDOWS)
    ]
    return WordPadding(0)(rows)


def main() -> None:
    """Print a line per option."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--encoder", choices=("minilm", "tiny"), default="tiny")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        source = folder
        if arguments.encoder == "minilm":
            source = find_encoder("minilm")[0]
        else:
            words = [f"word{n}" for n in range(1500)]
            make_scratch_encoder([" ".join(words)], Path(folder), shape=PRESETS["tiny"], seed=0)
        _, tokenizer = load_parts(source, name=source, dtype=torch.float32)
        batch = batch_of(arguments.tokens, len(tokenizer))
        steps = {option: step_of(source, option, batch) for option in OPTIONS}
        times: dict[str, list[float]] = {option: [] for option in OPTIONS}
        order, shuffled = list(OPTIONS), random.Random(0)
        for round_ in range(arguments.rounds + 1):
            shuffled.shuffle(order)
            for option in order:
                started = time.process_time()
                steps[option]()
                if round_:  # the first is for caches
                    times[option].append(time.process_time() - started)
    plain = times["plain"]
    print(
        f"plain step: {statistics.median(plain):.3f} CPU s, {WINDOWS} x {arguments.tokens} tokens"
    )
    for option, found in times.items():
        ratios = sorted(own / base for own, base in zip(found, plain, strict=True))
        middle = statistics.median(ratios)
        print(f"{option:36} {middle:.3f} x plain ({ratios[0]:.3f}-{ratios[-1]:.3f})")


if __name__ == "__main__":
    main()
