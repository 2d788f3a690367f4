"""Names of columns in tables of reports: the usual ones, and those of hospitals' exports.

Exports of hospitals name the same things in many ways ("Accession No.", ``AuftragsNr``, "Numéro
d'examen"). A usual name counts before such a one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

ID_COLUMNS = ("id", "study_id", "uid", "report_id", "note_id", "accession", "accession_number")
"""Usual names of a report's id; in a table of labels the first that is there counts."""
ID, TEXT, PATIENT, FINDINGS, IMPRESSION = KINDS = "id", "text", "patient", "findings", "impression"

_USUAL = {
    ID: frozenset({*ID_COLUMNS, "study", "exam_id", "document_id", "doc_id"}),
    TEXT: frozenset({"text", "report", "report_text", "note", "note_text", "full_text"}),
    PATIENT: frozenset({"patient", "patient_id", "subject_id", "person_id", "mrn"}),
    FINDINGS: frozenset({"findings"}),
    IMPRESSION: frozenset({"impression"}),
}
_NUMBER = "(?:no|nr|num|number|nummer|numero|id|uid|identifier)"
_NUMBER_OF = "(?:no|n|nr|num|numero|id|identificador|identificativo|identifiant)"
_OF = "(?:de|del|dela|du|d|di|della|dell)?l?"
_DONE = (
    "(?:accession|acc|exam|examination|study|order|report|document|request|requisition"
    "|auftrags?|untersuchungs?|befund|anforderungs?|bericht|dokument|studien?"
    "|onderzoeks?|accessie|verslag|opdracht|aanvraag)"
)
_DONE_OF = (
    "(?:accession|examen|demande|compterendu|etude|document|acceso|estudio|exploracion|peticion"
    "|informe|solicitud|prueba|documento|accesso|esame|referto|richiesta|studio)"
)
_PERSON = "(?:patient|patienten|pat|subject|person|paziente|paciente)"
_EXPORTED = {
    name: re.compile(pattern)
    for name, pattern in {
        ID: f"{_DONE}{_NUMBER}|{_NUMBER_OF}{_OF}{_DONE_OF}|study(?:instance)?uid",
        TEXT: "(?:radiology|exam|study|full|final|clinical)(?:report|note)(?:text)?"
        "|report(?:body|content)|(?:result|document)s?text|narrative"
        "|befunds?text|(?:arzt|befund)?bericht(?:s?text)?|freitext|arztbrief"
        "|verslag(?:tekst)?|tekst"
        "|(?:texte(?:du)?)?compterendu|texte|rapport"
        "|(?:texto(?:del)?)?informe(?:texto)?|texto|(?:testo(?:del)?)?referto(?:testo)?|testo",
        PATIENT: f"{_PERSON}{_NUMBER}|{_NUMBER_OF}{_OF}{_PERSON}|medicalrecord{_NUMBER}"
        f"|{_NUMBER_OF}{_OF}historiaclinica|nhc|ipp|pid",
        FINDINGS: "findings?(?:text)?|befunde?|bevinding(?:en)?|resultats|constatations|hallazgos"
        "|reperti",
        IMPRESSION: "impressions?(?:text)?|conclusions?(?:text)?|beurteilung|conclusies?"
        "|beoordeling|conclusiones|impresion(?:diagnostica)?|conclusioni"
        "|impressione(?:diagnostica)?",
    }.items()
}


def usual(found: Sequence[str], kind: str) -> list[str]:
    """The columns with a usual name of a kind, one of :data:`KINDS`."""
    return [name for name in found if _folded(name) in _USUAL[kind]]


def exported(found: Sequence[str], kind: str) -> list[str]:
    """The columns with a name that exports of hospitals have for a kind.

    >>> exported(["Accession No.", "Datum", "AuftragsNr"], "id")
    ['Accession No.', 'AuftragsNr']
    """
    return [name for name in found if _EXPORTED[kind].fullmatch(_squeezed(name))]


def either(found: Sequence[str], kind: str) -> list[str]:
    """The columns with a usual name; without one, those that are named as in exports."""
    return usual(found, kind) or exported(found, kind)


def part_of(name: str) -> str | None:
    """Whether a column holds :data:`FINDINGS` or the :data:`IMPRESSION`."""
    return next((part for part in (FINDINGS, IMPRESSION) if either([name], part)), None)


def same(name: str, other: str) -> bool:
    """Whether two names differ in case, spaces, dots and hyphens alone."""
    return _folded(name) == _folded(other)


def _folded(name: str) -> str:
    return re.sub(r"[\s.-]+", "_", name.strip().casefold())


@lru_cache(maxsize=1024)
def _squeezed(name: str) -> str:
    """Letters and digits without accents; signs for "number" as words."""
    spelled = unicodedata.normalize("NFKD", name.replace("#", "no").casefold())
    return "".join(c for c in spelled if c.isalnum() and c.isascii())
