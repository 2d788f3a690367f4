"""Columns of id, text and patient, found by the names that hospitals' exports give them."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading_tools import failure, read, saved, texts

from labelwright.errors import InputError
from labelwright.io.delimited import id_columns
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import Columns, resolve
from labelwright.records import Report

HEADERS = {
    "Accession No.;Exam Date;Report Text;MRN": "Accession No.|Report Text|MRN",
    "AccessionNumber;Modality;Radiology Report": "AccessionNumber|Radiology Report|",
    "Order #;Findings Text;Conclusion": "Order #|Findings Text,Conclusion|",
    "StudyInstanceUID;Narrative;Patient No": "StudyInstanceUID|Narrative|Patient No",
    "Exam-Nr.;FINDINGS;Conclusions": "Exam-Nr.|FINDINGS,Conclusions|",
    "Auftragsnummer;Datum;Befundtext;Patientennummer": "Auftragsnummer|Befundtext|Patientennummer",
    "Auftrags-Nr.;Befund;Beurteilung;Pat.-ID": "Auftrags-Nr.|Befund,Beurteilung|Pat.-ID",
    "UntersuchungsID;Arztbrief": "UntersuchungsID|Arztbrief|",
    "BefundNr;Befund": "BefundNr|Befund|",
    "Onderzoeksnummer;Verslagtekst;Patiëntnummer": "Onderzoeksnummer|Verslagtekst|Patiëntnummer",
    "Accessienummer;Bevindingen;Conclusie": "Accessienummer|Bevindingen,Conclusie|",
    "Numéro d'examen;Compte rendu;IPP": "Numéro d'examen|Compte rendu|IPP",
    "N° demande;Résultats;Conclusion": "N° demande|Résultats,Conclusion|",
    "Nº de estudio;Informe;NHC": "Nº de estudio|Informe|NHC",
    "Número de petición;Hallazgos;Impresión diagnóstica": (
        "Número de petición|Hallazgos,Impresión diagnóstica|"
    ),
    "Numero esame;Testo referto;ID paziente": "Numero esame|Testo referto|ID paziente",
    "id_referto;Referto": "id_referto|Referto|",
    # A usual name counts before such a one.
    "study_id;Accession No;Order No;report;Befund;mrn;PID": "study_id|report|mrn",
    "id;findings;impression;conclusion": "id|findings,impression|",
}


@pytest.mark.parametrize(("header", "found"), HEADERS.items())
def test_headings_of_exports(header: str, found: str) -> None:
    identifier, wanted, patient = found.split("|")
    columns = resolve(header.split(";"), ReadOptions(), "a.csv")
    assert columns == Columns(identifier, tuple(wanted.split(",")), patient or None, ())


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Accession No;Order No;text", "columns Accession No, Order No may each hold the id"),
        ("id;Befundtext;Beurteilung", "columns Befundtext, Beurteilung may each hold the text"),
        ("id;Befund;Befunde", "columns Befund, Befunde may each hold the text"),
        ("id;Findings;Conclusie;Beurteilung", "may each hold the text"),
        ("id;text;PID;IPP", "columns PID, IPP may each hold the patient"),
        ("Exam code;text", "no column looks like the id"),
        ("Fallnummer;text", "no column looks like the id"),  # of a stay, with many reports
        ("id;Diagnosis", "no column looks like the text"),
        ("id;Befunddatum", "no column looks like the text"),
        ("id;report_date", "no column looks like the text"),
    ],
)
def test_several_or_none_are_an_error_that_names_them(header: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(header.split(";"), ReadOptions(), "a.csv")
    assert said in caught.value.what


def test_sections_of_exports_are_known(tmp_path: Path) -> None:
    table = "Auftragsnummer;Befund;Beurteilung\n0012;Erguss links.;Erguss.\n0013;;Kein Erguss.\n"
    first, second = read(saved(tmp_path, "a.csv", table))
    assert texts([first]) == ["BEFUND:\nErguss links.\n\nBEURTEILUNG:\nErguss."]
    assert isinstance(first, Report)
    assert [section.name for section in first.sections] == ["findings", "impression"]
    assert (second.id, texts([second])) == ("0013", ["BEURTEILUNG:\nKein Erguss."])


def test_tables_of_labels_too(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "Accession No.,Edema\n1,1.0\n")
    assert id_columns(path, (), "--label-id-columns") == ["Accession No."]
    path = saved(tmp_path, "b.csv", "Accession No.,Order No.,Edema\n1,2,1.0\n")
    with pytest.raises(InputError, match=r"columns Accession No\., Order No\. may each hold"):
        id_columns(path, (), "--label-id-columns")
    assert id_columns(path, (), "--label-id-columns", reports="Order No.") == ["Order No."]
    assert "Order" in failure(saved(tmp_path, "c.csv", "Order,Befund\n1,x\n")).remedy
