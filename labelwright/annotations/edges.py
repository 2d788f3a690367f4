"""White space at the edges of mentions: people mark it by accident, and no labeler writes it."""

from __future__ import annotations

from dataclasses import replace

from labelwright.records import Entity, Span

EDGES = ("trim", "keep")
"""What becomes of it in reading."""


def trimmed(text: str, entity: Entity) -> Entity | None:
    """The mention without white space at the edges of its parts; itself where there is none.

    ``None`` where nothing else is in it.

    >>> trimmed("A node .", Entity("X", ((1, 7),), " node "))
    Entity(type='X', spans=((2, 6),), text='node', certainty=None, prob=None)

    Args:
        text: that it stands in.
    """
    spans = tuple(filter(None, (_inner(text, span) for span in entity.spans)))
    if spans == entity.spans:
        return entity
    if not spans:
        return None
    words = " ".join(text[start:end] for start, end in spans)
    return replace(entity, spans=spans, text=words)


def _inner(text: str, span: Span) -> Span | None:
    piece = text[span[0] : span[1]]
    start = span[0] + len(piece) - len(piece.lstrip())
    end = span[0] + len(piece.rstrip())
    return (start, end) if start < end else None
