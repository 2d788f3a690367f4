"""BRAT: a text file and its annotations beside it (``17.txt``, ``17.ann``), or folders of them.

The id is the file's path below the folder without its suffix. Line ends stay as they are, since
BRAT counts them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labelwright.annotations.edges import trimmed
from labelwright.annotations.offsets import Utf16, covers, inside
from labelwright.errors import ConfigError, InputError
from labelwright.readers import folders
from labelwright.readers.annotated.base import DIFFERS, OUTSIDE, PASSED_OVER, SPACE, Bad, settled
from labelwright.readers.annotated.brat_lines import MARK, Mention, Standoff, parse
from labelwright.readers.folders import PACKINGS, Found
from labelwright.readers.one_text import EncodingError, NoTextError, bytes_of, decoded
from labelwright.readers.opening import MARKS, checked_encoding, faults
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import report_or_reject
from labelwright.records import Entity, Reject, Report, Span, in_order
from labelwright.text.sections import split_sections

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
    asked = [options.id_column, options.patient_column, *options.text_columns]
    if any(asked) or options.meta_columns:
        raise ConfigError(
            "BRAT files have no columns",
            remedy="remove --id-column, --text-columns, --patient-column and --meta-columns",
        )
    if options.encoding is not None:
        checked_encoding(options.encoding)
