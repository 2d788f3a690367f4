"""From a drawn case (which observations, how certain) to statements that say so.

Truth is collected from what was written: every statement carries what it says, so a report's
labels are right by construction, whatever was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

from data_builders.synthetic.clauses import Clauses, listed
from data_builders.synthetic.draw_findings import Case, CaseBook
from data_builders.synthetic.lexicon import Aside, Joint, Lexicon, Lines, Observation
from data_builders.synthetic.negatives import Negatives
from data_builders.synthetic.phrases import Draw, pick, pick_early, shuffled, tidy
from data_builders.synthetic.statements import Says, Statement
from data_builders.synthetic.ways import BLANK, Ways, named
from labelwright.label_set import LabelSet
from labelwright.records import Certainty

POSITIVE, NEGATIVE, UNCERTAIN = Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.UNCERTAIN

JOINED = 0.5
"""Share of statements that try to say several things at once."""
EXPLAINED = 0.35
"""Share of findings with possible causes for which the grammar tries to name some."""
DOUBTED = 0.05
"""Share of findings that are also named as only possible, elsewhere in the body."""
OTHER_EXAM = 0.02
"""Share of reports on more than the chest, where the lexicon has other examinations."""
VARIED = (0.1, 0.1, 0.4)
"""Shares of statements that are made in one of the lexicon's ways; one is drawn per report."""
TERMS_FOUND = 0.25
"""Share of what is present that has its bare name, where the lexicon has ways of saying."""
NAMED_ONLY = 0.05
"""Share of reports that name an observation without saying anything of it."""
VOID = 0.03
"""Share of short texts that say nothing of the observations at all, where the lexicon has some."""
STRANGE, ALONE = 0.3, 0.5
"""Share of short texts that speak of what is no observation, where the lexicon has such lines, and
of these the share that say nothing else."""
ASIDE = 0.35
"""Share of these that are lines which whole reports have beside their findings."""
CONCLUDED = (0.35, 0.7, 0.95)
"""Shares of what is present that the conclusion repeats; one is drawn per report."""


