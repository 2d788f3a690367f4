"""The gate around every labeler: nothing is called normal that does not say so.

A label that stands for the absence of others (it heads an exclusive rule of the label set, as
"No Finding" does) is what is left when nothing was found, and so it is also what a labeler says of
a text that says nothing. The gate keeps these apart, whatever the labeler:

- A text that says nothing (a placeholder, headings alone), or is longer than any report
  (:func:`labelwright.labelers.nothing.too_long`), is rejected with its reason.
- A text in another language, of another examination, or of words that are mostly unknown gets a
  problem that names it, and such a label becomes blank. Of a text in another language all labels do
  that can: "Kein Pneumothorax." is no pneumothorax.
- Such a label stays positive only where a sentence says so or denies something; that sentence is
  its evidence. Else it becomes blank, and a problem says why.

- Where it stands beside what the rule forbids, it becomes blank; a note says so.

What another examination is, and how a report says "normal", the label set knows
(:mod:`labelwright.labelers.about`); one that knows nothing of it gets the
first, but for the length, and the last check alone. Probabilities stay the labeler's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from labelwright.label_set import LabelSet
from labelwright.labelers.about import About, about
from labelwright.labelers.base import ReportLabeler, Wrapping
from labelwright.labelers.nothing import Span, nothing_said, told, too_long
from labelwright.labelers.words import words_of
from labelwright.records import Prediction, Reject, Report
from labelwright.tasks import kind_of
from labelwright.text.sections import split_sections
from labelwright.text.sentences import sentence_spans

VERSION = 3
"""Of what the gate does with a text; part of a run's fingerprint."""

LANGUAGE, EXAMINATION, UNKNOWN, UNSAID = KINDS = (
    "language",
    "examination",
    "unknown words",
    "nothing said",
)
"""Kinds of problems that the gate names."""

EXAMINED = frozenset({"examination", "technique"})
"""Sections that say what was examined."""


class Gated(Wrapping):
    """Wraps a labeler whose answers are choices; it is a ``ReportLabeler``.

    The labels that it keeps an eye on are options that only a whole report says.
    """

    def __init__(self, labeler: ReportLabeler) -> None:
        super().__init__(labeler)
        self._about = about_of(labeler.label_set)
        self._kind = kind_of(labeler.label_set)
        choices = self._kind.choices(labeler.label_set)
        slots = () if choices is None else choices.slots
        self._slots = [slot for slot in slots if slot.silent is not None]
        self._heads = [slot for slot in self._slots if slot.whole]

    def describe(self) -> Mapping[str, Any]:
        """The wrapped labeler's, and what the gate knows."""
        known = None if self._about is None else self._about.sha256
        return {**self._labeler.describe(), "gate": {"version": VERSION, "about_sha256": known}}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """The wrapped labeler's results, but for what must not be called normal."""
        parts = [told(report.text, report.sections) for report in reports]
        why = [self._no_report(r.text, own) for r, own in zip(reports, parts, strict=True)]
        asked = [r for r, reason in zip(reports, why, strict=True) if reason is None]
        answers = iter(self._labeler.label_reports(asked) if asked else ())
        results: list[Prediction | Reject] = []
        for report, own, reason in zip(reports, parts, why, strict=True):
            if reason is not None:
                results.append(Reject(report.id, report.source, report.row, reason))
                continue
            answer = next(answers)
            results.append(
                answer if isinstance(answer, Reject) else self._kept(answer, report, own)
            )
        return results

    def _no_report(self, text: str, parts: Sequence[Span]) -> str | None:
        """Why a text is none; how long a report may be is known where it is known what about."""
        long = None if self._about is None else too_long(text, parts)
        return nothing_said(text, parts) or long

    def _kept(self, answer: Prediction, report: Report, parts: Sequence[Span]) -> Prediction:
        answer = self._consistent(answer)
        if self._about is None:
            return answer
        misfit = problems = self._misfit(report, parts)
        picks = dict(self._kind.picks(self.label_set, answer.value))
        if any(problem.startswith(f"{LANGUAGE}:") for problem in misfit):
            picks |= {slot.label: slot.silent for slot in self._slots}
            answer = replace(answer, evidence={} if answer.evidence else answer.evidence)
        heads = {slot.label: slot for slot in self._heads if picks.get(slot.label) in slot.whole}
        evidence = {k: v for k, v in (answer.evidence or {}).items() if k not in heads}
        spans = self._saying(report.text, parts) if heads and not misfit else []
        for name, slot in heads.items():
            if spans:
                evidence[name] = spans
                continue
            picks[name] = slot.silent
            if not misfit:
                problems = (*problems, f"{UNSAID}: {name}")
        return replace(
            answer,
            value=self._kind.picked(self.label_set, picks),
            problems=(*_others(answer.problems, problems), *problems),
            evidence=evidence if evidence or answer.evidence is not None else None,
        )

    def _consistent(self, answer: Prediction) -> Prediction:
        """Not normal where something else is found: a label that heads a broken rule gives way."""
        picks = self._kind.picks(self.label_set, answer.value)
        broken = {
            slot.label: slot.silent
            for slot in self._heads
            if slot.label in self._kind.broken(self.label_set, answer.value)
        }
        if not broken:
            return answer
        named = tuple(f"contradiction: {name} / " for name in broken)
        return replace(
            answer,
            value=self._kind.picked(self.label_set, {**picks, **broken}),
            problems=tuple(p for p in answer.problems if not p.startswith(named)),
            notes=(*answer.notes, *(f"rule: {name}" for name in broken)),
        )

    def _misfit(self, report: Report, parts: Sequence[Span]) -> tuple[str, ...]:
        assert self._about is not None  # noqa: S101
        text = report.text
        whole = sum(end - start for start, end in parts) == len(text)
        examined = [
            (section.start, section.end)
            for section in (() if whole else report.sections or split_sections(text))
            if section.name in EXAMINED
        ]
        read = "\n".join(text[start:end] for start, end in (*examined, *parts))
        return self._about.misfit(words_of(read), read)

    def _saying(self, text: str, parts: Sequence[Span]) -> list[list[int]]:
        """The sentences that say that nothing is found, else those that deny something.

        A question goes with its answer: "Effusion? Definitely not."
        """
        assert self._about is not None  # noqa: S101
        sentences: list[Span] = []
        for start, end in parts:
            for first, last in sentence_spans(text[start:end]):
                span = (start + first, start + last)
                if sentences and text[sentences[-1][1] - 1] == "?":
                    span = (sentences.pop()[0], span[1])
                sentences.append(span)
        if saying := [span for span in sentences if self._about.states(text[slice(*span)])]:
            return [list(span) for span in saying]
        return [
            [start, end]
            for start, end in sentences
            if self._about.denies_something(words_of(text[start:end]))
            and not self._about.says_nothing(text[start:end])
        ]


def _others(said: Sequence[str], found: Sequence[str]) -> list[str]:
    """Problems that the labeler named itself, without those that the gate says more exactly."""
    if not found:
        return list(said)
    same = {UNSAID, *(problem.partition(":")[0] for problem in found)}
    return [problem for problem in said if problem.partition(":")[0] not in same]


def about_of(label_set: LabelSet) -> About | None:
    """What a label set is about, by its own key or by the shipped file of its name."""
    return about(label_set.kin, label_set.about)


def gated(labeler: ReportLabeler) -> ReportLabeler:
    """The labeler behind the gate; one whose answers are no choices is left as it is."""
    choices = kind_of(labeler.label_set).choices(labeler.label_set)
    return labeler if choices is None else Gated(labeler)
