"""TRL's ``SFTTrainer`` without the parts that write or send what nobody asked for."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

import datasets
import torch
from accelerate import optimizer
from torch.nn import functional
from transformers.utils import logging
from trl import SFTTrainer

from labelwright.tasks.choices import Tree
from sft.branches import IGNORED, BranchCollator, BranchLoss, Guesses, right_and_all
from sft.muon import Muon, groups_of
from sft.text_branches import OwnCollator, kept, own_loss

HIDDEN = -1e30


class QuietTrainer(SFTTrainer):
    """Trains as ``SFTTrainer`` does; sends no telemetry and writes no model card of its own.

    On the CPU, TRL's loss projects every position onto the vocabulary; here only those with
    loss are, which makes small models learn half as fast again. The loss is the same.

    Attributes:
        tree: the branches at the end of every row (:mod:`sft.branches`); ``None`` for rows
            without.
        own_branches: whether every row has branches of its own (:mod:`sft.text_branches`).
        muon: whether matrices learn by Muon (:mod:`sft.muon`).
    """

    tree: Tree | None = None
    own_branches: bool = False
    muon: bool = False

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Summed cross-entropy of the answers' tokens over ``num_items_in_batch``."""
        if self.own_branches and not return_outputs:
            return self._with_own_branches(model, inputs, num_items_in_batch)
        if self._branch_loss is not None and not return_outputs:
            return self._with_branches(model, inputs, num_items_in_batch)
        if return_outputs or not self._short_head:
            return super().compute_loss(  # type: ignore[no-untyped-call]
                model, inputs, return_outputs, num_items_in_batch
            )
        targets = functional.pad(inputs["labels"][:, 1:], (0, 1), value=IGNORED)
        kept = (targets != IGNORED).any(0).nonzero().flatten()
        targets = targets[:, kept].flatten()
        rest = {name: value for name, value in inputs.items() if name != "labels"}
        logits = model(**rest, use_cache=False, logits_to_keep=kept).logits.flatten(0, 1)
        self._count(logits, targets, inputs)
        loss = functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")
        return self._mean(loss, (targets != IGNORED).sum(), num_items_in_batch)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """Muon where it was asked for, else as ``SFTTrainer`` makes it."""
        if not self.muon or self.optimizer is not None:
            return super().create_optimizer(*args, **kwargs)
        given: Any = self.args
        model: Any = self.model
        self.optimizer = Muon(
            groups_of(model),
            given.learning_rate,
            (given.adam_beta1, given.adam_beta2),
            given.adam_epsilon,
            given.weight_decay,
        )
        return self.optimizer

    def _mean(self, loss: torch.Tensor, here: torch.Tensor, everywhere: Any) -> torch.Tensor:
        """The summed loss over the tokens that it counts."""
        if everywhere is None:
            return loss / here.clamp(min=1)
        # The number counts the tokens of all processes, whose gradients are averaged.
        share = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
        mean: torch.Tensor = loss / everywhere * share
        return mean

    def _with_branches(self, model: Any, inputs: dict[str, Any], everywhere: Any) -> torch.Tensor:
        assert self._branch_loss is not None  # noqa: S101
        labels = inputs["labels"]
        rest = self._masked({name: value for name, value in inputs.items() if name != "labels"})
        columns = self._branch_loss.kept(labels)
        logits = model(**rest, use_cache=False, logits_to_keep=columns).logits
        loss, guesses = self._branch_loss(logits, labels, columns)
        self._count_branches(model, guesses, inputs)
        return self._mean(loss, (labels != IGNORED).sum(), everywhere)

    def _with_own_branches(
        self, model: Any, inputs: dict[str, Any], everywhere: Any
    ) -> torch.Tensor:
        labels, options = inputs["labels"], inputs["options"]
        width = int(inputs["width"][0])
        read = {"input_ids", "position_ids", "attention_mask"}
        rest = self._masked({name: value for name, value in inputs.items() if name in read})
        columns = kept(labels, width)
        logits = model(**rest, use_cache=False, logits_to_keep=columns).logits
        loss, guesses = own_loss(logits, labels, options, columns, width)
        self._count_branches(model, guesses, inputs)
        return self._mean(loss, (labels != IGNORED).sum(), everywhere)

    def _masked(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs with the mask in the form that the model's attention takes."""
        unwrapped: Any = self.model
        if unwrapped.config._attn_implementation == "eager":  # it adds the mask to the scores
            mask = inputs["attention_mask"]
            hidden = torch.zeros(mask.shape, device=mask.device)
            return inputs | {"attention_mask": hidden.masked_fill(~mask, HIDDEN)}
        return inputs

    def _count_branches(self, model: Any, guesses: Guesses, inputs: dict[str, Any]) -> None:
        """The shares of tokens and decisions guessed right, and the tokens read."""
        with torch.no_grad():
            seen = (inputs["attention_mask"].sum(-1) > 1).sum() + len(inputs["labels"])
            counts = torch.cat([right_and_all(guesses), seen[None]])[None]
            sums = self.accelerator.gather(counts).sum(0).tolist()
        line_right, line_all, branches_right, branches_all, tokens = sums
        training = bool(model.training)
        metrics = self._metrics["train" if training else "eval"]
        if line_all:
            metrics["mean_token_accuracy"].append(line_right / line_all)
        metrics["branch_accuracy"].append(branches_right / max(branches_all, 1))
        if training:
            self._total_train_tokens += tokens
        metrics["num_tokens"] = [self._total_train_tokens]

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """As ``SFTTrainer`` counts them; the parameters, which stay, are counted once."""
        return int(6 * inputs["input_ids"].numel() * self._parameters)

    @cached_property
    def _parameters(self) -> int:
        model: Any = self.model
        return int(model.num_parameters(exclude_embeddings=True))

    @cached_property
    def _branch_loss(self) -> BranchLoss | None:
        return None if self.tree is None else BranchLoss(self.tree)

    @cached_property
    def _short_head(self) -> bool:
        """Whether the loss can be had from a part of the logits, and that is worth it."""
        args: Any = self.args
        model: Any = self.model
        base = model.get_base_model() if hasattr(model, "peft_config") else model
        plain = args.loss_type == "nll" and not args.label_smoothing_factor
        keeps = "logits_to_keep" in inspect.signature(base.forward).parameters
        return args.device.type == "cpu" and plain and keeps

    def _count(self, logits: torch.Tensor, targets: torch.Tensor, inputs: dict[str, Any]) -> None:
        """The share of tokens guessed right and the tokens read, where ``SFTTrainer`` logs them."""
        model: Any = self.model
        with torch.no_grad():
            here = targets != IGNORED
            right = (logits.argmax(-1) == targets)[here].sum()
            mask = inputs.get("attention_mask")
            read = torch.tensor(inputs["input_ids"].numel()) if mask is None else mask.sum()
            counts = self.accelerator.gather(torch.stack([right, here.sum(), read])[None])
            right, scored, tokens = counts.sum(0).tolist()
        metrics = self._metrics["train" if model.training else "eval"]
        metrics["mean_token_accuracy"].append(right / max(scored, 1))
        if model.training:
            self._total_train_tokens += tokens
        metrics["num_tokens"] = [self._total_train_tokens]

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """The card is written once, at the end, by :mod:`sft.save`."""


def with_branches(args: Any, tree: Tree, tokenizer: Any) -> dict[str, Any]:
    """What the trainer needs besides, for rows with branches: their collator, all columns."""
    args.remove_unused_columns = False
    return {"data_collator": BranchCollator(tree, tokenizer.pad_token_id)}


def with_own_branches(args: Any, tokenizer: Any) -> dict[str, Any]:
    """The same for rows with branches of their own."""
    args.remove_unused_columns = False
    return {"data_collator": OwnCollator(tokenizer.pad_token_id)}


@contextmanager
def quiet(*, cpu: bool) -> Iterator[None]:
    """One progress bar, that of the training; what is installed is looked up once, not every step.

    On the CPU, products of float32 matrices run through oneDNN, which is twice as fast as MKL on
    processors of other makers than Intel. Processors with matrix units for bfloat16 may round
    the factors to it.
    """
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()
    precision = torch.get_float32_matmul_precision()
    if cpu:
        torch.set_float32_matmul_precision("medium")
    looked_up = optimizer.is_lomo_available
    optimizer.is_lomo_available = cache(looked_up)
    try:
        yield
    finally:
        optimizer.is_lomo_available = looked_up
        torch.set_float32_matmul_precision(precision)
