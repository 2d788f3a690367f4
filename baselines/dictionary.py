"""A labeler that has learned nothing but a list: the mentions of the training notes, looked up.

Every string that the training notes of a data folder mark is looked for in a text, word by word and
in any case; the longest wins. A string counts only where it was marked often enough: its share of
marked occurrences among all occurrences in the training notes is also its probability. It is what a
trained tagger must beat. Strings are kept as digests, since a model folder can hold a dictionary.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.tagger.notes import GOLD, Note, read_split
from baselines.tagger.tags import key_of, strict_f1
from baselines.tagger.words import find_words
from labelwright.errors import ConfigError
from labelwright.io.data_folder import REPORTS, DataFolder, open_data_folder
from labelwright.io.manifest import versions
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.labelers.normalising import normalising
from labelwright.labelers.nothing import EMPTY
from labelwright.records import Answer, Certainty, Entity, Prediction, Reject, Report

LEAST = 0.5
"""Share of its occurrences in which a string must have been marked, where nothing tells better."""
CANDIDATES = tuple(n / 20 for n in range(1, 20))
"""Shares that are tried on validation notes."""
LONGEST = 40
"""Words of a string; longer mentions are not learned."""
Words = tuple[str, ...]
Class = tuple[str, Certainty | None]
DAMAGED = "the dictionary is damaged or of another label set"


@dataclass(frozen=True)
class Entry:
    """What a string stands for, and in which share of its occurrences it was marked so."""

    kind: Class
    share: float


class Dictionary:
    """Strings with what they stand for, as digests of their words.

    Args:
        entries: by the digest of a string.
        sizes: numbers of words of the strings that begin with a word, the longest first, by the
            digest of that word.
    """

    def __init__(self, entries: Mapping[str, Entry], sizes: Mapping[str, tuple[int, ...]]) -> None:
        self.entries, self._sizes = entries, sizes

    @classmethod
    def of(cls, notes: Sequence[Note]) -> Dictionary:
        """The strings of some notes, which are read twice."""
        marked: dict[Words, Counter[Class]] = defaultdict(Counter)
        for note in notes:
            for entity in note.entities:
                words = _words(note.text[entity.start : entity.end])
                if len(entity.spans) == 1 and 0 < len(words) <= LONGEST:
                    marked[words][entity.type, entity.certainty] += 1
        sizes = _sizes(marked)
        seen: Counter[Words] = Counter()
        for note in notes:
            words = _words(note.text)
            for start in range(len(words)):
                for size in sizes.get(words[start], ()):
                    if (string := words[start : start + size]) in marked:
                        seen[string] += 1
        entries = {}
        for string, kinds in marked.items():
            kind, count = min(kinds.items(), key=lambda item: (-item[1], str(item[0])))
            entries[digest(string)] = Entry(kind, count / max(seen[string], count))
        return cls(entries, {digest((word,)): found for word, found in sizes.items()})

    def to_json(self) -> dict[str, Any]:
        """For a model folder: digests, types, shares."""
        entries = {key: [*entry.kind, entry.share] for key, entry in sorted(self.entries.items())}
        return {"entries": entries, "sizes": dict(sorted(self._sizes.items()))}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], label_set: LabelSet) -> Dictionary:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError, KeyError, TypeError: it is damaged or of another label set.
        """
        entries = {}
        for key, (name, certainty, share) in value["entries"].items():
            if name not in label_set.by_name or not 0 < share <= 1:
                raise ValueError(DAMAGED)
            kind = (str(name), None if certainty is None else Certainty(certainty))
            entries[str(key)] = Entry(kind, float(share))
        sizes = {str(key): tuple(map(int, found)) for key, found in value["sizes"].items()}
        if any(not 0 < size <= LONGEST for found in sizes.values() for size in found):
            raise ValueError(DAMAGED)
        return cls(entries, sizes)

    def best_share(self, notes: Sequence[Note]) -> float:
        """The share that gives the best strict micro F1 on some notes; of equal ones the lowest."""
        gold = [{key_of(entity) for entity in note.entities} for note in notes]
        scores = [
            strict_f1((self.find(note.text, least=least) for note in notes), gold)
            for least in CANDIDATES
        ]
        return CANDIDATES[scores.index(max(scores))]

    def find(self, text: str, *, least: float) -> Iterator[Entity]:
        """The mentions of a text in order; none overlaps another.

        Args:
            least: the share of marked occurrences from which on a string counts.
        """
        spans = find_words(text)
        words = _cut(text, spans)
        at = 0
        while at < len(words):
            size, entry = self._longest(words, at, least)
            if entry is not None:
                start, end = int(spans[at, 0]), int(spans[at + size - 1, 1])
                name, certainty = entry.kind
                yield Entity(name, ((start, end),), text[start:end], certainty, entry.share)
            at += size

    def _longest(self, words: Words, at: int, least: float) -> tuple[int, Entry | None]:
        for size in self._sizes.get(digest(words[at : at + 1]), ()):
            entry = self.entries.get(digest(words[at : at + size]))
            if entry is not None and entry.share >= least and at + size <= len(words):
                return size, entry
        return 1, None


