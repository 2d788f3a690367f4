"""The flags of ``labelwright build`` for labels: label sets of observations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.building.flags import MESH, RULES, SOURCES, BuildOptions, GrammarOptions
from labelwright.errors import InputError
from labelwright.label_set import LabelSet
from labelwright.records import Report

if TYPE_CHECKING:
    from data_builders.sources.labels import LabelSource
    from labelwright.labelers.base import ReportLabeler

FLAGS = (
    *("labels", "test_labels", "label_id_columns", "rules", "openi_table", "augment"),
    *GrammarOptions.names(),
)
"""The flags of this kind."""
NEEDS_LABELS = True


def check(options: BuildOptions) -> None:
    """Nothing more than what all builds are checked for."""


def source(options: BuildOptions, label_set: LabelSet) -> LabelSource | None:
    """Where the labels come from; ``None`` for reports of the grammar, which bring their own."""
    return None if options.labels is None else source_of(options.labels, options, label_set)


def synthetic(
    options: BuildOptions, label_set: LabelSet
) -> tuple[Iterable[Report], dict[str, Any], LabelSource]:
    """Reports of the grammar, what the manifest says of them, and their labels."""
    from data_builders.sources.labels import KnownLabels
    from data_builders.synthetic.lexicon import Lexicon
    from data_builders.synthetic.reports import write_reports

    lexicon = Lexicon.for_label_set(label_set, options.lexicon)
    count, seed = options.synthetic, options.seed
    shares = options.shares()
    pairs = write_reports(label_set, count, seed, **shares, lexicon=lexicon)
    drawn = {"reports": count, "seed": seed, **shares, "lexicon_sha256": lexicon.sha256}
    if options.unit is None:
        known = KnownLabels(pairs)
    else:
        from labelwright.commands.building.clauses import ClauseLabels

        known = ClauseLabels(pairs, label_set, _rules(options, label_set), seed)
        drawn["unit"] = options.unit
    return known.reports(), {"synthetic": drawn, "inputs": []}, known


def source_of(given: str, options: BuildOptions, label_set: LabelSet) -> LabelSource:
    """Labels by a table, the rules or codes.

    Raises:
        InputError: there is no such table.
    """
    from data_builders.sources.labels import CodeLabels, LabelerLabels, TableLabels

    if given == RULES:
        from labelwright.labelers.gate import gated

        return LabelerLabels(gated(_rules(options, label_set)))
    if given == MESH:
        from data_builders.sources.openi_codes import CodeTable

        path = options.openi_table
        table = (
            CodeTable.for_label_set(label_set) if path is None else CodeTable.load(path, label_set)
        )
        return CodeLabels(table, label_set)
    if not Path(given).exists():
        raise InputError("no such label table", remedy=f"give {SOURCES}", source=given)
    return TableLabels(
        Path(given),
        label_set,
        asked_columns=options.label_id_columns,
        reports_id=options.id_column,
    )


def _rules(options: BuildOptions, label_set: LabelSet) -> ReportLabeler:
    from baselines.rules.labeler import RulesLabeler

    return RulesLabeler.for_label_set(label_set, options.rules)
