"""The tagger as a labeler: reports in windows, batches by length, entities with probabilities."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.labeler import EMPTY, EncoderBased
from baselines.tagger.checkpoint import LoadedTagger, load_tagger
from baselines.tagger.choices import CRF
from baselines.tagger.known import Known
from baselines.tagger.prepare import entities_of
from baselines.tagger.scores import Scored
from baselines.tagger.token_classifier import WordPadding
from baselines.tagger.words import Window, WordReader
from labelwright.records import Answer, Prediction, Reject, Report
from labelwright.runtime.progress import tell


class Piece(NamedTuple):
    """A window of the report with this number among those that are labeled together."""

    report: int
    window: Window


class TaggerLabeler(EncoderBased[LoadedTagger]):
    """Finds entities with a tagger; a :class:`labelwright.labelers.base.ReportLabeler`.

    Every entity has ``prob``, the mean probability of its words' tags. A report longer than the
    context is read in windows; nothing is cut. Reports are taken as they are: where the training
    texts were normalised, :func:`labelwright.labelers.normalising.normalising` goes before it.

    Args:
        threshold: probability from which on a tag counts, in place of the tuned ones; with one tag
            a word, that from which on a mention counts.
        settings: of :class:`EncoderBased`.
    """

    def __init__(
        self, loaded: LoadedTagger, *, threshold: float | None = None, **settings: Any
    ) -> None:
        super().__init__(loaded, **settings)
        shape = loaded.shape
        self._reader = WordReader(
            loaded.tokenizer,
            limit=shape.max_length,
            stride=shape.stride,
            sections=shape.sections,
        )
        self._padding = WordPadding(int(loaded.tokenizer.pad_token_id or 0))
        if threshold is not None and shape.thresholds is not None:
            shape = replace(shape, thresholds=np.full_like(shape.thresholds, threshold))
        elif threshold is not None:
            shape = replace(shape, known=(shape.known or Known.alone()).from_probability(threshold))
        self._shape = shape

    @classmethod
    def load(cls, path: str | Path, dtype: torch.dtype) -> LoadedTagger:
        """Read a folder that ``labelwright train-tagger`` wrote."""
        return load_tagger(path, dtype=dtype)

    def describe(self) -> Mapping[str, Any]:
        """All that the answers depend on; ``runtime`` may differ between parts of a run."""
        shape = self._shape
        decoding = {
            "mode": "tags",
            "head": shape.head,
            "scheme": shape.tagging.scheme,
            "strategy": "likeliest path" if shape.head == CRF else "likeliest tag",
            "thresholds": None if shape.thresholds is None else shape.thresholds.tolist(),
            **({} if shape.sections is None else {"sections": shape.sections.to_json()}),
            **({} if shape.known is None else {"dictionary": shape.known.to_json()}),
        }
        return self._described(
            "tagger", decoding=decoding, context=shape.max_length, on_long="windows"
        )

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
            logits = self._scores(batch)
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
                scored = Scored(report.text, read[n].spans, *answers[n])
                [said] = entities_of(self._shape, [scored])
                took = seconds[n] + share
                told = Answer(value=said, seconds=took)
                results.append(
                    Prediction.of(report, told, model=self.name, task=self.label_set.task)
                )
            else:
                results.append(Reject(report.id, report.source, report.row, EMPTY))
        return results

    @torch.inference_mode()
    def _scores(self, batch: Sequence[Piece]) -> NDArray[np.float32]:
        """``[batch, words, tags]``."""
        rows = [_row(p.window) for p in batch]
        padded = self._padding(rows)
        found: NDArray[np.float32] = self._logits(padded).cpu().numpy()
        return found


def _row(window: Window) -> dict[str, Any]:
    row: dict[str, Any] = {"input_ids": window.ids, "firsts": window.firsts}
    if window.sections is not None:
        row["sections"] = window.sections
    return row
