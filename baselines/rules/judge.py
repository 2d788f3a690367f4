"""Which of the spans that rules and a tagger find are a field's value: a classifier per field.

Expressions find words, not what they are of: "3 años" is an age in "niño de 3 años" and a duration
in "desde hace 3 años". A logistic regression per field over hashed features of a span and of the
words around it decides, learned when the labeler is loaded from the training documents of a data
folder. Spans are what the rules match, every date or number of the text that the field could have,
and what a tagger marks, whatever it calls it.

From which probability on a span counts (:data:`LEASTS`) is chosen per field on the same documents,
each judged by a classifier that has not seen it (:data:`FOLDS` parts of patients): the best F1
among those that are expected to give a value to at most :data:`INVENTED` of the documents that
state none (one more than was seen counts: conformal risk control, Angelopoulos et al. 2022,
arXiv:2208.02814), or of those that invent least.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import ConfigError
from labelwright.io.data_folder import REPORTS, joined, open_data_folder
from labelwright.io.jsonl import read_jsonl
from labelwright.io.manifest import sha256_file
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Report, Span
from labelwright.tasks import kind_of
from labelwright.tasks.fields.dates import fold
from labelwright.tasks.fields.normalise import read_category, read_value
from labelwright.tasks.fields.schema import Field, FieldSet, FieldType, fields_of
from labelwright.tasks.fields.values import FieldValue, Item

_WORD = re.compile(r"\w+|[^\w\s]")
FOLDS = 5
INVENTED = 0.01
LEASTS = (*(n / 20 for n in range(1, 20)), 0.97, 0.99)
FEWEST = 8
"""Right and wrong spans that a field must have in the training documents; else its rules decide."""
BITS = 18
NEAR = 4
"""Words before and behind a span whose places count; further ones of :data:`AROUND` only occur."""
AROUND = 80
"""Characters before and behind a span whose words count."""
Probs = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A span that may be a field's value, and who found it (``rules``, ``text``, a tagger)."""

    item: Item
    found_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A field's classifier, the least probability that counts, and how often silence is meant.

    ``silent`` is the share of training documents that say nothing among those where no span is
    right: a value that the expressions do not know is no silence.
    """

    model: Any
    least: float
    silent: float


class Judge:
    """Classifiers by field.

    Args:
        facts: for the manifest.
    """

    def __init__(self, judged: Mapping[str, _Judged], facts: Mapping[str, Any]) -> None:
        self._judged = judged
        self.facts = facts

    def knows(self, field: Field) -> bool:
        """Whether there were enough spans of the field to learn from."""
        return field.name in self._judged

    def decide(
        self, field: Field, text: str, proposals: Sequence[Proposal]
    ) -> tuple[list[tuple[Item, float]], float]:
        """The items that count, with their probabilities, and how sure it is that there is none."""
        judged = self._judged[field.name]
        probs = _probs(judged.model, field, text, proposals)
        kept = chosen(field, proposals, probs, judged.least)
        return kept, judged.silent * (1.0 - float(max(probs, default=0.0)))


def chosen(
    field: Field, proposals: Sequence[Proposal], probs: Probs | Sequence[float], least: float
) -> list[tuple[Item, float]]:
    """The surest item from a probability on, or with ``many`` all that do not overlap."""
    order = sorted(range(len(proposals)), key=lambda n: -probs[n])
    kept: list[tuple[Item, float]] = []
    taken: list[Span] = []
    for n in order[: None if field.many else 1]:
        item = proposals[n].item
        start, end = item.spans[0][0], item.spans[-1][1]
        at = bisect_left(taken, (start, end))
        apart = (not at or taken[at - 1][1] <= start) and (at == len(taken) or end <= taken[at][0])
        if probs[n] >= least and apart:
            taken.insert(at, (start, end))
            kept.append((item, float(probs[n])))
    return sorted(kept, key=lambda one: one[0].spans)


def proposed(
    own: FieldSet,
    field: Field,
    text: str,
    rules: Iterable[Item],
    places: Iterable[Span],
    tagged: Sequence[Entity],
) -> list[Proposal]:
    """The spans of a text that may be a field's value, in order; equal ones once.

    Args:
        rules: what the rules find, each with its place.
        places: of the dates or numbers that the field could have.
        tagged: what a tagger marks; it also speaks for the spans within it that are found by then.
    """
    found: dict[Any, tuple[Item, list[str]]] = {}
    starts: list[tuple[int, int, int, list[str]]] = []

    def add(item: Item, source: str) -> None:
        key = (item.spans, item.value)
        if key not in found:
            found[key] = (item, [])
            insort(starts, (item.spans[0][0], len(found), item.spans[-1][1], found[key][1]))
        found[key][1].append(source)

    for item in rules:
        add(item, "rules")
    for place in places:
        add(read_item(own, field, text, place), "text")
    for entity in tagged:
        (start, *_), (*_, end) = entity.spans[0], entity.spans[-1]
        if field.type is FieldType.TEXT or (
            field.type is FieldType.CATEGORICAL and read_category(field, text[start:end])
        ):
            add(read_item(own, field, text, (start, end)), entity.type)
        for at in range(bisect_left(starts, (start,)), len(starts)):
            first, _, last, sources = starts[at]
            if first > end:
                break
            if last <= end:
                sources.append(entity.type)
    kept = sorted(found.values(), key=lambda one: one[0].spans)
    return [Proposal(item, tuple(sources)) for item, sources in kept]


def read_item(own: FieldSet, field: Field, text: str, place: Span) -> Item:
    """What stands at a place, read as the field's value."""
    words = text[slice(*place)]
    reading = read_value(own, field, words)
    return Item(words, reading.value, reading.unit, (place,), reading.comparator)


