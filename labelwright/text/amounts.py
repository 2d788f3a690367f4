"""Numbers of things, as a sentence says them."""

from __future__ import annotations

_ONE = {"have": "has", "are": "is", "were": "was"}


def amount(count: int, what: str, verb: str = "") -> str:
    """A number and its noun, and what it does.

    >>> amount(1, "report"), amount(1200, "entity"), amount(0, "record")
    ('1 report', '1,200 entities', '0 records')
    >>> amount(1, "note", "wait"), amount(2, "note", "are")
    ('1 note waits', '2 notes are')
    """
    one = count == 1
    noun = what if one else f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    does = _ONE.get(verb, f"{verb}s") if one and verb else verb
    return f"{count:,} {noun} {does}".rstrip()
