"""Made-up radiology notes in Indonesian with their mentions as strings, for tests of grids."""

from __future__ import annotations

import csv
import random
from pathlib import Path

PROCEDURES = ("MSCT abdomen", "MSCT abdomen dengan kontras", "USG abdomen")
ORGANS = ("hepar", "lien", "ginjal kanan", "ginjal kiri", "pankreas")
FINDINGS = ("lesi hipodens", "kista", "kalsifikasi", "massa padat")
DISEASES = ("hemangioma", "nefrolitiasis", "hepatoma")
TABLE = """\
name: test
version: "1.0"
lower_case: true
drop: [punctuation]
typos: {hepra: hepar}
"""


def note(seed: int) -> tuple[str, list[tuple[str, str]]]:
    """A note of three sentences; types with their strings, in order."""
    rng = random.Random(seed)
    procedure, organ, finding = (rng.choice(x) for x in (PROCEDURES, ORGANS, FINDINGS))
    size, disease = f"{rng.randint(1, 9)} cm", rng.choice(DISEASES)
    text = f"Laporan {seed}. {procedure}. Tampak {finding} pada {organ}, ukuran {size}."
    marked = [("Procedure", procedure), ("Finding", finding), ("Anatomy", organ)]
    marked.append(("Measurement", size))
    if rng.random() < 0.5:
        text += f" Kesan: {disease}."
        marked.append(("Disease", disease))
    return text, marked


def write_notes(folder: Path, *, labeled: int, unlabeled: int, canary: str) -> None:
    """``notes.csv``, ``gold.csv``, ``more.csv`` and ``table.yaml``; one note has the canary."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [note(seed) for seed in range(labeled + unlabeled)]
    made[0] = (f"{made[0][0]} {canary}.", made[0][1])
    texts = [[f"n{n}", text] for n, (text, _) in enumerate(made)]
    gold = [[f"n{n}", *pair] for n, (_, marked) in enumerate(made[:labeled]) for pair in marked]
    for name, head, rows in (
        ("notes.csv", ["id", "text"], texts[:labeled]),
        ("more.csv", ["id", "text"], texts[labeled:]),
        ("gold.csv", ["id", "type", "text"], gold),
    ):
        with (folder / name).open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows([head, *rows])
    (folder / "table.yaml").write_text(TABLE, encoding="utf-8")
