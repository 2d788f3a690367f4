"""Where the sentences of a report begin and end."""

from __future__ import annotations

import re

# Every alternative begins with a plain character: the search then skips to the next of these.
ENDS = re.compile(
    r"!|。|！|？"
    r"|\?(?<=[^\s(\[,;:/?]\?)(?!\s{0,3}(?:[-–—]\s{0,2})?(?i:no|none|nil|yes|negative|absent"
    r"|no (?:sign|signs|trace|evidence) of (?:it|this|that|one|any)"
    r"|(?:not?|none|nil) (?:seen|found|present|identified|visible|here|today|on this \w+"
    r"|that (?:i|we) can (?:see|find|tell))"
    r")[ \t]*(?:[.;,\n]|[-–—] |\Z))"
    r"|\.(?:(?<!\d\.)|(?!\d))(?<!\b[Vv]s\.)(?<!\bVS\.)(?<!\b[Dd]r\.)(?<!\b[ei]\.[ge]\.)(?![ge]\.)"
    r"(?!(?<=\b[A-Za-z]\.)[A-Za-z]\.)(?!(?<=\b[A-Za-z]\.[A-Za-z]\.)\s[a-z])"
    r"|\n(?:[ \t\r]*\n"
    r"|(?=[ \t]*[^\W\d_][\w /-]{0,40}:)"
    r"|(?<!:\n)(?<!: \n)(?<!:\r\n)"
    r"(?=[ \t]*(?:[-*•][ \t]|[-*•](?=[^\W\d_])|\d{1,2}[.)][ \t]|[A-Z][a-z])))"
)
"""Matches what ends a sentence: ``. ! ?`` and their full-width forms (a decimal point is no end,
nor the points of "vs." and "C.P. angles", nor a question mark before a word, as in "? mass", or
before the answer to it, as in "Mass? No."), an empty line, and a line break before a list item, a
heading or a capitalised word, but for the line after "heading:"."""


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """The sentences as ``(start, end)``, offsets in Unicode code points, in order.

    White space around a sentence belongs to none. A piece without letters (a list number, a
    stray mark) joins the sentence after it, or the one before if it is the last.
    """
    spans: list[tuple[int, int]] = []
    held: int | None = None
    start = 0
    for end in [*(match.end() for match in ENDS.finditer(text)), len(text)]:
        piece = text[start:end]
        if piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            last = start + len(piece.rstrip())
            begin = first if held is None else held
            if any(char.isalpha() for char in piece):
                spans.append((begin, last))
                held = None
            elif end == len(text) and spans:
                spans[-1] = (spans[-1][0], last)
            elif end == len(text):
                spans.append((begin, last))
            else:
                held = begin
        start = end
    if held is not None:
        if spans:
            spans[-1] = (spans[-1][0], len(text.rstrip()))
        else:
            spans.append((held, len(text.rstrip())))
    return spans
