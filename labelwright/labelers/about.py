"""What a label set is about: its language, its examination, and how its reports say "normal".

That is knowledge of data, not of code: the key ``about`` of a label set, or the file of its name
in ``label_sets/about`` (a shipped label set keeps its text, which trained models are bound to). A
label set without either asks nothing of its texts.

The language of a text, by py3langid (offline; its model comes with it).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from labelwright.errors import LabelSetError
from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.labelers.foreign import Foreign, foreign_words
from labelwright.labelers.words import Vocabulary, WordList, phrases

TOLD = (
    *(
        "af",
        "ar",
        "bg",
        "bn",
        "bs",
        "ca",
        "cs",
        "cy",
        "da",
        "de",
        "el",
        "en",
        "es",
        "et",
        "eu",
        "fa",
    ),
    *(
        "fi",
        "fr",
        "ga",
        "gl",
        "gu",
        "he",
        "hi",
        "hr",
        "hu",
        "hy",
        "id",
        "is",
        "it",
        "ja",
        "ka",
        "kk",
    ),
    *(
        "kn",
        "ko",
        "lt",
        "lv",
        "mk",
        "ml",
        "mr",
        "ms",
        "nl",
        "no",
        "pl",
        "pt",
        "ro",
        "ru",
        "sk",
        "sl",
    ),
    *("sq", "sr", "sv", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "uz", "vi", "zh"),
)
"""Languages that reports are written in, as far as the model knows them; others are too near to
these, or, as Latin, to the words of medicine."""
READ = 2_000
"""Characters that are looked at; a longer text is no clearer."""


def language_of(text: str) -> tuple[str, float]:
    """The likeliest language (ISO 639 code) and its probability, calibrated for short texts too.

    >>> language_of("Herz normal groß. Keine Infiltrate, kein Pleuraerguss.")[0]
    'de'
    """
    code, sure = _identifier().classify(text[:READ])
    return str(code), float(sure)


def foreign(text: str, language: str, least: float) -> str | None:
    """The language of a text that is with ``least`` probability or more another than ``language``.

    A language that cannot be told from others is never missed.
    """
    own = language.casefold().partition("-")[0]
    if own not in _identifier().labels:
        return None
    code, sure = language_of(text)
    return code if code != own and sure >= least else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages(sorted(set(TOLD) & set(found.labels)))
    return found


SHIPPED = Path(__file__).parents[1] / "label_sets" / "about"
LISTS = ("subject", "findings", "normal", "denies", "says", "silent", "endings")
PHRASES = ("says", "silent")
KEYS = ("language", "words", *LISTS, "others")

FEWEST = 4
"""Words below which nothing is said about a text's language or its words."""
FEWEST_ALONE = 8
"""The same where no vocabulary helps to tell."""
KNOWN = 0.5
"""Share of known words below which a text is looked at closely."""
SURE, SURE_ALONE = 0.3, 0.6
"""Probability from which on another language counts: with most words unknown, without a list."""
KNOWN_WORD, SUBJECT, FINDING, NORMAL, DENIAL, FIRST_OTHER = (1 << n for n in range(6))
REMEMBERED = 50_000
"""Words whose lists are kept."""
MANY, TIMES = 4, 3
"""So many words of another examination, and so many times those of this one, outweigh it."""


