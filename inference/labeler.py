"""The generative labeler: a checkpoint that labels reports.

>>> labeler = Labeler.from_checkpoint("runs/chest-xray")        # doctest: +SKIP
>>> labeler.label(["Small left pleural effusion."])[0].labels   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from inference.cut import SectionCut
from inference.generate import Answer, free
from inference.load import Loaded, load
from inference.prompts import PLACEHOLDER, Prompt, PromptWriter, Refusal, answer_room, prompt_text
from labelwright.certainty import PROMPT_VERSION
from labelwright.errors import CheckpointError, ConfigError
from labelwright.label_set import LabelSet
from labelwright.manifest import versions
from labelwright.records import Prediction, Reject, Report

WINDOW_BATCHES = 4


class Decode(Protocol):
    """A way of decoding: prompts in, answers out, in order."""

    def __call__(
        self, loaded: Loaded, prompts: Sequence[Prompt], *, batch_size: int, max_new_tokens: int
    ) -> list[Answer]:
        """Answer every prompt."""
        ...


@dataclass(frozen=True)
class Decoding:
    """``layout`` is the answer layout that a model must have been trained on."""

    decode: Decode
    layout: str


DECODINGS: Mapping[str, Decoding] = {"free": Decoding(free, "line")}
"""The ways of decoding by the name that ``--decode`` takes."""


class Labeler:
    """Labels reports with a causal language model.

    It implements :class:`labelwright.labeler.ReportLabeler`, so the batch runner takes it.
    """

    def __init__(
        self, loaded: Loaded, *, batch_size: int | None, sections: str | None, decode: str
    ) -> None:
        if decode not in DECODINGS:
            raise ConfigError(
                f"unknown decoding {decode!r}", remedy=f"choose one of: {', '.join(DECODINGS)}"
            )
        if batch_size is not None and batch_size < 1:
            raise ConfigError("a batch needs at least one report", remedy="give --batch-size 1")
        layout = DECODINGS[decode].layout
        if loaded.task is not None and layout not in loaded.task.layouts:
            raise CheckpointError(
                f"the model was not trained for --decode {decode} (its answer layouts: "
                f"{', '.join(loaded.task.layouts)})",
                remedy=f"choose another way of decoding, or train with the layout {layout}",
                source=loaded.name,
            )
        trained = "full" if loaded.task is None else loaded.task.sections
        self.sections = SectionCut(sections or trained).choice
        self.batch_size = batch_size or (8 if loaded.model.device.type == "cpu" else 64)
        self.window = WINDOW_BATCHES * self.batch_size
        """Reports to give at once: enough to sort by length, few enough to lose by a kill."""
        self._loaded = loaded
        self._mode = decode
        self._room = answer_room(loaded)
        self._writer = PromptWriter(loaded, room=self._room)

    @classmethod
    def from_checkpoint(
        cls,
        path_or_hub_name: str | Path,
        *,
        label_set: LabelSet | str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int | None = None,
        sections: str | None = None,
        decode: str = "free",
    ) -> Labeler:
        """Load a model that training wrote, an adapter folder, or a hub model.

        Args:
            label_set: needed for a model that brings none, e.g. a hub model.
            device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            dtype: ``auto`` is float32 on CPU and the checkpoint's own on other devices.
            batch_size: reports generated together; 8 on CPU and 64 elsewhere if not given.
            sections: what of a report to read; as in training if not given.
            decode: a name of :data:`DECODINGS`.

        Raises:
            CheckpointError: the folder is incomplete, unreadable or made for other labels.
            ConfigError: a choice cannot work.
            LabelSetError: the label set has mistakes.
        """
        if isinstance(label_set, str | Path):
            label_set = LabelSet.load(label_set)
        loaded = load(path_or_hub_name, label_set=label_set, device=device, dtype=dtype)
        return cls(loaded, batch_size=batch_size, sections=sections, decode=decode)

    @property
    def name(self) -> str:
        """Folder name or hub name of the model."""
        return self._loaded.name

    @property
    def label_set(self) -> LabelSet:
        """The observations it labels."""
        return self._loaded.label_set

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
            "prompt_version": PROMPT_VERSION,
            "prompt": prompt_text(loaded, PLACEHOLDER),
            "decoding": {
                "mode": self._mode,
                "strategy": "greedy",
                "max_new_tokens": self._room,
            },
            "dtype": str(loaded.model.dtype).removeprefix("torch."),
            "context": loaded.context,
            "versions": {
                name: found
                for name, found in versions().items()
                if name in {"labelwright", "torch", "transformers", "peft"}
            },
            "runtime": {"batch_size": self.batch_size, "device": loaded.model.device.type},
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

        A report that does not fit into the model's context with its answer is rejected.
        """
        written = self._writer.write([report.text for report in reports])
        prompts = [prompt for prompt in written if isinstance(prompt, Prompt)]
        answers = iter(self._decode(prompts) if prompts else [])
        return [
            Reject(report.id, report.source, report.row, prompt.reason)
            if isinstance(prompt, Refusal)
            else self._prediction(report, next(answers))
            for report, prompt in zip(reports, written, strict=True)
        ]

    def _decode(self, prompts: Sequence[Prompt]) -> list[Answer]:
        decode = DECODINGS[self._mode].decode
        return decode(self._loaded, prompts, batch_size=self.batch_size, max_new_tokens=self._room)

    def _prediction(self, report: Report, answer: Answer) -> Prediction:
        return Prediction(
            id=report.id,
            labels=answer.labels,
            model=self.name,
            raw=answer.raw,
            problems=answer.problems,
            notes=answer.notes,
            probs=answer.probs,
            seconds=answer.seconds,
        )

    def _unlabeled(self, identifier: str, reason: str) -> Prediction:
        labels = dict.fromkeys(self.label_set.names)
        return Prediction(id=identifier, labels=labels, model=self.name, problems=(reason,))
