"""The flags that most people need: what ``--help`` shows; ``--help-all`` shows the others too.

Commands that are not named here show all their flags at once.
"""

from __future__ import annotations

from collections.abc import Mapping

_COLUMNS = ("files", "--id-column", "--text-columns", "--patient-column", "--input-format")

USUAL: Mapping[str, tuple[str, ...]] = {
    "build": (
        *_COLUMNS,
        *("--synthetic", "--label-set", "--labels", "--sections", "--split", "--seed", "--preview"),
        *("--windows", "--out", "--overwrite"),
    ),
    "label": (
        *_COLUMNS,
        *("--model", "--label-set", "--out", "--sections", "--limit", "--dry-run"),
        *("--retry-rejects", "--also", "--evidence", "--second-reader", "--device", "--workers"),
        "--server",
    ),
    "phrases": (*_COLUMNS, "--by", "--out"),
    "pseudo-label": (*_COLUMNS, "--data", "--pred", "--min-prob", "--with-empty", "--out"),
    "eval": (
        *("--gold", "--pred", "--out", "--label-set", "--title", "--reference", "--patients"),
        *("--metric", "--margin", "--metadata", "--subgroup", "--calibration-gold"),
        *("--calibration-pred", "--accuracy", "--reports", "--include-text", "--seed"),
    ),
    "evidence": (*_COLUMNS, "--pred", "--out", "--sections", "--limit", "--title"),
    "convert": (*_COLUMNS, "--from", "--to", "--out", "--offset-unit"),
}
"""Flags and places by command."""