@dataclass(frozen=True, eq=False)
class About:
    """What is known of the reports that a label set is for; empty lists ask nothing.

    Attributes:
        language: their ISO 639 code; ``None`` where the label set does not say.
        subject: words that only reports of this examination use.
        findings: words of what can be found or denied in any report.
        normal, denies: words that call something normal, and that deny.
        says: sentences that say by themselves that nothing is found.
        silent: sentences that say nothing although they hold such words.
        others: words of other examinations, by name.
        known: all known words of the language; ``None`` where they are not listed.
        foreign: words of other languages; ``None`` where they are not listed.
        sha256: of all that stands here, so that runs know whether they asked the same.
    """

    language: str | None
    subject: WordList
    findings: WordList
    normal: WordList
    denies: WordList
    says: re.Pattern[str] | None
    silent: re.Pattern[str] | None
    others: Mapping[str, WordList]
    known: Vocabulary | None
    foreign: Foreign | None
    sha256: str
    _kinds: dict[str, int] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> About:
        """From the mapping of a YAML file that :func:`problems_in` finds nothing wrong with."""
        lists = {name: [str(word) for word in value.get(name) or ()] for name in LISTS}
        words, digest = _vocabulary(value.get("words"))
        digest.update(repr(sorted((k, str(v)) for k, v in value.items())).encode())
        others = {str(k): WordList(map(str, v)) for k, v in (value.get("others") or {}).items()}
        subject, findings, normal, denies = (
            WordList(lists[name]) for name in ("subject", "findings", "normal", "denies")
        )
        return cls(
            language=value.get("language"),
            subject=subject,
            findings=findings,
            normal=normal,
            denies=denies,
            says=phrases(lists["says"]),
            silent=phrases(lists["silent"]),
            others=others,
            known=Vocabulary(words, lists["endings"]) if words else None,
            foreign=foreign_words(str(value.get("words"))),
            sha256=digest.hexdigest(),
        )

    def misfit(self, words: Sequence[str], text: str) -> tuple[str, ...]:
        """What speaks against a text being a report that this label set is for, by name.

        Args:
            words: of the text, as :func:`labelwright.labelers.words.words_of` gives them.
            text: what the report says, and what was examined.
        """
        kinds = {word: self._kind(word) for word in words}
        if problem := self._strange(words, kinds, text):
            return (problem,)
        return self._other(kinds.values())

    def _strange(self, words: Sequence[str], kinds: Mapping[str, int], text: str) -> str | None:
        """Another language, or words that are mostly unknown."""
        if self.known is None:
            if self.language is None or len(words) < FEWEST_ALONE:
                return None
            code = foreign(text, self.language, SURE_ALONE)
            return None if code is None else f"language: {code}"
        if self.foreign is not None and (code := self.foreign.language(words)) is not None:
            return f"language: {code}"
        share = sum(kinds[word] > 0 for word in words) / max(len(words), 1)
        if len(words) < FEWEST or share >= KNOWN:
            return None
        code = foreign(text, self.language, SURE) if self.language is not None else None
        return f"unknown words: {1 - share:.0%}" if code is None else f"language: {code}"

    def _other(self, kinds: Iterable[int]) -> tuple[str, ...]:
        """The examination that a text is about where it is not this one."""
        found = [kind for kind in kinds if kind >= SUBJECT]
        own = sum(kind & SUBJECT > 0 for kind in found)
        others = [kind for kind in found if kind >= FIRST_OTHER]
        if not others or (own and len(others) < max(MANY, TIMES * own)):
            return ()
        counts = [sum(kind & bit > 0 for kind in others) for bit in self._bits]
        most = max(counts)
        if own and most < max(MANY, TIMES * own):
            return ()
        return (f"examination: {list(self.others)[counts.index(most)]}",)

    @cached_property
    def _bits(self) -> tuple[int, ...]:
        return tuple(FIRST_OTHER << index for index in range(len(self.others)))

    def _kind(self, word: str) -> int:
        """Which lists a word stands in, as bits; 0 if it is not known at all."""
        found = self._kinds.get(word)
        if found is None:
            lists = (self.subject, self.findings, self.normal, self.denies, *self.others.values())
            bits = (SUBJECT, FINDING, NORMAL, DENIAL, *self._bits)
            found = sum(bit for bit, own in zip(bits, lists, strict=True) if word in own)
            if len(word) == 1 or (self.known is not None and word in self.known):
                found |= KNOWN_WORD
            if len(self._kinds) >= REMEMBERED:
                self._kinds.clear()
            self._kinds[word] = found
        return found

    def states(self, sentence: str) -> bool:
        """Whether a sentence says by itself that nothing is found."""
        found = self.says is not None and self.says.search(sentence) is not None
        return found and not self.says_nothing(sentence)

    def says_nothing(self, sentence: str) -> bool:
        """Whether a sentence only looks as if it said that something is normal."""
        return self.silent is not None and self.silent.search(sentence) is not None

    def denies_something(self, words: Sequence[str]) -> bool:
        """Whether a sentence denies a finding, or calls a part of the body normal."""
        kinds = [self._kind(word) for word in words]
        negated = False
        for kind in kinds:
            if kind & DENIAL:
                negated = True
            elif kind & NORMAL and not negated:
                return True
        return negated and any(kind & (SUBJECT | FINDING) for kind in kinds)


