"""What the model in training answers to validation records, for the last line of a training.

A model that learned branches is asked in one pass, any other writes its answer greedily, batch by
batch. No labeler is loaded: the model is the one in memory, whatever it is wrapped in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from labelwright.label_set import LabelSet
from labelwright.runtime.learned import REPORTS, Pair
from labelwright.tasks import kind_of
from labelwright.tasks.choices import BRANCHES, LINE, AnswerTokens
from sft.arguments import Settings
from sft.branches import BranchCollator
from sft.data import Record, Records, read_records, value_of
from sft.encode import Encoded, Encoder, Lengths

if TYPE_CHECKING:
    from sft.prepare import Prepared

SPARE = 16
"""Tokens that an answer may be longer than the longest right one."""
HIDDEN = -1e30


def answers(settings: Settings, data: Records, trainer: Any, prepared: Prepared) -> Iterator[Pair]:
    """What is right and what the model says, for the first validation records that fit."""
    assert data.validation is not None  # noqa: S101  (the caller asks)
    branches = prepared.tree is not None
    encoder = Encoder(
        prepared.tokenizer,
        limit=prepared.limit,
        on_long="drop",
        label_set=data.label_set,
        layout=BRANCHES if branches else LINE,
    )
    records = list(islice(read_records(data.validation, data.label_set), REPORTS))
    by_id = {record.id: record for record in records}
    items = sorted(encoder.encode(records, Lengths(prepared.limit)), key=lambda i: len(i.tokens))
    size = settings.training.per_device_eval_batch_size
    with _asking(trainer) as model:
        for start in range(0, len(items), size):
            batch = items[start : start + size]
            asked = [by_id[item.id] for item in batch]
            if encoder.answers is not None:
                said = _picked(model, encoder.answers, data.label_set, batch, prepared)
            else:
                said = _written(model, data.label_set, batch, asked, prepared)
            yield from zip((value_of(data.label_set, one) for one in asked), said, strict=True)


@contextmanager
def _asking(trainer: Any) -> Iterator[Any]:
    """The bare model, in the number format of its training; as it was afterwards."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    training = model.training
    model.eval()
    try:
        with torch.inference_mode(), trainer.accelerator.autocast():
            yield model
    finally:
        model.train(training)


def _picked(
    model: Any,
    tokens: AnswerTokens,
    label_set: LabelSet,
    batch: Sequence[Encoded],
    prepared: Prepared,
) -> list[Any]:
    """One pass over prompts and branches; every slot takes its likeliest option."""
    kind, tree = kind_of(label_set), tokens.tree
    collate = BranchCollator(tree, int(prepared.tokenizer.pad_token_id or 0))
    rows = collate(
        [
            {
                "input_ids": item.tokens,
                "labels": item.tokens,
                "prompt": item.prompt,
                "branches": item.branches,
            }
            for item in batch
        ]
    )
    width = rows["input_ids"].shape[1] - len(tree.tokens)
    nodes = width + torch.tensor([decision.node for decision in tree.decisions])
    given = {name: rows[name].to(model.device) for name in rows if name != "labels"}
    if model.config._attn_implementation == "eager":  # it adds the mask to the scores
        hidden = torch.zeros(given["attention_mask"].shape, device=model.device)
        given["attention_mask"] = hidden.masked_fill(~given["attention_mask"], HIDDEN)
    kept = nodes.to(model.device)
    logits = model(**given, use_cache=False, logits_to_keep=kept).logits.float().cpu()
    return [kind.picked(label_set, _likeliest(tokens, row)) for row in logits]


def _likeliest(tokens: AnswerTokens, logits: Tensor) -> dict[str, str]:
    """Per slot the option whose decisions are likeliest together; ``[decisions, vocabulary]``."""
    picks = {}
    for slot, start in zip(tokens.slots, tokens.tree.starts, strict=True):
        chances = [
            logits[start + place, list(choice.tokens)].log_softmax(-1).tolist()
            for place, choice in enumerate(slot.choices)
        ]
        sums = {
            option: sum(chances[choice][pick] for choice, pick in path)
            for option, path in slot.paths.items()
        }
        picks[slot.label] = max(sums, key=sums.__getitem__)
    return picks


def _written(
    model: Any,
    label_set: LabelSet,
    batch: Sequence[Encoded],
    asked: Sequence[Record],
    prepared: Prepared,
) -> list[Any]:
    """Answers as the model writes them; ``None`` for one that cannot be read."""
    tokenizer, kind = prepared.tokenizer, kind_of(label_set)
    pad = int(tokenizer.pad_token_id or 0)
    width = max(item.prompt for item in batch)
    ids = torch.full((len(batch), width), pad)
    mask = torch.zeros_like(ids)
    for row, item in enumerate(batch):
        ids[row, width - item.prompt :] = torch.as_tensor(item.tokens[: item.prompt])
        mask[row, width - item.prompt :] = 1
    room = max(len(item.tokens) - item.prompt for item in batch) + SPARE
    written = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        max_new_tokens=room,
        do_sample=False,
        pad_token_id=pad,
        eos_token_id=prepared.stop,
    )[:, width:].tolist()
    values = []
    for record, tokens in zip(asked, written, strict=True):
        ended = prepared.stop in tokens
        kept = tokens[: tokens.index(prepared.stop)] if ended else tokens
        text = str(tokenizer.decode(kept, skip_special_tokens=True))
        values.append(kind.parse(label_set, text, record.user, ended=ended).value)
    return values
