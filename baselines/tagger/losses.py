"""The parts of a tagger's loss, as functions of tensors."""

from __future__ import annotations

import torch
from torch import nn


def word_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    multilabel: bool,
    weights: torch.Tensor | None = None,
    shares: torch.Tensor | None = None,
    smoothing: float = 0.0,
) -> torch.Tensor:
    """Cross-entropy of words (of each tag by itself, where a word can have several), its mean.

    Args:
        logits: ``[words, tags]``.
        labels: numbers of tags ``[words]``, or 0 and 1 ``[words, tags]``.
        weights: one per tag; with one tag a word the mean is weighed by them too.
        shares: how much each word counts, ``[words]``. The mean is still over all words, so that
            a batch of half shares moves the model half as far.
        smoothing: share of the target that all tags, the right one included, get in equal parts
            (Szegedy et al. 2016); with one tag a word only.
    """
    if multilabel:
        how = "mean" if shares is None else "none"
        loss = nn.functional.binary_cross_entropy_with_logits(
            logits, labels.float(), pos_weight=weights, reduction=how
        )
        return loss if shares is None else (loss.mean(dim=-1) * shares).mean()
    if shares is None:
        return nn.functional.cross_entropy(
            logits, labels, weight=weights, label_smoothing=smoothing
        )
    each = nn.functional.cross_entropy(
        logits, labels, weight=weights, label_smoothing=smoothing, reduction="none"
    )
    whole = len(labels) if weights is None else weights[labels].sum()
    return (each * shares).sum() / whole


def consistency(first: torch.Tensor, second: torch.Tensor, *, multilabel: bool) -> torch.Tensor:
    """How far two passes are apart (R-Drop, Liang et al. 2021, arXiv 2106.14448).

    The mean over words of ½ KL(P₁‖P₂) + ½ KL(P₂‖P₁); where a word can have several tags, of the
    Bernoulli divergences, their mean over tags, as the cross-entropy there is one.

    Args:
        first: logits of the words of one pass, ``[words, tags]``; no padding.
        second: those of the other one.
    """
    if multilabel:
        one, two = torch.sigmoid(first), torch.sigmoid(second)
        # KL(p‖q) + KL(q‖p) = (p − q)(logit p − logit q), for each tag
        both = (one - two) * (first - second)
        return 0.5 * both.mean()
    one, two = first.log_softmax(dim=-1), second.log_softmax(dim=-1)
    both = (one.exp() - two.exp()) * (one - two)
    return 0.5 * both.sum(dim=-1).mean()
