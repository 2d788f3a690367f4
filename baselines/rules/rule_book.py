"""The YAML files of the rule-based labeler: phrases per observation, triggers per language."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from baselines.rules.conventions import Convention
from baselines.rules.phrases import mistake
from baselines.rules.triggers import Trigger
from labelwright.errors import LabelSetError
from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.label_set import LabelSet
from labelwright.labelers.about import about
from labelwright.labelers.foreign import Foreign, foreign_words
from labelwright.labelers.words import Vocabulary
from labelwright.records import Certainty

SHIPPED = Path(__file__).parent

RULES = ("label_set", "scope", "observations", "rest", "topic")
OBSERVATION = (
    *("mentions", "not_mentions", "absent", "weak", "doubtful", "parts", "sign"),
    "unchanged",
)
PART = ("names", "changed", "unclear", "normal")
REST = ("label", "ignore", "other_findings", "not_mentions", "normal")
TOPIC = ("about", "elsewhere", "headings", "anywhere")
TRIGGERS = {
    "negative_before": Trigger.NO,
    "negative_inside": Trigger.NOT,
    "uncertain_before": Trigger.MAYBE,
    "skip_before": Trigger.SKIP,
    "advice_before": Trigger.ADVICE,
    "negative_after": Trigger.ABSENT,
    "negative_around": Trigger.GONE,
    "uncertain_around": Trigger.PERHAPS,
    "skip_after": Trigger.ASIDE,
    "positive_after": Trigger.YES,
    "uncertain_after": Trigger.DOUBTFUL,
    "open_after": Trigger.OPEN,
    "likewise": Trigger.LIKEWISE,
    "versus": Trigger.VERSUS,
    "inert": Trigger.INERT,
    "spared": Trigger.SPARED,
    "stops": Trigger.STOP,
    "relative": Trigger.RELATIVE,
    "clauses": Trigger.CLAUSE,
    "new_items": Trigger.NEW_ITEM,
    "new_words": Trigger.FRESH,
    "new_sides": Trigger.SIDE,
    "seen": Trigger.SEEN,
    "alternatives": Trigger.ALTERNATIVE,
    "joiners": Trigger.JOIN,
    "verbs": Trigger.VERB,
}


class Answer(NamedTuple):
    """What a sentence without a finding says of those in the one before it.

    Attributes:
        of: which of them it is said of: ``all``, the ``first`` ("it has resolved"), or the ``last``
            ("heart normal, mediastinum wide; *this may be positional*").
        denied_too: whether it is said of what was denied as well ("a small one on the left").
        supposed: whether it is said of what was only supposed ("if this were fluid, …").
    """

    certainty: Certainty
    of: str = "all"
    denied_too: bool = True
    supposed: bool = False


ANSWERS = {
    "confirmed": Answer(Certainty.POSITIVE, denied_too=False),
    "besides": Answer(Certainty.POSITIVE),
    "denied": Answer(Certainty.NEGATIVE),
    "contrary": Answer(Certainty.NEGATIVE, supposed=True),
    "left_open": Answer(Certainty.UNCERTAIN, denied_too=False),
    "gone": Answer(Certainty.NEGATIVE, "first"),
    "technical": Answer(Certainty.UNCERTAIN, "last", denied_too=False),
    "explained": Answer(Certainty.BLANK, "last", denied_too=False),
}
PERSON = ("who", "again")
SCOPE = (
    *(*TRIGGERS, "normal", "unchanged", "skip_sections", "other_languages", "other_denials"),
    *("answers", "persons", "complaints"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A body part that says nothing by itself, and the words that tell its state."""

    names: tuple[str, ...]
    changed: tuple[str, ...]
    unclear: tuple[str, ...]
    normal: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObservationRules:
    """Phrases of one observation; ``not_mentions`` swallow the mentions that they overlap.

    ``sign`` says that it is what the report sees, and that others explain: in "opacity, edema or
    pneumonia" it is no alternative. ``absent`` says by itself that it is not there ("extubated").
    ``weak`` gives way to a doubt about the same observation: "vessels prominent, perhaps edema".
    ``doubtful`` is uncertain though nothing doubts it; so is a part called ``unchanged``.
    """

    label: str
    mentions: tuple[str, ...]
    not_mentions: tuple[str, ...]
    parts: tuple[Part, ...]
    sign: bool = False
    absent: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """The observation that is positive when nothing else is found ("No Finding").

    Attributes:
        label: its name.
        ignore: observations that do not count as a finding here.
        other: findings outside the label set that do.
        normal: phrases that say that all is well, not only one finding absent.
    """

    label: str
    ignore: tuple[str, ...]
    other: ObservationRules
    normal: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """What the label set is about, and how text about something else is told.

    Attributes:
        about: words of the examination that the label set is for.
        elsewhere: words of other parts of the body. A sentence with one of these and none of
            ``about`` says nothing, nor does a text.
        headings: of examinations of other parts; what stands below, up to a word of ``about``,
            is elsewhere.
        anywhere: observations to which that does not apply.
    """

    about: tuple[str, ...]
    elsewhere: tuple[str, ...]
    headings: tuple[str, ...]
    anywhere: frozenset[str]


