"""Yes and no in seven languages, and what only looks like either.

Letters say *no* in many words, and use the same words for what nobody knows ("non noto", "keine
Angabe", "n.d."), for what is not ruled out, for what ended, and within names ("non-Hodgkin"). Where
a phrase is of those kinds, or denies twice, it has no value: its words are kept as unreadable.
"""

from __future__ import annotations

import re

from labelwright.tasks.fields.dates import fold

YES = """
yes true present positive pos sì si vero presente positivo positiva verdadero positif oui vrai
présent présente ja wahr vorhanden positiv sim verdadeiro
"""
"""Words that begin a yes, in seven languages."""
NO = """
no false absent absence negative neg none never not without denies denied falso assente assenza
negativo negativa non nega negato negata senza mai nessun nessuna escluso esclusa ausente ausencia
niega sin nunca ningún ninguna faux absente négatif négative aucun aucune pas sans jamais nie nein
nicht kein keine keinen ohne falsch negativ verneint niemals nee niet geen zonder não sem nenhum
nenhuma
"""
"""Words that make a no of what they stand in."""
_YES = frozenset(map(fold, YES.split()))
_NO = frozenset(map(fold, NO.split()))
_SIGNS = {
    "y": True, "j": True, "1": True, "+": True, "++": True, "+++": True,
    "n": False, "0": False, "ø": False,
}  # fmt: skip
"""Signs that say it where they stand alone."""
_WORDS = re.compile(r"\w+")
_OPEN = re.compile(
    r"""\b(?:
      n\W{0,2}[da]\b\W*$
    | (?:prob|mog|vielle|wahrsch|sospett|suspect|possib|posib|forse|quiz|peut-etre|maybe|perhaps)\w*
    | rule[d]?\ out$ | no\ sabe
    | (?:non|not|no|nicht|ne)\ (?:\w+\ )?(?:sa|sait|ricord\w*|know|recuerda)\b
    | wei(?:ss?|ß)\ nicht
    | (?:non|not|no|nicht|ne|pas|niet|nao)\W+(?:\w+\W+){0,2}?(?:
        not[oaie]$ | valuta\w* | determin\w* | escl\w+ | exclu\w+ | escluder\w*
      | rul(?:ed?|ing)\Wout
      | riferi\w* | specific\w* | precis\w* | dispon\w* | availab\w* | known$ | assess\w*
      | evaluat\w*
      | report\w* | specified | stated | mention\w* | menzion\w* | docum\w* | done$ | esegui\w*
      | bekannt$ | beurteil\w* | ausgeschl\w* | untersuch\w* | angegeben | connue?s?$ | renseign\w*
      | consta\w* | sabe\w* | conocid\w* | descart\w* | evaluad\w* | sure | sicur\w* | cert[oaie]
      | clear | chiar\w* | dubb\w* | doubt\w* | sol[oa]\b | solamente | only | nur | seulement
      | piu | longer | anymore | more | mehr | mas | plus | meer | semp\w* | alway\w* | immer )
    | (?:cannot|can't)\W+be\W+(?:\w+\W+)?(?:ruled|excluded)
    | (?:kein\w*)\W+(?:angabe\w*|info\w*|daten|aussage)
    | (?:sin|no|nessun\w?|senza|sans|without)\W+(?:datos|data|dat[oi]|info\w*|notizi\w*|donnees)
    | (?:ya\W+no|se\W+non|si\W+no|if\W+not|whether)
    | (?:non|not|no|nicht|nega|niega|denies|never)\ (?:\w+\ ){0,2}?
      (?:assent\w|absent\w?|ausente|negativ\w?|negat[oa]|denied|nega|non|not|senza|without|sin|ohne)
    | non?[ -](?:insulin\w*|valvol\w*|valvul\w*|complic\w*|hodgkin|small|q\b|st\b|n?stemi|critic\w*
      |sever\w*|grav\w*|obstruct\w*|ostrutt\w*|ischem\w*|ischaem\w*|sosten\w*|sustain\w*|emodin\w*)
    )""",
    re.VERBOSE,
)
"""What is not known, not ruled out, over, denied twice, or a name that begins with *non*."""
_CLEAR = re.compile(r"\b(?:yes|s[ìí]|oui|ja|sim)\b")
_SUBJECT = re.compile(
    r"(?:(?:the|il|la|lo|el|le|der|die|das|patient\w*|pazient\w*|pac?ient\w*|pt|pz|sig\w*|he|she|lui|lei"
    r"|er|sie|has|had|ha|hat|tiene|a|is|was|e|es|est|ist|with|con|mit|avec)\W+)+"
)
"""Words that may stand before a word of negation that denies all that follows."""
_DENIES = frozenset(["denies", "denied", "nega", "niega", "negato", "negata", "verneint"])


def read_boolean(raw: str, yes: str = "yes", no: str = "no") -> bool | None:
    """Yes or no; ``None`` for neither, both, and all that only looks like one of them."""
    plain = fold(raw).strip(" .,;:!\"'()[]")
    if "?" in plain:
        return None
    if plain == fold(yes):
        return True
    if plain == fold(no):
        return False
    if plain in _SIGNS:
        return _SIGNS[plain]
    words = _WORDS.findall(plain)
    if not words or _OPEN.search(plain) is not None:
        return None
    yes_words, no_words = _YES | {fold(yes)}, _NO | {fold(no)}
    denied = [place for place, word in enumerate(words) if word in no_words]
    if words[0] in yes_words:
        return None if denied or _reflexive(raw) else True
    if not denied:
        return None
    if denied[0] == 0:
        numbered = len(words) > 1 and words[0] in ("no", "n") and words[1].isdecimal()
        return None if numbered or _CLEAR.search(raw.lower()) else False
    if any(words[place] in _DENIES for place in denied):
        return False
    before = plain[: re.search(rf"\b{words[denied[0]]}\b", plain).start()]  # type: ignore[union-attr]
    closing = denied[-1] == len(words) - 1
    return False if closing or _SUBJECT.fullmatch(before) else None


def _reflexive(raw: str) -> bool:
    """Whether a phrase begins with an Italian *si* that is no yes ("si dimette")."""
    return re.match(r"\W*[sS][iI] +\w", raw) is not None


def denies(text: str) -> bool:
    """Whether a word of a text makes a no of what follows."""
    return any(word in _NO for word in _WORDS.findall(fold(text)))
