"""The released CheXbert, a pickled ``.pth``, as a folder that every labeler command can use.

The file holds a BERT and ``linear_heads.N.weight``, thirteen heads of four classes and one of
two. Their order, and that of the classes (blank, positive, negative, uncertain; blank, positive
for No Finding), is fixed in the authors' code (github.com/stanfordmlgroup/CheXbert,
``constants.py`` and ``label.py``); here both are mapped by name to the label set.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

from baselines.chexbert import unpickle as chexbert_unpickle
from baselines.encoder.checkpoint import save_encoder
from baselines.encoder.model import EncoderModel
from baselines.encoder.start import load_tokenizer
from labelwright.errors import CheckpointError, ConfigError, InputError, OutputError
from labelwright.io.jsonl import write_json
from labelwright.io.manifest import inputs, versions
from labelwright.label_set import LabelSet
from labelwright.records import Certainty

if TYPE_CHECKING:
    from transformers import BertConfig, PreTrainedTokenizerBase

OBSERVATIONS = (
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
    "No Finding",
)
CLASSES = (Certainty.BLANK, Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.UNCERTAIN)
HEAD = "linear_heads.{}.{}"
BERT = "bert."
UNUSED = re.compile(r"^bert\.(pooler\.|embeddings\.position_ids$)")
"""CheXbert reads the last layer's first token, so the pooling layer has no part in it."""
HEAD_SIZE = 64
"""Features per attention head in every BERT that was released."""
MAX_LENGTH = 512
DROPOUT = 0.1
REASONS = {
    chexbert_unpickle.REFUSED: "the file holds more than weights, and was refused",
    chexbert_unpickle.NO_WEIGHTS: "the file holds no state dictionary",
    chexbert_unpickle.DAMAGED: "the file is damaged or no torch file",
}

Weights = Mapping[str, torch.Tensor]


def convert(source: Path, out: Path, *, label_set: LabelSet, tokenizer: str, sections: str) -> None:
    """Write the model folder.

    Args:
        label_set: one with CheXbert's fourteen observations, in any order.
        tokenizer: folder or hub name of the vocabulary that the weights were trained with; the
            file has none.
        sections: what of a report the model is to read; CheXbert was made for impressions.

    Raises:
        InputError: there is no such file.
        CheckpointError: the file is not CheXbert's, or more than weights.
        ConfigError: label set or tokenizer do not fit.
        OutputError: the folder is not empty or cannot be written.
    """
    if not source.is_file():
        raise InputError("no such file", remedy="check --convert-pth", source=source)
    if out.is_dir() and any(out.iterdir()):
        raise OutputError("the folder is not empty", remedy="give another --out", source=out)
    _check_label_set(label_set)
    words = load_tokenizer(tokenizer)
    with tempfile.TemporaryDirectory() as scratch:
        weights = read_weights(source, Path(scratch))
        model = build(weights, label_set, source=source)
    _check_vocabulary(words, model, tokenizer)
    save_encoder(
        out,
        model,
        words,
        label_set,
        max_length=min(MAX_LENGTH, model.encoder.config.max_position_embeddings),
        sections=sections,
        base_model=f"CheXbert ({source.name})",
    )
    facts = {
        "command": "train-encoder --convert-pth",
        "kind": "conversion",
        "label_set": label_set.name,
        "label_set_sha256": label_set.fingerprint,
        "sections": sections,
        "inputs": inputs([source]),
        "tokenizer": tokenizer,
        "versions": dict(versions()),
    }
    write_json(out / "manifest.json", facts)


