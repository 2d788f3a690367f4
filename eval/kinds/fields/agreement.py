"""Where labelers agree, field by field: the same value, the same silence, and κ beyond chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from eval.kinds.fields.asked import Asked
from eval.kinds.fields.counts import Document
from eval.kinds.fields.equality import all_in, distinct, matched
from eval.kinds.fields.read import FieldComparison
from eval.page.contents import Section
from eval.page.tables import Column, Table, Value
from eval.stats.counts import Counts, Floats, cluster_counts, ratio
from eval.stats.estimates import Estimate
from eval.stats.resampling import bootstrap_score
from eval.stats.significance import CompareSettings
from labelwright.tasks.fields.values import FieldValue

LONG = 30
"""Rows in all beyond which tables of a section are folded."""
MOST_PAIRS = 6
"""With more pairs than these only those of the first labeler are shown."""


@dataclass(frozen=True)
class Agreement:
    """How far two labelers agree on one field.

    Attributes:
        documents: that both answered; ``stated``: of which both state something.
        same: documents where both say the same, or both nothing; ``presence``: where both state
            something or both nothing; ``values``: of those where both state something, the same.
        kappa: Cohen's over values and silence, of booleans and categories; ``None`` for other
            types, and where one answer is all there is.
    """

    documents: int
    stated: int
    same: int
    presence: int
    values: int
    kappa: float | None


def agree(asked: Asked, one: FieldValue, other: FieldValue) -> bool:
    """Whether two say the same of a field; which of them is right is not asked."""
    left, right = asked.stated(one), asked.stated(other)
    if not left or not right:
        return not left and not right
    if not asked.many:
        return all_in(asked.sameness, left, right) or all_in(asked.sameness, right, left)
    a, b = distinct(asked.sameness, left), distinct(asked.sameness, right)
    return len(a) == len(b) == len(matched(asked.sameness, a, b))


def agreement(
    asked: Asked, one: Sequence[Document | None], other: Sequence[Document | None]
) -> tuple[Agreement, list[tuple[int, int]]]:
    """Of one field: how far two agree, and per document whether both answered and agree."""
    rows: list[tuple[int, int]] = []
    stated = same = presence = values = 0
    table: Counter[tuple[Hashable, Hashable]] = Counter()
    classes = asked.type in ("boolean", "categorical") and not asked.many
    for left, right in zip(one, other, strict=True):
        a, b = _value(asked, left), _value(asked, right)
        if a is None or b is None:
            rows.append((0, 0))
            continue
        alike = agree(asked, a, b)
        rows.append((1, int(alike)))
        both = [bool(asked.stated(value)) for value in (a, b)]
        same += alike
        presence += both[0] == both[1]
        stated += all(both)
        values += all(both) and alike
        if classes:
            table[_class(asked, a), _class(asked, b)] += 1
    found = Agreement(
        sum(n for n, _ in rows), stated, same, presence, values, kappa(table) if classes else None
    )
    return found, rows


def _value(asked: Asked, document: Document | None) -> FieldValue | None:
    return None if document is None else document.get(asked.name)


def _class(asked: Asked, value: FieldValue) -> Hashable:
    items = asked.stated(value)
    return (items[0].value if items[0].value is not None else "unreadable",) if items else ()


def kappa(table: Counter[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's κ of counted pairs; ``None`` where chance alone would agree in all."""
    total = table.total()
    rows: Counter[Hashable] = Counter()
    columns: Counter[Hashable] = Counter()
    for (a, b), count in table.items():
        rows[a] += count
        columns[b] += count
    seen = sum(count for (a, b), count in table.items() if a == b)
    by_chance = sum(rows[a] * columns[a] for a in rows)
    if not total or by_chance == total**2:
        return None
    return float((seen * total - by_chance) / (total**2 - by_chance))


