"""Train an encoder with one head per observation on a folder of ``labelwright build``.

    labelwright train-encoder --config chexbert --data records/ --output_dir runs/encoder
    labelwright train-encoder --init_from runs/encoder --data expert/ --output_dir runs/stage-two
    accelerate launch --config_file accelerate_config.yaml -m labelwright.cli train-encoder …

The same command again goes on from the last checkpoint. The finished folder holds weights, task,
metrics, model card and, last, the manifest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from baselines.encoder.arguments import ENCODER, EncoderArguments, Settings
from baselines.encoder.checkpoint import save_encoder
from baselines.encoder.data import LABELS
from baselines.encoder.model import (
    Padding,
    answers_of,
    parameters_of,
    scores,
    values_of,
)
from baselines.encoder.prepare import Ready, prepare
from baselines.head_run import HeadRun, manifest, steps_line, write_papers
from labelwright.checkpoint import HEADS
from labelwright.io.data_folder import REPORTS, DataFolder
from labelwright.io.jsonl import write_json
from labelwright.io.run_folder import DONE
from labelwright.runtime.learned import REPORTS as REPORTS_READ
from labelwright.runtime.learned import Learned, measure
from labelwright.runtime.training import TrainingResult
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from transformers import Trainer

CARD = Path(__file__).parent / "card.md.jinja"


class HeadsRun(HeadRun[EncoderArguments, Ready]):
    """Reports and labels in, an encoder with heads out."""

    kind = ENCODER
    other: ClassVar[str] = "labelwright train-tagger"
    files: ClassVar[tuple[str, ...]] = (REPORTS, LABELS)
    decisive: ClassVar[tuple[str, ...]] = ("max_length", "head_dropout", "on_long")

    def start(self, settings: Settings, data: DataFolder, output: Path) -> Ready:
        """Load or make the model and encode the reports."""
        return prepare(settings, data, output)

    def trainer(self, settings: Settings, data: DataFolder, ready: Ready) -> Trainer:
        """The plain trainer of transformers."""
        from transformers import Trainer

        def judge(answers: Any) -> dict[str, float]:
            return scores(answers.predictions, answers.label_ids, data.label_set)

        return Trainer(
            model=ready.model,
            args=settings.training,
            train_dataset=ready.rows["train"],
            eval_dataset=ready.rows.get("validation"),
            data_collator=Padding(int(ready.tokenizer.pad_token_id or 0)),
            compute_metrics=judge,
        )

    def learned(
        self, settings: Settings, data: DataFolder, trainer: Trainer, ready: Ready
    ) -> Learned | None:
        """The heads' answers to validation reports."""
        rows = ready.rows.get("validation")
        if rows is None:
            return None
        label_set, train = data.label_set, ready.rows["train"].classes
        known = (values_of(label_set, row) for row in train)
        model = trainer.accelerator.unwrap_model(trainer.model)
        padding = Padding(int(ready.tokenizer.pad_token_id or 0))
        first = [rows[place] for place in range(min(len(rows), REPORTS_READ))]
        size = settings.training.per_device_eval_batch_size
        said = (values_of(label_set, row) for row in answers_of(model, first, padding, size))
        gold = (values_of(label_set, row["labels"]) for row in first)
        return measure(label_set, known, zip(gold, said, strict=True))

    def finish(
        self,
        settings: Settings,
        data: DataFolder,
        result: TrainingResult,
        trainer: Trainer,
        ready: Ready,
    ) -> None:
        """Write the folder."""
        folder = Path(str(settings.training.output_dir))
        model = trainer.accelerator.unwrap_model(trainer.model)
        facts = manifest(
            settings,
            data,
            result,
            command="train-encoder",
            layout=HEADS,
            base_model=ready.base,
            files=[kind.format(split) for split in ready.lengths for kind in (REPORTS, LABELS)],
            counts={split: found.to_json() for split, found in ready.lengths.items()},
        )
        save_encoder(
            folder,
            model,
            ready.tokenizer,
            data.label_set,
            max_length=ready.limit,
            sections=data.sections,
            base_model=ready.base,
        )
        shown = {**facts, "parameters": parameters_of(model), "max_length": ready.limit}
        write_papers(folder, data, shown, result, card=CARD)
        write_json(folder / DONE, facts)

    def rehearsal(self, settings: Settings, data: DataFolder, scratch: Path) -> str:
        """Start, heads, reports, steps."""
        ready = prepare(settings, data, scratch)
        lines = [
            f"start: {ready.base}, {parameters_of(ready.model):,} weights",
            f"heads: {len(data.label_set.names)} of label set {data.label_set.name}",
            *(
                f"{split}: {amount(counts.reports, 'report')}, {amount(counts.tokens, 'token')}, "
                f"{counts.cut:,} cut at {counts.limit} tokens, {counts.dropped:,} dropped"
                for split, counts in ready.lengths.items()
            ),
            steps_line(settings, ready.rows["train"]),
        ]
        return "\n".join(lines) + "\n"


def main(argv: Sequence[str]) -> int:
    """Train as the flags and the recipe say; return the exit code."""
    return HeadsRun().main(argv)
