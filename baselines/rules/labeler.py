"""The rule-based labeler: phrases find mentions, scope rules judge them, one certainty results.

Written from the published method of the CheXpert labeler (Irvin et al. 2019,
doi:10.1609/aaai.v33i01.3301590): extraction, classification, aggregation. The phrases are in
``baselines/rules/*.yaml``, so that any label set can have rules. Each observation needs its
own mention: nothing is inferred from one observation to its parent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from baselines.rules import rule_book
from baselines.rules.mentions import Finder, Mention
from baselines.rules.phrases import sentences
from baselines.rules.rule_book import RuleBook
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report, Section
from labelwright.text.sections import split_sections


class RulesLabeler:
    """Labels reports by phrase lists and scope rules; a ``ReportLabeler``.

    The evidence of a label is every mention that has the winning certainty, as offsets into
    the report's text. Sections such as the indication do not count (``skip_sections``).
    """

    def __init__(self, label_set: LabelSet, book: RuleBook) -> None:
        self._label_set = label_set
        self._book = book
        self._finder = Finder(book)
        self._allowed = {label.name: label.certainties for label in label_set.labels}
        rest = book.rest
        self._aside = frozenset() if rest is None else frozenset({rest.label, *rest.ignore})

    @classmethod
    def for_label_set(cls, label_set: LabelSet, rules_file: Path | None = None) -> RulesLabeler:
        """Build it from the shipped rules of ``label_set``, or from ``rules_file``.

        Raises:
            LabelSetError: there are no rules for it, or they have mistakes.
        """
        return cls(label_set, rule_book.load(label_set, rules_file))

    def __reduce__(self) -> tuple[type[RulesLabeler], tuple[LabelSet, RuleBook]]:
        return type(self), (self._label_set, self._book)

    @property
    def name(self) -> str:
        """What stands in ``Prediction.model``."""
        return "rules"

    @property
    def label_set(self) -> LabelSet:
        """The observations it labels."""
        return self._label_set

    def describe(self) -> Mapping[str, Any]:
        """Hashes of the label set and of the rule files: the answers depend on these alone."""
        return {
            "model": self.name,
            "label_set": self._label_set.name,
            "label_set_sha256": self._label_set.fingerprint,
            "rules_sha256": dict(self._book.sha256),
        }

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One result per report, in order; a report with nothing but skipped sections is rejected.

        Without that, such a report would come out as "No Finding".
        """
        return [self._label(report) for report in reports]

    def _label(self, report: Report) -> Prediction | Reject:
        started = time.perf_counter()
        found: dict[str, list[Mention]] = {}
        empty = True
        for start, end in self._body(report):
            for sentence in sentences(report.text, start, end):
                empty = empty and not any(word[0].isalnum() for word in sentence.words)
                for mention in self._finder.mentions(sentence):
                    found.setdefault(mention.label, []).append(mention)
        if empty:
            return Reject(report.id, report.source, report.row, "no text outside skipped sections")
        labels, evidence = self._aggregate(found)
        return Prediction(
            id=report.id,
            labels=labels,
            model=self.name,
            evidence=evidence,
            seconds=time.perf_counter() - started,
        )

    def _body(self, report: Report) -> Iterator[tuple[int, int]]:
        sections: Sequence[Section] = report.sections or split_sections(report.text)
        if not sections:
            yield 0, len(report.text)
        for section in sections:
            if section.name not in self._book.skip_sections:
                yield section.start, section.end

    def _aggregate(
        self, found: Mapping[str, Sequence[Mention]]
    ) -> tuple[dict[str, Certainty | None], dict[str, list[list[int]]]]:
        """Positive beats uncertain beats negative; then the label that is left when nothing is.

        A certainty that the label set does not allow for an observation becomes blank.
        """
        labels: dict[str, Certainty | None] = dict.fromkeys(self._allowed, Certainty.BLANK)
        evidence: dict[str, list[list[int]]] = {}
        nothing = True
        for name, said in found.items():
            best = _strongest([mention.certainty for mention in said])
            if best is not Certainty.NEGATIVE and name not in self._aside:
                nothing = False
            if best in self._allowed.get(name, ()):
                labels[name] = best
                spans = {(m.start, m.end) for m in said if m.certainty is best}
                evidence[name] = [list(span) for span in sorted(spans)]
        if self._book.rest is not None:
            rest = self._book.rest.label
            labels[rest] = Certainty.POSITIVE if nothing else Certainty.BLANK
            evidence.pop(rest, None)
        return labels, evidence


def _strongest(said: Sequence[Certainty]) -> Certainty:
    for certainty in (Certainty.POSITIVE, Certainty.UNCERTAIN):
        if certainty in said:
            return certainty
    return Certainty.NEGATIVE
