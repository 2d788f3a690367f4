"""What packs, number formats and compiling do for one-pass decoding: speed, memory, changed labels.

    python benchmarks/decoding_packs.py --what packs shared --shapes tiny small
    python benchmarks/decoding_packs.py --what formats --model FOLDER    # a trained model
    python benchmarks/decoding_packs.py --what compile --shapes tiny

- packs: tokens computed together (``--batch-tokens``), with the memory that a pack needs;
- shared: the instruction computed once against computed for every report;
- formats: bfloat16, and int8 by bitsandbytes where it is installed, against float32: speed, the
  largest change of a probability and the share of labels that change (trained models only);
- compile: ``torch.compile`` with dynamic lengths against none, and how long it takes to compile.

CPU seconds on one core; the ways take turns.
"""

from __future__ import annotations

import argparse
import importlib.util
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from decoding_setup import (
    SHAPES,
    machine,
    peak_memory,
    prompts_of,
    random_model,
    ratio,
    reports,
    timed,
)

from inference.decode.decoder import DecodeOptions
from inference.decode.one_pass import OnePass
from inference.decode.pack_plan import Memory
from inference.load import Loaded, load
from labelwright.label_set import LabelSet
from labelwright.records import Answer

SIZES = (128, 256, 512, 1024, 2048, 4096)


def packs(loaded: Loaded, texts: Sequence[str], arguments: argparse.Namespace) -> None:
    """Speed and memory by the size of a pack."""
    ways: dict[str, Callable[[], object]] = {}
    for size in arguments.sizes:
        decoder = OnePass(loaded, DecodeOptions(8, size))
        prompts = prompts_of(loaded, decoder.room, texts)
        ways[str(size)] = lambda decoder=decoder, prompts=prompts: decoder.decode(prompts)
    need = {name: peak_memory(way) for name, way in ways.items()}
    for name, seconds in timed(ways, arguments.rounds, "cpu").items():
        rate = len(texts) / statistics.median(seconds)
        print(f"  packs of {name:>5s} tokens  {rate:9.2f} reports/s  {need[name]:7.0f} MiB on top")


def shared(loaded: Loaded, texts: Sequence[str], arguments: argparse.Namespace) -> None:
    """The gain of reading the instruction once."""
    once, again = (OnePass(loaded, DecodeOptions(8, arguments.batch_tokens)) for _ in range(2))
    again.reader._shared, again.reader._memory = (), Memory()
    prompts = prompts_of(loaded, once.room, texts)
    ways: dict[str, Callable[[], object]] = {
        "once": lambda: once.decode(prompts),
        "again": lambda: again.decode(prompts),
    }
    for way in ways.values():
        way()
    seconds = timed(ways, arguments.rounds, "cpu")
    tokens = once.reader.start(prompts[0])
    print(f"  instruction of {tokens} tokens read once: {ratio(seconds, 'again', 'once'):.1f} x")


def formats(loaded: Loaded, texts: Sequence[str], arguments: argparse.Namespace) -> None:
    """Other number formats against float32."""
    others = {"bfloat16": {"dtype": "bfloat16"}}
    if importlib.util.find_spec("bitsandbytes"):
        others["int8"] = {"quantize": "int8"}
    models = {"float32": loaded}
    for name, how in others.items():
        models[name] = (
            load(arguments.model, device="cpu", **how)
            if arguments.model
            else random_model(loaded.name, loaded.label_set, device="cpu", dtype=torch.bfloat16)
        )
        if not arguments.model:
            break
    decoders = {n: OnePass(m, DecodeOptions(8, arguments.batch_tokens)) for n, m in models.items()}
    prompts = prompts_of(loaded, decoders["float32"].room, texts)
    ways = {n: lambda d=d: d.decode(prompts) for n, d in decoders.items()}
    exact = ways["float32"]()
    seconds = timed(ways, arguments.rounds, "cpu")
    for name in list(ways)[1:]:
        change = ""
        if arguments.model:
            far, labels = changes(exact, ways[name]())
            change = f", largest change of a probability {far:.4f}, labels changed {labels:.3%}"
        print(f"  {name} against float32: {ratio(seconds, 'float32', name):.2f} x as fast{change}")


def changes(one: Sequence[Answer], other: Sequence[Answer]) -> tuple[float, float]:
    """Largest difference of a probability, share of labels that differ."""
    far, differ, total = 0.0, 0, 0
    for a, b in zip(one, other, strict=True):
        for name, options in (a.probs or {}).items():
            total += 1
            differ += a.value[name] is not b.value[name]
            far = max([far, *(abs(p - (b.probs or {})[name][c]) for c, p in options.items())])
    return far, differ / total


def compiled(loaded: Loaded, texts: Sequence[str], arguments: argparse.Namespace) -> None:
    """``torch.compile`` of the model's layers."""
    decoder = OnePass(loaded, DecodeOptions(8, arguments.batch_tokens))
    prompts = prompts_of(loaded, decoder.room, texts)
    decoder.decode(prompts)
    model: Any = loaded.model
    plain = decoder.reader.engine._base
    made: Any = torch.compile(plain, dynamic=True)
    began = time.process_time()
    decoder.reader.engine._base = made
    decoder.decode(prompts)
    decoder.decode(prompts)
    spent = time.process_time() - began

    def through(base: Any) -> Callable[[], object]:
        def run() -> object:
            decoder.reader.engine._base = base
            return decoder.decode(prompts)

        return run

    seconds = timed({"plain": through(plain), "compiled": through(made)}, arguments.rounds, "cpu")
    rate = len(texts) / statistics.median(seconds["plain"])
    print(
        f"  compiled: {ratio(seconds, 'plain', 'compiled'):.2f} x as fast as {rate:.1f} reports/s, "
        f"after {spent:.0f} CPU seconds of compiling ({type(model).__name__})"
    )


PARTS = {"packs": packs, "shared": shared, "formats": formats, "compile": compiled}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--what", nargs="+", choices=PARTS, default=["packs", "shared"])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["tiny"])
    parser.add_argument("--model", help="a trained folder instead of random weights")
    parser.add_argument("--reports", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-tokens", type=int, default=512)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    arguments = parser.parse_args()
    print(machine())
    texts = reports(arguments.reports, examples=arguments.model is not None)
    for shape in [arguments.model] if arguments.model else arguments.shapes:
        if arguments.model:
            loaded = load(shape, device="cpu")
        else:
            labels = LabelSet.load("chexpert-14")
            loaded = random_model(shape, labels, device="cpu", dtype=torch.float32)
        print(f"{loaded.name}: {loaded.model.num_parameters() / 1e6:.1f} M parameters")
        for part in arguments.what:
            PARTS[part](loaded, texts, arguments)


if __name__ == "__main__":
    main()
