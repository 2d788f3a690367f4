"""Gold and predictions in, a comparison page out: what ``labelwright eval`` does."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

from eval.kinds import PACKAGE
from eval.kinds.base import KindView, More
from eval.page.frame import AgreementPage, Page
from eval.read.aligned import Inputs
from eval.read.provenance import independence, read_source
from eval.stats.significance import CompareSettings, analysed, check_settings
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.tasks import extension, kind_of


def view_of(label_set: LabelSet) -> KindView:
    """The view of the label set's kind: its own, or one made of its counts and statistics."""
    own = extension(kind_of(label_set), PACKAGE)
    found: KindView = import_module(f"{own.__name__}.page" if own else f"{PACKAGE}.plain").VIEW
    return found


def compare(
    inputs: Inputs,
    settings: CompareSettings,
    *,
    metric: str | None = None,
    reference: str | None = None,
    more: More | None = None,
    data: str | Path | None = None,
    include_text: bool = False,
    title: str | None = None,
) -> Page | AgreementPage:
    """Read, score and test labelers of any kind.

    Args:
        metric: what the verdict is about; the kind's usual one by default.
        reference: this labeler is compared with each other one; by default the first.
        more: what further sections are made from.
        data: folder that a model was trained on, to check that the gold is not in it.
        include_text: whether the page shows the texts of wrongly labeled reports.

    Raises:
        ConfigError: the choices do not fit each other, the label set or the files.
        InputError: a file cannot be read.
    """
    view = view_of(inputs.label_set)
    metrics = view.metrics(inputs.label_set)
    chosen = metric or metrics[0]
    check_settings(settings, chosen, metrics)
    wished = replace(More() if more is None else more, include_text=include_text)
    if not inputs.gold:
        return _without_gold(inputs, settings, wished, title, data=data)
    comparison = view.load(inputs)
    texts = view.texts(comparison, inputs) if include_text else None
    if include_text and texts is None:
        raise ConfigError("--include-text needs the texts", remedy="give them with --reports FILE")
    analysis = analysed(view, comparison, settings, metric=chosen, reference=reference)
    names = analysis.comparison.names
    return Page(
        analysis=analysis,
        contents=view.contents(analysis, texts),
        sources=[read_source(name, inputs.predictions[name]) for name in names],
        title=title or view.title,
        split=None if data is None else independence(data, comparison.ids, comparison.clusters),
        texts=texts,
        sections=view.sections(analysis, inputs, wished),
    )


def _without_gold(
    inputs: Inputs,
    settings: CompareSettings,
    more: More,
    title: str | None,
    *,
    data: str | Path | None,
) -> AgreementPage:
    """Compare labelers with each other alone.

    Raises:
        ConfigError: the kind cannot, or something is asked that needs gold.
    """
    view = view_of(inputs.label_set)
    if not view.without_gold:
        raise ConfigError(
            f"label sets of {view.offer.noun} are compared with gold",
            remedy="give reference labels with --gold FILE",
        )
    if data is not None:
        raise ConfigError(
            "--data asks whether the gold was trained on, and there is none",
            remedy="remove it, or give --gold FILE",
        )
    return view.agreement(inputs, settings, more, title)
