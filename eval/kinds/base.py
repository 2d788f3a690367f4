"""What a comparison needs of a kind of task: how to read, score and show its answers.

A kind is a :class:`KindView` and whatever stands behind it. Readers, tests and the page's frame
know no kind; they ask for a view (:func:`eval.kinds.view_of`). A view's module imports nothing
heavy, so that the command line can ask it for its metrics.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from eval.page.agreement_page import AgreementPage
    from eval.page.contents import Contents
    from eval.page.section import Section
    from eval.read.aligned import Aligned, Inputs
    from eval.stats.significance import CompareSettings
    from eval.stats.tested import Counted, Tested
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


class KindView(ABC):
    """One kind of task as a comparison sees it.

    Attributes:
        noun: what its label sets are called in messages: "label sets of …".
        title: of the page.
        metrics_help: what a verdict can be about, for the command's help.
        flags: flags of the command that only some kinds have, as its parser names them.
        scores_texts: whether texts are scored with, not only shown.
        without_gold: whether labelers can be compared with each other alone.
        ablation: whether runs with and without similar reports can be compared.
    """

    noun: ClassVar[str]
    title: ClassVar[str]
    metrics_help: ClassVar[str] = ""
    flags: ClassVar[frozenset[str]] = frozenset()
    scores_texts: ClassVar[bool] = False
    without_gold: ClassVar[bool] = False
    ablation: ClassVar[bool] = False

    @abstractmethod
    def metrics(self, label_set: LabelSet) -> Sequence[str]:
        """What a verdict can be about; the first is the default."""

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

    def analyse(
        self,
        comparison: Any,
        settings: CompareSettings,
        *,
        metric: str,
        reference: str | None = None,
        all_pairs: bool = True,
    ) -> Tested:
        """Score every labeler and test all pairs, the reference (the first by default) in front.

        Args:
            comparison: what :meth:`load` gave.
            settings: their statistics are replaced by those of the kind.
            all_pairs: test all pairs, or only the reference against each other labeler.

        Raises:
            ConfigError: reference or metric is unknown or cannot be computed from these files,
                the margin is not between 0 and 1, or there are too few resamples.
        """
        from eval.stats.tested import analysed

        return analysed(
            comparison,
            settings,
            self.counted,
            metric=metric,
            metrics=self.metrics(comparison.label_set),
            reference=reference,
            all_pairs=all_pairs,
        )

    @abstractmethod
    def contents(self, analysis: Any, texts: Mapping[str, str] | None) -> Contents:
        """What the kind fills into the page.

        Args:
            analysis: what :meth:`analyse` gave.
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
        raise NotImplementedError(f"{self.noun} are compared with gold")

    def run_scores(self, inputs: Inputs) -> RunScores:
        """The point scores of the only labeler of the inputs, for tables of many runs.

        Raises:
            InputError: as :meth:`load`.
        """
        raise NotImplementedError(f"runs of {self.noun} have no table of scores")
