"""The encoder as a labeler: batches by length, one probability per certainty and observation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from baselines.encoder.checkpoint import LoadedEncoder, load_encoder
from baselines.encoder.model import Padding, parameters_of
from baselines.encoder.text import TextEncoder, Tokens
from labelwright.errors import ConfigError
from labelwright.io.manifest import versions
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report
from labelwright.runtime.pretrained import float_kind, own_label_set, pick_device
from labelwright.runtime.progress import tell

EMPTY = "the report is empty"


class EncoderLabeler:
    """Labels reports with an encoder; a :class:`labelwright.labelers.base.ReportLabeler`.

    Every prediction has ``probs``. A report longer than the context is cut at its end, and
    ``problems`` says so: ``cut at 512 tokens``.
    """

    def __init__(
        self, loaded: LoadedEncoder, *, device: torch.device, batch_size: int | None = None
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ConfigError("a batch needs at least one report", remedy="give --batch-size 1")
        self.sections = loaded.task.sections or "full"
        """What of a report it was trained on."""
        self.batch_size = batch_size or (16 if device.type == "cpu" else 128)
        self._loaded = loaded
        self._device = device
        self._model = loaded.model.to(device).eval()
        self._encoder = TextEncoder(loaded.tokenizer, limit=loaded.max_length)
        self._padding = Padding(int(loaded.tokenizer.pad_token_id or 0))

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        *,
        label_set: LabelSet | str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int | None = None,
    ) -> EncoderLabeler:
        """Load a folder that ``labelwright train-encoder`` wrote.

        Args:
            label_set: where given, it must be the checkpoint's own.
            device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            dtype: ``auto`` is float32.
            batch_size: reports read together; 16 on CPU and 128 elsewhere if not given.

        Raises:
            CheckpointError: the folder is incomplete, unreadable or made for other labels.
            ConfigError: a choice cannot work.
            LabelSetError: the label set has mistakes.
        """
        place = pick_device(device)
        kind = float_kind(dtype)
        loaded = load_encoder(path, dtype=kind)
        own_label_set(label_set, loaded.label_set, path)
        return cls(loaded, device=place, batch_size=batch_size)

    @property
    def name(self) -> str:
        """Folder name of the model."""
        return self._loaded.name

    @property
    def label_set(self) -> LabelSet:
        """The observations it labels."""
        return self._loaded.label_set

    def describe(self) -> Mapping[str, Any]:
        """All that the answers depend on; ``runtime`` may differ between parts of a run."""
        loaded = self._loaded
        return {
            "kind": "encoder",
            "name": loaded.name,
            "model_sha256": loaded.sha256,
            "architecture": type(loaded.model.encoder).__name__,
            "parameters": parameters_of(loaded.model),
            "base_model": loaded.task.base_model,
            "label_set": loaded.label_set.name,
            "label_set_sha256": loaded.label_set.fingerprint,
            "decoding": {"mode": "heads", "strategy": "most probable certainty"},
            "dtype": str(next(loaded.model.parameters()).dtype).removeprefix("torch."),
            "context": loaded.max_length,
            "on_long": "cut",
            "versions": versions("labelwright", "torch", "transformers"),
            "runtime": {"batch_size": self.batch_size, "device": self._device.type},
        }

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """Label reports whose text is cut to sections already; one result each, in order.

        A report without text is rejected.
        """
        results: list[Prediction | Reject | None] = [
            None if r.text.strip() else Reject(r.id, r.source, r.row, EMPTY) for r in reports
        ]
        able = [index for index, result in enumerate(results) if result is None]
        began = time.perf_counter()
        encoded = self._encoder.encode([reports[index].text for index in able])
        share = (time.perf_counter() - began) / max(len(able), 1)
        by_length = sorted(zip(able, encoded, strict=True), key=lambda item: len(item[1].ids))
        for start in range(0, len(by_length), self.batch_size):
            batch = by_length[start : start + self.batch_size]
            began = time.perf_counter()
            chances = self._chances([tokens for _, tokens in batch])
            seconds = share + (time.perf_counter() - began) / len(batch)
            for (index, tokens), chance in zip(batch, chances, strict=True):
                results[index] = self._prediction(reports[index], tokens, chance, seconds)
            tell(start + len(batch), len(by_length))
        return [result for result in results if result is not None]

    @torch.inference_mode()
    def _chances(self, batch: Sequence[Tokens]) -> list[list[list[float]]]:
        """Probabilities by report, observation and certainty."""
        padded = self._padding([{"input_ids": tokens.ids} for tokens in batch])
        logits = self._model(**{k: v.to(self._device) for k, v in padded.items()})["logits"]
        chances: list[list[list[float]]] = torch.softmax(logits, dim=-1).tolist()
        return chances

    def _prediction(
        self, report: Report, tokens: Tokens, chances: list[list[float]], seconds: float
    ) -> Prediction:
        labels: dict[str, Certainty] = {}
        probs: dict[str, dict[str, float]] = {}
        order = self.label_set.certainties
        for label, row in zip(self.label_set.labels, chances, strict=True):
            found = {c: row[order.index(c)] for c in label.certainties}
            labels[label.name] = max(found, key=lambda c: found[c])
            probs[label.name] = {c.value: round(p, 6) for c, p in found.items()}
        problems = [f"cut at {self._encoder.limit} tokens"] if tokens.cut else []
        problems += [
            f"contradiction: {name} / {other}"
            for name, other in self.label_set.contradictions(labels)
        ]
        return Prediction(
            id=report.id,
            model=self.name,
            task=self.label_set.task,
            value=labels,
            problems=tuple(problems),
            probs=probs,
            seconds=seconds,
        )
