"""A label set: what may be asked of a report, read from YAML and checked line by line."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from labelwright import kinds
from labelwright.errors import LabelSetError
from labelwright.io.yaml_lines import YamlFile
from labelwright.records import Certainty, Entity

SHIPPED = Path(__file__).parent / "label_sets"


@dataclass(frozen=True)
class Label:
    """One observation, or one type of entities.

    Attributes:
        name: the name in every file; unique.
        key: the short form written in answers; the name where none is given.
        certainties: those that this observation, or an entity of this type, can take.
        codes: ``{terminology: code}``, for export.
    """

    name: str
    key: str
    description: str = ""
    synonyms: tuple[str, ...] = ()
    parent: str | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    certainties: tuple[Certainty, ...] = tuple(Certainty)


@dataclass(frozen=True)
class Exclusive:
    """If ``label`` is positive, none of ``others`` may be positive or uncertain."""

    label: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """A worked example of an entities task: a text and all its entities."""

    text: str
    entities: tuple[Entity, ...]


@dataclass(frozen=True, eq=False)
class LabelSet:
    """A named, versioned set of observations, or of types of entities, of one task kind.

    ``words`` are the certainties with their words in answers: of a certainty task always, of
    an entities task only where every entity has one. ``nesting`` allows entities to overlap.
    ``about`` says what its reports are about (:mod:`labelwright.labelers.about`), where it does.
    ``kin`` is the name under which rules, lexicon and code tables are found: another label set's
    where this one asks the same observations in other words (``variant_of``), else its own.
    ``own`` is what a kind has besides.
    ``text`` is the YAML it came from: checkpoints and runs store exactly this, and two
    label sets are equal when their texts are.
    """

    name: str
    version: str
    task: str
    language: str
    instruction: str
    labels: tuple[Label, ...]
    words: Mapping[Certainty, str]
    text: str = field(repr=False)
    kin: str
    exclusive: tuple[Exclusive, ...] = ()
    nesting: bool = False
    examples: tuple[Example, ...] = ()
    about: Any = field(default=None, repr=False)
    own: Any = None

    @classmethod
    def load(cls, name_or_path: str | Path) -> LabelSet:
        """Load a shipped label set by name, or a YAML file by path.

        Raises:
            LabelSetError: there is none, or it has mistakes (``problems`` lists all).
        """
        path = Path(name_or_path)
        shipped = SHIPPED / f"{name_or_path}.yaml"
        if path.suffix not in {".yaml", ".yml"} and shipped.is_file():
            path = shipped
        if not path.is_file():
            raise LabelSetError(
                f"no label set {str(name_or_path)!r}",
                remedy=f"give a YAML file or one of: {', '.join(shipped_names())}",
            )
        return cls.parse(YamlFile.read(path), path.read_text(encoding="utf-8"))

    @classmethod
    def from_text(cls, text: str, source: str | Path = "label set") -> LabelSet:
        """Build one from YAML text, as stored beside a checkpoint.

        Raises:
            LabelSetError: it has mistakes.
        """
        return cls.parse(YamlFile(text, source), text)

    @classmethod
    def parse(cls, file: YamlFile, text: str) -> LabelSet:
        """Check the parsed YAML, as its task's kind asks, and build the label set."""
        task = file.value.get("task") if isinstance(file.value, dict) else None
        made: LabelSet = kinds.reader(task).read(file, text)
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelSet) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the observations or types, in the label set's order."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def by_name(self) -> Mapping[str, Label]:
        """Observation or type by name."""
        return {label.name: label for label in self.labels}

    @cached_property
    def certainties(self) -> tuple[Certainty, ...]:
        """The certainties in use, in the label set's order."""
        return tuple(self.words)

    @cached_property
    def name_forms(self) -> Mapping[str, str]:
        """Observation or type by what an answer may call it: name, key, synonyms; case-folded."""
        return {
            form.casefold(): label.name
            for label in self.labels
            for form in (label.name, label.key, *label.synonyms)
        }

    @cached_property
    def word_forms(self) -> Mapping[str, Certainty]:
        """Certainty by what an answer may call it, case-folded; the label set's words win."""
        plain = {certainty.value: certainty for certainty in self.words}
        return plain | {word.casefold(): certainty for certainty, word in self.words.items()}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the YAML text, so that two runs know whether they ask the same."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def asks_as(self, other: LabelSet) -> bool:
        """Whether both ask the same observations for the same certainties, be it in other words."""
        mine, theirs = ([(x.name, x.certainties) for x in s.labels] for s in (self, other))
        return self == other or (self.kin == other.kin and mine == theirs)

    def contradictions(self, labels: Mapping[str, Certainty | None]) -> list[tuple[str, str]]:
        """The pairs ``(label, other)`` that the exclusive rules forbid together."""
        bad = (Certainty.POSITIVE, Certainty.UNCERTAIN)
        return [
            (rule.label, other)
            for rule in self.exclusive
            if labels.get(rule.label) is Certainty.POSITIVE
            for other in rule.others
            if labels.get(other) in bad
        ]


def shipped_names() -> list[str]:
    """Names of the label sets that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))
