"""The parts of the page one by one: tables in four forms, figures, colours, data in scripts."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from eval.page.forest import difference_axis
from eval.page.plots import Row, critical_difference, signed
from eval.page.render import environment, script_json
from eval.page.svg import DARK, LIGHT, Canvas, resolved, shorten
from eval.page.tables import Column, Table, latex, p_text
from eval.stats.estimates import Estimate


def test_tables_write_intervals_to_csv_and_escape_latex() -> None:
    table = Table(
        name="t",
        title="50% of A_B",
        columns=(
            Column("Name"),
            Column("x", "score", compare="s"),
            Column("y", "score", compare="s"),
        ),
        rows=(("=a&b", Estimate(0.5, 0.25, 0.75), 0.25), ("c", None, 1)),
        signature="sig",
    )
    lines = table.to_csv().splitlines()
    assert lines[0] == "Name,x,x low,x high,y,signature"
    assert lines[1] == "'=a&b,0.500000,0.250000,0.750000,0.25,sig"
    assert lines[2] == "c,,,,1,sig"
    tex = table.to_latex()
    assert r"50\% of A\_B" in tex
    assert r"=a\&b & \textbf{0.500} {\scriptsize [0.250, 0.750]} & 0.250 \\" in tex
    assert tex.startswith("% sig")


def test_latex_escapes_each_character_once() -> None:
    assert latex("a\\b~c^d{}") == r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d\{\}"


def test_ties_are_not_bold() -> None:
    columns = (Column("n"), Column("a", "score", compare="s"), Column("b", "score", compare="s"))
    assert not Table("t", "T", columns, (("x", 0.90001, 0.90002),)).best
    assert Table("t", "T", columns, (("x", 0.9, 0.8),)).best == {(0, 1)}


@pytest.mark.parametrize(
    ("p", "text"), [(0.0004, "< 0.001"), (0.0312, "0.031"), (0.996, "> 0.99"), (1.0, "> 0.99")]
)
def test_p_values_are_never_shown_as_0_or_1(p: float, text: str) -> None:
    assert p_text(p) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0314, "+0.031"), (-0.0314, "−0.031"), (-0.0004, "0.000"), (0.0, "0.000")]
)
def test_differences_carry_their_sign(value: float, text: str) -> None:
    assert signed(value) == text


def test_axis_holds_every_interval_and_zero() -> None:
    axis = difference_axis([Row("a", (Estimate(0.1, 0.05, 0.31), None))], 0, 100)
    assert axis.low <= 0 <= axis.high
    assert axis.high >= 0.31
    assert 0 in axis.ticks
    assert axis.at(axis.low) == 0
    assert axis.at(axis.high) == 100


def test_rank_diagram_has_every_labeler() -> None:
    ranks = [("a", 1.2), ("b", 1.9), ("c", 2.9)]
    drawn = str(critical_difference(ranks, [("a", "b")], distance=1.0).render())
    assert [name for name in ("a  1.20", "b  1.90", "c  2.90") if name in drawn] == [
        "a  1.20",
        "b  1.90",
        "c  2.90",
    ]
    assert drawn.count('class="clique"') == 1


def test_single_svg_files_need_no_variables() -> None:
    style = resolved(environment().get_template("figure.css").render())
    assert "var(" not in style
    canvas = Canvas(10, 10, label="a < b")
    canvas.text(0, 0, "x < y")
    assert "x &lt; y" in canvas.standalone(style)


def test_long_names_are_cut_with_an_ellipsis() -> None:
    assert shorten("Edema", 100, 12) == "Edema"
    assert shorten("An observation with a very long name", 60, 12).endswith("…")


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of ``#rrggbb``."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_colours_have_contrast(theme: dict[str, str]) -> None:
    """WCAG 2.2: 4.5 for text (1.4.3), 3 for graphics (1.4.11)."""

    def contrast(a: str, b: str) -> float:
        high, low = sorted((luminance(theme[a]), luminance(theme[b])), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for text in ("ink", "soft", "link", "better", "worse"):
        assert contrast(text, "paper") >= (3 if text in {"better", "worse"} else 4.5), text
    assert contrast("ink", "warn-ground") >= 4.5
    assert contrast("soft", "panel") >= 4.5
    for mark in ("s1", "s2", "s3", "s4", "s5", "s6", "even"):
        assert contrast(mark, "paper") >= 3, mark


def test_json_in_the_page_cannot_close_its_element() -> None:
    text = str(script_json({"a": "</script><!--&\u2028"}))
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == {"a": "</script><!--&\u2028"}
