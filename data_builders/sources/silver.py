"""Silver labels: what a teacher (a language model, a server, rules) says of phrases.

Three forms of answers are taken, a line of JSON per phrase: entities or substrings (``entities``,
as ``predictions.jsonl`` of a labeling run has them), the phrase with tags (``marked``), or a list
with an IOB label per word (``labels``). The first two are placed in the phrase by us, so no length
can be wrong. Lists of labels often are: equal, longer and shorter ones are counted, and one of
wrong length is dropped unless it shall be padded with O or cut; every repair is recorded by the
phrase's id.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_builders.sources.align_strings import GivenString, align
from data_builders.sources.entities import NOT_FOUND, MarkedNote
from labelwright.errors import InputError
from labelwright.io import delimited
from labelwright.io.jsonl import read_jsonl
from labelwright.io.manifest import inputs
from labelwright.records import Certainty, Entity, Report, Span
from labelwright.results import predictions_file

DROP, PAD, CUT, BOTH = REPAIRS = ("drop", "pad", "cut", "pad-and-cut")
"""What becomes of lists of labels of wrong length: nothing, or O behind, or the rest left out."""
FILTERS: Mapping[str, str] = {
    "none": "no entity in the phrase",
    "single": "one label only in the phrase",
    "short": "a phrase of fewer than 15 characters",
    "duplicates": "the phrase stands twice",
}
"""Phrases that can be left out, by the name of the filter, with the reason in ``rejects.jsonl``."""
SHORT = 15
KEEP, DISCARD = VERDICTS = ("keep", "discard")
_TAG = re.compile(r"<(/?)([^<>/]{1,60})>")
_WORD = re.compile(r"\S+")
_LABEL = re.compile(r"([BI])(?:[-_](.+))?")
_NEEDS = '{"id", "entities"}, {"id", "marked"} or {"id", "labels"}'


class SilverAnswers:
    """What a teacher said; an :class:`data_builders.sources.entities.EntitySource`.

    Args:
        path: a file, or the folder of a labeling run.
        only_type: the type of labels that name none (``B``, ``I``); ``None`` where there are many.
        verdicts: a table ``id, verdict`` of people: *keep* or *discard*.

    Raises:
        InputError: a file cannot be read, or a row is none.
    """

    def __init__(
        self,
        path: Path,
        *,
        repair: str = DROP,
        filters: Sequence[str] = (),
        only_type: str | None = None,
        verdicts: Path | None = None,
        nesting: bool = False,
    ) -> None:
        self._path = predictions_file(path)
        self.name = f"silver {path.name}"
        self._repair = repair
        self._filters = tuple(filters)
        self._type = only_type
        self._nesting = nesting
        self._answers = dict(_answers(self._path))
        self._verdicts = {} if verdicts is None else dict(_verdicts(verdicts))
        self._verdict_file = verdicts
        self._seen: set[str] = set()
        self._lengths: Counter[str] = Counter()
        self._repaired: dict[str, str] = {}
        self._zeros = 0

    def entities(self, report: Report) -> MarkedNote:
        """The entities of a phrase, or why it is left out."""
        row = self._answers.get(report.id)
        if row is None:
            return MarkedNote((), 0, reason="the teacher said nothing of it")
        if self._verdicts.get(report.id) == DISCARD:
            return MarkedNote((), 0, reason="discarded by a person")
        marked = self._read(report, row)
        why = None if marked.reason else self._filtered(report.text, marked.entities)
        return marked if why is None else MarkedNote((), marked.given, reason=why)

    def describe(self) -> Mapping[str, Any]:
        """The file, the lengths of lists of labels, and every repair."""
        return {
            "kind": "silver",
            **inputs([self._path])[0],
            "filters": list(self._filters),
            "verdicts": None if self._verdict_file is None else inputs([self._verdict_file])[0],
            "label_lists": {
                "lengths": dict(sorted(self._lengths.items())),
                "repair": self._repair,
                "repaired": dict(self._repaired),
                "zeros_read_as_O": self._zeros,
            },
        }

    def _filtered(self, text: str, entities: Sequence[Entity]) -> str | None:
        plain = " ".join(text.split()).casefold()
        again = plain in self._seen
        self._seen.add(plain)
        found = {
            "none": not entities,
            "single": _labels(text, entities) == 1,
            "short": len(text.strip()) < SHORT,
            "duplicates": again,
        }
        return next((FILTERS[name] for name in self._filters if found[name]), None)

    def _read(self, report: Report, row: Mapping[str, Any]) -> MarkedNote:
        if "labels" in row and isinstance(row["labels"], list):
            return self._listed(report, row["labels"])
        if "marked" in row:
            return _tagged(report.text, str(row["marked"]))
        given = row.get("entities")
        if given is None:
            return MarkedNote((), 0, reason="the teacher's answer could not be read")
        placed = [Entity.from_json(one) for one in given if one.get("spans")]
        loose = [
            GivenString(str(one["type"]), str(one["text"]), _certainty(one))
            for one in given
            if not one.get("spans")
        ]
        if any(one.end > len(report.text) for one in placed):
            return MarkedNote((), len(given), reason="the teacher's places are outside the phrase")
        aligned = align(report.text, loose, nesting=self._nesting, places="one")
        missing = {NOT_FOUND: aligned.missing} if aligned.missing else {}
        return MarkedNote((*placed, *aligned.entities), len(given), missing)

    def _listed(self, report: Report, labels: Sequence[Any]) -> MarkedNote:
        words = [match.span() for match in _WORD.finditer(report.text)]
        said = [str(label).strip() for label in labels]
        zeros = said.count("0")
        self._zeros += zeros
        said = ["O" if label == "0" else label for label in said]
        difference = len(said) - len(words)
        kind = "equal" if not difference else "longer" if difference > 0 else "shorter"
        self._lengths[kind if not difference else f"{kind} by {abs(difference)}"] += 1
        if difference:
            able = (PAD, BOTH) if difference < 0 else (CUT, BOTH)
            if self._repair not in able:
                return MarkedNote((), 0, reason=f"labels {kind} than the phrase has words")
            done = "padded" if difference < 0 else "cut"
            self._repaired[report.id] = f"{done} by {abs(difference)}"
            said = [*said, *["O"] * -difference][: len(words)]
        return self._joined(report.text, words, said)

    def _joined(self, text: str, words: Sequence[Span], labels: Sequence[str]) -> MarkedNote:
        """Labels as entities; an I that follows nothing of its type begins one."""
        entities: list[Entity] = []
        unknown = 0
        open_: tuple[str, int, int] | None = None
        for (start, end), label in [*zip(words, labels, strict=True), ((0, 0), "O")]:
            match = _LABEL.fullmatch(label)
            kind = None if match is None else match[2] or self._type
            unknown += label != "O" and kind is None
            if open_ is not None and match is not None and match[1] == "I" and kind == open_[0]:
                open_ = (open_[0], open_[1], end)
                continue
            if open_ is not None:
                entities.append(Entity.of(text, open_[0], (open_[1], open_[2])))
            open_ = None if kind is None else (kind, start, end)
        left = {"a label that is neither B, I nor O": unknown} if unknown else {}
        return MarkedNote(tuple(entities), len(entities) + unknown, left)


def _labels(text: str, entities: Sequence[Entity]) -> int:
    """How many words of a phrase have a label."""
    spans = [span for one in entities for span in one.spans]
    words = [match.span() for match in _WORD.finditer(text)]
    return sum(any(a < end and start < b for a, b in spans) for start, end in words)


def _tagged(text: str, marked: str) -> MarkedNote:
    """``Il <Sign>dolore</Sign>``: the tags away, the places kept, if the words are the phrase's."""
    plain: list[str] = []
    found: list[tuple[str, int, int]] = []
    open_: list[tuple[str, int]] = []
    at = size = 0
    for tag in _TAG.finditer(marked):
        piece = marked[at : tag.start()]
        plain.append(piece)
        size += len(piece)
        at = tag.end()
        if not tag[1]:
            open_.append((tag[2].strip(), size))
        elif open_ and open_[-1][0] == tag[2].strip():
            kind, start = open_.pop()
            found.append((kind, start, size))
    whole = "".join([*plain, marked[at:]])
    if open_ or " ".join(whole.split()) != " ".join(text.split()):
        return MarkedNote((), len(found), reason="the marked phrase has other words")
    places = _same_characters(whole, text)
    entities = []
    for kind, start, end in found:
        inner = whole[start:end]
        first, last = start + len(inner) - len(inner.lstrip()), start + len(inner.rstrip())
        if first < last:
            span = (places[first], places[last - 1] + 1)
            entities.append(Entity.of(text, kind, span))
    return MarkedNote(tuple(entities), len(found))


