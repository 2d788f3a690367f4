"""The tagger as a labeler: reports in windows, batches by length, entities with probabilities."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.encoder.labeler import EMPTY
from baselines.encoder.model import parameters_of
from baselines.tagger.checkpoint import LoadedTagger, load_tagger
from baselines.tagger.scores import Scored, mentions
from baselines.tagger.token_classifier import CRF, WordPadding
from baselines.tagger.words import Window, WordReader
from labelwright.errors import ConfigError
from labelwright.io.manifest import versions
from labelwright.label_set import LabelSet
from labelwright.records import Answer, Entity, Prediction, Reject, Report
from labelwright.runtime.pretrained import float_kind, own_label_set, pick_device
from labelwright.runtime.progress import tell


class Piece(NamedTuple):
    """A window of the report with this number among those that are labeled together."""

    report: int
    window: Window


class TaggerLabeler:
    """Finds entities with a tagger; a :class:`labelwright.labelers.base.ReportLabeler`.

    Every entity has ``prob``, the mean probability of its words' tags. A report longer than the
    context is read in windows; nothing is cut. Reports are taken as they are: where the training
    texts were normalised, :func:`labelwright.labelers.normalising.normalising` goes before it.
    """

    def __init__(
        self,
        loaded: LoadedTagger,
        *,
        device: torch.device,
        batch_size: int | None = None,
        threshold: float | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ConfigError("a batch needs at least one window", remedy="give --batch-size 1")
        self.sections = loaded.task.sections or "full"
        """What of a report it was trained on."""
        self.batch_size = batch_size or (16 if device.type == "cpu" else 128)
        self._loaded = loaded
        self._device = device
        self._model = loaded.model.to(device).eval()
        shape = loaded.shape
        self._reader = WordReader(loaded.tokenizer, limit=shape.max_length, stride=shape.stride)
        self._padding = WordPadding(int(loaded.tokenizer.pad_token_id or 0))
        self._thresholds = shape.thresholds
        if threshold is not None:
            if shape.thresholds is None:
                raise ConfigError(
                    f"a tagger with the head {shape.head} has no threshold",
                    remedy="leave out --threshold; the likeliest tag counts",
                )
            self._thresholds = np.full_like(shape.thresholds, threshold)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        *,
        label_set: LabelSet | str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int | None = None,
        threshold: float | None = None,
    ) -> TaggerLabeler:
        """Load a folder that ``labelwright train-tagger`` wrote.

        Args:
            label_set: where given, it must be the checkpoint's own.
            device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            dtype: of the encoder; ``auto`` is float32.
            batch_size: windows read together; 16 on CPU and 128 elsewhere if not given.
            threshold: probability from which on a tag counts, in place of the tuned ones.

        Raises:
            CheckpointError: the folder is incomplete, unreadable or made for other labels.
            ConfigError: a choice cannot work.
            LabelSetError: the label set has mistakes.
        """
        place = pick_device(device)
        kind = float_kind(dtype)
        loaded = load_tagger(path, dtype=kind)
        own_label_set(label_set, loaded.label_set, path)
        return cls(loaded, device=place, batch_size=batch_size, threshold=threshold)

    @property
    def name(self) -> str:
        """Folder name of the model."""
        return self._loaded.name

    @property
    def label_set(self) -> LabelSet:
        """The types that it finds."""
        return self._loaded.label_set

    def describe(self) -> Mapping[str, Any]:
        """All that the answers depend on; ``runtime`` may differ between parts of a run."""
        loaded, shape = self._loaded, self._loaded.shape
        encoder = loaded.model.encoder
        return {
            "kind": "tagger",
            "name": loaded.name,
            "model_sha256": loaded.sha256,
            "architecture": type(encoder).__name__,
            "parameters": parameters_of(loaded.model),
            "base_model": loaded.task.base_model,
            "label_set": loaded.label_set.name,
            "label_set_sha256": loaded.label_set.fingerprint,
            "decoding": {
                "mode": "tags",
                "head": shape.head,
                "scheme": shape.tagging.scheme,
                "strategy": "likeliest path" if shape.head == CRF else "likeliest tag",
                "thresholds": None if self._thresholds is None else self._thresholds.tolist(),
            },
            "dtype": str(next(encoder.parameters()).dtype).removeprefix("torch."),
            "context": shape.max_length,
            "on_long": "windows",
            "versions": versions("labelwright", "torch", "transformers"),
            "runtime": {"batch_size": self.batch_size, "device": self._device.type},
        }

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """Label reports whose text is cut to sections already; one result each, in order.

        A report without text is rejected.
        """
        began = time.perf_counter()
        read = self._reader.read([report.text for report in reports])
        share = (time.perf_counter() - began) / max(len(reports), 1)
        tags = len(self._loaded.shape.tagging.names)
        scores = [np.zeros((len(words), tags), dtype=np.float32) for words in read]
        seconds = [share] * len(reports)
        pieces = [Piece(n, window) for n, words in enumerate(read) for window in words.windows]
        pieces.sort(key=lambda piece: len(piece.window.ids))
        for start in range(0, len(pieces), self.batch_size):
            batch = pieces[start : start + self.batch_size]
            began = time.perf_counter()
            logits = self._logits(batch)
            took = (time.perf_counter() - began) / len(batch)
            for piece, found in zip(batch, logits, strict=True):
                first, end = piece.window.keep
                own = slice(first - piece.window.start, end - piece.window.start)
                scores[piece.report][first:end] = found[own]
                seconds[piece.report] += took
            tell(start + len(batch), len(pieces))
        began = time.perf_counter()
        answers = self._model.chances(scores)
        share = (time.perf_counter() - began) / max(len(reports), 1)
        results: list[Prediction | Reject] = []
        for n, report in enumerate(reports):
            if report.text.strip():
                said = self._entities(report.text, read[n].spans, *answers[n])
                took = seconds[n] + share
                told = Answer(value=said, seconds=took)
                results.append(
                    Prediction.of(report, told, model=self.name, task=self.label_set.task)
                )
            else:
                results.append(Reject(report.id, report.source, report.row, EMPTY))
        return results

    @torch.inference_mode()
    def _logits(self, batch: Sequence[Piece]) -> NDArray[np.float32]:
        """``[batch, words, tags]``."""
        rows = [{"input_ids": p.window.ids, "firsts": p.window.firsts} for p in batch]
        padded = self._padding(rows)
        logits = self._model(**{k: v.to(self._device) for k, v in padded.items()})["logits"]
        found: NDArray[np.float32] = logits.cpu().numpy()
        return found

    def _entities(
        self,
        text: str,
        spans: NDArray[np.int64],
        best: NDArray[np.int64],
        chances: NDArray[np.float32],
    ) -> tuple[Entity, ...]:
        tagging = self._loaded.shape.tagging
        scored = Scored(text, spans, best, chances)
        return tagging.entities(text, spans, mentions(tagging, scored, self._thresholds))
