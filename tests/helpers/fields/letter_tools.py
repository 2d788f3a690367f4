"""Short made-up letters with fields of every type, for what trains and labels them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

LABELS = """\
name: short-letters
version: "1"
task: fields
language: en
instruction: Read the letter and give these fields. {fields}
fields:
  - {name: Admitted, key: AD, type: date}
  - {name: Creatinine, key: CR, type: number, unit: mg/dl, units: {µmol/l: {factor: 0.0113}}}
  - {name: Smoking, key: SM, type: categorical, values: [never, ex, current]}
  - {name: Angina, key: AN, type: boolean}
  - {name: Reason, key: RE, type: text, most: 60}
  - {name: Drugs, key: DR, type: text, many: true, most: 40}
"""
REASONS = ("chest pain", "shortness of breath", "a broken wrist", "a routine check")
DRUGS = ("bisoprolol", "furosemide", "aspirin", "ramipril")
SMOKES = {"never": "Never smoked.", "ex": "Stopped smoking.", "current": "Smokes daily."}


def letter(draw: random.Random) -> tuple[str, dict[str, Any]]:
    """A letter, and its fields as a gold file says them."""
    day = f"{draw.randint(1, 28):02}/{draw.randint(1, 12):02}/{draw.randint(2015, 2022)}"
    seen = f"{draw.randint(1, 28):02}/{draw.randint(1, 12):02}/2014"
    reason, smokes = draw.choice(REASONS), draw.choice([*SMOKES, None])
    drugs = draw.sample(DRUGS, draw.randint(0, 2))
    value = round(draw.uniform(0.5, 3), 2) if draw.random() < 0.6 else None
    angina = draw.choice([True, False, None])
    parts = [f"Last seen {seen}.", f"Admitted on {day} for {reason}."]
    more = []
    if value is not None:
        more.append(f"Creatinine {value} mg/dl.")
    if angina is not None:
        more.append("Has angina." if angina else "No angina.")
    if smokes is not None:
        more.append(SMOKES[smokes])
    draw.shuffle(more)
    parts += more
    parts += [f"Takes {' and '.join(drugs)}."] if drugs else []
    iso = "-".join(reversed(day.split("/")))
    fields = {
        "Admitted": iso, "Creatinine": value, "Smoking": smokes, "Angina": angina,
        "Reason": reason, "Drugs": drugs,
    }  # fmt: skip
    return " ".join(parts), fields


def write_letters(folder: Path, count: int, seed: int = 3) -> None:
    """``labels.yaml``, ``letters.jsonl`` and ``gold.jsonl``."""
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.yaml").write_text(LABELS, encoding="utf-8")
    texts, gold = [], []
    for number in range(count):
        text, fields = letter(draw)
        name = f"n{number}"
        texts.append(json.dumps({"id": name, "text": text, "patient": name}))
        gold.append(json.dumps({"id": name, "fields": fields}))
    (folder / "letters.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    (folder / "gold.jsonl").write_text("\n".join(gold) + "\n", encoding="utf-8")
