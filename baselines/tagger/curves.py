"""The course of a training as a table and a picture: losses and validation score by epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labelwright.io.jsonl import atomic_write

TABLE, PICTURE = "curves.csv", "curves.svg"
SOURCES = {
    "step": "step",
    "epoch": "epoch",
    "train_loss": "loss",
    "validation_loss": "eval_loss",
    "precision": "eval_precision",
    "recall": "eval_recall",
    "micro_f1": "eval_micro_f1",
    "macro_f1": "eval_macro_f1",
}
"""Columns of the table, and the keys of the history that they come from."""

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, GAP = 720, 260, 56, 28, 40, 24
PANELS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    ("loss", (("train_loss", "training", "#0b6fa4"), ("validation_loss", "validation", "#b3541e"))),
    (
        "validation F1",
        (("micro_f1", "micro", "#0b6fa4"), ("macro_f1", "macro", "#b3541e")),
    ),
)
"""Title of each panel; column, name and colour of its lines."""


def rows_of(history: Iterable[Mapping[str, Any]]) -> list[dict[str, float]]:
    """One row per step at which something was logged."""
    by_step: dict[int, dict[str, float]] = {}
    for logged in history:
        known = {
            column: float(logged[source]) for column, source in SOURCES.items() if source in logged
        }
        if len(known) > 2:  # step, epoch and at least one value
            by_step.setdefault(int(logged["step"]), {}).update(known)
    return [by_step[step] for step in sorted(by_step)]


def write_curves(folder: Path, history: Iterable[Mapping[str, Any]]) -> None:
    """Write ``curves.csv`` and ``curves.svg``.

    Raises:
        OutputError: a file cannot be written.
    """
    rows = rows_of(history)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(SOURCES)
    for row in rows:
        writer.writerow([f"{row[name]:.6g}" if name in row else "" for name in SOURCES])
    for name, text in ((TABLE, table.getvalue()), (PICTURE, picture(rows))):
        with atomic_write(folder / name, mode=0o644) as handle:
            handle.write(text)


def picture(rows: Sequence[Mapping[str, float]]) -> str:
    """The curves as one SVG document, losses to the left and scores to the right."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="11" role="img" '
        'aria-label="Losses and validation scores by epoch">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    wide = (WIDTH - 2 * LEFT - GAP) / 2
    for number, (title, lines) in enumerate(PANELS):
        left = LEFT + number * (wide + LEFT)
        top = 1.0 if number else max((r[c] for r in rows for c, _, _ in lines if c in r), default=1)
        parts += _panel(rows, title, lines, left=left, wide=wide, top=top or 1.0)
    return "\n".join([*parts, "</svg>", ""])


def _panel(
    rows: Sequence[Mapping[str, float]],
    title: str,
    lines: Sequence[tuple[str, str, str]],
    *,
    left: float,
    wide: float,
    top: float,
) -> list[str]:
    high, last = HEIGHT - TOP - BOTTOM, max((row["epoch"] for row in rows), default=1.0) or 1.0
    foot = TOP + high
    parts = [f'<text x="{left:.1f}" y="{TOP - 12}" font-weight="bold">{title}</text>']
    for share in (0.0, 0.5, 1.0):
        y = foot - share * high
        parts += [
            f'<line x1="{left:.1f}" x2="{left + wide:.1f}" y1="{y:.1f}" y2="{y:.1f}" '
            'stroke="#d0d0d0"/>',
            f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{share * top:.3g}</text>',
            f'<text x="{left + share * wide:.1f}" y="{foot + 16}" text-anchor="middle">'
            f"{share * last:.3g}</text>",
        ]
    parts.append(
        f'<text x="{left + wide / 2:.1f}" y="{foot + 32}" text-anchor="middle">epoch</text>'
    )
    for place, (column, name, colour) in enumerate(lines):
        points = " ".join(
            f"{left + row['epoch'] / last * wide:.1f},{foot - min(row[column] / top, 1) * high:.1f}"
            for row in rows
            if column in row
        )
        x = left + wide - 70 * (len(lines) - place)
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>',
            f'<text x="{x:.1f}" y="{TOP - 12}" fill="{colour}">{name}</text>',
        ]
    return parts
