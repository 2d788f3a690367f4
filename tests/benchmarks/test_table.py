"""The table of ratios: a column per machine, numbers found in what benchmarks print."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "benchmarks" / "machine" / "table.py"


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("ratio_table", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ratio_table"] = module
    spec.loader.exec_module(module)
    return module


def test_rows_name_benchmarks_that_are_there_and_numbers_that_they_print(bench: Any) -> None:
    assert len({row.what for row in bench.ROWS}) == len(bench.ROWS)
    for row in bench.ROWS:
        assert (ROOT / "benchmarks" / row.command.split()[0]).is_file()
    by_name = {row.what: row for row in bench.ROWS}
    printed = "label one report, default   0.42 CPU s, 0.28 x import torch\n"
    assert by_name["`label` of one report / `import torch`, CPU"].value(printed) == "0.28"
    printed = "8 reports: ratio 1.5\n16 reports: ratio 4.1"
    assert by_name["near duplicates: prefix filter / buckets, CPU"].value(printed) == "4.1"
    assert by_name["permutation test: plain Python / ours"].value("ratio:   1,234") == "1234"
    assert by_name["permutation test: plain Python / ours"].value("") is None


def test_a_second_machine_has_a_column_of_its_own(bench: Any) -> None:
    first, second = bench.ROWS[:2]
    made = bench.table({"a": {first.what: "0.3"}, "b": {second.what: "2"}}, bench.ROWS[:2])
    assert made.splitlines() == [
        "| | a | b | `python benchmarks/…` |",
        "|---|---|---|---|",
        f"| {first.what} | 0.3 |  | `{first.command}` |",
        f"| {second.what} |  | 2 | `{second.command}` |",
    ]
    page = f"above\n{bench.BEGIN}\nold\n{bench.END}\nbelow\n"
    again = bench.included(bench.included(page, made), made)
    assert again == f"above\n{bench.BEGIN}\n{made}\n{bench.END}\nbelow\n"
    with pytest.raises(SystemExit, match="lacks"):
        bench.included("no marks", made)
