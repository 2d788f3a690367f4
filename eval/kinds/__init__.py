"""Kinds of task in a comparison: what each offers, known without anything heavy."""

from __future__ import annotations

from collections.abc import Iterator

from eval.kinds.base import Offer
from labelwright.tasks import every_kind, extension

PACKAGE = "eval.kinds"
"""Where a kind's own package is, with its ``OFFER`` and, in ``page``, its ``VIEW``."""


def offers() -> Iterator[Offer]:
    """What the kinds with a view of their own offer."""
    return (found.OFFER for kind in every_kind() if (found := extension(kind, PACKAGE)))
