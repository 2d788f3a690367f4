"""The stylesheet of the labels: a colour each, as background in the text and as a mark in lists.

The colours are checked: marked text keeps a contrast of 4.5 to its ground, lines one of 3, in the
light page and in the dark one. Labels differ in their line as well, never in colour alone.
"""

from __future__ import annotations

from review.kinds.base import Form
from review.web.view import HUES

LIGHT = (
    *("#1f6fb2", "#b3541e", "#23795f", "#8d4aa8", "#7a6a10", "#b5305a"),
    *("#2a7d8c", "#5b5fc7", "#4f7a28", "#a0522d", "#6a6f7a", "#99337f"),
)
DARK = (
    *("#7db8ee", "#f0a36b", "#6fd0ae", "#d0a3ea", "#d8c766", "#f28fae"),
    *("#76cfdd", "#a9acf5", "#a5d078", "#e0a380", "#b6bcc8", "#e79bd6"),
)
LINES = ("solid", "dashed", "dotted", "double", "wavy")


def stylesheet(form: Form) -> str:
    """The rules for the hues that the label set needs."""
    count = min(HUES, len(form.label_set.labels))
    parts = [_rules(LIGHT, count)]
    parts.append("@media (prefers-color-scheme: dark) {\n" + _rules(DARK, count) + "}\n")
    return "".join(parts)


def _rules(colours: tuple[str, ...], count: int) -> str:
    found = []
    for hue in range(count):
        colour, line = colours[hue], LINES[(hue // 3) % len(LINES)]
        found.append(
            f"::highlight(hue-{hue}) {{ background-color: {colour}2e; "
            f"text-decoration: underline {line} {colour} 2px; }}\n"
            f"#items li.hue-{hue}, .label.hue-{hue} {{ border-inline-start-color: {colour}; }}\n"
            f"mark.hue-{hue} {{ background-color: {colour}2e; "
            f"text-decoration: underline {line} {colour} 2px; }}\n"
        )
    return "".join(found)
