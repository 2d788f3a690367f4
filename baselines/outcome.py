"""How a training of an encoder or a tagger ended: its manifest, its model card, its metrics."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.arguments import Settings, Task, as_dict
from labelwright.io.data_folder import DataFolder
from labelwright.io.jsonl import atomic_write, write_jsonl, writing
from labelwright.io.manifest import inputs, sha256_file, versions
from labelwright.io.run_folder import START

METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Outcome:
    """One finished training.

    Attributes:
        history: the logged values in order; of evaluations too.
        metrics: what the trainer reports at the end.
        best_metric: the best validation score, and the step that it was reached at; ``None``
            where nothing was evaluated and the last state is kept.
        resumed_from: name of the checkpoint that this session went on from.
    """

    history: list[dict[str, Any]]
    metrics: Mapping[str, float]
    best_metric: float | None
    best_step: int | None
    steps: int
    epochs: float
    processes: int
    resumed_from: str | None

    def best(self, metric: str | None) -> dict[str, Any] | None:
        """The kept state's score, step and epoch; ``None`` where nothing was evaluated."""
        if self.best_metric is None:
            return None
        return {
            "metric": f"validation {metric}",
            "value": self.best_metric,
            "step": self.best_step,
            "epoch": self._epoch(),
        }

    def _epoch(self) -> float | None:
        """The epoch of the best score, as the history has it."""
        for row in self.history:
            if row.get("step") == self.best_step and "eval_loss" in row:
                return float(row["epoch"])
        return None


def manifest(
    settings: Settings[Task],
    data: DataFolder,
    outcome: Outcome,
    *,
    command: str,
    layout: str,
    base_model: str,
    files: Iterable[str],
    counts: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """All that is worth knowing of the run, JSON-ready.

    Args:
        files: names in the data folder that were read.
        counts: what was counted, by split.
    """
    training = settings.training
    return {
        "command": command,
        "kind": "training",
        "label_set": data.label_set.name,
        "label_set_sha256": data.label_set.fingerprint,
        "layouts": [layout],
        "sections": data.sections,
        "base_model": base_model,
        "recipe": settings.recipe and Path(settings.recipe).name,
        "recipe_sha256": settings.recipe and sha256_file(settings.recipe),
        "inputs": inputs(data.path / name for name in files),
        "counts": dict(counts),
        "steps": outcome.steps,
        "epochs": outcome.epochs,
        "best": outcome.best(training.metric_for_best_model),
        "processes": outcome.processes,
        "resumed_from": outcome.resumed_from,
        "metrics": dict(outcome.metrics),
        "history": outcome.history,
        "arguments": {"task": as_dict(settings.task), "training": as_dict(training)},
        "versions": dict(versions()),
    }


def write_papers(
    folder: Path, data: DataFolder, facts: Mapping[str, Any], outcome: Outcome, *, card: Path
) -> None:
    """Write metrics and model card, and take away the start of a model from scratch.

    Args:
        facts: the manifest, with ``parameters`` and whatever else the card names.
        card: the card's template.

    Raises:
        OutputError: a file cannot be written.
    """
    import jinja2

    with writing(folder):
        shutil.rmtree(folder / START, ignore_errors=True)
    write_jsonl(folder / METRICS, outcome.history, mode=0o644)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    text = environment.from_string(card.read_text(encoding="utf-8")).render(
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
