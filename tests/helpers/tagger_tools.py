"""Notes with entities for tests of taggers, and a data folder as ``labelwright build`` writes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from labelwright.io.jsonl import write_json, write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Entity

LABEL_SET = """\
name: lesion-2
version: "1.0"
task: entities
nesting: true
instruction: "Write every mention. Types: {labels}."
labels:
  - name: Lesion
    description: what is there
  - name: Site
    description: where it is
"""
SITES = ("left breast", "liver", "right lung", "colon", "kidney")
LESIONS = ("carcinoma of the {}", "{} metastasis", "cyst of the {}", "{} abscess")
LEADS = ("There is a", "Known", "No sign of", "Patient with")


def label_set() -> LabelSet:
    """Two types that may overlap."""
    return LabelSet.from_text(LABEL_SET)


def note(seed: int, *, nested: bool) -> tuple[str, list[Entity]]:
    """Three lesions, each with a site inside it; where nothing may overlap, the sites alone."""
    rng = random.Random(seed)
    text, marked = "", []
    for _ in range(3):
        site = rng.choice(SITES)
        lesion = rng.choice(LESIONS).format(site)
        text += f"{rng.choice(LEADS)} "
        marked.append((len(text), lesion, site))
        text += f"{lesion}. "
    found = []
    for start, lesion, site in marked:
        inner = start + lesion.index(site)
        if nested:
            found.append(Entity.of(text, "Lesion", (start, start + len(lesion))))
        found.append(Entity.of(text, "Site", (inner, inner + len(site))))
    return text, found


def write_notes(
    folder: Path, train: Sequence[tuple[str, list[Entity]]], *, validation: int | None = None
) -> Path:
    """A data folder; the validation split repeats the first ``validation`` training notes."""
    held = list(train)[: len(train) if validation is None else validation]
    folder.mkdir(parents=True, exist_ok=True)
    for split, notes in (("train", train), ("validation", held)):
        rows = [
            {"id": f"{split}-{n}", "text": text, "source": "made", "row": n + 1, "meta": {}}
            for n, (text, _) in enumerate(notes)
        ]
        entities = [
            {"id": f"{split}-{n}", "entities": [entity.to_json() for entity in found]}
            for n, (_, found) in enumerate(notes)
        ]
        write_jsonl(folder / f"{split}.reports.jsonl", rows)
        write_jsonl(folder / f"{split}.entities.jsonl", entities)
    text = LABEL_SET
    (folder / "label_set.yaml").write_text(text, encoding="utf-8")
    facts = {
        "label_set": label_set().name,
        "label_set_sha256": label_set().fingerprint,
        "sections": "full",
        "counts": {"records": len(train) + len(held)},
    }
    write_json(folder / "manifest.json", facts)
    return folder


CANARY = "Zyxwellian"
FAST = [
    *("--scratch=tiny", "--learning_rate=5e-3", "--per_device_train_batch_size=10"),
    *("--gradient_accumulation_steps=1", "--num_train_epochs=8", "--logging_steps=3"),
    *("--report_to=none", "--disable_tqdm=true", "--head_dropout=0"),
]
FLAT = [note(seed, nested=False) for seed in range(30)]
NESTED = [note(seed, nested=True) for seed in range(30)]


def command(data: Path, out: Path, *flags: str) -> list[str]:
    return ["train-tagger", "--data", str(data), "--output_dir", str(out), *FAST, *flags]
