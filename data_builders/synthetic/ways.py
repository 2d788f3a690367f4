"""Ways of saying: sentences for any observation whose parts say different things of different ones.

A way has roles ``a`` to ``d``, each with the certainty that its words give it: in "no {a} but
{b_ax}" role ``a`` is negative and ``b`` positive. A role may be ``blank``: the observation is
named, and nothing is said of it ("{a} of the mother"). ``docs/synthetic.md`` lists the slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from data_builders.synthetic.clauses import Clauses
from data_builders.synthetic.draw_findings import Case
from data_builders.synthetic.lexicon import Observation, Way
from data_builders.synthetic.phrases import Draw, pick, shuffled
from data_builders.synthetic.statements import Statement
from labelwright.label_set import LabelSet
from labelwright.records import Certainty

POSITIVE, NEGATIVE, UNCERTAIN, BLANK = (
    Certainty.POSITIVE,
    Certainty.NEGATIVE,
    Certainty.UNCERTAIN,
    Certainty.BLANK,
)
WANTED = 0.7
"""Share of the further roles that are filled with what the case wants said anyway."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Who plays which role of a way."""

    way: Way
    cast: Mapping[str, str]

    def says(self) -> dict[str, Certainty]:
        """What the sentence says of the observations in it."""
        told = self.way.says.items()
        return {self.cast[role]: certainty for role, certainty in told if certainty is not BLANK}


class Ways:
    """Writes statements in the ways of one lexicon; holds no state between reports."""

    def __init__(self, clauses: Clauses, label_set: LabelSet) -> None:
        self._clauses = clauses
        self._observations = clauses.lexicon.observations
        self._allowed = {
            (name, certainty)
            for name, observation in self._observations.items()
            for certainty in (*label_set.by_name[name].certainties, BLANK)
            if observation.terms
        }
        self._by_first: dict[Certainty, list[Way]] = {}
        self._by_kind: dict[str, list[Way]] = {}
        for way in clauses.lexicon.ways:
            copies = [way] * way.weight
            self._by_first.setdefault(way.says["a"], []).extend(copies)
            self._by_kind.setdefault(way.kind, []).extend(copies)
        self.kinds = tuple(self._by_kind)
        self._sizes = {
            kind: sum(len(way.lines) for way in ways) ** 0.5 for kind, ways in self._by_kind.items()
        }
        self._total = sum(self._sizes.values())

    def kind(self, draw: Draw) -> str:
        """One of the kinds, those with more wordings more often (by the root of their number)."""
        at = draw() * self._total
        for kind, size in self._sizes.items():
            at -= size
            if at < 0:
                return kind
        return self.kinds[-1]

    def say(
        self, draw: Draw, name: str, certainty: Certainty, todo: dict[str, Certainty], case: Case
    ) -> Statement | None:
        """State the observation in one of the ways; ``None`` where none fits.

        All that the statement says is taken off ``todo`` and added to the case.
        """
        ways = self._by_first.get(certainty)
        if not ways:
            return None
        for _ in range(3):
            roles = self._roles(draw, pick(draw, ways), name, todo, case)
            if roles is not None:
                return self._statement(draw, roles, todo, case)
        return None

    def of_kind(self, draw: Draw, kind: str, case: Case) -> Statement | None:
        """One statement of this kind, of whatever observations fit."""
        way = pick(draw, self._by_kind[kind])
        for name in shuffled(draw, list(self._observations)):
            roles = self._roles(draw, way, name, {}, case)
            if roles is not None:
                return self._statement(draw, roles, {}, case)
        return None

    def _roles(
        self, draw: Draw, way: Way, first: str, todo: Mapping[str, Certainty], case: Case
    ) -> Roles | None:
        if not self._fits(way, "a", first):
            return None
        cast = {"a": first}
        for role in list(way.says)[1:]:
            wanted = way.says[role]
            due = [n for n, c in todo.items() if c is wanted] if draw() < WANTED else []
            free = [n for n in self._observations if n not in case.states and n not in todo]
            options = self._options(way, role, due, cast) or self._options(way, role, free, cast)
            if not options:
                return None
            cast[role] = pick(draw, options)
        return Roles(way, cast)

    def _options(
        self, way: Way, role: str, names: Iterable[str], cast: Mapping[str, str]
    ) -> list[str]:
        taken = set(cast.values())
        return [name for name in names if name not in taken and self._fits(way, role, name)]

    def _fits(self, way: Way, role: str, name: str) -> bool:
        certainty = way.says[role]
        only = way.only.get(role)
        return (
            (name, certainty) in self._allowed
            and (only is None or name in only)
            and (role not in way.evolves or self._observations[name].evolves)
        )

    def _statement(
        self, draw: Draw, roles: Roles, todo: dict[str, Certainty], case: Case
    ) -> Statement | None:
        says = roles.says()
        line = self._clauses.line(draw, roles.way.lines, case)
        if line is None:
            return None
        slots: dict[str, str] = {}
        for role, name in roles.cast.items():
            slots |= self._slots(draw, role, self._observations[name])
        case.states.update(says)
        if says:
            return self._clauses.statement(draw, line, slots, says, todo)
        observation = self._observations[roles.cast["a"]]
        text = self._clauses.text(draw, line, slots)
        place = float(self._clauses.order[observation.name])
        return Statement(text, {}, roles.way.abnormal, observation.organ, place)

    def _slots(self, draw: Draw, role: str, observation: Observation) -> dict[str, str]:
        term = self._clauses.term(draw, observation.terms)
        many = plural(term)
        slots = {
            role: term,
            f"{role}_is": "are" if many else "is",
            f"{role}_was": "were" if many else "was",
            f"{role}_has": "have" if many else "has",
            f"{role}_does": "do" if many else "does",
        }
        if observation.found or observation.found_many:
            subject = self._clauses.subject(draw, observation)
        else:
            subject = {"x": term, "ax": term, "is": slots[f"{role}_is"], "has": "has"}
        return slots | {
            f"{role}_x": subject["x"],
            f"{role}_ax": subject["ax"],
            f"{role}_xis": subject["is"],
            f"{role}_xhas": subject["has"],
        }


def plural(term: str) -> bool:
    """Whether a verb after the term is plural; by its ending, which does for medical nouns.

    >>> [plural(term) for term in ("effusions", "atelectasis", "mass", "pneumothoraces")]
    [True, False, False, True]
    """
    last = term.split()[-1].casefold() if term.split() else ""
    return last.endswith("s") and not last.endswith(("ss", "is", "us"))
