"""What is known of a served model without asking its server: labels, sections, limits."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.prompts import SPARE_TOKENS
from labelwright.checkpoint import REPORT, TASK_FILE, load_task
from labelwright.errors import CheckpointError, ConfigError
from labelwright.io.manifest import sha256_model
from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of
from labelwright.tasks.base import Choices
from labelwright.text.special_tokens import spelled_out

LINE = "line"

CHAT_TOKENS = re.compile(
    r"<\|[^\s|<>]{1,60}\|>|<｜[^\s｜<>]{1,60}｜>|</?s>|\[/?INST\]|<</?SYS>>"
    r"|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
)
"""Tokens of the usual chat templates, for models whose tokenizer is not at hand."""


@dataclass(frozen=True)
class KnownModel:
    """What a local folder of the model says; all but ``label_set`` may be unknown.

    Attributes:
        room: tokens that the longest answer may take; 0 where that depends on the text.
        special: the spellings that would end a turn of the chat.
        context: the longest sequence in tokens.
        neighbours: how similar reports stood in the prompts of its training.
        by_group: whether it was trained to be asked for one group of fields at a time.
    """

    label_set: LabelSet
    sections: str
    room: int
    special: re.Pattern[str]
    context: int | None
    sha256: str | None
    neighbours: Mapping[str, Any] | None = None
    by_group: bool = False


def known_model(model: str | Path, label_set: LabelSet | None, sections: str | None) -> KnownModel:
    """What there is to know of a model that a server has.

    Args:
        model: the server's name of the model; it may be a folder that training wrote.
        label_set: needed for any other name.
        sections: what of a report to read; as in training, or ``full``, if not given.

    Raises:
        ConfigError: the label set is not given.
        CheckpointError: the folder was made for another label set, prompt or layout.
    """
    folder = Path(model)
    if not (folder.is_dir() and (folder / TASK_FILE).is_file()):
        if label_set is None:
            raise ConfigError(
                "a model behind a server does not say what it labels",
                remedy="give --model-folder for a model that training wrote, else --label-set",
            )
        return KnownModel(
            label_set, sections or "full", _most_tokens(label_set), CHAT_TOKENS, None, None
        )
    own, task = load_task(folder)
    if label_set is not None and label_set != own:
        raise CheckpointError(
            f"the model was trained on another label set than {label_set.name}: {own.name}",
            remedy="remove --label-set",
            source=folder,
        )
    if task.unit != REPORT:
        raise CheckpointError(
            f"the model reads {task.unit} by {task.unit}, and a server is asked whole reports",
            remedy="label with the folder itself, without --server, or train with --unit report",
            source=folder,
        )
    if LINE not in task.layouts:
        raise CheckpointError(
            f"the model does not write answer lines (its layouts: {', '.join(task.layouts)})",
            remedy="label with it without --server",
            source=folder,
        )
    room, special = _of_tokenizer(folder / "tokenizer.json", own)
    return KnownModel(
        own,
        sections or task.sections,
        room,
        special,
        _own_context(folder / "config.json"),
        sha256_model(folder),
        task.neighbours,
        task.by_group,
    )


def _most_tokens(label_set: LabelSet) -> int:
    """A bound for the tokens of any answer without knowing the tokenizer: one per byte."""
    choices = kind_of(label_set).choices(label_set)
    if choices is None:
        return 0
    as_json = json.dumps({s.prefix: max(s.options.values(), key=len) for s in choices.slots})
    longest = (as_json, *_longest(choices))
    return max(len(line.encode()) for line in longest) + SPARE_TOKENS


def _of_tokenizer(file: Path, label_set: LabelSet) -> tuple[int, re.Pattern[str]]:
    """Room for the answer and the special tokens, from a model's ``tokenizer.json``."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001  it raises the base class, for a missing file too
        return _most_tokens(label_set), CHAT_TOKENS
    added = tokenizer.get_added_tokens_decoder().values()
    special = spelled_out(token.content for token in added)
    choices = kind_of(label_set).choices(label_set)
    if choices is None:
        return 0, special
    lines = _longest(choices)
    room = max(len(tokenizer.encode(line, add_special_tokens=False)) for line in lines)
    return room + SPARE_TOKENS, special


def _own_context(file: Path) -> int | None:
    try:
        limit = json.loads(file.read_text(encoding="utf-8")).get("max_position_embeddings")
    except (OSError, ValueError, AttributeError):
        return None
    return limit if isinstance(limit, int) else None


def _longest(choices: Choices) -> list[str]:
    return [choices.longest(full_names=full) for full in (False, True)]
