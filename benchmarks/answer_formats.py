"""What the answer's format costs: tokens per line, and speed of every way of decoding.

    python benchmarks/answer_formats.py [--shape small] [--reports 24]

The same fourteen observations, asked for in other words: our keys and words (``EC blank``),
keys and one letter (``EC b``), full names and words (``Enlarged Cardiomediastinum blank``).
Words alone (``blank, positive, …``) are only counted: without a name no observation can be
asked for itself, and one word too few would shift all others.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
from collections.abc import Callable

import torch
import yaml
from decoding_setup import (
    SHAPES,
    Drawn,
    ForcedFree,
    machine,
    prompts_of,
    random_model,
    reports,
    timed,
)

from inference.decode.constrained import Constrained
from inference.decode.decoder import DecodeOptions
from inference.decode.one_pass import OnePass
from labelwright.label_set import LabelSet

BASE = "chexpert-14"


def label_set(*, letters: bool = False, full_names: bool = False) -> LabelSet:
    """The observations of the base set with other words or keys."""
    value = yaml.safe_load(LabelSet.load(BASE).text)
    if letters:
        value["certainties"] = {name: name[0] for name in value["certainties"]}
    if full_names:
        for item in value["labels"]:
            item["key"] = item["name"]
    return LabelSet.from_text(yaml.safe_dump(value, sort_keys=False), "made on the spot")


FORMATS = {
    "keys and words": label_set(),
    "keys and letters": label_set(letters=True),
    "full names and words": label_set(full_names=True),
}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--reports", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-tokens", type=int, default=512)
    parser.add_argument("--wrong", type=float, default=0.03, help="share of a draft that is wrong")
    arguments = parser.parse_args()
    print(machine())
    texts = reports(arguments.reports)
    options = DecodeOptions(8, arguments.batch_tokens)
    ways: dict[str, Callable[[], object]] = {}
    lengths: dict[str, str] = {}
    for name, labels in FORMATS.items():
        loaded = random_model(arguments.shape, labels, device="cpu", dtype=torch.float32)
        one_pass, constrained = OnePass(loaded, options), Constrained(loaded, options)
        answers = one_pass.reader.answers
        constrained.reader.scores = Drawn(constrained.reader.scores, arguments.wrong)
        free = ForcedFree(loaded, options, answers)
        prompts = prompts_of(loaded, free.room, texts)
        line = {slot.label: next(iter(slot.options)) for slot in answers.slots}
        lengths[name] = (
            f"{len(answers.line(line)):3d} tokens, branches {len(answers.tree.tokens):3d}"
        )
        ways[f"{name}: one-pass"] = lambda d=one_pass, p=prompts: d.decode(p)
        ways[f"{name}: constrained"] = lambda d=constrained, p=prompts: d.decode(p)
        ways[f"{name}: free"] = lambda d=free, p=prompts: d.decode(p)
    seconds = timed(ways, arguments.rounds, "cpu")
    print(f"{arguments.shape}, {len(texts)} reports")
    for name, length in lengths.items():
        rates = [
            f"{way} {len(texts) / statistics.median(seconds[f'{name}: {way}']):8.2f}"
            for way in ("one-pass", "constrained", "free")
        ]
        print(f"  {name:21s} {length}; reports/s: {', '.join(rates)}")
    words = 2 * len(LabelSet.load(BASE).names)
    print(f"  words alone           {words:3d} tokens; cannot be asked one by one")


if __name__ == "__main__":
    main()
