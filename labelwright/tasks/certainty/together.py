"""The answers to parts of a report put together.

**Windows** of running text: an observation is positive if any window says so, else uncertain if any
says so, else negative, else blank. The probabilities are those of the window that decided; the
evidence is that of all windows that say what the answer says.

**Sentences** asked one by one are put together as if they were independent, where positive
outweighs uncertain, uncertain outweighs negative, and any of them blank:

    P(positive) = 1 - prod(1 - p_positive)
    P(positive or uncertain) = 1 - prod(1 - p_positive - p_uncertain)
    P(blank) = prod(p_blank)

The label is the likeliest certainty that obeys the label set's rules. Each label brings its
evidence, the sentences that say it.

An observation that heads an exclusive rule of the label set ("No Finding") is the reverse in both:
it is positive only if every part says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from labelwright.chances import Layout, layout_of, rows, same_layout, table
from labelwright.label_set import LabelSet
from labelwright.records import Answer, Certainty
from labelwright.tasks.base import Part
from labelwright.tasks.certainty.answer import render
from labelwright.tasks.certainty.rules import Probabilities, settle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PRECEDENCE = (Certainty.POSITIVE, Certainty.UNCERTAIN, Certainty.NEGATIVE, Certainty.BLANK)
Said = Mapping[str, Certainty | None]

_POSITIVE, _UNCERTAIN, _NEGATIVE, _BLANK = (c.value for c in PRECEDENCE)
_OTHERS = tuple(c.value for c in Certainty if c is not Certainty.POSITIVE)


def of_windows(label_set: LabelSet, answers: Sequence[Answer]) -> Answer:
    """One answer from those of a report's windows, by the rule above."""
    heads = heads_of(label_set)
    labels: dict[str, Certainty | None] = {}
    probs: dict[str, dict[str, float]] = {}
    for name in label_set.names:
        said = [answer.value[name] for answer in answers]
        labels[name] = _together(said, every=name in heads)
        given = [dict(answer.probs[name]) for answer in answers if answer.probs is not None]
        if given and labels[name] is not None:
            probs[name] = _deciding(given, str(labels[name]), every=name in heads)
    return Answer(
        value=labels,
        raw="\n".join(answer.raw for answer in answers),
        problems=tuple(dict.fromkeys(p for answer in answers for p in answer.problems)),
        notes=tuple(dict.fromkeys(n for answer in answers for n in answer.notes)),
        probs=probs or None,
        evidence=_evidence_of_windows(labels, answers),
    )


def of_sentences(label_set: LabelSet, parts: Sequence[Part]) -> Answer:
    """One answer from those of a report's sentences, by the rules above."""
    answers = [part.answer for part in parts]
    heads = heads_of(label_set)
    if any(answer.probs is None for answer in answers):
        whole = of_windows(label_set, answers)
        return Answer(
            value=whole.value,
            raw=whole.raw,
            problems=whole.problems,
            notes=whole.notes,
            probs=whole.probs,
            evidence=_evidence_of_sentences(parts, whole.value, heads),
        )
    kept, labels, changed = _settled(label_set, answers, heads)
    notes = dict.fromkeys(note for a in answers for note in a.notes if not note.startswith("rule:"))
    return Answer(
        value=labels,
        raw=render(label_set, labels),
        notes=(*notes, *(f"rule: {name}" for name in changed)),
        probs=kept,
        evidence=_evidence_of_sentences(parts, labels, heads),
    )


def _settled(
    label_set: LabelSet, answers: Sequence[Answer], heads: Set[str]
) -> tuple[Probabilities, dict[str, Certainty], tuple[str, ...]]:
    """Probabilities with six decimals, the likeliest labels that obey, and what gave way."""
    import numpy as np

    given = [answer.probs for answer in answers]
    layout = same_layout(given)
    if layout is not None:
        asked = _asked(layout, label_set)
        numbers = _product(table(given), asked)
        for name in heads:
            rows_of = [one[name] for one in given if one]
            start, options = asked.out.at[name]
            said = _combined(rows_of, every=True)
            numbers[start : start + len(options)] = [said[c] for c in options]
        best = np.where(asked.allowed, numbers[asked.places], -1.0).argmax(axis=1)
        labels = {
            label.name: label.certainties[pick]
            for label, pick in zip(label_set.labels, best.tolist(), strict=True)
        }
        packed = rows(asked.out, numbers[None])[0]
        if not label_set.contradictions(labels):
            return packed, labels, ()
        values = iter(numbers.tolist())
        kept = {name: {c: next(values) for c in options} for name, options in asked.out.names}
        return packed, *settle(label_set, kept)
    probs = {
        name: _combined([a.probs[name] for a in answers if a.probs], every=name in heads)
        for name in label_set.names
    }
    allowed = {label.name: [c.value for c in label.certainties] for label in label_set.labels}
    kept = {name: {c: given[c] for c in allowed[name]} for name, given in probs.items()}
    rounded = {
        name: {certainty: round(value, 6) for certainty, value in given.items()}
        for name, given in kept.items()
    }
    return rounded, *settle(label_set, kept)


