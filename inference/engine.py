"""How a model reads reports: the ways of decoding by name, for choices and for free text.

Reports longer than the context are read in windows; how their answers are put together is the task
kind's (:meth:`labelwright.tasks.base.TaskKind.merge`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inference.decode.by_sentence import Reader, SentenceReader
from inference.decode.constrained import Constrained
from inference.decode.decoder import DecodeOptions, Decoder
from inference.decode.evidence import Locator
from inference.decode.evidence_views import VIEWS
from inference.decode.generate import Free, Generated, Greedy
from inference.decode.guided import Guided
from inference.decode.line_probs import line_probs
from inference.decode.one_pass import OnePass
from inference.decode.part_reader import PartReader, Said
from inference.decode.text_pass import TextPass
from inference.load import Loaded
from inference.prompts import Prompt, PromptWriter, Refusal, prompt_text, split
from labelwright.checkpoint import CLAUSE, PARTS, REPORT, UNITS
from labelwright.errors import CheckpointError, ConfigError
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask
from labelwright.records import Answer, Span
from labelwright.tasks import kind_of
from labelwright.tasks.base import Part
from labelwright.tasks.choices import BRANCHES, LINE


@dataclass(frozen=True)
class Decoding:
    """``layout`` is the answer layout that a model must have been trained on."""

    make: Callable[[Loaded, DecodeOptions], Decoder]
    layout: str


DECODINGS: Mapping[str, Decoding] = {
    "one-pass": Decoding(OnePass, BRANCHES),
    "constrained": Decoding(Constrained, LINE),
    "free": Decoding(Free, LINE),
}
"""The ways of decoding by the name that ``--decode`` takes."""

AUTO = "auto"
"""The first of one-pass and constrained that the model was trained for; free if it cannot be
read in packs."""


def decoder_for(loaded: Loaded, wanted: str, options: DecodeOptions) -> tuple[str, Decoder]:
    """The way of decoding and its name.

    Args:
        wanted: a name of :data:`DECODINGS` or ``auto``.

    Raises:
        CheckpointError: the model was not trained for it, or cannot be read so.
    """
    layouts = None if loaded.task is None else loaded.task.layouts
    if wanted != AUTO:
        layout = DECODINGS[wanted].layout
        if layouts is not None and layout not in layouts:
            raise CheckpointError(
                f"the model was not trained for --decode {wanted} (its answer layouts: "
                f"{', '.join(layouts)})",
                remedy=f"choose another way of decoding, or train with the layout {layout}",
                source=loaded.name,
            )
        if layouts is None and layout == BRANCHES:
            raise CheckpointError(
                f"--decode {wanted} needs a model that was trained for it, and this one brings "
                "no training record",
                remedy="use --decode constrained or free, or train the model on your labels",
                source=loaded.name,
            )
        return wanted, DECODINGS[wanted].make(loaded, options)
    name = "one-pass" if layouts is not None and BRANCHES in layouts else "constrained"
    try:
        return name, DECODINGS[name].make(loaded, options)
    except CheckpointError as error:
        if options.evidence is not None:
            raise CheckpointError(
                "the model cannot be read in packs, which evidence needs",
                remedy="label without --evidence",
                source=loaded.name,
            ) from error
        if layouts is not None and LINE not in layouts:
            raise
        return "free", Free(loaded, options)


FREE, CONSTRAINED, ONE_PASS = "free", "constrained", "one-pass"


@dataclass(frozen=True, slots=True)
class LabelerOptions:
    """How a labeler works; ``None`` stands for what suits model and device.

    Attributes:
        batch_size: reports read together, in free decoding.
        batch_tokens: tokens computed together, in the other ways of decoding.
        sections: what of a report to read; as in training if ``None``.
        decode: a name of :data:`DECODINGS` or ``auto``.
        deterministic: one report at a time, so that no bit depends on what stands beside it.
        long: ``windows`` reads a report beyond the context in parts, ``reject`` rejects it.
        unit: what is read at once: a ``report``, or a ``sentence``
            (:mod:`inference.decode.by_sentence`); as the model was made for if ``None``.
        evidence: how to find the sentences that carry the labels, a name of
            :data:`inference.decode.evidence_views.VIEWS`; ``None`` for labels alone.
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
        if self.evidence is not None and self.decode == FREE:
            raise ConfigError(
                "free decoding finds no evidence",
                remedy="choose one-pass or constrained decoding, or leave the evidence out",
            )
        for name, value in (("batch", self.batch_size), ("pack of tokens", self.batch_tokens)):
            if value is not None and value < 1:
                raise ConfigError(f"a {name} needs at least one", remedy="give 1 or more")