@dataclass(frozen=True, slots=True)
class Person:
    """Other persons than the patient: ``who`` names one, ``again`` goes on about the same."""

    who: tuple[str, ...]
    again: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Everything the rules need.

    Attributes:
        sha256: the hash of each file, by its name.
        known: words of the language, which are not misspelt ones.
    """

    observations: tuple[ObservationRules, ...]
    rest: Rest | None
    topic: Topic | None
    triggers: Mapping[Trigger, tuple[str, ...]]
    normal: tuple[str, ...]
    unchanged: tuple[str, ...]
    answers: Mapping[Answer, tuple[str, ...]]
    persons: tuple[Person, ...]
    skip_sections: frozenset[str]
    foreign: Foreign
    complaints: frozenset[str]
    sha256: Mapping[str, str]
    known: Vocabulary | None = field(default=None, compare=False)


def shipped_names() -> list[str]:
    """Label sets that rules are shipped for."""
    return sorted(p.stem for p in SHIPPED.glob("*.yaml") if not p.stem.startswith("scope-"))


def load(label_set: LabelSet, path: Path | None = None, convention: str | None = None) -> RuleBook:
    """Read the rules of a label set, the shipped ones by its name or those at ``path``.

    Args:
        convention: name of another convention than the labeling guide's.

    Raises:
        LabelSetError: there are none, or a file has mistakes (``problems`` lists all).
    """
    if path is None:
        path = SHIPPED / f"{label_set.kin}.yaml"
        if not path.is_file():
            raise LabelSetError(
                f"no rules for label set {label_set.name!r}",
                remedy="write a rules file after the model of baselines/rules/head-ct-5.yaml and "
                "give it with --rules FILE, or use a label set that has rules: "
                + ", ".join(shipped_names()),
            )
    changes = None if convention is None else Convention(convention, label_set.kin)
    file = YamlFile.read(path)
    book = _Reader(file)
    value = book.mapping((), file.value, RULES)
    if changes is not None:
        value = changes.rules(value)
    if value.get("label_set") not in (label_set.name, label_set.kin):
        file.problem(
            ["label_set"],
            f"label_set must be {label_set.name!r}, the one that is asked for; fix it",
        )
    observations = _observations(book, value, label_set)
    subject = about(label_set.kin, label_set.about)
    rest = _rest(book, value.get("rest"), label_set)
    topic = _topic(book, value.get("topic"), label_set)
    scope_path = _scope_path(file, value.get("scope"), path)
    files = [path, scope_path, *([] if changes is None else [changes.path])]
    file.finish("mistake in rules")
    scope_file = YamlFile.read(scope_path)
    scope = _Reader(scope_file)
    words = scope.mapping((), scope_file.value, SCOPE)
    if changes is not None:
        words = changes.scope(words)
    triggers = {kind: scope.phrases([key], words.get(key)) for key, kind in TRIGGERS.items()}
    normal = scope.phrases(["normal"], words.get("normal"))
    unchanged = scope.phrases(["unchanged"], words.get("unchanged"))
    answers = _answers(scope, words.get("answers") or {})
    persons = _persons(scope, words.get("persons") or [])
    skip_sections = scope.texts(["skip_sections"], words.get("skip_sections"))
    foreign = _foreign(scope, words)
    complaints = scope.texts(["complaints"], words.get("complaints"))
    scope_file.finish("mistake in scope rules")
    return RuleBook(
        observations=observations,
        rest=rest,
        topic=topic,
        triggers=triggers,
        normal=normal,
        unchanged=unchanged,
        answers=answers,
        persons=persons,
        skip_sections=frozenset(skip_sections),
        foreign=foreign,
        complaints=frozenset(complaints),
        known=None if subject is None else subject.known,
        sha256={p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files},
    )


def _observations(
    book: _Reader, value: Mapping[str, Any], label_set: LabelSet
) -> tuple[ObservationRules, ...]:
    items = book.mapping(["observations"], value.get("observations"), label_set.names)
    rules = []
    for label in label_set.names:
        if label not in items:
            continue
        path: list[Step] = ["observations", label]
        item = book.mapping(path, items[label], OBSERVATION)
        parts = item.get("parts") or []
        if not isinstance(parts, list):
            book.file.problem([*path, "parts"], "parts must be a list; write '- names: …'")
            parts = []
        rules.append(
            ObservationRules(
                label=label,
                mentions=book.phrases([*path, "mentions"], item.get("mentions")),
                not_mentions=book.phrases([*path, "not_mentions"], item.get("not_mentions")),
                parts=tuple(_part(book, [*path, "parts", i], part) for i, part in enumerate(parts)),
                sign=item.get("sign") is True,
                absent=book.phrases([*path, "absent"], item.get("absent")),
                weak=book.phrases([*path, "weak"], item.get("weak")),
                doubtful=book.phrases([*path, "doubtful"], item.get("doubtful")),
                unchanged=item.get("unchanged") == str(Certainty.UNCERTAIN),
            )
        )
    return tuple(rules)


def _foreign(scope: _Reader, words: Mapping[str, Any]) -> Foreign:
    """The lists that come along for a language, or words of the scope file's own."""
    named = words.get("other_languages")
    if isinstance(named, str):
        if (shipped := foreign_words(named)) is not None:
            return shipped
        scope.file.problem(
            ["other_languages"], f"no words of other languages for {named!r}; write a list of words"
        )
        return Foreign.of({})
    maybe = scope.texts(["other_languages"], named)
    sure = scope.texts(["other_denials"], words.get("other_denials"))
    return Foreign.of({"": sure, "?": maybe})


