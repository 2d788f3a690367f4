"""The part of a report that MIMIC-CXR's own labels were made from.

The labels published with MIMIC-CXR-JPG (CheXpert and NegBio) were computed on one section per
report, chosen by the section parser in https://github.com/MIT-LCP/mimic-cxr (folder ``txt``).
This module takes the same text, written anew from that parser's behaviour:

1. A heading is a line that begins with exactly one space, then capitals, spaces or any of
   ``()/,-``, then a colon and white space. The rest of a heading's first line is never
   searched for another heading.
2. Headings are sorted into kinds by a table of exact names, then by the words they hold.
3. Findings and impressions without text do not count.
4. A report with neither gets its last section cut at the first line that holds one single
   space; what follows is its last paragraph.
5. The last impression is taken, else the last findings, else that last paragraph, else the
   last comparison.

The parser also carries some fifty corrections for single studies by number. They are left out:
they belong to one release of one data set, and a choice here depends on the text alone.
"""

from __future__ import annotations

import re

_HEADING = re.compile(r"\n ([A-Z ()/,-]+):\s")
_BLANK_LINE = "\n \n"
_PREFERENCE = ("impression", "findings", "last paragraph", "comparison")

IMPRESSION_SLIPS = (
    "impresson",
    "imprression",
    "imoression",
    "impressoin",
    "imprssion",
    "impresion",
    "imperssion",
    "mpression",
    "impession",
)
FINDINGS_SLIPS = ("findins", "findindgs", "findgings", "findngs", "findnings", "finidngs")
COMPARISON_SLIPS = ("comparision", "comparsion", "comparrison", "comparisions")

_EXACT = {
    "conclusion": "impression",
    "ndication": "impression",  # so in the parser's own table
    "finding": "findings",
    "reference exam": "comparison",
    **dict.fromkeys(IMPRESSION_SLIPS, "impression"),
    **dict.fromkeys(FINDINGS_SLIPS, "findings"),
    **dict.fromkeys(COMPARISON_SLIPS, "comparison"),
}
_WORDS = ("impression", "findings", "history", "comparison", "addendum")
_TITLES = (  # a heading that names the pictures stands for the findings
    "chest",
    "portable",
    "pa and lateral",
    "lateral and pa",
    "ap and lateral",
    "lateral and ap",
    "frontal and",
    "two views",
    "frontal view",
    "pa view",
    "ap view",
    "one view",
    "lateral view",
    "bone window",
    "frontal upright",
    "frontal semi-upright",
    "ribs",
    "pa and lat",
)


def mimic_span(text: str) -> tuple[int, int] | None:
    """``(start, end)`` of the chosen text in code points, or ``None`` if nothing can be chosen.

    Line ends must be ``\\n`` alone, as Python's text mode reads them.
    """
    sections = [
        (kind, start, end)
        for kind, start, end in _sections(text)
        if kind not in ("impression", "findings") or not _blank(text, start, end)
    ]
    if not any(kind in ("impression", "findings") for kind, _, _ in sections):
        _, start, end = sections[-1]
        cut = text.find(_BLANK_LINE, start, end)
        if cut >= 0:
            sections[-1] = (sections[-1][0], start, cut)
            sections.append(("last paragraph", cut + len(_BLANK_LINE), end))
    for wanted in _PREFERENCE:
        for kind, start, end in reversed(sections):
            if kind == wanted:
                return start, end
    return None


def _sections(text: str) -> list[tuple[str, int, int]]:
    """``(kind, start, end)`` of all sections; the first is what stands before any heading."""
    heading = _HEADING.search(text)
    if heading is None:
        return [("other", 0, len(text))]
    found = [("other", 0, heading.start(1))]
    while heading is not None:
        start = heading.end()
        kind = _kind(heading.group(1))
        line_end = text.find("\n", start)
        heading = _HEADING.search(text, start if line_end < 0 else line_end)
        found.append((kind, start, len(text) if heading is None else heading.start()))
    return found


def _kind(heading: str) -> str:
    name = heading.lower().strip()
    if name in _EXACT:
        return _EXACT[name]
    for word in _WORDS:
        if word in name:
            return word
    return "findings" if any(title in name for title in _TITLES) else "other"


def _blank(text: str, start: int, end: int) -> bool:
    return not text[start:end].strip()
