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
NOUNS_NAMED, TERMS_PRESENT = 0.25, 0.5
"""Shares of names that are whole noun phrases ("no small left effusion"), and of what is present
that has its bare name ("PTX without effusion")."""
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
        """The role's names; a name's length says nothing of what is said of it."""
        bare = named(self._clauses.term(draw, observation.terms), observation)
        found = self._clauses.subject(draw, observation) if self._has_nouns(observation) else bare
        term = found if draw() < NOUNS_NAMED else bare
        present = bare if draw() < TERMS_PRESENT else found
        return {
            role: term["x"],
            f"{role}_is": term["is"],
            f"{role}_was": "were" if term["is"] == "are" else "was",
            f"{role}_has": term["has"],
            f"{role}_does": "do" if term["is"] == "are" else "does",
            f"{role}_x": present["x"],
            f"{role}_ax": present["ax"],
            f"{role}_xis": present["is"],
            f"{role}_xhas": present["has"],
        }

    @staticmethod
    def _has_nouns(observation: Observation) -> bool:
        return bool(observation.found or observation.found_many)


def plural(term: str) -> bool:
    """Whether a verb after the term is plural; by its ending, which does for medical nouns.

    >>> [plural(term) for term in ("effusions", "atelectasis", "mass", "pneumothoraces")]
    [True, False, False, True]
    """
    last = term.split()[-1].casefold() if term.split() else ""
    return last.endswith("s") and not last.endswith(("ss", "is", "us"))


def named(term: str, observation: Observation) -> dict[str, str]:
    """A bare term in the slots of something present: the term, with its article, its verbs."""
    many = plural(term)
    return {
        "x": term,
        "ax": f"a {term}" if observation.countable and not many else term,
        "is": "are" if many else "is",
        "has": "have" if many else "has",
    }
