"""From settings to what the trainer takes: the model with its heads and the encoded reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from baselines.arguments import Settings as AnySettings
from baselines.arguments import Task
from baselines.encoder.arguments import Settings
from baselines.encoder.checkpoint import load_encoder
from baselines.encoder.data import Lengths, Rows, TextEncoder, encode_split, read_split
from baselines.encoder.model import EncoderModel
from baselines.encoder.scratch import PRESETS, make_scratch_encoder
from baselines.encoder.start import context_of, find_encoder, load_parts
from labelwright.errors import CheckpointError, ConfigError
from labelwright.io.data_folder import REPORTS, DataFolder
from labelwright.io.run_folder import START
from labelwright.runtime.training import say
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Ready:
    """All that the trainer takes; ``rows`` and ``lengths`` by split."""

    model: EncoderModel
    tokenizer: PreTrainedTokenizerBase
    base: str
    limit: int
    rows: Mapping[str, Rows]
    lengths: Mapping[str, Lengths]


def prepare(settings: Settings, data: DataFolder, output: Path) -> Ready:
    """Load or make the model and encode the reports.

    Args:
        output: where a model from scratch is made; it is removed at the end of the training.

    Raises:
        LabelwrightError: the start or the data cannot be used.
    """
    from transformers import set_seed

    set_seed(settings.training.seed)
    model, tokenizer, base, limit = _start(settings, data, output)
    encoder = TextEncoder(tokenizer, limit=limit)
    check_validation(settings, data)
    splits = ["train", "validation"] if settings.evaluates else ["train"]
    found = {s: encode_split(data, s, encoder, on_long=settings.task.on_long) for s in splits}
    lengths = {split: counts for split, (_, counts) in found.items()}
    for split, counts in lengths.items():
        if counts.cut or counts.dropped:
            say(
                settings,
                f"{split}: {amount(counts.cut, 'report')} cut at {limit} tokens, "
                f"{counts.dropped} dropped",
            )
    return Ready(model, tokenizer, base, limit, {s: r for s, (r, _) in found.items()}, lengths)


def _start(
    settings: Settings, data: DataFolder, output: Path
) -> tuple[EncoderModel, PreTrainedTokenizerBase, str, int]:
    """Model, tokenizer, the start's name and the longest sequence."""
    task = settings.task
    if task.init_from is not None:
        first = load_encoder(task.init_from)
        if first.label_set != data.label_set:
            raise CheckpointError(
                f"the encoder was trained on label set {first.label_set.name} "
                f"{first.label_set.version}, the data is for {data.label_set.name} "
                f"{data.label_set.version} (the files differ)",
                remedy="build the data for the encoder's label set, or start from an encoder "
                "without heads with --model_name_or_path",
                source=task.init_from,
            )
        first.model.dropout.p = task.head_dropout
        return first.model, first.tokenizer, first.name, min(task.max_length, first.max_length)
    encoder, tokenizer, base, limit = new_start(settings, partial(_texts, data), output)
    return EncoderModel(encoder, data.label_set, dropout=task.head_dropout), tokenizer, base, limit


def _texts(data: DataFolder) -> Iterable[str]:
    return (example.text for example in read_split(data, "train"))


def new_start(
    settings: AnySettings[Task], texts: Callable[[], Iterable[str]], output: Path
) -> tuple[Any, PreTrainedTokenizerBase, str, int]:
    """An encoder without heads: from scratch, a folder, the hub or a package.

    Args:
        texts: the training texts, for the vocabulary of a model from scratch.
        output: where a model from scratch is made.

    Returns:
        Encoder, tokenizer, the start's name and the longest sequence in tokens.

    Raises:
        LabelwrightError: the start cannot be used.
    """
    task = settings.task
    if task.scratch is not None:
        folder, base = output / START, f"scratch ({task.scratch})"
        if not (folder / "tokenizer_config.json").is_file():
            shape = PRESETS[task.scratch]
            make_scratch_encoder(texts(), folder, shape=shape, seed=settings.training.seed)
        source = str(folder)
    else:
        source, base = find_encoder(str(task.model_name_or_path))
    encoder, tokenizer = load_parts(
        source, name=base, revision=task.model_revision, dtype=torch.float32
    )
    context = context_of(encoder, tokenizer) or task.max_length
    return encoder, tokenizer, base, min(task.max_length, context)


def check_validation(settings: AnySettings[Task], data: DataFolder) -> None:
    """The best epoch can only be chosen if there are validation reports.

    Raises:
        ConfigError: there are none and they are needed.
    """
    if settings.evaluates and data.file(REPORTS.format("validation")) is None:
        raise ConfigError(
            "there are no validation reports to choose the best epoch by",
            remedy="build with a validation split, or keep the last with --eval_strategy no",
            source=data.path,
        )
