"""What the tests of readers share: read and scan a file, expect a failure, save a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from labelwright.errors import InputError
from labelwright.readers import ReadOptions, read_reports, scan
from labelwright.records import Reject, Report

PLAIN = ReadOptions()

STATUS = Path("/proc/self/status")
PEAK = f"""
def peak():
    lines = open({str(STATUS)!r}).read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
"""
"""Source of a function that tells a process's largest memory so far, in KiB.

``ru_maxrss`` begins with what the process that started it had, which may be the whole of torch.
"""


def read(path: Path, options: ReadOptions = PLAIN) -> list[Report | Reject]:
    items = list(read_reports([path], options))
    assert scan([path], options).rows == len(items)  # holds for every readable file
    return items


def texts(items: Sequence[Report | Reject]) -> list[str]:
    return [item.text if isinstance(item, Report) else item.reason for item in items]


def failure(path: Path, options: ReadOptions = PLAIN) -> InputError:
    """The error of a file, the same from both passes."""
    with pytest.raises(InputError) as reading:
        list(read_reports([path], options))
    with pytest.raises(InputError) as scanning:
        scan([path], options)
    assert reading.value.line() == scanning.value.line()
    assert reading.value.remedy
    return reading.value


def saved(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(folder: Path, name: str, columns: dict[str, Any]) -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = folder / name
    pq.write_table(pa.table(columns), path)
    return path


# --- columns -------------------------------------------------------------------------------
