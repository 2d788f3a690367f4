"""The reporting checklist, filled from what the files record.

MI-CLEAR-LLM: Park et al. 2024, doi:10.3348/kjr.2024.0843 (six items). TRIPOD-LLM: Gallifant et
al. 2025, doi:10.1038/s41591-024-03425-5; its items are named by topic here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.page.tables import Column, Table, Value
from eval.page.verdict import percent, sample
from eval.read.provenance import Independence, Source
from eval.stats.tested import Tested

RECORDED, OPEN = "recorded", "to be written"


@dataclass(frozen=True)
class Item:
    """One item: ``value`` is what the files say; empty where they say nothing."""

    topic: str
    asked_by: str
    value: str
    advice: str = ""

    @property
    def recorded(self) -> bool:
        """Whether the files answer it."""
        return bool(self.value)


def checklist(
    analysis: Tested,
    sources: Sequence[Source],
    split: Independence | None,
    *,
    subgroups: str = "",
) -> list[Item]:
    """The items in the order of a methods section.

    Args:
        subgroups: title of the page's section on subgroups, where it has one.
    """
    models = [s for s in sources if s.generative]
    settings = analysis.tests.settings
    runs = all(s.manifest is not None for s in sources)
    return [
        Item(
            "Model: name, version, hash",
            "MI-CLEAR-LLM 1; TRIPOD-LLM model",
            _each(models, lambda s: s.model),
            "give the model's name, version and source",
        ),
        Item(
            "Date of labeling",
            "MI-CLEAR-LLM 1",
            _each(models, lambda s: str((s.manifest or {}).get("finished", ""))[:10]),
            "say when the model was asked",
        ),
        Item(
            "Randomness: decoding, repeats",
            "MI-CLEAR-LLM 2; TRIPOD-LLM output",
            _each(models, lambda s: s.decoding and f"{s.decoding}; one query per report"),
            "give temperature, seed and the number of queries per report",
        ),
        Item(
            "Prompt, verbatim",
            "MI-CLEAR-LLM 3; TRIPOD-LLM prompting",
            _each(models, lambda s: "below" if s.prompt else ""),
            "quote the prompt in full",
        ),
        Item(
            "How prompts were used",
            "MI-CLEAR-LLM 4",
            "one query per report, a system and a user turn, no history" if models else "",
            "say whether queries shared a session",
        ),
        Item(
            "Prompt testing and choice",
            "MI-CLEAR-LLM 5; TRIPOD-LLM prompting",
            "",
            "say how the prompt was found, and on which reports",
        ),
        Item(
            "Test data independent of training",
            "MI-CLEAR-LLM 6; TRIPOD-LLM data",
            split.finding if split and split.clean else "",
            f"{split.finding}; remove them from one side"
            if split
            else "give the training data folder with --data, or say how the reports were split",
        ),
        Item(
            "Reports scored",
            "TRIPOD-LLM data, participants",
            f"{sample(analysis)}; prevalence per {analysis.unit[0]} in the first table",
        ),
        Item(
            "Reference labels: who, how",
            "TRIPOD-LLM annotation",
            "",
            "say who labeled the gold, with which guide and agreement",
        ),
        Item(
            "Flow of reports, failures",
            "TRIPOD-LLM data, output",
            "table below; failures count as errors" if runs else "",
            "run labels through `labelwright label`, or give the numbers",
        ),
        Item(
            "Scores, intervals, tests",
            "TRIPOD-LLM analysis, performance",
            f"{analysis.short}, {percent(settings.level)} BCa intervals, paired randomization; "
            "methods above",
        ),
        Item(
            "Software and compute",
            "TRIPOD-LLM compute, open science",
            _each(sources, _versions) if runs else "",
            "give versions and hardware",
        ),
        Item(
            "Subgroups and fairness",
            "TRIPOD-LLM performance",
            f"scores and gaps in the section {subgroups}" if subgroups else "",
            "report scores by sex, age and site where they are known",
        ),
    ]


def checklist_table(items: Sequence[Item]) -> Table:
    """The checklist as a table of the page."""
    rows: list[tuple[Value, ...]] = [
        (i.topic, RECORDED if i.recorded else OPEN, i.value or i.advice, i.asked_by) for i in items
    ]
    done = sum(i.recorded for i in items)
    return Table(
        name="checklist",
        title="Reporting checklist",
        columns=(
            Column("Item"),
            Column("State"),
            Column("What the files say, or what you add", kind="wrap"),
            Column("Asked by", kind="wrap"),
        ),
        rows=tuple(rows),
        caption=f"{done} of {len(items)} items are answered by the files; the rest is yours.",
        sortable=False,
    )


def _each(sources: Sequence[Source], of: Callable[[Source], str]) -> str:
    """``name: value`` of each source; empty if one of them has no value."""
    values = [of(source) for source in sources]
    if not values or not all(values):
        return ""
    if len(values) == 1:
        return values[0]
    return "; ".join(f"{s.name}: {value}" for s, value in zip(sources, values, strict=True))


def _versions(source: Source) -> str:
    versions = (source.manifest or {}).get("versions") or {}
    kept = [f"{name} {versions[name]}" for name in _PACKAGES if name in versions]
    device = (source.labeler.get("runtime") or {}).get("device")
    return ", ".join([*kept, *([str(device)] if device else [])])


_PACKAGES = ("labelwright", "python", "torch", "transformers")
