"""Where the sentences of a report begin and end, and their clauses.

A small model that reads causally learns late which words of a sentence a negation reaches. Where
the sentence itself marks the border ("no pneumothorax **but** a small effusion", "cardiomegaly
**without** edema", "no effusion **;** the heart is enlarged"), each side can be asked by itself.
Lists stay whole ("no effusion, consolidation or pneumothorax"), and so does whatever speaks of
the same thing again ("no definite fracture, although **one** cannot be excluded").
"""

from __future__ import annotations

import re

_NO = (
    r"(?:without|with\s+no|no|neither)\s+"
    r"(?!longer|more|doubt|better|worse|need|further|other\b|chang|differen|(?:\w+\s+){0,2}change\b"
    r"|(?:interval\s+)?(?:in|de)crease|larger|smaller|improvement|question)(?=\w)"
)
_HEDGED = r"(?:possibl[ey]|probabl[ey]|questionable|suspected|presumed|likely|\?\s?\w)"
_SIZE = (
    r"(?:small|mild|moderate|large|minimal|tiny|trace|slight|marked|severe|stable|unchanged|"
    r"persistent|chronic|old|known|residual|improved|bilateral)\s"
)
_AGAIN = r"(?:an?\s+(?:\w+\s+)?one\b|one\b|it\b|this\b|that\b|these\b|they\b|such\b)"
_ANSWER = (
    r"(?:none|no|nil|yes|not|absent|negative|positive|present|normal|clear|resolved|stable|"
    r"unchanged|or|nor)\b"
)
_VERB = r"(?:is|are|was|were|has|have|remains?|persists?|appears?|shows?)"

BORDERS = re.compile(
    rf",?\s+(?:but|however|although|though|while|whereas|yet)\b(?!\s+for\b),?\s+(?!{_AGAIN})"
    rf"|;\s*(?:and\s+|but\s+)?(?!{_ANSWER}\s*(?:[.;]|$))(?!(?:or|nor)\b)"
    rf"|\s+[-–—]{{1,2}}\s+(?!{_ANSWER})"
    rf"|(?<![:=?–-])(?:,?\s+and|,)?\s+(?={_NO})"
    rf"|(?<!whether)(?<!\bif)(?<!that)(?<!when)(?<!where)(?:,?\s+and|,)?\s+"
    rf"(?=there\s+(?:is|are|was|were|has|have|may|might|could)\b)"
    rf"|(?:,|,?\s+and|\s+with)\s+(?={_HEDGED})"
    rf"|(?:,|,?\s+and)\s+(?=(?:negative|positive|free)\s+(?:for|of)\s)"
    rf"|(?:,|,?\s+and|\s+with)\s+(?=(?:an?\s+)?{_SIZE}[^,;]*$)(?![^,;]*\bn?or\b)"
    rf"|,\s+(?:and\s+)?(?=(?:the\s+)?[a-z][\w-]*(?:\s[\w-]+){{0,3}}\s{_VERB}\b)(?![^,;]*\bn?or\b)"
    rf"|\s+and\s+(?=the\s+[\w-]+(?:\s[\w-]+){{0,2}}\s{_VERB}\b)",
    re.IGNORECASE,
)
"""Matches what stands between two clauses; it belongs to neither."""
_LIST = re.compile(r";\s*n?or\b", re.IGNORECASE)
_OPEN = re.compile(
    r"(?:^|\s)(?:is|are|was|were|be|been|has|have|had|shows?|showed|reveals?|revealed|demonstrates?|"
    r"demonstrated|with|see|find|found|of|to|for|there|and|appears?|contains?)$",
    re.IGNORECASE,
)
"""Matches what cannot stand alone: its object or complement follows."""


def clause_spans(sentence: str) -> list[tuple[int, int]]:
    """The clauses of one sentence as ``(start, end)`` in it, in order.

    >>> text = "Cardiomegaly without edema, but a small effusion; no fracture or pneumothorax."
    >>> [text[start:end] for start, end in clause_spans(text)]
    ['Cardiomegaly', 'without edema', 'a small effusion', 'no fracture or pneumothorax.']
    """
    listed = _LIST.search(sentence) is not None
    spans: list[tuple[int, int]] = []
    start = 0
    for border in BORDERS.finditer(sentence):
        if listed and border.group().lstrip().startswith(";"):
            continue
        before = sentence[start : border.start()]
        if _words(before) and not _OPEN.search(before) and _words(sentence[border.end() :]):
            spans.append((start, border.start()))
            start = border.end()
    spans.append((start, len(sentence)))
    return spans


def _words(text: str) -> bool:
    return any(char.isalpha() for char in text)


# Every alternative begins with a plain character: the search then skips to the next of these.
ENDS = re.compile(
    r"!|。|！|？"
    r"|\?(?<=[^\s(\[,;:/?]\?)(?!\s{0,3}(?:[-–—]\s{0,2})?(?i:no|none|nil|yes|negative|absent"
    r"|no (?:sign|signs|trace|evidence) of (?:it|this|that|one|any)"
    r"|(?:not?|none|nil) (?:seen|found|present|identified|visible|here|today|on this \w+"
    r"|that (?:i|we) can (?:see|find|tell))"
    r")[ \t]*(?:[.;,\n]|[-–—] |\Z))"
    r"|\.(?:(?<!\d\.)|(?!\d))(?<!\b[Vv]s\.)(?<!\bVS\.)(?<!\b[Dd]r\.)(?<!\b[ei]\.[ge]\.)(?![ge]\.)"
    r"(?!(?<=\b(?:[Pp]l|[Ss]m|[Rr]t|[Ll]t|[Bb]l)\.)\s(?!no\b)[a-z])"
    r"(?!(?<=\b(?:[Ss]ig|[Mm]od|[Ss]ev|[Bb]il)\.)\s(?!no\b)[a-z])"
    r"(?!(?<=\b[A-Za-z]\.)[A-Za-z]\.)(?!(?<=\b[A-Za-z]\.[A-Za-z]\.)\s[a-z])"
    r"|\n(?:[ \t\r]*\n"
    r"|(?=[ \t]*[^\W\d_][\w /-]{0,40}:)"
    r"|(?<!:\n)(?<!: \n)(?<!:\r\n)"
    r"(?=[ \t]*(?:[-*•][ \t]|[-*•](?=[^\W\d_])|\d{1,2}[.)][ \t]|[A-Z][a-z])))"
)
"""Matches what ends a sentence: ``. ! ?`` and their full-width forms (a decimal point is no end,
nor the points of "vs.", "pl. effusion" and "C.P. angles", nor a question mark before a word, as in
"? mass", or before the answer to it, as in "Mass? No."), an empty line, and a line break
before a list item, a heading or a capitalised word, but for the line after "heading:"."""


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
