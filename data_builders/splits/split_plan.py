"""Which report goes into which split, and which ones must stay out to keep the splits apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data_builders.collect import Collected, Row
from data_builders.splits.leakage import THRESHOLD, NearDuplicates, overlaps
from data_builders.splits.split import SPLITS, group_sizes, parse_ratios, split_items
from labelwright.errors import ConfigError


@dataclass(frozen=True)
class SplitOptions:
    """How to split.

    Attributes:
        ratios: as :func:`data_builders.splits.split.parse_ratios` reads them.
        table: split by report id instead of ratios.
        duplicates: ``keep``, or ``drop`` all reports but the first with the same text.
        leakage: what to do where a split table puts a patient or a text into two splits:
            ``error``, ``drop`` it from the earlier split (train before validation), or
            ``keep-texts``: an error for patients, but equal texts of different patients stay
            and are counted (stock sentences are whole reports where one section is used).
        near_duplicates: ``keep``, or ``drop`` training reports that nearly repeat another split.
        stratify: ``labels`` shares out rare ones first, ``none`` splits at random.
    """

    ratios: str = "0.8,0.1,0.1"
    table: Mapping[str, str] | None = None
    seed: int = 13
    duplicates: str = "keep"
    leakage: str = "error"
    near_duplicates: str = "keep"
    stratify: str = "labels"


@dataclass
class Plan:
    """The split of each row, ``None`` where it is left out for the reason beside it."""

    splits: list[str | None]
    reasons: dict[int, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def leave_out(self, index: int, reason: str) -> None:
        """Take a row out; its first reason stays."""
        if self.splits[index] is not None:
            self.splits[index] = None
            self.reasons[index] = reason

    def kept(self) -> Iterable[tuple[int, str]]:
        """Index and split of the rows that stay."""
        return ((i, split) for i, split in enumerate(self.splits) if split is not None)


def make_plan(collected: Collected, options: SplitOptions, *, strata: Sequence[str] = ()) -> Plan:
    """Split all collected rows and check the splits against each other.

    Args:
        strata: all classes, in the order in which they are shared out.

    Raises:
        ConfigError: a split stays empty, or a split table leaks and ``leakage`` is ``error``.
    """
    rows = collected.rows
    plan = Plan(["train"] * len(rows))
    _duplicates(plan, rows, options)
    _assign(plan, rows, options, strata)
    for index, split in list(plan.kept()):
        known = rows[index].known_in(split)
        if isinstance(known, str):
            plan.leave_out(index, known if split != "test" else f"{known} (test split)")
    _overlaps(plan, rows, options)
    _near_duplicates(plan, collected, drop=options.near_duplicates == "drop")
    counts = Counter(split for _, split in plan.kept())
    plan.facts["reports"] = {name: counts[name] for name in SPLITS if counts[name]}
    if options.table is None and rows:
        _not_empty(counts, parse_ratios(options.ratios))
    return plan


def _not_empty(counts: Mapping[str, int], asked: Iterable[str]) -> None:
    for name in asked:
        if not counts[name]:
            raise ConfigError(
                f"no report of the {name} split is left: all had no labels, were duplicates or "
                "near duplicates",
                remedy="check the label tables and the ids in them, or ask for fewer drops",
            )


def _duplicates(plan: Plan, rows: Sequence[Row], options: SplitOptions) -> None:
    """Of equal texts the first stays; with a split table the first of the latest split."""
    table = options.table or {}
    rank = {split: -place for place, split in enumerate(SPLITS)}
    order = sorted(range(len(rows)), key=lambda i: rank.get(table.get(rows[i].item.id, ""), 1))
    seen: set[bytes] = set()
    repeated = 0
    for index in order:
        text = rows[index].item.text
        if text in seen:
            repeated += 1
            if options.duplicates == "drop":
                plan.leave_out(index, "same text as another report")
        seen.add(text)
    plan.facts["reports_that_repeat_a_text"] = repeated


def _assign(plan: Plan, rows: Sequence[Row], options: SplitOptions, strata: Sequence[str]) -> None:
    kept = [index for index, _ in plan.kept()]
    items = [rows[index].item for index in kept]
    if options.table is None:
        plan.facts |= group_sizes(items)
        splits = split_items(
            items,
            parse_ratios(options.ratios),
            seed=options.seed,
            stratify=options.stratify != "none",
            strata=strata,
        )
        for index, split in zip(kept, splits, strict=True):
            plan.splits[index] = split
        return
    for index in kept:
        found = options.table.get(rows[index].item.id)
        if found is None:
            plan.leave_out(index, "not in the split table")
        else:
            plan.splits[index] = found


def _overlaps(plan: Plan, rows: Sequence[Row], options: SplitOptions) -> None:
    found = list(overlaps([row.item for row in rows], plan.splits))
    shared = Counter(overlap.kind for overlap in found)
    plan.facts["leakage"] = {
        "reports_whose_patient_is_in_a_later_split": shared["patient"],
        "reports_whose_text_is_in_a_later_split": shared["text"],
        "action": options.leakage if found else "none needed",
    }
    keep_texts = options.leakage == "keep-texts"
    if shared["patient"] if keep_texts else (found and options.leakage == "error"):
        raise ConfigError(
            f"the splits leak: {shared['patient']} reports share their patient and "
            f"{shared['text']} their text with a later split (train, validation, test)",
            remedy="--leakage drop leaves these out of the earlier split, --leakage keep-texts "
            "allows equal texts of different patients; or use --split, which keeps them together",
        )
    for overlap in [] if keep_texts else found:
        plan.leave_out(overlap.index, f"same {overlap.kind} as a report of {overlap.held_out}")


def _near_duplicates(plan: Plan, collected: Collected, *, drop: bool) -> None:
    """Count, and leave out if asked, what nearly repeats a later split; needs two readings."""
    splits = plan.splits
    held_reports = collected.reports("held-out texts")
    held_out = NearDuplicates(
        (split, report["text"])
        for split, report in zip(splits, held_reports, strict=True)
        if split in SPLITS[1:]
    )
    pairs: Counter[str] = Counter()
    if not held_out.empty:
        for index, report in enumerate(collected.reports("near duplicates")):
            split = splits[index]
            if split is None or split == SPLITS[-1]:
                continue
            later = held_out.find(report["text"]) & set(SPLITS[SPLITS.index(split) + 1 :])
            pairs.update(f"{split} like {name}" for name in later)
            if drop and split == "train" and later:
                plan.leave_out(
                    index, f"near duplicate of a report of {' and '.join(sorted(later))}"
                )
    plan.facts["near_duplicates"] = {
        "least_jaccard_of_word_trigrams": THRESHOLD,
        "reports": dict(sorted(pairs.items())),
        "action": "drop from train" if drop else "keep",
    }
