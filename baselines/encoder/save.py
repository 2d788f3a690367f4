"""The finished folder of an encoder: weights, task, metrics, model card and, last, the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.encoder.arguments import Settings
from baselines.encoder.checkpoint import save_encoder
from baselines.encoder.data import LABELS, Lengths
from baselines.encoder.model import EncoderModel, parameters_of
from baselines.head_run import manifest, write_papers
from labelwright.checkpoint import HEADS
from labelwright.io.data_folder import REPORTS, DataFolder
from labelwright.io.jsonl import write_json
from labelwright.io.run_folder import DONE
from labelwright.runtime.training import TrainingResult

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CARD = Path(__file__).parent / "card.md.jinja"


def finish(
    settings: Settings,
    data: DataFolder,
    result: TrainingResult,
    model: EncoderModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    lengths: Mapping[str, Lengths],
    max_length: int,
    base_model: str,
) -> None:
    """Write the folder. Main process only.

    Args:
        lengths: counts per split.

    Raises:
        OutputError: a file cannot be written.
    """
    folder = Path(str(settings.training.output_dir))
    facts = manifest(
        settings,
        data,
        result,
        command="train-encoder",
        layout=HEADS,
        base_model=base_model,
        files=[kind.format(split) for split in lengths for kind in (REPORTS, LABELS)],
        counts={split: found.to_json() for split, found in lengths.items()},
    )
    save_encoder(
        folder,
        model,
        tokenizer,
        data.label_set,
        max_length=max_length,
        sections=data.sections,
        base_model=base_model,
    )
    shown = {**facts, "parameters": parameters_of(model), "max_length": max_length}
    write_papers(folder, data, shown, result, card=CARD)
    write_json(folder / DONE, facts)
