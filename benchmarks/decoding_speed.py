"""How fast one-pass, constrained and free decoding are, beside each other and a bare prefill.

    python benchmarks/decoding_speed.py                                  # tiny and small, 1 minute
    python benchmarks/decoding_speed.py --shapes qwen1.5-0.5b --reports 24 --rounds 3
    python benchmarks/decoding_speed.py --shapes small --encoder
    python benchmarks/decoding_speed.py --model FOLDER                   # a trained model's passes

Time is CPU time of the process (one core unless OMP_NUM_THREADS says otherwise), so other work
on the machine counts little; the ways take turns and ratios are medians over rounds.

- free: batches of 8 with a cache of keys and values, forced to write a valid line (random weights
  would never end);
- constrained: drafts and answers are drawn so that a draft is wrong as often as ``--wrong`` says
  (with a trained model its own); every pass is really computed;
- constrained (random): what the random weights themselves answer, the worst case;
- one-pass;
- bare prefill: the model alone over as many tokens, instruction shared, no output matrix.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from decoding_setup import (
    SHAPES,
    Drawn,
    ForcedFree,
    clock,
    machine,
    prompts_of,
    random_model,
    ratio,
    reports,
    timed,
)

from inference.decode.constrained import Constrained
from inference.decode.decoder import DecodeOptions
from inference.decode.generate import Free
from inference.decode.one_pass import OnePass
from inference.load import Loaded, load
from inference.prompts import Prompt
from labelwright.label_set import LabelSet

CHEXPERT_LABELER = 1.4
"""Reports per second of the CheXpert labeler on one core, started as its authors publish it."""
TOKENS_PER_WORD = 1.6
"""BERT's word pieces per word in radiology reports, about."""


def bare_prefill(one_pass: OnePass, prompts: Sequence[Prompt]) -> Callable[[], None]:
    """The model over as many tokens as each pack has, in plain rows of equal length."""
    base: Any = one_pass.reader.loaded.model.get_decoder()
    extra = len(one_pass.tree.tokens)
    rows = []
    for pack in one_pass.reader._packs(prompts, extra):
        parts = [[*prompts[i].tokens[one_pass.reader.start(prompts[i]) :]] for i in pack]
        tokens = [token for part in parts for token in (*part, *one_pass.tree.tokens)]
        length = len(tokens) // len(pack)
        rows.append(torch.tensor(tokens[: length * len(pack)]).view(-1, length).to(base.device))

    def run() -> None:
        with torch.inference_mode():
            for row in rows:
                base(input_ids=row, use_cache=False)

    return run


def chexbert_way(texts: Sequence[str], device: str) -> Callable[[], None]:
    """BERT-base with 14 heads as its authors run it: batches of 18, padded, in input order."""
    from transformers import BertConfig, BertModel

    from baselines.encoder.model import EncoderModel, Padding

    label_set = LabelSet.load("chexpert-14")
    config: Any = BertConfig()
    encoder = EncoderModel(BertModel(config), label_set, dropout=0.1).eval().to(device)
    lengths = [2 + round(TOKENS_PER_WORD * len(text.split())) for text in texts]
    rows = [{"input_ids": list(range(1000, 1000 + length))} for length in lengths]
    pad = Padding(0)

    def run() -> None:
        with torch.inference_mode():
            for start in range(0, len(rows), 18):
                batch = pad(rows[start : start + 18])
                encoder(**{name: value.to(device) for name, value in batch.items()})

    return run


