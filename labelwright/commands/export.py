"""``labelwright export``: a model for llama.cpp or as an adapter; records for other trainers.

Records in the forms that other trainers read: TRL, Alpaca, ShareGPT, OpenAI fine-tuning.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import CheckpointError, ConfigError, InputError, OutputError
from labelwright.io.data_folder import open_data_folder
from labelwright.io.jsonl import PRIVATE, read_jsonl, write_jsonl, writing
from labelwright.options import Options, flag, positive

if TYPE_CHECKING:
    from inference.exports.gguf_check import Checked

SPLITS = ("train", "validation", "test")
Turns = tuple[str, str, str]
"""What system, user and assistant say."""


def _trl(turns: Turns) -> dict[str, Any]:
    system, user, answer = turns
    return {
        "prompt": [{"role": "system", "content": system}, {"role": "user", "content": user}],
        "completion": [{"role": "assistant", "content": answer}],
    }


def _openai(turns: Turns) -> dict[str, Any]:
    roles = zip(("system", "user", "assistant"), turns, strict=True)
    return {"messages": [{"role": role, "content": text} for role, text in roles]}


def _alpaca(turns: Turns) -> dict[str, Any]:
    return dict(zip(("instruction", "input", "output"), turns, strict=True))


def _sharegpt(turns: Turns) -> dict[str, Any]:
    who = zip(("system", "human", "gpt"), turns, strict=True)
    return {"conversations": [{"from": name, "value": text} for name, text in who]}


FORMS: Mapping[str, Callable[[Turns], dict[str, Any]]] = {
    "trl": _trl,
    "openai": _openai,
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
}
"""How one record is written, by the form's name; ids and metadata have no place in any."""


def export_records(data: str | Path, out: Path, form: str) -> dict[str, int]:
    """Write ``SPLIT.jsonl`` for each split of a data folder that has records.

    The files hold report text and can be read by their owner only.

    Returns:
        The number of records by split.

    Raises:
        InputError: the folder is none of ``labelwright build``, or a line is no record.
        OutputError: ``out`` is not empty, or cannot be written.
    """
    folder = open_data_folder(data, ["train.jsonl"])
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError("the folder is not empty", remedy="give another --out", source=out)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    counts = {}
    for split in SPLITS:
        path = folder.file(f"{split}.jsonl")
        if path is None:
            continue
        rows = (FORMS[form](_turns(path, row, line)) for row, line in read_jsonl(path))
        counts[split] = write_jsonl(out / path.name, rows, mode=PRIVATE)
    return counts


def _turns(path: Path, row: int, line: Mapping[str, Any]) -> Turns:
    try:
        system, user = line["prompt"]
        (answer,) = line["completion"]
        return str(system["content"]), str(user["content"]), str(answer["content"])
    except (KeyError, TypeError, ValueError):
        raise InputError(
            "the line is no record", remedy="build the folder again", source=path, row=row
        ) from None


TYPES = ("f32", "f16", "bf16", "q8_0")
CHECKED_REPORTS = 20
RANK = 24
GGUF, ADAPTER = "gguf", "adapter"
LLAMA = "comparison with llama.cpp (needs llama-cpp-python)"


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Options):
    """What is written, and of what."""

    form: str = flag(
        "gguf: one file for llama.cpp; adapter: what training changed, as LoRA weights; trl, "
        "openai, alpaca, sharegpt: the records of a data folder for other trainers",
        place=True,
        choices=(GGUF, ADAPTER, *FORMS),
    )
    model: str = flag(
        "the folder of a full model (gguf: of the Qwen2 architecture), or of records",
        place=True,
        metavar="DIR",
    )
    out: Path = flag("the file or folder to write", required=True, type=Path, metavar="PATH")
    type: str | None = flag(
        f"how weights are stored; gguf: {', '.join(TYPES)} (default: f16; norms and biases "
        "are always f32); adapter: bf16 or f8, half its size (default: bf16)",
        only=(GGUF, ADAPTER),
        metavar="TYPE",
    )
    base: str | None = flag(
        "the model that training started from; needed",
        group="adapter",
        only=(ADAPTER,),
        metavar="DIR|NAME",
    )
    rank: int | None = flag(
        f"singular values kept of every matrix (default: {RANK})",
        group="adapter",
        only=(ADAPTER,),
        type=positive,
        metavar="N",
    )
    check: Path | None = flag(
        "answer reports of this file with both, and say how far they agree; its columns "
        "must have usual names",
        group=LLAMA,
        only=(GGUF,),
        type=Path,
        metavar="REPORTS",
    )
    check_rows: int | None = flag(
        f"how many reports (default: {CHECKED_REPORTS})",
        group=LLAMA,
        only=(GGUF,),
        beside="check",
        type=positive,
        metavar="N",
    )


