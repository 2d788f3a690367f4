"""The finished folder of a tagger: weights, thresholds, curves, model card and the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.dictionary import Dictionary
from baselines.encoder.model import parameters_of
from baselines.head_run import manifest, write_papers
from baselines.tagger.arguments import Settings
from baselines.tagger.checkpoint import Shape, save_tagger
from baselines.tagger.curves import write_curves
from baselines.tagger.data import Split
from baselines.tagger.known import Known
from baselines.tagger.notes import GOLD, read_split
from baselines.tagger.prepare import Ready, entities_of, judge, read_answers
from baselines.tagger.scores import f1_scores
from baselines.tagger.token_classifier import TokenClassifier, WordPadding
from labelwright.checkpoint import NORMALISE_FILE, TAGS
from labelwright.io.data_folder import REPORTS, DataFolder
from labelwright.io.jsonl import write_json
from labelwright.io.run_folder import DONE
from labelwright.records import Entity
from labelwright.runtime.training import TrainingResult, say

CARD = Path(__file__).parent / "card.md.jinja"


@dataclass(frozen=True)
class Validated:
    """The kept state on the validation notes.

    Attributes:
        shape: with the thresholds that were tuned there.
        said: the entities of each note.
    """

    shape: Shape
    scores: Mapping[str, float]
    said: Sequence[Sequence[Entity]]


def validated(
    settings: Settings, data: DataFolder, model: TokenClassifier, ready: Ready
) -> Validated | None:
    """Tune the thresholds of the kept state on validation; ``None`` where there is none."""
    if (validation := ready.splits.get("validation")) is None:
        return None
    size = settings.training.per_device_eval_batch_size
    pad = int(ready.tokenizer.pad_token_id or 0)
    logits = logits_of(model, validation, WordPadding(pad), size)
    found = read_answers(ready, validation, logits, range(len(logits)))
    shape, scores = judge(ready, validation, found, settings.task.thresholds)
    said = entities_of(shape, found)
    if settings.task.dictionary:
        gold = [note.entities for note in validation.notes]
        shape = replace(
            shape,
            known=Known.tuned(
                Dictionary.of(list(read_split(data, "train"))),
                [note.text for note in validation.notes],
                said,
                gold,
                overlaps=shape.tagging.multilabel,
            ),
        )
        alone, said = scores, entities_of(shape, found)
        scores = f1_scores(said, gold, shape.tagging)
        say(
            settings,
            f"validation micro F1 {alone['micro_f1']:.3f}, with the dictionary "
            f"{scores['micro_f1']:.3f}",
        )
    return Validated(shape, scores, said)


def finish(
    settings: Settings,
    data: DataFolder,
    result: TrainingResult,
    model: TokenClassifier,
    ready: Ready,
    seen: Validated | None,
) -> None:
    """Write the folder. Main process only.

    Args:
        seen: what :func:`validated` found.

    Raises:
        OutputError: a file cannot be written.
    """
    folder = Path(str(settings.training.output_dir))
    shape = ready.shape if seen is None else seen.shape
    facts = manifest(
        settings,
        data,
        result,
        command="train-tagger",
        layout=TAGS,
        base_model=ready.base,
        files=[kind.format(split) for split in ready.splits for kind in (REPORTS, GOLD)],
        counts={name: split.counts.to_json() for name, split in ready.splits.items()},
    ) | {
        "tagger": _facts(ready, shape),
        "validation": seen and dict(seen.scores),
    }
    save_tagger(
        folder,
        model,
        ready.tokenizer,
        shape,
        sections=data.sections,
        base_model=ready.base,
        normalise=data.path / NORMALISE_FILE,
    )
    write_curves(folder, result.history)
    shown = {**facts, "parameters": parameters_of(model), "max_length": shape.max_length}
    write_papers(folder, data, shown, result, card=CARD)
    write_json(folder / DONE, facts)


@torch.inference_mode()
def logits_of(
    model: TokenClassifier, split: Split, padding: WordPadding, size: int
) -> NDArray[np.float32]:
    """Logits of all windows of a split in order, ``[windows, words, tags]``, padded by 0."""
    model.eval()
    place = model.scores.weight.device
    parts = []
    for start in range(0, len(split.rows), size):
        rows = [split.rows[n] for n in range(start, min(start + size, len(split.rows)))]
        batch = padding([{k: v for k, v in row.items() if k != "labels"} for row in rows])
        parts.append(model(**{k: v.to(place) for k, v in batch.items()})["logits"].cpu().numpy())
    longest = max(part.shape[1] for part in parts)
    padded = [np.pad(part, ((0, 0), (0, longest - part.shape[1]), (0, 0))) for part in parts]
    whole: NDArray[np.float32] = np.concatenate(padded)
    return whole


def _facts(ready: Ready, shape: Shape) -> dict[str, Any]:
    tagging = shape.tagging
    thresholds, weights = None, None
    if shape.thresholds is not None:
        names = [
            tagging.names[place * len(tagging.kinds)][2:] for place in range(len(tagging.classes))
        ]
        thresholds = dict(zip(names, shape.thresholds.tolist(), strict=True))
    if ready.weights is not None:
        weights = dict(zip(tagging.names, ready.weights, strict=True))
    return {
        "head": shape.head,
        "scheme": tagging.scheme,
        "tags": list(tagging.names),
        "stride_words": shape.stride,
        "class_weights": weights,
        "thresholds": thresholds,
        "sections": None if shape.sections is None else shape.sections.to_json(),
        "dictionary": None if shape.known is None else shape.known.to_json(),
        "pseudo_labeled_windows": sum(share != 1 for share in ready.splits["train"].rows.shares),
    }
