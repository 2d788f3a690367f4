"""Where a sentence of a report goes over from what is there to what is not: its clauses.

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