OPTIONS = ExportOptions


def run(options: ExportOptions) -> int:
    """Write the file or folder; compare if asked to. 0 even where rounding changes an answer."""
    options.refuse_others(options.form, f"the form {options.form}")
    options.refuse_idle()
    if options.form == GGUF:
        _gguf(options)
    elif options.form == ADAPTER:
        _adapter(options)
    else:
        counts = export_records(options.model, options.out, options.form)
        said = ", ".join(f"{count:,} {split}" for split, count in counts.items())
        sys.stdout.write(f"{said} -> {options.out}\n")
    return 0


def _adapter(options: ExportOptions) -> None:
    from inference.exports.adapter_export import extract_adapter

    if options.base is None:
        raise ConfigError("an adapter needs its base", remedy="give --base DIR|NAME")
    rank = options.rank or RANK
    done = extract_adapter(options.model, options.base, options.out, rank, options.type or "bf16")
    sys.stdout.write(
        f"{done.matrices} matrices at rank {rank}, {done.kept:.0%} of the change (squared), "
        f"{done.bytes / 1e6:,.1f} MB -> {options.out}\n"
    )


def _gguf(options: ExportOptions) -> None:
    from inference.exports.gguf_check import need_llama
    from inference.exports.gguf_export import export_gguf

    texts: list[str] = []
    if options.check is not None:
        need_llama()
        texts = _texts(options.check, options.model, options.check_rows or CHECKED_REPORTS)
    done = export_gguf(options.model, options.out, options.type or "f16")
    left = (
        f", {done.unquantized} of them f16 (rows not divisible by 32)" if done.unquantized else ""
    )
    sys.stdout.write(
        f"{done.tensors} weights{left}, {done.tokens:,} tokens, {done.bytes / 1e6:,.1f} MB "
        f"-> {options.out}\n"
    )
    if texts:
        from inference.exports.gguf_check import check_gguf

        sys.stdout.write(_agreement(check_gguf(options.model, options.out, texts)) + "\n")


def _texts(reports: Path, model: str, count: int) -> list[str]:
    """The first reports of the file, cut to the sections that the model reads."""
    from labelwright.checkpoint import load_task
    from labelwright.readers import read_reports
    from labelwright.readers.options import ReadOptions
    from labelwright.records import Report
    from labelwright.text.sections import SectionCut

    _, task = load_task(model)
    items = SectionCut(task.sections).stream(read_reports([reports], ReadOptions()))
    texts = (item.text for item in items if isinstance(item, Report))
    found = list(islice(texts, count))
    if not found:
        raise InputError("no report to compare with", source=reports)
    return found


def _agreement(found: Checked) -> str:
    if found.same_tokens < found.reports:
        raise CheckpointError(
            f"llama.cpp cuts {found.reports - found.same_tokens} of {found.reports} prompts into "
            "other tokens than the model was trained on",
            remedy="do not use the file for reports like these (Unicode that is not in the form "
            "NFC is one cause)",
        )
    left = f" ({found.left_out} did not fit)" if found.left_out else ""
    return (
        f"llama.cpp agrees on {found.same_answers} of {found.reports} answers{left} and on "
        f"{found.same_decisions:,} of {found.decisions:,} tokens; "
        f"largest difference of a logit {found.difference:.2g}"
    )
