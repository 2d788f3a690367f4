"""The public Python API: load a labeler, label texts or tables, build records, compare.

Everything here is offered as ``labelwright.NAME`` and does what the command of the same name
does, with Python objects in and out. Mistakes raise :mod:`labelwright.errors`; what could not be
labeled is never left out in silence.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from labelwright import results
from labelwright.commands.flags import Parser
from labelwright.errors import ConfigError, as_keywords
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler, Texts, reports_of, unlabeled
from labelwright.labelers.settings import LabelerSettings
from labelwright.loading import LoadedLabeler, load_labeler
from labelwright.records import Prediction, Reject, Report
from labelwright.shown import comparison_html
from labelwright.tasks import kind_of

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


class Labeler:
    """A labeler of reports, whatever stands behind it; made by :func:`load`."""

    def __init__(self, loaded: LoadedLabeler) -> None:
        self._loaded = loaded

    def __repr__(self) -> str:
        return f"<labelwright.Labeler {self.name!r} of {self.label_set.name!r}>"

    @property
    def name(self) -> str:
        """What stands in :attr:`Prediction.model`."""
        return self._loaded.labeler.name

    @property
    def label_set(self) -> LabelSet:
        """What it is asked about every report."""
        return self._loaded.labeler.label_set

    @property
    def labeler(self) -> ReportLabeler:
        """The labeler itself, as the batch runner takes it."""
        return self._loaded.labeler

    def label(self, texts: Texts) -> list[Prediction]:
        """One prediction for each text or report, in order.

        Texts get the ids ``"0"``, ``"1"``, …; reports keep theirs. Texts with headings are cut to
        the sections that the labeler reads. A text that cannot be labeled gets a prediction
        that is not :attr:`~Prediction.complete`, whose ``problems`` say why.

        Raises:
            TypeError: one text instead of a list of texts, or an item that is none.
        """
        results = self.label_reports(reports_of(texts))
        return [
            unlabeled(self.label_set, result, self.name) if isinstance(result, Reject) else result
            for result in results
        ]

    @as_keywords()
    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One result for each report, in order: a ``Reject`` says why it could not be labeled."""
        return [result for _, result in self.stream(reports)]

    def stream(
        self, items: Iterable[Report | Reject]
    ) -> Iterator[tuple[Report | Reject, Prediction | Reject]]:
        """What came in beside what came out, in order; rejects that come in pass."""
        from labelwright.text.sections import SectionCut

        cut, source = SectionCut(self._loaded.sections), iter(items)
        while block := list(islice(source, self._loaded.window)):
            ready = [cut.cut(item) if isinstance(item, Report) else item for item in block]
            asked = [item for item in ready if isinstance(item, Report)]
            answers = iter(self._loaded.labeler.label_reports(asked) if asked else [])
            for item, prepared in zip(block, ready, strict=True):
                yield item, prepared if isinstance(prepared, Reject) else next(answers)


@as_keywords()
def load(
    model: str | Path | None = None,
    *,
    label_set: LabelSet | str | Path | None = None,
    **settings: Any,
) -> Labeler:
    """Load a labeler.

    Args:
        model: ``None`` for the labeler that comes with labelwright, ``"rules"``, ``"knn"``, a
            folder that training wrote, or a model of the hub.
        label_set: for a labeler that brings none.
        settings: the flags of ``labelwright label`` that choose a labeler, with underscores:
            the fields of :class:`labelwright.loading.LabelerSettings`.

    Raises:
        ConfigError: a setting is unknown or does not apply to the labeler.
        CheckpointError: a model folder is incomplete or made for other labels.
    """
    return Labeler(load_labeler(_settings(model, label_set, settings)))


