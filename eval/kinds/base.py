"""What a comparison needs of a kind of task: how to read, score and show its answers.

A kind is a :class:`KindView` and whatever stands behind it. Readers, tests and the page's frame
know no kind; they ask for a view (:func:`eval.comparing.view_of`). The view is made by the kind's
``page`` module; the package itself imports nothing heavy and has its :class:`Offer`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from eval.page.contents import Contents, Section
    from eval.page.frame import AgreementPage
    from eval.read.aligned import Aligned, Inputs
    from eval.stats.significance import CompareSettings, Counted
    from labelwright.label_set import LabelSet


@dataclass(frozen=True)
class More:
    """What further sections of the page are made from, where the kind has them.

    Attributes:
        calibration_gold, calibration_pred: gold and predictions of other reports, to fit
            temperatures and thresholds on; ``temperature``: one per model or observation.
        accuracy: wished for labels that no person sees; ``confidence``: what tells sure labels,
            their probability or the agreement of two readers.
        metadata: file with the columns ``subgroups`` (``COLUMN[:band=N]``); groups with fewer
            than ``subgroup_min`` patients are not scored.
        runs: several runs of a labeler by its name; ``first_only``: the page compares the first
            run of each.
        include_text: whether the page may hold words of reports.
    """

    calibration_gold: str | None = None
    calibration_pred: Mapping[str, str] = field(default_factory=dict)
    temperature: Literal["model", "observation"] = "model"
    accuracy: float = 0.99
    confidence: Literal["probability", "agreement"] = "probability"
    metadata: str | None = None
    subgroups: tuple[str, ...] = ()
    subgroup_min: int = 30
    runs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    first_only: bool = False
    include_text: bool = False


@dataclass(frozen=True)
class RunScores:
    """Point scores of one labeler, by name: over all parts, and of each part."""

    whole: Mapping[str, float]
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Offer:
    """What a kind's comparisons are told, and are about; known before anything heavy is loaded.

    Attributes:
        noun: what its label sets are called in messages: "label sets of …".
        metrics: what a verdict can be about; the first is the default.
        metrics_help: the same in words, for the command's help.
        flags: flags of the command that only some kinds have, as its parser names them.
        ablation: whether runs with and without similar reports can be compared.
    """

    noun: str
    metrics: tuple[str, ...] = ()
    metrics_help: str = ""
    flags: frozenset[str] = frozenset()
    ablation: bool = False


class KindView(ABC):
    """One kind of task as a comparison sees it.

    Attributes:
        title: of the page.
        scores_texts: whether texts are scored with, not only shown.
        without_gold: whether labelers can be compared with each other alone.
    """

    offer: ClassVar[Offer]
    title: ClassVar[str]
    scores_texts: ClassVar[bool] = False
    without_gold: ClassVar[bool] = False

    def metrics(self, label_set: LabelSet) -> Sequence[str]:
        """What a verdict can be about; the first is the default."""
        del label_set
        return self.offer.metrics

    @abstractmethod
    def load(self, inputs: Inputs) -> Aligned:
        """Read and align gold and predictions.

        Raises:
            InputError: a file cannot be read, or belongs to other reports or another label set.
        """

    @abstractmethod
    def counted(self, comparison: Any, settings: CompareSettings, metric: str) -> Counted:
        """Count the answers of every labeler of what :meth:`load` gave.

        Raises:
            ConfigError: the metric cannot be computed from these files.
        """

    @abstractmethod
    def contents(self, analysis: Any, texts: Mapping[str, str] | None) -> Contents:
        """What the kind fills into the page.

        Args:
            analysis: what :func:`eval.stats.significance.analysed` gave.
            texts: report text by id, where the page shows some.
        """

    def texts(self, comparison: Any, inputs: Inputs) -> Mapping[str, str] | None:
        """Report text by id for the page, as scored; ``None`` where it is not known."""
        if not self.scores_texts:
            return inputs.text_by_id()
        texts = comparison.texts
        return None if texts is None else dict(zip(comparison.ids, texts, strict=True))

    def sections(self, analysis: Any, inputs: Inputs, more: More) -> list[Section]:
        """Further sections of the page."""
        del analysis, inputs, more
        return []

    def agreement(
        self, inputs: Inputs, settings: CompareSettings, more: More, title: str | None
    ) -> AgreementPage:
        """The page of labelers without gold, for kinds that can do ``without_gold``.

        Raises:
            InputError: as :meth:`load`.
        """
        raise NotImplementedError(f"{self.offer.noun} are compared with gold")

    def run_scores(self, inputs: Inputs) -> RunScores:
        """The point scores of the only labeler of the inputs, for tables of many runs.

        Raises:
            InputError: as :meth:`load`.
        """
        raise NotImplementedError(f"runs of {self.offer.noun} have no table of scores")
