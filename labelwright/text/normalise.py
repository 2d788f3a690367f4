"""Normalising notes: lower case, dropped marks, and tables of abbreviations, typos and terms.

A text is cleaned first; then words of the table are replaced, the longest first, each once. The
words of the table are cleaned in the same way, so that ``p.o.`` is found where full stops are
dropped. Every character of the result knows where it came from
(:class:`labelwright.text.normalised_text.NormalisedText`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.text.normalised_text import Edit, NormalisedText

DROPS = ("punctuation", "symbols", "numbers")
"""What cleaning can drop: punctuation (Unicode P), other signs (S), numbers that stand alone."""


WORDS = ("abbreviations", "typos", "terms")
"""The keys that hold words and what to write for them; they differ only for who edits them."""
TOP = ("name", "version", "lower_case", "drop", "match_case", *WORDS)
_QUOTE = "YAML reads yes, no, on, off and numbers as something else; quote it"

_MARKS = r"\u0300-\u036f"
_NUMBER = (
    rf"(?<![^\W_])(?<![{_MARKS}])(?<!\d[.,])\d+(?:[.,]\d+)*(?![.,]?\d)(?![^\W_])(?![{_MARKS}])"
)
_DECIMAL = r"(?!(?<=\d)[.,](?=\d))"
_TOKEN = re.compile(rf"(?:[^\W_][{_MARKS}]*)+|\S")


class _Token(NamedTuple):
    """A word, or a single other character; ``apart``: white space stands before it."""

    text: str
    apart: bool
    start: int
    end: int


Key = tuple[tuple[str, bool], ...]


@dataclass(frozen=True, eq=False)
class Normaliser:
    """What :meth:`apply` does to a text.

    Attributes:
        drop: some of :data:`DROPS`. What is dropped becomes one space, or the line break that
            stood there; a full stop or comma between two digits is no punctuation.
        words: what to replace by what; both stand as the cleaned text has them.
        match_case: whether the words of the table are only found in their own case.
        text: the YAML it came from.
    """

    name: str
    version: str
    lower_case: bool = False
    drop: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    match_case: bool = False
    text: str = field(default="", repr=False)

    @classmethod
    def load(cls, path: str | Path) -> Normaliser:
        """Read a table.

        Raises:
            LabelSetError: it is missing or has mistakes (``problems`` lists all with their lines).
        """
        return read_table(path)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the YAML text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def facts(self) -> dict[str, str]:
        """Which table it is, for manifests."""
        return {"name": self.name, "version": self.version, "sha256": self.fingerprint}

    def apply(self, text: str) -> NormalisedText:
        """The normalised text, with the way back."""
        cleaned = self.clean(text)
        return cleaned.then(self.replace(cleaned.text))

    def clean(self, text: str) -> NormalisedText:
        """The text without what is dropped, in lower case if that is asked for."""
        edits: list[Edit] = []
        if self.drop:
            pattern = _dropping(self.drop, frozenset(map(_signs, {*text})) - {""})
            edits = [
                (*match.span(), _gap(match.group(), match.start() == 0 or match.end() == len(text)))
                for match in pattern.finditer(text)
            ]
        return NormalisedText.edited(text, edits, lower=self.lower_case)

    def replace(self, text: str) -> NormalisedText:
        """The cleaned text with the words of the table replaced."""
        if not self._index:
            return NormalisedText.unchanged(text)
        return NormalisedText.edited(text, self._replacements(text))

    @cached_property
    def _index(self) -> dict[str, list[tuple[Key, str]]]:
        """The words of the table by their first token, longest first."""
        index: dict[str, list[tuple[Key, str]]] = {}
        for word, new in self.words.items():
            key = tuple((self._fold(t.text), t.apart) for t in _tokens(word))
            index.setdefault(key[0][0], []).append((key, new))
        for found in index.values():
            found.sort(key=lambda entry: -len(entry[0]))
        return index

    def _fold(self, token: str) -> str:
        return token if self.match_case else token.casefold()

    def _replacements(self, text: str) -> Iterator[Edit]:
        tokens = list(_tokens(text))
        at = 0
        while at < len(tokens):
            for key, new in self._index.get(self._fold(tokens[at].text), ()):
                if self._stands(key, tokens, at):
                    last = at + len(key) - 1
                    yield tokens[at].start, tokens[last].end, new
                    at = last
                    break
            at += 1

    def _stands(self, key: Key, tokens: Sequence[_Token], at: int) -> bool:
        if at + len(key) > len(tokens):
            return False
        return all(
            self._fold(tokens[at + place].text) == word
            and (place == 0 or tokens[at + place].apart == apart)
            for place, (word, apart) in enumerate(key)
        )


def _tokens(text: str) -> Iterator[_Token]:
    behind = 0
    for match in _TOKEN.finditer(text):
        yield _Token(match.group(), match.start() > behind, *match.span())
        behind = match.end()


def _signs(char: str) -> str:
    """A character that may be dropped, with its kind before it; else nothing."""
    kind = unicodedata.category(char)[0]
    return kind + char if kind in "PS" else ""


@lru_cache(maxsize=256)
def _dropping(drop: tuple[str, ...], signs: Iterable[str]) -> re.Pattern[str]:
    """Matches runs of what is dropped together with the white space around them."""
    wanted = {"P": "punctuation" in drop, "S": "symbols" in drop}
    chars = "".join(re.escape(sign[1]) for sign in sorted(signs) if wanted[sign[0]])
    kinds = [_NUMBER] if "numbers" in drop else []
    kinds += [f"{_DECIMAL}[{chars}]"] if chars else []
    one = "|".join(kinds) or r"(?!)"
    return re.compile(rf"\s*(?:(?:{one})\s*)+")


def _gap(run: str, at_end: bool) -> str:
    """What stands where a run was dropped."""
    if at_end:
        return ""
    return "\n" * min(run.count("\n"), 2) or " "


def read_table(path: str | Path) -> Normaliser:
    """Read and check a table.

    Raises:
        LabelSetError: it is missing or has mistakes (``problems`` lists all).
    """
    return table_of(YamlFile.read(path), Path(path).read_text(encoding="utf-8"))


def table_from_text(text: str, source: str | Path = "normalisation table") -> Normaliser:
    """A table from YAML text, as stored beside records.

    Raises:
        LabelSetError: it has mistakes.
    """
    return table_of(YamlFile(text, source), text)


def table_of(file: YamlFile, text: str) -> Normaliser:
    """Check the parsed YAML and build the table.

    Raises:
        LabelSetError: it has mistakes.
    """
    if not isinstance(file.value, dict):
        file.problem([], f"a normalisation table is a mapping; start with {TOP[0]}: …")
        file.finish("not a normalisation table")
    value: dict[str, Any] = dict(file.value)
    file.unknown_keys([], value, TOP)
    for key in ("name", "version"):
        if value.get(key) in (None, ""):
            file.problem([], f"{key!r} is missing; add it")
        elif not isinstance(value[key], str):
            file.problem([key], f'{key} must be text; write "{value[key]}"')
    for key in ("lower_case", "match_case"):
        if not isinstance(value.get(key, False), bool):
            file.problem([key], f"{key} must be true or false")
    drop = value.get("drop") or []
    if not isinstance(drop, list) or any(kind not in DROPS for kind in drop):
        file.problem(["drop"], f"drop must be a list of some of: {', '.join(DROPS)}")
        drop = []
    made = Normaliser(
        name=str(value.get("name")),
        version=str(value.get("version")),
        lower_case=value.get("lower_case") is True,
        drop=tuple(kind for kind in DROPS if kind in drop),
        match_case=value.get("match_case") is True,
        text=text,
    )
    made = replace(made, words=_words(file, value, made))
    _settled(file, value, made)
    if not (made.words or made.drop or made.lower_case) and not file.problems:
        file.problem([], "the table changes nothing; give it lower_case, drop or words")
    file.finish("mistake in the normalisation table")
    return made


def _words(file: YamlFile, value: Mapping[str, Any], cleaning: Normaliser) -> dict[str, str]:
    """The words as the cleaned text has them."""
    words: dict[str, str] = {}
    where: dict[str, str] = {}
    for key in WORDS:
        section = value.get(key) or {}
        if not isinstance(section, dict):
            file.problem([key], f"{key} must be a mapping; write 'ca: carcinoma'")
            continue
        for word, new in section.items():
            path: list[Step] = [key, str(word)]
            if not isinstance(word, str) or not isinstance(new, str):
                file.problem(path, f"a word and what to write for it must be text; {_QUOTE}")
                continue
            old = " ".join(cleaning.clean(word).text.split())
            told = " ".join(cleaning.clean(new).text.split())
            if not old or not told:
                left = "it" if not old else "what to write for it"
                file.problem(path, f"cleaning leaves nothing of {left}; reword or delete it")
                continue
            same = old if cleaning.match_case else old.casefold()
            if same in where:
                file.problem(path, f"the word is given twice, also as {where[same]!r}; delete one")
            where[same] = word
            words[old] = told
    return words


def _settled(file: YamlFile, value: Mapping[str, Any], made: Normaliser) -> None:
    """A word that is written for another must not be replaced again: that would be a chain."""
    for key in WORDS:
        section = value.get(key)
        for word, new in section.items() if isinstance(section, dict) else ():
            if not isinstance(word, str) or not isinstance(new, str):
                continue
            told = " ".join(made.clean(new).text.split())
            if made.replace(told).text != told:
                file.problem(
                    [key, word],
                    f"the table would change {new!r} again; write what it is to become in the end",
                )
