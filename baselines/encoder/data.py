"""Texts and labels of a data folder, joined by id, for training an encoder.

Token ids are those of the text with white space evened out, cut at the context limit. The cut is
the published one (the first tokens and the closing token are kept), but it is always reported.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from labelwright.errors import CheckpointError, ConfigError, InputError
from labelwright.io.data_folder import AGAIN, REPORTS, DataFolder, joined
from labelwright.label_set import LabelSet
from labelwright.tasks.certainty.table import read_labels

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


BATCH = 512
"""Texts that are best encoded together."""
LETTERS_PER_TOKEN = 64
"""A text with more letters than this per token of the limit is first tried by its beginning, so
that one of many megabytes costs no more than any other that is cut."""


class Tokens(NamedTuple):
    """One report; ``cut`` says whether its end did not fit."""

    ids: tuple[int, ...]
    cut: bool


class TextEncoder:
    """Turns texts into tokens of at most ``limit``.

    Args:
        limit: the longest sequence, with the tokenizer's opening and closing token.

    Raises:
        CheckpointError: the tokenizer does not put a classification token first.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, limit: int) -> None:
        self._tokenizer = tokenizer
        self.limit = limit
        frame = self._tokens([""])[0]
        if len(frame) != 2 or frame[0] != tokenizer.cls_token_id:
            raise CheckpointError(
                "the tokenizer does not open a text with a classification token",
                remedy="use an encoder of BERT's kind (BERT, RoBERTa, DeBERTa, ModernBERT, …)",
                source=str(tokenizer.name_or_path),
            )

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """One result per text, in order."""
        even = [" ".join(text.split()) for text in texts]
        starts = [text[: LETTERS_PER_TOKEN * self.limit] for text in even]
        found = self._tokens(starts) if starts else []
        for row, (whole, start) in enumerate(zip(even, starts, strict=True)):
            if len(start) < len(whole) and len(found[row]) <= self.limit:
                found[row] = self._tokens([whole])[0]
        return [self._fitted(ids) for ids in found]

    def _fitted(self, ids: Sequence[int]) -> Tokens:
        if len(ids) <= self.limit:
            return Tokens(tuple(ids), cut=False)
        return Tokens((*ids[: self.limit - 1], ids[-1]), cut=True)

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids; a special token that a report spells out is read as ordinary letters."""
        encoded = self._tokenizer(
            list(texts), truncation=False, padding=False, split_special_tokens=True, verbose=False
        )
        return [list(ids) for ids in encoded["input_ids"]]


LABELS = "{}.labels.csv"


@dataclass(frozen=True, eq=False)
class Example:
    """One report; ``classes`` are places in the label set's certainties, int8 ``[obs]``."""

    id: str
    text: str
    classes: NDArray[np.int8]


@dataclass
class Lengths:
    """What was counted while the reports of a split were encoded."""

    limit: int
    reports: int = 0
    tokens: int = 0
    cut: int = 0
    dropped: int = 0

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "reports": self.reports,
            "tokens": self.tokens,
            "limit_tokens": self.limit,
            "cut_too_long": self.cut,
            "dropped_too_long": self.dropped,
        }


class Rows(Dataset[dict[str, Any]]):
    """Encoded reports in two flat arrays: a fortieth of the memory that lists would take."""

    def __init__(
        self, tokens: NDArray[np.int32], ends: NDArray[np.int64], classes: NDArray[np.int8]
    ) -> None:
        self._tokens = tokens
        self._starts = np.concatenate([[0], ends])
        self.classes = classes

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, index: int) -> dict[str, Any]:
        part = self._tokens[self._starts[index] : self._starts[index + 1]]
        return {"input_ids": part, "labels": self.classes[index]}


def read_split(data: DataFolder, split: str) -> Iterator[Example]:
    """Yield the reports of a split with their labels.

    Raises:
        InputError: a report has no text or no labels, an id appears twice, or a label is one
            that its observation cannot take.
    """
    name = LABELS.format(split)
    labels = _labels(data.path / name, data.label_set)
    for _, identifier, text, classes in joined(data, split, labels, file=name, what="labels"):
        yield Example(identifier, text, classes)


def encode_split(
    data: DataFolder, split: str, encoder: TextEncoder, *, on_long: str
) -> tuple[Rows, Lengths]:
    """Read and encode a split.

    Args:
        on_long: what becomes of a report longer than the limit: ``cut`` keeps its beginning,
            ``drop`` leaves it out, ``error`` stops. The first two are counted.

    Raises:
        InputError: the files are damaged.
        ConfigError: a report is too long and that is an error, or no report is left.
    """
    lengths = Lengths(encoder.limit)
    tokens, ends = array("i"), array("q")
    classes: list[NDArray[np.int8]] = []
    examples = read_split(data, split)
    while batch := list(islice(examples, BATCH)):
        found = encoder.encode([example.text for example in batch])
        for example, (ids, cut) in zip(batch, found, strict=True):
            if cut and on_long == "error":
                raise ConfigError(
                    f"the report with id {example.id!r} is longer than {encoder.limit} tokens",
                    remedy="cut or leave out such reports with --on-long cut|drop",
                    source=data.path / REPORTS.format(split),
                )
            if cut and on_long == "drop":
                lengths.dropped += 1
                continue
            lengths.cut += cut
            tokens.extend(ids)
            ends.append(len(tokens))
            classes.append(example.classes)
    lengths.reports, lengths.tokens = len(classes), len(tokens)
    if not classes:
        if not lengths.dropped:
            raise ConfigError(
                f"the {split} split has no report",
                remedy="build with a share for it (--split)",
                source=data.path,
            )
        raise ConfigError(
            f"no {split} report fits into {encoder.limit} tokens",
            remedy="use --on-long cut",
            source=data.path,
        )
    rows = Rows(
        np.frombuffer(tokens, dtype=np.int32),
        np.frombuffer(ends, dtype=np.int64),
        np.stack(classes),
    )
    return rows, lengths


def _labels(path: Path, label_set: LabelSet) -> dict[str, NDArray[np.int8]]:
    places = {certainty: place for place, certainty in enumerate(label_set.certainties)}
    found: dict[str, NDArray[np.int8]] = {}
    for row, identifier, labels in read_labels(path, label_set, id_columns=["id"]):
        for name, certainty in labels.items():
            if certainty not in label_set.by_name[name].certainties:
                raise InputError(
                    f"{name} cannot be {certainty.value} in {label_set.name}",
                    remedy=AGAIN,
                    source=path,
                    row=row,
                )
        if identifier in found:
            raise InputError("the id appears twice", remedy=AGAIN, source=path, row=row)
        found[identifier] = np.array([places[labels[n]] for n in label_set.names], dtype=np.int8)
    return found
