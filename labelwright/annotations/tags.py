"""Tags on tokens: BIO, IOB1, IO, BIOES and BILOU, found out, read and written.

A tag is a prefix and a type (``B-Disease``), or ``O``. Whether a tag is in its place can be told
from the tag before it, so counts of neighbouring tags say which scheme a file has.

bio    B begins, I goes on (also called IOB2)
iob1   I begins and goes on; B begins only right after a mention of the same type
io     I only; neighbours of the same type cannot be told apart
bioes  B begins, I goes on, E ends, S stands alone
bilou  the same with L for E and U for S
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SCHEMES = ("bio", "iob1", "io", "bioes", "bilou")
UNTYPED = "Entity"
"""The type of tags that are prefixes only, as some corpora of one type have them."""

_PREFIXES = {"bio": "BI", "iob1": "BI", "io": "I", "bioes": "BIES", "bilou": "BILU"}
_LAST = {"bioes": ("E", "S"), "bilou": ("L", "U")}
_KNOWN = frozenset("BIESLU")

DOCSTART = "-DOCSTART-"
DOCUMENT_ID = re.compile(
    r"#\s*(?:id|doc_?id|document_id|newdoc\s+id)\s*[=:]\s*(\S.*?)\s*|# id (\S+).*"
)
"""Lines of CoNLL files at which a document begins; the second says its id."""

Tag = tuple[str, str]
"""Prefix and type; both empty for ``O``."""
OUTSIDE: Tag = ("", "")
Pair = tuple[str, str, bool]
"""Prefixes of two neighbours and whether their types are equal."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens ``start`` to ``end`` (not part of it) as one mention; ``wrong``: tags out of place."""

    type: str
    start: int
    end: int
    wrong: bool = False


def tag_of(written: str) -> Tag | None:
    """A tag from a file; ``None`` if it is none of any scheme.

    >>> tag_of("B-Disease"), tag_of("O"), tag_of("I"), tag_of("Disease")
    (('B', 'Disease'), ('', ''), ('I', 'Entity'), None)
    """
    if written == "O":
        return OUTSIDE
    if written[:1] not in _KNOWN:
        return None
    if len(written) == 1:
        return written, UNTYPED
    return (written[0], written[2:]) if written[1] == "-" and len(written) > 2 else None


def pairs_of(tags: Iterable[Tag], found: Counter[Pair]) -> None:
    """Count the neighbours in a sentence, its edges included."""
    before = OUTSIDE
    for tag in tags:
        found[before[0], tag[0], before[1] == tag[1]] += 1
        before = tag
    found[before[0], "", False] += 1


def prefixes_of(pairs: Counter[Pair]) -> set[str]:
    """The prefixes that occur."""
    return {prefix for _, prefix, _ in pairs if prefix}


def misfits(scheme: str, pairs: Counter[Pair]) -> int | None:
    """How many tags are out of place; ``None`` if some do not belong to the scheme at all."""
    if not prefixes_of(pairs) <= set(_PREFIXES[scheme]):
        return None
    return sum(count for pair, count in pairs.items() if _wrong(scheme, *pair))


def detect(pairs: Counter[Pair]) -> str | None:
    """The scheme of a file, or ``None`` if its tags mix several.

    Tags of BIOES and BILOU are known by their letters. Those of BIO and IOB1 must all be in
    place, since a tag out of place in the one is in place in the other.
    """
    prefixes = prefixes_of(pairs)
    if prefixes == {"I"}:
        return "io"
    if prefixes <= set("BI"):
        return next((s for s in ("bio", "iob1") if not misfits(s, pairs)), None)
    return next((s for s in ("bioes", "bilou") if misfits(s, pairs) is not None), None)


def decode(tags: Sequence[Tag], scheme: str) -> list[Chunk]:
    """The mentions of a sentence.

    A tag that is out of place begins or ends a mention as conlleval has it (I after O begins
    one, B after an unfinished one ends that); the mention is marked as wrong.
    """
    found: list[Chunk] = []
    begin, wrong = -1, False
    before = OUTSIDE
    for at, tag in enumerate((*tags, OUTSIDE)):
        same = before[1] == tag[1]
        if begin >= 0 and not (same and _goes_on(scheme, before[0], tag[0])):
            unfinished = scheme in _LAST and before[0] not in _LAST[scheme]
            found.append(Chunk(before[1], begin, at, wrong or unfinished))
            begin = -1
        if tag[0] and begin < 0:
            begin, wrong = at, not _begins(scheme, before, tag)
        before = tag
    return found


def encode(length: int, chunks: Iterable[Chunk], scheme: str) -> list[Tag]:
    """The tags of a sentence of ``length`` tokens; ``chunks`` must not overlap."""
    tags = [OUTSIDE] * length
    for chunk in sorted(chunks, key=lambda c: c.start):
        for at in range(chunk.start, chunk.end):
            tags[at] = ("I", chunk.type)
        first, last = chunk.start, chunk.end - 1
        if scheme in _LAST:
            end, single = _LAST[scheme]
            tags[last] = (end, chunk.type)
            tags[first] = (single if first == last else "B", chunk.type)
        elif scheme == "bio" or (
            scheme == "iob1" and first > 0 and tags[first - 1][1] == chunk.type
        ):
            tags[first] = ("B", chunk.type)
    return tags


def written(tag: Tag, *, bare: bool = False) -> str:
    """A tag as it stands in a file; ``bare``: the prefix only."""
    if not tag[0]:
        return "O"
    return tag[0] if bare else f"{tag[0]}-{tag[1]}"


def _goes_on(scheme: str, before: str, prefix: str) -> bool:
    """Whether a tag goes on with the mention that the tag before it, of its type, belongs to."""
    if scheme in _LAST:
        return before in ("B", "I") and prefix in ("I", _LAST[scheme][0])
    return prefix == "I"


def _begins(scheme: str, before: Tag, tag: Tag) -> bool:
    """Whether a tag that begins a mention may do so."""
    if scheme == "iob1":
        return tag[0] == "I" or before[1] == tag[1]
    return scheme == "io" or tag[0] in ("B", "S", "U")


def _wrong(scheme: str, before: str, prefix: str, same: bool) -> bool:
    goes_on = bool(before) and bool(prefix) and same and _goes_on(scheme, before, prefix)
    if scheme in _LAST and before in ("B", "I") and not goes_on:
        return True
    if not prefix or goes_on:
        return False
    if scheme == "iob1":
        return prefix == "B" and not (before and same)
    return scheme != "io" and prefix not in ("B", "S", "U")
