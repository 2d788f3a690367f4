"""BRAT: a text file and its annotations beside it (``17.txt``, ``17.ann``), or folders of them.

The id is the file's path below the folder without its suffix. Line ends stay as they are, since
BRAT counts them.

The lines of a BRAT annotation file (``.ann``): mentions, attributes, and all others as they are.

Standoff format of brat 1.3 (brat.nlplab.org/standoff.html). Lines beside the mentions (``T``)
and those attributes (``A``, ``M``) that say how certain a mention is are kept word for word.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from labelwright.annotations.certainty_words import of_attribute, strongest
from labelwright.annotations.edges import trimmed
from labelwright.annotations.offsets import Utf16, covers, inside
from labelwright.errors import InputError
from labelwright.readers import folders
from labelwright.readers.annotated.base import DIFFERS, OUTSIDE, PASSED_OVER, SPACE, Bad, settled
from labelwright.readers.folders import PACKINGS, Found
from labelwright.readers.one_text import EncodingError, NoTextError, bytes_of, decoded
from labelwright.readers.opening import MARKS, checked_encoding, faults
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import report_or_reject
from labelwright.records import Certainty, Entity, Reject, Report, Span, in_order
from labelwright.text.sections import split_sections

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


TEXT, NOTES = (".txt",), (".ann",)
LAYOUT = "brat"
"""Key of ``Report.meta`` for the file's lines, where they are asked for."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text and, where offsets count UTF-16 code units, the way from them to characters."""

    text: str
    units: Utf16 | None = None

    def spans(self, mention: Mention) -> tuple[Span, ...] | None:
        """Where a mention stands in the text; ``None`` where offsets and words do not fit."""
        spans = mention.spans if self.units is None else self.units.points(mention.spans)
        return spans if spans is not None and covers(self.text, spans, mention.words) else None