def learned(
    label_set: LabelSet,
    folder: Path,
    propose: Callable[[Sequence[Report]], Sequence[Mapping[str, list[Proposal]]]],
) -> Judge:
    """Classifiers of the training documents of a data folder.

    Args:
        propose: the spans of documents, by field.

    Raises:
        InputError: the folder has no training documents with values.
        ConfigError: it is of another label set, or no field has enough spans.
    """
    file = "train.fields.jsonl"
    data = open_data_folder(folder, [REPORTS.format("train"), file])
    if data.label_set.names != label_set.names:
        raise ConfigError(
            f"the data folder is for label set {data.label_set.name}, not {label_set.name}",
            remedy="give the label set that it was built with",
            source=folder,
        )
    known = dict(kind_of(label_set).values(data.path / file, label_set))
    rows = list(joined(data, "train", known, file=file, what="row"))
    patients = {
        str(row["id"]): row.get("patient")
        for _, row in read_jsonl(data.path / REPORTS.format("train"))
    }
    reports = [Report(name, text, name, row, patients[name]) for row, name, text, _ in rows]
    gold = [value for _, _, _, value in rows]
    spans = propose(reports)
    judged = {}
    for field in fields_of(label_set).asked:
        scored = [n for n, value in enumerate(gold) if field.name in value]
        documents = [
            _Document(reports[n].text, spans[n][field.name], gold[n][field.name]) for n in scored
        ]
        folds = [_fold(reports[n].patient or reports[n].id) for n in scored]
        made = _judged(field, documents, folds)
        if made is not None:
            judged[field.name] = made
    if not judged:
        raise ConfigError(
            "no field has enough spans in the training documents to learn from",
            remedy=f"give documents with {FEWEST} right and {FEWEST} wrong spans, or leave it out",
            source=folder,
        )
    facts = {
        "documents": len(reports),
        "values_sha256": sha256_file(data.path / file),
        "reports_sha256": sha256_file(data.path / REPORTS.format("train")),
        "least": {name: one.least for name, one in judged.items()},
    }
    return Judge(judged, facts)


def _fold(patient: str) -> int:
    return hashlib.sha256(patient.encode("utf-8", "surrogatepass")).digest()[0] % FOLDS


@dataclass(frozen=True, slots=True)
class _Document:
    text: str
    proposals: Sequence[Proposal]
    gold: FieldValue

    def right(self, field: Field) -> list[bool]:
        """Which proposals say what the gold says."""
        return [
            any(_same(field, one.item, item) for item in self.gold.items) for one in self.proposals
        ]


def _same(field: Field, said: Item, known: Item) -> bool:
    if said.value is None or known.value is None or said.comparator != known.comparator:
        return said.value is known.value and fold(said.raw) == fold(known.raw)
    if isinstance(said.value, float) and isinstance(known.value, float):
        return field.near(known.value, said.value)
    if field.type is FieldType.TEXT:
        return fold(str(said.value)) == fold(str(known.value))
    return said.value == known.value


