"""The finished folder: model, tokenizer, label set, model card and, last, the manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.checkpoint import NORMALISE_FILE, TaskInfo, save_task
from labelwright.io.jsonl import write_json, writing
from labelwright.io.run_folder import DONE
from labelwright.prompt import prompt_version
from labelwright.runtime.card import write_card
from labelwright.runtime.training import TrainingResult, as_dict
from labelwright.runtime.training import facts as facts_of
from labelwright.tasks import kind_of
from labelwright.tasks.choices import BRANCHES, LINE
from sft.arguments import Settings
from sft.data import Records
from sft.encode import Lengths
from sft.load import Start

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LAYOUTS = {LINE: (LINE,), BRANCHES: (BRANCHES,), "both": (LINE, BRANCHES)}
CARD = Path(__file__).parent / "model_card.md.jinja"


def finish(
    settings: Settings,
    records: Records,
    start: Start,
    tokenizer: PreTrainedTokenizerBase,
    result: TrainingResult,
    lengths: Mapping[str, Lengths],
) -> None:
    """Complete the folder that the trainer saved the model into. Main process only.

    Args:
        lengths: what was counted in each split.

    Raises:
        OutputError: a file cannot be written.
    """
    folder = Path(str(settings.training.output_dir))
    facts = _manifest(settings, records, start, result, lengths)
    with writing(folder):
        (folder / "training_args.bin").unlink(missing_ok=True)
    if start.fetched and settings.model.use_peft:
        _name_base(folder / "adapter_config.json", start.name)
    folders = [folder]
    if settings.task.merge:
        folders.append(_merged(folder, start, tokenizer))
    info = TaskInfo(
        label_set_sha256=records.label_set.fingerprint,
        prompt_version=prompt_version(records.label_set),
        layouts=LAYOUTS[str(settings.task.layout)],
        sections=records.sections,
        base_model=start.name,
        unit=settings.task.unit or start.unit,
        neighbours=records.neighbours and records.neighbours["recipe"],
        by_group=records.by_group,
    )
    for place in folders:
        save_task(place, records.label_set, info, normalise=records.folder / NORMALISE_FILE)
        _card(place, settings, records, facts, name=folder.name)
    write_json(folder / DONE, facts)


def _manifest(
    settings: Settings,
    records: Records,
    start: Start,
    result: TrainingResult,
    lengths: Mapping[str, Lengths],
) -> dict[str, Any]:
    found = facts_of(
        settings,
        records.label_set,
        result,
        layouts=LAYOUTS[str(settings.task.layout)],
        sections=records.sections,
        base_model=start.name,
        files=[records.train, *([records.validation] if records.validation else [])],
        counts={split: counted.to_json() for split, counted in lengths.items()},
    )
    found["arguments"]["model"] = as_dict(settings.model)
    return found | {
        "prompt_version": prompt_version(records.label_set),
        "unit": settings.task.unit or start.unit,
        "neighbours": records.neighbours,
    }


def _name_base(path: Path, name: str) -> None:
    """Let the adapter find its base by name: the path of this machine's cache is no other's."""
    config = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, config | {"base_model_name_or_path": name})


def _merged(folder: Path, start: Start, tokenizer: PreTrainedTokenizerBase) -> Path:
    """Adapter and unquantised base as one model of full precision, in ``merged``."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(
        start.source,
        revision=start.revision or "main",
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
    )
    merged: Any = PeftModel.from_pretrained(base, str(folder)).merge_and_unload()
    out = folder / "merged"
    with writing(out):
        merged.generation_config.eos_token_id = tokenizer.eos_token_id
        merged.save_pretrained(out)
        tokenizer.save_pretrained(out)
    return out


def _card(
    folder: Path, settings: Settings, records: Records, facts: Mapping[str, Any], *, name: str
) -> None:
    losses = [row["loss"] for row in facts["history"] if "loss" in row]
    model = settings.model
    quantised = model.load_in_4bit or model.load_in_8bit
    method = ("QLoRA" if quantised else "LoRA") if model.use_peft else "full fine-tuning"
    write_card(
        folder,
        CARD,
        records.label_set,
        facts,
        name=name,
        kind=kind_of(records.label_set),
        records_sha256=facts["inputs"][0]["sha256"],
        method=method,
        last_loss=round(losses[-1], 4) if losses else "not logged",
        scratch=settings.task.scratch is not None,
        merged_from_quantised=quantised and folder.name == "merged",
    )