def read_weights(source: Path, scratch: Path) -> dict[str, torch.Tensor]:
    """The tensors of a ``.pth`` by name, read by :mod:`baselines.chexbert.unpickle`.

    Raises:
        CheckpointError: the file was refused, is damaged or holds no weights.
    """
    target = scratch / "weights.safetensors"
    code = None
    with contextlib.suppress(subprocess.TimeoutExpired):
        code = subprocess.run(
            [sys.executable, "-I", "-B", chexbert_unpickle.__file__, source.resolve(), target],
            cwd=scratch,
            env={"PATH": os.defpath, "HOME": str(scratch), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2 * chexbert_unpickle.SECONDS,
            check=False,
        ).returncode
    if code != 0 or not target.is_file():
        raise CheckpointError(
            REASONS.get(code or 0, "reading the file broke a limit of time, memory or size"),
            remedy="get the file from its authors again",
            source=source,
        )
    return load_file(target)


def build(weights: Weights, label_set: LabelSet, *, source: Path) -> EncoderModel:
    """CheXbert's weights in our model, heads and classes in the label set's order.

    Raises:
        CheckpointError: a weight is missing, unknown or of the wrong shape.
    """
    from transformers import BertModel

    try:
        config = _config(weights)
    except (KeyError, IndexError, ValueError):
        raise _foreign("it has no BERT", source) from None
    encoder = BertModel(config, add_pooling_layer=False)
    model = EncoderModel(encoder, label_set, dropout=DROPOUT)
    wanted = {name: w.shape for name, w in encoder.state_dict().items()}
    given = {
        name.removeprefix(BERT): w
        for name, w in weights.items()
        if name.startswith(BERT) and not UNUSED.match(name)
    }
    heads = _heads(weights, config.hidden_size, label_set, source)
    known = {BERT + name for name in given} | set(_head_names())
    strange = sorted(name for name in weights if name not in known and not UNUSED.match(name))
    wrong = sorted(
        name
        for name in wanted.keys() | given.keys()
        if name not in given or wanted.get(name) != given[name].shape
    )
    if wrong or strange:
        first = (wrong or strange)[0]
        raise _foreign(f"weight {first[:80]} is missing, unknown or of another size", source)
    encoder.load_state_dict(given)
    model.heads.load_state_dict(heads)
    return model.float().eval()


def _config(weights: Weights) -> BertConfig:
    """BERT's shape as the weights have it; the rest is that of ``bert-base-uncased``."""
    from transformers import BertConfig

    words = weights["bert.embeddings.word_embeddings.weight"]
    layers = {int(m[1]) for n in weights if (m := re.match(r"bert\.encoder\.layer\.(\d+)\.", n))}
    hidden = int(words.shape[1])
    return BertConfig(
        vocab_size=int(words.shape[0]),
        hidden_size=hidden,
        num_hidden_layers=max(layers) + 1,
        num_attention_heads=max(1, hidden // HEAD_SIZE),
        intermediate_size=int(weights["bert.encoder.layer.0.intermediate.dense.bias"].shape[0]),
        max_position_embeddings=int(weights["bert.embeddings.position_embeddings.weight"].shape[0]),
        type_vocab_size=int(weights["bert.embeddings.token_type_embeddings.weight"].shape[0]),
    )


def _heads(
    weights: Weights, hidden: int, label_set: LabelSet, source: Path
) -> dict[str, torch.Tensor]:
    """Weights of our heads: observation and rows found by name."""
    found: dict[str, torch.Tensor] = {}
    for place, label in enumerate(label_set.labels):
        number = OBSERVATIONS.index(label.name)
        rows = [CLASSES.index(certainty) for certainty in label.certainties]
        for kind, shape in (("weight", (len(rows), hidden)), ("bias", (len(rows),))):
            value = weights.get(HEAD.format(number, kind))
            if value is None or tuple(value.shape) != shape:
                raise _foreign(f"{HEAD.format(number, kind)} is missing or not {shape}", source)
            found[f"{place}.{kind}"] = value[rows].contiguous()
    return found


def _head_names() -> list[str]:
    return [HEAD.format(n, kind) for n in range(len(OBSERVATIONS)) for kind in ("weight", "bias")]


def _check_label_set(label_set: LabelSet) -> None:
    classes = {name: set(CLASSES) for name in OBSERVATIONS}
    classes["No Finding"] = {Certainty.BLANK, Certainty.POSITIVE}
    own = {label.name: set(label.certainties) for label in label_set.labels}
    if own != classes:
        odd = sorted(name for name in own.keys() | classes if own.get(name) != classes.get(name))
        raise ConfigError(
            f"label set {label_set.name} is not CheXbert's (different: {', '.join(odd[:3])})",
            remedy="give --label-set chexpert-14, or one with the same observations and classes",
        )


def _check_vocabulary(words: PreTrainedTokenizerBase, model: Any, tokenizer: str) -> None:
    size = model.encoder.config.vocab_size
    if len(words) != size:
        raise ConfigError(
            f"the tokenizer has {len(words)} tokens, the weights have {size}",
            remedy="give the uncased vocabulary of BERT with --tokenizer FOLDER|NAME",
            source=tokenizer,
        )


def _foreign(what: str, source: Path) -> CheckpointError:
    return CheckpointError(
        f"the weights are not CheXbert's: {what}",
        remedy="give the file chexbert.pth that its authors released",
        source=source,
    )
