"""Text out of HTML and RTF: what is seen stays, markup goes, damage is named, time is linear."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import pytest
from clock_tools import growth
from hypothesis import given
from hypothesis import strategies as st

from labelwright.readers.health.html_text import html_to_text
from labelwright.readers.health.rtf_text import rtf_to_text
from labelwright.readers.one_text import NoTextError


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain &amp; simple", "plain & simple"),
        ("<p>One.</p><p>Two.</p>", "One.\n\nTwo."),
        ("<p>One.<p>Two.", "One.\n\nTwo."),
        ("One.<br>Two.<BR/>Three.", "One.\nTwo.\nThree."),
        ("<b>Find</b>ings", "Findings"),
        ("<ul><li>a</li>\n <li>b</li></ul>c", "a\n\nb\n\nc"),
        (
            "<table><tr><td>Heart</td><td>normal</td></tr><tr><th>Lung</th></tr></table>",
            "Heart\tnormal\n\nLung",
        ),
        ("<div>a\n   b</div>", "a b"),
        ("<pre>a\n   b</pre>", "a\nb"),
        ("a&nbsp;b &#233; &#xE9; &eacute; &lt;5 mm", "a b é é é <5 mm"),
        ("a < b and c > d, x<5", "a < b and c > d, x<5"),
        ('<p title="a > b">c</p>', "c"),
        ("<!-- <p>x</p> -->a<!DOCTYPE html>b<?xml version='1.0'?>c</>d", "abcd"),
        ("<script>if (a<b && '</p>') {}</script>a<style>p {x}</style>b<script/>c", "abc"),
        ("<html><head><title>Mr X</title><meta charset=utf-8></head><body>a</body></html>", "a"),
        ("<![CDATA[a < b & c]]>", "a < b & c"),
        ('<xhtml:div xmlns:xhtml="x"><xhtml:p>a</xhtml:p></xhtml:div>', "a"),
        ("<SCRIPT>x</Script >a", "a"),
        ("", ""),
    ],
)
def test_html(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


@pytest.mark.parametrize(
    ("markup", "problem"),
    [
        ("a<p", "ends inside a tag"),
        ('a<p title="b>c', "ends inside a tag"),
        ("a<!-- b", "ends inside a tag or comment"),
        ("a<script>b", "ends inside <script>"),
        ("a</ b", "ends inside a tag or comment"),
        ("&#" + "1" * 5000 + ";", "character reference"),
    ],
)
def test_html_that_breaks_off(markup: str, problem: str) -> None:
    with pytest.raises(NoTextError, match=problem):
        html_to_text(markup)


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"], exclude_characters="\\")))
def test_escaped_text_comes_back(text: str) -> None:
    assert html_to_text(f"<div><p>{escape(text)}</p></div>") == text


def rtf(body: str, head: str = r"\ansi\ansicpg1252\deff0") -> bytes:
    return f"{{\\rtf1{head} {body}}}".encode("latin-1")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"Clear.\par Normal.\line End", "Clear.\nNormal.\nEnd"),
        ("one\r\ntwo", "onetwo"),
        (r"Ergu\'df and Ergu\u223?", "Erguß and Erguß"),
        (r"\uc2\u223\'3f\'3fa \uc0\u223b", "ßa ßb"),
        (r"\u-10179?\u-8704?", "😀"),
        (r"\{a\}\\b\~c\_d\-e", "{a}\\b\xa0c\u2011de"),
        (r"a\emdash b\endash c \lquote d\rquote  \ldblquote e\rdblquote\bullet", "a—b–c ‘d’ “e”•"),
        (r"\trowd Heart\cell normal\cell\row Lung\cell\row", "Heart\tnormal\t\nLung"),
        (r"{\fonttbl{\f0\fswiss Arial;}{\f1 Times New Roman;}}{\colortbl;\red0;}a", "a"),
        (r"{\info{\author Someone}{\title Mr X}}{\*\generator Word;}{\stylesheet{\s0 N;}}a", "a"),
        (r"{\header Page}{\footer 1}a{\*\unknown b}c", "ac"),
        (r"{\pict\pngblip 89504e47}a", "a"),
        (r"{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}", "link"),
        (r"{\b a}{\i b {\ul c}}", "ab c"),
        (r"a{\v hidden}b{\deleted gone}c\v x\v0 d", "abcd"),
        (r"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}}\f0 \'e9 \f1 \'e9{\f0 \'e9}", "é йé"),
    ],
)
def test_rtf(body: str, text: str) -> None:
    assert rtf_to_text(rtf(body)) == text


def test_rtf_code_pages_and_binary_data() -> None:
    assert rtf_to_text(rtf(r"\'cb\'e5", r"\ansi\ansicpg1251")) == "Ле"
    assert rtf_to_text(rtf(r"\'94\'78", r"\ansi\ansicpg932")) == b"\x94\x78".decode("cp932")
    assert rtf_to_text(rtf(r"\'8e", r"\mac")) == "é"
    assert rtf_to_text(b"{\\rtf1 a{\\pict\\bin4 }}{{}b}") == "ab"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"Clear.", "no RTF"),
        (b"{\\rtf1 a", "cut short"),
        (b"{\\rtf1 a\\", "cut short"),
        (b"{\\rtf1" + b"{" * 5000, "nested too deeply"),
        (rtf("a", r"\ansicpg9999"), "unknown code page"),
        (rtf(r"\'81", r"\ansicpg1252"), "bytes that its code page lacks"),
        (rtf(r"\u-10179?"), "half a surrogate pair"),
        (rtf(r"\u9999999999?"), "character number that is none"),
    ],
)
def test_rtf_that_cannot_be_read(data: bytes, problem: str) -> None:
    with pytest.raises(NoTextError, match=problem):
        rtf_to_text(data)


PIECES = st.sampled_from(
    [
        *(
            r"\u",
            r"\u9 ",
            r"\'",
            r"\'e9",
            "{",
            "}",
            "\\",
            "*",
            r"\bin5 ",
            r"\f1",
            r"\fonttbl",
            "a",
            "\0",
        ),
        *("<", "<!--", "-->", "<p", '"', ">", "&#", "&#x110000;", "<script", "</script>", "]]>"),
    ]
)


@given(st.lists(PIECES, max_size=30))
def test_damage_of_any_kind(pieces: list[str]) -> None:
    for convert, argument in (
        (html_to_text, "".join(pieces)),
        (rtf_to_text, b"{\\rtf1" + "".join(pieces).encode()),
    ):
        made: Callable[[Any], str] = convert
        try:
            found = made(argument)
        except NoTextError as error:
            found = str(error)
        assert isinstance(found, str)


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<![CDATA[",
        "<p ",
        '<p a="',
        "<",
        "</",
        "&#1",
        "<!",
        "<script>",
        "<a>",
        "<pre>",
        "&",
        "\n",
    ],
)
def test_html_takes_linear_time(piece: str) -> None:
    """What makes quadratic scanners work for many minutes."""

    def read(size: int) -> None:
        with contextlib.suppress(NoTextError):
            html_to_text(piece * (size // len(piece)))

    assert growth(read, 75_000, 300_000) < 9


@pytest.mark.parametrize("piece", [r"\u", "{}", r"\'e9", r"\par", "\\", r"\f1\'e9", "{\\*", "\r\n"])
def test_rtf_takes_linear_time(piece: str) -> None:
    def read(size: int) -> None:
        with contextlib.suppress(NoTextError):
            rtf_to_text(b"{\\rtf1" + piece.encode() * (size // len(piece)) + b"}")

    assert growth(read, 75_000, 300_000) < 9
