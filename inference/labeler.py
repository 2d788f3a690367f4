"""The generative labeler: a checkpoint that labels reports.

>>> labeler = Labeler.from_checkpoint("runs/chest-xray")        # doctest: +SKIP
>>> labeler.label(["Small left pleural effusion."])[0].labels   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from inference.decode.decoder import DecodeOptions
from inference.engine import FREE, LabelerOptions, reading_for
from inference.load import Loaded, load
from inference.prompts import PLACEHOLDER, Prompt, Refusal, prompt_text
from labelwright.io.manifest import versions
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask, reports_of, unlabeled
from labelwright.prompt import prompt_version
from labelwright.records import Prediction, Reject, Report
from labelwright.text.sections import SectionCut

__all__ = ["Labeler", "LabelerOptions"]

FREE_BATCHES = 4
LIGHT_TOKENS, SMALL_TOKENS, CPU_TOKENS, GPU_TOKENS = 512, 2048, 512, 16384
"""Packs of models read with NumPy, of small ones on a CPU, of others on a CPU, of any on a GPU
(docs/performance.md)."""
SMALL = 50_000_000
"""Parameters of a model that labels hundreds of reports a second on a CPU."""


class Labeler:
    """Labels reports with a causal language model.

    It implements :class:`labelwright.labelers.base.ReportLabeler`, so the batch runner takes it.
    """

    def __init__(self, loaded: Loaded, options: LabelerOptions | None = None) -> None:
        options = options or LabelerOptions()
        trained = "full" if loaded.task is None else loaded.task.sections
        self.sections = SectionCut(options.sections or trained).choice
        cpu = loaded.model.device.type == "cpu"
        self._decode_options = DecodeOptions(
            batch_size=options.batch_size or (8 if cpu else 64),
            batch_tokens=options.batch_tokens or _pack_tokens(loaded),
            deterministic=options.deterministic,
            evidence=options.evidence,
        )
        self._options = options
        self.name, self.label_set = loaded.name, loaded.label_set
        self._loaded = loaded
        self._reader = reading_for(loaded, options, self._decode_options)
        slow = self._reader.mode == FREE or (cpu and loaded.model.num_parameters() > SMALL)
        self.window = FREE_BATCHES * self._decode_options.batch_size if slow else 1024
        """Reports to give at once: enough to sort by length, few enough to lose by a kill."""

    @classmethod
    def from_checkpoint(
        cls,
        path_or_hub_name: str | Path,
        *,
        label_set: LabelSet | str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        quantize: str | None = None,
        **options: Any,
    ) -> Labeler:
        """Load a model that training wrote, an adapter folder, or a hub model.

        Args:
            label_set: needed for a model that brings none, e.g. a hub model.
            device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            dtype: ``auto`` is float32 on CPU and the checkpoint's own on other devices.
            quantize: ``int8`` or ``nf4`` weights by bitsandbytes.
            options: the fields of :class:`LabelerOptions`.

        Raises:
            CheckpointError: the folder is incomplete, unreadable or made for other labels.
            ConfigError: a choice cannot work.
            LabelSetError: the label set has mistakes.
        """
        chosen = LabelerOptions(**options)
        if isinstance(label_set, str | Path):
            label_set = LabelSet.load(label_set)
        loaded = load(
            path_or_hub_name,
            label_set=label_set,
            device=device,
            dtype=dtype,
            quantize=quantize,
            packed=chosen.decode != FREE and chosen.evidence is None,
        )
        return cls(loaded, chosen)

    @property
    def light(self) -> bool:
        """Whether it is read with NumPy alone (:mod:`inference.light`)."""
        return self._loaded.light

    @property
    def unit(self) -> str:
        """What is read at once: a report or a sentence."""
        return self._reader.unit

    @property
    def neighbours(self) -> Mapping[str, Any] | None:
        """How similar reports stood in the prompts of its training; ``None`` for not at all."""
        return None if self._loaded.task is None else self._loaded.task.neighbours

    @property
    def by_group(self) -> bool:
        """Whether it was trained to be asked for one group of fields at a time."""
        return self._loaded.task is not None and self._loaded.task.by_group

    def of(self, label_set: LabelSet) -> Labeler:
        """The same model asked for another label set."""
        return Labeler(replace(self._loaded, label_set=label_set), self._options)

    def fits(self, asks: Sequence[Ask]) -> list[bool]:
        """Whether each text fits into the context whole, with what stands before it."""
        written = self._reader.writer.write([ask.whole for ask in asks])
        return [isinstance(found, Prompt) for found in written]

    def describe(self) -> Mapping[str, Any]:
        """All that the answers depend on; ``runtime`` may differ between parts of a run."""
        loaded = self._loaded
        return {
            "kind": "generative",
            "name": loaded.name,
            **loaded.hashes,
            "architecture": loaded.architecture,
            "parameters": loaded.model.num_parameters(),
            "base_model": None if loaded.task is None else loaded.task.base_model,
            "label_set": loaded.label_set.name,
            "label_set_sha256": loaded.label_set.fingerprint,
            "prompt_version": prompt_version(loaded.label_set),
            "prompt": prompt_text(loaded, PLACEHOLDER),
            "decoding": {
                **self._reader.describe(),
                "deterministic": self._options.deterministic,
                "long": self._options.long,
                "unit": self._reader.unit,
                **({"evidence": self._options.evidence} if self._options.evidence else {}),
            },
            "dtype": str(loaded.model.dtype).removeprefix("torch."),
            "quantized": loaded.quantized,
            "context": loaded.context,
            "versions": versions("labelwright", "torch", "transformers", "peft"),
            "runtime": {
                "library": "numpy" if loaded.light else "torch",
                "batch_size": self._decode_options.batch_size,
                "batch_tokens": self._decode_options.batch_tokens,
                "device": loaded.model.device.type,
            },
        }

    def label(self, texts: Sequence[str]) -> list[Prediction]:
        """Label texts; one prediction each, ids ``"0"``, ``"1"``, ….

        Texts with headings are cut to the model's sections. A text that cannot be labeled
        leaves everything open, and ``problems`` says why.

        Raises:
            TypeError: one text instead of a list of texts.
        """
        cut = SectionCut(self.sections)
        reports = reports_of(texts)
        items = list(cut.stream(reports))
        labeled = iter(self.label_reports([item for item in items if isinstance(item, Report)]))
        results = [item if isinstance(item, Reject) else next(labeled) for item in items]
        return [
            unlabeled(self.label_set, result, self.name) if isinstance(result, Reject) else result
            for result in results
        ]

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """Label reports whose text is cut already; one result each, in order.

        A report that does not fit into the model's context with its answer is read in windows
        (:mod:`inference.engine`), or rejected, as the options say.
        """
        return self.label_led(reports, [""] * len(reports))

    def label_led(
        self, reports: Sequence[Report], leads: Sequence[str]
    ) -> list[Prediction | Reject]:
        """The same, each report shown behind its lead, which no answer is about."""
        pairs = zip(reports, leads, strict=True)
        answered = self._reader.read(
            [Ask(report.text, lead, report.sections) for report, lead in pairs]
        )
        return [
            Reject(report.id, report.source, report.row, answer.reason)
            if isinstance(answer, Refusal)
            else Prediction.of(report, answer, model=self.name, task=self.label_set.task)
            for report, answer in zip(reports, answered, strict=True)
        ]


def _pack_tokens(loaded: Loaded) -> int:
    if loaded.light:
        return LIGHT_TOKENS
    if loaded.model.device.type != "cpu":
        return GPU_TOKENS
    return SMALL_TOKENS if loaded.model.num_parameters() <= SMALL else CPU_TOKENS
