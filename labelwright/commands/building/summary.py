"""What ``labelwright build`` says at its end: classes, rejects, and what to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_builders.build import Built


def summary(built: Built, out: Path) -> str:
    """The lines for the terminal."""
    return "\n".join([*built.classes.lines(), "", *_notes(built.manifest), f"written to {out}", ""])


def _notes(manifest: Mapping[str, Any]) -> Iterator[str]:
    counts, split = manifest["counts"], manifest["split"]
    yield f"{counts['in']} rows in = {counts['records']} records + {counts['rejected']} rejected"
    for reason, count in counts["rejected_by_reason"].items():
        yield f"  rejected {count}: {reason}"
    for key in ("labels", "test_labels"):
        if left := (manifest[key] or {}).get("labels_without_report"):
            yield f"  {key} of {left} reports that are not in the input were not used"
    yield from _entities(counts.get("entities"))
    if counts["negatives_read_as_blank"]:
        yield f"  {counts['negatives_read_as_blank']} negatives read as blank (label set)"
    if augmentation := manifest["augmentation"]:
        yield (
            f"{augmentation['made']} variants of {augmentation['reports']} training reports "
            "were added to them"
        )
    yield from _records(manifest)
    yield f"{split['reports_that_repeat_a_text']} reports repeat the text of another"
    if (largest := split.get("largest_group", 0)) > max(1, counts["records"] / 10):
        yield (
            f"{largest} reports are linked by patient or equal text and stay in one split; "
            "--duplicates drop loosens them"
        )
    for pair, count in split["near_duplicates"]["reports"].items():
        yield f"near duplicates ({split['near_duplicates']['action']}): {count} {pair}"


def _records(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What the records have beside one for each report."""
    if copies := manifest["oversampling"]:
        yield (
            f"{copies['copies']} copies of {copies['reports_copied']} training reports with rare "
            "classes were added to them"
        )
    if windows := manifest["windows"]:
        notes, records = (sum(windows[key].values()) for key in ("notes_divided", "windows"))
        yield f"{notes} notes of train and validation stand in {records} windows"
        if longer := windows["sentences_longer_than_a_window"]:
            yield f"  {longer} windows are longer than asked, to keep an entity in one piece"
    if tags := manifest["tags"]:
        for reason, count in tags["left_out"].items():
            yield f"  not in the tag files {count}: {reason}"


def _entities(counts: Mapping[str, Any] | None) -> Iterator[str]:
    if counts is None:
        return
    left_out = sum(counts["left_out"].values())
    yield (
        f"{counts['in']} entities in = {counts['records']} in records + {counts['rejected']} in "
        f"rejected notes + {left_out} left out"
    )
    for reason, count in counts["left_out"].items():
        yield f"  left out {count}: {reason}"
    if unasked := counts.get("certainties_not_asked_for"):
        yield f"  {unasked} have a certainty, which the label set does not ask for"
    if trimmed := counts.get("white_space_trimmed"):
        yield f"  {trimmed} had white space at their edges, which was trimmed"
    if widened := counts.get("widened_by_normalising"):
        yield f"  {widened} cover a part of what normalising replaced, and now all of it"
    if unsaid := sum(counts["place_not_said_by_answer"].values()):
        yield f"  {unsaid} stand where the words of their answer line would not be looked for"
