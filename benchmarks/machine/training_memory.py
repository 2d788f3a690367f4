"""What ``train --dry-run`` says a training will take, beside what it takes.

    python benchmarks/machine/training_memory.py [--only tiny-8 …] [--records 48] [--device cpu]

Each row is one short training of records that the grammar writes, in a process of its own; its
peak is that of its manifest: resident memory on a CPU, the allocator's on a GPU. Rows of SmolLM2
need ``labelwright fetch smollm2``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

LORA = ["--use_peft", "--lora_r", "16", "--lora_target_modules", "all-linear"]
CHEST = ["--model_name_or_path", "labelwright-chest"]
SMOL = ["--model_name_or_path", "smollm2"]


def rows() -> dict[str, list[str]]:
    """The trainings by name: their flags beside records, folder and batch."""
    found: dict[str, list[str]] = {}
    for batch in (1, 8):
        size = ["--per_device_train_batch_size", str(batch)]
        found[f"tiny {batch}"] = ["--scratch", "tiny", *size]
        found[f"chest {batch}"] = [*CHEST, *size]
        found[f"chest lora {batch}"] = [*CHEST, *LORA, *size]
        found[f"smollm2 {batch}"] = [*SMOL, *size]
        found[f"smollm2 lora {batch}"] = [*SMOL, *LORA, *size]
    eight = ["--per_device_train_batch_size", "8"]
    found["chest line 8"] = [*CHEST, "--layout", "line", "--new-label-set", *eight]
    found["smollm2 lora bf16 8"] = [*SMOL, *LORA, "--bf16", "true", *eight]
    found["smollm2 lora bf16 eager 8"] = [
        *(*SMOL, *LORA, "--bf16", "true", "--attn_implementation", "eager", *eight)
    ]
    found["smollm2 branches 8"] = [*SMOL, "--layout", "branches", *eight]
    found["smollm2 checkpointing 8"] = [*SMOL, "--activation_checkpointing", "true", *eight]
    return found


def labelwright(*words: str) -> str:
    """Run a command; its standard output."""
    command = [sys.executable, "-m", "labelwright.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}\n{done.stderr}")
    return done.stdout


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="rows by name")
    parser.add_argument("--records", type=int, default=48, help="each is seen once")
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
    arguments = parser.parse_args()
    place = ["--use_cpu", "true"] if arguments.device == "cpu" else []
    chosen = rows()
    wanted = arguments.only or list(chosen)
    print("| training | dry run, GiB | measured, GiB | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "records"
        build = ["--label-set", "chexpert-14", "--split", "1,0,0", "--out", str(data)]
        labelwright("build", "--synthetic", str(arguments.records), "--brief", "0.5", *build)
        for number, name in enumerate(wanted):
            out = Path(scratch) / f"out-{number}"
            words = ["train", "--data", str(data), "--output_dir", str(out), *chosen[name], *place]
            words += ["--num_train_epochs", "1", "--save_strategy", "no"]
            said = re.search(r"about ([\d.]+) GiB", labelwright(*words, "--dry-run"))
            labelwright(*words)
            took = json.loads((out / "manifest.json").read_text())["peak_memory_bytes"] / 2**30
            guess = float(said[1]) if said else float("nan")
            print(f"| {name} | {guess:.2f} | {took:.2f} | {guess / took:.2f} |", flush=True)


if __name__ == "__main__":
    main()
