"""Rows whose branches are their own: the options of each text, and words behind open options.

Rows are as in :mod:`sft.branches`, but for the branches behind them, which differ in what they ask
and how long they are. At a decision the loss is over its options alone, at a token of the words
that follow an open option over the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of
from labelwright.tasks.choices import AnswerTokens, Known, SlotTokens
from sft.branches import IGNORED, Guesses

COLUMNS = ("tokens", "parents", "depths", "nodes", "counts", "options", "due", "ends", "words")
"""What a row of the data set has of its branches, each a list of whole numbers."""


@dataclass(frozen=True, slots=True)
class OwnBranches:
    """The branches of one record.

    Attributes:
        nodes, counts, options: per decision its node, how many options it has, and their tokens
            one behind the other.
        due: per decision the place of the right option, -1 where none is due.
        ends, words: nodes behind which a word's token comes, and that token.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    nodes: tuple[int, ...]
    counts: tuple[int, ...]
    options: tuple[int, ...]
    due: tuple[int, ...]
    ends: tuple[int, ...]
    words: tuple[int, ...]

    def columns(self) -> dict[str, list[int]]:
        """For a row of the data set."""
        return {f"branch_{name}": list(getattr(self, name)) for name in COLUMNS}

    @property
    def learned(self) -> int:
        """How many of its tokens have a loss."""
        return sum(one >= 0 for one in self.due) + len(self.words)


class OwnEncoder:
    """Writes the branches of records in tokens."""

    def __init__(self, label_set: LabelSet, encode: Callable[[str], Sequence[int]]) -> None:
        self._label_set = label_set
        self._kind = kind_of(label_set)
        self._encode = encode
        self._known: dict[Known, SlotTokens] = {}

    def of(self, text: str, answer: str, unknown: Sequence[str] = ()) -> OwnBranches:
        """The branches of a text, and what its answer makes right in those that are known."""
        value = self._kind.parse(self._label_set, answer, text, ended=True).value
        choices = self._kind.choices_in(self._label_set, text)
        assert choices is not None  # noqa: S101  (the encoder asks)
        picks, words = self._kind.picks_in(self._label_set, text, value)
        answers = AnswerTokens.apart(choices, self._encode, self._known)
        tree = answers.tree
        due = [-1] * len(tree.decisions)
        behind = []
        for slot, tokens, start in zip(choices.slots, answers.slots, tree.starts, strict=True):
            pick = picks[slot.label]
            if pick is None or slot.label in unknown:
                continue
            for choice, option in tokens.paths[pick]:
                due[start + choice] = option
            if slot.label in words:
                first = tree.decisions[start]
                option_tokens = self._encode(slot.options[pick])[len(tokens.choices[0].after) :]
                said = self._encode(f" {words[slot.label]}{choices.end}")
                behind.append((first.node, option_tokens, said))
        whole = tree.followed(behind)
        return OwnBranches(
            tokens=whole.tree.tokens,
            parents=whole.tree.parents,
            depths=whole.tree.depths,
            nodes=tuple(one.node for one in tree.decisions),
            counts=tuple(len(one.tokens) for one in tree.decisions),
            options=tuple(token for one in tree.decisions for token in one.tokens),
            due=tuple(due),
            ends=whole.nodes,
            words=whole.tokens,
        )


