"""From settings to what the trainer takes: the model with its head and the encoded reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from baselines.encoder.prepare import check_validation, new_start
from baselines.tagger.arguments import Settings
from baselines.tagger.checkpoint import Shape, load_tagger, thresholds_of
from baselines.tagger.data import Split, class_weights, encode_split, read_split
from baselines.tagger.scores import Scored, f1_scores, mentions, tune
from baselines.tagger.tags import Tagging
from baselines.tagger.token_classifier import MULTILABEL, TokenClassifier
from baselines.tagger.words import WordReader
from labelwright.errors import CheckpointError
from labelwright.io.data_folder import DataFolder
from labelwright.records import Entity
from labelwright.runtime.training import say

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Ready:
    """All that the trainer takes; ``splits`` by name."""

    model: TokenClassifier
    tokenizer: PreTrainedTokenizerBase
    base: str
    shape: Shape
    splits: Mapping[str, Split]
    weights: list[float] | None


def prepare(settings: Settings, data: DataFolder, output: Path) -> Ready:
    """Load or make the model and encode the reports.

    Args:
        output: where a model from scratch is made; it is removed at the end of the training.

    Raises:
        LabelwrightError: the start or the data cannot be used.
    """
    from transformers import set_seed

    task = settings.task
    set_seed(settings.training.seed)
    tagging = Tagging(data.label_set, task.scheme, task.head == MULTILABEL)
    if task.init_from is not None:
        model, tokenizer, base, limit = _second_stage(settings, tagging)
    else:
        texts = partial(_texts, data)
        encoder, tokenizer, base, limit = new_start(settings, texts, output)
        model = TokenClassifier(
            encoder, len(tagging.names), head=task.head, dropout=task.head_dropout
        )
    reader = WordReader(tokenizer, limit=limit, stride=task.stride)
    check_validation(settings, data)
    splits = {"train": encode_split(data, "train", reader, tagging, keep_notes=False)}
    if settings.evaluates:
        splits["validation"] = encode_split(data, "validation", reader, tagging, keep_notes=True)
    weights = class_weights(splits["train"].counts, tagging, task.class_weights)
    model.weigh(weights)
    _remarks(settings, tagging, splits, weights)
    shape = Shape(
        tagging=tagging,
        head=task.head,
        max_length=limit,
        stride=task.stride,
        dropout=task.head_dropout,
        thresholds=thresholds_of(tagging),
    )
    return Ready(model, tokenizer, base, shape, splits, weights)


def read_answers(
    ready: Ready, split: Split, logits: NDArray[np.floating], rows: Sequence[int]
) -> list[Scored]:
    """What the model says of each report of a split, put together from its windows.

    Args:
        logits: ``[windows, words, tags]`` in any order.
        rows: the number of the window that each of them belongs to.
    """
    tags = len(ready.shape.tagging.names)
    whole = [np.zeros((len(note.spans), tags), dtype=np.float32) for note in split.notes]
    for place, row in enumerate(rows):
        window = split.rows.windows[row]
        start, end = window.keep
        part = logits[place, start - window.start : end - window.start]
        whole[split.rows.place[row]][start:end] = part
    answers = ready.model.chances(whole, exact=False)
    return [
        Scored(note.text, note.spans, best, chances)
        for note, (best, chances) in zip(split.notes, answers, strict=True)
    ]


def judge(
    ready: Ready, split: Split, found: Sequence[Scored], way: str
) -> tuple[Shape, dict[str, float]]:
    """The shape with its thresholds tuned on a split, and the scores there.

    Args:
        way: how thresholds are tuned (:func:`baselines.tagger.scores.tune`).
    """
    tagging, shape = ready.shape.tagging, ready.shape
    gold = [note.entities for note in split.notes]
    if tagging.multilabel:
        shape = replace(shape, thresholds=tune(tagging, found, gold, way=way))
    return shape, f1_scores(entities_of(shape, found), gold, tagging)


def entities_of(shape: Shape, found: Sequence[Scored]) -> list[tuple[Entity, ...]]:
    """The entities of each text, by the thresholds of the shape."""
    tagging = shape.tagging
    return [
        tuple(tagging.entities(one.text, one.spans, mentions(tagging, one, shape.thresholds)))
        for one in found
    ]


def _texts(data: DataFolder) -> Iterable[str]:
    return (note.text for note in read_split(data, "train"))


def _second_stage(
    settings: Settings, tagging: Tagging
) -> tuple[TokenClassifier, PreTrainedTokenizerBase, str, int]:
    task = settings.task
    first = load_tagger(str(task.init_from))
    own = first.shape
    if first.label_set != tagging.label_set:
        raise CheckpointError(
            f"the tagger was trained on label set {first.label_set.name} "
            f"{first.label_set.version}, the data is for {tagging.label_set.name} "
            f"{tagging.label_set.version} (the files differ)",
            remedy="build the data for the tagger's label set, or start from a plain encoder with "
            "--model_name_or_path",
            source=task.init_from,
        )
    if (own.head, own.tagging.scheme) != (task.head, task.scheme):
        raise CheckpointError(
            f"the tagger has the head {own.head} and the scheme {own.tagging.scheme}",
            remedy=f"add --head {own.head} --scheme {own.tagging.scheme}",
            source=task.init_from,
        )
    first.model.dropout.p = task.head_dropout
    return first.model, first.tokenizer, first.name, min(task.max_length, own.max_length)


def _remarks(
    settings: Settings,
    tagging: Tagging,
    splits: Mapping[str, Split],
    weights: list[float] | None,
) -> None:
    """What the user should know before hours of training."""
    for name, split in splits.items():
        lost = split.counts.entities - split.counts.learnable
        if lost:
            hint = "" if tagging.multilabel else "; overlapping ones want --head multilabel"
            say(
                settings,
                f"{name}: {lost} of {split.counts.entities} entities cannot be said exactly in "
                f"{tagging.scheme} tags of words{hint}",
            )
    if weights is not None and min(weights) == 0:
        say(
            settings,
            "a type that stands in every training report has the weight 0; --class-weights "
            "clamped keeps it at 1",
        )
