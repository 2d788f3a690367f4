"""From settings to what the trainer takes: the model with its head and the encoded reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.encoder.prepare import check_validation, new_start
from baselines.epochs import Draws
from baselines.tagger.arguments import NO_SECTIONS, Settings
from baselines.tagger.checkpoint import Shape, load_tagger, thresholds_of
from baselines.tagger.choices import MULTILABEL
from baselines.tagger.data import (
    Rows,
    Split,
    class_weights,
    encode_split,
    pseudo_labeled,
    tags_of_types,
)
from baselines.tagger.notes import read_split
from baselines.tagger.scores import Scored, f1_scores, mentions, tune
from baselines.tagger.sections import Sections, names_in
from baselines.tagger.tags import Tagging
from baselines.tagger.token_classifier import Objective, TokenClassifier
from baselines.tagger.words import WordReader
from labelwright.errors import CheckpointError, ConfigError
from labelwright.io.data_folder import DataFolder
from labelwright.records import Entity
from labelwright.runtime.training import say
from labelwright.text.section_tables import RADIOLOGY, SectionTable

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
        model, tokenizer, base, limit, sections = _second_stage(settings, tagging)
    else:
        texts = partial(_texts, data)
        sections = _sections(settings, data)
        encoder, tokenizer, base, limit = new_start(settings, texts, output)
        model = TokenClassifier(
            encoder,
            len(tagging.names),
            head=task.head,
            dropout=task.head_dropout,
            sections=None if sections is None else (sections.way, sections.count),
        )
    _aim(settings, model, tagging)
    reader = WordReader(tokenizer, limit=limit, stride=task.stride, sections=sections)
    check_validation(settings, data)
    rows = Rows(
        hiding=0.0 if sections is None else task.section_dropout,
        opening=len(reader.head),
        draws=Draws(settings.training.seed),
        asked=tags_of_types(tagging, task.sentence_task),
    )
    splits = {
        "train": encode_split(
            data,
            "train",
            reader,
            tagging,
            keep_notes=False,
            rows=rows,
            pseudo=_pseudo(settings, data),
        )
    }
    if not splits["train"].counts.entities:
        raise ConfigError(
            "no training report has an entity to learn from",
            remedy="build the data from annotated reports",
            source=data.path,
        )
    if settings.evaluates:
        splits["validation"] = encode_split(data, "validation", reader, tagging, keep_notes=True)
    weights = class_weights(splits["train"].counts, tagging, task.class_weights)
    asked = splits["train"].rows.question_weights(task.sentence_class_weights)
    model.weigh(weights, asked)
    _remarks(settings, tagging, splits, weights)
    shape = Shape(
        tagging=tagging,
        head=task.head,
        max_length=limit,
        stride=task.stride,
        dropout=task.head_dropout,
        thresholds=thresholds_of(tagging),
        sections=sections,
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
    """The entities of each text, by the thresholds of the shape and what it looks up."""
    tagging = shape.tagging
    said = [
        tuple(tagging.entities(one.text, one.spans, mentions(tagging, one, shape.thresholds)))
        for one in found
    ]
    if shape.known is None:
        return said
    return [shape.known.reread(one.text, own) for one, own in zip(found, said, strict=True)]


def _texts(data: DataFolder) -> Iterable[str]:
    return (note.text for note in read_split(data, "train"))


def _sections(settings: Settings, data: DataFolder) -> Sections | None:
    """The sections of the training notes, if the tagger is to read them."""
    task = settings.task
    if task.sections_as == NO_SECTIONS:
        return None
    table = SectionTable.load(task.section_table or RADIOLOGY)
    names = sorted(names_in(table, _texts(data)))
    if not names:
        raise ConfigError(
            f"no training note has a heading of the table {table.name}",
            remedy="give the table of the notes' language with --section-table, or leave out "
            "--sections-as",
            source=data.path,
        )
    say(settings, f"sections of the training notes: {', '.join(names)}")
    return Sections(task.sections_as, table, tuple(names))


def _aim(settings: Settings, model: TokenClassifier, tagging: Tagging) -> None:
    """Tell the model what training asks for beside the right tags."""
    task, names = settings.task, tagging.label_set.names
    if unknown := next((name for name in task.sentence_task if name not in names), None):
        raise ConfigError(
            f"sentence_task: label set {tagging.label_set.name} has no type {unknown!r}",
            remedy=f"choose of: {', '.join(names)}",
        )
    shares = [m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)]
    if task.r_drop and not any(shares):
        raise ConfigError(
            "r_drop compares two readings with other dropout, and there is none",
            remedy="raise --head-dropout, or leave out --r-drop",
        )
    asked = Objective(
        r_drop=task.r_drop, smoothing=task.label_smoothing, sentence=task.sentence_weight
    )
    model.aim(asked, len(task.sentence_task))


def _pseudo(settings: Settings, data: DataFolder) -> tuple[set[str], float] | None:
    """The notes that a labeler labeled, where they are not to count like the others."""
    if settings.task.pseudo_weight == 1:
        return None
    found = pseudo_labeled(data)
    if not found:
        raise ConfigError(
            "pseudo_weight: no training note has its entities from a labeler",
            remedy="add such notes with labelwright pseudo-label, or leave it out",
            source=data.path,
        )
    return found, settings.task.pseudo_weight


def _second_stage(
    settings: Settings, tagging: Tagging
) -> tuple[TokenClassifier, PreTrainedTokenizerBase, str, int, Sections | None]:
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
    way = NO_SECTIONS if own.sections is None else own.sections.way
    if way != task.sections_as:
        raise CheckpointError(
            f"the tagger reads sections as {way}",
            remedy=f"add --sections-as {way}",
            source=task.init_from,
        )
    if own.sections is not None and task.section_table not in (None, own.sections.table.name):
        raise CheckpointError(
            f"the tagger has the table of headings {own.sections.table.name}",
            remedy="leave out --section-table",
            source=task.init_from,
        )
    first.model.dropout.p = task.head_dropout
    limit = min(task.max_length, own.max_length)
    return first.model, first.tokenizer, first.name, limit, own.sections


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
