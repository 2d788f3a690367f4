"""One file that holds many letters, as a folder on paper is scanned: cut where a heading stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labelwright.errors import ConfigError
from labelwright.readers.documents.pages import Page
from labelwright.text.expressions import Allowance, Expression, compiled

ID = "id"
"""Name of the group of the pattern that holds the letter's own id."""


@dataclass(frozen=True, slots=True)
class Letter:
    """The pages of one letter, and what its id ends with; a page before any letter has a reason."""

    id: str
    pages: tuple[Page, ...]
    reason: str | None = None


def split_at(pattern: str) -> Expression:
    """The pattern of ``--split-at``.

    Raises:
        ConfigError: it is no regular expression, or matches everywhere.
    """
    try:
        found = compiled(pattern)
    except ConfigError as error:
        raise ConfigError(f"--split-at: {error.what}", remedy=error.remedy) from None
    if found.search("") is not None:
        raise ConfigError(
            "--split-at matches an empty page", remedy="give words that only a first page has"
        )
    return found


def letters(pages: Sequence[Page], pattern: Expression) -> Iterator[Letter]:
    """The letters of a file: each begins on a page where the pattern is found.

    Pages before the first one belong to none and are rejected one by one. Where the pattern has a
    group ``id``, a page with the same id as the one before goes on with its letter.

    Raises:
        SlowExpressionError: the pattern does not come to an end on a page.
    """
    current: list[Page] = []
    name = ""
    for page in pages:
        text = "\n".join(" ".join(word.text for word in line) for line in page.lines)
        match = next(Allowance(text).matches(pattern, text), None)
        if match is None:
            if current:
                current.append(page)
            else:
                reason = f"page {page.number} stands before any page that --split-at matches"
                yield Letter(f"page-{page.number}", (page,), reason)
            continue
        named = match[ID] if ID in pattern.groupindex else None
        new = named.strip() if named and named.strip() else f"page-{page.number}"
        if current and new == name:
            current.append(page)
            continue
        if current:
            yield Letter(name, tuple(current))
        name, current = new, [page]
    if current:
        yield Letter(name, tuple(current))
