"""Every format through the commands: the same reports give the same labels and the same records."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from fhir_examples import attachment, bundle, diagnostic_report, ndjson, written
from hl7_examples import message, obr, obx
from reading_tools import saved, table

from labelwright.cli import main

REPORTS = {
    "r1": "FINDINGS: Small left pleural effusion.\nIMPRESSION: Effusion.",
    "r2": "FINDINGS: Clear lungs. No pneumothorax.\nIMPRESSION: Normal chest.",
    "r3": "FINDINGS: Heart size is enlarged.\nIMPRESSION: Possible pneumonia.",
}


def as_text_files(folder: Path) -> Path:
    (folder / "notes").mkdir()
    for name, text in REPORTS.items():
        saved(folder / "notes", f"{name}.txt", text)
    return folder / "notes"


def as_bundle(folder: Path) -> Path:
    resources = [diagnostic_report(n, presentedForm=[attachment(t)]) for n, t in REPORTS.items()]
    return written(folder / "a.json", bundle(*resources))


def as_hl7(folder: Path) -> Path:
    segments = [s for n, t in REPORTS.items() for s in (obr(n), *map(obx, t.split("\n")))]
    return saved(folder, "a.hl7", "\r".join(message(*segments)))


def as_requests(folder: Path) -> Path:
    rows = [
        {"custom_id": n, "body": {"messages": [{"role": "user", "content": t}]}}
        for n, t in REPORTS.items()
    ]
    return ndjson(folder / "batch.jsonl", *rows)


def as_parquet(folder: Path) -> Path:
    return table(folder, "a.parquet", {"id": list(REPORTS), "text": list(REPORTS.values())})


def lines() -> bytes:
    rows = ({"id": n, "text": t} for n, t in REPORTS.items())
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


FORMATS: dict[str, Callable[[Path], Path]] = {
    "jsonl": lambda folder: saved(folder, "a.jsonl", lines()),
    "jsonl.gz": lambda folder: saved(folder, "a.jsonl.gz", gzip.compress(lines())),
    "jsonl.zst": lambda folder: saved(folder, "a.jsonl.zst", zstd.compress(lines())),
    "parquet": as_parquet,
    "txt": as_text_files,
    "fhir": as_bundle,
    "hl7": as_hl7,
    "openai-batch": as_requests,
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_labels(tmp_path: Path, kind: str) -> None:
    path = FORMATS[kind](tmp_path)
    plain = saved(tmp_path, "plain.jsonl", lines())
    for source, out in ((path, "found"), (plain, "wanted")):
        flags = ["--model", "rules", "--label-set", "chexpert-14", "--sections", "both"]
        assert main(["label", str(source), *flags, "--out", str(tmp_path / out)]) == 0
    found, wanted = ((tmp_path / out / "labels.csv").read_text() for out in ("found", "wanted"))
    assert found == wanted
    assert found.count("\n") == 1 + len(REPORTS)


@pytest.mark.parametrize("kind", ["fhir", "hl7"])
def test_every_format_makes_the_same_records(tmp_path: Path, kind: str) -> None:
    path = FORMATS[kind](tmp_path)
    plain = saved(tmp_path, "plain.jsonl", lines())
    for source, out in ((path, "found"), (plain, "wanted")):
        flags = ["--label-set", "chexpert-14", "--labels", "rules", "--split", "none"]
        assert main(["build", str(source), *flags, "--out", str(tmp_path / out)]) == 0
    found, wanted = (
        [json.loads(line) for line in (tmp_path / out / "train.jsonl").read_text().splitlines()]
        for out in ("found", "wanted")
    )
    assert [(r["id"], r["prompt"], r["completion"]) for r in found] == [
        (r["id"], r["prompt"], r["completion"]) for r in wanted
    ]


def test_no_text_of_a_report_in_rejects_and_manifests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    secret = "CANARY of a patient"
    good = diagnostic_report("good", presentedForm=[attachment("Clear lungs.")])
    bad = [
        diagnostic_report(
            "b1", presentedForm=[attachment(f"<p>{secret}", "text/html") | {"data": secret}]
        ),
        diagnostic_report("b2", status="entered-in-error", conclusion=secret),
        diagnostic_report("b3", presentedForm=[attachment(f"{{\\rtf1 {secret}", "text/rtf")]),
        diagnostic_report("b4", presentedForm=[attachment(secret, secret)]),
        {"resourceType": secret},
        {"secret": secret},
        secret,
        [secret],
    ]
    ndjson(folder / "a.ndjson", good, *bad)
    written(folder / "b.json", [secret, {"resource": secret}])
    saved(folder, "c.json", f'{{"resourceType": "DiagnosticReport", "conclusion": "{secret}')
    saved(folder, "d.json", f'"{secret}"')
    flags = ["--model", "rules", "--label-set", "chexpert-14", "--out", str(tmp_path / "out")]
    assert main(["label", str(folder), *flags]) == 0
    feed = message(
        obr("F1"), obx(secret, status="W"), obr("F2"), obx(f"\\XFF\\{secret}"), obr("F3")
    )
    lines_of = [
        *feed,
        f"{secret}|1",
        f"{secret}",
        "BTS|9",
        secret,
        *message(obr("G"), obx("Clear.")),
    ]
    saved(tmp_path, "a.hl7", "\r".join(lines_of))
    flags[-1] = str(tmp_path / "out2")
    assert main(["label", str(tmp_path / "a.hl7"), *flags]) == 0
    shown = "".join(capsys.readouterr())
    for out in ("out", "out2"):
        for name in ("rejects.jsonl", "manifest.json", "labels.csv"):
            shown += (tmp_path / out / name).read_text()
    assert "CANARY" not in shown
    assert "patient" not in (tmp_path / "out" / "rejects.jsonl").read_text()
