"""Sections by a table of headings, for notes of any language.

The splitter of :mod:`labelwright.text.sections` knows the headings of English radiology reports.
A table is a YAML file that names the sections of other notes and the headings of each. A heading
stands at the start of a line, in any case, with or without accents, and is followed by a colon or
the line's end. A line that looks like a heading but is in no table (in capitals, or short with a
colon at its end) begins a section of the name ``other``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError, LabelSetError
from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.records import Section
from labelwright.text.section_headings import BODY
from labelwright.text.sections import split_sections

RADIOLOGY = "radiology"
"""The name of the splitter of English radiology reports, which needs no table."""
OTHER = "other"
"""Name of a section under a heading that no table knows."""
FOLDER = Path(__file__).parent / "headings"
LONGEST = 60
"""Characters of a heading."""

_LEAD = r"(?m:^)[ \t>#*_•-]{0,20}(?:(?:\d{1,2}|[ivx]{1,4})[.):][ \t]*)?[*_#]{0,4}"
_TAIL = r"[ \t]{0,10}[*_]{0,4}[ \t]{0,10}(?::[*_]{0,4}|(?=[\r\n]|\Z))"
_UNKNOWN = re.compile(
    rf"{_LEAD}(?P<words>[^\W\d_][^\n\r:.;!?]{{1,{LONGEST - 1}}}?)[ \t]{{0,10}}"
    r"(?:(?P<colon>:)[ \t]{0,10})?(?=[\r\n]|\Z)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class SectionTable:
    """Sections and their headings.

    Attributes:
        sections: the headings of each section, by its name; empty for the built-in splitter.
    """

    name: str
    sections: Mapping[str, tuple[str, ...]]

    @classmethod
    def load(cls, name: str | Path) -> SectionTable:
        """A shipped table by name, ``radiology``, or a YAML file.

        Raises:
            ConfigError: there is none, or it has mistakes; the first is shown with its line.
        """
        if str(name) == RADIOLOGY:
            return cls(RADIOLOGY, {})
        shipped = FOLDER / f"{name}.yaml"
        path = shipped if shipped.is_file() else Path(name)
        if not path.is_file():
            names = ", ".join([RADIOLOGY, *sorted(p.stem for p in FOLDER.glob("*.yaml"))])
            raise ConfigError(
                f"no table of headings {str(name)!r}", remedy=f"give a YAML file or one of: {names}"
            )
        try:
            return _checked(YamlFile.read(path))
        except LabelSetError as error:
            raise ConfigError(
                error.what, remedy=error.remedy, source=error.source, row=error.row
            ) from None

    def to_json(self) -> dict[str, Any]:
        """For a model folder."""
        return {"name": self.name, "sections": {k: list(v) for k, v in self.sections.items()}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SectionTable:
        """The inverse of :meth:`to_json`."""
        sections = {str(k): tuple(map(str, v)) for k, v in value["sections"].items()}
        return cls(str(value["name"]), sections)

    def split(self, text: str) -> tuple[Section, ...]:
        """The sections of a text in order, each from its heading on; text before is in none."""
        if not self.sections:
            return tuple(s for s in split_sections(text) if s.name != BODY)
        folded = plain(text)
        found = [
            (match.start(), self._names[" ".join(match["heading"].split())])
            for match in self._pattern.finditer(folded)
        ]
        known = {start for start, _ in found}
        for match in _UNKNOWN.finditer(text):
            words = match["words"].strip()
            shouted = words.isupper() and sum(map(str.isalpha, words)) >= 4 and len(words) > 4
            if match.start() not in known and (match["colon"] or shouted):
                found.append((match.start(), OTHER))
        found.sort()
        ends = [*(start for start, _ in found[1:]), len(text)]
        return tuple(
            Section(name, start, end) for (start, name), end in zip(found, ends, strict=False)
        )

    @cached_property
    def _names(self) -> dict[str, str]:
        """Headings as they are looked for, and their sections."""
        return {
            plain(" ".join(heading.split())): name
            for name, headings in self.sections.items()
            for heading in headings
        }

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self._names, key=lambda heading: (-len(heading), heading))
        words = "|".join(r"[ \t]+".join(map(re.escape, h.split())) for h in longest_first)
        return re.compile(rf"{_LEAD}(?P<heading>{words}){_TAIL}")


def plain(text: str) -> str:
    """The text in lower case without accents, letter for letter as long as it was."""
    if text.isascii():
        return text.lower()
    return "".join(_plain(letter) for letter in text)


def _plain(letter: str) -> str:
    if letter.isascii():
        return letter.lower()
    base = unicodedata.normalize("NFD", letter)[0].lower()
    return base if len(base) == 1 else letter


def _checked(file: YamlFile) -> SectionTable:
    value = file.value
    if not isinstance(value, dict):
        file.problem([], "a table of headings is a mapping; write 'key: value' lines")
        file.finish("mistake in the table of headings")
    file.unknown_keys([], value, ("name", "language", "sections"))
    name = value.get("name")
    if not isinstance(name, str) or not name.strip():
        file.problem(["name"], "the table needs a name; add 'name: …'")
    sections = value.get("sections")
    if not isinstance(sections, dict) or not sections:
        file.problem(["sections"], "write 'SECTION: [HEADING, …]' lines under 'sections:'")
        sections = {}
    seen: dict[str, str] = {}
    found: dict[str, tuple[str, ...]] = {}
    for section, headings in sections.items():
        path: list[Step] = ["sections", str(section)]
        if str(section) in (OTHER, BODY) or not str(section).strip():
            file.problem(path, f"{section!r} cannot be a section's name; choose another")
        if len(str(section)) > LONGEST:
            file.problem(path, f"the name is longer than {LONGEST} characters; shorten it")
        if not isinstance(headings, list) or not headings:
            file.problem(path, "a section has a list of headings; write [HEADING, …]")
            continue
        for place, heading in enumerate(headings):
            own = [*path, place]
            if not isinstance(heading, str) or not heading.strip() or "\n" in heading:
                file.problem(own, f"{heading!r} is no heading; write words in one line")
            elif len(heading) > LONGEST:
                file.problem(own, f"a heading has at most {LONGEST} characters; shorten it")
            elif (first := seen.setdefault(plain(" ".join(heading.split())), section)) != section:
                file.problem(own, f"{heading!r} stands in section {first!r} too; remove one")
        found[str(section)] = tuple(map(str, headings))
    file.finish("mistake in the table of headings")
    return SectionTable(str(name), found)
