"""Write the example reports of knee MR: ``python examples/draw_knee.py`` (the same every time).

A small grammar: for each of four structures a sentence that states, denies or doubts a finding, or
none; sentences about other things between them (all in ``draw_knee.yaml``). No report is about a
real person.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
REPORTS, PATIENTS, SEED = 200, 150, 31

_SAID: dict[str, Any] = yaml.safe_load((HERE / "draw_knee.yaml").read_text(encoding="utf-8"))
WAYS: dict[str, dict[str, list[str]]] = _SAID["ways"]
"""How each observation is stated (1.0), denied (0.0) or doubted (-1.0)."""
WORDS: dict[str, list[str]] = _SAID["words"]
WELL: list[str] = _SAID["well"]
"""Sentences about other things, which stand in normal reports too."""
OTHER: list[str] = [*WELL, *_SAID["other"]]


def filled(rng: random.Random, sentence: str) -> str:
    """The sentence with a word in each slot; a capital slot gets a capital letter."""
    for slot, words in WORDS.items():
        for name in (slot, slot.capitalize()):
            while f"{{{name}}}" in sentence:
                word = rng.choice(words)
                word = word if name == slot else word[:1].upper() + word[1:]
                sentence = sentence.replace(f"{{{name}}}", word, 1)
    return sentence


def report(rng: random.Random) -> tuple[str, dict[str, str]]:
    """One report and its labels."""
    labels: dict[str, str] = {}
    said = []
    well = rng.random() < 0.2
    for name, ways in WAYS.items():
        kinds = ("0.0", "0.0", "") if well else ("1.0", "0.0", "-1.0", "")
        chance = _SAID["often"][name]
        weights = (2, 2, 1) if well else (chance, 0.8 - chance, 0.1, 0.1)
        labels[name] = rng.choices(kinds, weights)[0]
        if labels[name]:
            said.append(filled(rng, rng.choice(ways[labels[name]])))
    normal = well or not {"1.0", "-1.0"} & set(labels.values())
    said += rng.sample(WELL if normal else OTHER, rng.randint(0, 3))
    rng.shuffle(said)
    labels["Normal Knee"] = ""
    if normal and rng.random() < 0.8:
        said.append(rng.choice(("Normal MR of the knee.", "Unremarkable knee.", "Normal study.")))
        labels["Normal Knee"] = "1.0"
    if not said:
        return report(rng)
    asked = rng.choice(_SAID["asked"])
    return "\n".join([*([asked] if asked else []), " ".join(said)]), labels


def main() -> None:
    """Write both tables."""
    rng = random.Random(SEED)
    found = [report(rng) for _ in range(REPORTS)]
    with (HERE / "knee.csv").open("w", encoding="utf-8", newline="") as handle:
        table = csv.writer(handle, delimiter=";", lineterminator="\n")
        table.writerow(["accession", "patient", "report"])
        for number, (text, _) in enumerate(found):
            table.writerow([f"MR{number:03}", f"P{rng.randrange(PATIENTS):03}", text])
    with (HERE / "knee_labels.csv").open("w", encoding="utf-8", newline="") as handle:
        rows = csv.writer(handle, delimiter=";", lineterminator="\n")
        rows.writerow(["accession", *found[0][1]])
        for number, (_, labels) in enumerate(found):
            rows.writerow([f"MR{number:03}", *labels.values()])


if __name__ == "__main__":
    main()
