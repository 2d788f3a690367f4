"""The finished folder of a pre-training: a plain encoder with its head, its card and manifest."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from baselines.encoder.model import parameters_of
from baselines.head_run import METRICS
from baselines.pretrain.arguments import Settings, rate_of
from baselines.pretrain.model import PretrainModel
from baselines.pretrain.prepare import Ready
from baselines.pretrain.sources import TRAIN, VALIDATION, Sources
from baselines.tagger.notes import GOLD
from labelwright.io.data_folder import REPORTS
from labelwright.io.jsonl import write_json, write_jsonl, writing
from labelwright.io.run_folder import DONE, START
from labelwright.runtime.card import write_card
from labelwright.runtime.pretrained import silent
from labelwright.runtime.training import TrainingResult, facts

CARD = Path(__file__).parent / "card.md.jinja"
REJECTS = "rejects.jsonl"
KIND = "masked words"
"""What the manifest says this folder is, where others name the layout of their answers."""


def finish(
    settings: Settings,
    sources: Sources,
    result: TrainingResult,
    model: PretrainModel,
    ready: Ready,
    after: dict[str, float],
) -> None:
    """Write the folder. Main process only.

    The label tokens are left behind: the folder is an encoder like any other.

    Args:
        after: the kept state's losses on the held-out texts; empty where there are none.

    Raises:
        OutputError: a file cannot be written.
    """
    folder = Path(str(settings.training.output_dir))
    found = manifest(settings, sources, result, ready, after)
    with writing(folder), silent():
        model.lm.save_pretrained(folder)
        ready.tokenizer.save_pretrained(folder)
        shutil.rmtree(folder / START, ignore_errors=True)
    if sources.rejects:
        write_jsonl(folder / REJECTS, [reject.to_json() for reject in sources.rejects])
    write_jsonl(folder / METRICS, result.history, mode=0o644)
    shown = {**found, "parameters": parameters_of(model.lm), "objective": settings.task.objective}
    label_set = None if sources.data is None else sources.data.label_set
    write_card(folder, CARD, label_set, shown)
    write_json(folder / DONE, found)


def manifest(
    settings: Settings,
    sources: Sources,
    result: TrainingResult,
    ready: Ready,
    after: dict[str, float],
) -> dict[str, Any]:
    """All that is worth knowing of the run, JSON-ready."""
    data, task = sources.data, settings.task
    files = list(sources.texts)
    if data is not None:
        kinds = (REPORTS, GOLD) if task.objective != "mlm" else (REPORTS,)
        names = [kind.format(split) for split in (TRAIN, VALIDATION) for kind in kinds]
        files += [data.path / name for name in names if data.file(name) is not None]
    found = facts(
        settings,
        None if data is None else data.label_set,
        result,
        layouts=[KIND],
        sections="" if data is None else data.sections,
        base_model=ready.base,
        files=files,
        counts={
            name: counts.to_json()
            for name, counts in ready.counts.items()
            if name == "train" or ready.held_out is not None
        },
    )
    return {
        "command": "pretrain",
        **found,
        "best": result.best(settings.training.metric_for_best_model),
        "pretraining": {
            "objective": task.objective,
            "rate": rate_of(task),
            "max_length": ready.limit,
            "new_head": ready.new_head,
            "label_tokens": ready.label_tokens,
            "test_notes": task.on_test,
            "held_out": {"before": ready.before, "after": after},
        },
    }
