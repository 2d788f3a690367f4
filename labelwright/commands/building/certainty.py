"""The flags of ``labelwright build`` for labels: label sets of observations."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.building.flags import SOURCES
from labelwright.errors import InputError
from labelwright.label_set import LabelSet
from labelwright.records import Report

if TYPE_CHECKING:
    from data_builders.sources.labels import LabelSource

FLAGS = (
    "labels",
    "test_labels",
    "label_id_columns",
    "rules",
    "openi_table",
    "synthetic",
    "balance",
    "noise",
    "brief",
    "lexicon",
    "augment",
)
"""The flags of this kind."""
NEEDS_LABELS = True


def check(arguments: argparse.Namespace) -> None:
    """Nothing more than what all builds are checked for."""


def source(arguments: argparse.Namespace, label_set: LabelSet) -> LabelSource | None:
    """Where the labels come from; ``None`` for reports of the grammar, which bring their own."""
    return None if arguments.labels is None else source_of(arguments.labels, arguments, label_set)


def test_source(arguments: argparse.Namespace, label_set: LabelSet) -> LabelSource:
    """Other labels for the test split."""
    return source_of(arguments.test_labels, arguments, label_set)


def synthetic(
    arguments: argparse.Namespace, label_set: LabelSet
) -> tuple[Iterable[Report], dict[str, Any], LabelSource]:
    """Reports of the grammar, what the manifest says of them, and their labels."""
    from data_builders.sources.labels import KnownLabels
    from data_builders.synthetic.lexicon import Lexicon
    from data_builders.synthetic.reports import write_reports

    lexicon = Lexicon.for_label_set(label_set, arguments.lexicon)
    count, seed = arguments.synthetic, arguments.seed
    usual = {"balance": 0.0, "noise": 1.0, "brief": 0.0}
    given = {name: getattr(arguments, name) for name in usual}
    shares = {k: usual[k] if v is None else float(v) for k, v in given.items()}
    known = KnownLabels(
        write_reports(
            label_set,
            count,
            seed,
            balance=shares["balance"],
            noise=shares["noise"],
            brief=shares["brief"],
            lexicon=lexicon,
        )
    )
    drawn = {"reports": count, "seed": seed, **shares, "lexicon_sha256": lexicon.sha256}
    return known.reports(), {"synthetic": drawn, "inputs": []}, known


def source_of(given: str, arguments: argparse.Namespace, label_set: LabelSet) -> LabelSource:
    """Labels by a table, the rules or codes.

    Raises:
        InputError: there is no such table.
    """
    from data_builders.sources.labels import CodeLabels, LabelerLabels, TableLabels

    if given == "rules":
        from baselines.rules.labeler import RulesLabeler
        from labelwright.labelers.gate import gated

        return LabelerLabels(gated(RulesLabeler.for_label_set(label_set, arguments.rules)))
    if given == "openi-mesh":
        from data_builders.sources.openi_codes import CodeTable

        path = arguments.openi_table
        table = (
            CodeTable.for_label_set(label_set) if path is None else CodeTable.load(path, label_set)
        )
        return CodeLabels(table, label_set)
    if not Path(given).exists():
        raise InputError("no such label table", remedy=f"give {SOURCES}", source=given)
    return TableLabels(
        Path(given),
        label_set,
        asked_columns=arguments.label_id_columns,
        reports_id=arguments.id_column,
    )
