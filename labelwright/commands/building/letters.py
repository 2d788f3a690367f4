"""``labelwright build --synthetic`` for fields: letters of the grammar with their values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from labelwright.commands.building.flags import BuildOptions
from labelwright.label_set import LabelSet
from labelwright.records import Report

if TYPE_CHECKING:
    from data_builders.sources.base import Source
    from data_builders.synthetic.letters.writer import Letter


def synthetic(
    options: BuildOptions, label_set: LabelSet
) -> tuple[Iterable[Report], dict[str, Any], Source]:
    """Letters, what the manifest says of them, and their values.

    Raises:
        ConfigError: a flag that only the grammar of reports has.
        LabelSetError: no letters are written for this label set.
    """
    from data_builders.sources.letters import LetterValues

    _, letters, facts = drawn(options, label_set)
    known = LetterValues(letters)
    return known.reports(), facts, known


def drawn(
    options: BuildOptions, label_set: LabelSet
) -> tuple[LabelSet, Iterable[Letter], dict[str, Any]]:
    """The label set of the letters' fields, the letters, and what the manifest says of them.

    Raises:
        ConfigError, LabelSetError: as :func:`synthetic`.
    """
    from data_builders.synthetic.letters.writer import fields_for, fingerprint, write_letters

    options.refuse(("balance", "brief", "lexicon"), "is for reports, not letters")
    fields = fields_for(label_set)
    noise = 1.0 if options.noise is None else float(options.noise)
    count, seed = options.synthetic, options.seed
    letters = write_letters(fields, count, seed, noise=noise)
    sha256 = fingerprint(fields)
    told = {"letters": count, "seed": seed, "noise": noise, "lexicon_sha256": sha256}
    return fields, letters, {"synthetic": told, "inputs": []}
