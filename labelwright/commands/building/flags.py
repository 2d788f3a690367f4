"""The flags of ``labelwright build``, and which of them go together."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelwright.annotations.tags import SCHEMES
from labelwright.commands.input_flags import OptionalReadingOptions, refuse_inside
from labelwright.errors import ConfigError
from labelwright.options import Options, flag, names, positive, seed, switch
from labelwright.records import Certainty
from labelwright.text.sections import SECTION_CHOICES

RULES, MESH = "rules", "openi-mesh"
SOURCES = f"a CSV or TSV (.gz) in CheXpert coding, '{RULES}', or '{MESH}'"
REPAIRS = ("drop", "pad", "cut", "pad-and-cut")
FILTERS = ("none", "single", "short", "duplicates")
"""As :mod:`data_builders.sources.silver` has them, which is loaded where it is used."""
LABELS, RECORDS, SPLITS = "labels", "records", "splits"
NOTES = "entities (label sets whose task is entities)"


def _filters(text: str) -> tuple[str, ...]:
    found = names(text)
    if unknown := [name for name in found if name not in FILTERS]:
        raise argparse.ArgumentTypeError(
            f"no filter {unknown[0]!r}; choose some of: {', '.join(FILTERS)}"
        )
    return found


def _renaming(text: str) -> tuple[str, str]:
    old, equal, new = (part.strip() for part in text.partition("="))
    if not equal or not old or not new:
        raise argparse.ArgumentTypeError("must be OLD=NEW, such as Tumor=Disease")
    return old, new


@dataclass(frozen=True, kw_only=True)
class GrammarOptions(Options):
    """Reports of the grammar."""

    synthetic: int = flag(
        "N synthetic reports instead of FILE", default=0, type=positive, metavar="N"
    )
    balance: float | None = flag(
        "share of the synthetic reports in which rare and common certainties are as likely "
        "(0 to 1, default 0)",
        beside="synthetic",
        type=float,
        metavar="SHARE",
    )
    noise: float | None = flag(
        "typing errors in their text (0 to 1, default 1)",
        beside="synthetic",
        type=float,
        metavar="AMOUNT",
    )
    brief: float | None = flag(
        "share of them with one to three statements only (0 to 1, default 0)",
        beside="synthetic",
        type=float,
        metavar="SHARE",
    )
    unit: str | None = flag(
        "cut its reports into the clauses that labeling by clause asks (train --unit clause), "
        "each with its own labels (default: whole reports)",
        beside="synthetic",
        choices=("clause",),
    )
    lexicon: Path | None = flag(
        "the words of --synthetic and --augment (default: those shipped for the label set)",
        beside=("synthetic", "augment"),
        type=Path,
        metavar="FILE",
    )

    def shares(self) -> dict[str, Any]:
        """``balance``, ``noise`` and ``brief``, with their defaults."""
        usual = {"balance": 0.0, "noise": 1.0, "brief": 0.0}
        given = {name: getattr(self, name) for name in usual}
        return {k: usual[k] if v is None else float(v) for k, v in given.items()}


@dataclass(frozen=True, kw_only=True)
class EntityOptions(Options, group=NOTES):
    """Annotated notes."""

    entity_table: Path | None = flag(
        "mentions as strings, to be found in the notes: CSV or TSV with a row for each, or "
        "JSON lines with a row per note (default: what the input itself marks)",
        type=Path,
        metavar="FILE",
    )
    entity_columns: tuple[str, ...] = flag(
        "its columns of id, type and mention (default: the id, type, text), and a fourth "
        "for certainty",
        beside="entity_table",
        default=(),
        type=names,
        metavar="A,B,C",
    )
    entity_places: str | None = flag(
        "each string of the table is one mention (default), or stands for all its places",
        beside="entity_table",
        choices=("one", "all"),
    )
    entity_missing: str | None = flag(
        "notes that do not hold all their strings: reject the note (default), or drop these "
        "strings and keep it; counted",
        beside="entity_table",
        choices=("reject", "drop"),
    )
    normalise: Path | None = flag(
        "a YAML table: lower case, dropped marks, abbreviations, typos, standard terms",
        type=Path,
        metavar="TABLE",
    )
    only_types: tuple[str, ...] = flag(
        "types of the label set to keep; entities of any other type are left out, counted",
        default=(),
        type=names,
        metavar="A,B",
    )
    rename_type: tuple[tuple[str, str], ...] = flag(
        "a type of the input and the type of the label set that it stands for; repeatable",
        default=(),
        type=_renaming,
        action="append",
        metavar="OLD=NEW",
    )
    overlaps: str | None = flag(
        "notes whose entities overlap where the label set has no nesting: reject the note "
        "(default), or keep the longest of overlapping entities",
        choices=("reject", "longest"),
    )
    unmarked: Certainty | None = flag(
        "certainty of entities that have none, where the label set asks for one",
        type=Certainty,
        choices=tuple(Certainty)[:3],
        metavar="CERTAINTY",
    )
    windows: int | None = flag(
        "divide training and validation records of longer notes into windows of whole "
        "sentences; texts and entities beside the records stay whole",
        type=positive,
        metavar="WORDS",
    )
    window_overlap: int | None = flag(
        "that two windows share, at most (default: a quarter of --windows)",
        beside="windows",
        type=positive,
        metavar="WORDS",
    )
    silver: Path | None = flag(
        "what a teacher said of the input's phrases: the folder of a labeling run, or JSON "
        'lines {"id"} with "entities", "marked" (text with tags) or "labels" (one per word)',
        type=Path,
        metavar="FILE|DIR",
    )
    silver_repair: str | None = flag(
        "lists of labels with more or fewer labels than words: drop the phrase (default), pad "
        "shorter ones with O, cut longer ones, or both",
        beside="silver",
        choices=REPAIRS,
    )
    silver_filter: tuple[str, ...] = flag(
        f"phrases to leave out, counted each: {', '.join(FILTERS)}",
        beside="silver",
        default=(),
        type=_filters,
        metavar="A,B",
    )
    silver_verdicts: Path | None = flag(
        "a table of id and verdict (keep, discard) of people who looked at phrases",
        beside="silver",
        type=Path,
        metavar="FILE",
    )
    tags: str | None = flag(
        "write every split as a CoNLL file too, each token with its tag of this scheme",
        choices=SCHEMES,
    )


@dataclass(frozen=True, kw_only=True)
class LabelOptions(Options, group=LABELS):
    """Where labels come from."""

    labels: str | None = flag(SOURCES, metavar="SOURCE")
    test_labels: str | None = flag("other labels for the test split", metavar="SOURCE")
    label_id_columns: tuple[str, ...] = flag(
        "id of label tables",
        beside="by_table",
        use="a label table",
        default=(),
        type=names,
        metavar="A,B",
    )
    rules: Path | None = flag(
        f"a rules file of your own, for --labels {RULES}",
        beside="by_rules",
        use=f"--labels {RULES}",
        type=Path,
        metavar="FILE",
    )
    openi_table: Path | None = flag(
        "codes -> observations, as YAML",
        beside="by_codes",
        use=f"--labels {MESH}",
        type=Path,
        metavar="FILE",
    )

    @property
    def by_rules(self) -> bool:
        """Whether rules give labels."""
        return RULES in (self.labels, self.test_labels)

    @property
    def by_codes(self) -> bool:
        """Whether codes give labels."""
        return MESH in (self.labels, self.test_labels)

    @property
    def by_table(self) -> bool:
        """Whether a table gives labels."""
        return bool({self.labels, self.test_labels} - {None, RULES, MESH})


@dataclass(frozen=True, kw_only=True)
class RecordOptions(Options, group=RECORDS):
    """What the records are like."""

    sections: str = flag("part of the report to use", default="full", choices=SECTION_CHOICES)
    format: str = flag("form of the records", default="trl", choices=("trl", "alpaca"))
    by_group: bool = switch(
        "for fields: a training and a validation record for each group of the label set, with its "
        "fields and sections alone, as label --by-group asks; a document and its patient stay in "
        "one split"
    )
    augment: int = flag(
        "add N variants of every training report: other words, order and layout, same labels",
        default=0,
        type=positive,
        metavar="N",
    )
    oversample: str | None = flag(
        "copies of training reports with rare classes: by the rule of the benchmark of de "
        "Almeida et al., or a repaired one that reaches every rare class",
        choices=("paper", "rare"),
    )
    preview: int | None = flag("show N records and write nothing", type=positive, metavar="N")


@dataclass(frozen=True, kw_only=True)
class SplitOptions(Options, group=SPLITS):
    """How reports are shared out."""

    split: str | None = flag(
        "shares (default 0.8,0.1,0.1), or all in one", metavar="R,R,R|none|test"
    )
    stratify: str | None = flag(
        "of --split: share out rare labels or types first (default), or split at random",
        choices=("labels", "none"),
    )
    split_file: Path | None = flag(
        "a table with the columns id and split", type=Path, metavar="FILE"
    )
    split_id_columns: tuple[str, ...] = flag(
        "id of that table", beside="split_file", default=(), type=names, metavar="A,B"
    )
    seed: int = flag("seed of the split and the grammar (default 13)", default=13, type=seed)
    duplicates: str = flag(
        "reports with the same text: keep or drop them", default="keep", choices=("keep", "drop")
    )
    leakage: str = flag(
        "where --split-file puts a patient or a text into two splits; keep-texts: stop for "
        "patients, count and keep equal texts of different patients",
        default="error",
        choices=("error", "drop", "keep-texts"),
    )
    near_duplicates: str = flag(
        "training reports that nearly repeat a validation or test report",
        default="keep",
        choices=("keep", "drop"),
    )


@dataclass(frozen=True, kw_only=True)
class BuildOptions(
    OptionalReadingOptions, SplitOptions, RecordOptions, EntityOptions, LabelOptions, GrammarOptions
):
    """All flags; those that only some kinds have are named by the kinds."""

    label_set: str = flag("what to ask of a report", required=True, metavar="NAME|FILE")
    out: Path | None = flag("the data folder to write", type=Path, metavar="DIR")
    overwrite: bool = switch("replace an earlier build")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    BuildOptions.add_flags(parser)


def check(options: BuildOptions, *, labels_needed: bool) -> None:
    """Refuse flags that do not go together.

    Raises:
        ConfigError: there are some, or one that is needed is missing.
    """
    if bool(options.files) == bool(options.synthetic):
        raise ConfigError("give either files or --synthetic N", remedy="see --help")
    options.refuse_idle()
    if options.synthetic and options.augment:
        raise ConfigError(
            "--augment is for reports of your own", remedy="raise --synthetic instead"
        )
    if labels_needed and options.labels is None and not options.synthetic:
        raise ConfigError("--labels is missing", remedy=f"give {SOURCES}")
    if options.preview is not None:
        options.refuse(("augment",), "is not for --preview, which shows no variants")
    if options.split_file is not None:
        options.refuse(("split", "stratify"), "and --split-file exclude each other")
    if options.split == "test":
        options.refuse(
            ("augment", "oversample"), "is for training reports, and --split test makes none"
        )
    _refuse_own_inputs(options)


def _refuse_own_inputs(options: BuildOptions) -> None:
    """An input inside the folder that --overwrite empties would be lost."""
    if options.out is None:
        return
    refuse_inside(options.files, options.out)
    tables = (options.labels, options.test_labels, options.entity_table, options.normalise)
    for path in (Path(each) for each in (*options.files, *tables, options.split_file) if each):
        if path.is_file() and path.resolve().parent == options.out.resolve():
            raise ConfigError(
                f"{path} is read and stands in --out, whose files are replaced",
                remedy="choose another --out",
            )