def pairs_of(names: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of labelers to show."""
    every = list(combinations(names, 2))
    return every if len(every) <= MOST_PAIRS else [pair for pair in every if pair[0] == names[0]]


@dataclass(frozen=True, eq=False)
class PairAgreement:
    """Two labelers over all fields; ``mean`` is that of the fields' shares of agreement."""

    names: tuple[str, str]
    fields: tuple[Agreement, ...]
    mean: Estimate


def measured(comparison: FieldComparison, settings: CompareSettings) -> list[PairAgreement]:
    """Every shown pair."""
    found = []
    for pair in pairs_of(comparison.names):
        one, other = (comparison.pred[name] for name in pair)
        fields, tables = [], []
        for asked in comparison.asked:
            each, rows = agreement(asked, one, other)
            fields.append(each)
            tables.append(rows)
        counts = np.array(tables, dtype=np.int32).transpose(1, 0, 2)
        found.append(PairAgreement(pair, tuple(fields), _mean(counts, comparison, settings)))
    return found


def _mean(counts: Counts, comparison: FieldComparison, settings: CompareSettings) -> Estimate:
    """The mean over fields of the share of agreement, with its interval over documents."""
    clusters = cluster_counts(counts, comparison.cluster_index)

    def score(sums: Counts) -> Floats:
        shares = ratio(sums[..., 1], sums[..., 0], 0.0)
        return np.asarray(shares.mean(axis=-1, keepdims=True))

    if len(clusters) < 2:
        return Estimate(float(score(clusters.sum(axis=0))[0]))
    drawn = bootstrap_score(
        clusters, score, resamples=settings.resamples, level=settings.level, seed=settings.seed
    )
    return Estimate(float(drawn.estimate[0]), float(drawn.low[0]), float(drawn.high[0]))


def agreement_section(comparison: FieldComparison, settings: CompareSettings) -> Section | None:
    """Agreement per field; ``None`` with a single labeler."""
    found = measured(comparison, settings)
    if not found:
        return None
    tables = tuple(_table(comparison, each, n) for n, each in enumerate(found, 1))
    long = len(tables) * len(comparison.asked) > LONG
    return Section(
        id="agreement",
        title="Agreement of labelers",
        lead="Do labelers say the same of a field, silence included? Two that make the same "
        "mistake agree too: agreement is no quality.",
        statements=tuple(_sentence(each) for each in found),
        tables=() if long else tables,
        folded_tables=tables if long else (),
        notes=(
            "Documents: those that both answered. κ is Cohen's, over values and silence, of "
            "boolean and categorical fields; a dash where both always say one and the same, so "
            "that chance explains all.",
        ),
        numbers={" / ".join(each.names): _numbers(comparison, each) for each in found},
    )


def _sentence(found: PairAgreement) -> str:
    a, b = found.names
    mean = found.mean
    span = f" ({mean.low:.3f} to {mean.high:.3f})" if mean.low is not None else ""
    return f"{a} and {b} say the same in {mean.value:.3f}{span} of documents, mean of the fields."


def _table(comparison: FieldComparison, found: PairAgreement, number: int) -> Table:
    rows: list[tuple[Value, ...]] = [
        (
            asked.name,
            asked.type,
            each.documents,
            each.stated,
            _share(each.same, each.documents),
            _share(each.presence, each.documents),
            _share(each.values, each.stated),
            each.kappa,
        )
        for asked, each in zip(comparison.asked, found.fields, strict=True)
    ]
    return Table(
        name=f"agreement-{number}",
        title=f"Agreement of {found.names[0]} and {found.names[1]}",
        columns=(
            Column("Field"),
            Column("Type"),
            Column("documents", "count"),
            Column("both state", "count"),
            Column("same", "score"),
            Column("same presence", "score"),
            Column("same where both state", "score"),
            Column("κ", "score"),
        ),
        rows=tuple(rows),
        caption="Shares of documents.",
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _numbers(comparison: FieldComparison, found: PairAgreement) -> dict[str, object]:
    return {
        "mean": found.mean.to_json(),
        "fields": {
            asked.name: {
                "documents": each.documents,
                "both_state": each.stated,
                "same": each.same,
                "same_presence": each.presence,
                "same_values": each.values,
                "kappa": each.kappa,
            }
            for asked, each in zip(comparison.asked, found.fields, strict=True)
        },
    }
