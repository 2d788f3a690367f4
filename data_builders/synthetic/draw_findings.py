"""What a report is to say, drawn before a word is written."""

from __future__ import annotations

from dataclasses import dataclass

from data_builders.synthetic.lexicon import Lexicon, Observation, Profile
from data_builders.synthetic.phrases import Draw, pick
from data_builders.synthetic.statements import RANK
from labelwright.label_set import LabelSet
from labelwright.records import Certainty


@dataclass(slots=True)
class Case:
    """The wanted certainty of each observation; those not named stay unmentioned.

    Attributes:
        profile: name of the profile it was drawn from.
        asides: factor on how often abnormal asides occur.
        varied: share of statements that are made in one of the lexicon's ways of saying.
    """

    profile: str
    states: dict[str, Certainty]
    asides: float
    varied: float = 0.0

    def present(self) -> frozenset[str]:
        """The observations that are there or may be there."""
        return frozenset(n for n, c in self.states.items() if c is not Certainty.NEGATIVE)


class CaseBook:
    """Draws cases by the profiles and rates of a lexicon."""

    def __init__(self, lexicon: Lexicon, label_set: LabelSet) -> None:
        self._lexicon = lexicon
        self._weight = sum(profile.weight for profile in lexicon.profiles)
        self.pairs = [
            (name, certainty)
            for name in lexicon.observations
            for certainty in RANK
            if certainty in label_set.by_name[name].certainties
        ]

    def draw(self, draw: Draw, balance: float) -> Case:
        """A case; with probability ``balance`` one of evenly drawn certainties."""
        if draw() < balance:
            names = self._lexicon.observations
            states = {name: Certainty.NEGATIVE for name in names if draw() < 0.2}
            for _ in range(1 + int(draw() * 4)):
                name, certainty = pick(draw, self.pairs)
                states[name] = certainty
            return Case("balanced", states, asides=1.0)
        profile = self._profile(draw)
        states = {}
        for name, observation in self._lexicon.observations.items():
            wanted = _state(draw(), profile, observation)
            if wanted is not None:
                states[name] = wanted
        return Case(profile.name, states, asides=profile.asides)

    def _profile(self, draw: Draw) -> Profile:
        at = draw() * self._weight
        for profile in self._lexicon.profiles:
            at -= profile.weight
            if at < 0:
                return profile
        return self._lexicon.profiles[-1]


def _state(at: float, profile: Profile, observation: Observation) -> Certainty | None:
    own = profile.rates.get(observation.name, {})
    for certainty in RANK:
        usual = 1.0 if certainty is Certainty.NEGATIVE else profile.usual
        at -= own.get(certainty, observation.rates.get(certainty, 0.0) * usual)
        if at < 0:
            return certainty
    return None
