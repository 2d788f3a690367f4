"""From settings to what the trainer takes: tokenizer, configuration, encoded records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.errors import ConfigError
from labelwright.tasks import kind_of
from labelwright.tasks.choices import LINE, Tree
from sft.arguments import Settings
from sft.data import Records, read_records
from sft.encode import Encoded, Encoder, Lengths, to_dataset
from sft.load import Start, load_config, load_tokenizer, named_start, scratch_start

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Prepared:
    """All that training needs besides the weights.

    Attributes:
        stop: the token that ends an answer; the tokenizer's EOS from now on.
        datasets: ``train`` and, if it is evaluated, ``validation``.
        tree: the branches of every row; ``None`` for rows without.
        own_branches: whether every row has branches of its own.
        lengths: what was counted in each of them.
        limit: the longest sequence allowed, in tokens.
        examples: the first records as encoded.
    """

    tokenizer: PreTrainedTokenizerBase
    config: PretrainedConfig
    stop: int
    limit: int
    tree: Tree | None
    own_branches: bool
    datasets: Mapping[str, Dataset]
    lengths: Mapping[str, Lengths]
    examples: list[Encoded] = field(repr=False)

    @property
    def longest(self) -> int:
        """Tokens of the longest training record that is used."""
        return min(self.lengths["train"].longest[0], self.limit)


def start_of(settings: Settings, records: Records, output: Path) -> Start:
    """The model to start from; one from scratch is made in ``output``.

    Raises:
        LabelwrightError: there is no such model, or it does not fit the records.
    """
    preset = settings.task.scratch
    if preset is None:
        allowed = settings.task.new_label_set
        return named_start(settings.model, records.label_set, new_label_set=allowed)
    return scratch_start(_texts(records), output, preset, records.label_set, settings.training.seed)


def _texts(records: Records) -> Iterator[str]:
    """What a tokenizer learns from: the reports, and answers that hold more than fixed words."""
    free = kind_of(records.label_set).choices(records.label_set) is None
    for record in read_records(records.train, records.label_set):
        yield record.user
        if free:
            yield record.answer


def prepare(settings: Settings, records: Records, start: Start, *, examples: int = 0) -> Prepared:
    """Load the tokenizer and encode the records.

    Raises:
        ConfigError: records are too long, or validation is asked for and there is none.
        InputError: a record is damaged.
    """
    sft = settings.training
    tokenizer = load_tokenizer(start, sft.chat_template_path)
    config = load_config(start)
    layout = str(settings.task.layout)
    limit = _limit(config, sft.max_length, branches=layout != LINE)
    encoder = Encoder(
        tokenizer,
        limit=limit,
        on_long=settings.task.on_long,
        label_set=records.label_set,
        layout=layout,
    )
    tokenizer.eos_token = str(tokenizer.convert_ids_to_tokens(encoder.stop))
    sources = {"train": records.train}
    if evaluates(settings):
        if records.validation is None:
            raise ConfigError(
                "eval_strategy asks for validation records and there are none",
                remedy="build with a validation split, or set --eval_strategy no",
                source=records.folder,
            )
        sources["validation"] = records.validation
    lengths: dict[str, Lengths] = {}
    datasets: dict[str, Dataset] = {}
    for split, path in sources.items():
        lengths[split] = Lengths(limit)
        encoded = encoder.encode(read_records(path, records.label_set), lengths[split])
        datasets[split] = to_dataset(encoded)
        if not lengths[split].records:
            raise ConfigError(
                f"no {split} record fits into {limit} tokens",
                remedy="use a model with a longer context"
                + (", or --on-long cut" if encoder.may_cut and encoder.on_long != "cut" else ""),
                source=path,
            )
    shown = Lengths(limit)
    first: Iterator[Encoded] = encoder.encode(
        islice(read_records(records.train, records.label_set), examples), shown
    )
    return Prepared(
        tokenizer=tokenizer,
        config=config,
        stop=encoder.stop,
        limit=limit,
        tree=None if encoder.answers is None else encoder.answers.tree,
        own_branches=encoder.own_branches,
        datasets=datasets,
        lengths=lengths,
        examples=list(first),
    )


def evaluates(settings: Settings) -> bool:
    """Whether the validation records are scored while training."""
    return (
        str(getattr(settings.training.eval_strategy, "value", settings.training.eval_strategy))
        != "no"
    )


def _limit(config: PretrainedConfig, max_length: int | None, *, branches: bool) -> int:
    """The longest sequence in tokens.

    Rows with branches have a mask of their own, and layers with a sliding window take it without
    their window; so there a row must be no longer than that.
    """
    context = getattr(config, "max_position_embeddings", None)
    window = getattr(config, "sliding_window", None) if branches else None
    kinds = getattr(config, "layer_types", None)
    if kinds is not None and "sliding_attention" not in kinds:
        window = None
    known = [int(value) for value in (context, max_length, window) if value]
    if not known:
        raise ConfigError("the model does not say how long its context is", remedy="--max_length N")
    return min(known)