@dataclass(frozen=True)
class _Asked:
    """Where the numbers of a label set stand.

    Attributes:
        columns: per label of the set and certainty of :data:`PRECEDENCE` the number in an answer's
            layout, ``[4, labels]``; the one behind the last where there is none.
        out: of the whole report, the certainties that each label may take.
        taken: per number of ``out``, which of ``[4, labels]``.
        places, allowed: per label and option the number of ``out``, and whether there is one.
    """

    columns: NDArray[np.int64]
    out: Layout
    taken: NDArray[np.int64]
    places: NDArray[np.int64]
    allowed: NDArray[np.bool_]


@lru_cache(maxsize=16)
def _asked(layout: Layout, label_set: LabelSet) -> _Asked:
    import numpy as np

    columns = np.full((len(PRECEDENCE), len(label_set.names)), layout.starts[-1])
    most = max(len(label.certainties) for label in label_set.labels)
    places = np.zeros((len(label_set.names), most), dtype=np.int64)
    allowed = np.zeros(places.shape, dtype=bool)
    taken: list[int] = []
    for number, label in enumerate(label_set.labels):
        start, options = layout.at[label.name]
        for row, certainty in enumerate(PRECEDENCE):
            if certainty.value in options:
                columns[row, number] = start + options.index(certainty.value)
        for place, certainty in enumerate(label.certainties):
            places[number, place], allowed[number, place] = len(taken), True
            taken.append(PRECEDENCE.index(certainty) * len(label_set.names) + number)
    out = layout_of(
        tuple((x.name, tuple(c.value for c in x.certainties)) for x in label_set.labels)
    )
    return _Asked(columns, out, np.array(taken), places, allowed)


def _product(numbers: NDArray[np.float64], asked: _Asked) -> NDArray[np.float64]:
    """As :func:`_combined`, of all labels at once: the numbers of ``asked.out``.

    Args:
        numbers: ``[sentences, numbers of an answer]``.
    """
    import numpy as np

    wide = np.concatenate([numbers, np.zeros((len(numbers), 1))], axis=1)[:, asked.columns]
    others = 1 - wide[:, 0]
    no_positive = np.multiply.reduce(others, axis=0)
    neither = np.multiply.reduce(np.maximum(others - wide[:, 1], 0.0), axis=0)
    nothing_said = np.multiply.reduce(wide[:, 3], axis=0)
    found = np.stack(
        [
            1 - no_positive,
            np.maximum(no_positive - neither, 0.0),
            np.maximum(neither - nothing_said, 0.0),
            nothing_said,
        ]
    )
    whole: NDArray[np.float64] = found.ravel()[asked.taken]
    return whole


def heads_of(label_set: LabelSet) -> set[str]:
    """The observations that head an exclusive rule: no sentence says them, but the whole report."""
    return {rule.label for rule in label_set.exclusive}


def _evidence_of_windows(
    labels: Said, answers: Sequence[Answer]
) -> dict[str, list[list[int]]] | None:
    found: dict[str, list[list[int]]] = {}
    for answer in answers:
        if answer.evidence is None:
            return None
        for name, spans in answer.evidence.items():
            if answer.value[name] is labels[name]:
                found.setdefault(name, []).extend(spans)
    return found


def _together(said: Sequence[Certainty | None], *, every: bool) -> Certainty | None:
    if every and any(value is not Certainty.POSITIVE for value in said):
        said = [value for value in said if value is not Certainty.POSITIVE]
    for certainty in PRECEDENCE:
        if certainty in said:
            return certainty
        if certainty is Certainty.POSITIVE and None in said:
            return None
    return None


def _deciding(given: list[dict[str, float]], certainty: str, *, every: bool) -> dict[str, float]:
    if every:
        return min(given, key=lambda probs: probs.get(_POSITIVE, 0.0))
    return max(given, key=lambda probs: probs.get(certainty, 0.0))


def _combined(given: Sequence[Mapping[str, float]], *, every: bool) -> dict[str, float]:
    """The distribution over certainties of a whole report."""
    if every:
        sure = math.prod(row.get(_POSITIVE, 0.0) for row in given)
        rest = {c: sum(row.get(c, 0.0) for row in given) for c in _OTHERS}
        total = sum(rest.values()) or 1.0
        found = {c: (1 - sure) * value / total for c, value in rest.items()}
        return {_POSITIVE: sure} | found
    no_positive = neither = nothing_said = 1.0
    for row in given:
        positive = row.get(_POSITIVE, 0.0)
        no_positive *= 1 - positive
        neither *= max(1 - positive - row.get(_UNCERTAIN, 0.0), 0.0)
        nothing_said *= row.get(_BLANK, 0.0)
    return {
        _POSITIVE: 1 - no_positive,
        _UNCERTAIN: max(no_positive - neither, 0.0),
        _NEGATIVE: max(neither - nothing_said, 0.0),
        _BLANK: nothing_said,
    }


def _evidence_of_sentences(
    parts: Sequence[Part], labels: Said, heads: Set[str]
) -> dict[str, list[list[int]]]:
    """The sentences that say a label; where none does by itself, the one nearest to it."""
    found: dict[str, list[list[int]]] = {}
    for name, label in labels.items():
        if label is None or label is Certainty.BLANK or name in heads:
            continue
        saying = [part.places for part in parts if part.answer.value[name] is label]
        if not saying:
            best = max(
                parts, key=lambda part: (part.answer.probs or {}).get(name, {}).get(label, 0.0)
            )
            saying = [best.places]
        found[name] = [list(span) for span in sorted(span for places in saying for span in places)]
    return found
