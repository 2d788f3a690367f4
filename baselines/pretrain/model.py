"""A masked language model that can read label tokens and be held to a frozen teacher."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from baselines.encoder.model import AroundEncoder
from baselines.pretrain.masking import IGNORED, contrastive_loss, masked_loss

HEADS = ("cls", "lm_head")
"""What the prediction heads of BERT's and RoBERTa's kind are called."""


class PretrainModel(AroundEncoder):
    """The student, its label tokens and its teacher.

    Label tokens have a table of their own, so the vocabulary stays as it was: they can be read
    but never predicted, and the saved encoder has no trace of them.

    Args:
        lm: a masked language model of transformers; its output layer is tied to the embeddings.
        labels: for each label token the ids of the tokens that spell its name; its vector starts
            as their mean.
        temperature: of the contrast with the teacher, a frozen copy of ``lm``; ``None`` for no
            teacher.
    """

    inner = "lm"
    _keys_to_ignore_on_save = None

    def __init__(
        self,
        lm: Any,
        *,
        labels: Sequence[Sequence[int]] = (),
        temperature: float | None = None,
    ) -> None:
        super().__init__()
        self.lm = lm
        self.vocabulary = int(lm.get_input_embeddings().num_embeddings)
        self.labels = _table(lm, labels) if labels else None
        self.temperature = temperature
        # In a list, where neither .train() nor a checkpoint of the student finds it
        self._teacher = [] if temperature is None else [Teacher(lm, self.labels)]

    @property
    def teacher(self) -> Teacher | None:
        """The frozen copy, if there is one."""
        return self._teacher[0] if self._teacher else None

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        targets: torch.Tensor,
        teacher_ids: torch.Tensor | None = None,
        teacher_mask: torch.Tensor | None = None,
        positives: torch.Tensor | None = None,
        candidates: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """The loss: of masked words and, with a teacher, the contrast with it, added up.

        Args:
            input_ids: what the student reads, ``[batch, tokens]``; ids from the vocabulary's size
                on are label tokens.
            attention_mask: 1 where there is a token.
            targets: the masked tokens' ids, -100 elsewhere.
            teacher_ids, teacher_mask: the same texts as the teacher reads them.
            positives, candidates: see :func:`baselines.pretrain.masking.contrastive_loss`.
        """
        inputs = embedded(self.lm, self.labels, input_ids, self.vocabulary)
        wanted = targets != IGNORED
        if (head := _head(self.lm)) is not None:
            hidden = self.lm.base_model(**inputs, attention_mask=attention_mask).last_hidden_state
            logits = head(hidden[wanted])
        else:
            out = self.lm(**inputs, attention_mask=attention_mask, output_hidden_states=True)
            hidden, logits = out.hidden_states[-1], out.logits[wanted]
        loss = masked = masked_loss(logits, targets[wanted])
        parts = {"masked": masked.detach()}
        if self.teacher is not None and positives is not None:
            assert teacher_ids is not None  # noqa: S101
            assert teacher_mask is not None  # noqa: S101
            assert candidates is not None  # noqa: S101
            theirs = self.teacher(teacher_ids, teacher_mask)
            assert self.temperature is not None  # noqa: S101
            contrast = contrastive_loss(
                hidden, theirs, positives, candidates, temperature=self.temperature
            )
            parts["contrast"] = contrast.detach()
            loss = masked + contrast
        return {"loss": loss, **parts}

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Every weight once: tied ones under their first name."""
        found = super().state_dict(*args, **kwargs)
        for name in self._tied():
            found.pop(name, None)
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The inverse."""
        known = dict(state_dict)
        known |= {name: known[first] for name, first in self._tied().items() if first in known}
        return super().load_state_dict(known, *args, **kwargs)

    def _tied(self) -> dict[str, str]:
        """Names of weights that have another name before, which is told."""
        first: dict[int, str] = {}
        found = {}
        for name, weight in self.named_parameters(remove_duplicate=False):
            if (known := first.setdefault(id(weight), name)) != name:
                found[name] = known
        return found


class Teacher:
    """A copy of a model as it was at the start: no dropout, no gradient, never changed.

    It is no module, so that putting the student into training mode does not reach it.
    """

    def __init__(self, lm: Any, labels: nn.Embedding | None) -> None:
        self.base = copy.deepcopy(lm.base_model).eval().requires_grad_(False)
        self.labels = None if labels is None else copy.deepcopy(labels).requires_grad_(False)
        self._vocabulary = int(lm.get_input_embeddings().num_embeddings)

    @torch.no_grad()
    def __call__(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Last hidden states ``[batch, tokens, size]``."""
        self.base.to(ids.device)
        if self.labels is not None:
            self.labels.to(ids.device)
        inputs = embedded(self.base, self.labels, ids, self._vocabulary)
        hidden: torch.Tensor = self.base(**inputs, attention_mask=mask).last_hidden_state
        return hidden


def embedded(
    model: Any, labels: nn.Embedding | None, ids: torch.Tensor, vocabulary: int
) -> dict[str, torch.Tensor]:
    """What the model takes: ids, or vectors where some of them are label tokens."""
    if labels is None:
        return {"input_ids": ids}
    table = model.get_input_embeddings()
    words = table(ids.clamp(max=vocabulary - 1))
    names = labels((ids - vocabulary).clamp(min=0)).to(words.dtype)
    return {"inputs_embeds": torch.where((ids >= vocabulary).unsqueeze(-1), names, words)}


def _table(lm: Any, labels: Sequence[Sequence[int]]) -> nn.Embedding:
    words = lm.get_input_embeddings().weight.detach()
    vectors = torch.stack([words[list(name)].float().mean(dim=0) for name in labels])
    table = nn.Embedding(len(vectors), vectors.shape[1])
    with torch.no_grad():
        table.weight.copy_(vectors)
    return table


def _head(lm: Any) -> Any:
    """The layers over the encoder, where they take its states alone."""
    for name in HEADS:
        head = getattr(lm, name, None)
        if head is not None and len(inspect.signature(head.forward).parameters) == 1:
            return head
    return None
