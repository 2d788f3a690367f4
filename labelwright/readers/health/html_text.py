"""The text of HTML and of FHIR's XHTML narratives, without markup, scripts and styles.

A scanner of its own, since time must grow with the length only: ``html.parser`` of the supported
Pythons needs quadratic time for some damaged input (CVE-2025-6069), and XML parsers refuse what
is merely untidy. Nothing is fetched, and entities are the fixed ones of HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from labelwright.readers.one_text import NoTextError

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,40})")
_TAG_END = re.compile(r"""(?:[^"'>]+|"[^"]*"|'[^']*')*+>""")
_UNSEEN = ("script", "style", "title")
_UNSEEN_END = {tag: re.compile(f"</{tag}", re.IGNORECASE) for tag in _UNSEEN}
_BLOCKS = frozenset(
    {
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "body",
            "caption",
            "center",
            "dd",
            "details",
        ),
        *("dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1"),
        *("h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "legend", "li", "main", "menu"),
        *("nav", "ol", "p", "pre", "section", "table", "tbody", "tfoot", "thead", "tr", "ul"),
    }
)
_APART = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "dl", "pre"})
_SPACES = re.compile(r"[ \t\r\n\f]+")
_LINE_ENDS = re.compile(r"[ \t]*\n[ \t]*")
_MANY_LINES = re.compile(r"\n{3,}")


def html_to_text(markup: str) -> str:
    """The text: blocks on lines of their own, cells of a table row divided by tabs.

    Raises:
        NoTextError: the markup ends inside a tag, comment, script or style, so text may be lost.
    """
    pieces: list[str] = []
    preformatted = 0
    for text, closing, tag in _tokens(markup):
        if tag == "":
            plain = _unescaped(text)
            pieces.append(plain if preformatted else _SPACES.sub(" ", plain))
        else:
            preformatted = max(0, preformatted + (0 if tag != "pre" else -1 if closing else 1))
            pieces.append(_break(tag, closing=closing))
    joined = _LINE_ENDS.sub("\n", "".join(pieces).replace("\xa0", " "))
    return _MANY_LINES.sub("\n\n", joined).strip()


def _tokens(markup: str) -> Iterator[tuple[str, bool, str]]:
    """``(text, False, "")`` or ``(markup, whether it closes, tag)``, each part of it once."""
    at = 0
    while at < len(markup):
        opened = markup.find("<", at)
        if opened < 0:
            opened = len(markup)
        if opened > at:
            yield markup[at:opened], False, ""
        at = opened
        if at == len(markup):
            return
        tag = _TAG.match(markup, at)
        if tag is not None:
            end = _TAG_END.match(markup, tag.end())
            if end is None:
                raise NoTextError("the HTML ends inside a tag")
            name = tag.group(2).lower().rpartition(":")[2]
            yield markup[at : end.end()], bool(tag.group(1)), name
            at = end.end()
            if name in _UNSEEN and not tag.group(1) and markup[at - 2] != "/":
                unseen_end = _UNSEEN_END[name].search(markup, at)
                if unseen_end is None:
                    raise NoTextError(f"the HTML ends inside <{name}>")
                at = unseen_end.start()
        else:
            at, text = _other(markup, at)
            yield text, False, ""


def _other(markup: str, at: int) -> tuple[int, str]:
    """What follows a ``<`` that opens no tag: ``(where it ends, its text)``."""
    for start, end in (
        ("<!--", "-->"),
        ("<![CDATA[", "]]>"),
        ("<!", ">"),
        ("<?", ">"),
        ("</", ">"),
    ):
        if markup.startswith(start, at):
            stop = markup.find(end, at + len(start))
            if stop < 0:
                raise NoTextError("the HTML ends inside a tag or comment")
            text = markup[at + len(start) : stop] if start == "<![CDATA[" else ""
            return stop + len(end), html.escape(text, quote=False)
    return at + 1, "<"


def _break(tag: str, *, closing: bool) -> str:
    if tag == "br":
        return "\n"
    if tag in ("td", "th"):
        return "\t" if closing else ""
    if tag in _APART:
        return "\n\n"
    return "\n" if tag in _BLOCKS else ""


def _unescaped(text: str) -> str:
    if "&" not in text:
        return text
    try:
        return html.unescape(text)
    except ValueError:  # a character number of thousands of digits
        raise NoTextError("the HTML holds a character reference that is none") from None
