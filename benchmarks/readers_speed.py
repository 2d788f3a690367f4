"""Rows per second of every input format on one core, beside CSV.

    python benchmarks/readers_speed.py [--reports 20000]

The same reports are written in each format and read back; all must come out equal. Time is the
process's CPU time of one pass, the better of two.
"""

from __future__ import annotations

import argparse
import base64
import csv
import gzip
import io
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from labelwright.readers import ReadOptions, read_reports
from labelwright.readers.packed import zstd_module
from labelwright.records import Report

WORDS = [
    "the",
    "lungs",
    "are",
    "clear",
    "no",
    "effusion",
    "or",
    "pneumothorax",
    "heart",
    "size",
    "normal",
    "small",
    "left",
    "opacity",
]


def texts(count: int, seed: int = 0) -> list[str]:
    """Reports of findings and impression, about 90 words each, no two alike."""
    rng = random.Random(seed)

    def some(words: int) -> str:
        return " ".join(rng.choice(WORDS) for _ in range(words))

    return [f"FINDINGS: {some(60)} {n}.\nIMPRESSION: {some(25)}." for n in range(count)]


def as_csv(reports: list[str]) -> bytes:
    """A table with quotes where they are needed."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("id", "text"), *enumerate(reports)])
    return out.getvalue().encode()


def as_json_lines(reports: list[str]) -> bytes:
    """One object per line."""
    return "".join(json.dumps({"id": n, "text": t}) + "\n" for n, t in enumerate(reports)).encode()


def resource(number: int, text: str) -> dict[str, object]:
    """A DiagnosticReport with the text as issued."""
    return {
        "resourceType": "DiagnosticReport",
        "id": str(number),
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "36643-5"}]},
        "subject": {"reference": f"Patient/{number}"},
        "presentedForm": [
            {"contentType": "text/plain", "data": base64.b64encode(text.encode()).decode()}
        ],
    }


def as_fhir_lines(reports: list[str]) -> bytes:
    """Bulk export."""
    return "".join(json.dumps(resource(n, t)) + "\n" for n, t in enumerate(reports)).encode()


def as_bundle(reports: list[str]) -> bytes:
    """One Bundle, laid out over lines."""
    entries = [{"resource": resource(n, t)} for n, t in enumerate(reports)]
    return json.dumps({"resourceType": "Bundle", "entry": entries}, indent=1).encode()


def as_openai(reports: list[str]) -> bytes:
    """Requests of the Batch API."""
    system = {"role": "system", "content": "You label reports."}
    rows = (
        {"custom_id": str(n), "body": {"messages": [system, {"role": "user", "content": t}]}}
        for n, t in enumerate(reports)
    )
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_hl7(reports: list[str]) -> bytes:
    """Messages with one OBX segment per line of text."""
    out = []
    for number, text in enumerate(reports):
        out += [f"MSH|^~\\&|a|b|c|d|1||ORU^R01|{number}|P|2.5", f"PID|1||{number}"]
        out.append(f"OBR|1||{number}|71046^XR Chest 2V")
        out += [f"OBX|1|TX|71046||{line}||||||F" for line in text.split("\n")]
    return "\r".join(out).encode()


WRITERS: dict[str, Callable[[list[str]], bytes]] = {
    "a.csv": as_csv,
    "a.csv.gz": lambda reports: gzip.compress(as_csv(reports)),
    "a.csv.zst": lambda reports: bytes(zstd_module().compress(as_csv(reports))),
    "a.jsonl": as_json_lines,
    "openai.jsonl": as_openai,
    "fhir.ndjson": as_fhir_lines,
    "bundle.json": as_bundle,
    "a.hl7": as_hl7,
}


def written(folder: Path, reports: list[str]) -> list[Path]:
    """The reports in every format."""
    paths = []
    for name, write in WRITERS.items():
        paths.append(folder / name)
        paths[-1].write_bytes(write(reports))
    paths.append(folder / "a.parquet")
    numbers = [str(n) for n in range(len(reports))]
    pq.write_table(pa.table({"id": numbers, "text": reports}), paths[-1])
    paths.append(folder / "text files")
    for number, text in enumerate(reports):
        file = paths[-1] / str(number % 100) / f"{number:08}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return paths


def seconds(path: Path, expected: set[str]) -> float:
    """CPU seconds to read a path, the better of two."""
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        items = list(read_reports([path], ReadOptions()))
        best = min(best, time.process_time() - started)
        if {item.text for item in items if isinstance(item, Report)} != expected:
            raise SystemExit(f"{path.name}: the reports are not those that were written")
    return best


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=20_000)
    arguments = parser.parse_args()
    reports = texts(arguments.reports)
    expected = set(reports)
    print(f"{len(reports)} reports, {sum(map(len, reports)) // len(reports)} characters each")
    with tempfile.TemporaryDirectory() as folder:
        plain = 0.0
        for path in written(Path(folder), reports):
            taken = seconds(path, expected)
            plain = plain or taken
            print(f"{path.name:14}{len(reports) / taken:10,.0f} rows/s{plain / taken:8.2f} x CSV")


if __name__ == "__main__":
    main()
