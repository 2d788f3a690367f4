"""Letters by seed and index, each with the value, words and place of every field it states.

The gold is right by construction: a value is drawn first, its words are written then, and their
place is where they were written. Letter ``index`` of ``seed`` depends on nothing else.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from data_builders.synthetic.letters.draft import Draft, Manner, Said, draw_manner
from data_builders.synthetic.letters.facts import draw_facts
from data_builders.synthetic.letters.phrases import compiled, fields_in
from data_builders.synthetic.phrases import Draw, pick
from labelwright.errors import ConfigError, LabelSetError
from labelwright.io.yaml_lines import YamlFile
from labelwright.label_set import LabelSet
from labelwright.records import Report
from labelwright.tasks.fields.schema import FieldType, fields_of
from labelwright.tasks.fields.values import NOT_MENTIONED, Fields, FieldValue, Item, stated

_FOLDER = Path(__file__).parent
HEADER, MENTIONED, YES, OTHERS, BESIDE, DIES = 0.85, 0.5, 0.55, 0.25, 0.06, 0.06
"""Shares: header fields that are there; fields that are mentioned; booleans that are *yes* then;
fields of which something is said that is not of this patient, unless and if mentioned; deaths."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter and what it says."""

    report: Report
    fields: Fields


def shipped_for(label_set: LabelSet) -> Path:
    """The words for a label set.

    Raises:
        LabelSetError: there are none.
    """
    for path in sorted(_FOLDER.glob("*.yaml")):
        if _lexicon(path)["label_set"] == label_set.name:
            return path
    lexicons = [_lexicon(path) for path in _FOLDER.glob("*.yaml")]
    known = ", ".join(
        sorted(one[key] for one in lexicons for key in ("label_set", "targets") if key in one)
    )
    raise LabelSetError(
        f"no letters are written for {label_set.name}",
        remedy=f"there are letters for: {known}; or give files of your own",
    )


def fields_for(label_set: LabelSet) -> LabelSet:
    """The fields of the letters that are written for a label set: its own, or those it marks.

    Raises:
        LabelSetError: there are none.
    """
    for path in sorted(_FOLDER.glob("*.yaml")):
        if label_set.name == _lexicon(path).get("targets"):
            return LabelSet.load(_lexicon(path)["label_set"])
    shipped_for(label_set)
    return label_set


def fingerprint(label_set: LabelSet) -> str:
    """SHA-256 of the words for a label set."""
    return hashlib.sha256(shipped_for(label_set).read_bytes()).hexdigest()


@cache
def _lexicon(path: Path) -> dict[str, Any]:
    return dict(YamlFile.read(path).value)


def write_letters(
    label_set: LabelSet, count: int, seed: int, *, start: int = 0, noise: float = 1.0
) -> Iterator[Letter]:
    """Yield ``count`` letters from index ``start`` on.

    Args:
        seed: at least 0; the same seed and index give the same letter on every machine.
        noise: 0 for clean text, 1 for the usual share of slips, misread and wrapped letters.

    Raises:
        LabelSetError: there are no words for the label set.
        ConfigError: a number is out of its range.
    """
    if not 0.0 <= noise <= 1.0:
        raise ConfigError(f"noise is {noise:g}", remedy="give a number from 0 to 1")
    if min(count, seed, start) < 0:
        raise ConfigError("a count or seed below 0", remedy="give whole numbers, at least 0")
    writer = LetterWriter(label_set, noise)
    return (writer.write(seed, index) for index in range(start, start + count))


