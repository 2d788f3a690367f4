"""One door to every labeler: rules, models, encoders, taggers, servers, votes of similar reports.

The ``label`` command and the Python API come through here alike. What may be asked of which
labeler stands with each setting (:mod:`labelwright.labelers.settings`): which labelers take it is
looked at before one is loaded, what it needs of the labeler afterwards. Everything else is refused,
so that no setting is ever ignored in silence. A run may be spread over processes and machines.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.labelers.settings import (
    ASKED,
    DEFAULT_K,
    DICTIONARY,
    ENCODER,
    GENERATIVE,
    KNN,
    MODEL,
    NO_NEIGHBOURS,
    RULES,
    RULES_LABEL_SET,
    SERVED,
    SERVER,
    TAGGER,
    WEIGHTS,
    LabelerSettings,
)
from labelwright.options import Options, flag, positive
from labelwright.tasks import extension, kind_of

if TYPE_CHECKING:
    from labelwright.labelers.base import ReportLabeler
    from retrieval.augment import Recipe
    from retrieval.index_sources import Images


@dataclass(frozen=True)
class LoadedLabeler:
    """A labeler ready for work.

    Attributes:
        labeler: with everything around it that was asked for.
        sections: what of a report it reads.
        window: how many reports to give it at once.
        cheap: whether another process may load it too: rules, or a model of a few megabytes.
    """

    labeler: ReportLabeler
    sections: str
    window: int
    cheap: bool = False


def load_labeler(settings: LabelerSettings) -> LoadedLabeler:
    """Load the labeler that the settings name.

    Raises:
        ConfigError: settings that do not fit the labeler or each other.
        CheckpointError: a model folder is incomplete, unreadable or made for other labels.
        InputError: an index or a calibration cannot be read.
        LabelSetError: the label set or the rules have mistakes.
        ServerError: the server cannot be used.
    """
    if settings.server is not None and settings.model is None:
        raise ConfigError("--server needs --model", remedy="name one of the server's models")
    first, second = settings.readers()
    loaded = _calibrated(first)
    if second is not None:
        loaded = _both(first, loaded, second)
    labeler = loaded.labeler
    if settings.labeler != RULES:  # rules of attributes find the observations themselves
        from labelwright.labelers.dependent import dependent

        labeler = dependent(labeler, lambda own: _rules(LabelerSettings(label_set=own)).labeler)
    if not settings.unchecked:
        from labelwright.labelers.gate import gated

        labeler = gated(labeler)
    return replace(loaded, labeler=labeler)


def _calibrated(settings: LabelerSettings) -> LoadedLabeler:
    """One labeler, with all around it that was asked for and its temperatures if it has any."""
    from labelwright.labelers.calibrated import calibrated

    settings.refuse_idle()
    settings.refuse_strangers()
    bare = _LOADERS[settings.labeler](settings)
    settings.refuse_unable(bare.labeler)
    chosen = None if settings.calibration is None else str(settings.calibration)
    labeler = calibrated(_around(bare.labeler, settings), settings.folder, chosen)
    cheap = bare.cheap and settings.judge is None
    return replace(bare, labeler=labeler, cheap=cheap, sections=settings.sections or bare.sections)


def _around(labeler: Any, settings: LabelerSettings) -> ReportLabeler:
    """The labeler as it was loaded, with what stands around it."""
    from labelwright.labelers.grouped import Grouped
    from labelwright.labelers.narrowed import Narrowed
    from labelwright.labelers.normalising import normalising

    if settings.by_group or getattr(labeler, "by_group", False):
        parts = kind_of(labeler.label_set).asked_apart(labeler.label_set)
        labeler = Grouped(labeler, [labeler.of(part) for part in parts])
    elif settings.labeler in ASKED:
        labeler = _with_neighbours(labeler, settings)
    if settings.labeler in (MODEL, TAGGER):
        labeler = normalising(labeler, settings.place())
    tagger = None if settings.tagger is None else _named_tagger(settings)
    if settings.judge is not None:
        labeler.learn(settings.judge, tagger)
    elif tagger is not None:
        labeler = Narrowed(labeler, tagger)
    return cast("ReportLabeler", labeler)


def _named_tagger(settings: LabelerSettings) -> ReportLabeler:
    """The tagger of ``--tagger``."""
    named = LabelerSettings(model=str(settings.tagger), device=settings.device)
    if named.labeler != TAGGER:
        raise ConfigError(
            f"{settings.tagger} is no tagger", remedy="name a folder of labelwright train-tagger"
        )
    return _tagger(named).labeler


def _both(
    settings: LabelerSettings, first: LoadedLabeler, second: LabelerSettings
) -> LoadedLabeler:
    """Two readers as one labeler; the second reads what the first one does."""
    from labelwright.labelers.second import Decision, TwoReaders

    one = first.labeler
    own = None if second.labeler == KNN else one.label_set
    other = _calibrated(replace(second, label_set=own))
    chosen = None if settings.decide is None else str(settings.decide)
    decision = Decision.chosen(one.label_set, chosen, settings.folder, other.labeler.name)
    both = TwoReaders(one, other.labeler, decision)
    return replace(
        first,
        labeler=both,
        window=min(first.window, other.window),
        cheap=first.cheap and other.cheap,
    )


def _rules(settings: LabelerSettings) -> LoadedLabeler:
    from baselines.rules.labeler import RulesLabeler

    label_set = settings.label_set or RULES_LABEL_SET
    if not isinstance(label_set, LabelSet):
        label_set = LabelSet.load(label_set)
    own = extension(kind_of(label_set), "baselines.rules")
    if own is not None:
        return _whole(own.LABELER.for_label_set(label_set, settings.rules), cheap=True)
    return _whole(
        RulesLabeler.for_label_set(label_set, settings.rules, settings.convention), cheap=True
    )


def _knn(settings: LabelerSettings) -> LoadedLabeler:
    from baselines.knn import NearestNeighbours
    from retrieval.index import Index

    if settings.index is None:
        raise ConfigError("--model knn needs --index", remedy="make one: labelwright index build")
    chosen = {"split": settings.neighbour_split, "most_similar": settings.most_similar}
    voters = NearestNeighbours(
        Index.open(settings.index),
        k=settings.k or DEFAULT_K,
        images=_images(settings),
        device=settings.device or "auto",
        **{k: v for k, v in chosen.items() if v is not None},  # type: ignore[arg-type]
    )
    return _whole(voters)


def _dictionary(settings: LabelerSettings) -> LoadedLabeler:
    from baselines.dictionary import dictionary as make

    found, sections = make(settings.dictionary, **settings.told(("label_set", "threshold")))
    return _whole(found, sections)


def _server(settings: LabelerSettings) -> LoadedLabeler:
    from inference.server.labeler import ServerLabeler

    named = {own: getattr(settings, name) for name, own in SERVED.items()}
    named |= {name: getattr(settings, name) for name in ("label_set", "decode", "sections")}
    given: Mapping[str, Any] = {k: v for k, v in named.items() if v is not None}
    served = ServerLabeler.connect(str(settings.server), str(settings.model), **given)
    if served.address.warning:
        logging.getLogger(__name__).warning("%s", served.address.warning)
    return LoadedLabeler(served, served.sections, served.window)


def _model(settings: LabelerSettings) -> LoadedLabeler:
    from inference.labeler import Labeler

    names = (*WEIGHTS, *GENERATIVE, "decode", "label_set", "sections")
    model = Labeler.from_checkpoint(settings.place(), **settings.told(names))
    return LoadedLabeler(model, model.sections, model.window, cheap=model.light)


def _encoder(settings: LabelerSettings) -> LoadedLabeler:
    from baselines.encoder.labeler import EncoderLabeler

    given = settings.told((*WEIGHTS, "label_set"))
    model = EncoderLabeler.from_checkpoint(settings.place(), **given)
    return _whole(model, model.sections)


def _tagger(settings: LabelerSettings) -> LoadedLabeler:
    from baselines.tagger.labeler import TaggerLabeler

    given = settings.told((*WEIGHTS, "label_set", "threshold"))
    model = TaggerLabeler.from_checkpoint(settings.place(), **given)
    return _whole(model, model.sections)


_LOADERS = {
    RULES: _rules,
    KNN: _knn,
    DICTIONARY: _dictionary,
    SERVER: _server,
    MODEL: _model,
    ENCODER: _encoder,
    TAGGER: _tagger,
}


def _whole(labeler: ReportLabeler, sections: str = "full", *, cheap: bool = False) -> LoadedLabeler:
    """A labeler that is fast enough to be given a whole shard at once."""
    from inference.runs.batch import SHARD_ROWS

    return LoadedLabeler(labeler, sections, SHARD_ROWS, cheap)


def _with_neighbours(labeler: Any, settings: LabelerSettings) -> ReportLabeler:
    """The labeler, shown neighbours if the settings or its training ask for them."""
    trained: Mapping[str, Any] | None = labeler.neighbours
    if settings.neighbours == NO_NEIGHBOURS or (trained is None and settings.neighbours is None):
        return cast("ReportLabeler", labeler)
    if settings.index is None:
        if trained is not None:
            raise ConfigError(
                f"the model was trained with neighbours in its prompts ({trained['method']}, "
                f"k = {trained['k']})",
                remedy="give --index DIR, or --neighbours none to label without",
            )
        raise ConfigError("--neighbours needs --index", remedy="give the folder of an index")
    unit = getattr(labeler, "unit", "report")
    if unit != "report":
        raise ConfigError(
            f"the model reads {unit} by {unit}, and neighbours are similar to whole reports",
            remedy="add --unit report, or leave the neighbours out",
        )
    from retrieval.augment import Augmenter, WithNeighbours
    from retrieval.index import Index

    augmenter = Augmenter(
        Index.open(settings.index),
        _recipe(settings, trained),
        labeler.label_set,
        images=_images(settings),
        device=settings.device or "auto",
    )
    return WithNeighbours(labeler, augmenter)


def _images(settings: LabelerSettings) -> Images | None:
    from retrieval.index_sources import Images

    if settings.image_column is None:
        return None
    return Images(settings.image_column, settings.image_root or Path())


def _recipe(settings: LabelerSettings, trained: Mapping[str, Any] | None) -> Recipe:
    from retrieval.augment import Recipe

    usual: Mapping[str, Any] = trained or {"method": settings.neighbours, "k": DEFAULT_K}
    asked = {
        "method": settings.neighbours,
        "k": settings.k,
        "words": settings.neighbour_words,
        "split": settings.neighbour_split,
        "most_similar": settings.most_similar,
    }
    return Recipe.from_json({**usual, **{k: v for k, v in asked.items() if v is not None}})


def _workers(text: str) -> int | None:
    """A number of processes; ``auto`` is none."""
    return None if text == "auto" else positive(text)


def _share(text: str) -> float:
    """A whole number of GPUs, or a part of one, as Ray gives them away."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (0 <= value <= 1 or (value > 1 and value == int(value))) or value == float("inf"):
        raise argparse.ArgumentTypeError("must be a part of 1, or a whole number")
    return value


