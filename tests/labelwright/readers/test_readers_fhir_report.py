"""One DiagnosticReport: what is its text, its id, its patient, and what is rejected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fhir_examples import FORM, attachment, diagnostic_report, narrative, written
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_tools import PLAIN, read, saved, texts

from labelwright.errors import ConfigError
from labelwright.readers import ReadOptions, scan
from labelwright.records import Reject, Report


def text_or_reason(tmp_path: Path, **members: Any) -> str:
    path = written(tmp_path / "a.json", diagnostic_report(**members))
    return texts(read(path))[0]


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_withdrawn(tmp_path: Path, status: str) -> None:
    assert text_or_reason(tmp_path, status=status) == f"the status is {status}"


@pytest.mark.parametrize("status", ["preliminary", "amended", "unknown", "appended", None])
def test_other_statuses_are_read(tmp_path: Path, status: str | None) -> None:
    assert text_or_reason(tmp_path, status=status) == FORM


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        ([attachment("Erguß".encode("latin-1"), "text/plain; charset=ISO-8859-1")], "Erguß"),
        ([attachment("Erguß".encode("utf-16"), 'text/plain;charset="utf-16"')], "Erguß"),
        ([attachment("\ufeffErguß", "TEXT/PLAIN")], "Erguß"),
        ([attachment("<p>Clear.</p><p>Normal.", "text/html; charset=utf-8")], "Clear.\n\nNormal."),
        ([attachment(b"<meta charset=latin-1><b>Ergu\xdf", "text/html")], "Erguß"),
        ([attachment(r"{\rtf1\ansi Clear.\par Normal.}", "application/rtf")], "Clear.\nNormal."),
        ([attachment("<p>a</p>", "text/html"), attachment("b")], "b"),
        ([attachment("a"), attachment("a"), attachment("b")], "a\n\nb"),
        ([attachment(b"%PDF", "application/pdf"), attachment("<i>a</i>", "text/html")], "a"),
        (attachment("a"), "a"),
        ([{"data": "YQ=="}], "a"),
        ([{"contentType": "text/plain", "data": " YQ =\n="}], "a"),
    ],
)
def test_presented_forms(tmp_path: Path, forms: Any, expected: str) -> None:
    assert text_or_reason(tmp_path, presentedForm=forms) == expected


@pytest.mark.parametrize(
    ("forms", "reason"),
    [
        ([attachment(b"%PDF-1", "application/pdf")], "presentedForm holds application/pdf only"),
        ([attachment("a", "image/png; x"), {}], "presentedForm: no data"),
        ([attachment("a", "a secret")], "presentedForm holds an unknown content type only"),
        ([attachment(b"\xff")], "presentedForm: not UTF-8"),
        ([attachment("a", "text/plain; charset=klingon")], "presentedForm: an unknown charset"),
        ([attachment("a", "text/plain; charset=base64")], "presentedForm: an unknown charset"),
        ([attachment(b"%PDF-1.7")], "presentedForm: no plain text but PDF"),
        ([{"contentType": "text/plain", "data": "a"}], "presentedForm: the data are not valid"),
        ([{"contentType": "text/plain", "data": "é"}], "presentedForm: the data are not valid"),
        ([{"contentType": "text/plain", "url": "https://x"}], "presentedForm: a link without data"),
        ([{"contentType": "text/plain"}], "presentedForm: no data"),
        ([attachment("<p", "text/html")], "presentedForm: the HTML ends inside a tag"),
        ([attachment(r"{\rtf1 a", "text/rtf")], "presentedForm: the RTF is cut short"),
        ([attachment("a", "text/rtf")], "presentedForm: no RTF"),
        ([7], "presentedForm: no data"),
    ],
)
def test_forms_that_cannot_be_read_are_not_replaced(
    tmp_path: Path, forms: Any, reason: str
) -> None:
    """A conclusion is less than the report: taking it instead would change labels in silence."""
    found = text_or_reason(tmp_path, presentedForm=forms, conclusion="Normal.")
    assert found.startswith(reason)
    assert "--encoding" not in found


def test_narrative_and_conclusion(tmp_path: Path) -> None:
    only = {"presentedForm": None}
    for status in ("additional", "extensions"):
        text = narrative("<h2>Findings</h2><p>a &lt; b &amp;<br/> c</p>", status)
        found = text_or_reason(tmp_path, **only, text=text, conclusion="Normal.")
        assert found == "Findings\n\na < b &\nc"
    for status in ("generated", "empty"):
        text = narrative("<p>Status: final</p>", status)
        assert text_or_reason(tmp_path, **only, text=text, conclusion="Normal.") == "Normal."
        assert "generated from data" in text_or_reason(tmp_path, **only, text=text)
    assert text_or_reason(tmp_path, **only).startswith("neither presentedForm")
    assert text_or_reason(tmp_path, **only, conclusion=7).startswith("neither presentedForm")
    (report,) = read(written(tmp_path / "a.json", diagnostic_report(**only, conclusion="Normal.")))
    assert isinstance(report, Report)
    assert [s.name for s in report.sections] == ["impression"]
    assert report.meta["part"] == "conclusion"


def test_parts_and_ids_by_flag(tmp_path: Path) -> None:
    resource = diagnostic_report(conclusion="Normal.", text=narrative("Clear."))
    path = written(tmp_path / "a.json", resource)
    options = ReadOptions("identifier", ("text", "conclusion"), meta_columns=("code", "part"))
    (report,) = read(path, options)
    assert isinstance(report, Report)
    assert (report.id, report.text) == ("A-r1", "Clear.\n\nCONCLUSION:\nNormal.")
    assert report.meta == {"code": "XR Chest 2V", "part": "text,conclusion"}
    for wrong in (
        ReadOptions(id_column="uid"),
        ReadOptions(patient_column="subject"),
        ReadOptions(text_columns=("findings",)),
        ReadOptions(meta_columns=("age",)),
    ):
        with pytest.raises(ConfigError):
            scan([path], wrong)


@pytest.mark.parametrize(
    ("subject", "patient"),
    [
        ({"reference": "Patient/7/_history/2"}, "Patient/7"),
        ({"reference": "https://example.org/fhir/Patient/7"}, "https://example.org/fhir/Patient/7"),
        ({"identifier": {"value": "MRN7"}}, "MRN7"),
        ({"display": "Someone"}, None),
        (None, None),
        ("Patient/7", None),
    ],
)
def test_patient(tmp_path: Path, subject: Any, patient: str | None) -> None:
    (report,) = read(written(tmp_path / "a.json", diagnostic_report(subject=subject)))
    assert isinstance(report, Report)
    assert report.patient == patient


def test_resources_with_faults(tmp_path: Path) -> None:
    assert text_or_reason(tmp_path, id="\ud800").startswith("half a surrogate")
    assert text_or_reason(tmp_path, id=None) == "the id is missing"
    assert text_or_reason(tmp_path, id=7) == "the id is missing"
    assert text_or_reason(tmp_path, subject={"reference": "\ud800"}).startswith("half a surrogate")
    assert (
        text_or_reason(tmp_path, presentedForm=[attachment("clear\0")])
        == "the report holds NUL bytes"
    )
    twice = json.dumps(diagnostic_report())[:-1] + ', "conclusion": "a", "conclusion": "b"}'
    (reject,) = read(saved(tmp_path, "b.json", twice))
    assert isinstance(reject, Reject)
    assert reject.reason == "a member that is read appears twice in the resource"


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
MEMBERS = ("id", "identifier", "status", "subject", "presentedForm", "text", "conclusion", "code")


@settings(max_examples=150, deadline=None)
@given(members=st.dictionaries(st.sampled_from(MEMBERS), values))
def test_members_of_any_kind(members: dict[str, Any]) -> None:
    from labelwright.readers.health.fhir_report import report_of

    item = report_of(diagnostic_report(**members), "", "a", 1, PLAIN)
    assert isinstance(item, Report | Reject)
