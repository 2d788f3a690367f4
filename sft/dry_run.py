"""What a training run would do, without doing it: examples, counts, memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labelwright.tasks.choices import Tree
from labelwright.text.amounts import amount
from sft.arguments import Settings
from sft.encode import IGNORED, Encoded, Lengths

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from sft.memory import Memory

EXAMPLES = 3
GIB = 1 << 30


def steps(settings: Settings, rows: int, processes: int) -> int:
    """Optimiser steps of the whole run, counted as ``transformers.Trainer`` does."""
    sft = settings.training
    if sft.max_steps > 0:
        return int(sft.max_steps)
    batches = math.ceil(rows / (sft.per_device_train_batch_size * processes))
    updates = max(math.ceil(batches / sft.gradient_accumulation_steps), 1)
    return math.ceil(sft.num_train_epochs * updates)


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
    program = f", the program {need.program / GIB:.2f}" if need.program else ", on the accelerator"
    for number, example in enumerate(examples, 1):
        lines += [f"--- example {number}: the loss is on the tokens in «»", example]
    tokens, identifier = lengths.longest
    lines += [
        "---",
        f"records         {lengths.records} in {amount(rows, 'row')}",
        f"left out        {lengths.dropped} too long; {lengths.cut} cut to fit",
        f"tokens          {lengths.tokens} an epoch, {lengths.loss_tokens} of them with loss",
        f"longest record  {tokens} tokens ({identifier}); limit {lengths.limit}",
        f"steps           {update_steps}",
        f"parameters      {need.parameters:,}; trained {need.trainable:,}",
        f"memory          about {need.total / GIB:.2f} GiB a process: weights "
        f"{need.weights / GIB:.2f}, optimiser {need.optimizer / GIB:.2f}, activations, logits and "
        f"gradients {need.step / GIB:.2f}{program}",
    ]
    return "\n".join(lines) + "\n"
