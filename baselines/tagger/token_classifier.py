"""A text encoder that tags words: a linear layer over the first token of each word, any loss.

Three heads: one tag a word (cross-entropy over the tags), one tag a word with the transitions of
a conditional random field on top (the package pytorch-crf), or several tags a word (a sigmoid and
binary cross-entropy for each).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from baselines.encoder.model import AroundEncoder, padded, padded_ids
from baselines.tagger.choices import BIAS, CRF, EMBEDDING, MULTILABEL, PREFIX
from baselines.tagger.sections import NOWHERE
from labelwright.errors import MissingExtraError


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


NO_LABEL = -100
CHAIN = 2048
"""Words that the random field sees at once; a longer text is read in chains of so many."""
CHAINS = 64
"""Chains that pass the random field together."""
SECTION_SIZE = 32
"""Length of a section's vector."""


@dataclass(frozen=True)
class Objective:
    """What is asked of a tagger in training beside the right tags; the defaults ask for nothing.

    Attributes:
        r_drop: weight of the divergence of two passes; 0 for one pass.
        smoothing: share of the target that all tags get in equal parts.
        sentence: weight of the question which types a window holds.
    """

    r_drop: float = 0.0
    smoothing: float = 0.0
    sentence: float = 0.0


class TokenClassifier(AroundEncoder):
    """Encoder and head.

    Args:
        encoder: any encoder of transformers; a pooling layer is taken out, it is not used.
        tags: number of tags.
        head: ``softmax``, ``crf`` or ``multilabel``.
        dropout: share of a word's features that is dropped before the head.
        sections: way and number of the sections that it reads; ``None`` for none.

    Raises:
        MissingExtraError: the head is a random field and pytorch-crf is not installed.
    """

    def __init__(
        self,
        encoder: Any,
        tags: int,
        *,
        head: str,
        dropout: float,
        sections: tuple[str, int] | None = None,
    ) -> None:
        super().__init__()
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = head
        self.scores = nn.Linear(int(encoder.config.hidden_size), tags)
        self.field = _field(tags) if head == CRF else None
        self.fusion: SectionFusion | None = None
        if sections is not None and sections[0] != PREFIX:
            size = int(encoder.config.hidden_size)
            self.fusion = SectionFusion(*sections, size=size, tags=tags)
        self.sentence: nn.Linear | None = None
        self.objective = Objective()
        self.weights: torch.Tensor | None
        self.question_weights: torch.Tensor | None
        self.register_buffer("weights", None, persistent=False)
        self.register_buffer("question_weights", None, persistent=False)

    def weigh(
        self, weights: Sequence[float] | None, question: Sequence[float] | None = None
    ) -> None:
        """Set the weights of the loss, one per tag: of the classes, or (multilabel) the positives.

        They are not saved.

        Args:
            question: weights of the windows that hold a type, one per type that is asked about.
        """
        self.weights = None if weights is None else torch.tensor(weights, dtype=torch.float32)
        if question is not None:
            self.question_weights = torch.tensor(question, dtype=torch.float32)

    def aim(self, objective: Objective, types: int = 0) -> None:
        """Set what training asks for; it is not saved.

        Args:
            types: how many types each window is asked about.
        """
        self.objective = objective
        if types:
            self.sentence = nn.Linear(int(self.encoder.config.hidden_size), types)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        firsts: torch.Tensor,
        labels: torch.Tensor | None = None,
        rows: torch.Tensor | None = None,  # noqa: ARG002  (tells the trainer whose logits these are)
        sections: torch.Tensor | None = None,
        shares: torch.Tensor | None = None,
        held: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Logits ``[batch, words, tags]`` and, with labels, the loss: its mean over the words.

        Args:
            input_ids: int64 ``[batch, tokens]``.
            attention_mask: 1 where there is a token, 0 where there is padding.
            firsts: for each word the place of its first token, -1 for padding, ``[batch, words]``.
            labels: numbers of tags ``[batch, words]``, or 0 and 1 ``[batch, words, tags]``;
                ``NO_LABEL`` for padding.
            sections: the number of each token's section, ``[batch, tokens]``.
            shares: how much each window's labels count, ``[batch]``; ``None`` for all alike.
            held: 0 or 1 for each type that is asked about, ``[batch, types]``.
        """
        if labels is None or not (self.training and self.objective.r_drop):
            hidden, logits = self._logits(input_ids, attention_mask, firsts, sections)
            if labels is None:
                return {"logits": logits}
            loss = self._loss(logits, labels, firsts >= 0, shares)
            return {"loss": loss + self._question(hidden, held), "logits": logits}
        # Both passes in one batch, each row of which has a dropout of its own
        hidden, logits = self._logits(
            _twice(input_ids), _twice(attention_mask), _twice(firsts), _twice(sections)
        )
        there = firsts >= 0
        loss = self._loss(logits, _twice(labels), _twice(there), _twice(shares))
        first, second = logits.chunk(2)
        apart = consistency(first[there], second[there], multilabel=self.head == MULTILABEL)
        loss = loss + self.objective.r_drop * apart + self._question(hidden, _twice(held))
        return {"loss": loss, "logits": first}

    def _logits(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor,
        firsts: torch.Tensor,
        sections: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The encoder's states and the scores of the words' tags."""
        inputs = {"input_ids": ids}
        way = None if self.fusion is None else self.fusion.way
        if self.fusion is not None and way == EMBEDDING and sections is not None:
            words = self.encoder.get_input_embeddings()(ids)
            inputs = {"inputs_embeds": self.fusion.inputs(words, sections)}
        hidden = self.encoder(**inputs, attention_mask=mask).last_hidden_state
        places = firsts.clamp(min=0)
        own = places.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
        words = hidden.gather(1, own).to(self.scores.weight.dtype)
        logits = self.scores(self.dropout(words)).float()
        if self.fusion is not None and way == BIAS and sections is not None:
            logits = logits + self.fusion.scores(sections.gather(1, places)).float()
        return hidden, logits

    def _question(self, hidden: torch.Tensor, held: torch.Tensor | None) -> torch.Tensor | float:
        """The loss of the question which types a window holds, asked of its first token."""
        if held is None or self.sentence is None or not self.training:
            return 0.0
        first = hidden[:, 0].to(self.sentence.weight.dtype)
        answer = self.sentence(self.dropout(first)).float()
        loss = nn.functional.binary_cross_entropy_with_logits(
            answer, held.float(), pos_weight=self.question_weights
        )
        return self.objective.sentence * loss

    def _loss(
        self,
        logits: torch.Tensor,
        labels: torch.Tensor,
        there: torch.Tensor,
        shares: torch.Tensor | None,
    ) -> torch.Tensor:
        if self.field is not None:
            # The field looks padding up, too; it must be a tag.
            how = "token_mean" if shares is None else "none"
            likelihood: torch.Tensor = self.field(
                logits, labels.clamp(min=0), mask=there, reduction=how
            )
            if shares is not None:
                likelihood = (likelihood * shares).sum() / there.sum()
            return -likelihood
        each = None if shares is None else shares.unsqueeze(1).expand_as(there)[there]
        return word_loss(
            logits[there],
            labels[there],
            multilabel=self.head == MULTILABEL,
            weights=self.weights,
            shares=each,
            smoothing=self.objective.smoothing if self.training else 0.0,
        )

    def chances(
        self, texts: Sequence[NDArray[np.floating]], *, exact: bool = True
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Best tags and probabilities of the words of each text.

        With a random field these are the tags of the best path and the marginal probabilities,
        which are what is left of the path's one-hot tags when the gradient of its likelihood
        is taken away.

        Args:
            texts: logits, ``[words, tags]`` each.
            exact: compute the marginals of a random field, which takes as long as a training step;
                else those of each word by itself stand for them.

        Returns:
            Numbers of the tags ``[words]`` and probabilities ``[words, tags]``. Where a word can
            have several tags, the numbers are those of the likeliest.
        """
        found = []
        for logits in texts:
            scores = torch.as_tensor(np.asarray(logits, dtype=np.float32))
            alone = torch.sigmoid(scores) if self.head == MULTILABEL else scores.softmax(dim=-1)
            found.append((alone.argmax(dim=-1).numpy(), alone.numpy()))
        if self.field is None:
            return found
        chains = [
            (place, start, min(start + CHAIN, len(best)))
            for place, (best, _) in enumerate(found)
            for start in range(0, len(best), CHAIN)
        ]
        chains.sort(key=lambda chain: chain[1] - chain[2])
        for first in range(0, len(chains), CHAINS):
            batch = chains[first : first + CHAINS]
            logits_of = [np.asarray(texts[place][start:end]) for place, start, end in batch]
            answers = self._paths(logits_of, exact=exact)
            for (place, start, end), (path, sure) in zip(batch, answers, strict=True):
                found[place][0][start:end] = path
                if exact:
                    found[place][1][start:end] = sure
        return found

    def _paths(
        self, chains: Sequence[NDArray[np.floating]], *, exact: bool
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Best path and marginals of chains, the longest first, through the random field."""
        field: Any = self.field
        place = self.scores.weight.device
        sizes = [len(chain) for chain in chains]
        there = torch.arange(sizes[0]) < torch.tensor(sizes)[:, None]
        padded = torch.zeros((len(chains), sizes[0], chains[0].shape[1]))
        for row, chain in enumerate(chains):
            padded[row, : len(chain)] = torch.as_tensor(chain.astype(np.float32))
        with torch.inference_mode(mode=False), torch.enable_grad():
            scores, there = padded.clone().to(place).requires_grad_(), there.clone().to(place)
            paths = field.decode(scores.detach(), there)
            tags = torch.zeros(there.shape, dtype=torch.long, device=place)
            for row, path in enumerate(paths):
                tags[row, : len(path)] = torch.tensor(path, device=place)
            sure = padded
            if exact:
                [slope] = torch.autograd.grad(field(scores, tags, there), scores)
                sure = (nn.functional.one_hot(tags, scores.shape[-1]) - slope).clamp(0, 1)
        return [
            (np.array(path), sure[row, : len(path)].detach().cpu().numpy())
            for row, path in enumerate(paths)
        ]

    def own_weights(self) -> dict[str, torch.Tensor]:
        """Everything but the encoder and what training alone asks, by name."""
        return {
            name: weight
            for name, weight in self.state_dict().items()
            if not name.startswith(("encoder.", "sentence."))
        }


class SectionFusion(nn.Module):
    """The weights of the ways that have any.

    Args:
        sections: number of sections.
        size: width of the encoder.
        tags: number of tags.
    """

    def __init__(self, way: str, sections: int, *, size: int, tags: int) -> None:
        super().__init__()
        self.way = way
        if way == EMBEDDING:
            self.table = nn.Embedding(sections, SECTION_SIZE, padding_idx=NOWHERE)
            nn.init.normal_(self.table.weight, std=0.02)
            self.mix = nn.Linear(size + SECTION_SIZE, size, bias=False)
            with torch.no_grad():
                self.table.weight[NOWHERE] = 0
                self.mix.weight.zero_()
                self.mix.weight[:, :size] = torch.eye(size)
        elif way == BIAS:
            self.table = nn.Embedding(sections, tags, padding_idx=NOWHERE)
            nn.init.zeros_(self.table.weight)

    def inputs(self, words: torch.Tensor, sections: torch.Tensor) -> torch.Tensor:
        """Vectors for the encoder, ``[batch, tokens, size]``, of those of tokens and sections."""
        both = torch.cat([words, self.table(sections).to(words.dtype)], dim=-1)
        mixed: torch.Tensor = self.mix(both)
        return mixed

    def scores(self, sections: torch.Tensor) -> torch.Tensor:
        """What is added to the tags' scores, ``[batch, words, tags]``."""
        added: torch.Tensor = self.table(sections)
        return added


class WordPadding:
    """Makes a batch of rows of :class:`baselines.tagger.data.Rows`: padded at the end."""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Tensors ``[batch, longest]``, and labels if the rows have any."""
        batch = padded_ids([row["input_ids"] for row in rows], self._pad)
        for name, value in (("firsts", -1), ("labels", NO_LABEL), ("sections", 0)):
            if name in rows[0]:
                batch[name] = padded([row[name] for row in rows], value)
        if "shares" in rows[0]:
            batch["shares"] = torch.tensor([row["shares"] for row in rows])
        if "held" in rows[0]:
            batch["held"] = torch.as_tensor(np.stack([row["held"] for row in rows]))
        if "rows" in rows[0]:
            batch["rows"] = torch.tensor([row["rows"] for row in rows])
        return batch


def _twice(tensor: Any) -> Any:
    """A batch, and the same again behind it."""
    return None if tensor is None else torch.cat([tensor, tensor])


def _field(tags: int) -> Any:
    try:
        import torchcrf
    except ImportError:
        raise MissingExtraError("pytorch-crf", "the head crf", "crf") from None
    return torchcrf.CRF(tags, batch_first=True)
