"""The encoder as a labeler: batches by length, one probability per certainty and observation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from baselines.encoder.checkpoint import LoadedEncoder, load_encoder
from baselines.encoder.data import TextEncoder, Tokens
from baselines.encoder.model import Padding
from baselines.labeler import EMPTY, EncoderBased
from labelwright.records import Certainty, Prediction, Reject, Report
from labelwright.runtime.progress import tell


class EncoderLabeler(EncoderBased[LoadedEncoder]):
    """Labels reports with an encoder; a :class:`labelwright.labelers.base.ReportLabeler`.

    Every prediction has ``probs``. A report longer than the context is cut at its end, and
    ``problems`` says so: ``cut at 512 tokens``.
    """

    def __init__(self, loaded: LoadedEncoder, **settings: Any) -> None:
        super().__init__(loaded, **settings)
        self._encoder = TextEncoder(loaded.tokenizer, limit=loaded.max_length)
        self._padding = Padding(int(loaded.tokenizer.pad_token_id or 0))

    @classmethod
    def load(cls, path: str | Path, dtype: torch.dtype) -> LoadedEncoder:
        """Read a folder that ``labelwright train-encoder`` wrote."""
        return load_encoder(path, dtype=dtype)

    def describe(self) -> Mapping[str, Any]:
        """All that the answers depend on; ``runtime`` may differ between parts of a run."""
        return self._described(
            "encoder",
            decoding={"mode": "heads", "strategy": "most probable certainty"},
            context=self._loaded.max_length,
            on_long="cut",
        )

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
        chances: list[list[list[float]]] = torch.softmax(self._logits(padded), dim=-1).tolist()
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