class OwnCollator:
    """Batches of rows ``[prompt, line, padding, branches, padding]``.

    Args:
        pad: token that fills the rows.
    """

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Token ids, positions, mask, labels, and what the decisions are between.

        Args:
            rows: ``input_ids``, ``labels``, ``prompt``, and those of :data:`COLUMNS`.

        Returns:
            ``input_ids``, ``position_ids`` and ``labels`` ``[rows, columns]`` (in the columns of
            the branches a label is the token that comes next); ``attention_mask``
            ``[rows, 1, columns, columns]``, bool; ``options`` ``[decisions, 3 + most]``: row,
            column and right place (or -100) of every decision, then its tokens (-1 beyond);
            ``width``: columns before the branches, as a row each.
        """
        width = max(len(row["input_ids"]) for row in rows)
        extra = max(len(row["branch_tokens"]) for row in rows)
        shape = (len(rows), width + extra)
        tokens = torch.full(shape, self._pad)
        labels = torch.full(shape, IGNORED)
        positions = torch.zeros(shape, dtype=torch.long)
        mask = torch.eye(width + extra, dtype=torch.bool).repeat(len(rows), 1, 1)
        causal = torch.ones(width, width, dtype=torch.bool).tril()
        most = max((count for row in rows for count in row["branch_counts"]), default=1)
        decisions: list[list[int]] = []
        for index, row in enumerate(rows):
            size, prompt = len(row["input_ids"]), int(row["prompt"])
            own = len(row["branch_tokens"])
            tokens[index, :size] = torch.as_tensor(row["input_ids"])
            labels[index, :size] = torch.as_tensor(row["labels"])
            positions[index, :size] = torch.arange(size)
            mask[index, :size, :size] = causal[:size, :size]
            tokens[index, width : width + own] = torch.as_tensor(row["branch_tokens"])
            positions[index, width : width + own] = prompt + torch.as_tensor(row["branch_depths"])
            mask[index, width : width + own, :prompt] = True
            mask[index, width : width + own, width : width + own] = _visible(row["branch_parents"])
            ends = torch.as_tensor(row["branch_ends"], dtype=torch.long)
            labels[index, width + ends] = torch.as_tensor(row["branch_words"], dtype=torch.long)
            decisions += _decisions(index, row, width, most)
        options = torch.tensor(decisions or [[0, 0, IGNORED, *[-1] * most]])
        due = options[options[:, 2] != IGNORED]
        labels[due[:, 0], due[:, 1]] = due.gather(1, 3 + due[:, 2:3])[:, 0]
        return {
            "input_ids": tokens,
            "position_ids": positions,
            "attention_mask": mask[:, None],
            "labels": labels,
            "options": options,
            "width": torch.full((len(rows),), width),
        }


def _visible(parents: Sequence[int]) -> Tensor:
    seen = torch.eye(len(parents), dtype=torch.bool)
    for index, parent in enumerate(parents):
        if parent >= 0:
            seen[index] |= seen[parent]
    return seen


def _decisions(index: int, row: Mapping[str, Any], width: int, most: int) -> list[list[int]]:
    found = []
    at = 0
    for node, count, due in zip(
        row["branch_nodes"], row["branch_counts"], row["branch_due"], strict=True
    ):
        own = list(row["branch_options"][at : at + count])
        at += count
        right = IGNORED if due < 0 else due
        found.append([index, width + node, right, *own, *[-1] * (most - count)])
    return found


def kept(labels: Tensor, width: int) -> Tensor:
    """The columns whose output the loss needs: before tokens of the line, and in the branches."""
    line = (labels[:, 1:width] != IGNORED).any(0).nonzero().flatten()
    branches = width + (labels[:, width:] != IGNORED).any(0).nonzero().flatten()
    return torch.cat([line, branches])


def own_loss(
    logits: Tensor, labels: Tensor, options: Tensor, columns: Tensor, width: int
) -> tuple[Tensor, Guesses]:
    """The summed loss of a batch, and what was guessed: of lines and words, and of decisions.

    Args:
        logits: ``[rows, kept, vocabulary]``.
        labels, options, width: as the collator wrote them.
        columns: the kept ones.
    """
    due = options[options[:, 2] != IGNORED]
    after = labels[:, (columns + 1).clamp(max=labels.shape[1] - 1)]
    wanted = torch.where(columns < width - 1, after, labels[:, columns])
    place = torch.full((labels.shape[1],), -1, device=labels.device)
    place[columns] = torch.arange(len(columns), device=labels.device)
    wanted = wanted.clone()
    wanted[due[:, 0], place[due[:, 1]]] = IGNORED  # decided among options, below
    flat = wanted.flatten()
    some = (flat != IGNORED).nonzero().flatten()
    written = logits.flatten(0, 1)[some].float()
    loss = functional.cross_entropy(written, flat[some], reduction="sum")
    here = logits[due[:, 0], place[due[:, 1]]].float()
    between = due[:, 3:]
    picked = here.gather(1, between.clamp(min=0)).masked_fill(between < 0, -torch.inf)
    if len(due):
        loss = loss + functional.cross_entropy(picked, due[:, 2], reduction="sum")
    return loss, [(written, flat[some]), (picked, due[:, 2])]
