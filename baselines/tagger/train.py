"""Train an encoder that tags words with entities on a folder of ``labelwright build``.

    labelwright train-tagger --config minilm --data records/ --output_dir runs/tagger
    labelwright train-tagger --model_name_or_path FOLDER --head multilabel --data … --output_dir …
    accelerate launch --config_file accelerate_config.yaml -m labelwright.cli train-tagger …

The same command again goes on from the last checkpoint. The finished folder holds weights,
thresholds, curves, model card and the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.dictionary import Dictionary
from baselines.encoder.model import parameters_of
from baselines.epochs import follow
from baselines.head_run import HeadRun, manifest, steps_line, write_papers
from baselines.tagger.arguments import NO_SECTIONS, TAGGER, Settings, TaggerArguments
from baselines.tagger.checkpoint import Shape, save_tagger
from baselines.tagger.curves import write_curves
from baselines.tagger.data import Split
from baselines.tagger.known import Known
from baselines.tagger.notes import GOLD, read_split
from baselines.tagger.prepare import Ready, entities_of, judge, prepare, read_answers
from baselines.tagger.scores import f1_scores
from baselines.tagger.token_classifier import TokenClassifier, WordPadding
from labelwright.checkpoint import NORMALISE_FILE, TAGS
from labelwright.io.data_folder import REPORTS, DataFolder
from labelwright.io.jsonl import write_json
from labelwright.io.run_folder import DONE
from labelwright.records import Entity
from labelwright.runtime.learned import Learned, measure
from labelwright.runtime.training import TrainingResult, say
from labelwright.text.amounts import amount
from labelwright.text.section_tables import RADIOLOGY, SectionTable

if TYPE_CHECKING:
    from transformers import Trainer, TrainerCallback


CARD = Path(__file__).parent / "card.md.jinja"


@dataclass(frozen=True)
class Validated:
    """The kept state on the validation notes.

    Attributes:
        shape: with the thresholds that were tuned there.
        said: the entities of each note.
    """

    shape: Shape
    scores: Mapping[str, float]
    said: Sequence[Sequence[Entity]]


def validated(
    settings: Settings, data: DataFolder, model: TokenClassifier, ready: Ready
) -> Validated | None:
    """Tune the thresholds of the kept state on validation; ``None`` where there is none."""
    if (validation := ready.splits.get("validation")) is None:
        return None
    size = settings.training.per_device_eval_batch_size
    pad = int(ready.tokenizer.pad_token_id or 0)
    logits = logits_of(model, validation, WordPadding(pad), size)
    found = read_answers(ready, validation, logits, range(len(logits)))
    shape, scores = judge(ready, validation, found, settings.task.thresholds)
    said = entities_of(shape, found)
    if settings.task.dictionary:
        gold = [note.entities for note in validation.notes]
        shape = replace(
            shape,
            known=Known.tuned(
                Dictionary.of(list(read_split(data, "train"))),
                [note.text for note in validation.notes],
                said,
                gold,
                overlaps=shape.tagging.multilabel,
            ),
        )
        alone, said = scores, entities_of(shape, found)
        scores = f1_scores(said, gold, shape.tagging)
        say(
            settings,
            f"validation micro F1 {alone['micro_f1']:.3f}, with the dictionary "
            f"{scores['micro_f1']:.3f}",
        )
    return Validated(shape, scores, said)


@torch.inference_mode()
def logits_of(
    model: TokenClassifier, split: Split, padding: WordPadding, size: int
) -> NDArray[np.float32]:
    """Logits of all windows of a split in order, ``[windows, words, tags]``, padded by 0."""
    model.eval()
    place = model.scores.weight.device
    parts = []
    for start in range(0, len(split.rows), size):
        rows = [split.rows[n] for n in range(start, min(start + size, len(split.rows)))]
        batch = padding([{k: v for k, v in row.items() if k != "labels"} for row in rows])
        parts.append(model(**{k: v.to(place) for k, v in batch.items()})["logits"].cpu().numpy())
    longest = max(part.shape[1] for part in parts)
    padded = [np.pad(part, ((0, 0), (0, longest - part.shape[1]), (0, 0))) for part in parts]
    whole: NDArray[np.float32] = np.concatenate(padded)
    return whole


def _facts(ready: Ready, shape: Shape) -> dict[str, Any]:
    tagging = shape.tagging
    thresholds, weights = None, None
    if shape.thresholds is not None:
        names = [
            tagging.names[place * len(tagging.kinds)][2:] for place in range(len(tagging.classes))
        ]
        thresholds = dict(zip(names, shape.thresholds.tolist(), strict=True))
    if ready.weights is not None:
        weights = dict(zip(tagging.names, ready.weights, strict=True))
    return {
        "head": shape.head,
        "scheme": tagging.scheme,
        "tags": list(tagging.names),
        "stride_words": shape.stride,
        "class_weights": weights,
        "thresholds": thresholds,
        "sections": None if shape.sections is None else shape.sections.to_json(),
        "dictionary": None if shape.known is None else shape.known.to_json(),
        "pseudo_labeled_windows": sum(share != 1 for share in ready.splits["train"].rows.shares),
    }


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
        folder, seen = Path(str(settings.training.output_dir)), self._seen
        model = trainer.accelerator.unwrap_model(trainer.model)
        shape = ready.shape if seen is None else seen.shape
        facts = manifest(
            settings,
            data,
            result,
            command="train-tagger",
            layout=TAGS,
            base_model=ready.base,
            files=[kind.format(split) for split in ready.splits for kind in (REPORTS, GOLD)],
            counts={name: split.counts.to_json() for name, split in ready.splits.items()},
        ) | {
            "tagger": _facts(ready, shape),
            "validation": seen and dict(seen.scores),
        }
        save_tagger(
            folder,
            model,
            ready.tokenizer,
            shape,
            sections=data.sections,
            base_model=ready.base,
            normalise=data.path / NORMALISE_FILE,
        )
        write_curves(folder, result.history)
        shown = {**facts, "parameters": parameters_of(model), "max_length": shape.max_length}
        write_papers(folder, data, shown, result, card=CARD)
        write_json(folder / DONE, facts)

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
    """Train as the flags and the recipe say; return the exit code."""
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
