"""Write the Dutch example notes: ``python examples/draw_notes_nl.py`` (the same every time).

A small grammar of letters about inflammatory bowel disease: sections with their own sentences, nine
types of entities, and the traps of such letters, which only their section solves: the disease of a
relative, and the operation that is only planned. No note is about a real person.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
LABELED, UNLABELED, SEED = 90, 60, 16

Marked = tuple[str, list[tuple[str, int, int]]]
"""A text, and type, start and end of what is marked in it."""

_SAID: dict[str, Any] = yaml.safe_load((HERE / "draw_notes_nl.yaml").read_text(encoding="utf-8"))
SLOTS = {slot: (said["type"], said["words"]) for slot, said in _SAID["slots"].items()}
"""What a slot is filled with, and the type that it is marked with."""
SENTENCES: dict[str, list[str]] = _SAID["sentences"]
"""Sentences by heading. A slot that begins with ``_`` is filled but not marked."""
ALWAYS = ("Voorgeschiedenis", "Lichamelijk onderzoek", "Conclusie")
SLOT = re.compile(r"\{(\w+)\}")


def sentence(template: str, rng: random.Random) -> Marked:
    """A template with its slots filled."""
    text, found, at = "", [], 0
    for match in SLOT.finditer(template):
        text += template[at : match.start()]
        at = match.end()
        kind, words = filled(match[1], rng)
        if kind:
            found.append((kind, len(text), len(text) + len(words)))
        text += words
    text += template[at:]
    return text[:1].upper() + text[1:], found


def filled(slot: str, rng: random.Random) -> tuple[str, str]:
    """Type (empty where nothing is marked) and words of a slot."""
    kind, words = SLOTS.get(slot.removeprefix("_"), ("", ()))
    if words:
        return "" if slot.startswith("_") else kind, rng.choice(words)
    year = rng.randint(1995, 2024)
    month = rng.randint(1, 12)
    made = {
        "date": ("Diagnosedatum", rng.choice((str(year), f"{month:02d}-{year}", f"begin {year}"))),
        "kg": ("Gewicht", f"{rng.randint(45, 110)} kg"),
        "cm": ("Lengte", rng.choice((f"{rng.randint(150, 200)} cm", f"1,{rng.randint(50, 99)} m"))),
        "year": ("", str(year)),
        "who": ("", rng.choice(_SAID["who"])),
        "drug": ("", rng.choice(_SAID["drugs"])),
        "n": ("", str(rng.randint(1, 6))),
    }
    return made[slot]


def note(rng: random.Random) -> Marked:
    """A letter: sections in order, some left out, two or three sentences each."""
    text, found = "", []
    for heading, templates in SENTENCES.items():
        if heading not in ALWAYS and rng.random() < 0.3:
            continue
        text += rng.choice((f"{heading}:\n", f"{heading.upper()}\n", f"{heading}: "))
        for template in rng.sample(templates, rng.randint(1, 3)):
            words, marked = sentence(template, rng)
            found += [(kind, len(text) + a, len(text) + b) for kind, a, b in marked]
            text += words + " "
        text = text[:-1] + "\n"
    return text.rstrip(), found


def row(number: int, rng: random.Random, *, labeled: bool) -> dict[str, Any]:
    """One note; every third patient has two."""
    text, found = note(rng)
    made: dict[str, Any] = {"id": f"brief{number:03d}", "patient": f"p{number * 3 // 4:03d}"}
    made["text"] = text
    if labeled:
        made["entities"] = [
            {"type": kind, "spans": [[start, end]], "text": text[start:end]}
            for kind, start, end in sorted(found, key=lambda mark: mark[1])
        ]
    return made


def main(folder: Path = HERE) -> None:
    """Write both files."""
    rng = random.Random(SEED)
    rows = [row(n, rng, labeled=n < LABELED) for n in range(LABELED + UNLABELED)]
    for name, part in (("letters_nl", rows[:LABELED]), ("letters_nl_unlabeled", rows[LABELED:])):
        text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in part)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
