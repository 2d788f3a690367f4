"""The finished folder of an encoder: weights, task, metrics, model card and, last, the manifest."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.encoder_arguments import Settings, as_dict
from baselines.encoder_checkpoint import save_encoder
from baselines.encoder_data import LABELS, REPORTS, Lengths
from baselines.encoder_model import EncoderModel, parameters_of
from labelwright.checkpoint import HEADS
from labelwright.data_folder import DataFolder
from labelwright.jsonl import atomic_write, write_json, write_jsonl, writing
from labelwright.manifest import inputs, sha256_file, versions
from labelwright.run_folder import DONE, START

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CARD = Path(__file__).parent / "encoder_card.md.jinja"
METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Outcome:
    """One finished training.

    Attributes:
        lengths: counts per split.
        history: the logged values in order; of evaluations too.
        metrics: what the trainer reports at the end.
        best_metric: the best validation score, and the step that it was reached at; ``None``
            where nothing was evaluated and the last state is kept.
        resumed_from: name of the checkpoint that this session went on from.
    """

    lengths: Mapping[str, Lengths]
    history: list[dict[str, Any]]
    metrics: Mapping[str, float]
    best_metric: float | None
    best_step: int | None
    steps: int
    epochs: float
    processes: int
    resumed_from: str | None


def finish(
    settings: Settings,
    data: DataFolder,
    outcome: Outcome,
    model: EncoderModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    base_model: str,
) -> None:
    """Write the folder. Main process only.

    Raises:
        OutputError: a file cannot be written.
    """
    folder = Path(str(settings.training.output_dir))
    facts = _manifest(settings, data, outcome, base_model)
    save_encoder(
        folder,
        model,
        tokenizer,
        data.label_set,
        max_length=max_length,
        sections=data.sections,
        base_model=base_model,
    )
    with writing(folder):
        shutil.rmtree(folder / START, ignore_errors=True)
    write_jsonl(folder / METRICS, outcome.history, mode=0o644)
    _card(folder, data, {**facts, "parameters": parameters_of(model), "max_length": max_length})
    write_json(folder / DONE, facts)


def _manifest(
    settings: Settings, data: DataFolder, outcome: Outcome, base_model: str
) -> dict[str, Any]:
    names = [kind.format(split) for split in outcome.lengths for kind in (REPORTS, LABELS)]
    best = None
    if outcome.best_metric is not None:
        best = {
            "metric": f"validation {settings.training.metric_for_best_model}",
            "value": outcome.best_metric,
            "step": outcome.best_step,
            "epoch": _epoch_of(outcome),
        }
    return {
        "command": "train-encoder",
        "kind": "training",
        "label_set": data.label_set.name,
        "label_set_sha256": data.label_set.fingerprint,
        "layouts": [HEADS],
        "sections": data.sections,
        "base_model": base_model,
        "recipe": settings.recipe and Path(settings.recipe).name,
        "recipe_sha256": settings.recipe and sha256_file(settings.recipe),
        "inputs": inputs(data.path / name for name in names),
        "counts": {split: lengths.to_json() for split, lengths in outcome.lengths.items()},
        "steps": outcome.steps,
        "epochs": outcome.epochs,
        "best": best,
        "processes": outcome.processes,
        "resumed_from": outcome.resumed_from,
        "metrics": dict(outcome.metrics),
        "history": outcome.history,
        "arguments": {"task": as_dict(settings.task), "training": as_dict(settings.training)},
        "versions": dict(versions()),
    }


def _epoch_of(outcome: Outcome) -> float | None:
    """The epoch of the best score, as the history has it."""
    for row in outcome.history:
        if row.get("step") == outcome.best_step and "eval_loss" in row:
            return float(row["epoch"])
    return None


def _card(folder: Path, data: DataFolder, facts: Mapping[str, Any]) -> None:
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    text = environment.from_string(CARD.read_text(encoding="utf-8")).render(
        {
            **facts,
            "name": folder.name,
            "label_set": data.label_set,
            "train": facts["counts"]["train"],
            "validation": facts["counts"].get("validation"),
            "training": facts["arguments"]["training"],
            "task": facts["arguments"]["task"],
        }
    )
    with atomic_write(folder / "README.md", mode=0o644) as handle:
        handle.write(text + "\n")