class DictionaryLabeler:
    """A dictionary as a :class:`labelwright.labelers.base.ReportLabeler`.

    Args:
        data: the folder whose training notes are the dictionary.
        least: share of its occurrences in which a string must have been marked; ``None`` for the
            best one on the folder's validation notes.
    """

    name = "dictionary"

    def __init__(self, data: DataFolder, *, least: float | None = None) -> None:
        self._data = data
        self.sections = data.sections or "full"
        """What of a report it was made from."""
        notes = list(read_split(data, "train"))
        self.dictionary = Dictionary.of(notes)
        if not self.dictionary.entries:
            raise ConfigError(
                "the training notes have no entity to look up",
                remedy="give the folder of other notes with --dictionary",
                source=data.path,
            )

        validation = GOLD.format("validation")
        if least is None and data.file(validation) is not None:
            least = self.dictionary.best_share(list(read_split(data, "validation")))
        self._least = LEAST if least is None else least

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        label_set: LabelSet | str | Path | None = None,
        threshold: float | None = None,
    ) -> DictionaryLabeler:
        """Read the training notes of a folder of ``labelwright build``.

        Raises:
            InputError: the folder has no training notes with entities.
            ConfigError: another label set was asked for, or nothing is to look up.
        """
        data = open_data_folder(folder, [REPORTS.format("train"), GOLD.format("train")])
        if isinstance(label_set, str | Path):
            label_set = LabelSet.load(label_set)
        if label_set is not None and label_set.fingerprint != data.label_set.fingerprint:
            raise ConfigError(
                f"the data folder is for label set {data.label_set.name}, not {label_set.name}",
                remedy="leave out --label-set",
                source=folder,
            )
        return cls(data, least=threshold)

    @property
    def label_set(self) -> LabelSet:
        """The types that it finds."""
        return self._data.label_set

    def describe(self) -> Mapping[str, Any]:
        """All that the answers depend on."""
        entries = self.dictionary.to_json()["entries"]
        return {
            "kind": "dictionary",
            "name": self.name,
            "label_set": self.label_set.name,
            "label_set_sha256": self.label_set.fingerprint,
            "strings": len(entries),
            "strings_sha256": hashlib.sha256(json.dumps(entries).encode()).hexdigest(),
            "least_share": self._least,
            "versions": versions("labelwright"),
            "runtime": {},
        }

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One result per report, in order; a report without text is rejected."""
        results: list[Prediction | Reject] = []
        for report in reports:
            if not report.text.strip():
                results.append(Reject(report.id, report.source, report.row, EMPTY))
                continue
            began = time.perf_counter()
            found = tuple(self.dictionary.find(report.text, least=self._least))
            told = Answer(value=found, seconds=time.perf_counter() - began)
            results.append(Prediction.of(report, told, model=self.name, task=self.label_set.task))
        return results


def dictionary(folder: Path | None, **choices: Any) -> tuple[ReportLabeler, str]:
    """The labeler of a folder, which normalises where its notes were, and the sections it reads.

    Args:
        choices: see :meth:`DictionaryLabeler.from_folder`.

    Raises:
        ConfigError: no folder is given, or its notes mark nothing.
        InputError: the folder has no training notes with entities.
    """
    if folder is None:
        raise ConfigError(
            "--model dictionary needs --dictionary",
            remedy="give the folder of labelwright build whose training notes are looked up",
        )
    found = DictionaryLabeler.from_folder(folder, **choices)
    return normalising(found, folder), found.sections


def digest(words: Words) -> str:
    """What stands for a string of words, in 16 digits."""
    return hashlib.blake2b(
        "\0".join(words).encode(errors="surrogatepass"), digest_size=8
    ).hexdigest()


def _words(text: str) -> Words:
    return _cut(text, find_words(text))


def _cut(text: str, spans: NDArray[np.int64]) -> Words:
    return tuple(text[start:end].casefold() for start, end in spans.tolist())


def _sizes(strings: Iterable[Words]) -> dict[str, tuple[int, ...]]:
    """For each first word the lengths of the strings that begin with it, the longest first."""
    found: dict[str, set[int]] = defaultdict(set)
    for string in strings:
        found[string[0]].add(len(string))
    return {word: tuple(sorted(sizes, reverse=True)) for word, sizes in found.items()}
