"""The generative labeler: a checkpoint that labels reports.

>>> labeler = Labeler.from_checkpoint("runs/chest-xray")        # doctest: +SKIP
>>> labeler.label(["Small left pleural effusion."])[0].labels   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inference.answer import Answer, DecodeOptions
from inference.by_sentence import SentenceReader
from inference.cut import SectionCut
from inference.evidence_places import Locator
from inference.evidence_views import VIEWS
from inference.load import Loaded, load
from inference.prompts import PLACEHOLDER, Prompt, PromptWriter, Refusal, prompt_text
from inference.ways import AUTO, DECODINGS, decoder_for
from inference.windows import TextReader
from labelwright.checkpoint import REPORT, SENTENCE, UNITS
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.manifest import versions
from labelwright.prompt import prompt_version
from labelwright.records import Prediction, Reject, Report

FREE_BATCHES = 4
SMALL_TOKENS, CPU_TOKENS, GPU_TOKENS = 2048, 512, 16384
"""Packs of small models on a CPU, of others on a CPU, of any on a GPU (docs/performance.md)."""
SMALL = 50_000_000
"""Parameters of a model that labels hundreds of reports a second on a CPU."""


@dataclass(frozen=True, slots=True)
class LabelerOptions:
    """How a labeler works; ``None`` stands for what suits model and device.

    Attributes:
        batch_size: reports generated together, in free decoding.
        batch_tokens: tokens computed together, in the other ways of decoding.
        sections: what of a report to read; as in training if ``None``.
        decode: a name of :data:`inference.ways.DECODINGS` or ``auto``.
        deterministic: one report at a time, so that no bit depends on what stands beside it.
        long: ``windows`` reads a report beyond the context in parts, ``reject`` rejects it.
        unit: what is read at once: a ``report``, or a ``sentence`` (:mod:`inference.by_sentence`);
            as the model was made for if ``None``.
        evidence: how to find the sentences that carry the labels, a name of
            :data:`inference.evidence_views.VIEWS`; ``None`` for labels alone.
    """

    batch_size: int | None = None
    batch_tokens: int | None = None
    sections: str | None = None
    decode: str = AUTO
    deterministic: bool = False
    long: str = "windows"
    unit: str | None = None
    evidence: str | None = None

    def __post_init__(self) -> None:
        if self.decode not in (AUTO, *DECODINGS):
            raise ConfigError(
                f"unknown decoding {self.decode!r}",
                remedy=f"choose one of: {', '.join((AUTO, *DECODINGS))}",
            )
        if self.long not in ("windows", "reject"):
            raise ConfigError(f"unknown way {self.long!r}", remedy="choose windows or reject")
        if self.unit not in (None, *UNITS):
            raise ConfigError(
                f"unknown unit {self.unit!r}", remedy=f"choose one of: {', '.join(UNITS)}"
            )
        if self.evidence is not None and self.evidence not in VIEWS:
            raise ConfigError(
                f"unknown way to find evidence {self.evidence!r}",
                remedy=f"choose one of: {', '.join(VIEWS)}",
            )
        if self.evidence is not None and self.decode == "free":
            raise ConfigError(
                "free decoding finds no evidence",
                remedy="choose one-pass or constrained decoding, or leave the evidence out",
            )
        for name, value in (("batch", self.batch_size), ("pack of tokens", self.batch_tokens)):
            if value is not None and value < 1:
                raise ConfigError(f"a {name} needs at least one", remedy="give 1 or more")


class Labeler:
    """Labels reports with a causal language model.

    It implements :class:`labelwright.labeler.ReportLabeler`, so the batch runner takes it.
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
        self._loaded = loaded
        self._mode, self._decoder = decoder_for(loaded, options.decode, self._decode_options)
        writer = self._writer = PromptWriter(loaded, room=self._decoder.room)
        made_for = REPORT if loaded.task is None else loaded.task.unit
        self._unit = options.unit or made_for
        if self._unit == SENTENCE and options.evidence is not None:
            raise ConfigError(
                "a model that reads sentence by sentence always says which sentences carry a label",
                remedy="leave --evidence out, or give --unit report",
            )
        self._locator = None if options.evidence is None else Locator(loaded)
        asked = (loaded.label_set, writer, self._decoder)
        self._reader = TextReader(*asked, long=options.long, locate=self._located)
        by_sentence = self._unit == SENTENCE
        self._sentences = SentenceReader(*asked, long=options.long) if by_sentence else None
        slow = self._mode == "free" or (cpu and loaded.model.num_parameters() > SMALL)
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
            path_or_hub_name, label_set=label_set, device=device, dtype=dtype, quantize=quantize
        )
        return cls(loaded, chosen)

    @property
    def name(self) -> str:
        """Folder name or hub name of the model."""
        return self._loaded.name

    @property
    def label_set(self) -> LabelSet:
        """The observations it labels."""
        return self._loaded.label_set

    @property
    def unit(self) -> str:
        """What is read at once: a report or a sentence."""
        return self._unit

    @property
    def neighbours(self) -> Mapping[str, Any] | None:
        """How similar reports stood in the prompts of its training; ``None`` for not at all."""
        return None if self._loaded.task is None else self._loaded.task.neighbours

    def fits(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text fits into the context whole."""
        return [isinstance(found, Prompt) for found in self._writer.write(texts)]

    def describe(self) -> Mapping[str, Any]:
        """All that the answers depend on; ``runtime`` may differ between parts of a run."""
        loaded = self._loaded
        return {
            "kind": "generative",
            "name": loaded.name,
            **loaded.hashes,
            "architecture": type(loaded.model).__name__,
            "parameters": loaded.model.num_parameters(),
            "base_model": None if loaded.task is None else loaded.task.base_model,
            "label_set": loaded.label_set.name,
            "label_set_sha256": loaded.label_set.fingerprint,
            "prompt_version": prompt_version(loaded.label_set),
            "prompt": prompt_text(loaded, PLACEHOLDER),
            "decoding": {
                **self._decoder.describe(),
                "deterministic": self._options.deterministic,
                "long": self._options.long,
                "unit": self._unit,
                **({"evidence": self._options.evidence} if self._options.evidence else {}),
            },
            "dtype": str(loaded.model.dtype).removeprefix("torch."),
            "quantized": loaded.quantized,
            "context": loaded.context,
            "versions": {
                name: found
                for name, found in versions().items()
                if name in {"labelwright", "torch", "transformers", "peft"}
            },
            "runtime": {
                "batch_size": self._decode_options.batch_size,
                "batch_tokens": self._decode_options.batch_tokens,
                "device": loaded.model.device.type,
            },
        }

    def label(self, texts: Sequence[str]) -> list[Prediction]:
        """Label texts; one prediction each, ids ``"0"``, ``"1"``, ….

        Texts with headings are cut to the model's sections. A text that cannot be labeled
        gets ``None`` for every observation, and ``problems`` says why.
        """
        cut = SectionCut(self.sections)
        reports = [
            Report(id=str(row), text=text, source="text", row=row + 1)
            for row, text in enumerate(texts)
        ]
        items = list(cut.stream(reports))
        labeled = iter(self.label_reports([item for item in items if isinstance(item, Report)]))
        results = [item if isinstance(item, Reject) else next(labeled) for item in items]
        return [
            self._unlabeled(str(row), result.reason) if isinstance(result, Reject) else result
            for row, result in enumerate(results)
        ]

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """Label reports whose text is cut already; one result each, in order.

        A report that does not fit into the model's context with its answer is read in windows
        (:mod:`inference.windows`), or rejected, as the options say.
        """
        texts = [report.text for report in reports]
        if self._sentences is None:
            answered = self._reader.read(texts)
        else:
            answered = self._sentences.read(texts, [report.sections for report in reports])
        return [
            Reject(report.id, report.source, report.row, answer.reason)
            if isinstance(answer, Refusal)
            else self._prediction(report, answer)
            for report, answer in zip(reports, answered, strict=True)
        ]

    def _located(self, text: str, prompt: Prompt) -> Prompt:
        if self._locator is None:
            return prompt
        start, end = prompt.span or (0, len(text))
        located = self._locator(text[start:end], prompt.tokens, at=start)
        if located is None:
            return replace(prompt, notes=(*prompt.notes, "sentences not found in the prompt"))
        return replace(prompt, located=located)

    def _prediction(self, report: Report, answer: Answer) -> Prediction:
        return Prediction(
            id=report.id,
            labels=answer.labels,
            model=self.name,
            raw=answer.raw,
            problems=answer.problems,
            notes=answer.notes,
            probs=answer.probs,
            evidence=answer.evidence,
            seconds=answer.seconds,
        )

    def _unlabeled(self, identifier: str, reason: str) -> Prediction:
        labels = dict.fromkeys(self.label_set.names)
        return Prediction(id=identifier, labels=labels, model=self.name, problems=(reason,))


def _pack_tokens(loaded: Loaded) -> int:
    if loaded.model.device.type != "cpu":
        return GPU_TOKENS
    return SMALL_TOKENS if loaded.model.num_parameters() <= SMALL else CPU_TOKENS