def _answers(scope: _Reader, value: object) -> dict[Answer, tuple[str, ...]]:
    item = scope.mapping(["answers"], value, tuple(ANSWERS))
    return {
        answer: scope.phrases(["answers", key], item.get(key)) for key, answer in ANSWERS.items()
    }


def _persons(scope: _Reader, value: object) -> tuple[Person, ...]:
    if not isinstance(value, list):
        scope.file.problem(["persons"], "persons must be a list; write '- who: …'")
        return ()
    persons = []
    for index, entry in enumerate(value):
        path: list[Step] = ["persons", index]
        item = scope.mapping(path, entry, PERSON)
        persons.append(Person(*(scope.phrases([*path, key], item.get(key)) for key in PERSON)))
    return tuple(persons)


def _part(book: _Reader, path: list[Step], value: object) -> Part:
    item = book.mapping(path, value, PART)
    if not item.get("names") and isinstance(value, dict):
        book.file.problem(path, "part without names; add 'names: […]'")
    return Part(*(book.phrases([*path, key], item.get(key)) for key in PART))


def _rest(book: _Reader, value: object, label_set: LabelSet) -> Rest | None:
    if value is None:
        return None
    item = book.mapping(["rest"], value, REST)
    label = item.get("label")
    names = book.texts(["rest", "ignore"], item.get("ignore"))
    for name, path in [(label, ["rest", "label"])] + [(n, ["rest", "ignore"]) for n in names]:
        if name not in label_set.names:
            known = ", ".join(label_set.names)
            book.file.problem(list(path), f"unknown label {name!r}; use one of: {known}")
    other = ObservationRules(
        label="",
        mentions=book.phrases(["rest", "other_findings"], item.get("other_findings")),
        not_mentions=book.phrases(["rest", "not_mentions"], item.get("not_mentions")),
        parts=(),
    )
    normal = book.phrases(["rest", "normal"], item.get("normal"))
    return Rest(str(label), names, other, normal)


def _topic(book: _Reader, value: object, label_set: LabelSet) -> Topic | None:
    if value is None:
        return None
    item = book.mapping(["topic"], value, TOPIC)
    names = book.texts(["topic", "anywhere"], item.get("anywhere"))
    for index, name in enumerate(names):
        if name not in label_set.names:
            known = ", ".join(label_set.names)
            book.file.problem(
                ["topic", "anywhere", index], f"unknown label {name!r}; use one of: {known}"
            )
    about = book.phrases(["topic", "about"], item.get("about"))
    elsewhere = book.phrases(["topic", "elsewhere"], item.get("elsewhere"))
    headings = book.phrases(["topic", "headings"], item.get("headings"))
    return Topic(about, elsewhere, headings, frozenset(names))


def _scope_path(file: YamlFile, name: object, beside: Path) -> Path:
    if not isinstance(name, str) or not name:
        file.problem(["scope"], "scope is missing; name a scope file, for example scope-en.yaml")
        return beside
    for folder in (beside.parent, SHIPPED):
        if (folder / name).is_file():
            return folder / name
    shipped = ", ".join(sorted(p.name for p in SHIPPED.glob("scope-*.yaml")))
    file.problem(["scope"], f"no scope file {name!r}; put it beside this file or use: {shipped}")
    return beside


class _Reader:
    """Typed access to a YAML file; what is wrong is noted in it and replaced by nothing."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file

    def mapping(
        self, path: list[Step] | tuple[Step, ...], value: object, allowed: tuple[str, ...]
    ) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.file.problem(path, f"a mapping is needed here, with keys of: {', '.join(allowed)}")
            return {}
        self.file.unknown_keys(path, value, allowed)
        return value

    def texts(self, path: list[Step], value: object) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            self.file.problem(path, f"{path[-1]} must be a list; write [a, b]")
            return ()
        texts = []
        for index, item in enumerate(value):
            if isinstance(item, str):
                texts.append(item)
            else:
                self.file.problem([*path, index], f"{item!r} is not text; put it in quotes")
        return tuple(texts)

    def phrases(self, path: list[Step], value: object) -> tuple[str, ...]:
        phrases = self.texts(path, value)
        if len(phrases) == len(value) if isinstance(value, list) else False:
            for index, phrase in enumerate(phrases):
                if (wrong := mistake(phrase)) is not None:
                    self.file.problem([*path, index], wrong)
        return phrases