class Grammar(Clauses):
    """Writes statements for cases of one label set; holds no state between reports."""

    def __init__(self, lexicon: Lexicon, label_set: LabelSet) -> None:
        super().__init__(lexicon)
        self.label_set = label_set
        self._joint: dict[tuple[str, Certainty], list[Joint]] = {}
        for joint in lexicon.joint:
            weight = 1 + len(joint.lines) // 3
            self._joint.setdefault(next(iter(joint.says.items())), []).extend([joint] * weight)
        self._places: dict[str, list[int]] = {}
        for name, observation in lexicon.observations.items():
            self._places.setdefault(observation.organ, []).append(self.order[name])
        self._cases = CaseBook(lexicon, label_set)
        self._negatives = Negatives(self)
        self._ways = Ways(self, label_set)
        self.kinds = self._ways.kinds
        self._named_only = [
            kind
            for kind in dict.fromkeys(way.kind for way in lexicon.ways)
            if all(
                c is BLANK for way in lexicon.ways if way.kind == kind for c in way.says.values()
            )
        ]
        self._terms = [line for o in lexicon.observations.values() for line in o.terms]

    def case(self, draw: Draw, balance: float) -> Case:
        """Draw a case; with probability ``balance`` one of evenly drawn certainties."""
        case = self._cases.draw(draw, balance)
        if self.kinds:
            case.varied = pick(draw, VARIED)
        return case

    def short(self, draw: Draw) -> list[Statement]:
        """One to three statements, the first of an evenly drawn kind of wording.

        Lexicons without ways of saying have none; see :attr:`kinds`.
        """
        if self.lexicon.voids and draw() < VOID:
            return [self._void(draw)]
        strange: list[Statement] = []
        if self.lexicon.strangers and draw() < STRANGE:
            strange = [self._stranger(draw) for _ in range(pick(draw, (1, 1, 2)))]
            if draw() < ALONE:
                return strange
        case = Case("short", {}, asides=1.0, varied=0.5)
        out: list[Statement] = []
        first = self._ways.of_kind(draw, self._ways.kind(draw), case)
        if first is not None:
            out.append(first)
        for _ in range(pick(draw, (0, 0, 0, 1, 1, 2)) if out else 1):
            free = [pair for pair in self._cases.pairs if pair[0] not in case.states]
            if free:
                name, certainty = pick(draw, free)
                case.states[name] = certainty
                out.append(self.say(draw, name, certainty, {name: certainty}, case))
        return shuffled(draw, [*out, *strange])

    def of_kind(self, draw: Draw, kind: str) -> Statement | None:
        """One statement of this kind of wording.

        ``void`` says nothing at all, ``stranger`` something of what is no observation.
        """
        if kind == "void":
            return self._void(draw)
        if kind == "stranger":
            return self._stranger(draw)
        return self._ways.of_kind(draw, kind, Case(kind, {}, asides=0.0))

    def _void(self, draw: Draw) -> Statement:
        return Statement(self.text(draw, pick(draw, self.lexicon.voids), {}), {}, abnormal=True)

    def _stranger(self, draw: Draw) -> Statement:
        """Something that is no observation: usual, which leaves a report normal, or not."""
        if self.lexicon.asides and draw() < ASIDE:
            case = Case("short", {}, asides=1.0)
            aside = self._aside(draw, pick(draw, self.lexicon.asides), case)
            if aside is not None:
                return aside
        kind = "abnormal" if "usual" not in self.lexicon.strangers or draw() < 0.5 else "usual"
        line = pick(draw, self.lexicon.strangers[kind])
        return Statement(self.text(draw, line, {}), {}, abnormal=kind == "abnormal")

    def findings(self, draw: Draw, case: Case) -> list[Statement]:
        """The statements of the body, in reading order or nearly so."""
        todo = dict(case.states)
        out: list[Statement] = []
        for name in self.order:
            certainty = todo.get(name)
            if certainty is not None and certainty is not NEGATIVE:
                out.append(self.say(draw, name, certainty, todo, case))
                if certainty is POSITIVE and draw() < DOUBTED:
                    out += self._doubted(draw, name, case)
        negatives = [name for name in self.order if todo.get(name) is NEGATIVE]
        out += self._negatives.write(
            draw, negatives, todo, case, lambda name: self.say(draw, name, NEGATIVE, todo, case)
        )
        out += self._asides(draw, case, "findings")
        if self._named_only and draw() < NAMED_ONLY:
            named = self._ways.of_kind(draw, pick(draw, self._named_only), case)
            out += [] if named is None else [named]
        jitter = 9.0 if draw() < 0.2 else 1.5
        keyed = [(statement.place + draw() * jitter, statement) for statement in out]
        return [statement for _, statement in sorted(keyed, key=lambda pair: pair[0])]

    def impression(self, draw: Draw, case: Case, abnormal: bool, alone: bool) -> list[Statement]:
        """The statements of the conclusion.

        Args:
            abnormal: whether the body told of something abnormal that is not an observation.
            alone: whether there is no body, so that all must be said here.
        """
        present = [name for name in self.order if name in case.present()]
        if alone:
            whole = [*self.findings(draw, case), *self._asides(draw, case, "impression")]
            if not whole or draw() < 0.3:
                whole.append(self._closing(draw, case, any(s.abnormal for s in whole)))
            return whole
        out: list[Statement] = []
        todo = {n: c for n, c in case.states.items() if c is not NEGATIVE}
        share = pick(draw, CONCLUDED)
        for name in shuffled(draw, present):
            if name in todo and draw() < share:
                out.append(self._conclude(draw, name, todo, case))
        if draw() < 0.04 and case.states:
            out.append(self._contradict(draw, case))
        out += self._asides(draw, case, "impression")
        abnormal = abnormal or any(s.abnormal for s in out)
        if not present:
            out.insert(0, self._closing(draw, case, abnormal))
        elif not out or draw() < 0.5:
            out.append(self._closing(draw, case, abnormal))
        negatives = [n for n, c in case.states.items() if c is NEGATIVE]
        if negatives and draw() < 0.15:
            name = pick(draw, negatives)
            out.append(self.say(draw, name, NEGATIVE, {name: NEGATIVE}, case))
        return out

    def other_exam(
        self, draw: Draw, body: list[Statement], end: list[Statement]
    ) -> tuple[list[Statement], list[Statement]]:
        """The report with, rarely, another body part's findings and conclusion behind its own."""
        if not self.lexicon.other_exams or draw() >= OTHER_EXAM or not body or not end:
            return body, end
        exam = pick(draw, self.lexicon.other_exams)
        heading = self.term(draw, exam.heading)

        def part(own: list[Statement], lines: Lines, says: Says) -> list[Statement]:
            text = f"{heading}. {self.term(draw, lines)}"
            return [
                Statement("chest", {}),
                *own,
                Statement(text, says, exam.abnormal, place=float(len(self.order))),
            ]

        return part(body, exam.lines, exam.says), part(end, exam.closing, {})

    def front(self, draw: Draw, name: str) -> str:
        """One line of a part before the findings; it names observations but says nothing."""
        term = self.fill(draw, pick(draw, self._terms), {})
        return tidy(self.fill(draw, pick_early(draw, self.lexicon.front[name]), {"any": term}))

    def say(
        self, draw: Draw, name: str, certainty: Certainty, todo: dict[str, Certainty], case: Case
    ) -> Statement:
        """State one observation; all that the statement says is taken off ``todo``.

        Lines that say several things are taken only where they agree with the case.
        """
        varied = self._ways.say if case.varied and draw() < case.varied else None
        said = varied(draw, name, certainty, todo, case) if varied else None
        return said or self._plain(draw, name, certainty, todo, case)

    def _plain(
        self, draw: Draw, name: str, certainty: Certainty, todo: dict[str, Certainty], case: Case
    ) -> Statement:
        joints = self._joint.get((name, certainty))
        if joints and draw() < JOINED:
            fitting = [joint for joint in joints if self._fits(joint, todo, case)]
            if fitting:
                joint = pick(draw, fitting)
                line = self.line(draw, joint.lines, case)
                if line is not None:
                    case.states.update(joint.says)
                    return self.statement(draw, line, {}, joint.says, todo)
        observation = self.lexicon.observations[name]
        if certainty is POSITIVE and observation.causes and draw() < EXPLAINED:
            explained = self._explained(draw, observation, todo, case)
            if explained is not None:
                return explained
        if certainty is UNCERTAIN and draw() < 0.2:
            double = self._double(draw, name, todo)
            if double is not None:
                return double
        clause = self.line(draw, observation.clauses.get(certainty, ()), case)
        if certainty is POSITIVE:
            share = 0.5 if observation.found or observation.found_many else 1.0
            if clause is None or draw() >= share:
                return self._found(draw, observation, todo, case)
        elif clause is None or (
            observation.terms and draw() < (0.55 if observation.listed else 0.2)
        ):
            return self._termed(draw, observation, certainty, todo, case)
        return self.statement(draw, clause, {}, {name: certainty}, todo)

    def _conclude(self, draw: Draw, name: str, todo: dict[str, Certainty], case: Case) -> Statement:
        observation = self.lexicon.observations[name]
        if todo[name] is POSITIVE and (observation.found or observation.found_many):
            others = [
                n
                for n, c in todo.items()
                if c is POSITIVE and n != name and self.lexicon.observations[n].found
            ]
            roll = draw()
            if others and roll < 0.25:
                other = pick(draw, others)
                slots = {
                    "x": self.noun(draw, observation)[0],
                    "y": self.noun(draw, self.lexicon.observations[other])[0],
                }
                line = pick_early(draw, self.lexicon.frames["pair"])
                says = {name: POSITIVE, other: POSITIVE}
                return self.statement(draw, line, slots, says, todo)
            if roll < 0.55:
                text = tidy(self.noun(draw, observation)[0])
                todo.pop(name)
                return Statement(text, {name: POSITIVE}, False, observation.organ)
        return self.say(draw, name, todo[name], todo, case)

    def _contradict(self, draw: Draw, case: Case) -> Statement:
        name = pick(draw, list(case.states))
        certainty = pick(draw, [c for n, c in self._cases.pairs if n == name])
        case.states[name] = certainty
        return self.say(draw, name, certainty, {name: certainty}, case)

    def _found(
        self, draw: Draw, observation: Observation, todo: dict[str, Certainty], case: Case
    ) -> Statement:
        slots = self.subject(draw, observation)
        if case.varied and observation.terms and draw() < TERMS_FOUND:
            slots = named(self.term(draw, observation.terms), observation)
        roll = draw()
        kind = (
            "positive"
            if roll > 0.25
            else "evolving"
            if observation.evolves and roll > 0.1
            else "steady"
        )
        return self.framed(draw, kind, slots, {observation.name: POSITIVE}, case, todo)

    def _termed(
        self,
        draw: Draw,
        observation: Observation,
        certainty: Certainty,
        todo: dict[str, Certainty],
        case: Case,
    ) -> Statement:
        term = self.fill(draw, pick_early(draw, observation.terms), {})
        slots = {"t": term}
        if certainty is UNCERTAIN:
            kind = "uncertain"
            slots["x"] = self.noun(draw, observation)[0] if observation.found else term
        else:
            kind = "resolved" if observation.evolves and draw() < 0.06 else "negative"
        return self.framed(draw, kind, slots, {observation.name: certainty}, case, todo)

    def _explained(
        self, draw: Draw, observation: Observation, todo: dict[str, Certainty], case: Case
    ) -> Statement | None:
        """What is there and what it may be or is: "opacity, which may be atelectasis or edema"."""
        certainty, kind = (UNCERTAIN, "may_be") if draw() < 0.6 else (POSITIVE, "due_to")
        if kind not in self.lexicon.frames:
            return None
        free = [n for n in observation.causes if n not in case.states]
        causes = [n for n in observation.causes if todo.get(n) is certainty]
        wanted = 1 + int(draw() ** 1.5 * 3) if certainty is UNCERTAIN else 1
        while free and len(causes) < wanted and draw() < 0.35:
            causes.append(free.pop(int(draw() * len(free))))
        if not causes:
            return None
        case.states.update(dict.fromkeys(causes, certainty))
        terms = [
            self.term(draw, self.lexicon.observations[n].terms) for n in shuffled(draw, causes)
        ]
        slots = self.subject(draw, observation) | {"or_list": listed(draw, terms)[0]}
        says = {observation.name: POSITIVE} | dict.fromkeys(causes, certainty)
        return self.framed(draw, kind, slots, says, case, todo)

    def _doubted(self, draw: Draw, name: str, case: Case) -> list[Statement]:
        """A second, possible place of what is present elsewhere: the finding stays positive."""
        line = self.line(draw, self.lexicon.observations[name].clauses.get(UNCERTAIN, ()), case)
        return [] if line is None else [self.statement(draw, line, {}, {name: UNCERTAIN}, {})]

    def _double(self, draw: Draw, name: str, todo: dict[str, Certainty]) -> Statement | None:
        absent = [
            n for n, c in todo.items() if c is NEGATIVE and self.lexicon.observations[n].terms
        ]
        terms = self.lexicon.observations[name].terms
        if not absent or not terms:
            return None
        other = pick(draw, absent)
        slots = {
            "t": self.fill(draw, pick_early(draw, self.lexicon.observations[other].terms), {}),
            "u": self.fill(draw, pick_early(draw, terms), {}),
        }
        line = pick_early(draw, self.lexicon.frames["double"])
        return self.statement(draw, line, slots, {other: NEGATIVE, name: UNCERTAIN}, todo)

    def _asides(self, draw: Draw, case: Case, place: str) -> list[Statement]:
        out: list[Statement] = []
        for aside in self.lexicon.asides:
            if aside.place not in (place, "both"):
                continue
            share = aside.rate * (case.asides if aside.abnormal else 1.0)
            if draw() < share * (0.35 if aside.place == "both" and place == "impression" else 1.0):
                statement = self._aside(draw, aside, case)
                if statement is not None:
                    out.append(statement)
        return out

    def _aside(self, draw: Draw, aside: Aside, case: Case) -> Statement | None:
        line = self.line(draw, aside.lines, case)
        if line is None:
            return None
        text = tidy(self.fill(draw, line, {}))
        places = self._places.get(aside.organ) if draw() < 0.7 else None
        place = pick(draw, places) + 0.5 if places else draw() * len(self.order)
        return Statement(text, {}, aside.abnormal, aside.organ, place)

    def _closing(self, draw: Draw, case: Case, abnormal: bool) -> Statement:
        kind = "otherwise"
        if not case.present():
            kind = "normal" if not abnormal and draw() < 0.35 else "no_acute"
        lines = self.lexicon.summaries[kind]
        return Statement(tidy(self.fill(draw, self.line(draw, lines, case) or lines[0], {})), {})

    def _fits(self, joint: Joint, todo: Mapping[str, Certainty], case: Case) -> bool:
        for name, certainty in joint.says.items():
            wanted = todo.get(name)
            if wanted is certainty:
                continue
            if name in case.states and wanted is None:
                return False
            if certainty is NEGATIVE and wanted is not None:
                return False
            if certainty is not NEGATIVE and (wanted is POSITIVE or not case.present()):
                return False
        return True
