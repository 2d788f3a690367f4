"""Whose and how certain a match in a letter is, by the words of its clause.

Expressions of fields find words; letters use the same words for relatives ("padre con infarto"),
for what is only planned, feared or explained ("da valutare ICD", "profilassi dell'endocardite"),
and for drugs that were stopped. Cue words before and behind a match tell these apart, as NegEx
does for negation (Chapman et al., 2001, doi:10.1006/jbin.2001.1029), in Italian, English, Spanish,
French and German.
"""

from __future__ import annotations

import re

from labelwright.tasks.fields.dates import fold
from labelwright.tasks.fields.schema import Field, FieldType
from labelwright.tasks.fields.yes_no import denies

BEFORE, BEHIND = 90, 40
"""Characters before and behind a match in which cue words count."""
NEGATED = 40
"""Characters before a boolean's words in which a negation counts."""
_END = re.compile(
    r"(?<!\btel)(?<!\bcell)(?<!\bsig)(?<!\bdr)[.;](?=\s|$)"
    r"|(?<!\bdi)(?<!\bcon)(?<!\bper)(?<!\bof)(?<!\bwith)(?<!\ba)\n(?!\s*[^\W\dA-Z_])"
)
"""Where a clause ends: not at an abbreviation, not at a line that a preposition ends."""
_RELATIVE = re.compile(
    r"\b(?:padre|madre|papa|mamma|frat(?:ell[oi]|elli)|sorell[ae]|zi[oa]|zii|nonn[oaie]|cugin[oaie]"
    r"|figli[oae]?|mogli?e|marito|coniuge|convivente|genitori|parente|nipote|suocer[oa]"
    r"|father|mother|brothers?|sisters?|uncle|aunt|grand(?:father|mother|parents?)|cousin"
    r"|(?:his|her|their|the|older|elder|eldest|younger|youngest|one)\s+son"
    r"|son(?=\s+(?:had|has|died|with|is|was|aged)\b)"
    r"|daughter|wife|husband|spouse|parents|(?:a|first.degree)\s+relative|relatives|family\s+history"
    r"|hermano?s?|hermanas?|tio|tia(?=\s+(?:con|fue|tuvo|matern|patern))|abuel[oa]s?|prim[oa]\scon"
    r"|hij[oa]s?|espos[oa]|su\s+mujer"
    r"|pere|mere|freres?|soeurs?|oncle|tante|grand-(?:pere|mere)|fils|(?:sa|une|la)\s+fille|epou(?:x|se)"
    r"|vater|mutter|bruder|schwester|onkel|grossvater|grossmutter|sohn|tochter|ehe(?:frau|mann))\b"
    r"(?!\s+(?:states?|stated|reports?|reported|says?|said|brought|found|noticed|riferi\w+|dice|refiere"
    r"|rapporte|berichtet)\b)"
)
_BESIDE = re.compile(
    r"\b(?:by|with|from|vive\s+(?:con|solo\s+con)|accompagnat[oa]\s+d\w*|vit\s+avec|vive\s+con|lebt\s+mit)"
    r"\s+(?:(?:his|her|the|il|la|i|l'|son|sa|su|der|seiner|ihrem)\s+)?$"
)
"""Before a relative who is only there: who brought, hit, or lives with the patient."""
_SELF = re.compile(
    r"\b(?:pazient[ei]|patient(?:in)?|pac?iente|pz|pt)\b(?!\s+(?:riferi\w+|reports?)\s+(?:che|that))"
)
_OPEN = re.compile(
    r"\b(?:da\s+(?:valutare|programmare|escludere|considerare|pianificare)|valuter\w+|screening"
    r"|profilassi|rischi?o?|in\s+caso\s+di|eventual\w+|possibil[ei]|sospett[oai]|dubbi[oa]"
    r"|prevenzione|allergi[ao]|intolleran\w+|sospes[oa]|sospende\w*|non\s+not[oa]|consenso|arruol\w+"
    r"|verosimile|probabil[ei]|non\s+si\s+(?:puo\s+)?esclud\w+|previst[oa]"
    r"|to\s+(?:rule\s+out|evaluate|consider)|risk|prophylaxis|in\s+case\s+of|possible|suspected"
    r"|suspicion|probable|planned|allerg(?:y|ic)|stopped|discontinued|rule\s+out|consent|whether|if"
    r"|riesgo|sospecha|posible|profilaxis|alergia|en\s+caso\s+de|suspendid[oa]"
    r"|risque|suspicion|suspectee?|eventuel\w*|prophylaxie|allergie|en\s+cas\s+de"
    r"|risiko|verdacht|prophylaxe|moglich\w*|geplant\w*|falls|abgesetzt)\b"
)
_OPEN_BEHIND = re.compile(
    r"\s*(?:\d+(?:[.,]\d+)?\s*mg\s*)?,?\s*(?:(?:e|was|fue|wurde)\s+)?(?:sospes[oaie]|non\s+tollerat\w+"
    r"|interrott\w+|disponibil[ei]|da\s+(?:escludere|valutare|confermare)|non\s+(?:documentat|not|"
    r"confermat|precisat)\w+|stopped|discontinued|not\s+tolerated|(?:was\s+)?ruled\s+out|on\s+standby|suspendid\w+|arrete\w*"
    r"|abgesetzt|in\s+futuro|futur[oa])\b"
)
_UNKNOWN = re.compile(r"(?:non|not|nicht)\s+(?:not[oaie]|known|bekannt)\b")
_LINE = re.compile(r"(?<=\w)\n(?<!\bnon\n)(?<!\bno\n)(?<!\bnega\n)(?<!\bkein\n)(?<!\bsenza\n)")
"""A line end that may part two entries of a list."""
_STRICT = re.compile(r"\b(?:non|not|no|nessun\w*|nicht|kein\w*|mai|never)\b.*,")


def clause_before(text: str, start: int) -> str:
    """The clause up to a place, folded; a line that goes on in small letters is the same one."""
    return fold(_clause(text, start))


def _clause(text: str, start: int) -> str:
    return _END.split(text[max(start - BEFORE, 0) : start + 1])[-1][:-1]


def others(field: Field, text: str, start: int, end: int) -> bool:
    """Whether what is found is a relative's, planned, feared, or was stopped.

    Fields that ask about relatives take all; text is whatever its expression says.
    """
    if field.type is FieldType.TEXT:
        return False
    before = clause_before(text, start)
    if not _of_relatives(field):
        ends = [
            match.end()
            for match in _RELATIVE.finditer(before)
            if _BESIDE.search(before[: match.start()]) is None
        ]
        if ends and _SELF.search(before, ends[-1]) is None:
            return True
    if field.type is not FieldType.BOOLEAN:
        return False
    if _OPEN.search(before) or _UNKNOWN.match(fold(text[start:end])):
        return True
    return _OPEN_BEHIND.match(fold(text[end : end + BEHIND])) is not None


def _of_relatives(field: Field) -> bool:
    said = fold(" ".join((field.name.replace("_", " "), field.description, *field.synonyms)))
    return "famil" in said or _RELATIVE.search(said) is not None


def denied(text: str, start: int) -> bool | None:
    """Whether a clause denies what stands at a place; ``None`` where a comma leaves it open.

    "Nega angina, dispnea" denies both; after "non betabloccanti, ramipril" nobody knows. A line end
    within a clause counts as a comma.
    """
    clause = _clause(text, start)[-NEGATED:].rpartition(":")[2]
    before = fold(_LINE.sub(",", clause))
    if not denies(before):
        return False
    return None if _STRICT.search(before) else True
