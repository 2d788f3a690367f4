"""How far two people agree, and people with labelers: F1 and kappa with intervals over patients.

F1 of a pair needs no count of what both left out: of n statements of the one and m of the other, a
and b have a counterpart, and F1 is (a + b) / (n + m) (Hripcsak & Rothschild 2005). It is counted in
three ways: *strict* (label, certainty and place or value), *place* (the same place, whatever the
label), *overlap* (the same label, places that touch). Cohen's kappa is over labels of documents
where every label gets an answer, else over words; there nearly all words bear no label, so kappa
says less than F1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from review.kinds.base import Form, Item
from review.store import gold, runs, work
from review.store.people import FINAL
from review.store.tables import assignment, note, person, queue, run
from review.text.words import covering, words

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Interval = Callable[..., Any]
"""The bootstrap of :mod:`eval.stats.resampling`, handed in: stages meet in commands alone."""

WAYS = ("strict", "place", "overlap")
FEWEST = 5
"""Patients below which no interval is given."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What two sides said of one note."""

    note: int
    ext: str
    cluster: str
    text: str
    one: tuple[Item, ...]
    other: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One number: how much two sides agree, in one way, on one label or all.

    ``value`` is ``None`` where it is not defined: nothing was said by either side, or (kappa) both
    gave the same answer everywhere, as chance would.
    """

    one: str
    other: str
    measure: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    notes: int
    statements: int

    @property
    def number(self) -> str:
        """The value to three places, or a dash."""
        return "–" if self.value is None else f"{self.value:.3f}"


@dataclass(frozen=True, slots=True)
class Apart:
    """A note on which two sides differ, with the number of statements that only one has."""

    note: int
    ext: str
    one: str
    other: str
    differ: int


@dataclass(frozen=True)
class Agreement:
    """All pairs of annotators, and all runs of labelers with what counts in the end."""

    rows: tuple[Row, ...]
    apart: tuple[Apart, ...]


def agreement(
    connection: Connection, form: Form, interval: Interval | None, *, runs_too: bool = True
) -> Agreement:
    """Compare all pairs who have notes in common."""
    rows: list[Row] = []
    apart: list[Apart] = []
    for (one, other), pairs in sorted(_people(connection).items()):
        rows += compared(form, one, other, pairs, interval)
        for each in pairs:
            left = {_key(i) for i in form.statements(each.one)}
            right = {_key(i) for i in form.statements(each.other)}
            if differ := len(left ^ right):
                apart.append(Apart(each.note, each.ext, one, other, differ))
    for name, pairs in _labelers(connection) if runs_too else ():
        rows += compared(form, name, FINAL, pairs, interval)
    apart.sort(key=lambda each: (-each.differ, each.ext))
    return Agreement(tuple(rows), tuple(apart))


def compared(
    form: Form, one: str, other: str, pairs: Sequence[Pair], interval: Interval | None
) -> Iterator[Row]:
    """The numbers of one pair of sides."""
    if not pairs:
        return
    clusters = _clusters(pairs)
    labels = ("all", *form.label_set.names)
    ways = WAYS if form.mode == "marks" else WAYS[:1]
    counts = np.stack([_f1_counts(form, each, ways) for each in pairs])
    told = counts[:, 0, :, 2:].sum(axis=(0, 2))
    for at, way in enumerate(ways):
        found = _estimated(_summed(counts[:, at], clusters), _f1, interval)
        for place, label in enumerate(labels):
            if told[place] or label == "all":
                row = (f"F1 {way}", label, *found[place], len(pairs), int(told[place]))
                yield Row(one, other, *row)
    kappas = np.stack([_kappa_counts(form, each) for each in pairs])
    found = _estimated(_summed(kappas, clusters), _kappa, interval)
    what = "kappa of labels" if form.mode == "choices" else "kappa of words"
    for place, label in enumerate(labels):
        if label != "all" or form.mode == "choices":
            row = (what, label, *found[place], len(pairs), int(told[place]))
            if told[place] or label == "all":
                yield Row(one, other, *row)


def _estimated(
    counts: Counts, score: Callable[[Any], Floats], interval: Interval | None
) -> list[tuple[float | None, float | None, float | None]]:
    """Values with their intervals, where there are enough patients."""
    values = score(counts.sum(axis=0))
    if interval is None or len(counts) < FEWEST:
        return [(_finite(each), None, None) for each in values]

    def filled(drawn: Any) -> Floats:  # the resamples that leave nothing to compare
        return np.nan_to_num(score(drawn), nan=1.0)

    with np.errstate(all="ignore"):
        found = interval(counts, filled)
    return [
        (float(value), _finite(low), _finite(high)) if np.isfinite(value) else (None, None, None)
        for value, low, high in zip(values, found.low, found.high, strict=True)
    ]


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _f1(counts: Any) -> Floats:
    """``[..., labels, (a, b, n, m)]`` to F1 per label; NaN where both sides are empty."""
    total = counts[..., 2] + counts[..., 3]
    both = counts[..., 0] + counts[..., 1]
    return np.asarray(np.where(total > 0, both / np.maximum(total, 1), np.nan))


def _kappa(counts: Any) -> Floats:
    """``[..., labels, options, options]`` to Cohen's kappa (1960); NaN where it is 0 / 0."""
    total = np.maximum(counts.sum(axis=(-1, -2)), 1)
    seen = np.trace(counts, axis1=-2, axis2=-1) / total
    chance = (counts.sum(axis=-1) * counts.sum(axis=-2)).sum(axis=-1) / total**2
    return np.asarray(np.where(chance < 1, (seen - chance) / np.maximum(1 - chance, 1e-12), np.nan))


