"""Gold and predictions in, a comparison page out: what ``labelwright eval`` does."""

from __future__ import annotations

from pathlib import Path

from eval.kinds import view_of
from eval.kinds.base import More
from eval.page.frame import Page
from eval.read.aligned import Inputs
from eval.read.provenance import independence, read_source
from eval.stats.significance import CompareSettings
from eval.stats.tested import check_settings
from labelwright.errors import ConfigError


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
) -> Page:
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
    comparison = view.load(inputs)
    texts = view.texts(comparison, inputs) if include_text else None
    if include_text and texts is None:
        raise ConfigError("--include-text needs the texts", remedy="give them with --reports FILE")
    analysis = view.analyse(comparison, settings, metric=chosen, reference=reference)
    names = analysis.comparison.names
    return Page(
        analysis=analysis,
        contents=view.contents(analysis, texts),
        sources=[read_source(name, inputs.predictions[name]) for name in names],
        title=title or view.title,
        split=None if data is None else independence(data, comparison.ids, comparison.clusters),
        texts=texts,
        sections=view.sections(analysis, inputs, More() if more is None else more),
    )
