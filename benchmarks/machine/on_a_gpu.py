"""Everything that wants a GPU once, in one run of under eight minutes.

    python benchmarks/machine/on_a_gpu.py                        # on a machine with one GPU
    python benchmarks/machine/on_a_gpu.py --device cpu --tiny    # the same parts, small
    python benchmarks/machine/on_a_gpu.py --parts decoding parity

Parts, each a process of its own with a limit of seconds, so that one that hangs costs no other:

- tests: the tests that take whatever device there is (decoding, labelers, training);
- parity: one-pass probabilities of the same random weights on CPU and GPU, float32 and bfloat16;
- decoding: one-pass, constrained, free and the share of the matrix rate, at the Qwen2.5-0.5B shape;
- training: a LoRA and a full training, tokens a second, memory beside what the dry run says;
- launch: the DDP and FSDP2 files of accelerate, on one device.

Weights are random: what a pass costs depends on the shape alone. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
LORA = ["--use_peft", "--lora_r", "16", "--lora_target_modules", "all-linear"]
TESTS = ["tests/inference/decode/test_one_pass.py", "tests/inference/decode/test_constrained.py"]
MORE_TESTS = ["tests/inference/test_labeler.py", "tests/sft/test_train_run.py"]


class Part:
    """What a part needs: where it runs, how large, where it may write."""

    def __init__(self, device: str, *, tiny: bool, scratch: Path) -> None:
        self.device, self.tiny, self.scratch = device, tiny, scratch
        self.shape = "tiny" if tiny else "qwen2.5-0.5b"

    def run(self, *words: str, limit: int) -> str:
        """Run Python with these words from the repository; its output, or a line of what failed."""
        home = {"PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}", "HF_HUB_OFFLINE": "1"}
        try:
            done = subprocess.run(
                [sys.executable, *words],
                cwd=ROOT,
                env=os.environ | home,
                capture_output=True,
                text=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"FAILED: over {limit} s: {' '.join(words)}\n"
        if done.returncode:
            return f"FAILED ({done.returncode}): {' '.join(words)}\n{done.stderr[-1500:]}\n"
        return done.stdout

    def labelwright(self, *words: str, limit: int) -> str:
        """Run a command of labelwright."""
        return self.run("-m", "labelwright.cli", *words, limit=limit)

    def model_and_records(self) -> tuple[Path, Path]:
        """A folder with random weights of the shape, and records of the grammar; made once."""
        model, records = self.scratch / "model", self.scratch / "records"
        if not records.exists():
            count = "32" if self.tiny else "512"
            build = ["--label-set", "chexpert-14", "--split", "1,0,0", "--out", str(records)]
            self.labelwright("build", "--synthetic", count, *build, limit=60)
            code = (
                "import sys, torch; from decoding_setup import random_model; "
                "from labelwright.label_set import LabelSet; "
                "made = random_model(sys.argv[1], LabelSet.load('chexpert-14'), device='cpu', "
                "dtype=torch.float32, fast_linear=False); "
                "made.model.save_pretrained(sys.argv[2]); "
                "made.tokenizer.save_pretrained(sys.argv[2])"
            )
            said = self.run("-c", code, self.shape, str(model), limit=120)
            sys.stdout.write(said)
        return model, records


def tests(part: Part) -> str:
    """The subset of the tests."""
    files = TESTS if part.tiny else [*TESTS, *MORE_TESTS]
    said = part.run("-m", "pytest", "-q", "-x", *files, limit=150)
    return said if said.startswith("FAILED") else said.strip().splitlines()[-1] + "\n"


PARITY = """
import sys, numpy as np, torch
from decoding_setup import prompts_of, random_model, reports
from inference.decode.decoder import DecodeOptions
from inference.decode.one_pass import OnePass
from labelwright.label_set import LabelSet
shape, device = sys.argv[1:]
label_set, found = LabelSet.load("chexpert-14"), {}
for place, kind in (("cpu", "float32"), (device, "float32"), (device, "bfloat16")):
    loaded = random_model(shape, label_set, device=place, dtype=getattr(torch, kind))
    way = OnePass(loaded, DecodeOptions(8, 2048))
    answers = way.decode(prompts_of(loaded, 64, reports(16)))
    rows = [[p for row in a.probs.values() for p in row.values()] for a in answers]
    found[place, kind] = np.array(rows)