class Reading:
    """A way to read reports, set up for one model.

    Attributes:
        mode: the way of decoding.
        unit: what is read at once.
        writer: writes the prompts.
    """

    mode: str
    unit: str
    writer: PromptWriter
    _asked: Decoder | ModelAsker
    _reader: Reader

    def describe(self) -> Mapping[str, Any]:
        """What the answers depend on, for the manifest."""
        return self._asked.describe()

    def read(self, asks: Sequence[Ask]) -> list[Answer | Refusal]:
        """One answer or refusal each, in order; about the text alone, not about its lead."""
        return self._reader.read(asks)


def reading_for(loaded: Loaded, options: LabelerOptions, decode: DecodeOptions) -> Reading:
    """The way to read that the label set's answers ask for: lines of choices, or free text.

    Raises:
        ConfigError: options that do not apply to it.
        CheckpointError: the model was not trained for it, or cannot be read so.
    """
    kind, label_set = kind_of(loaded.label_set), loaded.label_set
    if kind.choices(label_set) is not None:
        return ChoiceReading(loaded, options, decode)
    branches = loaded.task is not None and BRANCHES in loaded.task.layouts
    asked = options.decode == ONE_PASS or (branches and options.decode == AUTO)
    if asked and kind.choices_in(label_set, "") is not None:
        return TextReading(loaded, options, decode, trained=branches)
    return FreeReading(loaded, options, decode)


