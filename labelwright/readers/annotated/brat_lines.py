"""The lines of a BRAT annotation file (``.ann``): mentions, attributes, and all others as they are.

Standoff format of brat 1.3 (brat.nlplab.org/standoff.html). Lines beside the mentions (``T``)
and those attributes (``A``, ``M``) that say how certain a mention is are kept word for word.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from labelwright.annotations.certainty_words import of_attribute, strongest
from labelwright.readers.annotated.base import Bad
from labelwright.records import Certainty, Span

MARK = "\0"
"""Stands in :attr:`Standoff.layout` between the id of a mention and its number."""

_MENTION = re.compile(r"(T\S+)\t(\S+) (\d{1,9} \d{1,9}(?:;\d{1,9} \d{1,9})*)(?:\t(.*))?", re.DOTALL)
_ATTRIBUTE = re.compile(r"[AM]\S+\t(\S+) (\S+)(?:[ \t]+(\S+))?\s*")
_OTHERS = {
    "A": "attribute",
    "M": "attribute",
    "R": "relation",
    "*": "relation",
    "E": "event",
    "N": "normalization",
    "#": "note",
}


@dataclass(frozen=True, slots=True)
class Mention:
    """A text-bound annotation; ``words`` is what the file says that it covers."""

    id: str
    type: str
    spans: tuple[Span, ...]
    words: str
    line: int
    certainty: Certainty | None = None


@dataclass(slots=True)
class Standoff:
    """An annotation file as understood.

    Attributes:
        mentions: in the file's order.
        others: how many lines of which kind say something else than mentions and certainties.
        bad: what could not be understood.
        layout: the file's lines; that of a mention is its id, :data:`MARK` and its number.
    """

    mentions: list[Mention] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    bad: list[Bad] = field(default_factory=list)
    layout: list[str] = field(default_factory=list)


def parse(text: str, name: str) -> Standoff:
    """Read an annotation file.

    Args:
        name: of the file, for ``bad``.
    """
    found = Standoff()
    said: defaultdict[str, list[Certainty]] = defaultdict(list)
    seen: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        if line[0] == "T":
            mention = _mention(line, number)
            if isinstance(mention, str) or mention.id in seen:
                reason = mention if isinstance(mention, str) else "the id appears twice in the file"
                found.bad.append(Bad(f"{name}:{number}", reason))
                continue
            seen.add(mention.id)
            found.layout.append(f"{mention.id}{MARK}{len(found.mentions)}")
            found.mentions.append(mention)
        elif line[0] in _OTHERS and "\t" in line and MARK not in line:
            found.layout.append(line)
            if (attribute := _certainty(line)) is None:
                found.others[_OTHERS[line[0]]] += 1
            else:
                said[attribute[0]].append(attribute[1])
        else:
            known = "a broken line" if line[0] in _OTHERS else "an unknown kind of line"
            found.bad.append(Bad(f"{name}:{number}", known))
    if said:
        found.mentions = [_with(mention, said.get(mention.id)) for mention in found.mentions]
    return found


def _mention(line: str, number: int) -> Mention | str:
    match = _MENTION.fullmatch(line)
    if match is None:
        return "a broken line; wanted is: T1, tab, type, offsets, tab, text"
    if match[4] is None:
        return "the text that it covers is missing"
    spans = tuple(
        (int(start), int(end)) for start, end in (part.split(" ") for part in match[3].split(";"))
    )
    return Mention(match[1], match[2], spans, match[4], number)


def _certainty(line: str) -> tuple[str, Certainty] | None:
    """The mention that an attribute belongs to and what it says, if it speaks of certainty."""
    match = _ATTRIBUTE.fullmatch(line)
    said = None if match is None else of_attribute(match[1], match[3])
    return None if match is None or said is None else (match[2], said)


def _with(mention: Mention, said: list[Certainty] | None) -> Mention:
    if not said:
        return mention
    return Mention(
        mention.id, mention.type, mention.spans, mention.words, mention.line, strongest(said)
    )
