"""Load a model folder, an adapter folder or a hub model: safetensors only, no remote code."""

from __future__ import annotations

import difflib
import importlib.util
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.decode.linear import quicken
from labelwright.checkpoint import LABEL_SET_FILE, TASK_FILE, TaskInfo, load_task
from labelwright.errors import CheckpointError, ConfigError, MissingExtraError
from labelwright.io.manifest import sha256_model
from labelwright.label_set import LabelSet
from labelwright.labelers.settings import DICTIONARY, KNN, RULES
from labelwright.runtime.fetched import fetched_folder
from labelwright.runtime.pretrained import (
    gaps,
    own_label_set,
    pick_device,
    pick_dtype,
    readable,
    refuse_gaps,
)
from labelwright.shipped import SHIPPED
from labelwright.tasks import kind_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
QUANTISED = ("int8", "nf4")
HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "*.yaml", "*.txt", "*.model"]


@dataclass(frozen=True)
class Loaded:
    """A model ready to answer.

    Attributes:
        name: folder name or hub name.
        model, tokenizer: of transformers, or those of :mod:`inference.light`.
        task: what training recorded; ``None`` for a plain model.
        context: the longest sequence in tokens, prompt and answer together; ``None`` if the
            model has no limit.
        hashes: SHA-256 of the model folder, and of the base model under an adapter.
        quantized: how the weights were quantised on loading, if they were.
    """

    name: str
    model: Any
    tokenizer: Any
    label_set: LabelSet
    task: TaskInfo | None
    context: int | None
    hashes: dict[str, str]
    quantized: str | None = None

    @property
    def light(self) -> bool:
        """Whether NumPy reads it."""
        from inference.light.model import LightModel

        return isinstance(self.model, LightModel)

    @property
    def architecture(self) -> str:
        """The model's class in transformers."""
        return str(getattr(self.model, "architecture", type(self.model).__name__))


def load(
    path_or_hub_name: str | Path,
    *,
    label_set: LabelSet | None = None,
    device: str = "auto",
    dtype: str = "auto",
    quantize: str | None = None,
    packed: bool = False,
) -> Loaded:
    """Load weights, tokenizer and task; nothing is guessed where a part is missing.

    Args:
        label_set: needed for a plain model; for a checkpoint it must be the checkpoint's own.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        dtype: ``auto`` is float32 on CPU and the checkpoint's own on other devices.
        quantize: ``int8`` or ``nf4`` weights by bitsandbytes; ``None`` for weights as they are.
        packed: answers that are choices will only be read in packs, which NumPy alone can do
            for small models.

    Raises:
        CheckpointError: the folder is incomplete, unreadable or made for other labels.
        ConfigError: the device is not there, or the dtype or quantisation is unknown.
        MissingExtraError: quantised weights without bitsandbytes.
    """
    folder = find(path_or_hub_name)
    task, own_labels = _task(folder, label_set)
    hashes = {"model_sha256": sha256_model(folder)}
    name = folder.name if Path(path_or_hub_name).is_dir() else str(path_or_hub_name)
    if packed and task is not None and kind_of(own_labels).choices(own_labels) is not None:
        from inference.light.load import light

        if (task is not None) and (
            found := light(folder, device=device, dtype=dtype, quantize=quantize)
        ):
            small, words = found
            return Loaded(name, small, words, own_labels, task, small.shape.context, hashes)
    place = pick_device(device)
    adapter = (folder / ADAPTER_CONFIG).is_file()
    base = _base(folder) if adapter else folder
    if adapter:
        hashes["base_sha256"] = sha256_model(base)
    tokenizer = _tokenizer(folder)
    model = _model(
        base, folder if adapter else None, pick_dtype(dtype, place), _quantised(quantize, place)
    )
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    placed: Any = model if quantize else model.to(place)  # type: ignore[arg-type]
    quicken(placed)
    return Loaded(
        name=name,
        model=placed.eval(),
        tokenizer=tokenizer,
        label_set=own_labels,
        task=task,
        context=context,
        hashes=hashes,
        quantized=quantize,
    )


