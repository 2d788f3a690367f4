"""What a report denies: lists of absent things, single denials, denials beside a finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from data_builders.synthetic.clauses import Clauses, listed
from data_builders.synthetic.draw_findings import Case
from data_builders.synthetic.lexicon import Lines
from data_builders.synthetic.phrases import Draw, pick_early, shuffled
from data_builders.synthetic.statements import Statement
from labelwright.records import Certainty

Say = Callable[[str], Statement]
Denied = tuple[str | None, Lines]
"""An observation, or ``None`` for what is none, and the bare names to deny it with."""

NEGATIVE = Certainty.NEGATIVE
DESPITE = 0.4
"""Share of present observations of which some kind is denied ("scar … no infiltrate")."""
READY = 0.5
"""Share of reports that deny several things with one of the lexicon's joint lines."""
OTHERS = 0.2
"""Share of reports that also deny something that is not an observation ("adenopathy")."""


class Negatives:
    """Writes the denials of one report with the clauses of a grammar."""

    def __init__(self, clauses: Clauses) -> None:
        self._clauses = clauses
        self._lexicon = clauses.lexicon
        entries = self._lexicon.observations
        self._ready = [
            joint
            for joint in self._lexicon.joint
            if all(c is NEGATIVE and entries[name].listed for name, c in joint.says.items())
        ]

    def write(
        self,
        draw: Draw,
        names: Sequence[str],
        todo: dict[str, Certainty],
        case: Case,
        say: Say,
    ) -> list[Statement]:
        """Deny the observations ``names``, in lists or with ``say`` one at a time."""
        entries = self._lexicon.observations
        pool: list[Denied] = [
            (name, entries[name].terms + entries[name].despite)
            for name in names
            if entries[name].terms and (entries[name].listed or draw() < 0.1)
        ]
        alone: list[Denied] = []
        for name in self._clauses.order:
            if name in case.present() and entries[name].despite and draw() < DESPITE:
                (pool if draw() < 0.6 else alone).append((name, entries[name].despite))
        if self._lexicon.absent_too and draw() < OTHERS:
            pool.append((None, self._lexicon.absent_too))
        out = self._joint(draw, todo, case)
        pool = shuffled(draw, [d for d in pool if d[0] is None or d[0] in {*todo, *case.present()}])
        while len(pool) > 1 and draw() < 0.65:
            count = min(len(pool), 2 + int(draw() ** 1.7 * 5))
            group, pool = pool[:count], pool[count:]
            if any(name is not None for name, _ in group):
                out.append(self._list(draw, group, todo, case))
        for name in names:
            if todo.get(name) is NEGATIVE:
                out.append(say(name))
        for denied, terms in [*alone, *(d for d in pool if d[0] in case.present())]:
            if denied is not None:
                slots = {"t": self._clauses.term(draw, terms)}
                says = {denied: NEGATIVE}
                out.append(self._clauses.framed(draw, "negative", slots, says, case, todo))
        return out

    def _joint(self, draw: Draw, todo: dict[str, Certainty], case: Case) -> list[Statement]:
        """At times one of the lexicon's own lines for several absent things."""
        if draw() >= READY:
            return []
        absent = {name for name, certainty in todo.items() if certainty is NEGATIVE}
        fitting = [joint for joint in self._ready if joint.says.keys() <= absent]
        if not fitting:
            return []
        joint = pick_early(draw, fitting)
        line = self._clauses.line(draw, joint.lines, case)
        if line is None:
            return []
        return [self._clauses.statement(draw, line, {}, joint.says, todo)]

    def _list(
        self, draw: Draw, group: Sequence[Denied], todo: dict[str, Certainty], case: Case
    ) -> Statement:
        terms = [self._clauses.term(draw, terms) for _, terms in group]
        either, neither = listed(draw, terms)
        slots = {"or_list": either, "nor_list": neither}
        says = {name: NEGATIVE for name, _ in group if name is not None}
        return self._clauses.framed(draw, "negative_list", slots, says, case, todo)
