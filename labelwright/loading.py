"""One door to every labeler: rules, models, encoders, taggers, servers, votes of similar reports.

The ``label`` command and the Python API come through here alike. What may be asked of which
labeler stands in one table (:mod:`labelwright.labelers.settings`), and one loop refuses everything
else, so that no setting is ever ignored in silence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.labelers.settings import (
    CHOSEN,
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
    SHOWN,
    TAGGER,
    WEIGHTS,
    LabelerSettings,
)
from labelwright.options import as_flag
from labelwright.tasks import extension, kind_of

if TYPE_CHECKING:
    from inference.server.labeler import ServerLabeler
    from labelwright.labelers.base import LedLabeler, ReportLabeler
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
    """One labeler, with its temperatures if it has any."""
    from labelwright.labelers.calibrated import calibrated

    settings.refuse_strangers()
    loaded = _narrowed(_LOADERS[settings.labeler](settings), settings)
    chosen = None if settings.calibration is None else str(settings.calibration)
    return replace(loaded, labeler=calibrated(loaded.labeler, settings.folder, chosen))


def _narrowed(loaded: LoadedLabeler, settings: LabelerSettings) -> LoadedLabeler:
    """A labeler that reads only sentences in which a tagger finds something, if one is named."""
    if settings.tagger is None or settings.judge is not None:
        return loaded
    from labelwright.labelers.narrowed import Narrowed

    if kind_of(loaded.labeler.label_set).choices(loaded.labeler.label_set) is not None:
        raise ConfigError(
            "--tagger leaves sentences out, and silence would count as an answer here",
            remedy="leave it out; it is for fields",
        )
    return replace(loaded, labeler=Narrowed(loaded.labeler, _named_tagger(settings)))


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
    rules = RulesLabeler if own is None else own.LABELER
    told = {} if settings.convention is None else {"convention": settings.convention}
    if told and own is not None:
        _refuse(settings, ("convention",), "is for labels of certainty")
    made = rules.for_label_set(label_set, settings.rules, **told)
    if settings.judge is not None:
        learn = getattr(made, "learn", None)
        if learn is None:
            raise ConfigError("--judge is for fields", remedy="remove it, or give --label-set")
        learn(settings.judge, None if settings.tagger is None else _named_tagger(settings))
    return replace(_whole(made, settings), cheap=settings.judge is None)


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
    return _whole(voters, settings)


def _dictionary(settings: LabelerSettings) -> LoadedLabeler:
    from baselines.dictionary import dictionary as make

    found, sections = make(settings.dictionary, **settings.told(("label_set", "threshold")))
    return _whole(found, settings, sections)


def _server(settings: LabelerSettings) -> LoadedLabeler:
    from inference.server.labeler import ServerLabeler

    named = {own: getattr(settings, name) for name, own in SERVED.items()}
    named |= {name: getattr(settings, name) for name in ("label_set", "decode", "sections")}
    given: Mapping[str, Any] = {k: v for k, v in named.items() if v is not None}
    served = ServerLabeler.connect(str(settings.server), str(settings.model), **given)
    if served.address.warning:
        logging.getLogger(__name__).warning("%s", served.address.warning)
    if settings.by_group:
        return LoadedLabeler(_by_group(served, settings), served.sections, served.window)
    shown = _with_neighbours(served, settings, served.neighbours)
    return LoadedLabeler(shown, served.sections, served.window)


def _by_group(served: ServerLabeler, settings: LabelerSettings) -> ReportLabeler:
    from labelwright.labelers.grouped import Grouped

    parts = kind_of(served.label_set).asked_apart(served.label_set)
    if not parts:
        raise ConfigError(
            f"--by-group needs groups, and label set {served.label_set.name} has none",
            remedy="add 'groups' to it, or remove the flag",
        )
    _refuse(settings, ("index", *SHOWN, *CHOSEN), "is not for --by-group")
    return Grouped(served, [served.of(part) for part in parts])


def _model(settings: LabelerSettings) -> LoadedLabeler:
    from inference.labeler import Labeler
    from labelwright.labelers.normalising import normalising

    folder = settings.place()
    names = (*WEIGHTS, *GENERATIVE, "decode", "label_set", "sections")
    model = Labeler.from_checkpoint(folder, **settings.told(names))
    shown = _with_neighbours(model, settings, model.neighbours)
    return LoadedLabeler(
        normalising(shown, folder), model.sections, model.window, cheap=model.light
    )


def _encoder(settings: LabelerSettings) -> LoadedLabeler:
    from baselines.encoder.labeler import EncoderLabeler

    given = settings.told((*WEIGHTS, "label_set"))
    model = EncoderLabeler.from_checkpoint(settings.place(), **given)
    return _whole(model, settings, model.sections)


def _tagger(settings: LabelerSettings) -> LoadedLabeler:
    from baselines.tagger.labeler import TaggerLabeler
    from labelwright.labelers.normalising import normalising

    folder = settings.place()
    given = settings.told((*WEIGHTS, "label_set", "threshold"))
    model = TaggerLabeler.from_checkpoint(folder, **given)
    return _whole(normalising(model, folder), settings, model.sections)


_LOADERS = {
    RULES: _rules,
    KNN: _knn,
    DICTIONARY: _dictionary,
    SERVER: _server,
    MODEL: _model,
    ENCODER: _encoder,
    TAGGER: _tagger,
}


def _whole(
    labeler: ReportLabeler, settings: LabelerSettings, sections: str = "full"
) -> LoadedLabeler:
    """A labeler that is fast enough to be given a whole shard at once."""
    from inference.runs.batch import SHARD_ROWS

    return LoadedLabeler(labeler, settings.sections or sections, SHARD_ROWS)


def _with_neighbours(
    labeler: LedLabeler, settings: LabelerSettings, trained: Mapping[str, Any] | None
) -> ReportLabeler:
    """The labeler, shown neighbours if the settings or its training ask for them.

    Args:
        trained: the recipe of its training, if it was trained with neighbours.
    """
    if settings.neighbours == NO_NEIGHBOURS or (trained is None and settings.neighbours is None):
        _refuse(
            settings,
            ("index", *SHOWN[1:], *CHOSEN),
            "is for --neighbours context or few-shot, or for --model knn",
        )
        return labeler
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
        _refuse(settings, ("image_root",), "is for --image-column")
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


def _refuse(settings: LabelerSettings, names: Iterable[str], why: str) -> None:
    if given := settings.told(names):
        raise ConfigError(f"{', '.join(map(as_flag, given))} {why}", remedy="remove it")
