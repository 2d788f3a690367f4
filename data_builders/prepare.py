"""One report on its way to a record: cut to its sections, joined with what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from data_builders.sources.base import Source
from labelwright.label_set import LabelSet
from labelwright.labelers.nothing import REQUEST, nothing_said, told
from labelwright.records import Reject, Report
from labelwright.tasks import kind_of
from labelwright.tasks.base import Known
from labelwright.text.sections import choose, split_sections

BATCH = 256
"""Reports that a source is asked about at once."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A report whose text is cut, with what is known of it.

    Attributes:
        known: from the main source; the reason where nothing is known.
        test_known: from the source for the test split; the reason where nothing is known, ``None``
            where no such source was given.
    """

    report: Report
    known: Known[Any] | str
    test_known: Known[Any] | str | None = None

    @property
    def adjusted(self) -> int:
        """How many parts were read otherwise than they were given."""
        both = (self.known, self.test_known)
        return sum(one.adjusted for one in both if isinstance(one, Known))


def prepare(
    found: Iterable[Report | Reject],
    label_set: LabelSet,
    source: Source,
    *,
    test_source: Source | None = None,
    sections: str = "full",
) -> Iterator[Prepared | Reject]:
    """Yield every report of ``found`` with what is known, or the reject it became, in order.

    Raises:
        InputError: at the end, as a source says.
    """
    # Where every report gets an answer, one that says nothing would teach that silence is normal.
    silence = kind_of(label_set).choices(label_set) is None
    pending = iter(found)
    while batch := [cut(item, sections) for item in islice(pending, BATCH)]:
        batch = batch if silence else [speaking(item) for item in batch]
        reports = [item for item in batch if isinstance(item, Report)]
        main = iter(source.known(reports, label_set))
        test = iter(
            [None] * len(reports) if test_source is None else test_source.known(reports, label_set)
        )
        for item in batch:
            if isinstance(item, Reject):
                yield item
                continue
            known, test_known = next(main), next(test)
            if isinstance(known, str) and not isinstance(test_known, Known):
                yield rejected(item, known)
                continue
            yield Prepared(_changed(item, known), known, test_known)
    for each in (source, test_source):
        if each is not None:
            each.finish()


def _changed(report: Report, known: Known[Any] | str) -> Report:
    """The report with the text that its source gave it."""
    if isinstance(known, str) or known.text is None:
        return report
    return replace(report, text=known.text, sections=())


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
