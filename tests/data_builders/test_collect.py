"""What the first pass of a build keeps of a report in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from data_builders.collect import RejectLog, collect, open_spool
from data_builders.prepare import prepare
from data_builders.sources.labels import TableLabels
from labelwright.label_set import LabelSet
from labelwright.records import Report

ROWS = 3000


def test_a_report_and_its_labels_take_less_than_500_bytes(tmp_path: Path) -> None:
    """Reports of patients with three each, labels of a table; ids made anew, as readers do."""
    chexpert = LabelSet.load("chexpert-14")
    table = tmp_path / "labels.csv"
    rows = [
        f"s{n:07}," + ",".join(["", "1.0", "0.0"][n % 3] for _ in range(13)) for n in range(ROWS)
    ]
    table.write_text(
        "\n".join([",".join(["id", *chexpert.names]), *(f"{r}," for r in rows)]) + "\n"
    )

    def reports(most: int) -> Iterator[Report]:
        for n in range(most):
            text = f"No effusion {n}."
            yield Report(f"s{n:07}", text, "f.csv", n + 1, patient=f"p{n // 3:07}")

    taken = []
    with open_spool(tmp_path) as spool, (tmp_path / "rejects").open("w") as handle:
        for most in (3, ROWS):  # what is read once is read by the first
            tracemalloc.start()
            try:
                source = TableLabels(table, chexpert)
                prepared = prepare(reports(most), chexpert, source)
                found = collect(prepared, chexpert, spool, RejectLog(handle), where=tmp_path)
                taken.append(tracemalloc.get_traced_memory()[0])
            finally:
                tracemalloc.stop()
    assert len(found.rows) == ROWS
    assert len({id(row.item.patient) for row in found.rows}) == -(-ROWS // 3)
    assert taken[1] / ROWS < 500
