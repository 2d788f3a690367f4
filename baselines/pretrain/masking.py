"""Which tokens are hidden from the model, and behind what.

The losses are functions of tensors. Masked language modeling is Devlin et al. 2019's (NAACL,
doi:10.18653/v1/N19-1423); over masked words of entities it is that of MELM (Zhou et al. 2022, ACL,
doi:10.18653/v1/2022.acl-long.160, equation 1). The contrast of a student with a frozen teacher is
TaCL's (Su et al. 2022, Findings of NAACL, doi:10.18653/v1/2022.findings-naacl.191), as Francis et
al. 2025 (doi:10.3389/frai.2024.1450477) join it to MELM. Both are means over the masked tokens.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

IGNORED = -100
"""Target of a token that no loss looks at."""


def masked_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, its mean over the tokens that have a target; 0 where none has.

    Args:
        logits: ``[..., vocabulary]``.
        targets: token ids ``[...]``, :data:`IGNORED` where nothing was masked.
    """
    wanted = targets != IGNORED
    if not bool(wanted.any()):
        return logits.sum() * 0.0
    return nn.functional.cross_entropy(logits[wanted].float(), targets[wanted])


def contrastive_loss(
    student: torch.Tensor,
    teacher: torch.Tensor,
    positives: torch.Tensor,
    candidates: torch.Tensor,
    *,
    temperature: float,
) -> torch.Tensor:
    """How far each masked token's vector is from the teacher's vector of the same token.

    For every masked token the negative logarithm of the softmax, over all candidates of its own
    text, of cosine similarity by temperature; its mean over the masked tokens, 0 where there is
    none. It is computed in float32: at a temperature of 0.01 half precision overflows.

    Args:
        student: ``[batch, tokens, size]``.
        teacher: ``[batch, other tokens, size]``; the two may differ in length.
        positives: place of the same token in ``teacher``, ``[batch, tokens]``; -1 where nothing
            was masked.
        candidates: which places of ``teacher`` are tokens of the text, ``[batch, other tokens]``:
            neither padding nor the tokens that open and close it.
    """
    masked = positives >= 0
    if not bool(masked.any()):
        return student.sum() * 0.0
    with torch.autocast(student.device.type, enabled=False):
        mine = nn.functional.normalize(student.float(), dim=-1)
        theirs = nn.functional.normalize(teacher.float(), dim=-1)
        similar = torch.bmm(mine, theirs.transpose(1, 2)) / temperature
        similar = similar.masked_fill(~candidates.unsqueeze(1), -torch.inf)
        return nn.functional.cross_entropy(similar[masked], positives[masked])


Ids = NDArray[np.int32]
BERT = (0.8, 0.1)
"""Shares of the chosen tokens that become the mask, and another token; the others stay."""
ALL = (1.0, 0.0)
"""Every chosen token becomes the mask, as in MELM."""


class Masker:
    """Chooses tokens and replaces them.

    Args:
        mask: id of the mask.
        drawable: ids that may replace a token: no special ones.
        rate: probability with which each eligible token is chosen, by itself.
        shares: of the chosen, those that become the mask and those that become another token.
    """

    def __init__(
        self, mask: int, drawable: Ids, *, rate: float, shares: tuple[float, float]
    ) -> None:
        self._mask, self._drawable = mask, drawable
        self._rate, self._shares = rate, shares
        self._places = np.zeros(int(drawable.max(initial=0)) + 1, dtype=np.int64)
        self._places[drawable] = np.arange(len(drawable))

    def __call__(
        self, ids: Ids, eligible: NDArray[np.bool_], random: np.random.Generator
    ) -> tuple[Ids, Ids]:
        """What the model reads, and the targets: the old id where one was chosen, else ignored.

        Another token is drawn evenly from those that differ from the old one.

        Args:
            ids: token ids, ``[tokens]``.
            eligible: which of them may be chosen; special tokens are not.
        """
        chosen = eligible & (random.random(len(ids)) < self._rate)
        fate = random.random(len(ids))
        steps = random.integers(1, max(len(self._drawable), 2), len(ids))
        shown = ids.copy()
        shown[chosen & (fate < self._shares[0])] = self._mask
        swapped = chosen & (fate >= self._shares[0]) & (fate < sum(self._shares))
        swapped &= ids < len(self._places)
        where = (self._places[ids[swapped]] + steps[swapped]) % len(self._drawable)
        shown[swapped] = self._drawable[where]
        targets = np.where(chosen, ids, IGNORED).astype(np.int32)
        return shown, targets
