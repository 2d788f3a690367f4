"""Words and lines: what the browser counts and the text's own offsets agree, whatever the signs."""

from __future__ import annotations

import re
import unicodedata
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.text.lines import Page
from review.text.words import covering, letters, words
from review.web.app import DARK, LIGHT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T2N0 (2.5 cm)", ["T2N0", "(", "2", ".", "5", "cm", ")"]),
        ("a👩‍⚕️b 🇩🇪🇫🇷 👍🏽", ["a", "👩‍⚕️", "b", "🇩🇪", "🇫🇷", "👍🏽"]),
        ("e\u0301tude no\u0308", ["e\u0301tude", "no\u0308"]),
        ("יש סוּכֶּרֶת", ["יש", "סוּכֶּרֶת"]),
        ("肺癌 and ปอด", ["肺", "癌", "and", "ป", "อ", "ด"]),
        (" \t\r\n", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in words(text)] == expected


def test_signs_of_a_word() -> None:
    assert letters("xe\u0301👍🏽", (0, 5)) == [0, 1, 3, 5]


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=60))
def test_every_word_is_drawn_where_it_stands(text: str) -> None:
    """The browser's own count: UTF-16 units of what it shows of a line."""
    page = Page(text)
    shown = [line.shown.encode("utf-16-le") for line in page.lines()]
    assert "".join(line.text for line in page.lines()) == "".join(
        text[line.start : line.start + len(line.text)] for line in page.lines()
    )
    measures = page.measures()
    found = []
    for line, each in enumerate(measures):
        at = 0
        for gap, length in zip(each[::2], each[1::2], strict=True):
            at += gap
            found.append(shown[line][2 * at : 2 * (at + length)].decode("utf-16-le"))
            at += length
    control = {chr(c) for c in range(0x20)} | {chr(c) for c in range(0x7F, 0xA0)}
    for (start, end), drawn in zip(map(page.word, range(page.count)), found, strict=True):
        if not control & set(text[start:end]):
            assert drawn == text[start:end]
        [[line, first, last]] = page.places([(start, end)])
        assert shown[line][2 * first : 2 * last].decode("utf-16-le") == drawn


@given(st.text(max_size=40), st.integers(0, 40), st.integers(1, 10))
def test_words_under_a_span_are_those_that_it_touches(text: str, start: int, size: int) -> None:
    found = words(text)
    span = (start, start + size)
    touched = [n for n, (a, b) in enumerate(found) if a < span[1] and b > span[0]]
    expected = (touched[0], touched[-1]) if touched else None
    assert covering(found, span) == expected
    assert Page(text).covering(span) == expected


def test_breaks_are_lines_and_control_signs_are_shown() -> None:
    page = Page("a\r\nb\rc\u2028d\x07\te")
    assert [line.shown for line in page.lines()] == ["a", "b", "c", "d\u2407\te"]
    assert page.places([(0, 4)]) == [[0, 0, 1], [1, 0, 1]]


def test_a_line_without_end_is_shown_in_pieces() -> None:
    text = "word " * 2000
    page = Page(text)
    assert len(page) == 3
    assert "".join(line.text for line in page.lines()) == text
    assert page.count == 2000
    assert unicodedata.category(page.line(1).text[0]) == "Ll"


@pytest.mark.parametrize("text", ["word " * 30_000, "肺癌e\u0301👍🏽" * 9000, "a b\r\n" * 30_000])
def test_the_parts_of_a_long_note_hold_all_of_it_and_number_its_words_through(text: str) -> None:
    page = Page(text)
    lines = [line for part in range(len(page.parts) - 1) for line in page.lines(part)]
    assert 2 < len(page.parts) < 8
    kept = "".join(line.text for line in lines)
    assert kept == text.replace("\r\n", "")
    assert page.count == sum(len(words(line.text)) for line in lines)
    whole = words(text)
    for number in (0, 1, page.count // 3, page.count - 1):
        assert page.word(number) == whole[number]
        assert page.covering(whole[number]) == (number, number)
    for part, line in enumerate(page.parts[:-1]):
        rows = page.measures(part)
        assert page.first_word(line) + sum(len(row) // 2 for row in rows) == page.first_word(
            page.parts[part + 1]
        )


def test_sections_are_found_with_their_lines() -> None:
    page = Page("FINDINGS:\nClear.\nIMPRESSION: Normal.")
    assert page.sections() == [("findings", 1), ("impression", 2)]
    assert Page("Clear lungs.").sections() == []


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def over(colour: str, ground: str) -> str:
    """A mark's colour, of 0x2e parts in 0xff, on the ground."""
    pairs = [(int(colour[at : at + 2], 16), int(ground[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round((a * 0x2E + b * (0xFF - 0x2E)) / 0xFF):02x}" for a, b in pairs)


def test_marked_words_can_be_read_and_their_lines_seen_in_light_and_dark() -> None:
    """Contrasts of 4.5 and 3; black on white has 21."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    style = files("review.web").joinpath("static", "site.css").read_text()
    panels, inks = (re.findall(rf"--{each}: (#\w+)", style) for each in ("panel", "ink"))
    for colours, panel, ink in zip((LIGHT, DARK), panels, inks, strict=True):
        for colour in colours:
            assert contrast(ink, over(colour, panel)) >= 4.5
            assert contrast(colour, panel) >= 3.0
