"""The headings of radiology reports and the names they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from labelwright.text.mimic_sections import COMPARISON_SLIPS, FINDINGS_SLIPS, IMPRESSION_SLIPS

BODY = "body"
"""Name of text that stands under no heading."""

FINDINGS_AND_IMPRESSION = "findings and impression"
"""Name of a section that is both; it counts as either."""

_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "findings": (
        *("finding", "findings", "description", "observation", "observations", "result"),
        *("results", "answer", "radiographic findings", "imaging findings", *FINDINGS_SLIPS),
    ),
    "impression": (
        *("impression", "impressions", "conclusion", "conclusions", "opinion", *IMPRESSION_SLIPS),
        *("impression and recommendation", "impression and recommendations"),
        *("impression/recommendation", "impression/recommendations"),
        *("impression and plan", "interpretation", "summary", "assessment"),
    ),
    FINDINGS_AND_IMPRESSION: (
        *("findings and impression", "findings & impression", "findings/impression"),
        *("findings / impression", "findings/ impression", "findings and impressions"),
        *("findings and conclusion", "impression and findings", "impression/findings"),
    ),
    "indication": (
        *("indication", "indications", "clinical indication", "clinical indications", "idication"),
        *("indication for exam", "indication for examination", "indication for study"),
        *("reason for exam", "reason for examination", "reason for study", "reason for test"),
        *("reason for this exam", "reason for this examination", "clinical question"),
        *("reason", "reason for referral", "reason for request", "reason for visit", "request"),
        *("referral reason", "clinical query", "presenting complaint", "symptoms"),
        *("question", "questions", "clinical questions", "query", "queries"),
    ),
    "history": (
        *("history", "clinical history", "patient history", "medical history", "pfi"),
        *(
            "clinical information",
            "clinical info",
            "clinical problem",
            "clinical data",
            "clinical details",
            "clin details",
            "clin info",
            "clin hx",
            "clinical background",
        ),
        *("clinical", "clinical notes", "clinical note", "clinical hx", "clinical summary", "hx"),
        *("pmh", "pmhx", "past history", "past medical hx", "previous history"),
        *("clinical context", "clinical diagnosis", "brief history", "relevant history"),
        *("history and indication", "indication and history", "past medical history"),
    ),
    "comparison": (
        *("comparison", "comparisons", "comparison exam", "comparison film", "comparison films"),
        *("comparison study", "comparison studies", "reference exam", "prior studies"),
        *("prior study", "previous studies", "prior", "priors", "prior exam", "prior exams"),
        *("previous study", "previous exam", "previous films", *COMPARISON_SLIPS),
    ),
    "technique": ("technique", "techniques", "procedure", "protocol", "views"),
    "examination": (
        *("exam", "examination", "exam type", "type of exam", "type of examination", "study"),
    ),
    "recommendations": ("recommendation", "recommendations"),
    "addendum": ("addendum", "addenda"),
    "wet read": (
        *("wet read", "wetread", "preliminary read", "preliminary report"),
        "preliminary interpretation",
    ),
    "notification": ("notification", "notifications", "communication", "critical results"),
    "comment": ("comment", "comments"),
    "date": ("date", "date of exam", "date of examination", "exam date", "study date"),
    "signature": ("electronically signed by", "signed by", "dictated by", "interpreted by"),
    BODY: ("final report", "report", "narrative"),
}
NAMES = {heading: name for name, headings in _HEADINGS.items() for heading in headings}
"""The name of each heading, both in lower case."""

# These words are common inside sentences: they head a section at the start of a line only, or
# between a full stop and a colon.
LINE_ONLY = frozenset(
    {"examination", "date", "comment", "signature", "notification", BODY}
) | frozenset(
    {"procedure", "protocol", "views", "interpretation", "summary", "assessment", "description"}
    | {"observation", "observations", "result", "results", "reason", "request", "hx"}
    | {
        "symptoms",
        "clinical",
        "prior",
        "priors",
        "pmh",
        "pmhx",
        "past medical hx",
        "clinical note",
        "clinical diagnosis",
    }
    | {
        "answer",
        "question",
        "questions",
        "query",
        "queries",
        "clin details",
        "clin info",
        "clin hx",
        "presenting complaint",
        "previous exam",
        "prior exam",
        "previous study",
    }
)

# Short sections about the request: an unheaded paragraph below one is the report's own text.
CONTEXT = frozenset({"indication", "history", "comparison", "technique", "examination", "date"})

# What may follow a report without being part of it.
CLOSING = frozenset({"signature", "notification"})

_QUALIFIERS = (
    *("additional", "chest", "ct", "final", "imaging", "incidental", "key", "lung", "mri", "new"),
    *("other", "pertinent", "preliminary", "radiographic", "relevant", "significant"),
)


def _either(words: Iterable[str]) -> str:
    """A pattern of any of these words that branches letter by letter: many times faster."""
    rest: dict[str, list[str]] = {}
    for word in sorted(words, reverse=True):
        rest.setdefault(word[:1], []).append(word[1:])
    branches = [
        (r"[ \t]+" if letter == " " else re.escape(letter)) + (_either(tails) if letter else "")
        for letter, tails in rest.items()
    ]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


HEADING = re.compile(rf"(?<!\w){_either(NAMES)}(?!\w)")
"""A word that may be a heading, in text in lower case."""

QUALIFIED = re.compile(rf"(?<!\w){_either(_QUALIFIERS)}[ \t]+\Z", re.IGNORECASE)
"""A word that may stand before a heading (``OTHER FINDINGS``) and then belongs to it."""
