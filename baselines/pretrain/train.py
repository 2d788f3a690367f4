"""Go on training an encoder on masked words, on a folder of ``labelwright build`` or plain texts.

    labelwright pretrain --objective emlm --data records/ --model_name_or_path minilm --output_dir …
    labelwright pretrain --texts notes.jsonl --model_name_or_path minilm --output_dir encoder
    labelwright train-tagger --model_name_or_path encoder --data records/ --output_dir tagger

The same command again goes on from the last checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from baselines import arguments
from baselines.epochs import follow
from baselines.head_run import start_of, steps_line
from baselines.pretrain.arguments import PRETRAIN, PretrainArguments, Settings, rate_of
from baselines.pretrain.prepare import Ready, held_out_losses, prepare
from baselines.pretrain.save import finish
from baselines.pretrain.sources import Sources
from labelwright.runtime.training import TrainingResult, TrainingRun, say
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from transformers import Trainer


class PretrainRun(TrainingRun[Settings, Sources, Ready, Ready]):
    """Texts in, an encoder out that knows their words better."""

    kind: ClassVar[arguments.Kind[PretrainArguments]] = PRETRAIN

    def help_text(self) -> str:
        """The help of every flag, those of transformers included."""
        return self.kind.flags.full_help()

    def parse(self, argv: Sequence[str]) -> Settings:
        """Read flags and recipe."""
        return arguments.parse(self.kind, argv)

    def open(self, settings: Settings) -> Sources:
        """The data folder and the texts."""
        return Sources.open(settings.task, settings.training.seed)

    def identity(self, settings: Settings, data: Sources) -> dict[str, Any]:
        """Everything that decides the result, for ``run.json``."""
        task = settings.task
        names = ("objective", "max_length", "temperature", "teacher", "on_test", "held_out")
        return {
            "start": start_of(task),
            **data.identity(),
            "task": {**{name: getattr(task, name) for name in names}, "rate": rate_of(task)},
        }

    def start(self, settings: Settings, data: Sources, output: Path) -> Ready:
        """Load or make the model and read the texts."""
        return prepare(settings, data, output)

    def prepare(self, settings: Settings, data: Sources, start: Ready) -> Ready:  # noqa: ARG002
        """All is done with the start."""
        return start

    def trainer(self, settings: Settings, data: Sources, ready: Ready) -> Trainer:  # noqa: ARG002
        """The plain trainer of transformers, told to look at the loss alone."""
        from transformers import Trainer

        settings.training.label_names = ["targets"]
        settings.training.prediction_loss_only = True
        return Trainer(
            model=ready.model,
            args=settings.training,
            train_dataset=ready.train,
            eval_dataset=ready.held_out,
            data_collator=ready.padding,
            callbacks=[follow(ready.train.draws)],
        )

    def learned(
        self,
        settings: Settings,
        data: Sources,  # noqa: ARG002
        trainer: Trainer,
        ready: Ready,
    ) -> None:
        """Measure the kept state on the held-out texts; it answers nothing that could be scored."""
        self._after: dict[str, float] = {}
        if ready.held_out is not None:
            model = trainer.accelerator.unwrap_model(trainer.model)
            self._after = held_out_losses(settings, model, ready.held_out, ready.padding)
            for name, value in self._after.items():
                say(
                    settings, f"held-out {name}: {ready.before[name]:.4f} before, {value:.4f} after"
                )

    def advice(self, settings: Settings, data: Sources) -> str:  # noqa: ARG002
        """What tells whether it was worth it."""
        return "compare a tagger that starts from it with one that starts where it did"

    def expected(
        self,
        settings: Settings,
        data: Sources,
        trainer: Trainer,  # noqa: ARG002
        learned: object,  # noqa: ARG002
    ) -> str:
        """A lower loss is no better tagger."""
        return self.advice(settings, data)

    def finish(
        self,
        settings: Settings,
        data: Sources,
        result: TrainingResult,
        trainer: Trainer,
        ready: Ready,
    ) -> None:
        """Write the folder."""
        model = trainer.accelerator.unwrap_model(trainer.model)
        finish(settings, data, result, model, ready, getattr(self, "_after", {}))

    def rehearsal(self, settings: Settings, data: Sources, scratch: Path) -> str:
        """Start, texts, windows, steps."""
        ready = prepare(settings, data, scratch)
        head = "a new head, tied to the embeddings" if ready.new_head else "with its own head"
        lines = [
            f"start: {ready.base}, {head}",
            f"objective: {settings.task.objective}, {rate_of(settings.task):.0%} of the "
            f"{'tokens' if not ready.label_tokens else 'tokens of entities'} masked",
        ]
        for name, counts in ready.counts.items():
            lines.append(
                f"{name}: {amount(counts.notes, 'note')}, {amount(counts.entities, 'entity')}, "
                f"{amount(counts.windows, 'window')} of at most {ready.limit} tokens, "
                f"{counts.unused:,} more without anything to mask"
            )
        lines += [f"held-out {name}: {value:.4f}" for name, value in ready.before.items()]
        lines.append(steps_line(settings, ready.train).replace("report", "window"))
        return "\n".join(lines) + "\n"


def main(argv: Sequence[str]) -> int:
    """Train as the flags and the recipe say; return the exit code.

    Raises:
        LabelwrightError: the user can mend what is wrong.
    """
    return PretrainRun().main(argv)
