"""What a training has learned: its answers to validation reports beside a fixed answer.

The measure asks every task kind the same: of the findings that a report has, and of those that are
answered for it, which are the same (name, certainty, place, words)? The rival is the best *fixed
answer*: the findings that, given for every report alike, reach the highest F1 on the training
reports. It has read nothing, so a model that does not beat it has learned nothing of the texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from labelwright.records import Prediction
from labelwright.tasks import kind_of

if TYPE_CHECKING:
    from labelwright.label_set import LabelSet

REPORTS = 100
"""Validation reports that are read, at most."""
KNOWN = 2000
"""Training reports that the fixed answer is made of, at most."""
DRAWS, SEED = 2000, 20
Key = tuple[Any, ...]
Pair = tuple[Any, Any]
"""What is known of a report, and what the model says of it (``None``: no readable answer)."""


@dataclass(frozen=True)
class Learned:
    """Micro F1 of all findings on validation reports.

    Attributes:
        fixed: that of the best answer that is the same for every report.
        better: whether the model beats it on these reports: 97.5 % of bootstrap draws of them say
            so.
    """

    reports: int
    f1: float
    fixed: float
    better: bool

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "validation_reports": self.reports,
            "f1_of_findings": round(self.f1, 6),
            "f1_of_one_fixed_answer": round(self.fixed, 6),
            "better_than_fixed": self.better,
        }

    def sentence(self, advice: str) -> str:
        """What to expect of the model.

        Args:
            advice: what to do where it has learned nothing.
        """
        many = f"{self.reports} validation report{'s' * (self.reports != 1)}"
        scores = f"F1 {self.f1:.3f} on {many}, one fixed answer for all gets {self.fixed:.3f}"
        if self.better:
            return scores
        if self.f1 > self.fixed:
            return f"{scores}: too few to tell whether it has learned more than that; {advice}"
        return f"{scores}: it has learned nothing yet; {advice}"


def measure(label_set: LabelSet, known: Iterable[Any], pairs: Iterable[Pair]) -> Learned | None:
    """Score answers beside the best fixed one; ``None`` where there is no report.

    Args:
        known: the values of training reports.
        pairs: of validation reports.
    """
    import numpy as np

    fixed = set(fixed_answer(label_set, islice(known, KNOWN)))
    rows = []
    for gold, said in islice(pairs, REPORTS):
        wanted = set(_keys(label_set, gold))
        given = set() if said is None else set(_keys(label_set, said))
        rows.append((len(wanted), len(given), len(wanted & given), len(fixed), len(wanted & fixed)))
    if not rows:
        return None
    counts = np.array(rows)
    picks = np.random.default_rng(SEED).integers(len(rows), size=(DRAWS, len(rows)))
    draws = counts[picks].sum(axis=1)
    ours, theirs = (_f1(draws[:, 0], draws[:, n], draws[:, n + 1]) for n in (1, 3))
    total = counts.sum(axis=0)
    return Learned(
        reports=len(rows),
        f1=float(_f1(total[0], total[1], total[2])),
        fixed=float(_f1(total[0], total[3], total[4])),
        better=bool(np.quantile(ours - theirs, 0.025) > 0),
    )


def fixed_answer(label_set: LabelSet, known: Iterable[Any]) -> tuple[Key, ...]:
    """The findings that, said of every report, reach the best micro F1 on ``known``.

    Where answers are picks, an observation has one of them. Those said most often come first, as
    many as raise the score: with k findings of counts c on n reports with t findings in all it is
    2 Σc / (k n + t).
    """
    counts: Counter[Key] = Counter()
    reports = 0
    for value in known:
        reports += 1
        counts.update(set(_keys(label_set, value)))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    if kind_of(label_set).choices(label_set) is not None:
        first: dict[str, tuple[Key, int]] = {}
        for key, count in ranked:
            first.setdefault(key[0], (key, count))
        ranked = list(first.values())
    total, right, best, taken = counts.total(), 0, 0.0, 0
    for place, (_, count) in enumerate(ranked, 1):
        right += count
        score = 2 * right / (place * reports + total)
        if score > best:
            best, taken = score, place
    return tuple(key for key, _ in ranked[:taken])


def _keys(label_set: LabelSet, value: Any) -> Iterator[Key]:
    kind = kind_of(label_set)
    said = Prediction(id="", model="", task=label_set.task, value=value)
    for finding in kind.findings(label_set, said):
        places: Sequence[Sequence[int]] = finding.spans
        yield finding.name, finding.certainty, tuple(map(tuple, places)), finding.mention
    for mention in () if value is None else kind.marks(value):
        if not mention.spans:  # written, but not in the text: no finding, and an error here
            yield mention.type, mention.certainty, (), mention.text


def _f1(wanted: Any, given: Any, right: Any) -> Any:
    import numpy as np

    total = wanted + given
    return np.where(total > 0, 2 * right / np.maximum(total, 1), 0.0)