(_, first), *others = found.items()
for (place, kind), probs in others:
    print(f"  {place} {kind}: largest difference of a probability to cpu float32 "
          f"{np.abs(probs - first).max():.1e}")
"""


def parity(part: Part) -> str:
    """CPU and device beside each other."""
    return part.run("-c", PARITY, part.shape, part.device, limit=120)


def decoding(part: Part) -> str:
    """Reports a second of each way."""
    size = ["--reports", "16", "--rounds", "1"] if part.tiny else ["--reports", "512"]
    if not part.tiny:
        size += ["--free-reports", "64", "--batch", "64", "--batch-tokens", "8192"]
    kind = ["--dtype", "float32" if part.device == "cpu" else "bfloat16"]
    words = ["--shapes", part.shape, "--device", part.device, *kind, *size]
    return part.run("benchmarks/decoding_speed.py", *words, limit=120)


def training(part: Part) -> str:
    """Tokens a second and memory of LoRA and full fine-tuning."""
    model, records = part.model_and_records()
    lines = []
    for name, flags in (("LoRA", LORA), ("full", [])):
        out = part.scratch / f"out-{name}"
        words = ["train", "--data", str(records), "--output_dir", str(out), *flags]
        words += ["--model_name_or_path", str(model), "--num_train_epochs", "1"]
        words += ["--per_device_train_batch_size", "8", "--save_strategy", "no"]
        words += ["--use_cpu", "true"] if part.device == "cpu" else ["--bf16", "true"]
        dry = part.labelwright(*words, "--dry-run", limit=60)
        said = part.labelwright(*words, limit=90)
        if said.startswith("FAILED") or dry.startswith("FAILED"):
            lines.append(said if said.startswith("FAILED") else dry)
            continue
        facts = json.loads((out / "manifest.json").read_text())
        tokens = facts["counts"]["train"]["tokens"] / facts["metrics"]["train_runtime"]
        guess = re.search(r"about ([\d.]+) GiB", dry)
        lines.append(
            f"  {name}: {tokens:,.0f} tokens/s; {facts['peak_memory_bytes'] / 2**30:.2f} GiB at "
            f"the peak, the dry run said {guess[1] if guess else '?'}\n"
        )
    return "".join(lines)


def launch(part: Part) -> str:
    """accelerate's files with one process."""
    model, records = part.model_and_records()
    configs = ["sft/accelerate_configs/cpu-2.yaml"]
    if part.device != "cpu":
        configs = ["accelerate_config.yaml", "sft/accelerate_configs/gpu-4-fsdp2.yaml"]
    lines = []
    for config in configs:
        out = part.scratch / f"launched-{Path(config).stem}"
        words = ["-m", "accelerate.commands.launch", "--config_file", config]
        words += ["--num_processes", "1", "--main_process_port", "0", "sft/train.py"]
        words += ["--data", str(records), "--output_dir", str(out), "--max_steps", "4"]
        words += ["--model_name_or_path", str(model), "--save_strategy", "no"]
        said = part.run(*words, limit=90)
        steps = "" if said.startswith("FAILED") else json.loads((out / "manifest.json").read_text())
        lines.append(said if isinstance(steps, str) else f"  {config}: {steps['steps']} steps\n")
    return "".join(lines)


PARTS: dict[str, Callable[[Part], str]] = {
    "tests": tests,
    "parity": parity,
    "decoding": decoding,
    "training": training,
    "launch": launch,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Print what each part found; 1 where one failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small shapes, few reports")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args(argv)
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        part = Part(arguments.device, tiny=arguments.tiny, scratch=Path(scratch))
        for name in arguments.parts:
            began = time.perf_counter()
            found = PARTS[name](part)
            failed = failed or "FAILED" in found
            sys.stdout.write(f"== {name}, {time.perf_counter() - began:.0f} s\n{found}")
            sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
