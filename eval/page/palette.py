"""Colours of page and figures, light and dark.

The labelers' hues and the pair better (blue) / worse (orange) stay apart for readers with
colour vision deficiencies; marks differ in shape as well. Text reaches a contrast of 4.5 to its
ground, lines and marks 3.
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "paper": "#fdfdfb",
    "panel": "#f5f5f1",
    "ink": "#1b1e24",
    "soft": "#565c68",
    "rule": "#d8d9d4",
    "faint": "#ebebe6",
    "link": "#145a96",
    "warn": "#8a4b08",
    "warn-ground": "#fdf3e2",
    "heat": "31, 111, 178",
    "better": "#1f6fb2",
    "worse": "#c4620c",
    "even": "#6a707c",
    "s1": "#1f6fb2",
    "s2": "#cc7014",
    "s3": "#23876a",
    "s4": "#8d55a8",
    "s5": "#85751f",
    "s6": "#6a707c",
}
DARK: Mapping[str, str] = {
    "paper": "#15171b",
    "panel": "#1d2025",
    "ink": "#e6e7e9",
    "soft": "#a4aab5",
    "rule": "#363a42",
    "faint": "#262a30",
    "link": "#82bdf0",
    "warn": "#f0bd7a",
    "warn-ground": "#2d2417",
    "heat": "98, 169, 230",
    "better": "#62a9e6",
    "worse": "#ec9650",
    "even": "#9aa1ad",
    "s1": "#62a9e6",
    "s2": "#ec9650",
    "s3": "#58c09d",
    "s4": "#c193dc",
    "s5": "#cdbb5c",
    "s6": "#9aa1ad",
}


def resolved(style: str) -> str:
    """``style`` with every ``var(--name)`` replaced by its light colour, for single SVG files."""
    for name, value in LIGHT.items():
        style = style.replace(f"var(--{name})", value)
    return style