def about(name: str, own: Any) -> About | None:
    """What a label set is about; ``None`` if it does not say and none is shipped under its name.

    Args:
        name: of the label set.
        own: its key ``about``: a mapping, the name of a shipped file, or ``None``.
    """
    if isinstance(own, Mapping):
        return About.of(own)
    return shipped(str(own or name))


@cache
def shipped(name: str) -> About | None:
    """The shipped file of this name, or ``None``.

    Raises:
        LabelSetError: it has mistakes.
    """
    path = SHIPPED / f"{name}.yaml"
    if path.parent != SHIPPED or not path.is_file():
        return None
    file = YamlFile.read(path)
    check(file, [], file.value)
    file.finish("mistake in the file")
    return About.of(file.value)


def shipped_names() -> list[str]:
    """What the key ``about`` may name."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def check(file: YamlFile, path: list[Step], value: object) -> None:
    """Note every mistake of the key ``about`` in its file."""
    if isinstance(value, str):
        if value not in shipped_names():
            file.problem(path, f"unknown about {value!r}; use one of: {', '.join(shipped_names())}")
        return
    if not isinstance(value, dict):
        file.problem(path, "about must be a mapping or a name; write 'about: {language: en, …}'")
        return
    file.unknown_keys(path, value, KEYS)
    if not isinstance(value.get("language", ""), str):
        file.problem([*path, "language"], 'language must be text; write "no" in quotes')
    for name in LISTS:
        _check_list(file, [*path, name], value.get(name), phrase=name in PHRASES)
    words = value.get("words")
    if isinstance(words, str):
        if not (SHIPPED / f"words-{words}.txt").is_file():
            file.problem([*path, "words"], f"unknown word list {words!r}; write a list of words")
    else:
        _check_list(file, [*path, "words"], words)
    others = value.get("others")
    if others is not None and not isinstance(others, dict):
        file.problem([*path, "others"], "others must be a mapping; write 'knee: [knee*, menisc*]'")
    else:
        for name, listed in (others or {}).items():
            _check_list(file, [*path, "others", str(name)], listed)


def _check_list(file: YamlFile, path: list[Step], value: object, *, phrase: bool = False) -> None:
    name = str(path[-1])
    if value is None:
        return
    if not isinstance(value, list):
        file.problem(path, f"{name} must be a list; write [a, b]")
        return
    for index, word in enumerate(value):
        where = [*path, index]
        if not isinstance(word, str):
            hint = "YAML reads yes, no, on, off and numbers as something else; quote it"
            file.problem(where, f"{name} must hold text, not {type(word).__name__}; {hint}")
        elif not phrase and (not word.strip("*") or " " in word):
            file.problem(where, f"{word!r} is not one word; write words one by one")
        elif phrase and not any(part.strip("*?|~0123456789") for part in word.split()):
            file.problem(where, f"{word!r} holds no word; delete it")


def _vocabulary(words: Any) -> tuple[list[str], Any]:
    """The known words, and a hash that knows them."""
    digest = hashlib.sha256()
    if not isinstance(words, str):
        return [str(word).casefold() for word in words or ()], digest
    path = SHIPPED / f"words-{words}.txt"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LabelSetError(
            f"the word list cannot be read ({error.strerror})",
            remedy="install labelwright again",
            source=path,
        ) from None
    digest.update(text.encode())
    for others in SHIPPED.glob(f"foreign-{words}.txt"):
        digest.update(others.read_bytes())
    return [line for line in text.split() if not line.startswith("#")], digest