def _same_characters(one: str, other: str) -> dict[int, int]:
    """Where the characters of a text stand in another that has other white space."""
    theirs = (i for i, char in enumerate(other) if not char.isspace())
    return {i: next(theirs) for i, char in enumerate(one) if not char.isspace()}


def _certainty(row: Mapping[str, Any]) -> Certainty | None:
    given = row.get("certainty")
    return None if given is None else Certainty(given)


def _answers(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for row, line in read_jsonl(path):
        try:
            known = isinstance(line["labels"], list) if "labels" in line else False
            if not (known or "marked" in line or "entities" in line):
                raise KeyError
            for one in line.get("entities") or ():
                if one.get("spans"):
                    Entity.from_json(one)
                else:
                    _certainty(one), one["type"], one["text"]
            yield str(line["id"]), line
        except (KeyError, TypeError, AttributeError, ValueError):
            raise InputError(
                "the line is no answer of a teacher",
                remedy=f"write {_NEEDS}",
                source=path,
                row=row,
            ) from None


def _verdicts(path: Path) -> Iterator[tuple[str, str]]:
    columns = delimited.columns(path)
    if "verdict" not in columns:
        raise delimited.no_column("verdict", columns, path)
    identifier = delimited.id_columns(path, (), "--silver-verdicts")[0]
    for row, cells in delimited.rows(path):
        said = cells["verdict"].strip().casefold()
        if said not in VERDICTS:
            raise InputError(
                "a verdict that is neither keep nor discard",
                remedy="write one of them",
                source=path,
                row=row,
            )
        yield delimited.unescape_id(cells[identifier].strip()), said