@as_keywords()
def label(
    data: pd.DataFrame | Texts | Path | str,
    model: str | Path | Labeler | None = None,
    *,
    label_set: LabelSet | str | Path | None = None,
    id_column: str | None = None,
    text_columns: Sequence[str] | str = (),
    patient_column: str | None = None,
    probabilities: bool = False,
    **settings: Any,
) -> pd.DataFrame:
    """Label a table, a list of texts or a file; return a table.

    Args:
        data: a pandas DataFrame, a list of texts or reports, or the path of any file or folder
            that ``labelwright label`` reads.
        model: as for :func:`load`, or what that returned.
        id_column: of a table; found by its usual names, else the frame's index.
        text_columns: of a table, one or several, joined in this order; found by their usual names.
        patient_column: of a table, where patients matter (similar reports).
        probabilities: add a column ``OBSERVATION: CERTAINTY`` for each probability.
        settings: as for :func:`load`.

    Returns:
        For observations a row per report in the coding of ``labels.csv``: 1.0 positive, 0.0
        negative, -1.0 uncertain, NaN not mentioned; the index is the report's id. For mentions
        a row for each, with the columns of ``entities.csv``; for fields a row for each value, as
        in ``fields-long.csv``. Reports that could not be labeled are no rows of it:
        ``frame.attrs["rejects"]`` lists them with source, row and reason, and a warning says how
        many they are.

    Raises:
        TypeError: ``data`` is none of these.
        ConfigError, InputError: as for :func:`load`, or the columns are not found.
    """
    if isinstance(model, Labeler):
        if settings or label_set is not None:
            raise ConfigError(
                "a labeler that is loaded takes no more settings", remedy="give them to load()"
            )
        labeler = model
    else:
        labeler = load(model, label_set=label_set, **settings)
    texts = (text_columns,) if isinstance(text_columns, str) else tuple(text_columns)
    reports = _reports(data, id_column, texts, patient_column)
    rows, rejects = [], []
    for item, result in labeler.stream(reports):
        if isinstance(result, Reject):
            rejects.append(result)
        elif result.complete:
            rows.append(result)
        else:
            reason = "undetermined: " + "; ".join(result.problems)
            rejects.append(Reject(item.id, item.source, item.row, reason))
    if rejects:
        log.warning("%d of %d reports not labeled", len(rejects), len(rejects) + len(rows))
    frame = _frame(labeler.label_set, rows, id_column or "id", probabilities)
    frame.attrs["rejects"] = [reject.to_json() for reject in rejects]
    return frame


@dataclass(frozen=True)
class Build:
    """A data folder that :func:`build` wrote, and its manifest."""

    folder: Path
    manifest: Mapping[str, Any]


