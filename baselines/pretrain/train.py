"""Go on training an encoder on masked words, on a folder of ``labelwright build`` or plain texts.

    labelwright pretrain --objective emlm --data records/ --model_name_or_path minilm --output_dir …
    labelwright pretrain --texts notes.jsonl --model_name_or_path minilm --output_dir encoder
    labelwright train-tagger --model_name_or_path encoder --data records/ --output_dir tagger

The same command again goes on from the last checkpoint. The finished folder holds a plain encoder
with its head, its card and the manifest.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.encoder.model import parameters_of
from baselines.epochs import follow
from baselines.head_run import METRICS, EncoderRun, start_of, steps_line
from baselines.pretrain.arguments import PRETRAIN, PretrainArguments, Settings, rate_of
from baselines.pretrain.prepare import Ready, held_out_losses, prepare
from baselines.pretrain.sources import TRAIN, VALIDATION, Sources
from baselines.tagger.notes import GOLD
from labelwright.io.data_folder import REPORTS
from labelwright.io.jsonl import write_json, write_jsonl, writing
from labelwright.io.run_folder import DONE, START
from labelwright.runtime.card import write_card
from labelwright.runtime.pretrained import silent
from labelwright.runtime.training import TrainingResult, facts, say
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from transformers import Trainer


CARD = Path(__file__).parent / "card.md.jinja"
REJECTS = "rejects.jsonl"
KIND = "masked words"
"""What the manifest says this folder is, where others name the layout of their answers."""


def manifest(
    settings: Settings,
    sources: Sources,
    result: TrainingResult,
    ready: Ready,
    after: dict[str, float],
) -> dict[str, Any]:
    """All that is worth knowing of the run, JSON-ready."""
    data, task = sources.data, settings.task
    files = list(sources.texts)
    if data is not None:
        kinds = (REPORTS, GOLD) if task.objective != "mlm" else (REPORTS,)
        names = [kind.format(split) for split in (TRAIN, VALIDATION) for kind in kinds]
        files += [data.path / name for name in names if data.file(name) is not None]
    found = facts(
        settings,
        None if data is None else data.label_set,
        result,
        layouts=[KIND],
        sections="" if data is None else data.sections,
        base_model=ready.base,
        files=files,
        counts={
            name: counts.to_json()
            for name, counts in ready.counts.items()
            if name == "train" or ready.held_out is not None
        },
    )
    return {
        "command": "pretrain",
        **found,
        "best": result.best(settings.training.metric_for_best_model),
        "pretraining": {
            "objective": task.objective,
            "rate": rate_of(task),
            "max_length": ready.limit,
            "new_head": ready.new_head,
            "label_tokens": ready.label_tokens,
            "test_notes": task.on_test,
            "held_out": {"before": ready.before, "after": after},
        },
    }


class PretrainRun(EncoderRun[PretrainArguments, Sources, Ready]):
    """Texts in, an encoder out that knows their words better."""

    kind = PRETRAIN

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
        """Write the folder: an encoder like any other, since the label tokens are left behind."""
        folder = Path(str(settings.training.output_dir))
        model = trainer.accelerator.unwrap_model(trainer.model)
        found = manifest(settings, data, result, ready, getattr(self, "_after", {}))
        with writing(folder), silent():
            model.lm.save_pretrained(folder)
            ready.tokenizer.save_pretrained(folder)
            shutil.rmtree(folder / START, ignore_errors=True)
        if data.rejects:
            write_jsonl(folder / REJECTS, [reject.to_json() for reject in data.rejects])
        write_jsonl(folder / METRICS, result.history, mode=0o644)
        objective = settings.task.objective
        shown = {**found, "parameters": parameters_of(model.lm), "objective": objective}
        label_set = None if data.data is None else data.data.label_set
        write_card(folder, CARD, label_set, shown)
        write_json(folder / DONE, found)

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
    """Train as the flags and the recipe say; return the exit code."""
    return PretrainRun().main(argv)
