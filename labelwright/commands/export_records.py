"""Records in the forms that other trainers read: TRL, Alpaca, ShareGPT, OpenAI fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from labelwright.errors import InputError, OutputError
from labelwright.io.data_folder import open_data_folder
from labelwright.io.jsonl import PRIVATE, read_jsonl, write_jsonl, writing

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
