"""Neighbours in prompts: similar reports before the report that is asked about.

Training and labeling both write them here, so that a model sees at work what it was trained on.
Two methods:

- ``context``: the texts of the neighbours; the last one may be cut behind a sentence.
- ``few-shot``: the texts with their answers, as worked examples; a neighbour is shown whole or
  not at all, since an answer to half a report would be wrong.

The most similar neighbour stands next to the report. All neighbours of a prompt together have at
most ``words`` words and marks; what does not fit is left out, the least similar first, and the
notes say so. Words are counted, not tokens, so that the prompts of a data folder do not depend
on the model that is trained on it. :class:`WithNeighbours` shows them to any labeler.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.labelers.base import TOO_LONG, Ask, LedLabeler, Wrapping, key_of_one
from labelwright.records import Prediction, Reject, Report
from labelwright.tasks import kind_of
from labelwright.text.sentences import sentence_spans
from retrieval.find import Finder

if TYPE_CHECKING:
    from retrieval.index import Index, Neighbour
    from retrieval.index_sources import Images


@runtime_checkable
class Measures(Protocol):
    """A labeler that can say beforehand whether a prompt fits into its context whole."""

    def fits(self, asks: Sequence[Ask]) -> list[bool]:
        """One answer each."""
        ...


class WithNeighbours(Wrapping):
    """Shows neighbours before every report and lets another labeler answer.

    A prompt that is too long is tried with fewer neighbours, at last with none, so that no
    report is lost to its neighbours. They stand beside the report, not in it: what is said is said
    of the report alone.

    It implements :class:`labelwright.labelers.base.ReportLabeler`.
    """

    def __init__(self, inner: LedLabeler, augmenter: Augmenter) -> None:
        super().__init__(inner)
        self._inner = inner
        self._augmenter = augmenter

    def describe(self) -> Mapping[str, Any]:
        """The inner labeler's facts and those of the neighbours."""
        return {**self._labeler.describe(), "neighbours": self._augmenter.describe()}

    def key(self, report: Report) -> bytes:
        """Equal texts have different neighbours where id or patient differ."""
        return key_of_one(report)

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One result per report, in order."""
        able = [index for index, report in enumerate(reports) if report.text.strip()]
        shown = dict(zip(able, self._augmenter.show([reports[i] for i in able]), strict=True))
        empty = Lead(("",), (), ())
        each = [shown.get(index, empty) for index in range(len(reports))]
        level = self._levels(reports, each)
        results: list[Prediction | Reject | None] = [None] * len(reports)
        open_ = list(range(len(reports)))
        while open_:
            leads = [each[index].leads[level[index]] for index in open_]
            asked = self._inner.label_led([reports[index] for index in open_], leads)
            again = []
            for index, result in zip(open_, asked, strict=True):
                more = level[index] + 1 < len(each[index].leads)
                if isinstance(result, Reject) and result.reason.startswith(TOO_LONG) and more:
                    level[index] += 1
                    again.append(index)
                    continue
                results[index] = self._own(each[index], level[index], result)
            open_ = again
        return [result for result in results if result is not None]

    def _levels(self, reports: Sequence[Report], each: Sequence[Lead]) -> list[int]:
        """With how many neighbours left out each prompt fits, where the labeler can tell."""
        level = [0] * len(reports)
        if not isinstance(self._labeler, Measures):
            return level
        open_ = [index for index, shown in enumerate(each) if len(shown.leads) > 1]
        while open_:
            fit = self._labeler.fits([Ask(reports[i].text, each[i].leads[level[i]]) for i in open_])
            for index, fits in zip(open_, fit, strict=True):
                level[index] += not fits
            open_ = [
                index
                for index, fits in zip(open_, fit, strict=True)
                if not fits and level[index] + 1 < len(each[index].leads)
            ]
        return level

    def _own(self, shown: Lead, level: int, result: Prediction | Reject) -> Prediction | Reject:
        if isinstance(result, Reject):
            return result
        notes = (*result.notes, *shown.notes)
        if level:
            notes = (*notes, f"neighbours left out, the prompt is too long: {level}")
        return replace(result, notes=notes)


CONTEXT, FEW_SHOT = METHODS = ("context", "few-shot")
VERSION = "1"
"""Changes whenever prompts with neighbours are written otherwise."""
WORDS = 400
BATCH = 256
"""Reports whose neighbours are looked up together."""

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How neighbours are chosen and shown; a model folder stores it.

    Attributes:
        method: one of :data:`METHODS`.
        k: neighbours per report at most.
        words: words and marks of all neighbours of a prompt together.
        split: the split of the index that neighbours may come from.
        most_similar: reports at least as similar as this are no neighbours; ``None``: all may.
        embedder: name of the embedder that the index was built with.
        dimension: of its vectors.
        version: :data:`VERSION`.
    """

    method: str
    k: int
    words: int = WORDS
    split: str = "train"
    most_similar: float | None = None
    embedder: str = ""
    dimension: int = 0
    version: str = VERSION

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(
                f"unknown way to show neighbours {self.method!r}",
                remedy=f"choose one of: {', '.join(METHODS)}",
            )
        if self.k < 1 or self.words < 1:
            raise ConfigError(
                "neighbours need a number and room of at least 1", remedy="give --k and --words"
            )
        if self.most_similar is not None and not 0 < self.most_similar <= 1:
            raise ConfigError(
                f"similarity {self.most_similar:g} is not between 0 and 1",
                remedy="give --most-similar 0.98, or remove it",
            )

    def to_json(self) -> dict[str, Any]:
        """For manifests and model folders."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Recipe:
        """The inverse of :meth:`to_json`.

        Raises:
            TypeError, ConfigError: the row is no recipe.
        """
        return cls(**row)


@dataclass(frozen=True, slots=True)
class Lead:
    """What stands before a report.

    Attributes:
        leads: what to write before the report, the most neighbours first; the last is empty.
        notes: what was left out, e.g. ``neighbours: 2 of 3``.
        neighbours: ids of those in ``leads[0]``, the most similar last.
    """

    leads: tuple[str, ...]
    notes: tuple[str, ...]
    neighbours: tuple[str, ...]


class Augmenter:
    """Finds and writes the neighbours of reports.

    Args:
        recipe: its embedder and dimension may be empty; they are the index's then.
        images: where the image of a report is, to look for similar images.

    Raises:
        ConfigError: index and recipe, or index and label set, do not fit each other.
    """

    def __init__(
        self,
        index: Index,
        recipe: Recipe,
        label_set: LabelSet,
        *,
        images: Images | None = None,
        device: str = "auto",
    ) -> None:
        self.index = index
        self.label_set = label_set
        self.recipe = _settled(index, recipe, label_set)
        self._finder = Finder(index, images=images, device=device)

    def describe(self) -> dict[str, Any]:
        """All that the prompts depend on besides the report."""
        return {
            **self.recipe.to_json(),
            "index_sha256": self.index.fingerprint,
            "index_embedder": dict(self.index.embedder_facts),
        }

    def show(self, reports: Sequence[Report]) -> list[Lead]:
        """What stands before each report, in order."""
        shown: list[Lead] = []
        for start in range(0, len(reports), BATCH):
            part = reports[start : start + BATCH]
            shown += [self._shown(found) for found in self._finder.find(part, self.recipe)]
        return shown

    def _shown(self, found: Sequence[Neighbour] | str) -> Lead:
        if isinstance(found, str):
            return Lead(("",), (f"no neighbours: {found}",), ())
        blocks, notes = self._blocks(found)
        leads = [_lead([block for _, block in blocks[:n]]) for n in range(len(blocks), 0, -1)]
        ids = tuple(reversed([identifier for identifier, _ in blocks]))
        return Lead((*leads, ""), tuple(notes), ids)

    def _blocks(self, found: Sequence[Neighbour]) -> tuple[list[tuple[str, str]], list[str]]:
        """Id and text of each neighbour that fits, the most similar first; notes."""
        room = self.recipe.words
        blocks: list[tuple[str, str]] = []
        notes: list[str] = []
        for neighbour in found:
            text = neighbour.text.strip()
            answer = self._answer(neighbour)
            need = _count(text) + _count(answer)
            if need > room and self.recipe.method == CONTEXT:
                text = _fitting(text, room)
                if text:
                    notes.append("neighbour cut")
            elif need > room:
                text = ""
            if not text:
                break
            blocks.append((neighbour.id, text + answer))
            room -= min(need, room)
        if len(blocks) < self.recipe.k:
            notes.append(f"neighbours: {len(blocks)} of {self.recipe.k}")
        return blocks, notes

    def _answer(self, neighbour: Neighbour) -> str:
        if self.recipe.method == CONTEXT:
            return ""
        return f"\nAnswer: {answer_of(self.label_set, neighbour)}"


def answer_of(label_set: LabelSet, neighbour: Neighbour) -> str:
    """The answer that the label set's task writes for what is known of a neighbour.

    Raises:
        ConfigError: the neighbour has none that fit.
    """
    try:
        if neighbour.labels is None:
            raise ValueError("no labels")
        kind = kind_of(label_set)
        return kind.render(label_set, kind.from_object(label_set, neighbour.labels))
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"the index has no labels of label set {label_set.name} for {neighbour.id}",
            remedy="build the index from a data folder, or choose the method context",
        ) from None


def _lead(blocks: Sequence[str]) -> str:
    """The neighbours, the most similar last, and the line that announces the report."""
    count = len(blocks)
    numbered = enumerate(reversed(blocks), start=1)
    shown = [f"Similar report {number}:\n{block}" for number, block in numbered]
    return "\n\n".join([*shown, "Report to label:\n"]) if count else ""


def _count(text: str) -> int:
    return sum(1 for _ in _WORD.finditer(text))


def _fitting(text: str, room: int) -> str:
    """The first sentences of a text that have at most ``room`` words and marks."""
    last = 0
    for start, end in sentence_spans(text):
        room -= _count(text[start:end])
        if room < 0:
            break
        last = end
    return text[:last]


def _settled(index: Index, recipe: Recipe, label_set: LabelSet) -> Recipe:
    """The recipe with the index's embedder."""
    name = str(index.embedder_facts.get("name", ""))
    asked = (recipe.embedder or name, recipe.dimension or index.dimension)
    if asked != (name, index.dimension):
        raise ConfigError(
            f"the index was built with embedder {name} (dimension {index.dimension}), the model "
            f"was trained with neighbours by {asked[0]} (dimension {asked[1]})",
            remedy="build the index with the embedder of the training",
        )
    if recipe.version != VERSION:
        raise ConfigError(
            f"the model was trained with neighbours of version {recipe.version}, this labelwright "
            f"writes version {VERSION}",
            remedy="install the matching labelwright version or train again",
        )
    if recipe.split not in index.splits:
        raise ConfigError(
            f"the index holds no split {recipe.split}",
            remedy=f"it holds: {', '.join(index.splits)}",
        )
    if recipe.method == FEW_SHOT and index.label_set != label_set:
        kept = "no labels" if index.label_set is None else f"labels of {index.label_set.name}"
        raise ConfigError(
            f"worked examples need labels of {label_set.name}, and the index holds {kept}",
            remedy="build the index from a data folder of this label set, or use context",
        )
    return Recipe(**(recipe.to_json() | {"embedder": name, "dimension": index.dimension}))
