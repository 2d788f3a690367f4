"""Reports that nobody wrote about nobody: a grammar's text with its true certainties.

Report ``index`` of ``seed`` depends on nothing else, so any slice of millions can be streamed:

    >>> from labelwright.label_set import LabelSet
    >>> reports = write_reports(LabelSet.load("chexpert-14"), 3, 13)
    >>> [report.id for report, labels in reports]
    ['synthetic-13-0', 'synthetic-13-1', 'synthetic-13-2']
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from data_builders.synthetic.grammar import Grammar
from data_builders.synthetic.layout import Page
from data_builders.synthetic.lexicon import Lexicon
from data_builders.synthetic.noise import Manner, Noise, draw_manner
from data_builders.synthetic.phrases import Draw
from data_builders.synthetic.statements import Says, Statement, truth
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Report

IMPRESSION_ONLY, FINDINGS_ONLY = 0.09, 0.12
"""Shares of reports that lack the other part."""
SHORT = 0.6
"""Share of the brief reports that are written by kind of wording, not cut from whole ones."""


@dataclass(frozen=True, slots=True)
class SyntheticReport:
    """A report, its true labels, and where in its text they are said.

    ``evidence`` is ``{observation: [(start, end), …]}``, offsets of every clause that speaks of
    the observation, whatever it says; ``clauses`` are all of them with what each says.
    """

    report: Report
    labels: dict[str, Certainty]
    evidence: Mapping[str, Sequence[tuple[int, int]]]
    clauses: Sequence[tuple[int, int, Says]] = ()


def write_reports(
    label_set: LabelSet,
    count: int,
    seed: int,
    *,
    start: int = 0,
    balance: float = 0.0,
    noise: float = 1.0,
    brief: float = 0.0,
    lexicon: Lexicon | None = None,
) -> Iterator[tuple[Report, dict[str, Certainty]]]:
    """Yield ``count`` reports from index ``start`` on, each with all its labels.

    Args:
        seed: at least 0; the same seed and index give the same report on every machine.
        balance: share of reports whose observations and certainties are drawn evenly, which
            lifts rare ones; 0 keeps the lexicon's frequencies.
        noise: 0 for clean text, 1 for the usual share of slips, masks and short forms.
        brief: share of reports of one to three statements, from which a small model learns
            soonest what a wording means.
        lexicon: the words; by default those shipped for the label set.

    Raises:
        LabelSetError: there is no lexicon for the label set, or it has mistakes.
        ConfigError: a number is out of its range.
    """
    writer = ReportWriter(label_set, balance=balance, noise=noise, brief=brief, lexicon=lexicon)
    return ((w.report, w.labels) for w in writer.stream(count, seed, start=start))


class ReportWriter:
    """Writes reports by seed and index; cheap to build, so each process can have its own."""

    def __init__(
        self,
        label_set: LabelSet,
        *,
        balance: float = 0.0,
        noise: float = 1.0,
        brief: float = 0.0,
        lexicon: Lexicon | None = None,
    ) -> None:
        for name, value in (("balance", balance), ("noise", noise), ("brief", brief)):
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"{name} is {value:g}", remedy="give a number from 0 to 1")
        self.label_set = label_set
        self._balance = balance
        self._amount = noise
        self._brief = brief
        self._lexicon = lexicon or Lexicon.for_label_set(label_set)
        self._grammar = Grammar(self._lexicon, label_set)
        self._noise = Noise(self._lexicon)

    def stream(self, count: int, seed: int, *, start: int = 0) -> Iterator[SyntheticReport]:
        """Yield the reports with indices ``start`` to ``start + count - 1``."""
        for name, value in (("count", count), ("seed", seed), ("start", start)):
            if value < 0:
                raise ConfigError(f"{name} is {value}", remedy="give a whole number, at least 0")
        return (self.write(seed, index) for index in range(start, start + count))

    def write(self, seed: int, index: int) -> SyntheticReport:
        """The report of this seed and index."""
        draw = random.Random((seed << 40) + index).random
        brief = draw() if self._brief else 1.0
        if self._grammar.kinds and brief < self._brief * SHORT:
            manner = draw_manner(draw, self._amount, short=True)
            few = self._grammar.short(draw)
            return self._finished(draw, manner, f"{seed}-{index}", True, "short", few, [])
        case = self._grammar.case(draw, self._balance)
        manner = draw_manner(draw, self._amount)
        shape = draw()
        body = [] if shape < IMPRESSION_ONLY else self._grammar.findings(draw, case)
        end: list[Statement] = []
        if shape < 1.0 - FINDINGS_ONLY or not body:
            abnormal = any(statement.abnormal for statement in body)
            end = self._grammar.impression(draw, case, abnormal, alone=not body)
        body, end = self._grammar.other_exam(draw, body, end)
        short = brief < self._brief
        if short:
            body, end = _few(draw, [*body, *end]), []
        return self._finished(draw, manner, f"{seed}-{index}", short, case.profile, body, end)

    def _finished(
        self,
        draw: Draw,
        manner: Manner,
        number: str,
        short: bool,
        profile: str,
        body: list[Statement],
        end: list[Statement],
    ) -> SyntheticReport:
        """The statements with their noise, laid out and labeled."""
        body, end = self._noisy(draw, manner, body), self._noisy(draw, manner, end)
        page = Page(self._grammar, draw, manner, short=short)
        page.lay_out(body, end)
        statements = [*body, *end]
        report = Report(
            id=f"synthetic-{number}",
            text=page.text(),
            source="synthetic",
            row=int(number.rsplit("-", 1)[1]) + 1,
            patient=f"synthetic-{number}",
            sections=tuple(page.sections),
            meta={"profile": profile},
        )
        labels = truth(self.label_set, statements)
        return SyntheticReport(report, labels, page.evidence, page.clauses)

    def _noisy(
        self, draw: Draw, manner: Manner, statements: Sequence[Statement]
    ) -> list[Statement]:
        slips = {int(draw() * len(statements)) for _ in range(manner.typos)} if statements else ()
        out: list[Statement] = []
        for at, s in enumerate(statements):
            text = self._noise.clause(draw, manner, s.text)
            if at in slips:
                text = self._noise.slip(draw, text)
            if text.strip():
                out.append(Statement(text.strip(), s.says, s.abnormal, s.organ, s.place))
        return out


def _few(draw: Draw, statements: Sequence[Statement]) -> list[Statement]:
    """One to three neighbouring statements."""
    count = 1 + int(draw() * 3)
    start = int(draw() * max(len(statements) - count + 1, 1))
    return list(statements[start : start + count])
