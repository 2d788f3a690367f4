"""The mean of the weights of models that were trained on from one another ("model soup").

    python sft/average.py out/shipped/reports out/shipped/short out/shipped/start --out out/model

Stages of one training keep what each of them knew: the mean of a model of whole reports and of
those fine-tuned from it on single sentences reads both (Wortsman et al. 2022, arXiv:2203.05482).
Everything but the weights is taken from the first folder, whose manifest then names all of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from labelwright.errors import CheckpointError, OutputError
from labelwright.io.jsonl import write_json, writing
from labelwright.io.manifest import sha256_model
from labelwright.program import guarded

WEIGHTS = "model.safetensors"
LEFT = ("checkpoint-*", "tensorboard", "run.json", "calibration.json")


def average(folders: Sequence[Path], out: Path) -> None:
    """Write the mean of the folders' models to ``out``.

    Raises:
        CheckpointError: a folder has no weights, or weights of another shape or name.
        OutputError: ``out`` exists.
    """
    import torch
    from safetensors.torch import load_file, save_file

    if out.exists():
        raise OutputError("the folder is there already", remedy="give another --out", source=out)
    for folder in folders:
        if not (folder / WEIGHTS).is_file():
            raise CheckpointError(f"no {WEIGHTS}", remedy="give model folders", source=folder)
    models = [load_file(folder / WEIGHTS) for folder in folders]
    for folder, model in zip(folders, models, strict=True):
        if {n: w.shape for n, w in model.items()} != {n: w.shape for n, w in models[0].items()}:
            raise CheckpointError(
                f"its weights are not those of {folders[0].name}",
                remedy="average models that were trained on from one another",
                source=folder,
            )
    mean = {
        name: torch.stack([model[name].double() for model in models]).mean(0) for name in models[0]
    }
    with writing(out):
        shutil.copytree(folders[0], out, ignore=shutil.ignore_patterns(*LEFT))
        typed = {name: weight.to(models[0][name].dtype) for name, weight in mean.items()}
        save_file(typed, out / WEIGHTS, metadata={"format": "pt"})
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    manifest["mean_of"] = [{"model": f.name, "sha256": sha256_model(f)} for f in folders]
    write_json(out / "manifest.json", manifest)


def main(argv: Sequence[str]) -> int:
    """Average as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description="The mean of the weights of models.")
    parser.add_argument("models", nargs="+", type=Path, help="model folders; the first is kept")
    parser.add_argument("--out", required=True, type=Path, help="the new model's folder")
    given = parser.parse_args(argv)

    def run() -> int:
        average(given.models, given.out)
        return 0

    return guarded(run, debug=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