def _f1_counts(form: Form, pair: Pair, ways: Sequence[str]) -> Counts:
    """``[ways, 1 + labels, 4]``: matched of the one and the other, all of the one and the other."""
    place = {name: at + 1 for at, name in enumerate(form.label_set.names)}
    found = np.zeros((len(ways), len(place) + 1, 4), dtype=np.int64)
    sides = (form.statements(pair.one), form.statements(pair.other))
    for side in (0, 1):
        for each in sides[side]:
            at = place.get(each.name)
            if at is None:
                continue
            found[:, [0, at], 2 + side] += 1
            for number, way in enumerate(ways):
                if _met(each, sides[1 - side], way):
                    found[number, [0, at], side] += 1
    return found


def _met(each: Item, others: Sequence[Item], way: str) -> bool:
    if way == "strict":
        return any(_key(each) == _key(other) for other in others)
    if way == "place":
        return any(each.spans == other.spans for other in others)
    return any(
        each.name == other.name
        and any(a < d and c < b for a, b in each.spans for c, d in other.spans)
        for other in others
    )


def _key(each: Item) -> tuple[Any, ...]:
    """What has to be equal: of values what they mean, not how they are written or where."""
    if isinstance(each.value, Mapping):
        return (each.name, each.said, repr(each.value.get("value")))
    return (each.name, each.said, each.spans)


def _kappa_counts(form: Form, pair: Pair) -> Counts:
    """``[1 + labels, options, options]``; of words: without and with the label."""
    names = form.label_set.names
    if form.mode == "choices":
        options = list(dict.fromkeys(o.name for name in names for o in form.options(name)))
        found = np.zeros((len(names) + 1, len(options), len(options)), dtype=np.int64)
        sides = [{each.name: each.said for each in side} for side in (pair.one, pair.other)]
        for at, name in enumerate(names, 1):
            if name in sides[0] and name in sides[1]:
                one, other = (options.index(str(side[name])) for side in sides)
                found[[0, at], one, other] += 1
        return found
    found = np.zeros((len(names) + 1, 2, 2), dtype=np.int64)
    text_words = words(pair.text)
    for at, name in enumerate(names, 1):
        left, right = (_words(side, name, text_words) for side in (pair.one, pair.other))
        both = len(left & right)
        rest = len(text_words) - len(left | right)
        found[at] = [[rest, len(right) - both], [len(left) - both, both]]
    return found


def _words(side: Sequence[Item], name: str, found: Sequence[tuple[int, int]]) -> set[int]:
    numbers: set[int] = set()
    for each in side:
        for span in each.spans if each.name == name else ():
            if (inner := covering(found, span)) is not None:
                numbers.update(range(inner[0], inner[1] + 1))
    return numbers


def _clusters(pairs: Sequence[Pair]) -> NDArray[np.int64]:
    names = {name: at for at, name in enumerate(dict.fromkeys(each.cluster for each in pairs))}
    return np.array([names[each.cluster] for each in pairs])


def _summed(counts: Counts, clusters: NDArray[np.int64]) -> Counts:
    """Counts per patient: notes of one patient resemble each other."""
    found = np.zeros((int(clusters.max()) + 1, *counts.shape[1:]), dtype=np.int64)
    np.add.at(found, clusters, counts)
    return found


def _people(connection: Connection) -> dict[tuple[str, str], list[Pair]]:
    """Finished notes of every two people who both annotated them."""
    twice = (
        select(assignment.c.note)
        .where(assignment.c.role == work.ANNOTATE, assignment.c.state == work.DONE)
        .group_by(assignment.c.note)
        .having(func.count() > 1)
    )
    rows = connection.execute(
        select(assignment.c.id, person.c.name, note.c.id.label("note"), note.c.ext,
               note.c.patient, note.c.text)
        .join(person, person.c.id == assignment.c.person)
        .join(note, note.c.id == assignment.c.note)
        .where(
            assignment.c.role == work.ANNOTATE,
            assignment.c.state == work.DONE,
            assignment.c.note.in_(twice),
        )
        .order_by(note.c.ext, person.c.name)
    ).all()  # fmt: skip
    said = work.said_on(connection, [row.id for row in rows])
    by_note: dict[int, list[Any]] = {}
    for row in rows:
        by_note.setdefault(row.note, []).append(row)
    found: dict[tuple[str, str], list[Pair]] = {}
    for each in by_note.values():
        for at, one in enumerate(each):
            for other in each[at + 1 :]:
                pair = Pair(
                    one.note,
                    one.ext,
                    one.patient or one.ext,
                    one.text,
                    said[one.id],
                    said[other.id],
                )
                found.setdefault((one.name, other.name), []).append(pair)
    return found


def _labelers(connection: Connection) -> Iterator[tuple[str, list[Pair]]]:
    """Each run with what counts in the end, on finished notes of the random share."""
    measured = [each for each in gold.finals(connection) if each.blind]
    for row in connection.execute(select(run.c.id, run.c.name, run.c.round).order_by(run.c.id)):
        pairs = []
        for each in measured:
            said = runs.proposals_of(connection, row.id, each.note)
            if said is not None:
                cluster = each.patient or each.ext
                pairs.append(Pair(each.note, each.ext, cluster, each.text, tuple(said), each.items))
        if pairs:
            yield labeler_name(row), pairs


def labeler_name(row: Any) -> str:
    """How a run is called in tables."""
    return f"run {row.id} ({row.name})" + (f", round {row.round}" if row.round else "")


def random_share(connection: Connection) -> tuple[int, int]:
    """Finished notes of the random share, and all of it."""
    done = connection.execute(
        select(queue.c.state, func.count()).where(queue.c.blind).group_by(queue.c.state)
    )
    counts: dict[str, int] = dict(done.tuples().all())
    return counts.get("final", 0), sum(counts.values())