def compare(loaded: Loaded, arguments: argparse.Namespace) -> None:
    """All ways on one model; prints reports per second and ratios."""
    device, trained = arguments.device, arguments.model is not None
    options = DecodeOptions(arguments.batch, arguments.batch_tokens)
    texts = reports(arguments.reports, examples=trained)
    one_pass, constrained = OnePass(loaded, options), Constrained(loaded, options)
    answers = one_pass.reader.answers
    free = Free(loaded, options) if trained else ForcedFree(loaded, options, answers)
    prompts = prompts_of(loaded, free.room, texts)
    few = prompts[:: max(1, len(prompts) // (arguments.free_reports or len(prompts)))]
    ways: dict[str, Callable[[], object]] = {
        "free": lambda: free.decode(few),
        "constrained": lambda: constrained.decode(prompts),
        "one-pass": lambda: one_pass.decode(prompts),
        "bare prefill": bare_prefill(one_pass, prompts),
    }
    if not trained:
        random_answers = Constrained(loaded, options)
        ways["constrained (random)"] = lambda: random_answers.decode(prompts)
        constrained.reader.scores = Drawn(constrained.reader.scores, arguments.wrong)
    if arguments.encoder:
        ways["encoder"] = chexbert_way(texts, device)
    for name, way in ways.items():
        if name == "one-pass" or (name != "encoder" and len(prompts) > 30):
            way()
    constrained.passes.clear()
    seconds = timed(ways, arguments.rounds, device)
    scale = len(prompts) / len(few)
    seconds["free"] = [value * scale for value in seconds["free"]]
    describe(loaded, one_pass, prompts, free)
    for name, values in seconds.items():
        rate = len(prompts) / statistics.median(values)
        print(f"  {name:22s} {rate:9.2f} reports/s {1000 / rate:9.2f} ms each")
    passes = sum(k * v for k, v in constrained.passes.items()) / constrained.passes.total()
    print(f"  passes of constrained  {passes:9.2f}")
    print(f"  one-pass / free        {ratio(seconds, 'free', 'one-pass'):9.1f} x")
    print(f"  constrained / free     {ratio(seconds, 'free', 'constrained'):9.1f} x")
    print(f"  one-pass / bare prefill{ratio(seconds, 'one-pass', 'bare prefill'):9.2f} x its time")
    fastest = len(prompts) / statistics.median(seconds["one-pass"])
    print(f"  one-pass / CheXpert    {fastest / CHEXPERT_LABELER:9.0f} x its {CHEXPERT_LABELER}/s")
    if arguments.encoder:
        print(f"  one-pass / encoder     {ratio(seconds, 'encoder', 'one-pass'):9.1f} x")
    if device != "cpu":
        ceiling(loaded, one_pass, prompts, seconds["one-pass"])


def describe(loaded: Loaded, one_pass: OnePass, prompts: Sequence[Prompt], free: Free) -> None:
    """What is compared."""
    shared = one_pass.reader.start(prompts[0])
    mean = statistics.mean(len(p.tokens) - shared for p in prompts)
    line = len(free._lines[0]) if isinstance(free, ForcedFree) else 0
    print(
        f"{loaded.name}: {loaded.model.num_parameters() / 1e6:.1f} M parameters, "
        f"{str(loaded.model.dtype).removeprefix('torch.')}, {loaded.model.device.type}"
    )
    print(
        f"  {len(prompts)} reports; tokens: instruction {shared}, report {mean:.0f} on average, "
        f"branches {len(one_pass.tree.tokens)}" + (f", line {line}" if line else "")
    )


def ceiling(
    loaded: Loaded, one_pass: OnePass, prompts: Sequence[Prompt], seconds: Sequence[float]
) -> None:
    """Share of the device's matrix rate that one-pass reaches (GPU)."""
    size, now = 8192, clock("cuda")
    left = torch.randn(size, size, device=loaded.model.device, dtype=loaded.model.dtype)
    left @ left
    began = now()
    for _ in range(10):
        left @ left
    peak = 10 * 2 * size**3 / (now() - began)
    inner = loaded.model.num_parameters() - loaded.model.get_input_embeddings().weight.numel()
    tokens = sum(
        len(p.tokens) - one_pass.reader.start(p) + len(one_pass.tree.tokens) for p in prompts
    )
    share = 2 * inner * tokens / statistics.median(seconds) / peak
    print(f"  matrix rate {peak / 1e12:.0f} TFLOPS, of which one-pass reaches {share:.0%}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["tiny", "small"])
    parser.add_argument("--model", help="a trained folder instead of random weights")
    parser.add_argument("--reports", type=int, default=96)
    parser.add_argument("--free-reports", type=int, help="fewer reports for free decoding")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8, help="reports of a batch, free decoding")
    parser.add_argument("--batch-tokens", type=int, default=512)
    parser.add_argument("--wrong", type=float, default=0.03, help="share of a draft that is wrong")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--plain-linear", action="store_true", help="torch's usual products")
    parser.add_argument("--encoder", action="store_true", help="and BERT-base with 14 heads")
    arguments = parser.parse_args()
    print(machine())
    dtype = getattr(torch, arguments.dtype)
    if arguments.model:
        compare(load(arguments.model, device=arguments.device, dtype=arguments.dtype), arguments)
        return
    label_set = LabelSet.load("chexpert-14")
    fast = not arguments.plain_linear
    for shape in arguments.shapes:
        loaded = random_model(
            shape, label_set, device=arguments.device, dtype=dtype, fast_linear=fast
        )
        compare(loaded, arguments)


if __name__ == "__main__":
    main()
