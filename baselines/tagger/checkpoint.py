"""The folder of a trained tagger: written whole, read with every part checked.

It holds the encoder as transformers saves it (``config.json``, ``model.safetensors``, tokenizer),
``tags.safetensors`` (the layer over the encoder), ``tags.json`` (what its outputs mean, and the
thresholds), ``dictionary.json`` where training mentions are looked up, and the files that say what
it labels (:mod:`labelwright.checkpoint`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from baselines.dictionary import Dictionary
from baselines.encoder.start import context_of, load_parts
from baselines.labeler import Loaded
from baselines.tagger.choices import HEADS, MULTILABEL, SCHEMES
from baselines.tagger.known import Known
from baselines.tagger.scores import HALF
from baselines.tagger.sections import Sections
from baselines.tagger.tags import Tagging
from baselines.tagger.token_classifier import TokenClassifier
from labelwright.checkpoint import TAGS, TaskInfo, load_task, save_task
from labelwright.errors import CheckpointError
from labelwright.io.jsonl import write_json, writing
from labelwright.io.manifest import sha256_model
from labelwright.label_set import LabelSet
from labelwright.prompt import prompt_version
from labelwright.runtime.pretrained import silent

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WEIGHTS, SETTINGS, STRINGS = "tags.safetensors", "tags.json", "dictionary.json"
RESTORE = "restore it from the training output"


@dataclass(frozen=True)
class Shape:
    """How a tagger reads and what its outputs mean.

    Attributes:
        max_length: the longest window in tokens.
        stride: words that neighbouring windows share.
        thresholds: one per class for the head ``multilabel``, else ``None``.
        sections: those that it reads; ``None`` for none.
        known: the training mentions that are looked up beside it; ``None`` for none.
    """

    tagging: Tagging
    head: str
    max_length: int
    stride: int
    dropout: float
    thresholds: NDArray[np.float64] | None = None
    sections: Sections | None = None
    known: Known | None = None

    @property
    def fused(self) -> tuple[str, int] | None:
        """Way and number of the sections, for the model."""
        return None if self.sections is None else (self.sections.way, self.sections.count)

    def to_json(self) -> dict[str, Any]:
        """The contents of ``tags.json``."""
        return {
            "scheme": self.tagging.scheme,
            "head": self.head,
            "tags": list(self.tagging.names),
            "max_length": self.max_length,
            "stride": self.stride,
            "dropout": self.dropout,
            "thresholds": None if self.thresholds is None else self.thresholds.tolist(),
            **({} if self.sections is None else {"sections": self.sections.to_json()}),
            **({} if self.known is None else {"dictionary": self.known.to_json()}),
        }

    @classmethod
    def read(cls, root: Path, label_set: LabelSet) -> Shape:
        """Read a model folder's ``tags.json``, and the dictionary that it speaks of.

        Raises:
            OSError, KeyError, TypeError, ValueError: a file is missing, damaged or of another
                label set.
        """
        value = json.loads((root / SETTINGS).read_text("utf-8"))
        head, scheme = value["head"], value["scheme"]
        if head not in HEADS or scheme not in SCHEMES:
            raise ValueError("head")
        tagging = Tagging(label_set, scheme, head == MULTILABEL)
        thresholds = None
        if tagging.multilabel:
            thresholds = np.array(value["thresholds"], dtype=np.float64)
            if thresholds.shape != (len(tagging.classes),):
                raise ValueError("thresholds")
        if list(value["tags"]) != list(tagging.names):
            raise ValueError("tags")
        told, beside, known = value.get("sections"), value.get("dictionary"), None
        if beside is not None:
            strings = json.loads((root / STRINGS).read_text("utf-8"))
            found = Dictionary.from_json(strings, label_set)
            sure, share = float(beside["sure"]), float(beside["share"])
            if len(found.entries) != beside["strings"] or not (0 <= sure <= 1 and share > 0):
                raise ValueError("dictionary")
            known = Known(found, sure, share, overlaps=tagging.multilabel)
        return cls(
            known=known,
            sections=None if told is None else Sections.from_json(told),
            tagging=tagging,
            head=head,
            max_length=int(value["max_length"]),
            stride=int(value["stride"]),
            dropout=float(value["dropout"]),
            thresholds=thresholds,
        )


@dataclass(frozen=True)
class LoadedTagger(Loaded):
    """A tagger with all that it needs to read a text."""

    model: TokenClassifier
    shape: Shape


def thresholds_of(tagging: Tagging) -> NDArray[np.float64] | None:
    """The thresholds of a tagger that were not tuned yet."""
    return np.full(len(tagging.classes), HALF) if tagging.multilabel else None


def save_tagger(
    folder: Path,
    model: TokenClassifier,
    tokenizer: PreTrainedTokenizerBase,
    shape: Shape,
    *,
    sections: str,
    base_model: str,
    normalise: Path | None = None,
) -> None:
    """Write every file that :func:`load_tagger` reads; weights as safetensors only.

    Args:
        normalise: the data folder's table of normalisation; it is copied if there is one.

    Raises:
        OutputError: the folder cannot be written.
    """
    label_set = shape.tagging.label_set
    with writing(folder), silent():
        folder.mkdir(parents=True, exist_ok=True)
        model.encoder.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        weights = {n: w.detach().cpu().contiguous() for n, w in model.own_weights().items()}
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    write_json(folder / SETTINGS, shape.to_json())
    if shape.known is not None:
        write_json(folder / STRINGS, shape.known.dictionary.to_json())
    info = TaskInfo(
        label_set_sha256=label_set.fingerprint,
        prompt_version=prompt_version(label_set),
        layouts=(TAGS,),
        sections=sections,
        base_model=base_model,
    )
    save_task(folder, label_set, info, normalise=normalise)


def load_tagger(folder: str | Path, *, dtype: torch.dtype = torch.float32) -> LoadedTagger:
    """Read a folder that :func:`save_tagger` wrote; the model is on the CPU, ready to answer.

    Args:
        dtype: of the encoder; the layer over it stays in float32.

    Raises:
        CheckpointError: it is no such folder, or a part is missing, damaged or of other labels.
        MissingExtraError: it has a random field and pytorch-crf is not installed.
    """
    root = Path(folder).resolve()
    label_set, task = load_task(root)
    if task.layouts != (TAGS,):
        raise CheckpointError(
            "the folder holds no tagger",
            remedy="give a folder that labelwright train-tagger wrote",
            source=root,
        )
    try:
        shape = Shape.read(root, label_set)
    except (OSError, ValueError, KeyError, TypeError):
        raise CheckpointError(
            f"{SETTINGS} is missing, damaged or of another label set, or {STRINGS} is",
            remedy=RESTORE,
            source=root,
        ) from None
    encoder, tokenizer = load_parts(root, name=str(root), dtype=dtype)
    model = TokenClassifier(
        encoder,
        len(shape.tagging.names),
        head=shape.head,
        dropout=shape.dropout,
        sections=shape.fused,
    )
    own = model.own_weights()
    try:
        found = load_file(root / WEIGHTS)
        if {n: w.shape for n, w in found.items()} != {n: w.shape for n, w in own.items()}:
            raise RuntimeError("shapes")
        model.load_state_dict(found, strict=False)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"{WEIGHTS} cannot be loaded ({type(error).__name__})", remedy=RESTORE, source=root
        ) from None
    if (context := context_of(encoder, tokenizer) or shape.max_length) < shape.max_length:
        raise CheckpointError(
            f"{SETTINGS} speaks of {shape.max_length} tokens, the encoder reads {context}",
            remedy=RESTORE,
            source=root,
        )
    return LoadedTagger(
        name=root.name,
        model=model.eval(),
        tokenizer=tokenizer,
        label_set=label_set,
        task=task,
        shape=shape,
        sha256=sha256_model(root),
    )