def _judged(field: Field, documents: Sequence[_Document], folds: Sequence[int]) -> _Judged | None:
    rights = [document.right(field) for document in documents]
    flat = [right for each in rights for right in each]
    if min(sum(flat), len(flat) - sum(flat)) < FEWEST:
        return None
    rows = (
        row for document in documents for row in _features(field, document.text, document.proposals)
    )
    matrix, target = _matrix(rows), np.array(flat)
    fold_of = np.array(
        [part for document, part in zip(documents, folds, strict=True) for _ in document.proposals]
    )
    probs = np.zeros(len(target))
    for part in range(FOLDS):
        unseen = fold_of == part
        if unseen.any():
            known = target[~unseen]
            if known.all() or not known.any():
                return None
            probs[unseen] = _fit(matrix[~unseen], known).predict_proba(matrix[unseen])[:, 1]
    ends = np.cumsum([len(document.proposals) for document in documents])[:-1]
    apart = np.split(probs, ends)
    unfound = [one for one, right in zip(documents, rights, strict=True) if not any(right)]
    silent = (1 + sum(not one.gold.items for one in unfound)) / (1 + len(unfound))
    return _Judged(_fit(matrix, target), _least(field, documents, apart), silent)


def _least(field: Field, documents: Sequence[_Document], probs: Sequence[Probs]) -> float:
    """The threshold with the best F1 of those that invent little enough, or that invent least."""
    silent = sum(not document.gold.items for document in documents)
    scores = []
    for least in LEASTS:
        right = said = known = invented = 0
        for document, each in zip(documents, probs, strict=True):
            kept = chosen(field, document.proposals, each, least)
            left = list(document.gold.items)
            for item, _ in kept:
                same = next((one for one in left if _same(field, item, one)), None)
                if same is not None:
                    left.remove(same)
                    right += 1
            said, known = said + len(kept), known + len(document.gold.items)
            invented += bool(kept) and not document.gold.items
        over = max(0.0, invented + 1 - INVENTED * (silent + 1))
        scores.append((over, -2 * right / max(said + known, 1), least))
    return min(scores)[2]


def _fit(matrix: Any, target: NDArray[Any]) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=3.0, max_iter=1000, solver="liblinear").fit(matrix, target)


def _matrix(rows: Iterable[Sequence[str]]) -> Any:
    from sklearn.feature_extraction import FeatureHasher

    hasher = FeatureHasher(2**BITS, input_type="string", alternate_sign=False, dtype=np.float64)
    return hasher.transform(rows)


def _probs(model: Any, field: Field, text: str, proposals: Sequence[Proposal]) -> Probs:
    if not proposals:
        return np.zeros(0)
    matrix = _matrix(_features(field, text, proposals))
    return np.asarray(model.predict_proba(matrix)[:, 1], dtype=np.float64)


def _features(field: Field, text: str, proposals: Sequence[Proposal]) -> Iterator[list[str]]:
    """What is looked at of each span: its words, those around it, its place, and who found it."""
    times = Counter(one.item.value for one in proposals)
    for n, one in enumerate(proposals):
        start, end = one.item.spans[0][0], one.item.spans[-1][1]
        before = _words(text[max(start - AROUND, 0) : start])
        behind = _words(text[end : end + AROUND])
        inside = _words(text[start : min(end, start + field.most)])
        found = [f"by {source}" for source in set(one.found_by)]
        found += [f"in {word}" for word in inside]
        found += [f"first {' '.join(inside[:2])}", f"last {' '.join(inside[-1:])}"]
        found.append(f"long {len(inside)}")
        for name, words in (("-", before[::-1]), ("+", behind)):
            found += [f"{name} {word}" for word in words]
            found += [f"{name}{at} {word}" for at, word in enumerate(words[:NEAR])]
            found += [f"{name}2 {' '.join(words[:2])}", f"{name}3 {' '.join(words[:3])}"]
        found += [f"place {10 * start // (len(text) + 1)}", f"beginning {start < 40} {start < 150}"]
        value = one.item.value
        found += [f"number {min(n, 3)}", f"of {min(len(proposals), 4)}"]
        found.append(f"same {min(times[value], 3)}")
        if isinstance(value, float):
            found.append(f"size {min(int(abs(value)), 200) // 10} {value.is_integer()}")
        elif field.type is not FieldType.TEXT:
            found.append(f"value {str(value)[:4] if field.type is FieldType.DATE else value}")
        yield found


def _words(text: str) -> list[str]:
    return [fold(match[0]) for match in _WORD.finditer(text)]
