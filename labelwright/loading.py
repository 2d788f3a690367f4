"""One door to every labeler: rules, models, encoders, taggers, servers, votes of similar reports.

The ``label`` command and the Python API come through here alike. What may be asked of which
labeler stands in one table (:mod:`labelwright.labelers.takes`), and one loop refuses everything
else, so that no setting is ever ignored in silence.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.checkpoint import has_heads, has_tags
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.labelers.takes import (
    CHOSEN,
    COMMON,
    DICTIONARY,
    ENCODER,
    GENERATIVE,
    KNN,
    MODEL,
    RULES,
    SECONDS,
    SERVED,
    SERVER,
    SHOWN,
    TAGGER,
    TAKES,
    WEIGHTS,
    WORDS,
)
from labelwright.shipped import named_model, shipped_model
from labelwright.tasks import extension, kind_of

if TYPE_CHECKING:
    from labelwright.labelers.base import LedLabeler, ReportLabeler
    from retrieval.augment import Recipe
    from retrieval.index_sources import Images

RULES_LABEL_SET = "chexpert-14"
DEFAULT_K = 5
NO_NEIGHBOURS = "none"
NOBODY = "none"
"""The second reader where there shall be none."""


@dataclass(frozen=True, kw_only=True)
class LabelerSettings:
    """Which labeler, and what it is told; ``None`` everywhere for its own default.

    Attributes:
        model: a folder that training wrote, a model of the hub or of the server, a shipped model's
            name, ``rules``, ``knn``, ``dictionary``; ``None`` for the label set's shipped readers.
        label_set: name, file or label set, for a labeler that brings none.
        sections: what of a report is read, one of
            :data:`labelwright.text.sections.SECTION_CHOICES`.
        calibration: a ``calibration.json`` of a comparison in place of the model's own; ``none``
            for neither.
        unchecked: take answers as they are, without the gate (:mod:`labelwright.labelers.gate`).
        second_reader: another labeler that reads along, named as ``model`` is
            (:mod:`labelwright.labelers.second`); ``none`` for nobody.
        decide: which of the two decides where they differ: ``first``, ``second`` or a file.

    The other fields are the flags of ``labelwright label`` of the same names.
    """

    model: str | None = None
    label_set: LabelSet | str | Path | None = None
    sections: str | None = None
    calibration: str | Path | None = None
    unchecked: bool | None = None
    second_reader: str | None = None
    decide: str | Path | None = None
    rules: Path | None = None
    device: str | None = None
    dtype: str | None = None
    batch_size: int | None = None
    decode: str | None = None
    batch_tokens: int | None = None
    quantize: str | None = None
    deterministic: bool | None = None
    long: str | None = None
    unit: str | None = None
    evidence: str | None = None
    threshold: float | None = None
    tagger: Path | None = None
    dictionary: Path | None = None
    index: Path | None = None
    neighbours: str | None = None
    k: int | None = None
    neighbour_words: int | None = None
    neighbour_split: str | None = None
    most_similar: float | None = None
    image_column: str | None = None
    image_root: Path | None = None
    server: str | None = None
    server_kind: str | None = None
    concurrency: int | None = None
    server_timeout: int | None = None
    allow_remote: bool | None = None
    model_folder: str | None = None
    prompt: str | None = None
    price_in: float | None = None
    price_out: float | None = None
    answer_tokens: int | None = None

    @classmethod
    def from_flags(cls, arguments: argparse.Namespace) -> LabelerSettings:
        """The settings that a command line gives."""
        return cls(**{field.name: getattr(arguments, field.name) for field in fields(cls)})

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        """Those of ``names`` that are set."""
        return {n: value for n in names if (value := getattr(self, n)) is not None}

    def readers(self) -> tuple[LabelerSettings, LabelerSettings | None]:
        """The settings of the first reader and of the second, if there is one.

        The second is asked in its own usual way; it shares ``device``, unless it has no weights,
        and takes what :data:`SECONDS` says.

        Raises:
            ConfigError: ``decide`` without a second reader, or the same one twice.
        """
        name = self._second()
        if name is None:
            if self.decide is not None:
                raise ConfigError(
                    "--decide is for two readers",
                    remedy="give --second-reader too, or remove --decide",
                )
            return self, None
        if name == self.model:
            raise ConfigError(
                f"both readers are {name}", remedy="give another --second-reader, or remove it"
            )
        taken = self.given(SECONDS.get(name, ()))
        device = None if name == RULES else self.device
        second = LabelerSettings(model=name, device=device, **taken)
        return replace(self, **dict.fromkeys(taken)), second

    def _second(self) -> str | None:
        """The second reader asked for, or that of the labeler that nobody named."""
        if self.second_reader is not None:
            return None if self.second_reader == NOBODY else self.second_reader
        if self.model is not None or self.server is not None:
            return None
        from labelwright.labelers.second import usual_second

        return usual_second(self._folder())

    @property
    def labeler(self) -> str:
        """Which kind of labeler the settings name; a key of ``TAKES``."""
        if self.server is not None:
            return SERVER
        if self.model in (RULES, KNN, DICTIONARY):
            return self.model
        folder = self._folder()
        return TAGGER if has_tags(folder) else ENCODER if has_heads(folder) else MODEL

    @property
    def folder(self) -> str | None:
        """The model's folder, if it has one on this machine."""
        return self._folder() if self.labeler in (MODEL, ENCODER, TAGGER) else None

    def _folder(self) -> str:
        if self.model is not None:
            return named_model(self.model)
        name = self.label_set.name if isinstance(self.label_set, LabelSet) else self.label_set
        return str(shipped_model(None if name is None else str(name)))

    def refuse_strangers(self) -> None:
        """Refuse every setting that the labeler does not take.

        Raises:
            ConfigError: there is one.
        """
        labeler = self.labeler
        strange = [
            field.name
            for field in fields(self)
            if field.name not in COMMON | TAKES[labeler] and getattr(self, field.name) is not None
        ]
        if not strange:
            return
        takers = [WORDS[name] for name, takes in TAKES.items() if takes.issuperset(strange)]
        flags = ", ".join(map(flag, strange))
        only = f" (only to {' or '.join(takers)})" if takers else ""
        raise ConfigError(
            f"{flags} {'does' if len(strange) == 1 else 'do'} not apply to {WORDS[labeler]}{only}",
            remedy=f"remove {flags}",
        )


