"""A text encoder with one classification head per observation, as in CheXbert.

The architecture is that of Smit et al. 2020 (EMNLP, doi:10.18653/v1/2020.emnlp-main.117): the
last hidden state of the first token, dropout, then one linear layer per observation over the
certainties that this observation can take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty


class AroundEncoder(nn.Module):
    """A model around one of transformers', which answers what its trainer asks of them."""

    inner: ClassVar[str] = "encoder"
    """Name of the one inside."""

    def get_input_embeddings(self) -> nn.Module:
        """The table of tokens, to which ``--neftune_noise_alpha`` adds noise."""
        found: nn.Module = getattr(self, self.inner).get_input_embeddings()
        return found

    def activation_checkpointing_enable(self, **how: Any) -> None:
        """Compute layers again in the backward pass instead of keeping what they gave.

        Raises:
            ConfigError: the encoder's kind cannot.
        """
        try:
            getattr(self, self.inner).activation_checkpointing_enable(**how)
        except ValueError:
            raise ConfigError(
                "this kind of encoder cannot compute its layers twice",
                remedy="leave out --activation_checkpointing",
            ) from None


class EncoderModel(AroundEncoder):
    """Encoder and heads.

    Args:
        encoder: any encoder of transformers; a pooling layer is taken out, it is not used.
        label_set: one head per observation, in its order.
        dropout: share of the first token's features that is dropped before the heads.
    """

    def __init__(self, encoder: Any, label_set: LabelSet, *, dropout: float) -> None:
        super().__init__()
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        size = int(encoder.config.hidden_size)
        self.heads = nn.ModuleList(
            nn.Linear(size, len(label.certainties)) for label in label_set.labels
        )
        self.shape = (len(label_set.labels), len(label_set.certainties))
        """Observations and certainties of the label set: the last two sizes of the logits."""
        self.places: torch.Tensor
        self.register_buffer("places", torch.tensor(_places(label_set)), persistent=False)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        labels: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Logits ``[batch, observations, certainties]`` and, with labels, the loss.

        Certainties stand in the label set's order; those that an observation cannot take have
        -inf. The loss is the cross-entropy summed over the heads, its mean over the batch.

        Args:
            input_ids: int64 ``[batch, tokens]``.
            attention_mask: 1 where there is a token, 0 where there is padding.
            labels: int64 ``[batch, observations]``, places in the label set's certainties.
        """
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        first = self.dropout(hidden.last_hidden_state[:, 0])
        scores = torch.cat([head(first) for head in self.heads], dim=-1).float()
        logits = scores.new_full((len(scores), self.shape[0] * self.shape[1]), -torch.inf)
        logits = logits.index_copy(1, self.places, scores).view(-1, *self.shape)
        if labels is None:
            return {"logits": logits}
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        return {"loss": loss / len(logits), "logits": logits}


def _places(label_set: LabelSet) -> list[int]:
    """Where each output of the heads, one after the other, belongs in the flat logits."""
    width = len(label_set.certainties)
    return [
        row * width + label_set.certainties.index(certainty)
        for row, label in enumerate(label_set.labels)
        for certainty in label.certainties
    ]


def parameters_of(model: nn.Module) -> int:
    """Number of weights, encoder and heads."""
    return sum(weight.numel() for weight in model.parameters())


class Padding:
    """Makes a batch of rows ``{"input_ids", "labels"}``: padded at the end, with its mask."""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Tensors ``[batch, longest]``; labels, if the rows have any, ``[batch, observations]``."""
        batch = padded_ids([row["input_ids"] for row in rows], self._pad)
        if "labels" in rows[0]:
            batch["labels"] = torch.as_tensor(np.stack([row["labels"] for row in rows])).long()
        return batch


def padded(rows: Sequence[Any], value: int) -> torch.Tensor:
    """Rows of whole numbers as one tensor ``[batch, longest, …]``, filled up at the end."""
    arrays = [np.asarray(row).astype(np.int64) for row in rows]
    shape = (len(arrays), max(map(len, arrays)), *arrays[0].shape[1:])
    whole = torch.full(shape, value, dtype=torch.long)
    for place, row in enumerate(arrays):
        whole[place, : len(row)] = torch.from_numpy(row)
    return whole


def padded_ids(rows: Sequence[Any], pad: int) -> dict[str, torch.Tensor]:
    """``input_ids`` and ``attention_mask`` of rows of tokens."""
    ids = padded(rows, pad)
    sizes = torch.tensor([len(row) for row in rows])
    mask = (torch.arange(ids.shape[1]) < sizes.unsqueeze(1)).long()
    return {"input_ids": ids, "attention_mask": mask}


@torch.inference_mode()
def answers_of(
    model: EncoderModel, rows: Sequence[dict[str, Any]], padding: Padding, size: int
) -> NDArray[np.int64]:
    """The likeliest certainties, ``[reports, observations]``, in batches of ``size``."""
    model.eval()
    place = model.places.device
    parts = []
    for start in range(0, len(rows), size):
        batch = padding([{"input_ids": row["input_ids"]} for row in rows[start : start + size]])
        logits = model(**{name: tensor.to(place) for name, tensor in batch.items()})["logits"]
        parts.append(logits.argmax(-1).cpu().numpy())
    found: NDArray[np.int64] = np.concatenate(parts)
    return found


def values_of(label_set: LabelSet, classes: NDArray[np.integer[Any]]) -> dict[str, Certainty]:
    """The places in the label set's certainties, one per observation, as a value."""
    said = (label_set.certainties[int(place)] for place in classes)
    return dict(zip(label_set.names, said, strict=True))


def scores(
    logits: NDArray[np.floating[Any]], gold: NDArray[np.integer[Any]], label_set: LabelSet
) -> dict[str, float]:
    """What the best epoch is chosen by, and what is shown beside it.

    ``macro_f1`` is the mean of the extraction F1 over all pairs of an observation and a
    certainty other than blank that occur in ``gold``; each is scikit-learn's F1 of one class
    against the rest. ``accuracy`` is the share of right cells, ``exact_match`` that of reports
    with every observation right.

    Args:
        logits: ``[reports, observations, certainties]``.
        gold: ``[reports, observations]``, places in the label set's certainties.
    """
    answer = logits.argmax(axis=-1)
    found = []
    for place, certainty in enumerate(label_set.certainties):
        if certainty is Certainty.BLANK:
            continue
        wanted, given = gold == place, answer == place
        hits = (wanted & given).sum(axis=0)
        support, total = wanted.sum(axis=0), wanted.sum(axis=0) + given.sum(axis=0)
        found += list(2 * hits[support > 0] / total[support > 0])
    right = answer == gold
    return {
        "macro_f1": float(np.mean(found)) if found else 0.0,
        "accuracy": float(right.mean()),
        "exact_match": float(right.all(axis=1).mean()),
    }
