"""Fine-tune a causal language model on the records of ``labelwright build``.

    accelerate launch --config_file accelerate_config.yaml sft/train.py \
        --config sft/recipes/abdullah2025.yaml --data records/ --output_dir runs/labeler
    python sft/train.py --config scratch-cpu --data records/ --output_dir runs/small
    labelwright train …    (the same flags)

The same command again goes on from the last checkpoint.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.io.manifest import sha256_file, sha256_model
from labelwright.io.run_folder import identity as deciding
from labelwright.program import guarded
from labelwright.runtime.fetched import fetched_folder
from labelwright.runtime.learned import Learned, measure
from labelwright.runtime.threads import wait_asleep
from labelwright.runtime.training import TrainingResult, TrainingRun, as_dict
from labelwright.shipped import SHIPPED, named_model
from labelwright.tasks.choices import BRANCHES
from sft import dry_run
from sft.arguments import FLAGS, Settings, parse
from sft.data import Records, open_records, read_records, value_of
from sft.load import Start, load_model
from sft.prepare import Prepared, prepare, start_of
from sft.save import finish

if TYPE_CHECKING:
    from sft.trainer import QuietTrainer


class FineTuning(TrainingRun[Settings, Records, Start, "Ready"]):
    """Records in, a language model out."""

    def help_text(self) -> str:
        """The help of every flag, TRL's included."""
        return FLAGS.full_help()

    def parse(self, argv: Sequence[str]) -> Settings:
        """Read flags and recipe."""
        return parse(argv)

    def open(self, settings: Settings) -> Records:
        """The records of a data folder."""
        return open_records(str(settings.task.data))

    def identity(self, settings: Settings, data: Records) -> dict[str, Any]:
        """Everything that decides the result, for ``run.json``."""
        name = settings.task.scratch or str(settings.model.model_name_or_path)
        folder = fetched_folder(name) or Path(named_model(name)).expanduser()
        local = settings.task.scratch is None and folder.is_dir()
        return {
            "start": sha256_model(folder) if local else f"{name} {settings.model.model_revision}",
            "records": sha256_file(data.train),
            "validation": data.validation and sha256_file(data.validation),
            "label_set_sha256": data.label_set.fingerprint,
            "on_long": settings.task.on_long,
            "layout": settings.task.layout,
            **({"freeze_embeddings": True} if settings.task.freeze_embeddings else {}),
            "model": deciding(as_dict(settings.model)),
        }

    def start(self, settings: Settings, data: Records, output: Path) -> Start:
        """The model to start from; one from scratch is made in ``output``."""
        return start_of(settings, data, output)

    def prepare(self, settings: Settings, data: Records, start: Start) -> Ready:
        """Load the tokenizer and encode the records."""
        return start, prepare(settings, data, start)

    def trainer(self, settings: Settings, data: Records, ready: Ready) -> QuietTrainer:  # noqa: ARG002
        """TRL's trainer, on all weights or an adapter."""
        from trl import get_peft_config

        from sft.trainer import QuietTrainer, with_branches, with_own_branches

        start, prepared = ready
        sft = settings.training
        sft.chat_template_path = None
        sft.max_length = _row_length(settings, prepared.longest)
        adapter = get_peft_config(settings.model)
        if adapter is not None:  # else labeling would put it on the base's main revision
            adapter.revision = start.revision
        tree = prepared.tree
        branches = {} if tree is None else with_branches(sft, tree, prepared.tokenizer)
        if prepared.own_branches:
            branches = with_own_branches(sft, prepared.tokenizer)
        model = load_model(start, settings.model, prepared.stop)
        if settings.task.freeze_embeddings:
            model.get_input_embeddings().requires_grad_(requires_grad=False)
        trainer = QuietTrainer(
            model=model,
            args=sft,
            train_dataset=prepared.datasets["train"],
            eval_dataset=prepared.datasets.get("validation"),
            processing_class=prepared.tokenizer,
            peft_config=adapter,
            **branches,
        )
        trainer.tree = tree
        trainer.own_branches = prepared.own_branches
        trainer.muon = settings.task.muon
        return trainer

    def trained(self, trainer: Any) -> None:
        """Save the model; of several processes each may hold a part of it."""
        trainer.model.config.use_cache = True  # the trainer turned it off; generation needs it
        trainer.save_model(trainer.args.output_dir)

    def learned(
        self, settings: Settings, data: Records, trainer: Any, ready: Ready
    ) -> Learned | None:
        """Answers to validation records, in one pass where the model learned branches.

        Of a model that learned branches of each text's own, and no line, nobody asks here.
        """
        from sft.answers import answers

        if data.validation is None or (ready[1].own_branches and settings.task.layout == BRANCHES):
            return None
        label_set = data.label_set
        records = read_records(data.train, label_set)
        known = (value_of(label_set, record) for record in records)
        pairs = answers(settings, data, trainer, ready[1])
        return measure(label_set, known, pairs)

    def advice(self, settings: Settings, data: Records) -> str:
        """More of what it was given, or a start that knows the label set."""
        more = "give it more records or more steps"
        if settings.task.scratch is None:
            return more
        shipped = SHIPPED.get(data.label_set.name)
        other = f"--model_name_or_path {shipped}" if shipped else "a pretrained model"
        return f"{more}, or start from {other}"

    def finish(
        self,
        settings: Settings,
        data: Records,
        result: TrainingResult,
        trainer: Any,  # noqa: ARG002
        ready: Ready,
    ) -> None:
        """Complete the folder that the model was saved into."""
        start, prepared = ready
        finish(settings, data, start, prepared.tokenizer, result, prepared.lengths)

    def rehearsal(self, settings: Settings, data: Records, scratch: Path) -> str:
        """Three examples with their loss mask, counts and memory."""
        from sft.memory import memory

        start = start_of(settings, data, scratch)
        ready = prepare(settings, data, start, examples=dry_run.EXAMPLES)
        train_rows = _packed(settings, ready.datasets["train"], ready.longest)
        rows = len(train_rows)
        steps = dry_run.steps(settings, rows, settings.training.world_size)
        return dry_run.summary(
            [dry_run.render(item, ready.tokenizer, ready.tree) for item in ready.examples],
            ready.lengths["train"],
            memory(settings, ready, train_rows, steps),
            update_steps=steps,
            rows=rows,
        )

    @contextmanager
    def quiet(self, settings: Settings) -> Iterator[None]:
        """One progress bar, and fast products on the CPU."""
        from sft.trainer import quiet

        with quiet(cpu=settings.training.use_cpu):
            yield


Ready = tuple[Start, Prepared]


def main(argv: Sequence[str]) -> int:
    """Train as the flags and the recipe say; return the exit code.

    Raises:
        LabelwrightError: the user can fix what is wrong.
    """
    wait_asleep()
    return FineTuning().main(argv)


def _row_length(settings: Settings, longest: int) -> int | None:
    """Row length for packing; without packing nothing is ever cut, so there is no limit."""
    if not settings.training.packing:
        return None
    return max(settings.training.max_length or 0, longest)


def _packed(settings: Settings, dataset: Any, longest: int) -> Any:
    length = _row_length(settings, longest)
    if length is None:
        return dataset
    from trl import pack_dataset

    return pack_dataset(dataset, length, "bfd")


def script(argv: Sequence[str]) -> int:
    """Run as a program: errors as one line, and no report text in what is shown.

    An unexpected error shows where it happened but not its message, which may quote a report;
    ``--debug`` shows all.
    """
    flags = [flag for flag in argv if flag != "--debug"]
    return guarded(lambda: main(flags), debug="--debug" in argv, resumes=True, where=True)


if __name__ == "__main__":
    sys.exit(script(sys.argv[1:]))
