"""What ``labelwright train`` costs beside a bare PyTorch loop: CPU seconds of a step, their ratio.

A second model with the same first weights takes every step of the trainer again, on the same
batch: forward, loss, backward, clipping, AdamW and the learning rate's schedule, nothing else. So
other work on the machine meets both alike; they take turns in going first, since the second finds
memory and caches warm. The trainer's part is all the rest of the loop: reading and collating
batches, counting, callbacks, logging. At the end both models have the same weights, bit by bit.

    OMP_NUM_THREADS=1 python benchmarks/training/loop_overhead.py --reports 800
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, get_scheduler

from labelwright.cli import main as labelwright
from sft.data import Records
from sft.train import FineTuning, Ready
from sft.trainer import QuietTrainer


class Twin(TrainerCallback):
    """Takes every step again, with a model and an optimizer of its own."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        # not a deep copy: TRL puts a forward of its own on the model, bound to that one
        self._model = type(trainer.model)(copy.deepcopy(trainer.model.config)).train()
        self._model.load_state_dict(trainer.model.state_dict())
        self._batch: dict[str, Any] = {}
        self._step = trainer.training_step
        self._optimizer: Any = None
        self._schedule: Any = None
        self.theirs: list[float] = []
        self.bare: list[float] = []
        self._last = 0.0
        trainer.training_step = self._with_batch

    def _with_batch(self, model: Any, inputs: dict[str, Any], *rest: Any) -> Any:
        self._batch = inputs
        if len(self.theirs) % 2:
            self._bare()
        return self._step(model, inputs, *rest)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """The optimizer that the flags ask for."""
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(),
            lr=args.learning_rate,
            betas=(args.adam_beta1, args.adam_beta2),
            eps=args.adam_epsilon,
            weight_decay=args.weight_decay,
            fused=True,
        )
        warm = args.get_warmup_steps(state.max_steps)
        self._schedule = get_scheduler(
            args.lr_scheduler_type, self._optimizer, warm, state.max_steps
        )

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        """The clock of the first step."""
        self._last = time.process_time()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """The same step bare, where it has not been taken before."""
        if len(self.bare) == len(self.theirs):
            self._bare()
        now = time.process_time()
        self.theirs.append(now - self._last - self.bare[-1])
        self._last = now

    def _bare(self) -> None:
        began = time.process_time()
        trainer, labels = self._trainer, self._batch["labels"]
        read = trainer._masked({k: v for k, v in self._batch.items() if k != "labels"})
        columns = trainer._branch_loss.kept(labels)
        logits = self._model(**read, use_cache=False, logits_to_keep=columns).logits
        loss = trainer._branch_loss(logits, labels, columns)[0] / (labels >= 0).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), trainer.args.max_grad_norm)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()
        self.bare.append(time.process_time() - began)

    def same(self) -> bool:
        """Whether both models have the same weights."""
        own, other = self._trainer.model.state_dict(), self._model.state_dict()
        return all(torch.equal(weights, other[name]) for name, weights in own.items())


class Watched(FineTuning):
    """The training of the command, with its twin."""

    twin: Twin

    def trainer(self, settings: Any, data: Records, ready: Ready) -> QuietTrainer:
        """The trainer, with a callback more."""
        trainer = super().trainer(settings, data, ready)
        self.twin = Twin(trainer)
        trainer.add_callback(self.twin)
        return trainer


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--reports", type=int, default=800)
    parser.add_argument("--config", default="scratch-cpu")
    options, more = parser.parse_known_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data, out = str(Path(folder) / "records"), str(Path(folder) / "model")
        build = ["build", "--synthetic", str(options.reports), "--label-set", "chexpert-14"]
        if labelwright([*build, "--split", "none", "--out", data]):
            raise SystemExit("no records")
        run = Watched()
        began = time.process_time()
        code = run.main(["--config", options.config, "--data", data, "--output_dir", out, *more])
        whole = time.process_time() - began
    if code:
        raise SystemExit(code)
    theirs, bare = run.twin.theirs[1:], run.twin.bare[1:]  # the first is for caches
    ratios = sorted(own / base for own, base in zip(theirs, bare, strict=True))
    print(f"{len(bare)} steps: trainer {sum(theirs):.2f}, bare loop {sum(bare):.2f} CPU s")
    print(f"same weights: {'yes' if run.twin.same() else 'NO'}")
    once = whole - sum(run.twin.theirs) - sum(run.twin.bare)
    print(f"once, from records to the finished folder: {once:.2f} CPU s")
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    print(
        f"step, middle: {1000 * statistics.median(bare):.1f} ms bare, tenths {low:.2f}-{high:.2f}"
    )
    print(
        f"trainer / bare loop {sum(theirs) / sum(bare):.2f}, median {statistics.median(ratios):.2f}"
    )


if __name__ == "__main__":
    main()
