"""A small writer for inline SVG: selectable text, colours by CSS class, no random ids."""

from __future__ import annotations

from markupsafe import Markup, escape

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
        self._parts.append(
            Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
                css, number(x1), number(y1), number(x2), number(y2)
            )
        )

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
        fill = (
            Markup("") if opacity is None else Markup(' fill-opacity="{}"').format(number(opacity))
        )
        self._parts.append(
            Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"{}>{}</rect>').format(
                css, number(x), number(y), number(max(width, 0)), number(height), fill, _tip(tip)
            )
        )

    def polygon(self, points: list[tuple[float, float]], css: str, *, tip: str = "") -> None:
        """A closed shape through ``points``."""
        path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self._parts.append(
            Markup('<polygon class="{}" points="{}">{}</polygon>').format(css, path, _tip(tip))
        )

    def curve(self, points: list[tuple[float, float]], css: str) -> None:
        """An open line through ``points``."""
        path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self._parts.append(Markup('<polyline class="curve {}" points="{}"/>').format(css, path))

    def circle(self, x: float, y: float, radius: float, css: str, *, tip: str = "") -> None:
        """A circle."""
        self._parts.append(
            Markup('<circle class="{}" cx="{}" cy="{}" r="{}">{}</circle>').format(
                css, number(x), number(y), number(radius), _tip(tip)
            )
        )

    def text(self, x: float, y: float, text: str, css: str = "t", *, tip: str = "") -> None:
        """One line of text on the baseline ``y``; the class sets its anchor."""
        self._parts.append(
            Markup('<text class="{}" x="{}" y="{}">{}{}</text>').format(
                css, number(x), number(y), text, _tip(tip)
            )
        )

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
        size = f"{number(self.width)} {number(self.height)}"
        return Markup(
            '<svg class="{}" viewBox="0 0 {}" width="{}" height="{}" role="img" aria-label="{}">'
            "{}</svg>"
        ).format(
            " ".join(["figure", css]).strip(),
            size,
            number(self.width),
            number(self.height),
            self.label,
            Markup("").join(self._parts),
        )

    def standalone(self, style: str) -> str:
        """A whole SVG file with its own style sheet, for a paper or slides."""
        return str(
            Markup(
                '<?xml version="1.0" encoding="UTF-8"?>\n'
                '<svg xmlns="http://www.w3.org/2000/svg" class="figure" viewBox="0 0 {} {}" '
                'width="{}" height="{}" role="img" aria-label="{}">\n'
                "<style>{}</style>\n{}\n</svg>\n"
            ).format(
                number(self.width),
                number(self.height),
                number(self.width),
                number(self.height),
                self.label,
                Markup(style),  # noqa: S704 - our own style sheet
                Markup("\n").join(self._parts),
            )
        )


def _tip(text: str) -> Markup:
    return Markup("<title>{}</title>").format(escape(text)) if text else Markup("")
