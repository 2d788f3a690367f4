"""How much memory a training will take: one step of it, carried out on tensors without data.

``FakeTensorMode`` of torch runs the model's own code on tensors that have shape and type only. A
dispatch mode beside it sees every result and keeps the sum of those that are alive: weights, what
the forward pass saves, logits and their copies in float32, gradients. So attention, adapters,
mixed precision and large vocabularies count as they are, and no rule of thumb is needed. What the
optimiser keeps is added, since a second step finds it there.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sft.arguments import Settings
from sft.branches import BranchCollator, BranchLoss
from sft.encode import IGNORED

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from sft.prepare import Prepared

PAGE = 4096
KERNELS, SHAPES = 9 << 20, 100
"""On a CPU, oneDNN keeps kernels for every width of a batch that it has seen: so many bytes a width
were measured, until its cache of 1,024 kernels is full."""
HELD_BACK = 1.12
"""On a CPU the C library gives freed memory back late: the peak of the process was so many
times what is alive."""
TRAINER = 32 << 20
"""Bytes of what the trainer imports when it starts: loggers and their like."""
FOUR_BIT, EIGHT_BIT = 0.55, 1.05
"""Bytes of a quantised weight, with its share of the scales."""
STATES = {"8bit": 2.0, "4bit": 1.0, "adafactor": 0.1, "sgd": 0.0}
"""Bytes that an optimiser keeps per trained weight, by a part of its name; AdamW keeps eight."""


@dataclass(frozen=True)
class Memory:
    """The peak of one process, in bytes; parameters are numbers, not bytes.

    Attributes:
        optimizer: what it keeps between steps.
        step: the most that a step holds beside both: activations, logits, gradients.
        program: what the process holds without any of these, kernels included; 0 on a GPU, whose
            own memory is meant.
    """

    parameters: int
    trainable: int
    weights: float
    optimizer: float
    step: float
    program: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.optimizer + self.step + self.program


class Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of all storages that are alive and made inside it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = self.peak = 0
        self._seen: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operation, and count what it made."""
        del types
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.add(leaf)
        return out

    def add(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage, once, until it is freed."""
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._seen:
            return
        size = storage.nbytes()
        self.bytes += size
        self.peak = max(self.peak, self.bytes)

        def freed(_: Any) -> None:
            self.bytes -= size
            del self._seen[key]

        self._seen[key] = weakref.ref(storage, freed)


def memory(settings: Settings, prepared: Prepared, rows: Any, steps: int) -> Memory:
    """Estimate the memory of one process.

    Args:
        rows: the training rows as they are batched (:func:`longest_rows` picks among them).
        steps: how many the run will take.
    """
    from peft import get_peft_model
    from torch._subclasses.fake_tensor import FakeTensorMode
    from transformers import AutoModelForCausalLM
    from trl import get_peft_config

    sft, flags = settings.training, settings.model
    batch = _batch(settings, prepared, longest_rows(settings, rows))
    program = _program(rows, steps) if sft.device.type == "cpu" else 0.0
    adapter = get_peft_config(flags)
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            copy.deepcopy(prepared.config),
            dtype=_dtype(flags.dtype, prepared.config),
            attn_implementation=flags.attn_implementation,
        )
        if settings.task.freeze_embeddings:
            model.get_input_embeddings().requires_grad_(requires_grad=False)
        base = sum(p.numel() for p in model.parameters())
        held = sum(p.numel() * p.element_size() for p in model.parameters())
        weights = float(held)
        if flags.load_in_4bit or flags.load_in_8bit:
            weights = base * (FOUR_BIT if flags.load_in_4bit else EIGHT_BIT)
        if adapter is not None:
            model = get_peft_model(model, adapter)
        if sft.activation_checkpointing:
            model.gradient_checkpointing_enable()
            model.enable_input_require_grads()
        every = sum(p.numel() * p.element_size() for p in model.parameters())
    with FakeTensorMode(), torch.device(sft.device.type):
        _without_data(model)
        step = _step(settings, model.train(), batch, prepared)
        step *= HELD_BACK if sft.device.type == "cpu" else 1.0
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    name = str(getattr(sft.optim, "value", sft.optim)).lower()
    each = next((size for part, size in STATES.items() if part in name), 8.0)
    copies = 4.0 * trainable if sft.world_size > 1 else 0.0  # the buckets that DDP averages in
    return Memory(
        parameters=base,
        trainable=trainable,
        weights=weights + every - held,
        optimizer=each * trainable,
        step=step + copies,
        program=program,
    )


def _without_data(model: Any) -> None:
    """Give the model's weights the place and shape of real ones; call it where tensors are fake."""
    made: dict[int, Any] = {}
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None and id(weight) not in made:
                fake = torch.empty(weight.shape, dtype=weight.dtype)
                made[id(weight)] = torch.nn.Parameter(fake, requires_grad=weight.requires_grad)
            module._parameters[name] = weight if weight is None else made[id(weight)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)


def longest_rows(settings: Settings, rows: Any) -> list[dict[str, Any]]:
    """A batch as large as the run will see: the longest rows where like lengths share a batch.

    Else the longest row and others from the shortest to it, since answers that stand at different
    columns need the logits of all of these.
    """
    size = min(settings.training.per_device_train_batch_size, len(rows))
    lengths = sorted(range(len(rows)), key=lambda place: len(rows[place]["input_ids"]))
    if settings.training.train_sampling_strategy == "group_by_length" or size == 1:
        return [rows[place] for place in lengths[-size:]]
    picks = [round(n * (len(lengths) - 1) / (size - 1)) for n in range(size)]
    return [rows[lengths[pick]] for pick in picks]


def _batch(settings: Settings, prepared: Prepared, rows: Sequence[Any]) -> dict[str, Any]:
    """The batch, and the columns whose logits the loss takes (``kept``)."""
    del settings
    if prepared.tree is not None:
        pad = int(prepared.tokenizer.pad_token_id or 0)
        batch: dict[str, Any] = BranchCollator(prepared.tree, pad)(rows)
        return {**batch, "kept": BranchLoss(prepared.tree).kept(batch["labels"])}
    width = max(len(row["input_ids"]) for row in rows)
    labels = torch.full((len(rows), width), IGNORED)
    for place, row in enumerate(rows):
        labels[place, : len(row["labels"])] = torch.as_tensor(row["labels"])
    kept = (labels[:, 1:] != IGNORED).any(0).nonzero().flatten()
    return {"input_ids": torch.zeros_like(labels), "labels": labels, "kept": kept}


def _step(settings: Settings, model: Any, batch: dict[str, Any], prepared: Prepared) -> float:
    """The most bytes that one step holds beside weights and what the optimiser keeps."""
    sft = settings.training
    place = sft.device.type
    whole = place != "cpu" and prepared.tree is None  # TRL's head never holds all logits
    half = torch.bfloat16 if sft.bf16 else torch.float16 if sft.fp16 else None
    shapes = {
        name: torch.zeros(tensor.shape, dtype=tensor.dtype)
        for name, tensor in batch.items()
        if name not in ("kept", "labels")
    }
    branches = 0 if prepared.tree is None else len(prepared.tree.decisions)
    kept = torch.arange(1 if whole else len(batch["kept"]))
    if "attention_mask" in shapes and model.config._attn_implementation == "eager":
        shapes["attention_mask"] = shapes["attention_mask"].float()
    alive = Alive()
    with alive:
        for _ in range(min(sft.gradient_accumulation_steps, 2)):
            with torch.autocast(place, half) if half else nullcontext():
                logits = model(**shapes, use_cache=False, logits_to_keep=kept).logits
            loss = _loss(logits, branches)
            del logits
            loss.backward()  # type: ignore[no-untyped-call]
            del loss
    return float(alive.peak)


def _loss(logits: torch.Tensor, branches: int) -> torch.Tensor:
    """The cross-entropies that the trainer takes: over the vocabulary, at a branch over options."""
    line = logits[:, : logits.shape[1] - branches].flatten(0, 1)
    targets = torch.zeros(len(line), dtype=torch.long)
    loss = functional.cross_entropy(line.float(), targets, reduction="sum")
    if branches:
        here = logits[:, -branches:].float()
        options = torch.zeros((*here.shape[:2], 4), dtype=torch.long)
        picked = here.gather(2, options).flatten(0, 1)
        wanted = torch.zeros(len(picked), dtype=torch.long)
        loss = loss + functional.cross_entropy(picked, wanted, reduction="sum")
    return loss


def _dtype(name: str | None, config: PretrainedConfig) -> torch.dtype:
    if name in (None, "auto"):
        own = getattr(config, "dtype", None)
        return own if isinstance(own, torch.dtype) else torch.float32
    found: torch.dtype = getattr(torch, str(name))
    return found


def _program(rows: Any, steps: int) -> float:
    """Bytes that this process holds now, its libraries included, and what will come to them.

    0 where the system cannot tell.
    """
    from sft import trainer  # noqa: F401  (a training holds it too)

    widths = len({len(row["input_ids"]) for row in rows})
    seen = min(widths, SHAPES, steps)
    try:
        held = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0.0
    return float(int(held) * PAGE + TRAINER + KERNELS * seen)