class LetterWriter:
    """Writes letters for one label set."""

    def __init__(self, label_set: LabelSet, noise: float = 1.0) -> None:
        self._lexicon = _lexicon(shipped_for(label_set))
        self._own = fields_of(label_set)
        self._noise = noise

    def write(self, seed: int, index: int) -> Letter:
        """The letter of this seed and index."""
        draw = random.Random((seed << 40) + index).random
        facts = draw_facts(draw, self._lexicon)
        manner = draw_manner(draw, self._noise)
        draft = Draft(
            draw=draw,
            manner=manner,
            facts=facts,
            words=self._lexicon["words"],
            keep=frozenset(self._lexicon["keep"]),
        )
        dies = draw() < DIES
        picks = self._picks(draw, dies)
        self._header(draft, dies)
        for section in self._lexicon["sections"]:
            self._section(draft, section, picks, dies)
        if not dies and draw() < 0.8:
            draft.phrase(compiled(pick(draw, self._lexicon["closing"])))
        text = draft.text().rstrip()
        name = f"letter-{seed}-{index}"
        report = Report(name, text, "synthetic", index + 1, name, meta={"manner": _told(manner)})
        return Letter(report, self._gold(text, draft.said))

    def _picks(self, draw: Draw, dies: bool) -> dict[str, str]:
        """The value of every field that the sections mention; the others are silent."""
        picks: dict[str, str] = {}
        death, stay = self._lexicon["death"], self._lexicon["stay"]
        often = {**self._lexicon["often"], death: 0.0}
        for section in self._lexicon["sections"]:
            for name, values in (section.get("fields") or {}).items():
                keys = [key for key in values if key != "others"]
                if draw() >= often.get(name, MENTIONED):
                    continue
                if keys == ["true", "false"]:
                    picks[name] = "true" if draw() < YES else "false"
                else:
                    picks[name] = pick(draw, keys)
        if dies:
            picks[death] = "true"
            picks.pop(stay, None)
        for one, other in self._lexicon["never_both"]:
            (first, a), (second, b) = one.split("="), other.split("=")
            if picks.get(first) == a and picks.get(second) == b:
                del picks[second]
        return picks

    def _header(self, draft: Draft, dies: bool) -> None:
        draft.plain(pick(draft.draw, self._lexicon["words"]["ospedale"]) + "\n")
        lines = []
        for name, phrases in self._lexicon["header"].items():
            if name == "others":
                lines += [(None, p) for p in phrases if draft.draw() < OTHERS]
            elif dies and name == self._lexicon["discharged"]:
                continue
            elif draft.draw() < HEADER or name in self._lexicon["always"]:
                lines.append((name, pick(draft.draw, phrases)))
        apart = "\n" if draft.draw() < 0.7 else " - "
        for at, (name, phrase) in enumerate(lines):
            draft.plain(apart if at else "")
            draft.phrase(compiled(phrase), name)
        draft.plain("\n\n")

    def _section(
        self, draft: Draft, section: Mapping[str, Any], picks: Mapping[str, str], dies: bool
    ) -> None:
        draw = draft.draw
        there = draw() >= section["missing"]
        if (dies and section.get("alive")) or not (
            there or (dies and self._lexicon["death"] in _of(section))
        ):
            return
        items = self._items(draw, section, picks)
        if not items:
            return
        draft.plain(pick(draw, section["headings"]))
        start = draft.size
        apart = pick(draw, section.get("separators") or (" ", " ", "\n"))
        for at, (name, value, phrase) in enumerate(items):
            draft.plain(apart if at else "")
            draft.phrase(compiled(phrase), name, value)
        if whole := section.get("whole"):
            draft.said.append(Said(whole, None, start, draft.size))
        draft.plain("\n\n" if draw() < 0.8 else "\n")

    def _items(
        self, draw: Draw, section: Mapping[str, Any], picks: Mapping[str, str]
    ) -> list[tuple[str | None, object, str]]:
        """The phrases of a section in their order, each under its field and value."""
        items: list[tuple[str | None, object, str]] = []
        last: list[tuple[str | None, object, str]] = []
        for name, values in _of(section).items():
            said = picks.get(name)
            if said is not None:
                kind = self._own.by_name[name].type
                value = _typed(kind, said)
                (last if name == self._lexicon["death"] else items).append(
                    (name, value, pick(draw, values[said]))
                )
            others = values.get("others")
            if others and draw() < (OTHERS if said is None else BESIDE):
                items.append((None, None, pick(draw, others)))
        if fillers := section.get("fillers"):
            most = 6 if section.get("many_fillers") else 3
            chosen = {
                pick(draw, self._lexicon["words"][fillers]) for _ in range(int(draw() * most))
            }
            if section.get("many_fillers") and not chosen:
                chosen = {self._lexicon["words"][fillers][0]}
            items += [(None, None, phrase) for phrase in sorted(chosen)]
        shuffled = sorted(items, key=lambda _: draw())
        if phrases := section.get("phrases"):
            shuffled.insert(0, (None, None, pick(draw, phrases)))
        return shuffled + last

    def _gold(self, text: str, said: Sequence[Said]) -> dict[str, FieldValue]:
        found = dict.fromkeys(self._own.by_name, NOT_MENTIONED)
        for one in said:
            raw = text[one.start : one.end]
            kind = self._own.by_name[one.name].type
            value = " ".join(raw.split()) if kind is FieldType.TEXT else one.value
            unit = raw.lstrip("0123456789,. ") if kind is FieldType.NUMBER else ""
            found[one.name] = stated(Item(raw, value, unit, ((one.start, one.end),)))
        return found


def _of(section: Mapping[str, Any]) -> Mapping[str, Mapping[str, Sequence[str]]]:
    fields: Mapping[str, Mapping[str, Sequence[str]]] = section.get("fields") or {}
    return fields


def _typed(kind: FieldType, said: str) -> object:
    if kind is FieldType.BOOLEAN:
        return said == "true"
    return said if kind is FieldType.CATEGORICAL else None


def _told(manner: Manner) -> str:
    told = [name for name in ("slips", "misread", "wrapped") if getattr(manner, name)]
    return " ".join(told) or "clean"


def sections_of(label_set: LabelSet) -> frozenset[str]:
    """The fields whose value is a whole section."""
    sections = _lexicon(shipped_for(label_set))["sections"]
    return frozenset(one["whole"] for one in sections if one.get("whole"))


def spoken_of(label_set: LabelSet) -> set[str]:
    """The fields that letters for a label set can state."""
    lexicon = _lexicon(shipped_for(label_set))
    found = {name for name in lexicon["header"] if name != "others"}
    for section in lexicon["sections"]:
        found |= {section["whole"]} if section.get("whole") else set()
        for phrase in section.get("phrases") or ():
            found |= fields_in(compiled(phrase), None)
        for name, values in _of(section).items():
            for key, phrases in values.items():
                for phrase in phrases if key != "others" else ():
                    found |= fields_in(compiled(phrase), name)
    return found
