"""Tokenizer and model, from a folder, the hub or scratch; adapters and quantised bases."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.checkpoint import REPORT, TASK_FILE, load_task
from labelwright.errors import CheckpointError, ConfigError, MissingExtraError
from labelwright.io.run_folder import START
from labelwright.label_set import LabelSet
from labelwright.runtime.fetched import fetched_folder, hub_reachable
from labelwright.runtime.pretrained import gaps, refuse_gaps
from labelwright.shipped import named_model
from sft.scratch import CHATML, EOS, PRESETS, TURN, make_scratch_model

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
    from trl import ModelConfig


@dataclass(frozen=True)
class Start:
    """Where the training starts from.

    Attributes:
        source: folder or hub name, as transformers loads it.
        name: what model card and checkpoint say.
        local: whether ``source`` is a folder here.
        fetched: whether ``name`` finds it on every machine that fetched it.
        unit: what that model reads at once, where it knows.
    """

    source: str
    name: str
    local: bool
    revision: str | None = None
    unit: str = REPORT
    fetched: bool = False


def scratch_start(
    texts: Iterable[str], output: Path, preset: str, label_set: LabelSet, seed: int
) -> Start:
    """Make the model from scratch once; a later call finds it.

    Raises:
        OutputError: it cannot be written.
    """
    folder = output / START
    if not (folder / "config.json").is_file():
        part = output / f".{START}.part"
        make_scratch_model(texts, part, label_set=label_set, shape=PRESETS[preset], seed=seed)
        part.rename(folder)
    return Start(str(folder), f"scratch ({preset})", local=True)


def named_start(model: ModelConfig, label_set: LabelSet, *, new_label_set: bool) -> Start:
    """Check the folder or name given by ``--model_name_or_path``.

    Raises:
        CheckpointError: the folder is incomplete, or it was trained on another label set.
        ConfigError: there is no such folder.
    """
    name = str(model.model_name_or_path)
    cached = fetched_folder(name)
    folder = cached or Path(named_model(name)).expanduser()
    if not folder.is_dir():
        if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
            raise ConfigError(f"no such model folder: {name}", remedy="check --model_name_or_path")
        return Start(name, name, local=False, revision=model.model_revision)
    _check_folder(folder)
    unit = REPORT
    if (folder / TASK_FILE).is_file() and not new_label_set:
        trained, info = load_task(folder)
        unit = info.unit
        if trained != label_set:
            raise CheckpointError(
                f"the model was trained on label set {trained.name} {trained.version}, the records "
                f"were built for {label_set.name} {label_set.version} (the files differ)",
                remedy="build records for the model's label set, or give --new-label-set",
                source=folder,
            )
    place = folder.resolve()
    return Start(str(place), place.name, local=True, unit=unit, fetched=cached is not None)


def _check_folder(folder: Path) -> None:
    if (folder / "adapter_config.json").is_file():
        raise CheckpointError(
            "the model folder holds an adapter only",
            remedy="go on from its merged model (train with --merge, then give the merged folder)",
            source=folder,
        )
    missing = None
    if not (folder / "config.json").is_file():
        missing = "config.json"
    elif not any(
        (folder / n).is_file() for n in ("tokenizer.json", "vocab.json", "tokenizer.model")
    ):
        missing = "tokenizer (tokenizer.json)"
    elif not any(folder.glob("*.safetensors")):
        missing = "weights in safetensors (*.safetensors)"
    if missing:
        raise CheckpointError(
            f"the model folder has no {missing}",
            remedy="give a complete model folder, as save_pretrained of model and tokenizer writes",
            source=folder,
        )


def load_tokenizer(start: Start, template: str | None) -> PreTrainedTokenizerBase:
    """The tokenizer with a chat template and a padding token.

    Args:
        template: a Jinja file that replaces the tokenizer's own chat template.

    Raises:
        ConfigError: the hub is not reachable, or the template file is missing.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerBase

    tokenizer = _reached(start, AutoTokenizer.from_pretrained)
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise CheckpointError("the tokenizer cannot be used", source=start.source)
    if template is not None:
        path = Path(template)
        if not path.is_file():
            raise ConfigError(f"no chat template file {template}", remedy="give a Jinja file")
        tokenizer.chat_template = path.read_text(encoding="utf-8")
    if not tokenizer.chat_template and {TURN, EOS} <= set(tokenizer.get_vocab()):
        tokenizer.chat_template = CHATML
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_config(start: Start) -> PretrainedConfig:
    """The model's configuration, without its weights.

    Raises:
        ConfigError: the hub is not reachable.
    """
    from transformers import AutoConfig

    config: PretrainedConfig = _reached(start, AutoConfig.from_pretrained)
    return config


def load_model(start: Start, model: ModelConfig, stop: int) -> PreTrainedModel:
    """The model's weights (safetensors only), ready to train.

    Args:
        stop: the token that ends an answer; generation will stop there.

    Raises:
        CheckpointError: the folder lacks some of the weights; transformers would draw them.
        ConfigError: the hub is not reachable.
        MissingExtraError: a quantised base without bitsandbytes.
    """
    from transformers import AutoModelForCausalLM

    loaded: PreTrainedModel
    loaded, report = _reached(
        start,
        AutoModelForCausalLM.from_pretrained,
        dtype=model.dtype,
        attn_implementation=model.attn_implementation,
        use_safetensors=True,
        output_loading_info=True,
        **_quantised(model),
    )
    refuse_gaps(start.source, gaps(report))
    if loaded.generation_config is not None:
        known = loaded.generation_config.eos_token_id
        others = known if isinstance(known, list) else [] if known is None else [known]
        loaded.generation_config.eos_token_id = list(dict.fromkeys([stop, *others]))
    return loaded


def _quantised(model: ModelConfig) -> dict[str, Any]:
    if not (model.load_in_4bit or model.load_in_8bit):
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtraError("bitsandbytes", "a quantised base (load_in_4bit)", "train-gpu")
    from accelerate import PartialState
    from trl import get_quantization_config

    options: dict[str, Any] = {"quantization_config": get_quantization_config(model)}
    if PartialState().device.type != "cpu":
        options["device_map"] = {"": PartialState().local_process_index}
    return options


def _reached(start: Start, loader: Any, **options: Any) -> Any:
    """Call ``from_pretrained``; an unreachable hub or an unknown name becomes one line."""
    if start.revision is not None:
        options["revision"] = start.revision
    options["local_files_only"] = start.local or not hub_reachable()
    try:
        return loader(start.source, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError) as error:
        if start.local:
            raise CheckpointError(
                f"the model folder cannot be loaded ({type(error).__name__}: "
                f"{str(error).strip().splitlines()[0]})",
                remedy="give a model folder that transformers can load",
                source=start.source,
            ) from None
        raise ConfigError(
            f"{start.source} is not on this machine and the hub cannot be reached or does not "
            f"have it ({type(error).__name__})",
            remedy="give a local model folder with --model_name_or_path",
        ) from None
