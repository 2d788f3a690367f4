"""What a training run would do, without doing it: examples, counts, memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labelwright.tasks.choices import Tree
from sft.arguments import Settings
from sft.encode import IGNORED, Encoded, Lengths

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

EXAMPLES = 3
GIB = 1 << 30


@dataclass(frozen=True)
class Memory:
    """A rough estimate for one process, in bytes; parameters are numbers, not bytes."""

    parameters: int
    trainable: int
    weights: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        """Sum of the three parts."""
        return self.weights + self.optimizer + self.activations


def steps(settings: Settings, rows: int, processes: int) -> int:
    """Optimiser steps of the whole run, counted as ``transformers.Trainer`` does."""
    sft = settings.training
    if sft.max_steps > 0:
        return int(sft.max_steps)
    batches = math.ceil(rows / (sft.per_device_train_batch_size * processes))
    updates = max(math.ceil(batches / sft.gradient_accumulation_steps), 1)
    return math.ceil(sft.num_train_epochs * updates)


def memory(settings: Settings, config: PretrainedConfig, tokens: int) -> Memory:
    """Estimate the memory of one process.

    Weights in their own type, gradients and both Adam moments in fp32 for what is trained,
    and per layer about eight times the hidden and four times the feed-forward width of
    activations for each of ``tokens``, the tokens of one batch on one device.
    """
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM
    from trl import get_peft_config

    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
        base = sum(p.numel() for p in model.parameters())
        adapter = get_peft_config(settings.model)
        if adapter is not None:
            model = get_peft_model(model, adapter)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    flags = settings.model
    size = {"bfloat16": 2.0, "float16": 2.0}.get(str(flags.dtype), 4.0)
    size = 0.55 if flags.load_in_4bit else 1.0 if flags.load_in_8bit else size
    hidden = getattr(config, "hidden_size", 0)
    inner = getattr(config, "intermediate_size", 4 * hidden)
    layers = (
        1 if settings.training.activation_checkpointing else getattr(config, "num_hidden_layers", 1)
    )
    width = 2 if settings.training.bf16 or settings.training.fp16 else 4
    extra = trainable if adapter is not None else 0
    return Memory(
        parameters=base,
        trainable=trainable,
        weights=size * base + 4.0 * extra,
        optimizer=12.0 * trainable,
        activations=float(tokens) * layers * (8 * hidden + 4 * inner) * width,
    )


def render(item: Encoded, tokenizer: PreTrainedTokenizerBase, tree: Tree | None) -> str:
    """One record as text: the prompt as it is, then each token with loss in angle quotes.

    Branches follow, one in a line: what asks, and what should be answered.
    """
    learned = (f"«{tokenizer.decode([token])}»" for token in item.tokens[item.prompt :])
    lines = [str(tokenizer.decode(item.tokens[: item.prompt])) + "".join(learned)]
    for decision, token in zip(() if tree is None else tree.decisions, item.branches, strict=False):
        if tree is not None and token != IGNORED:
            path: list[int] = []
            node = decision.node
            while node >= 0:
                path.insert(0, tree.tokens[node])
                node = tree.parents[node]
            lines.append(f"  branch {tokenizer.decode(path)}«{tokenizer.decode([token])}»")
    return "\n".join(lines)


def summary(
    examples: Sequence[str], lengths: Lengths, need: Memory, *, update_steps: int, rows: int
) -> str:
    """The text that ``--dry-run`` prints."""
    lines = []
    for number, example in enumerate(examples, 1):
        lines += [f"--- example {number}: the loss is on the tokens in «»", example]
    tokens, identifier = lengths.longest
    lines += [
        "---",
        f"records         {lengths.records} in {rows} rows",
        f"left out        {lengths.dropped} too long; {lengths.cut} cut to fit",
        f"tokens          {lengths.tokens} an epoch, {lengths.loss_tokens} of them with loss",
        f"longest record  {tokens} tokens ({identifier}); limit {lengths.limit}",
        f"steps           {update_steps}",
        f"parameters      {need.parameters:,}; trained {need.trainable:,}",
        f"memory          about {need.total / GIB:.2f} GiB a process: weights "
        f"{need.weights / GIB:.2f}, gradients and optimiser {need.optimizer / GIB:.2f}, "
        f"activations {need.activations / GIB:.2f}; rough, without the framework's own",
    ]
    return "\n".join(lines) + "\n"
