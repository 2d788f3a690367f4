"""One report on its way to a record: cut to its sections, joined with its labels, checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from data_builders.sources.labels import Answer, LabelSource
from labelwright.label_set import LabelSet
from labelwright.labelers.nothing import REQUEST, nothing_said, told
from labelwright.records import Certainty, Entity, Reject, Report
from labelwright.text.sections import choose, split_sections

Packed = tuple[Certainty, ...]
"""Certainties in the label set's order."""

BATCH = 256
"""Reports given to a label source at once."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A report whose text is cut, with labels.

    Attributes:
        labels: from the main source; the reason where there are none.
        test_labels: from the source for the test split; the reason where there are none,
            ``None`` where no such source was given.
        adjusted: how many negatives were read as blank, see :func:`fitted`.
        entities: of an entities task, in order of appearance; else ``None``.
    """

    report: Report
    labels: Packed | str
    test_labels: Packed | str | None
    adjusted: int
    entities: tuple[Entity, ...] | None = None


def prepare(
    found: Iterable[Report | Reject],
    label_set: LabelSet,
    source: LabelSource,
    *,
    test_source: LabelSource | None = None,
    sections: str = "full",
) -> Iterator[Prepared | Reject]:
    """Yield every report of ``found`` with its labels, or the reject it became, in order."""
    pending = iter(found)
    while batch := [speaking(cut(item, sections)) for item in islice(pending, BATCH)]:
        reports = [item for item in batch if isinstance(item, Report)]
        main = iter(_main(source, reports, label_set))
        test = iter(_test(test_source, reports, label_set))
        for item in batch:
            if isinstance(item, Reject):
                yield item
                continue
            (labels, adjusted), (test_labels, more) = next(main), next(test)
            if isinstance(labels, str) and not isinstance(test_labels, tuple):
                yield rejected(item, labels)
                continue
            yield Prepared(item, labels, test_labels, adjusted + more)


def cut(item: Report | Reject, sections: str) -> Report | Reject:
    """The report with its text cut to the chosen sections; a reject if it has none of them."""
    if isinstance(item, Reject):
        return item
    text = choose(item.text, item.sections, sections)
    if not text.strip():
        return rejected(item, f"no section for --sections {sections}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return rejected(item, "the text holds half a character (a lone surrogate)")
    return item if text == item.text else replace(item, text=text, sections=split_sections(text))


def speaking(item: Report | Reject) -> Report | Reject:
    """The report, or a reject if it says nothing: it would teach that silence is normal."""
    if isinstance(item, Reject):
        return item
    why = nothing_said(item.text, told(item.text, item.sections))
    return item if why is None or why == REQUEST else rejected(item, why)


def rejected(report: Report, reason: str) -> Reject:
    """The report as a reject."""
    return Reject(report.id, report.source, report.row, reason)


def fitted(labels: Answer, label_set: LabelSet) -> tuple[Packed | str, int]:
    """Labels packed in the label set's order, or the reason why they cannot be used.

    An observation that cannot be negative in the label set (``No Finding``) is blank where a
    table has it negative: "not normal" is what its blank means. The second value counts these.
    """
    if isinstance(labels, str):
        return labels, 0
    adjusted = 0
    packed = []
    for label in label_set.labels:
        certainty = labels[label.name]
        if certainty is Certainty.NEGATIVE and certainty not in label.certainties:
            certainty = Certainty.BLANK
            adjusted += 1
        if certainty not in label.certainties:
            return f"labels do not fit the label set; {label.name} cannot be {certainty}", 0
        packed.append(certainty)
    for one, other in label_set.contradictions(dict(zip(label_set.names, packed, strict=True))):
        return f"contradictory labels; {one} with {other}", 0
    return tuple(packed), adjusted


def _main(
    source: LabelSource, reports: Sequence[Report], label_set: LabelSet
) -> list[tuple[Packed | str, int]]:
    return [fitted(answer, label_set) for answer in source.labels(reports)]


def _test(
    source: LabelSource | None, reports: Sequence[Report], label_set: LabelSet
) -> list[tuple[Packed | str | None, int]]:
    if source is None:
        return [(None, 0)] * len(reports)
    return [*_main(source, reports, label_set)]
