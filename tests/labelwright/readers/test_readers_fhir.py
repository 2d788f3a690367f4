"""FHIR: Bundles, NDJSON, single resources and folders; what is text of a report and what is not."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from backports import zstd
from fhir_examples import FORM, attachment, bundle, diagnostic_report, narrative, ndjson, written
from reading_tools import PEAK, STATUS, failure, read, saved, texts

from labelwright.readers import ReadOptions
from labelwright.records import Reject, Report

NO_RESOURCE = "JSON but no FHIR resource; other records are read as JSON lines (.jsonl)"
PATIENT = {"resourceType": "Patient", "id": "p1"}


@pytest.mark.parametrize("release", ["R5", "R4B"])
def test_the_examples_are_valid(release: str) -> None:
    """Against the model of the standard, so that these tests test what FHIR servers write."""
    name = "fhir.resources" if release == "R5" else f"fhir.resources.{release}"
    module = __import__(f"{name}.bundle", fromlist=["Bundle"])
    resources = [
        diagnostic_report(),
        diagnostic_report("r2", presentedForm=None, text=narrative("<p>Clear.</p>")),
        diagnostic_report("r3", presentedForm=None, conclusion="Normal."),
        diagnostic_report("r4", status="entered-in-error"),
        diagnostic_report("r5", presentedForm=[attachment(b"%PDF-1.7", "application/pdf")]),
        PATIENT,
    ]
    assert len(module.Bundle.model_validate(bundle(*resources)).entry) == len(resources)


# --- containers ----------------------------------------------------------------------------


def test_single_resource(tmp_path: Path) -> None:
    (report,) = read(written(tmp_path / "a.json", diagnostic_report()))
    assert isinstance(report, Report)
    assert (report.id, report.patient, report.row) == ("r1", "Patient/p1", 1)
    assert report.text == FORM
    assert [s.name for s in report.sections] == ["findings", "impression"]
    assert report.meta == {
        "status": "final",
        "issued": "2024-05-01T11:00:00Z",
        "effective": "2024-05-01T10:00:00Z",
        "code": "XR Chest 2V",
        "identifier": "A-r1",
        "part": "presentedForm",
    }


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_bundle(tmp_path: Path, packed: str) -> None:
    whole = json.dumps(
        bundle(PATIENT, diagnostic_report(), diagnostic_report("r2"), PATIENT), indent=1
    ).encode()
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress}[packed]
    items = read(saved(tmp_path, f"a.json{packed}", pack(whole)))
    assert [(i.id, i.row) for i in items] == [("r1", 2), ("r2", 3), (None, 4)]
    assert texts(items)[-1] == "other resources passed over; 2 Patient"


def test_bulk_export(tmp_path: Path) -> None:
    lines = [diagnostic_report("r1"), PATIENT, [1], {"a": 1}, diagnostic_report("r1"), "secret"]
    items = read(ndjson(tmp_path / "DiagnosticReport.000.ndjson", *lines))
    assert [(i.row, t) for i, t in zip(items, texts(items), strict=True)] == [
        (1, FORM),
        (3, "the line is JSON but no object"),
        (4, NO_RESOURCE),
        (5, f"duplicate id; first seen at {tmp_path}/DiagnosticReport.000.ndjson:1"),
        (6, "the line is JSON but no object"),
        (6, "other resources passed over; 1 Patient"),
    ]
    path = saved(tmp_path, "b.ndjson", "{\n" + json.dumps(diagnostic_report()) + "\n")
    assert texts(read(path, ReadOptions(format="fhir"))) == ["the line is not valid JSON", FORM]


def test_bundles_in_lines_and_in_bundles(tmp_path: Path) -> None:
    inner = bundle(diagnostic_report("r2"), diagnostic_report("r3"))
    path = ndjson(tmp_path / "a.ndjson", bundle(diagnostic_report("r1"), inner))
    assert [i.id for i in read(path)] == ["r1", "r2", "r3"]
    path = written(tmp_path / "a.json", bundle(diagnostic_report("r1"), inner, PATIENT))
    assert [i.id for i in read(path)] == ["r1", "r2", "r3", None]


def test_arrays_and_documents_one_after_another(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", [diagnostic_report("r1"), diagnostic_report("r2")])
    assert [i.id for i in read(path)] == ["r1", "r2"]
    two = json.dumps(diagnostic_report("r1"), indent=2) + "\n" + json.dumps(diagnostic_report("r2"))
    assert [i.id for i in read(saved(tmp_path, "b.json", two))] == ["r1", "r2"]


def test_entries_without_reports(tmp_path: Path) -> None:
    whole = bundle(diagnostic_report(None))
    whole["entry"] += [
        {"request": {"method": "DELETE", "url": "Patient/1"}},
        {"fullUrl": "urn:uuid:2"},
        {"resource": "secret"},
        "secret",
        None,
        {"resource": {"resourceType": "<script>"}},
        {
            "resource": diagnostic_report(None),
            "fullUrl": "https://example.org/r/DiagnosticReport/9",
        },
    ]
    items = read(written(tmp_path / "a.json", whole))
    assert [i.id for i in items if isinstance(i, Report)] == ["0", "9"]
    assert [i.reason for i in items if isinstance(i, Reject)] == [
        *[NO_RESOURCE] * 4,
        "other resources passed over; 1 entryWithoutResource, 1 unknown",
    ]
    assert "secret" not in repr(items)


def test_a_type_that_stands_behind_the_entries(tmp_path: Path) -> None:
    whole = {"entry": bundle(diagnostic_report())["entry"], "resourceType": "Bundle"}
    assert texts(read(written(tmp_path / "a.json", whole))) == [FORM]
    listed = {"resourceType": "List", "entry": [{"item": {"reference": "Patient/1"}}]}
    reasons = texts(read(written(tmp_path / "b.json", listed)))
    assert reasons == ["other resources passed over; 1 List"]


def test_folder(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    (folder / "more").mkdir(parents=True)
    written(folder / "a.json", bundle(diagnostic_report("r1"), PATIENT))
    ndjson(folder / "more" / "b.ndjson", diagnostic_report("r2"), 7, diagnostic_report("r3"))
    saved(folder, "c.json", json.dumps(bundle(*[diagnostic_report("r4")] * 2))[:-300])
    saved(folder, "d.json", "")
    saved(folder, "e.json", b'{"resourceType": "Patient", "name": "\xff"}')
    items = read(folder)
    assert [i.row for i in items] == list(range(1, 10))
    assert {i.source for i in items} == {str(folder)}
    assert [i.id if isinstance(i, Report) else i.reason for i in items] == [
        "r1",
        "other resources passed over; 1 Patient; a.json:2",
        "r4",
        "the file cannot be read on; c.json after row 1: not valid JSON in the value that starts "
        f"at character {items_start(folder / 'c.json')}",
        "the file cannot be read on; d.json after row 0: the file is empty",
        "the file cannot be read on; e.json after row 0: byte 37 (line 1) is not valid UTF-8",
        "r2",
        "the line is JSON but no object; more/b.ndjson:2",
        "r3",
    ]


def items_start(path: Path) -> int:
    """Where the second entry starts, from 1."""
    return path.read_text().index('{"fullUrl": "urn:x:1"') + 1


def test_files_without_resources(tmp_path: Path) -> None:
    assert "no FHIR resource in it" in failure(written(tmp_path / "a.json", bundle())).what
    assert "no FHIR resource in it" in failure(saved(tmp_path, "b.json", "[]")).what
    assert "is empty" in failure(saved(tmp_path, "c.json", "")).what
    (tmp_path / "none").mkdir()
    assert "no FHIR resource" in failure(tmp_path / "none", ReadOptions(format="fhir")).what
    assert "no such file" in failure(tmp_path / "d.json").what
    assert "no such file" in failure(tmp_path / "d.ndjson", ReadOptions(format="fhir")).what


# --- size ----------------------------------------------------------------------------------


def test_a_large_bundle_is_read_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelwright.readers.json_stream._BLOCK", 37)
    resources = [diagnostic_report(f"r{n}", conclusion="é" * n) for n in range(30)]
    path = written(tmp_path / "a.json", bundle(*resources) | {"total": 1234567})
    assert [i.id for i in read(path)] == [f"r{n}" for n in range(30)]
    path.write_text(path.read_text()[:-1])
    assert "not valid JSON" in failure(path).what


def test_an_entry_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelwright.readers.opening.LONGEST", 2000)
    monkeypatch.setattr("labelwright.readers.json_stream._BLOCK", 500)
    long = diagnostic_report(presentedForm=[attachment("x" * 5000)])
    path = written(tmp_path / "a.json", bundle(diagnostic_report("r0"), long))
    assert "a JSON value is longer than 2000 characters" in failure(path).what
    assert "NDJSON" in failure(path).remedy
    items = read(ndjson(tmp_path / "a.ndjson", diagnostic_report("r0"), long))
    assert texts(items)[1] == "the row is longer than 2000 characters"


READ_LARGE = f"""{PEAK}
import sys
from pathlib import Path
from labelwright.readers import ReadOptions, scan
before = peak()
rows = scan([Path(sys.argv[1])], ReadOptions()).rows
print(rows, peak() - before)
"""


@pytest.mark.skipif(not STATUS.exists(), reason="asks /proc for memory")
@pytest.mark.parametrize("name", ["a.json.zst", "a.ndjson.zst"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    """60 MB of resources take less than 20 MB more."""
    resource = json.dumps(diagnostic_report(conclusion="x" * 3000))
    if name == "a.json.zst":
        whole = '{"resourceType": "Bundle", "entry": ['
        whole += ",".join([f'{{"resource": {resource}}}'] * 16_000) + "]}"
    else:
        whole = (resource + "\n") * 16_000
    path = saved(tmp_path, name, zstd.compress(whole.encode()))
    done = subprocess.run(
        [sys.executable, "-c", READ_LARGE, str(path)], capture_output=True, text=True, check=True
    )
    rows, grown = map(int, done.stdout.split())
    assert rows == 16_000
    assert grown < 20 * 1024
