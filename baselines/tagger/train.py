"""Train an encoder that tags words with entities on a folder of ``labelwright build``.

    labelwright train-tagger --config minilm --data records/ --output_dir runs/tagger
    labelwright train-tagger --model_name_or_path FOLDER --head multilabel --data … --output_dir …
    accelerate launch --config_file accelerate_config.yaml -m labelwright.cli train-tagger …

The same command again goes on from the last checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from baselines.encoder.model import parameters_of
from baselines.epochs import follow
from baselines.head_run import HeadRun, steps_line
from baselines.tagger.arguments import NO_SECTIONS, TAGGER, Settings, TaggerArguments
from baselines.tagger.notes import GOLD, read_split
from baselines.tagger.prepare import Ready, judge, prepare, read_answers
from baselines.tagger.save import Validated, finish, validated
from baselines.tagger.token_classifier import WordPadding
from labelwright.checkpoint import NORMALISE_FILE
from labelwright.io.data_folder import REPORTS, DataFolder
from labelwright.runtime.learned import Learned, measure
from labelwright.runtime.training import TrainingResult
from labelwright.text.amounts import amount
from labelwright.text.section_tables import RADIOLOGY, SectionTable

if TYPE_CHECKING:
    from transformers import Trainer, TrainerCallback


class TaggerRun(HeadRun[TaggerArguments, Ready]):
    """Reports and entities in, a tagger out."""

    kind = TAGGER
    other: ClassVar[str] = "labelwright train-encoder"
    extra: ClassVar[tuple[str, ...]] = (NORMALISE_FILE,)
    files: ClassVar[tuple[str, ...]] = (REPORTS, GOLD)
    decisive: ClassVar[tuple[str, ...]] = (
        "max_length",
        "stride",
        "head_dropout",
        "scheme",
        "head",
        "class_weights",
        "thresholds",
        "patience",
        "r_drop",
        "label_smoothing",
        "pseudo_weight",
        "sentence_task",
        "sentence_weight",
        "sentence_class_weights",
        "sections_as",
        "section_dropout",
        "dictionary",
    )

    def identity(self, settings: Settings, data: DataFolder) -> dict[str, Any]:
        """Everything that decides the result; of the table of headings its contents."""
        found = super().identity(settings, data)
        task = settings.task
        if task.sections_as != NO_SECTIONS and task.init_from is None:
            found["section_table"] = SectionTable.load(task.section_table or RADIOLOGY).to_json()
        return found

    _seen: Validated | None = None

    def start(self, settings: Settings, data: DataFolder, output: Path) -> Ready:
        """Load or make the model and encode the reports."""
        return prepare(settings, data, output)

    def trainer(self, settings: Settings, data: DataFolder, ready: Ready) -> Trainer:  # noqa: ARG002
        """The plain trainer of transformers, with early stopping."""
        from transformers import Trainer

        settings.training.label_names = ["labels", "rows"]
        validation = ready.splits.get("validation")

        def scores(answers: Any) -> dict[str, float]:
            assert validation is not None  # noqa: S101  (the trainer evaluates nothing else)
            _, rows = answers.label_ids
            found = read_answers(ready, validation, answers.predictions, rows.tolist())
            return judge(ready, validation, found, settings.task.thresholds)[1]

        draws = ready.splits["train"].rows.draws
        assert draws is not None  # noqa: S101  (the training rows have them)
        patience = settings.task.patience if settings.evaluates else 0
        return Trainer(
            model=ready.model,
            args=settings.training,
            train_dataset=ready.splits["train"].rows,
            eval_dataset=None if validation is None else validation.rows,
            data_collator=WordPadding(int(ready.tokenizer.pad_token_id or 0)),
            compute_metrics=scores,
            callbacks=[follow(draws), *([_patient(patience)] if patience else [])],
        )

    def learned(
        self, settings: Settings, data: DataFolder, trainer: Trainer, ready: Ready
    ) -> Learned | None:
        """The kept state's entities in validation notes."""
        model = trainer.accelerator.unwrap_model(trainer.model)
        self._seen = validated(settings, data, model, ready)
        if self._seen is None:
            return None
        known = (note.entities for note in read_split(data, "train"))
        gold = (note.entities for note in ready.splits["validation"].notes)
        return measure(data.label_set, known, zip(gold, self._seen.said, strict=True))

    def finish(
        self,
        settings: Settings,
        data: DataFolder,
        result: TrainingResult,
        trainer: Trainer,
        ready: Ready,
    ) -> None:
        """Write the folder."""
        model = trainer.accelerator.unwrap_model(trainer.model)
        finish(settings, data, result, model, ready, self._seen)

    def rehearsal(self, settings: Settings, data: DataFolder, scratch: Path) -> str:
        """Start, tags, reports, weights, steps."""
        ready = prepare(settings, data, scratch)
        tagging = ready.shape.tagging
        lines = [
            f"start: {ready.base}, {parameters_of(ready.model):,} weights",
            f"head: {ready.shape.head}, {len(tagging.names)} {tagging.scheme} tags for "
            f"{len(tagging.classes)} classes of label set {data.label_set.name}",
        ]
        for name, split in ready.splits.items():
            counts = split.counts
            lines.append(
                f"{name}: {amount(counts.reports, 'report')}, {amount(counts.words, 'word')}, "
                f"{amount(counts.windows, 'window')} of at most {counts.limit} tokens, "
                f"{amount(counts.entities, 'entity')}, {counts.learnable:,} of them exact in tags"
            )
        if ready.weights is not None:
            shown = dict(zip(tagging.names, ready.weights, strict=True))
            lines.append("weights: " + ", ".join(f"{n} {w:.3g}" for n, w in shown.items()))
        lines.append(steps_line(settings, ready.splits["train"].rows).replace("reports", "windows"))
        return "\n".join(lines) + "\n"


def main(argv: Sequence[str]) -> int:
    """Train as the flags and the recipe say; return the exit code.

    Raises:
        LabelwrightError: the user can mend what is wrong.
    """
    return TaggerRun().main(argv)


def _patient(patience: int) -> TrainerCallback:
    """Early stopping that counts in the history, so that a resumed run stops where it would have.

    The one of transformers counts in memory and starts anew.
    """
    from transformers import TrainerCallback

    class Patience(TrainerCallback):
        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            name = f"eval_{args.metric_for_best_model}"
            scores = [row[name] for row in state.log_history if name in row]
            sign = 1 if args.greater_is_better else -1
            best = max(range(len(scores)), key=lambda place: sign * scores[place])
            if len(scores) - 1 - best >= patience:
                control.should_training_stop = True

    return Patience()
