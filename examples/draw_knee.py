"""Write the example reports of knee MR: ``python examples/draw_knee.py`` (the same every time).

A small grammar: for each of four structures a sentence that states, denies or doubts a finding, or
none; sentences about other things between them. No report is about a real person.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

HERE = Path(__file__).parent
REPORTS, PATIENTS, SEED = 200, 150, 31

WAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "Meniscal Tear": {
        "1.0": (
            "{Horizontal} tear of the {side} meniscus{reach}.",
            "The {side} meniscus is torn{reach}.",
            "{Horizontal} cleft in the {side} meniscus that reaches the surface, a tear.",
            "Bucket handle tear of the {side} meniscus with a displaced fragment.",
            "Root avulsion of the {side} meniscus.",
        ),
        "0.0": (
            "Both menisci are intact.",
            "No meniscal tear.",
            "Menisci of normal shape and signal.",
            "The medial and the lateral meniscus show no tear.",
        ),
        "-1.0": (
            "Signal in the {side} meniscus, a tear cannot be excluded.",
            "Possible small tear of the {side} meniscus.",
            "Questionable {horizontal} tear of the {side} meniscus.",
        ),
    },
    "Cruciate Tear": {
        "1.0": (
            "{Complete} rupture of the {front} cruciate ligament.",
            "The {front} cruciate ligament is torn.",
            "{ACL} torn near its femoral insertion.",
            "Fibres of the {front} cruciate ligament are discontinuous, a {complete} tear.",
        ),
        "0.0": (
            "Cruciate ligaments intact.",
            "Both cruciate ligaments are continuous.",
            "No rupture of a cruciate ligament.",
            "{ACL} of normal course and signal.",
        ),
        "-1.0": (
            "The {front} cruciate ligament is thickened, possibly a partial tear.",
            "Partial tear of the {ACL} is suspected.",
        ),
    },
    "Joint Effusion": {
        "1.0": (
            "{Small} joint effusion.",
            "{Small} amount of fluid in the joint.",
            "{Small} effusion in the suprapatellar recess.",
            "Haemarthrosis.",
        ),
        "0.0": (
            "No joint effusion.",
            "No effusion.",
            "No more than physiological fluid in the joint.",
        ),
        "-1.0": (
            "Perhaps a trace of effusion.",
            "Fluid at the upper limit, equivocal for effusion.",
        ),
    },
    "Cartilage Loss": {
        "1.0": (
            "{Deep} cartilage defect of the {place}.",
            "Cartilage over the {place} is thinned down to the bone.",
            "Chondromalacia of the {place}.",
            "{Deep} chondral loss at the {place}.",
        ),
        "0.0": (
            "Cartilage is preserved.",
            "No chondral defect.",
            "Articular cartilage of normal thickness.",
        ),
        "-1.0": (
            "Possible cartilage fissure at the {place}.",
            "Early chondral loss at the {place} cannot be excluded.",
        ),
    },
}
"""How each observation is stated (1.0), denied (0.0) or doubted (-1.0)."""
WORDS = {
    "side": ("medial", "lateral"),
    "reach": (
        "",
        "",
        " at the posterior horn",
        " in its body",
        " from the posterior horn to the body",
    ),
    "horizontal": ("horizontal", "radial", "oblique", "complex"),
    "complete": ("complete", "partial", "old", "fresh"),
    "front": ("anterior", "posterior"),
    "ACL": ("ACL", "PCL"),
    "small": ("small", "large", "moderate"),
    "deep": ("deep", "full thickness", "focal", "shallow"),
    "place": ("patella", "trochlea", "medial femoral condyle", "lateral tibial plateau"),
}
WELL = (
    "Collateral ligaments are intact.",
    "The patellar tendon is normal.",
    "No fracture.",
    "Extensor mechanism intact.",
    "Motion artefacts.",
)
"""Sentences about other things, which stand in normal reports too."""
OTHER = (
    *WELL,
    "Small Baker cyst.",
    "Bone marrow oedema of the lateral femoral condyle.",
    "Prepatellar soft tissue swelling.",
)
ASKED = (
    "Clinical question: meniscal tear?",
    "Pain after a fall, effusion?",
    "Twisted knee while skiing. ACL?",
    "",
    "",
)
OFTEN = {"Meniscal Tear": 0.4, "Cruciate Tear": 0.25, "Joint Effusion": 0.45, "Cartilage Loss": 0.3}


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
        chance = OFTEN[name]
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
    asked = rng.choice(ASKED)
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