SHARES, LEAST_WINDOW = 4, 128
"""Shards for each process at least, so that none waits long for the last; but none of few rows."""


@dataclass(frozen=True, kw_only=True)
class RaySettings(Options, group="many workers (needs the extra ray)"):
    """How a run is spread over processes, GPUs and machines."""

    workers: int | None = flag(
        "processes of this machine that label, each with a labeler of its own (default: auto, "
        "which is one, or as many as cores are idle where thousands of reports are labeled by "
        "rules or by a small model)",
        type=_workers,
        metavar="auto|N",
    )
    ray_actors: int | None = flag(
        "label with N worker processes on Ray, each with a labeler of its own",
        type=positive,
        metavar="N",
    )
    ray_address: str | None = flag(
        "a running Ray cluster, which report text is sent to (default: this machine alone)",
        beside="ray_actors",
        metavar="auto|HOST:PORT",
    )
    gpus_per_actor: float | None = flag(
        "GPUs per worker, such as 1, 0.5 or 0 (default: 1 if there are any, but 0 for rules)",
        beside="ray_actors",
        type=_share,
        metavar="X",
    )


@contextmanager
def labeled_by(
    settings: LabelerSettings, ray: RaySettings, *, rows: int
) -> Iterator[LoadedLabeler]:
    """The labeler that the settings name: in this process, in several, or in workers on Ray.

    Args:
        rows: how many will be labeled.

    Raises:
        ConfigError: settings that cannot work.
        MissingExtraError: Ray is not installed.
    """
    ray.refuse_idle()
    if ray.ray_actors is None:
        yield _here(settings, ray.workers, rows)
        return
    if ray.workers is not None:
        raise ConfigError(
            "--workers are processes of this machine and --ray-actors workers on Ray",
            remedy="give one of the two",
        )
    device = settings.device
    if device is not None and ":" in device:
        raise ConfigError(
            f"--device {device} picks one GPU for all workers",
            remedy="remove it; --gpus-per-actor says what each worker gets",
        )
    gpus = ray.gpus_per_actor
    weightless = settings.labeler == RULES and settings.second_reader in (None, RULES)
    if gpus is None and (weightless or device == "cpu"):
        gpus = 0.0
    from inference.ray.pool import ray_pool

    with ray_pool(
        partial(_in_worker, settings), workers=ray.ray_actors, address=ray.ray_address, gpus=gpus
    ) as workers:
        said = workers.introduction
        yield LoadedLabeler(workers, said.sections, said.shard_rows)


def _here(settings: LabelerSettings, workers: int | None, rows: int) -> LoadedLabeler:
    """A labeler of this machine, in one process or more."""
    from inference.runs.processes import Processes, fitting_workers

    loaded = load_labeler(settings)
    if workers is None:
        workers = fitting_workers(rows) if loaded.cheap else 1
    if workers == 1:
        return loaded
    several = Processes(loaded.labeler, partial(_in_worker, settings), workers)
    window = max(LEAST_WINDOW, min(loaded.window, rows // (SHARES * workers)))
    return replace(loaded, labeler=several, window=window)


def _in_worker(settings: LabelerSettings) -> tuple[ReportLabeler, str, int]:
    loaded = load_labeler(settings)
    return loaded.labeler, loaded.sections, loaded.window
