"""A lexicon: the words with which the grammar writes reports for one label set, from YAML.

Another label set gets a grammar by giving a lexicon; ``docs/synthetic.md`` explains its keys.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data_builders.synthetic.lexicon_schema import Reader
from data_builders.synthetic.phrases import Phrase
from data_builders.synthetic.statements import Says
from labelwright.errors import LabelSetError
from labelwright.io.yaml_lines import YamlFile
from labelwright.label_set import LabelSet
from labelwright.records import Certainty

SHIPPED = Path(__file__).parents[1] / "lexicons"


@dataclass(frozen=True, slots=True)
class Line:
    """A phrase, and the observations whose presence would make it nonsense."""

    phrase: Phrase
    unless: frozenset[str] = frozenset()


Lines = tuple[Line, ...]
SHARED = SHIPPED / "shared" / "ways.yaml"
"""Ways of saying that suit any label set: a lexicon has them with ``shared_ways: true``."""


def with_shared_ways(file: YamlFile) -> YamlFile:
    """The file with the shared ways and their words put behind its own, where it asks for them.

    A word list that both have is the file's own.

    Raises:
        LabelSetError: the shared file is not valid YAML.
    """
    value = file.value
    if not isinstance(value, dict) or value.get("shared_ways") is not True:
        return file
    shared = YamlFile.read(SHARED).value
    for key in ("ways", "voids"):
        value[key] = [*(value.get(key) or []), *shared[key]]
    value["words"] = {**shared["words"], **(value.get("words") or {})}
    return file


@dataclass(frozen=True, slots=True)
class Observation:
    """How one observation is spoken of.

    Attributes:
        organ: heading under which structured reports put it.
        rates: how often a report outside the normal profile states each certainty.
        terms: bare names, for lists of negatives and for hedges.
        found: noun phrases for something present; ``found_many`` are the plural ones.
        countable: whether ``found`` takes an article.
        evolves: whether it can grow, shrink and be new.
        listed: whether it often stands in a list of negatives.
        despite: bare names of what may be denied while the observation is present ("no acute
            infiltrate" beside a scar).
        causes: observations that may be named as what it is or may be.
        clauses: whole clauses per certainty.
    """

    name: str
    organ: str
    rates: Mapping[Certainty, float]
    terms: Lines
    found: Lines
    found_many: Lines
    countable: bool
    evolves: bool
    listed: bool
    despite: Lines
    causes: tuple[str, ...]
    clauses: Mapping[Certainty, Lines]


@dataclass(frozen=True, slots=True)
class Joint:
    """Lines that say several things at once."""

    says: Says
    lines: Lines


@dataclass(frozen=True, slots=True)
class Aside:
    """Lines that say nothing of any observation.

    Attributes:
        rate: how often a report holds one.
        abnormal: whether a report that holds one is no longer free of findings.
        place: ``findings``, ``impression`` or ``both``.
    """

    lines: Lines
    rate: float
    abnormal: bool
    place: str
    organ: str


@dataclass(frozen=True, slots=True)
class OtherExam:
    """Another body part reported in the same text.

    Attributes:
        heading: its name, before its findings and before its conclusion.
        says: what its lines say of the observations.
        abnormal: whether a report that holds it is no longer free of findings.
    """

    heading: Lines
    says: Says
    abnormal: bool
    lines: Lines
    closing: Lines


@dataclass(frozen=True, slots=True)
class Way:
    """A sentence for any observations, whose parts say different things of different ones.

    Attributes:
        kind: what kind of wording it is ("after-negation"), for drawing and measuring by kind.
        says: what its words say of the observation in each role; ``blank`` for one that is
            named only.
        only: the observations that may play a role, where not all may.
        evolves: the roles that need an observation that can grow, shrink and be new.
        abnormal: whether it tells of something abnormal beside what it says.
        weight: how often it comes, compared with the other ways of its kind.
    """

    kind: str
    says: Mapping[str, Certainty]
    only: Mapping[str, frozenset[str]]
    evolves: frozenset[str]
    abnormal: bool
    weight: int
    lines: Lines


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of patient: its share of reports and the rates that differ from the usual ones."""

    name: str
    weight: float
    usual: float
    asides: float
    rates: Mapping[str, Mapping[Certainty, float]]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All that the grammar knows of a label set's language."""

    label_set: str
    words: Mapping[str, tuple[Phrase, ...]]
    frames: Mapping[str, Lines]
    observations: Mapping[str, Observation]
    joint: tuple[Joint, ...]
    asides: tuple[Aside, ...]
    absent_too: Lines
    other_exams: tuple[OtherExam, ...]
    summaries: Mapping[str, Lines]
    front: Mapping[str, Lines]
    headings: Mapping[str, tuple[str, ...]]
    profiles: tuple[Profile, ...]
    ways: tuple[Way, ...]
    voids: Lines
    strangers: Mapping[str, Lines]
    synonyms: Mapping[str, tuple[str, ...]]
    spellings: Mapping[str, str]
    short_forms: Mapping[str, str]
    maskable: tuple[str, ...]
    keep: tuple[str, ...]
    sha256: str = ""

    @classmethod
    def for_label_set(cls, label_set: LabelSet, path: str | Path | None = None) -> Lexicon:
        """Read the lexicon at ``path``, or the one shipped for the label set.

        Raises:
            LabelSetError: there is none, or it has mistakes (``problems`` lists all).
        """
        file = SHIPPED / f"{label_set.kin}.yaml" if path is None else Path(path)
        if not file.is_file():
            shipped = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.yaml")))
            raise LabelSetError(
                f"no lexicon for the label set {label_set.name!r}",
                remedy=f"use a label set that has one: {shipped}; or write one (docs/synthetic.md)",
                source=None if path is None else file,
            )
        return cls.parse(with_shared_ways(YamlFile.read(file)), label_set)

    @classmethod
    def parse(cls, file: YamlFile, label_set: LabelSet) -> Lexicon:
        """Check the parsed YAML against the label set and compile every phrase."""
        reader = Reader(file, label_set)
        value = reader.checked()

        def lines(where: object) -> Lines:
            return tuple(Line(phrase, unless) for phrase, unless in reader.lines_at(where))

        return cls(
            label_set=value["label_set"],
            words=reader.words,
            frames={kind: lines(item) for kind, item in value["frames"].items()},
            observations={
                name: Observation(
                    name=name,
                    organ=item.get("organ", ""),
                    rates=reader.rates_of(item.get("rates")),
                    terms=lines(item.get("terms")),
                    found=lines(item.get("found")),
                    found_many=lines(item.get("found_many")),
                    countable=bool(item.get("countable", False)),
                    evolves=bool(item.get("evolves", False)),
                    listed=bool(item.get("listed", True)),
                    despite=lines(item.get("despite")),
                    causes=tuple(item.get("causes") or ()),
                    clauses={
                        certainty: lines(item.get(certainty.value))
                        for certainty in Certainty
                        if item.get(certainty.value)
                    },
                )
                for name, item in value["observations"].items()
            },
            joint=tuple(
                Joint({k: Certainty(v) for k, v in item["says"].items()}, lines(item["text"]))
                for item in value.get("joint") or ()
            ),
            asides=tuple(
                Aside(
                    lines=tuple(
                        Line(line.phrase, line.unless | frozenset(item.get("unless") or ()))
                        for line in lines(item["text"])
                    ),
                    rate=float(item["rate"]),
                    abnormal=bool(item.get("abnormal", False)),
                    place=item.get("place", "findings"),
                    organ=item.get("organ", ""),
                )
                for item in value.get("asides") or ()
            ),
            absent_too=lines(value.get("absent_too")),
            other_exams=tuple(
                OtherExam(
                    heading=lines(item["heading"]),
                    says={k: Certainty(v) for k, v in (item.get("says") or {}).items()},
                    abnormal=bool(item.get("abnormal", False)),
                    lines=lines(item["text"]),
                    closing=lines(item["closing"]),
                )
                for item in value.get("other_exams") or ()
            ),
            summaries={kind: lines(item) for kind, item in value["summaries"].items()},
            front={name: lines(item) for name, item in (value.get("front") or {}).items()},
            headings={k: tuple(v) for k, v in (value.get("headings") or {}).items()},
            profiles=tuple(
                Profile(
                    name=name,
                    weight=float(item["weight"]),
                    usual=float(item.get("usual", 1.0)),
                    asides=float(item.get("asides", 1.0)),
                    rates={k: reader.rates_of(v) for k, v in (item.get("rates") or {}).items()},
                )
                for name, item in value["profiles"].items()
            ),
            ways=tuple(
                Way(
                    kind=item["kind"],
                    says={k: Certainty(v) for k, v in item["says"].items()},
                    only={k: frozenset(v) for k, v in (item.get("only") or {}).items()},
                    evolves=frozenset(item.get("evolves") or ()),
                    abnormal=bool(item.get("abnormal", False)),
                    weight=int(item.get("weight", 1)),
                    lines=tuple(
                        Line(line.phrase, line.unless | frozenset(item.get("unless") or ()))
                        for line in lines(item["text"])
                    ),
                )
                for item in value.get("ways") or ()
            ),
            voids=lines(value.get("voids")),
            strangers={k: lines(item) for k, item in (value.get("strangers") or {}).items()},
            synonyms={k: tuple(v) for k, v in (value.get("synonyms") or {}).items()},
            spellings=dict(value.get("spellings") or {}),
            short_forms=dict(value.get("short_forms") or {}),
            maskable=tuple(value.get("maskable") or ()),
            keep=tuple(value.get("keep") or ()),
            sha256=hashlib.sha256(json.dumps(value).encode()).hexdigest(),
        )
