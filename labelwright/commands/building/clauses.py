"""``labelwright build --synthetic N --unit clause``: what labeling clause by clause would ask.

A model that labels clause by clause meets single clauses, so it learns soonest from them. A text
of one clause keeps its true labels. Of a text of several the rules say which clause says what, and
are believed where all its clauses together say what is true of the text; of other texts nothing is
taken. Whether a clause tells of something abnormal that is no observation is known where its text
has nothing of the kind.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from data_builders.sources.labels import KnownLabels
from data_builders.synthetic.statements import Statement, truth
from inference.decode.by_sentence import sentences
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Labels, Prediction, Report

if TYPE_CHECKING:
    from labelwright.labelers.base import ReportLabeler

BATCH = 1000
WHOLE = 0.12
"""Share of the texts of several clauses that are taken as they are as well."""
MOST = 3
"""How often the same clause is taken: short ones come by the thousand."""
ILL = (Certainty.POSITIVE, Certainty.UNCERTAIN)

Pair = tuple[Report, Labels]


class ClauseLabels(KnownLabels):
    """The clauses of texts with their labels, and what became of the texts."""

    def __init__(
        self, pairs: Iterable[Pair], label_set: LabelSet, rules: ReportLabeler, seed: int
    ) -> None:
        super().__init__(self._cut(pairs))
        self._label_set = label_set
        self._rules = rules
        self._draw = random.Random(seed).random
        self._seen: Counter[str] = Counter()
        self._count: Counter[str] = Counter()

    def counts(self) -> dict[str, Any]:
        """Texts by what was taken of them, and clauses that were left out."""
        return {"clauses": dict(sorted(self._count.items()))}

    def _cut(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        texts = iter(pairs)
        while batch := list(islice(texts, BATCH)):
            several: list[tuple[Report, Labels, list[str]]] = []
            for report, labels in batch:
                found = sentences(report.text, clauses=True)
                if not isinstance(found, dict):
                    yield from self._taken(report, [(report.text, labels)], "texts without clauses")
                elif len(found) == 1:
                    (clause,) = found
                    yield from self._taken(report, [(clause, labels)], "texts of one clause")
                else:
                    if self._draw() < WHOLE:
                        yield from self._taken(report, [(report.text, labels)], "whole texts")
                    several.append((report, labels, list(found)))
            said = self._said(several)
            for report, labels, clauses in several:
                yield from self._taken(report, self._parts(labels, clauses, said), "texts cut")

    def _said(self, texts: Sequence[tuple[Report, Labels, list[str]]]) -> dict[str, Labels]:
        """What the rules say of each clause, where they leave nothing open."""
        clauses = list(dict.fromkeys(clause for _, _, parts in texts for clause in parts))
        found = self._rules.label_reports(
            [Report(id=str(n), text=clause, source="", row=n) for n, clause in enumerate(clauses)]
        )
        return {
            clause: {name: label for name, label in one.labels.items() if label is not None}
            for clause, one in zip(clauses, found, strict=True)
            if isinstance(one, Prediction) and one.complete
        }

    def _parts(
        self, labels: Labels, clauses: Sequence[str], said: Mapping[str, Labels]
    ) -> list[tuple[str, Labels]]:
        """The clauses with what each says; none where the rules are wrong of the text."""
        own = {rule.label for rule in self._label_set.exclusive}
        says = [
            {name: label for name, label in said.get(clause, {}).items() if name not in own}
            for clause in clauses
        ]
        whole = truth(self._label_set, [Statement("", one) for one in says])
        if not all(says) or any(whole[n] is not labels[n] for n in whole.keys() - own):
            self._count["texts of which the rules say something else"] += 1
            return []
        parts: list[tuple[str, Labels]] = []
        for clause, one in zip(clauses, says, strict=True):
            for rule in self._label_set.exclusive:
                if labels[rule.label] is Certainty.POSITIVE:
                    one[rule.label] = Certainty.POSITIVE
                elif any(one[name] in ILL for name in rule.others):
                    one[rule.label] = Certainty.BLANK
                elif Certainty.NEGATIVE in one.values():
                    one[rule.label] = Certainty.POSITIVE
            if len(one) == len(labels):
                parts.append((clause, one))
        self._count["clauses that may be abnormal"] += len(clauses) - len(parts)
        return parts

    def _taken(self, report: Report, parts: list[tuple[str, Labels]], what: str) -> Iterator[Pair]:
        self._count[what] += bool(parts)
        for number, (text, labels) in enumerate(parts):
            self._seen[text] += 1
            if self._seen[text] > MOST:
                self._count["clauses that repeat others"] += 1
                continue
            known = f"{report.id}-{what.split()[0]}{number}"
            yield replace(report, id=known, patient=known, text=text, sections=()), labels
