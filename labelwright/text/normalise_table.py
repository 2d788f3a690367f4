"""The rules of a normalisation table (YAML); every breach is reported with its line and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.text.normalise import DROPS, Normaliser

WORDS = ("abbreviations", "typos", "terms")
"""The keys that hold words and what to write for them; they differ only for who edits them."""
TOP = ("name", "version", "lower_case", "drop", "match_case", *WORDS)
_QUOTE = "YAML reads yes, no, on, off and numbers as something else; quote it"


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
