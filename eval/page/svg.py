"""A small writer for inline SVG: selectable text, colours by CSS class, no random ids.

The labelers' hues and the pair better (blue) / worse (orange) stay apart for readers with
colour vision deficiencies; marks differ in shape as well. Text reaches a contrast of 4.5 to its
ground, lines and marks 3.
"""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup, escape

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


GLYPH = 0.53
"""Mean width of a character in units of the font size, for sans-serif faces."""


def number(value: float) -> str:
    """A coordinate with at most two decimals, without trailing zeros or a negative zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def shorten(text: str, width: float, size: float) -> str:
    """``text``, cut with an ellipsis where it would be wider than ``width`` pixels."""
    room = max(2, int(width / (GLYPH * size)))
    return text if len(text) <= room else text[: room - 1].rstrip() + "…"


class Canvas:
    """One drawing of fixed user units; the page scales it down where it must.

    Args:
        width, height: size in pixels at scale 1.
        label: what a screen reader says instead of the drawing.
    """

    def __init__(self, width: float, height: float, *, label: str) -> None:
        self.width = width
        self.height = height
        self.label = label
        self._parts: list[Markup] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """A straight line."""
        self._add("line", css, {"x1": x1, "y1": y1, "x2": x2, "y2": y2})

    def rect(  # a rectangle has that many numbers
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        css: str,
        *,
        opacity: float | None = None,
        tip: str = "",
    ) -> None:
        """A filled rectangle; ``tip`` is shown when the pointer rests on it."""
        places = {"x": x, "y": y, "width": max(width, 0), "height": height}
        fill = {} if opacity is None else {"fill-opacity": opacity}
        self._add("rect", css, places | fill, _tip(tip))

    def polygon(self, points: list[tuple[float, float]], css: str, *, tip: str = "") -> None:
        """A closed shape through ``points``."""
        self._add("polygon", css, {"points": _path(points)}, _tip(tip))

    def curve(self, points: list[tuple[float, float]], css: str) -> None:
        """An open line through ``points``."""
        self._add("polyline", f"curve {css}", {"points": _path(points)})

    def circle(self, x: float, y: float, radius: float, css: str, *, tip: str = "") -> None:
        """A circle."""
        self._add("circle", css, {"cx": x, "cy": y, "r": radius}, _tip(tip))

    def text(self, x: float, y: float, text: str, css: str = "t", *, tip: str = "") -> None:
        """One line of text on the baseline ``y``; the class sets its anchor."""
        self._add("text", css, {"x": x, "y": y}, escape(text) + _tip(tip))

    def _add(
        self, tag: str, css: str, values: Mapping[str, float | str], inside: Markup | None = None
    ) -> None:
        """One element; without anything inside it closes itself."""
        found = {k: v if isinstance(v, str) else number(v) for k, v in values.items()}
        names = Markup("").join(Markup(' {}="{}"').format(k, v) for k, v in found.items())
        end = Markup("/>") if inside is None else Markup(">{}</{}>").format(inside, tag)
        self._parts.append(Markup('<{} class="{}"{}{}').format(tag, css, names, end))

    def mark(self, shape: int, x: float, y: float, css: str, *, tip: str = "") -> None:
        """The ``shape``-th marker: circle, square, triangle, diamond, then again."""
        r = 3.6
        if shape % 4 == 0:
            self.circle(x, y, r, css, tip=tip)
        elif shape % 4 == 1:
            self.rect(x - 3.3, y - 3.3, 6.6, 6.6, css, tip=tip)
        elif shape % 4 == 2:
            self.polygon([(x, y - 4.2), (x + 4, y + 3), (x - 4, y + 3)], css, tip=tip)
        else:
            self.polygon([(x, y - 4.6), (x + 4.6, y), (x, y + 4.6), (x - 4.6, y)], css, tip=tip)

    def render(self, css: str = "") -> Markup:
        """The ``<svg>`` element of the page."""
        classes = " ".join(["figure", css]).strip()
        start = Markup('<svg class="{}"{}>').format(classes, self._frame())
        return Markup("{}{}</svg>").format(start, Markup("").join(self._parts))

    def standalone(self, style: str) -> str:
        """A whole SVG file with its own style sheet, for a paper or slides."""
        start = Markup(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<svg xmlns="http://www.w3.org/2000/svg" class="figure"{}>\n<style>{}</style>\n'
        ).format(self._frame(), Markup(style))  # noqa: S704 - our own style sheet
        return str(start + Markup("\n").join(self._parts) + Markup("\n</svg>\n"))

    def _frame(self) -> Markup:
        width, height = number(self.width), number(self.height)
        return Markup(
            ' viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}"'
        ).format(width, height, width, height, self.label)


def _path(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)


def _tip(text: str) -> Markup:
    return Markup("<title>{}</title>").format(escape(text)) if text else Markup("")