class TextReader:
    """Answers texts of any length: whole where they fit into the context, else in windows.

    Args:
        long: ``windows``, or ``reject`` for no answer to a text that does not fit.
        locate: completes the prompt of a text, e.g. by the places of its sentences.
    """

    def __init__(
        self,
        label_set: LabelSet,
        writer: PromptWriter,
        decoder: Decoder,
        *,
        long: str,
        locate: Callable[[str, Prompt], Prompt] | None = None,
    ) -> None:
        self._label_set = label_set
        self._kind = kind_of(label_set)
        self.writer = writer
        self._decoder = decoder
        self._long = long
        self._locate = locate

    def read(self, asks: Sequence[Ask]) -> list[Answer | Refusal]:
        """One answer or refusal each, in order."""
        written = self.writer.write([ask.whole for ask in asks])
        asked = [self._parts(ask, prompt) for ask, prompt in zip(asks, written, strict=True)]
        prompts = [prompt for parts in asked if not isinstance(parts, Refusal) for prompt in parts]
        answers = iter(self._decoder.decode(prompts) if prompts else [])
        return [
            parts
            if isinstance(parts, Refusal)
            else self._merged(ask, parts, [next(answers) for _ in parts])
            for ask, parts in zip(asks, asked, strict=True)
        ]

    def _parts(self, ask: Ask, prompt: Prompt | Refusal) -> list[Prompt] | Refusal:
        parts: list[Prompt] | Refusal
        if isinstance(prompt, Prompt):
            parts = [prompt]
        elif prompt.too_long and self._long == "windows" and not ask.lead:
            parts = split(ask.text, self.writer)
        else:
            parts = prompt
        if isinstance(parts, Refusal):
            return parts
        told = [replace(part, text=_text(ask, part)) for part in parts]
        return told if self._locate is None else [self._locate(ask.whole, part) for part in told]

    def _merged(self, ask: Ask, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> Answer:
        if len(answers) == 1 and prompts[0].text == ask.text:
            return _behind(ask.lead, answers[0])
        spans = [prompt.span or (0, len(ask.text)) for prompt in prompts]
        parts = [Part((span,), told) for span, told in zip(spans, answers, strict=True)]
        whole = self._kind.merge(self._label_set, parts, length=len(ask.text))
        return replace(
            whole,
            notes=(*whole.notes, f"windows: {len(answers)}"),
            seconds=sum(answer.seconds or 0.0 for answer in answers),
        )


def _text(ask: Ask, prompt: Prompt) -> str:
    """What a prompt asks about."""
    start, end = prompt.span or (0, len(ask.text))
    return ask.text[start:end]


def _behind(lead: str, answer: Answer) -> Answer:
    """An answer whose evidence is in offsets of lead and text, with that of the text alone."""
    if not lead or answer.evidence is None:
        return answer
    at = len(lead)
    kept = {
        name: [[max(start - at, 0), end - at] for start, end in spans if end > at]
        for name, spans in answer.evidence.items()
    }
    return replace(answer, evidence={name: spans for name, spans in kept.items() if spans})


class ChoiceReading(Reading):
    """Reads reports for a pick in every slot of the answer."""

    def __init__(self, loaded: Loaded, options: LabelerOptions, decode: DecodeOptions) -> None:
        self.mode, self._asked = decoder_for(loaded, options.decode, decode)
        self.writer = PromptWriter(loaded, room=self._asked.room)
        made_for = REPORT if loaded.task is None else loaded.task.unit
        self.unit = options.unit or made_for
        if self.unit in PARTS and options.evidence is not None:
            raise ConfigError(
                f"a model that reads by {self.unit} always says which ones carry a label",
                remedy="leave --evidence out, or give --unit report",
            )
        self._locator = None if options.evidence is None else Locator(loaded)
        asked = (loaded.label_set, self.writer, self._asked)
        self._reader: Reader = TextReader(*asked, long=options.long, locate=self._located)
        if self.unit in PARTS:
            whole, clauses = self._reader, self.unit == CLAUSE
            self._reader = SentenceReader(loaded.label_set, whole, clauses=clauses)

    def _located(self, text: str, prompt: Prompt) -> Prompt:
        if self._locator is None:
            return prompt
        start, end = prompt.span or (0, len(text))
        located = self._locator(text[start:end], prompt.tokens, at=start)
        if located is None:
            return replace(prompt, notes=(*prompt.notes, "sentences not found in the prompt"))
        return replace(prompt, located=located)


class TextReading(Reading):
    """Reads texts for a pick in every slot, with options that each text has itself."""

    mode = ONE_PASS
    unit = REPORT

    def __init__(
        self, loaded: Loaded, options: LabelerOptions, decode: DecodeOptions, *, trained: bool
    ) -> None:
        task = loaded.label_set.task
        if not trained:
            raise CheckpointError(
                "--decode one-pass needs a model that was trained for it",
                remedy="use --decode constrained or free, or train with the layout branches",
                source=loaded.name,
            )
        made_for = REPORT if loaded.task is None else loaded.task.unit
        refused = {
            "--evidence": options.evidence is not None,
            "--batch-size": options.batch_size is not None,
            f"--unit {options.unit or made_for}": (options.unit or made_for) != REPORT,
        }
        for flag, given in refused.items():
            if given:
                raise ConfigError(
                    f"{flag} is not for one-pass decoding of {task}",
                    remedy="remove it, or give --decode constrained",
                )
        self._asked = TextPass(loaded, decode)
        self.writer = PromptWriter(loaded, room=self._asked.room)
        asked = (loaded.label_set, self.writer, self._asked)
        self._reader = TextReader(*asked, long=options.long)


class FreeReading(Reading):
    """Reads reports for answers that are free text, kept to what is valid where a guide can."""

    def __init__(self, loaded: Loaded, options: LabelerOptions, decode: DecodeOptions) -> None:
        refused = {
            f"--decode {options.decode}": options.decode not in (AUTO, FREE, CONSTRAINED),
            "--evidence": options.evidence is not None,
            "--batch-tokens": options.batch_tokens is not None,
        }
        task = loaded.label_set.task
        for flag, given in refused.items():
            if given:
                raise ConfigError(
                    f"{flag} is not for {task}, whose answers are no line of choices",
                    remedy="remove it",
                )
        guide = None if options.decode == FREE else _guide(loaded, options.decode)
        self.mode = FREE if guide is None else CONSTRAINED
        self._asked = ModelAsker(loaded, decode, guide)
        self.writer = self._asked.writer
        self.unit = options.unit or (REPORT if loaded.task is None else loaded.task.unit)
        asked = (loaded.label_set, self._asked)
        self._reader = PartReader(*asked, long=options.long, unit=self.unit)


def _guide(loaded: Loaded, decode: str) -> Guided | None:
    """What keeps answers valid; none if not asked for and not to be had."""
    try:
        return Guided(loaded)
    except CheckpointError:
        if decode == CONSTRAINED:
            raise
        return None


LEAST_TOKENS, LEAST_SHARE = 32, 1
"""Room that a prompt must leave for its answer: so many tokens, and so many per token of text."""
MOST_TOKENS, MOST_SHARE = 64, 3
"""Tokens after which an answer is cut, if the context has them: a line per word or two."""
OVERLAP = 2
"""Sentences that two neighbouring windows share."""


class ModelAsker:
    """Asks a model in this process; a :class:`inference.decode.part_reader.Asker`.

    Args:
        guide: lets it write only what is valid; it writes freely if not given.
    """

    def __init__(self, loaded: Loaded, options: DecodeOptions, guide: Guided | None = None) -> None:
        self._loaded = loaded
        self._mode = "free" if guide is None else "constrained"
        self._greedy = Greedy(loaded, options, probs=True, guide=guide)
        probe = loaded.tokenizer(prompt_text(loaded, "x"), add_special_tokens=False)["input_ids"]
        self._frame = len(probe) - 1
        self.writer = PromptWriter(loaded, room=lambda count: self._room(count, least=True))

    def describe(self) -> Mapping[str, Any]:
        """For the manifest."""
        return {
            "mode": self._mode,
            "strategy": "greedy",
            "answer_tokens": f"{MOST_TOKENS} + {MOST_SHARE} per token of text",
            "overlap": OVERLAP,
        }

    def ask(self, asks: Sequence[Ask]) -> list[Said | Refusal]:
        """One answer or refusal each, in order; ``seconds`` is its share of a batch."""
        written = self.writer.write([ask.whole for ask in asks])
        pairs = zip(written, asks, strict=True)
        asked = [(prompt, ask.text) for prompt, ask in pairs if isinstance(prompt, Prompt)]
        prompts = [prompt for prompt, _ in asked]
        rooms = [self._room(len(prompt.tokens), least=False) for prompt in prompts]
        answers = iter(
            zip(self._greedy.write(prompts, rooms, [t for _, t in asked]), prompts, strict=True)
        )
        return [
            outcome if isinstance(outcome, Refusal) else self._said(*next(answers))
            for outcome in written
        ]

    def parts(self, text: str) -> list[Span] | Refusal:
        """Windows of whole sentences that fit, each sharing some with the next."""
        found = split(text, self.writer, overlap=OVERLAP)
        if isinstance(found, Refusal):
            return found
        return [prompt.span for prompt in found if prompt.span is not None]

    def _room(self, count: int, *, least: bool) -> int:
        """Answer tokens for a prompt of ``count`` tokens."""
        text = max(count - self._frame, 1)
        if least:
            return LEAST_TOKENS + LEAST_SHARE * text
        most = MOST_TOKENS + MOST_SHARE * text
        context = self._loaded.context
        return most if context is None else min(most, context - count)

    def _said(self, written: Generated, prompt: Prompt) -> Said:
        pieces = [self._loaded.tokenizer.decode([token]) for token in written.tokens]
        return Said(
            raw=written.text,
            ended=written.ended,
            seconds=written.seconds,
            probs=line_probs([str(piece) for piece in pieces], written.probs, written.text),
            notes=prompt.notes,
        )