def flag(name: str) -> str:
    """A setting as the flag of the command line."""
    return f"--{name.replace('_', '-')}"


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
    if settings.tagger is None:
        return loaded
    from labelwright.labelers.narrowed import Narrowed

    if kind_of(loaded.labeler.label_set).choices(loaded.labeler.label_set) is not None:
        raise ConfigError(
            "--tagger leaves sentences out, and silence would count as an answer here",
            remedy="leave it out; it is for fields",
        )
    named = LabelerSettings(model=str(settings.tagger), device=settings.device)
    if named.labeler != TAGGER:
        raise ConfigError(
            f"{settings.tagger} is no tagger", remedy="name a folder of labelwright train-tagger"
        )
    return replace(loaded, labeler=Narrowed(loaded.labeler, _tagger(named).labeler))


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
    made = rules.for_label_set(label_set, settings.rules)
    return replace(_whole(made, settings), cheap=True)


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

    found, sections = make(settings.dictionary, **settings.given(("label_set", "threshold")))
    return _whole(found, settings, sections)


def _server(settings: LabelerSettings) -> LoadedLabeler:
    from inference.server.labeler import ServerLabeler

    named = {own: getattr(settings, name) for name, own in SERVED.items()}
    named |= {name: getattr(settings, name) for name in ("label_set", "decode", "sections")}
    given: Mapping[str, Any] = {k: v for k, v in named.items() if v is not None}
    served = ServerLabeler.connect(str(settings.server), str(settings.model), **given)
    if served.address.warning:
        logging.getLogger(__name__).warning("%s", served.address.warning)
    shown = _with_neighbours(served, settings, served.neighbours)
    return LoadedLabeler(shown, served.sections, served.window)


def _model(settings: LabelerSettings) -> LoadedLabeler:
    from inference.labeler import Labeler
    from labelwright.labelers.normalising import normalising

    folder = settings._folder()
    names = (*WEIGHTS, *GENERATIVE, "decode", "label_set", "sections")
    model = Labeler.from_checkpoint(folder, **settings.given(names))
    shown = _with_neighbours(model, settings, model.neighbours)
    return LoadedLabeler(
        normalising(shown, folder), model.sections, model.window, cheap=model.light
    )


def _encoder(settings: LabelerSettings) -> LoadedLabeler:
    from baselines.encoder.labeler import EncoderLabeler

    given = settings.given((*WEIGHTS, "label_set"))
    model = EncoderLabeler.from_checkpoint(settings._folder(), **given)
    return _whole(model, settings, model.sections)


def _tagger(settings: LabelerSettings) -> LoadedLabeler:
    from baselines.tagger.labeler import TaggerLabeler
    from labelwright.labelers.normalising import normalising

    folder = settings._folder()
    given = settings.given((*WEIGHTS, "label_set", "threshold"))
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
    from retrieval.augment import Augmenter
    from retrieval.index import Index
    from retrieval.with_neighbours import WithNeighbours

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
    if given := settings.given(names):
        raise ConfigError(f"{', '.join(map(flag, given))} {why}", remedy="remove it")
