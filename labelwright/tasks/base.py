"""What a task kind is: all that the rest of the program asks of it.

A label set is of one kind (its ``task:``). The kind says how its file is checked, how a model is
asked and how its answer is read, what the value of a report is and how it stands in files and
tables. Everything else (training, labeling, retrieval, baselines, commands, comparisons) asks a
:class:`TaskKind` for what it *can do* and never for its name:

- :meth:`TaskKind.choices`: every answer is one pick among a few options per slot. That allows
  one-pass and constrained decoding, probabilities, calibration, evidence and votes of neighbours.
- :meth:`TaskKind.choices_in`: the same, asked side by side with options that each text has itself.
- :meth:`TaskKind.guide` and :meth:`TaskKind.grammar`: what may be written next, in free text.
- :meth:`TaskKind.marks`: the value marks places in the text, which other tools can show.

A kind derives from :class:`TaskKind` and puts one instance, ``KIND``, where
:data:`labelwright.kinds.KINDS` finds it. Nothing here imports a kind, no kind imports another.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Generic

from labelwright.io.jsonl import dumps, read_jsonl
from labelwright.records import Answer, Certainty, Entity, Prediction, Span
from labelwright.tasks.shapes import (
    Chat,
    Choices,
    ClassForm,
    Finding,
    Grammar,
    Guide,
    Known,
    Parsed,
    Part,
    Picks,
    Probabilities,
    Slot,
    Statistic,
    Table,
    Tally,
    V,
    WriteGold,
)
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from labelwright.io.yaml_lines import YamlFile
    from labelwright.label_set import LabelSet
    from labelwright.tasks.shapes import Counts
    from labelwright.text.normalised_text import NormalisedText

Side = tuple[str | None, float | None]
"""What is said of a slot (``None``: it is open), and how probable that is, where it is known."""

__all__ = [
    "Chat",
    "Choices",
    "ClassForm",
    "Finding",
    "Grammar",
    "Guide",
    "Known",
    "Parsed",
    "Part",
    "Picks",
    "Probabilities",
    "Slot",
    "Statistic",
    "Table",
    "Tally",
    "TaskKind",
    "V",
    "WriteGold",
]


class TaskKind(ABC, Generic[V]):
    """One kind of task. Instances have no state; every method takes the label set it is about."""

    name: ClassVar[str]
    """As label sets give it: ``task: certainty``."""
    answer_version: ClassVar[str]
    """Changes whenever instruction or answer are written otherwise."""
    row_key: ClassVar[str]
    """The key of the value in rows of ``predictions.jsonl``."""
    gold_suffix: ClassVar[str]
    """How files of known values end, behind the split's name."""
    files: ClassVar[tuple[str, ...]]
    """The names of its result tables, in the order of :meth:`tables`."""
    whole_text: ClassVar[bool] = False
    """Whether a value is of the whole text only, so no text may be cut or shortened."""
    exports: ClassVar[tuple[str, ...]] = ("parquet", "omop")
    """Further files that can say its values."""
    open_reason: ClassVar[str] = "no readable answer"
    """Why a row without a whole answer is rejected."""
    other_prompts: ClassVar[Mapping[str, str]] = {}
    """Names of further prompts, each with what it asks for, in a few words."""
    card: ClassVar[str] = "one report and writes an answer for each label"
    """What a model of it does, for the sentence ``it reads …`` of model cards."""
    card_limit: ClassVar[str] = ""
    """A limit of such models, as a sentence for their cards."""
    homes: ClassVar[Mapping[str, str]] = {}
    """Modules of its own in packages of the stages, where they have not the kind's name."""

    # The label set

    @abstractmethod
    def read(self, file: YamlFile, text: str) -> LabelSet:
        """Check a label set's file and build it.

        Raises:
            LabelSetError: it has mistakes; all are listed.
        """

    def describe(self, label_set: LabelSet) -> str:
        """What is asked for, in a few words."""
        return amount(len(label_set.labels), "label")

    @abstractmethod
    def example(self, label_set: LabelSet) -> V:
        """Some value, to show what an answer looks like."""

    # Prompt and answer

    @abstractmethod
    def instruction(self, label_set: LabelSet) -> str:
        """The system turn; the same for every report."""

    @abstractmethod
    def render(self, label_set: LabelSet, value: V) -> str:
        """The answer that says ``value``.

        Raises:
            ValueError: the value does not fit the label set.
        """

    @abstractmethod
    def parse(
        self,
        label_set: LabelSet,
        answer: str,
        text: str,
        *,
        ended: bool | None = None,
        probs: Sequence[float] | None = None,
    ) -> Parsed[V]:
        """Read an answer; nothing is guessed or dropped in silence.

        Args:
            answer: as generated, special tokens removed.
            text: what was asked about.
            ended: whether the model itself ended the answer; ``None`` for not known.
            probs: how sure the model was of each line of ``answer.split("\\n")``.
        """

    def faults(self, label_set: LabelSet, answer: str) -> tuple[str, ...]:
        """What of an answer is not as :meth:`render` writes it, whatever the text; else empty."""
        parsed = self.parse(label_set, answer, "", ended=True)
        return parsed.problems + parsed.notes

    def plain(self, answer: str) -> str:
        """An answer in another writing (JSON, a code fence) as :meth:`render` would write it."""
        return answer

    def prompts(self, label_set: LabelSet) -> Mapping[str, Callable[[str], Chat]]:  # noqa: ARG002
        """Those of :attr:`other_prompts` that fit this label set: from a text to a chat."""
        return {}

    # What answers are made of

    def choices(self, label_set: LabelSet) -> Choices | None:  # noqa: ARG002
        """The choices that an answer consists of; ``None`` where it is no line of choices."""
        return None

    def picks(self, label_set: LabelSet, value: V) -> Mapping[str, str | None]:
        """A value as picks, for kinds with choices; ``None`` where it is open."""
        raise NotImplementedError

    def picked(self, label_set: LabelSet, picks: Mapping[str, str | None]) -> V:
        """The inverse of :meth:`picks`."""
        raise NotImplementedError

    def has_sides(self, label_set: LabelSet) -> bool:
        """Whether two readers' answers can be compared slot by slot."""
        return self.choices(label_set) is not None

    def sides(
        self, label_set: LabelSet, value: V, probs: Probabilities | None = None
    ) -> Mapping[str, Side]:
        """What is said of every slot, as another reader's answer is compared with it."""
        rows, picks = probs or {}, self.picks(label_set, value)
        return {n: (one, rows.get(n, {}).get(one) if one else None) for n, one in picks.items()}

    def exchanged(
        self, label_set: LabelSet, one: Prediction, other: Prediction, slots: Sequence[str]
    ) -> Prediction:
        """The first prediction with the other's sides of these slots, and the problems of both."""
        picks, others = (dict(self.picks(label_set, each.value)) for each in (one, other))
        value = self.picked(label_set, picks | {name: others[name] for name in slots})
        evidence = {k: v for k, v in (one.evidence or {}).items() if k not in slots}
        evidence |= {k: v for k, v in (other.evidence or {}).items() if v and k in slots}
        return replace(
            one,
            value=value,
            evidence=evidence if evidence or one.evidence is not None else None,
            problems=tuple(dict.fromkeys((*one.problems, *other.problems))),
        )

    def choose(
        self, label_set: LabelSet, probs: Probabilities
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        """The likeliest picks that obey the label set's rules, and the slots that gave way."""
        del label_set
        return {name: max(row, key=row.__getitem__) for name, row in probs.items()}, ()

    def broken(self, label_set: LabelSet, value: V) -> tuple[str, ...]:  # noqa: ARG002
        """The slots whose pick does not go with other picks and is the one to give way."""
        return ()

    def choices_in(self, label_set: LabelSet, text: str) -> Choices | None:  # noqa: ARG002
        """What is asked of one text side by side, where the options depend on the text.

        Such answers are no line of choices: a slot may be followed by words
        (:attr:`labelwright.tasks.shapes.Slot.open`), which :meth:`words_guide` keeps valid.
        """
        return None

    def picks_in(
        self, label_set: LabelSet, text: str, value: V
    ) -> tuple[Mapping[str, str | None], Mapping[str, str]]:
        """A value as picks of :meth:`choices_in`, ``None`` where no option says it, and the words
        that follow open ones."""
        raise NotImplementedError

    def picked_in(
        self,
        label_set: LabelSet,
        text: str,
        probs: Probabilities,
        words: Mapping[str, tuple[str, float]],
    ) -> Answer:
        """The answer that probabilities of :meth:`choices_in` make, the likeliest in every slot.

        Args:
            words: that follow open options, with their probability.
        """
        raise NotImplementedError

    def words_guide(self, label_set: LabelSet, text: str, slot: str) -> Guide:
        """What may follow an open option, up to the end of the line."""
        raise NotImplementedError

    def guide(self, label_set: LabelSet, text: str) -> Guide | None:  # noqa: ARG002
        """What may be answered to a text; ``None`` where anything may."""
        return None

    def grammar(self, label_set: LabelSet) -> Grammar | None:  # noqa: ARG002
        """What may be answered, for servers; ``None`` where choices say it or nothing does."""
        return None

    def fixed_words(self, label_set: LabelSet) -> Iterator[str]:
        """The fixed words of answers, each as it stands there."""
        choices = self.choices(label_set)
        for slot in () if choices is None else choices.slots:
            for option in slot.options.values():
                yield slot.prefix + option + (choices.end if choices else "")

    def depends_on(self, label_set: LabelSet) -> str:  # noqa: ARG002
        """The label set whose labels decide what is asked at all; empty for none."""
        return ""

    def settle(
        self,
        label_set: LabelSet,  # noqa: ARG002
        value: V,
        labels: Mapping[str, Certainty | None],  # noqa: ARG002
    ) -> tuple[V, tuple[str, ...]]:
        """What may be said beside labels of :meth:`depends_on`, with notes of what may not."""
        return value, ()

    # Values

    @abstractmethod
    def to_json(self, value: V) -> Any:
        """A value in JSON."""

    @abstractmethod
    def from_json(self, label_set: LabelSet, given: Any) -> V:
        """The inverse of :meth:`to_json`.

        Raises:
            KeyError, ValueError, TypeError, AttributeError: it is none.
        """

    def to_object(self, value: V) -> dict[str, Any]:
        """A value as a JSON object that holds nothing else."""
        return {self.row_key: self.to_json(value)}

    def from_object(self, label_set: LabelSet, given: Mapping[str, Any]) -> V:
        """The inverse of :meth:`to_object`.

        Raises:
            KeyError, ValueError, TypeError, AttributeError: it is none.
        """
        return self.from_json(label_set, given[self.row_key])

    def complete(self, value: V | None) -> bool:
        """Whether the value leaves nothing open."""
        return value is not None

    def asked_apart(self, label_set: LabelSet) -> tuple[LabelSet, ...]:  # noqa: ARG002
        """Label sets of parts of the answer, to ask each by itself; empty where it has no parts."""
        return ()

    def read_in(self, part: LabelSet, text: str) -> Sequence[Span]:  # noqa: ARG002
        """The passages that answer one of :meth:`asked_apart`."""
        return ((0, len(text)),)

    def known_in(self, part: LabelSet, value: V, passages: Sequence[Span]) -> V:  # noqa: ARG002
        """What is known of one of :meth:`asked_apart` where its passages are all that is read."""
        return value

    def longest_answer(self, label_set: LabelSet) -> int | None:  # noqa: ARG002
        """Bytes of the longest answer, whatever the text; ``None`` where there is none."""
        return None

    def gaps(self, label_set: LabelSet, value: V) -> tuple[str, ...]:  # noqa: ARG002
        """The slots of which nothing is known, so that no answer is taught or measured there."""
        return ()

    def without(self, value: V, slots: Sequence[str]) -> V:  # noqa: ARG002
        """The value with these slots as :meth:`gaps`."""
        return value

    def nothing(self, label_set: LabelSet) -> V | None:  # noqa: ARG002
        """The value of a report of which nothing is known."""
        return None

    @abstractmethod
    def merge(
        self, label_set: LabelSet, parts: Sequence[Part], *, length: int, sentences: bool = False
    ) -> Answer:
        """One answer from those of a report's parts.

        Args:
            parts: in order of the text; their answers' values are in offsets of the part, but for
                evidence, which is in offsets of the text.
            length: of the text in characters.
            sentences: whether the parts are sentences asked one by one, each once, and not
                windows of running text.

        Returns:
            All but seconds and usage, which the caller adds up.
        """

    def to_original(self, value: V, text: NormalisedText) -> V:  # noqa: ARG002
        """A value of a normalised text as one of the text as it was."""
        return value

    def marks(self, value: V) -> tuple[Entity, ...]:  # noqa: ARG002
        """The places in the text that the value marks."""
        return ()

    def clip(self, value: V, span: Span) -> V:  # noqa: ARG002
        """The value of a piece of the text, for kinds whose values mark places."""
        return value

    def findings(self, label_set: LabelSet, prediction: Prediction) -> Iterator[Finding]:  # noqa: ARG002
        """All that a report says; nothing of an answer with open ends."""
        return iter(())

    def observed(self, label_set: LabelSet, prediction: Prediction) -> Iterator[Finding]:
        """What is exported as observations by code, missing values included; by default
        :meth:`findings`.
        """
        return self.findings(label_set, prediction)

    def shown(self, prediction: Prediction) -> Iterator[Finding]:  # noqa: ARG002
        """What a page of places shows of a value that is no certainty per observation."""
        return iter(())

    def questions(self, label_set: LabelSet) -> list[dict[str, Any]] | None:  # noqa: ARG002
        """The items of a FHIR Questionnaire; ``None`` where no form could ask for the values."""
        return None

    def replies(self, label_set: LabelSet, value: V) -> list[dict[str, Any]]:  # noqa: ARG002
        """The items of a QuestionnaireResponse to :meth:`questions`."""
        return []

    # Files

    @abstractmethod
    def tables(self, label_set: LabelSet) -> tuple[Table[V], ...]:
        """The result tables, in the order of :attr:`files`."""

    def frame_columns(self, label_set: LabelSet) -> tuple[str, ...]:
        """The columns of :meth:`frame_rows` behind the id: those of the first table."""
        return self.tables(label_set)[0].columns

    def frame_rows(self, label_set: LabelSet, value: V) -> Iterator[Sequence[Any]]:
        """The rows of a value with numbers as numbers, for data frames."""
        return iter(self.tables(label_set)[0].rows(value))

    def tally(self, label_set: LabelSet) -> Tally[V]:  # noqa: ARG002
        """What is counted of labeled rows; a new one."""
        return Tally()

    def gold_writer(self, handle: IO[str], label_set: LabelSet) -> WriteGold:  # noqa: ARG002
        """Begin a file of known values."""

        def add(identifier: str, value: V) -> None:
            handle.write(dumps({"id": identifier, **self.to_object(value)}) + "\n")

        return add

    def read_gold(self, path: Path, label_set: LabelSet) -> Iterator[tuple[int, str, V]]:
        """Row, id and value of each line of a file of known values.

        Raises:
            InputError: the file cannot be read.
            KeyError, ValueError, TypeError: a row is not a value of this kind.
        """
        for row, line in read_jsonl(path):
            yield row, str(line["id"]), self.from_object(label_set, line)

    def values(
        self, path: Path, label_set: LabelSet, *, id_columns: Sequence[str] = ("id",)
    ) -> Mapping[str, V]:
        """The values of a file by id.

        Args:
            id_columns: of a table, the columns that make the id.

        Raises:
            InputError: it cannot be read, or says two different things of one report.
        """
        del id_columns
        return {identifier: value for _, identifier, value in self.read_gold(path, label_set)}

    def fit(self, label_set: LabelSet, value: V) -> Known[V] | str:  # noqa: ARG002
        """A value from another program, read as the label set means it, or why it cannot be."""
        return Known(value)

    def arrow_fields(self, label_set: LabelSet) -> list[Any]:  # noqa: ARG002
        """Fields of a Parquet schema (pyarrow) that hold a prediction's value; JSON by default."""
        import pyarrow as pa

        return [pa.field(self.row_key, pa.string())]

    def arrow_row(self, label_set: LabelSet, row: Mapping[str, Any]) -> dict[str, Any]:
        """The cells of a row of ``predictions.jsonl`` for :meth:`arrow_fields`."""
        del label_set
        return {self.row_key: json.dumps(row.get(self.row_key), ensure_ascii=False)}

    # Classes: what splits are stratified by, rare classes copied by, and data folders counted by

    @abstractmethod
    def strata(self, label_set: LabelSet, value: V) -> tuple[str, ...]:
        """The classes of a value; each is one of :meth:`every_stratum`."""

    @abstractmethod
    def every_stratum(self, label_set: LabelSet) -> tuple[str, ...]:
        """All classes, in a fixed order."""

    @abstractmethod
    def class_form(self, label_set: LabelSet) -> ClassForm:
        """How the classes are counted and shown."""

    @abstractmethod
    def class_counts(self, label_set: LabelSet, value: V) -> Iterator[tuple[str, str, int]]:
        """What one value adds to the counts: label, column, number."""

    # Scores

    def counts(
        self,
        label_set: LabelSet,
        gold: Sequence[V],
        said: Sequence[V | None],
        texts: Sequence[str] | None,
    ) -> Counts:
        """Whole numbers per report, ``[reports, …]``, from whose sums every score follows.

        Args:
            said: of one labeler; ``None`` for a report without an answer.
            texts: of the reports, where they are known.
        """
        raise NotImplementedError

    def statistics(self, label_set: LabelSet, undefined: str) -> Mapping[str, Statistic]:
        """The scores by name, the usual one first.

        Args:
            undefined: ``zero``, ``one`` or ``skip``: what a score without cases counts as.
        """
        raise NotImplementedError