@as_keywords()
def build(
    files: str | Path | Sequence[str | Path],
    *,
    label_set: LabelSet | str | Path,
    out: str | Path,
    **flags: Any,
) -> Build:
    """Turn reports and what is known of them into a data folder, as ``labelwright build`` does.

    Args:
        files: the inputs; an empty list with ``synthetic=N``.
        flags: the command's flags with underscores, such as ``labels="labels.csv"``.

    Raises:
        ConfigError: a flag is unknown or does not fit.
    """
    from labelwright.commands.building import command
    from labelwright.commands.building.flags import BuildOptions

    paths = [files] if isinstance(files, str | Path) else list(files)
    words = [*map(str, paths), "--label-set", _label_set_word(label_set), "--out", str(out)]
    parsed = _parsed("build", command.add_arguments, words, flags)
    command.perform(BuildOptions.from_flags(parsed))
    return Build(Path(out), json.loads((Path(out) / "manifest.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Comparison:
    """A comparison that :func:`compare` made.

    Attributes:
        folder: the page (``index.html``), its tables and ``scores.json``.
        verdicts: the result in sentences, and what must be known before believing them.
    """

    folder: Path
    verdicts: tuple[str, ...]

    @property
    def page(self) -> Path:
        """The page to open in a browser."""
        return self.folder / "index.html"

    @cached_property
    def scores(self) -> Mapping[str, Any]:
        """All numbers of the page in full precision."""
        scores: Mapping[str, Any] = json.loads(
            (self.folder / "scores.json").read_text(encoding="utf-8")
        )
        return scores

    def __str__(self) -> str:
        return "\n".join(self.verdicts)

    def _repr_html_(self) -> str:
        """How notebooks show it."""
        return comparison_html(self.verdicts, str(self.page))


@as_keywords()
def compare(
    gold: str | Path,
    predictions: Mapping[str, str | Path],
    *,
    out: str | Path,
    label_set: LabelSet | str | Path | None = None,
    **flags: Any,
) -> Comparison:
    """Compare labelers with gold labels and write the page, as ``labelwright eval`` does.

    Args:
        gold: a label table or annotated notes.
        predictions: result folders or files by the labelers' names.
        out: the folder of the page.
        flags: the command's flags with underscores, such as ``patients="reports.csv"``.

    Raises:
        ConfigError: a flag is unknown or does not fit.
        InputError: gold or predictions cannot be read or share no report.
    """
    from labelwright.commands.comparing import command
    from labelwright.commands.comparing.flags import EvalOptions

    if not isinstance(predictions, Mapping):
        raise TypeError("predictions are given by name: {'ours': 'out/labels', …}")
    words = ["--gold", str(gold), "--out", str(out)]
    words += [f"--pred={name}={path}" for name, path in predictions.items()]
    if label_set is not None:
        words += ["--label-set", _label_set_word(label_set)]
    parsed = _parsed("eval", command.add_arguments, words, flags)
    *verdicts, _ = command.perform(EvalOptions.from_flags(parsed))
    return Comparison(Path(out), tuple(verdicts))


@as_keywords()
def read_reports(*files: str | Path, **options: Any) -> Iterator[Report | Reject]:
    """Read reports of any format that ``labelwright label`` reads.

    Args:
        files: files and folders.
        options: the fields of :class:`labelwright.readers.ReadOptions`.

    Raises:
        InputError: a file cannot be read at all; a bad row is a ``Reject``.
    """
    from labelwright.readers import ReadOptions
    from labelwright.readers import read_reports as read

    try:
        chosen = ReadOptions(**options)
    except TypeError:
        raise ConfigError(
            f"unknown option among {', '.join(sorted(options))}",
            remedy="use the fields of labelwright.readers.ReadOptions",
        ) from None
    return _spoken(read([Path(file) for file in files], chosen))


def _spoken(items: Iterator[Report | Reject]) -> Iterator[Report | Reject]:
    with as_keywords():
        yield from items


def read_predictions(path: str | Path) -> list[Prediction]:
    """The predictions of a result folder, or of its ``predictions.jsonl``.

    Raises:
        InputError: there are none, or a row is not a prediction.
    """
    return [prediction for _, prediction in results.read_predictions(path)]


def _settings(
    model: str | Path | None, label_set: LabelSet | str | Path | None, more: Mapping[str, Any]
) -> LabelerSettings:
    paths = ("rules", "index", "image_root")
    named: dict[str, Any] = {
        k: Path(v) if k in paths and isinstance(v, str) else v for k, v in more.items()
    }
    try:
        return LabelerSettings(
            model=None if model is None else str(model), label_set=label_set, **named
        )
    except TypeError:
        known = LabelerSettings.__dataclass_fields__
        unknown = [name for name in more if name not in known]
        raise ConfigError(
            f"no labeler has the setting {', '.join(unknown)}",
            remedy="see labelwright.loading.LabelerSettings for all of them",
        ) from None


def _reports(
    data: Any, id_column: str | None, text_columns: tuple[str, ...], patient_column: str | None
) -> Iterable[Report | Reject]:
    if hasattr(data, "columns") and hasattr(data, "itertuples"):
        return _rows(data, id_column, text_columns, patient_column)
    if isinstance(data, Path) or (isinstance(data, str) and _exists(data)):
        return read_reports(
            data,
            id_column=id_column,
            text_columns=text_columns,
            patient_column=patient_column,
        )
    if isinstance(data, str):
        raise TypeError("one text instead of a list of texts, or no such file; write label([text])")
    return reports_of(data)


def _exists(name: str) -> bool:
    """Whether a text is the name of a file; a report is none, however long."""
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


def _rows(
    frame: pd.DataFrame,
    id_column: str | None,
    text_columns: tuple[str, ...],
    patient_column: str | None,
) -> Iterator[Report | Reject]:
    """The rows of a frame, as the rows of a CSV file with the same columns would be read."""
    from pandas import isna

    from labelwright.readers import ReadOptions
    from labelwright.readers.tables.columns import has_id, resolve
    from labelwright.readers.tables.delimited import row_maker

    names = [str(name) for name in frame.columns]
    index = id_column is None and not has_id(names)
    if index:
        names.insert(0, "id")
    options = ReadOptions(
        id_column="id" if index else id_column,
        text_columns=text_columns,
        patient_column=patient_column,
    )
    make = row_maker("table", names, resolve(names, options, "the table"))
    whole = [_whole(frame.index)] * index
    whole += [_whole(frame.iloc[:, at]) for at in range(frame.shape[1])]
    for row, values in enumerate(frame.itertuples(index=index, name=None), 1):
        cells = zip(values, whole, strict=True)
        yield make(row, ["" if isna(v) else str(int(v) if w else v) for v, w in cells])


def _whole(column: pd.Series[Any] | pd.Index[Any]) -> bool:
    """Whether a column holds whole numbers that an empty cell made floats of."""
    from pandas.api.types import is_float_dtype

    kind = getattr(getattr(column.dtype, "categories", None), "dtype", column.dtype)
    return is_float_dtype(kind) and all(float(v).is_integer() for v in column.dropna())


def _frame(
    label_set: LabelSet,
    predictions: Sequence[Prediction],
    id_column: str,
    probabilities: bool,
) -> pd.DataFrame:
    import pandas

    from labelwright.io.delimited import id_header

    kind = kind_of(label_set)
    columns = list(kind.frame_columns(label_set))
    choices = kind.choices(label_set) if probabilities else None
    chances = [
        (s.label, option) for s in (choices.slots if choices else ()) for option in s.options
    ]
    columns += [f"{name}: {option}" for name, option in chances]
    rows = [
        [prediction.id, *cells, *((prediction.probs or {}).get(n, {}).get(o) for n, o in chances)]
        for prediction in predictions
        for cells in kind.frame_rows(label_set, prediction.value)
    ]
    name = id_header(id_column)
    table: pd.DataFrame = pandas.DataFrame(rows, columns=[name, *columns]).set_index(name)
    return table


def _label_set_word(label_set: LabelSet | str | Path) -> str:
    if isinstance(label_set, LabelSet):
        raise ConfigError(
            "a label set is given by name or file here", remedy="give what LabelSet.load took"
        )
    return str(label_set)


def _parsed(
    command: str, add_arguments: Any, words: Sequence[str], flags: Mapping[str, Any]
) -> argparse.Namespace:
    """A command line from Python values, checked by the command's own parser.

    ``True`` is a flag alone, ``None`` and ``False`` leave it out, a list of values is the flag's
    list with commas, or the flag repeated where it may stand several times.
    """
    parser = _Raising(prog=f"labelwright.{command}", add_help=False)
    add_arguments(parser)
    known = {action.dest: action for action in parser._actions}
    line = list(words)
    for name, value in flags.items():
        if (action := known.get(name)) is None or not action.option_strings:
            raise ConfigError(
                f"{command} takes no {name}", remedy=f"see labelwright {command} --help"
            )
        option = action.option_strings[-1]
        if value is None or value is False:
            continue
        if value is True:
            line.append(option)
        elif isinstance(value, Mapping):
            line += [f"{option}={key}={part}" for key, part in value.items()]
        elif isinstance(value, list | tuple):
            if isinstance(action, argparse._AppendAction):
                line += [f"{option}={part}" for part in value]
            elif action.nargs in ("+", "*"):
                line += [option, *map(str, value)]
            else:
                line.append(f"{option}={','.join(map(str, value))}")
        else:
            line.append(f"{option}={value}")
    return parser.parse_args(line)


class _Raising(Parser):
    """A parser that raises instead of ending the program."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(message, remedy=f"see {self.prog.replace('.', ' ')} --help")
