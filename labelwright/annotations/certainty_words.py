"""The words with which annotation tools say how certain a mention is, and what they mean here.

Where several are given for one mention, uncertain outweighs negative, and negative positive:
"probably no metastasis" is marked as both negated and speculated.
"""

from __future__ import annotations

from collections.abc import Iterable

from labelwright.records import Certainty

FLAGS = {
    "negation": Certainty.NEGATIVE,
    "negated": Certainty.NEGATIVE,
    "negative": Certainty.NEGATIVE,
    "neg": Certainty.NEGATIVE,
    "absent": Certainty.NEGATIVE,
    "speculation": Certainty.UNCERTAIN,
    "speculated": Certainty.UNCERTAIN,
    "speculative": Certainty.UNCERTAIN,
    "uncertain": Certainty.UNCERTAIN,
    "possible": Certainty.UNCERTAIN,
    "hedged": Certainty.UNCERTAIN,
}
"""Attributes without a value: that they are there says it."""

ATTRIBUTES = frozenset(
    {"certainty", "assertion", "polarity", "factuality", "modality", "status", "presence"}
)
"""Attributes whose value says it."""

VALUES = {
    **dict.fromkeys(("positive", "pos", "affirmed", "asserted", "present"), Certainty.POSITIVE),
    **dict.fromkeys(("certain", "factual", "true", "yes"), Certainty.POSITIVE),
    **dict.fromkeys(("negative", "neg", "negated", "absent", "denied"), Certainty.NEGATIVE),
    **dict.fromkeys(("counterfactual", "false", "no"), Certainty.NEGATIVE),
    **dict.fromkeys(("uncertain", "possible", "probable", "speculated"), Certainty.UNCERTAIN),
    **dict.fromkeys(("speculative", "hypothetical", "hedged", "unsure"), Certainty.UNCERTAIN),
    "blank": Certainty.BLANK,
}
"""Values of :data:`ATTRIBUTES`."""

_WEIGHT = (Certainty.BLANK, Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.UNCERTAIN)


def of_attribute(name: str, value: str | None) -> Certainty | None:
    """What an attribute says; ``None`` where it speaks of something else.

    >>> of_attribute("Negation", None), of_attribute("Certainty", "Possible")
    (<Certainty.NEGATIVE: 'negative'>, <Certainty.UNCERTAIN: 'uncertain'>)
    """
    name = name.casefold()
    if value is None:
        return FLAGS.get(name)
    value = value.casefold()
    if name in ATTRIBUTES:
        return VALUES.get(value)
    if name in FLAGS and VALUES.get(value) in (Certainty.POSITIVE, FLAGS[name]):
        return FLAGS[name]  # Negation: yes, Negation: negated
    return None


def strongest(found: Iterable[Certainty]) -> Certainty | None:
    """The one that counts of all that were said of a mention; ``None`` if nothing was."""
    return max(found, key=_WEIGHT.index, default=None)