def find(path_or_hub_name: str | Path, revision: str | None = None) -> Path:
    """The folder of a model: a local or fetched one, or the hub's snapshot (offline: the cache).

    Args:
        revision: branch, tag or commit of a hub model; its main branch if not given.

    Raises:
        CheckpointError: there is neither.
        ConfigError: it is one that is to be fetched first.
    """
    local = fetched_folder(path_or_hub_name) or Path(path_or_hub_name)
    if local.is_dir():
        return local.resolve()
    name = str(path_or_hub_name)
    if local.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise CheckpointError("no such model folder", remedy="check the path", source=name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=HUB_FILES))
    except Exception as error:  # network, name, login, disk: the remedy names them all
        known = (RULES, KNN, DICTIONARY, *SHIPPED.values())
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
        raise CheckpointError(
            f"neither a model folder nor a hub model within reach ({type(error).__name__})",
            remedy=(f"did you mean {near[0]}? Else " if near else "")
            + "check the name and the network, log in if the model is gated, or give the "
            "path of a local model folder",
            source=name,
        ) from error


def _task(folder: Path, wanted: LabelSet | None) -> tuple[TaskInfo | None, LabelSet]:
    plain = not any((folder / name).exists() for name in (LABEL_SET_FILE, TASK_FILE))
    if plain and wanted is not None:
        return None, wanted
    own, task = load_task(folder)
    own_label_set(wanted, own, folder)
    return task, own


def _base(folder: Path) -> Path:
    """The base model of an adapter; a relative path may start at the adapter's folder."""
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise CheckpointError(
            f"the adapter folder has no {ADAPTER_WEIGHTS}",
            remedy="use a folder that training finished",
            source=folder,
        )
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text())
        base = config["base_model_name_or_path"]
        beside = (folder / base).resolve()
    except (ValueError, KeyError, TypeError):
        raise CheckpointError(
            f"{ADAPTER_CONFIG} is damaged or names no base model",
            remedy="restore it from the training output",
            source=folder,
        ) from None
    return beside if beside.is_dir() else find(base, config.get("revision"))


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise CheckpointError(
            "the model folder has no tokenizer",
            remedy="copy tokenizer.json and tokenizer_config.json of the model into it",
            source=folder,
        )
    with readable(folder, "tokenizer"):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    if not tokenizer.chat_template:
        raise CheckpointError(
            "the tokenizer has no chat template, so the prompt cannot be written",
            remedy="use an instruction-tuned model or one that labelwright trained",
            source=folder,
        )
    return tokenizer


def _model(
    base: Path, adapter: Path | None, dtype: torch.dtype | str, quantised: dict[str, Any]
) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    if not any(base.glob("*.safetensors")):
        raise CheckpointError(
            "the model folder has no weights in safetensors format",
            remedy="convert them; pickled weights can run code and are not read",
            source=base,
        )
    with readable(base, "model"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            base,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **quantised,
        )
    model: PreTrainedModel = loaded[0]
    refuse_gaps(base, gaps(loaded[1]))
    if adapter is not None:
        with readable(adapter, "adapter"):
            report = model.load_adapter(str(adapter))
        refuse_gaps(adapter, (*report.missing_keys, *report.mismatched_keys))
        if not quantised:
            _merge(model)
    return model


def _merge(model: PreTrainedModel) -> None:
    """Add the adapter to the weights in memory, which is quicker than running it beside them."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge()


def _quantised(kind: str | None, place: torch.device) -> dict[str, Any]:
    if kind is None:
        return {}
    if kind not in QUANTISED:
        raise ConfigError(
            f"unknown quantisation {kind!r}", remedy=f"choose one of: {', '.join(QUANTISED)}"
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtraError("bitsandbytes", f"--quantize {kind}", "train-gpu")
    import torch
    from transformers import BitsAndBytesConfig

    # It would else write a line for every product that casts its input.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    config: Any = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_8bit=kind == "int8",
        load_in_4bit=kind == "nf4",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.float32 if place.type == "cpu" else torch.bfloat16,
    )
    placed = {} if place.type == "cpu" else {"device_map": {"": place}}
    return {"quantization_config": config, **placed}
