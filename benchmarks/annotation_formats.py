"""Notes per second that are read and written in every annotation format, and the memory it takes.

    python benchmarks/annotation_formats.py [--notes 10000]

The same notes with 20 mentions each are written in every format and read back; all mentions
must come out. Every format runs in a process of its own: CPU seconds, and its largest memory
above that of a process that has only started. At the end one note of a megabyte with 20,000
mentions.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from labelwright.annotations.formats import WRITERS, write
from labelwright.readers import ReadOptions, read_reports
from labelwright.records import Entity, Report

WORDS = [
    *("the", "of", "no", "in", "with", "left"),
    *("right", "small", "large", "lung", "liver", "mass"),
    *("nodule", "pain", "cough", "was", "is"),
]
MENTIONS = 20
LARGE = 20_000
TYPES = ("Finding", "Anatomy", "Disease")


def note(number: int, mentions: int) -> Report:
    """A note of sentences of eleven words, a mention in each."""
    draw = random.Random(number)
    parts: list[str] = []
    entities = []
    at = 0
    for _ in range(mentions):
        words = draw.choices(WORDS, k=11)
        first = draw.randrange(8)
        start = at + sum(len(w) + 1 for w in words[:first])
        end = start + len(" ".join(words[first : first + 3]))
        entities.append((draw.choice(TYPES), start, end))
        parts.append(" ".join(words) + ".\n")
        at += len(parts[-1])
    text = "".join(parts)
    found = tuple(Entity.of(text, kind, (start, end)) for kind, start, end in entities)
    return Report(f"{number % 100:02}/{number:06}", text, "", number + 1, entities=found)


def notes(count: int, mentions: int) -> Iterator[Report]:
    """``count`` notes, one after another."""
    return (note(number, mentions) for number in range(count))


def peak() -> int:
    """The largest memory of this process so far, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024


def one_format(name: str, folder: str, count: int, mentions: int) -> tuple[float, float, int]:
    """CPU seconds of writing and reading, without making the notes, and MiB of memory."""
    path = Path(folder) / WRITERS[name].name
    begun, before = time.process_time(), peak()
    for _ in notes(count, mentions):
        pass
    making = time.process_time() - begun
    begun = time.process_time()
    written = write(path, name, ((r, r.entities) for r in notes(count, mentions)))
    writing = time.process_time() - begun - making
    begun = time.process_time()
    found = 0
    for item in read_reports([path], ReadOptions()):
        if not isinstance(item, Report) or item.entities is None:
            raise SystemExit(f"{name}: a note was not read")
        found += len(item.entities)
    reading = time.process_time() - begun
    if not found == written.entities == count * mentions:
        raise SystemExit(f"{name}: mentions were lost")
    return writing, reading, peak() - before


def measured(name: str, count: int, mentions: int) -> tuple[float, float, int]:
    """:func:`one_format` in a fresh process."""
    folder = tempfile.mkdtemp(prefix="annotations-")
    try:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(one_format, (name, folder, count, mentions))
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Print the two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--notes", type=int, default=10_000)
    count = parser.parse_args().notes
    size = len(note(0, MENTIONS).text)
    print(f"{count:,} notes of about {size:,} characters, {MENTIONS} mentions each")
    print(f"{'':14}{'written':>16}{'read':>16}{'x entities':>12}{'memory':>10}")
    base = None
    for name in ("entities", *(name for name in WRITERS if name != "entities")):
        writing, reading, memory = measured(name, count, MENTIONS)
        base = reading if base is None else base
        print(
            f"{name:14}{count / writing:>10,.0f} /s{count / reading:>13,.0f} /s"
            f"{base / reading:>12.2f}{memory:>6} MiB"
        )
    print(f"one note of {len(note(0, LARGE).text):,} characters, {LARGE:,} mentions")
    for name in WRITERS:
        writing, reading, memory = measured(name, 1, LARGE)
        print(f"{name:14}{writing:>14.2f} s{reading:>14.2f} s{'':12}{memory:>6} MiB")


if __name__ == "__main__":
    main()
