"""Rows that hold a prompt, its answer line and its branches; their mask and their loss.

The branches (:mod:`labelwright.tasks.choices`) stand behind prompt and line in the same
row. A branch sees the prompt and itself, neither the line nor other branches, and its positions go
on from the prompt, exactly as one-pass labeling reads them. So the prompt is read once for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from labelwright.tasks.choices import Tree

IGNORED = -100


class BranchCollator:
    """Batches of rows ``[prompt, line, padding, branches]``; the branches are the last columns.

    Args:
        tree: the branches; the same for every row.
        pad: token that fills the rows.
    """

    def __init__(self, tree: Tree, pad: int) -> None:
        self._tokens = np.array(tree.tokens)
        self._depths = np.array(tree.depths)
        self._nodes = np.array([decision.node for decision in tree.decisions])
        self._visible = tree.visible()
        self._pad = pad

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Token ids, positions, mask and labels.

        In the columns of the line a label is the column's own token, as everywhere; in those of
        the branches it is the token that should come next.

        Args:
            rows: ``input_ids``, ``labels``, ``prompt`` (tokens of the prompt) and ``branches``
                (per decision the right token, or -100).

        Returns:
            ``input_ids``, ``position_ids`` and ``labels`` ``[rows, columns]``;
            ``attention_mask`` ``[rows, 1, columns, columns]``, bool.
        """
        width, extra = max(len(row["input_ids"]) for row in rows), len(self._tokens)
        shape = (len(rows), width + extra)
        # NumPy, which takes a row's lists in a fraction of the time
        tokens = np.full(shape, self._pad)
        labels = np.full(shape, IGNORED)
        positions = np.zeros(shape, dtype=np.int64)
        mask = np.tile(np.eye(width + extra, dtype=np.bool_), (len(rows), 1, 1))
        causal = np.tri(width, dtype=np.bool_)
        for index, row in enumerate(rows):
            size, prompt = len(row["input_ids"]), int(row["prompt"])
            tokens[index, :size] = row["input_ids"]
            labels[index, :size] = row["labels"]
            positions[index, :size] = np.arange(size)
            positions[index, width:] = prompt + self._depths
            labels[index, width + self._nodes] = row["branches"]
            mask[index, :size, :size] = causal[:size, :size]
            mask[index, width:, :prompt] = True
            mask[index, width:, width:] = self._visible
        tokens[:, width:] = self._tokens
        return {
            "input_ids": torch.from_numpy(tokens),
            "position_ids": torch.from_numpy(positions),
            "attention_mask": torch.from_numpy(mask)[:, None],
            "labels": torch.from_numpy(labels),
        }


Guesses = Sequence[tuple[Tensor, Tensor]]
"""Logits ``[n, options]`` and the right ones ``[n]``, of the lines and of the branches."""


def right_and_all(guesses: Guesses) -> Tensor:
    """How many were right and how many there are, ``[line, line, branches, branches]``."""
    counts = []
    with torch.no_grad():
        for logits, wanted in guesses:
            here = wanted != IGNORED
            counts += [((logits.argmax(-1) == wanted) & here).sum(), here.sum()]
    return torch.stack(counts)


class BranchLoss:
    """The summed loss of such a batch.

    In the line it is the cross-entropy over the vocabulary, at a decision of a branch that over
    its options only, which is what one-pass labeling compares.
    """

    def __init__(self, tree: Tree) -> None:
        most = max(len(decision.tokens) for decision in tree.decisions)
        self._extra = len(tree.tokens)
        self._nodes = torch.tensor([decision.node for decision in tree.decisions])
        rows = [[*d.tokens, *[-1] * (most - len(d.tokens))] for d in tree.decisions]
        self._options = torch.tensor(rows)

    def kept(self, labels: Tensor) -> Tensor:
        """The columns whose output the loss needs: of the line, then of the decisions."""
        width = labels.shape[1] - self._extra
        line = (labels[:, 1:width] != IGNORED).any(0).nonzero().flatten()
        return torch.cat([line, width + self._nodes.to(labels.device)])

    def __call__(self, logits: Tensor, labels: Tensor, columns: Tensor) -> tuple[Tensor, Guesses]:
        """The summed loss from the logits of the kept columns, and what was guessed.

        Args:
            logits: ``[rows, kept, vocabulary]``.
            labels: as the collator wrote them.
            columns: the kept ones.
        """
        count = len(self._nodes)
        wanted = labels[:, columns[:-count] + 1].flatten()
        written = logits[:, :-count].flatten(0, 1).float()
        loss = functional.cross_entropy(written, wanted, ignore_index=IGNORED, reduction="sum")
        options = self._options.to(labels.device)
        here = logits[:, -count:].float()
        picked = here.gather(2, options.clamp(min=0).expand(len(labels), -1, -1))
        picked = picked.masked_fill(options < 0, -torch.inf).flatten(0, 1)
        due = labels[:, columns[-count:]]
        target = (options == due[..., None]).int().argmax(-1)
        target = torch.where(due == IGNORED, IGNORED, target).flatten()
        loss = loss + functional.cross_entropy(
            picked, target, ignore_index=IGNORED, reduction="sum"
        )
        return loss, [(written, wanted), (picked, target)]
