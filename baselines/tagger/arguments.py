"""Flags and recipes of tagger training: ours and transformers' ``TrainingArguments``.

Without a recipe, the settings of de Almeida et al.'s encoders apply where they name any: learning
rate 5e-5, batch 10, accumulation 5, at most 512 tokens, and a stop after five epochs without a
better micro F1 on validation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from baselines.arguments import HeadArguments, Kind
from baselines.arguments import Settings as AnySettings
from baselines.tagger.choices import (
    CRF,
    FIXED,
    HEADS,
    MULTILABEL,
    PER_LABEL,
    SCHEMES,
    SHARED,
    SOFTMAX,
    WAYS,
)
from labelwright.errors import ConfigError
from labelwright.runtime.arguments import option

RECIPES = Path(__file__).parents[1] / "recipes" / "tagger"
METRICS = ("micro_f1", "macro_f1", "loss")
TEST_SET = "test-set"
NO_SECTIONS = "none"
WEIGHINGS = ("none", "plain", "clamped")


@dataclass
class TaggerArguments(HeadArguments):
    """The flags that transformers does not have."""

    max_length: int = option(
        512,
        "Longest window of a report in tokens; never more than the encoder's. Longer reports "
        "are read in several windows, none is cut.",
    )
    stride: int = option(64, "Words that neighbouring windows share.")
    scheme: str = option(
        "BIO",
        "BIO tells touching entities of one type apart, IO has one tag per type, BIOES also "
        "says where an entity ends.",
        SCHEMES,
    )
    head: str = option(
        SOFTMAX,
        "softmax: one tag a word; crf: the same with learned transitions (package "
        "pytorch-crf); multilabel: several tags a word, for entities that overlap.",
        HEADS,
    )
    crf: bool = option(False, "Short for --head crf.")
    class_weights: str = option(
        WEIGHINGS[0],
        "Weights of the loss: (N - n) / n for a type in n of N training reports (plain), at "
        "least 1 (clamped), or none.",
        WEIGHINGS,
    )
    thresholds: str = option(
        SHARED,
        "With --head multilabel: from which probability on a tag counts, tuned on validation. "
        "shared: one for all types, per-label: one each, 0.5: not tuned.",
        (SHARED, PER_LABEL, FIXED, TEST_SET),
    )
    r_drop: float = option(
        0.0,
        "R-Drop: every batch is read twice with other dropout, and this is the weight of the "
        "divergence of both readings. 0 (default) reads once; 1 is a usual value.",
    )
    label_smoothing: float = option(
        0.0, "With --head softmax: share of the target that all tags get alike."
    )
    pseudo_weight: float = option(
        1.0, "How much notes of labelwright pseudo-label count beside the others."
    )
    sentence_task: list[str] = option(
        list, "Types of which each window is asked, in training, whether it holds one."
    )
    sentence_weight: float = option(1.0, "With --sentence-task: weight of that question's loss.")
    sentence_class_weights: str = option(
        WEIGHINGS[0],
        "With --sentence-task: weights of windows that hold the type, by windows as "
        "--class-weights by reports.",
        WEIGHINGS,
    )
    sections_as: str = option(
        NO_SECTIONS,
        "How the tagger reads the section of a word: none, as a vector beside each token's "
        "(embedding), as words before the section's text (prefix), or as numbers added to the "
        "tags' scores (bias).",
        (NO_SECTIONS, *WAYS),
    )
    section_table: str | None = option(
        None,
        "With --sections-as: headings of the notes: radiology, es, nl, it, or a YAML file; "
        "default radiology.",
    )
    section_dropout: float = option(
        0.1, "With --sections-as: how often a section is hidden in training."
    )
    dictionary: bool = option(
        False,
        "Look the training mentions up, too: mentions of which the tagger is not sure stay if "
        "they are among them, and what it missed is added; tuned on validation.",
    )
    patience: int = option(5, "Stop after this many evaluations without a better one; 0: never.")


Settings = AnySettings[TaggerArguments]


def _check(settings: Settings) -> None:
    task = settings.task
    if task.crf:
        if task.head == MULTILABEL:
            raise ConfigError(
                "a random field gives one tag a word", remedy="remove --crf or --head"
            )
        task.head, task.crf = CRF, False
    if task.head == CRF and task.class_weights != "none":
        raise ConfigError(
            "class weights do not apply to a random field, which scores whole texts",
            remedy="remove them, or use --head softmax",
        )
    if task.thresholds == TEST_SET:
        raise ConfigError(
            "a threshold searched on the evaluated reports cannot be trained in, and its score "
            "is too good",
            remedy="tune on validation here (shared, per-label); to see the other, label the "
            "evaluated reports with several values of labelwright label --threshold",
        )
    if task.head != MULTILABEL and task.thresholds != SHARED:
        raise ConfigError(
            "thresholds are for --head multilabel; elsewhere the likeliest tag counts",
            remedy="remove them, or add --head multilabel",
        )
    if task.dictionary and not settings.evaluates:
        raise ConfigError(
            "how far a dictionary is believed is tuned on validation, and nothing is evaluated",
            remedy="leave out --dictionary or --eval_strategy no",
        )
    _check_losses(task)
    _check_sections(task)
    for name in ("stride", "patience"):
        if getattr(task, name) < 0:
            raise ConfigError(f"{name} is below 0", remedy="give 0 or more")


def _check_losses(task: TaggerArguments) -> None:
    for name in ("r_drop", "pseudo_weight", "sentence_weight"):
        if not 0 <= getattr(task, name) < float("inf"):
            raise ConfigError(f"{name} is below 0 or no number", remedy="give 0 or more")
    if not 0 <= task.label_smoothing < 1:
        raise ConfigError("label_smoothing is no share", remedy="give 0 or more, less than 1")
    if task.label_smoothing and task.head == CRF:
        raise ConfigError(
            "label smoothing means nothing to a random field, whose target is one path",
            remedy="leave it out, or use --head softmax",
        )
    if task.label_smoothing and task.head == MULTILABEL:
        raise ConfigError(
            "with several tags a word each is asked by itself, and has no others to share with",
            remedy="leave out --label-smoothing, or use --head softmax",
        )
    if len(set(task.sentence_task)) < len(task.sentence_task):
        raise ConfigError("sentence_task names a type twice", remedy="give each once")
    if not task.sentence_task:
        for name, default in (("sentence_weight", 1), ("sentence_class_weights", WEIGHINGS[0])):
            if getattr(task, name) != default:
                raise ConfigError(f"{name} is for --sentence-task", remedy="leave it out")


def _check_sections(task: TaggerArguments) -> None:
    if task.sections_as == NO_SECTIONS:
        if task.section_table is not None:
            raise ConfigError(
                "section_table is for --sections-as", remedy=f"add it: {', '.join(WAYS)}"
            )
        return
    if not 0 <= task.section_dropout < 1:
        raise ConfigError("section_dropout is no share", remedy="give 0 or more, less than 1")


TAGGER = Kind(
    command="labelwright train-tagger",
    task=TaggerArguments,
    recipes=RECIPES,
    metrics=METRICS,
    defaults={
        "learning_rate": 5e-5,
        "per_device_train_batch_size": 10,
        "gradient_accumulation_steps": 5,
        "num_train_epochs": 30.0,
        "metric_for_best_model": METRICS[0],
    },
    usual="5e-5, at most 30 epochs, batch 10, accumulation 5",
    check=_check,
)
