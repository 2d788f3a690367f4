"""How much is said: stated fields per document, and words that are no category of their field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean, median, pstdev

from eval.kinds.fields.charts import GOLD, Side, field_map, stated_curves
from eval.kinds.fields.counts import Document
from eval.kinds.fields.equality import folded
from eval.kinds.fields.read import FieldComparison
from eval.page.contents import Section
from eval.page.figures import both_widths
from eval.page.plots import MEDIUM
from eval.page.tables import Column, Table, Value

MOST_WORDS = 30
"""Words outside the categories that are listed per labeler; the CSV file has them all."""


def sides(comparison: FieldComparison) -> dict[Side, Sequence[Document | None]]:
    """The gold, where there is any, and the labelers."""
    found: dict[Side, Sequence[Document | None]] = {}
    if comparison.gold is not None:
        found[Side(GOLD, None)] = comparison.gold
    for place, (name, said) in enumerate(comparison.pred.items()):
        found[Side(name, place)] = said
    return found


def stated_counts(comparison: FieldComparison) -> dict[Side, list[int]]:
    """Stated fields of every document, by side; a document without an answer states none."""
    asked = {field.name: field for field in comparison.asked}
    return {
        side: [
            0
            if document is None
            else sum(n in asked and bool(asked[n].stated(v)) for n, v in document.items())
            for document in said
        ]
        for side, said in sides(comparison).items()
    }


def stated_section(comparison: FieldComparison) -> Section:
    """Stated fields per document, with the gold's curve."""
    counts = stated_counts(comparison)
    gold = comparison.gold is not None
    rows: list[tuple[Value, ...]] = [
        (side.name, fmean(v), pstdev(v), min(v), float(median(v)), max(v), sum(v))
        for side, v in counts.items()
    ]
    fields = len(comparison.asked)
    return Section(
        id="stated",
        title="Stated fields per document",
        lead="How many fields does an answer state? "
        + (
            "The gold's curve is grey: a labeler right of it says more than there is."
            if gold
            else "Without gold nobody knows how many there are: more is not better."
        ),
        figures=(
            both_widths(
                partial(stated_curves, counts, fields=fields),
                caption="Left (above on a phone): share of documents with at most so many stated "
                "fields. Right: share with so many.",
            ),
        ),
        tables=(
            Table(
                name="stated",
                title="Stated fields per document",
                columns=(
                    Column("Who"),
                    Column("mean", "tenth"),
                    Column("sd", "tenth"),
                    Column("least", "count"),
                    Column("median", "tenth"),
                    Column("most", "count"),
                    Column("all", "count"),
                ),
                rows=tuple(rows),
                caption="A document without a usable answer states none.",
            ),
        ),
        numbers={side.name: {"mean": fmean(v), "sd": pstdev(v)} for side, v in counts.items()},
    )


def shares_section(comparison: FieldComparison) -> Section:
    """The map of how often each field is stated, for comparisons without gold."""
    found = sides(comparison)
    rows = []
    for asked in comparison.asked:
        shares: list[float | None] = []
        for said in found.values():
            known = [d[asked.name] for d in said if d is not None and asked.name in d]
            stated = sum(bool(asked.stated(value)) for value in known)
            shares.append(stated / len(known) if known else None)
        rows.append((asked.name, asked.type, shares))
    columns = [side.name for side in found]
    return Section(
        id="fields",
        title="Field by field",
        lead="The share of answered documents that state something of a field.",
        figures=(
            both_widths(
                partial(field_map, rows, columns=columns, title="Share of documents stating it"),
                wide=MEDIUM,
                caption="The stronger the colour, the more often.",
            ),
        ),
        numbers={name: dict(zip(columns, shares, strict=True)) for name, _, shares in rows},
    )


Outside = Mapping[tuple[str, str, str], int]


def outside_categories(comparison: FieldComparison) -> Outside:
    """``{(labeler, field, words): documents}`` of words that are no category of their field."""
    found: Counter[tuple[str, str, str]] = Counter()
    asked = [f for f in comparison.asked if f.type == "categorical"]
    for name, said in comparison.pred.items():
        for document in said:
            for field in asked:
                value = None if document is None else document.get(field.name)
                if value is None:
                    continue
                for item in field.stated(value):
                    if item.value not in field.categories:
                        words = item.raw if item.value is None else str(item.value)
                        found[name, field.name, folded(words)] += 1
    return found


def categories_section(comparison: FieldComparison, *, include_text: bool) -> Section | None:
    """Words outside the categories, most frequent first; ``None`` without categorical fields.

    Args:
        include_text: whether the words may stand on the page: they are words of documents.
    """
    if not any(f.type == "categorical" for f in comparison.asked):
        return None
    found = outside_categories(comparison)
    order = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    rows: list[tuple[Value, ...]] = []
    if include_text:
        shown: Counter[str] = Counter()
        for (name, field, words), count in order:
            shown[name] += 1
            if shown[name] <= MOST_WORDS:
                rows.append((name, field, words, count))
    else:
        fields: Counter[tuple[str, str]] = Counter()
        for (name, field, _), count in order:
            fields[name, field] += count
        rows = [(name, field, count) for (name, field), count in fields.most_common()]
    written = (Column("Words", "wrap"),) if include_text else ()
    return Section(
        id="categories",
        title="Values outside the categories",
        lead="What categorical fields were answered with that is not one of their values, nor a "
        "synonym: most frequent first.",
        statements=() if rows else ("No labeler gave any.",),
        notes=()
        if include_text or not rows
        else ("The words themselves are shown with --include-text.",),
        tables=(
            Table(
                name="outside-categories",
                title="Values outside the categories",
                columns=(Column("Labeler"), Column("Field"), *written, Column("times", "count")),
                rows=tuple(rows),
            ),
        )
        if rows
        else (),
        numbers={
            name: sum(n for (who, _, _), n in found.items() if who == name)
            for name in comparison.names
        },
    )