def read_brat(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per text file, and one per annotation file without a text.

    A text without an annotation file is a report that says nothing of entities. A last reject
    counts the annotations that are neither mentions nor certainties, unless the layout is kept.

    Raises:
        InputError: a file or folder that cannot be opened, or a folder without text files.
        ConfigError: flags that only tables have, or an unknown encoding.
    """
    _check(options)
    row = 0
    others: Counter[str] = Counter()
    with faults(path):
        for found in _found(path):
            row += 1
            yield from _items(found, str(path), row, options, others)
    if row == 0:
        raise InputError("no .txt file below this folder", remedy="check the folder", source=path)
    if others and not options.keep_layout:
        counts = ", ".join(f"{n} {kind}{'s' * (n > 1)}" for kind, n in sorted(others.items()))
        yield Reject(None, str(path), row, f"{PASSED_OVER}; {counts}")


def is_brat_folder(path: Path) -> bool:
    """Whether there is an annotation file below a folder."""
    return any(not found.problem for found in folders.walk(path, NOTES))


def _found(path: Path) -> Iterator[Found]:
    if path.is_dir():
        for found in folders.walk(path, (*TEXT, *NOTES)):
            stem = folders.without_suffix(found.name, NOTES)
            if stem == folders.without_suffix(found.name, ()):  # a text
                yield found
            elif _beside(found.path, NOTES, TEXT) is None:
                yield Found(found.path, found.name, "annotations without a text file beside them")
        return
    text = path
    if folders.without_suffix(path.name, NOTES) != folders.without_suffix(path.name, ()):
        beside = _beside(path, NOTES, TEXT)
        if beside is None:
            raise InputError(
                "no text file beside the annotations", remedy="put its .txt there", source=path
            )
        text = beside
    if not text.is_file():
        raise InputError("no such file", remedy="check the path", source=path)
    yield Found(text, text.name)


def _beside(path: Path, own: tuple[str, ...], wanted: tuple[str, ...]) -> Path | None:
    stem = folders.without_suffix(path.name, own)
    for suffix in (*wanted, *(name.upper() for name in wanted)):
        for packing in PACKINGS:
            if (beside := path.with_name(stem + suffix + packing)).is_file():
                return beside
    return None


def _items(
    found: Found, source: str, row: int, options: ReadOptions, others: Counter[str]
) -> Iterator[Report | Reject]:
    if found.problem is not None:
        yield Reject(None, source, row, f"{found.problem}; {folders.shown(found.name)}")
        return
    identifier = folders.without_suffix(found.name, TEXT)
    notes = _beside(found.path, TEXT, NOTES)
    try:
        data = bytes_of(found.path)
        text = decoded(data, options.encoding)
        marked = text.startswith("\ufeff") or data.startswith(tuple(mark for mark, _ in MARKS))
        name = folders.shown(notes.name) if notes else ""
        standoff = None if notes is None else parse(_notes(notes, options), name)
    except EncodingError as error:
        yield Reject(identifier, source, row, f"{error}; --encoding names another")
        return
    except NoTextError as error:
        yield Reject(identifier, source, row, str(error))
        return
    text = text.removeprefix("\ufeff")
    report: Report | Reject
    if standoff is None:
        report = report_or_reject(source, row, identifier, text, split_sections(text))
        yield report
        return
    others.update(standoff.others)
    reading = _reading(text, standoff, marked=marked)
    report = report_or_reject(source, row, identifier, reading.text, split_sections(reading.text))
    if isinstance(report, Reject):
        yield report
    else:
        yield from _annotated(report, standoff, reading, name, options)


def _notes(path: Path, options: ReadOptions) -> str:
    """The annotation file's text; an empty file means that there are none."""
    with faults(path):
        data = bytes_of(path)
        return decoded(data, options.encoding).removeprefix("\ufeff") if data else ""


def _reading(text: str, standoff: Standoff, *, marked: bool) -> _Reading:
    """The way of counting that fits all mentions; that of BRAT if none does.

    Some programs count as BRAT does not: line ends of two characters as one, the byte order mark
    as a character or not, and characters beyond the basic plane as two.
    """
    first = _Reading(text)
    mentions = standoff.mentions
    if all(first.spans(mention) is not None for mention in mentions):
        return first
    one_end = text.replace("\r\n", "\n").replace("\r", "\n")
    for other in dict.fromkeys([text, one_end]):
        with_mark = ["\ufeff" + other] if marked else []
        for form in [other, *with_mark]:
            units = Utf16(form)
            for reading in (_Reading(form), _Reading(form, units)):
                if reading.units is not None and not units.differs:
                    continue
                if all(reading.spans(mention) is not None for mention in mentions):
                    return reading
    return first


def _annotated(
    report: Report, standoff: Standoff, reading: _Reading, name: str, options: ReadOptions
) -> Iterator[Report | Reject]:
    bad = list(standoff.bad)
    placed: dict[int, Entity] = {}
    for number, mention in enumerate(standoff.mentions):
        spans = reading.spans(mention)
        if spans is None:
            reason = DIFFERS if inside(report.text, mention.spans) else OUTSIDE
            bad.append(Bad(f"{name}:{mention.line}", reason))
        else:
            placed[number] = Entity.of(
                report.text, mention.type, *spans, certainty=mention.certainty
            )
    count = 0
    if options.mention_edges == "trim":
        for number, entity in list(placed.items()):
            inner = trimmed(report.text, entity)
            count += inner is not None and inner is not entity
            if inner is None:
                bad.append(Bad(f"{name}:{standoff.mentions[number].line}", SPACE))
                del placed[number]
            else:
                placed[number] = inner
    entities = in_order(placed.values())
    meta = {LAYOUT: _layout(standoff, placed, entities)} if options.keep_layout else {}
    annotated = Report(
        report.id,
        report.text,
        report.source,
        report.row,
        report.patient,
        report.sections,
        meta,
        tuple(entities),
        count,
    )
    yield from settled(annotated, bad, options)


def _layout(standoff: Standoff, placed: dict[int, Entity], entities: list[Entity]) -> str:
    """The file's lines, those of mentions with their place among the entities."""
    places = {id(entity): place for place, entity in enumerate(entities)}
    lines = []
    for line in standoff.layout:
        name, mark, number = line.partition(MARK)
        if not mark:
            lines.append(line)
        elif (entity := placed.get(int(number))) is not None:
            lines.append(f"{name}{MARK}{places[id(entity)]}")
    return "\n".join(lines)


def _check(options: ReadOptions) -> None:
    options.refuse_columns("BRAT files have no columns")
    if options.encoding is not None:
        checked_encoding(options.encoding)
