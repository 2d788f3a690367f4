"""The parts that every statement is made of: a line that fits, its slots filled, a noun phrase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data_builders.synthetic.draw_findings import Case
from data_builders.synthetic.lexicon import Lexicon, Line, Lines, Observation
from data_builders.synthetic.phrases import Draw, pick, pick_early, tidy, write
from data_builders.synthetic.statements import Says, Statement
from labelwright.records import Certainty


class Clauses:
    """Writes clauses with the words of one lexicon; holds no state between reports."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.order = {name: i for i, name in enumerate(lexicon.observations)}

    def fill(self, draw: Draw, line: Line, slots: Mapping[str, str]) -> str:
        """One wording of the line, untidied."""
        return write(line.phrase, draw, self.lexicon.words, slots)

    def text(self, draw: Draw, line: Line, slots: Mapping[str, str]) -> str:
        """One wording of the line, tidied."""
        return tidy(self.fill(draw, line, slots))

    def line(self, draw: Draw, lines: Lines, case: Case) -> Line | None:
        """One of the lines, earlier ones more often, that is no nonsense in this case."""
        if not lines:
            return None
        present = case.present()
        for _ in range(4):
            line = pick_early(draw, lines)
            if not line.unless or not (line.unless & present):
                return line
        return next((line for line in lines if not (line.unless & present)), None)

    def framed(
        self,
        draw: Draw,
        kind: str,
        slots: Mapping[str, str],
        says: Says,
        case: Case,
        todo: dict[str, Certainty],
    ) -> Statement:
        """A statement made with one of the lexicon's frames."""
        frames = self.lexicon.frames[kind]
        line = self.line(draw, frames, case) or frames[0]
        return self.statement(draw, line, slots, says, todo)

    def statement(
        self,
        draw: Draw,
        line: Line,
        slots: Mapping[str, str],
        says: Says,
        todo: dict[str, Certainty],
    ) -> Statement:
        """The line as a statement; what it says is taken off ``todo``."""
        for name in says:
            todo.pop(name, None)
        first = next(iter(says))
        organ = self.lexicon.observations[first].organ
        text = self.text(draw, line, slots)
        return Statement(text, says, False, organ, float(self.order[first]))

    def term(self, draw: Draw, terms: Lines) -> str:
        """One of the bare names."""
        return tidy(self.fill(draw, pick_early(draw, terms), {}))

    def noun(self, draw: Draw, observation: Observation) -> tuple[str, bool]:
        """A noun phrase for something present, and whether it is plural."""
        one, many = observation.found, observation.found_many
        plural = bool(many) and (not one or draw() < len(many) / (len(one) + len(many)))
        return self.fill(draw, pick_early(draw, many if plural else one), {}).strip(), plural

    def subject(self, draw: Draw, observation: Observation) -> dict[str, str]:
        """The slots of a frame about something present: noun phrase, article, verbs."""
        noun, many = self.noun(draw, observation)
        return {
            "x": noun,
            "ax": f"a {noun}" if observation.countable and not many else noun,
            "is": "are" if many else "is",
            "has": "have" if many else "has",
        }


def listed(draw: Draw, terms: Sequence[str]) -> tuple[str, str]:
    """The terms in one list with ``or`` and in one with ``nor`` before the last."""
    if len(terms) == 1:
        return terms[0], terms[0]
    comma = "," if len(terms) > 2 and draw() < 0.5 else ""
    head, tail = ", ".join(terms[:-1]), terms[-1]
    joint = f"{head}{comma} or {tail}"
    if draw() < 0.1:
        joint = head + pick(draw, (f" and {tail}", f"/{tail}", f", {tail}", f" and/or {tail}"))
    return joint, f"{head}{comma} nor {tail}"
