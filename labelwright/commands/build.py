"""``labelwright build``: reports and labels -> instruction records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.flags import positive, seed
from labelwright.commands.reading import add_reading_flags, read_options
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet
from labelwright.records import Reject, Report
from labelwright.sections import SECTION_CHOICES

if TYPE_CHECKING:
    from data_builders.augment import Augmentation
    from data_builders.build import Built, Job
    from data_builders.label_sources import LabelSource

SOURCES = "a CSV or TSV (.gz) in CheXpert coding, 'rules', or 'openi-mesh'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add_reading_flags(parser, required=False)
    add = parser.add_argument
    add("--synthetic", type=positive, metavar="N", help="N reports of the grammar instead of FILE")
    add(
        "--balance",
        type=float,
        metavar="SHARE",
        help="share of the grammar's reports that draw rare and common certainties alike "
        "(0 to 1, default 0)",
    )
    add("--noise", type=float, metavar="AMOUNT", help="slips in its text (0 to 1, default 1)")
    add(
        "--brief",
        type=float,
        metavar="SHARE",
        help="share of its reports that are of one to three statements (0 to 1, default 0)",
    )
    add("--label-set", required=True, metavar="NAME|FILE", help="what to ask of a report")
    add(
        "--lexicon",
        type=Path,
        metavar="FILE",
        help="the words of --synthetic and --augment (default: those shipped for the label set)",
    )
    add("--out", type=Path, metavar="DIR", help="the data folder to write")
    labels = parser.add_argument_group("labels")
    add = labels.add_argument
    add("--labels", metavar="SOURCE", help=SOURCES)
    add("--test-labels", metavar="SOURCE", help="other labels for the test split")
    add("--label-id-columns", type=_names, default=(), metavar="A,B", help="id of label tables")
    add("--rules", type=Path, metavar="FILE", help="a rules file of your own, for --labels rules")
    add("--openi-table", type=Path, metavar="FILE", help="codes -> observations, as YAML")
    records = parser.add_argument_group("records")
    add = records.add_argument
    add("--sections", choices=SECTION_CHOICES, default="full", help="part of the report to use")
    add("--format", choices=("trl", "alpaca"), default="trl", help="form of the records")
    add(
        "--augment",
        type=positive,
        metavar="N",
        help="add N variants of every training report: other words, order and look, same labels",
    )
    add("--preview", type=positive, metavar="N", help="show N records and write nothing")
    split = parser.add_argument_group("splits")
    add = split.add_argument
    add("--split", metavar="R,R,R|none|test", help="shares (default 0.8,0.1,0.1), or all in one")
    add("--split-file", type=Path, metavar="FILE", help="a table with the columns id and split")
    add("--split-id-columns", type=_names, default=(), metavar="A,B", help="id of that table")
    add("--seed", type=seed, default=13, help="seed of the split and the grammar (default 13)")
    add("--duplicates", choices=("keep", "drop"), default="keep", help="reports of equal text")
    add(
        "--leakage",
        choices=("error", "drop", "keep-texts"),
        default="error",
        help="where --split-file puts a patient or a text into two splits; keep-texts: stop for "
        "patients, count and keep equal texts of different patients",
    )
    add(
        "--near-duplicates",
        choices=("keep", "drop"),
        default="keep",
        help="training reports that nearly repeat a validation or test report",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier build")


def run(arguments: argparse.Namespace) -> int:
    """Build, or show a preview."""
    _check(arguments)
    label_set = LabelSet.load(arguments.label_set)
    if arguments.preview is not None:
        found, job = _job(arguments, label_set, scanned=False)
        _preview(found, job, arguments.preview)
        return 0
    from data_builders.build import build

    found, job = _job(arguments, label_set, scanned=True)
    built = build(found, job, arguments.out, overwrite=arguments.overwrite)
    sys.stdout.write(_summary(built, arguments.out))
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if bool(arguments.files) == (arguments.synthetic is not None):
        raise ConfigError("give either files or --synthetic N", remedy="see --help")
    for flag in ("balance", "noise", "brief"):
        if getattr(arguments, flag) is not None and arguments.synthetic is None:
            raise ConfigError(f"--{flag} is for --synthetic", remedy=f"leave --{flag} out")
    if arguments.augment is not None:
        _check_augment(arguments)
    if arguments.labels is None and arguments.synthetic is None:
        raise ConfigError("--labels is missing", remedy=f"give {SOURCES}")
    if arguments.out is None and arguments.preview is None:
        raise ConfigError("--out is missing", remedy="give a folder, or --preview 3 to look first")
    if arguments.split is not None and arguments.split_file is not None:
        raise ConfigError("--split and --split-file exclude each other", remedy="give one of them")
    _refuse_idle_flags(arguments)
    _refuse_own_inputs(arguments)


def _check_augment(arguments: argparse.Namespace) -> None:
    if arguments.synthetic is not None:
        raise ConfigError(
            "--augment is for reports of your own", remedy="raise --synthetic instead"
        )
    if arguments.preview is not None:
        raise ConfigError("--preview shows no variants", remedy="leave --augment out")
    if arguments.split == "test":
        raise ConfigError(
            "--augment is for training reports, and --split test makes none",
            remedy="leave --augment out",
        )


def _refuse_idle_flags(arguments: argparse.Namespace) -> None:
    """A flag that would do nothing shows that the user expects something else."""
    sources = {arguments.labels, arguments.test_labels} - {None}
    table = bool(sources - {"rules", "openi-mesh"})
    split_table = arguments.split_file is not None
    for flag, used, use in (
        ("lexicon", arguments.synthetic or arguments.augment, "--synthetic and --augment"),
        ("rules", "rules" in sources, "--labels rules"),
        ("openi_table", "openi-mesh" in sources, "--labels openi-mesh"),
        ("label_id_columns", table, "a label table"),
        ("split_id_columns", split_table, "--split-file"),
    ):
        if getattr(arguments, flag) and not used:
            name = f"--{flag.replace('_', '-')}"
            raise ConfigError(f"{name} is for {use}", remedy=f"leave {name} out")


def _refuse_own_inputs(arguments: argparse.Namespace) -> None:
    """An input inside the folder that --overwrite empties would be lost."""
    if arguments.out is None:
        return
    read = [*arguments.files, arguments.labels, arguments.test_labels, arguments.split_file]
    for path in map(Path, filter(None, read)):
        if path.is_file() and path.resolve().parent == arguments.out.resolve():
            raise ConfigError(
                f"{path} is read and stands in --out, whose files are replaced",
                remedy="choose another --out",
            )


def _job(
    arguments: argparse.Namespace, label_set: LabelSet, *, scanned: bool
) -> tuple[Iterable[Report | Reject], Job]:
    from data_builders.build import Job

    found, facts, source = _reports(arguments, label_set, scanned=scanned)
    if arguments.labels is not None:
        source = _source(arguments.labels, arguments, label_set)
    if source is None:
        raise ConfigError("--labels is missing", remedy=f"give {SOURCES}")
    test = arguments.test_labels
    split, split_facts = _split(arguments)
    job = Job(
        label_set=label_set,
        source=source,
        test_source=None if test is None else _source(test, arguments, label_set),
        sections=arguments.sections,
        layout=arguments.format,
        split=split,
        augmentation=_augmentation(arguments, label_set),
        facts={**facts, **split_facts},
    )
    return found, job


def _augmentation(arguments: argparse.Namespace, label_set: LabelSet) -> Augmentation | None:
    if arguments.augment is None:
        return None
    from data_builders.augment import Augmentation, Augmenter
    from data_builders.lexicon import Lexicon

    lexicon = Lexicon.for_label_set(label_set, arguments.lexicon)
    return Augmentation(Augmenter(lexicon, arguments.seed), arguments.augment)


def _reports(
    arguments: argparse.Namespace, label_set: LabelSet, *, scanned: bool
) -> tuple[Iterable[Report | Reject], dict[str, Any], LabelSource | None]:
    if arguments.synthetic is not None:
        from data_builders.label_sources import KnownLabels
        from data_builders.lexicon import Lexicon
        from data_builders.synthetic import write_reports

        lexicon = Lexicon.for_label_set(label_set, arguments.lexicon)
        count = arguments.synthetic
        seed = arguments.seed
        usual = {"balance": 0.0, "noise": 1.0, "brief": 0.0}
        given = {name: getattr(arguments, name) for name in usual}
        shares = {k: usual[k] if v is None else float(v) for k, v in given.items()}
        known = KnownLabels(
            write_reports(
                label_set,
                count,
                seed,
                balance=shares["balance"],
                noise=shares["noise"],
                brief=shares["brief"],
                lexicon=lexicon,
            )
        )
        drawn = {"reports": count, "seed": seed, **shares, "lexicon_sha256": lexicon.sha256}
        facts: dict[str, Any] = {"synthetic": drawn, "inputs": []}
        return _bar(known.reports(), count if scanned else None), facts, known
    from labelwright.readers import read_reports, scan

    options = read_options(arguments)
    found = read_reports(arguments.files, options)
    if not scanned:
        return found, {}, None
    seen = scan(arguments.files, options)
    return _bar(found, seen.rows), {"inputs": list(seen.inputs)}, None


def _bar(found: Iterable[Report | Reject], total: int | None) -> Iterable[Report | Reject]:
    from tqdm import tqdm

    if total is None:
        return found
    bar: Iterable[Report | Reject] = tqdm(
        found, "reading", total, unit=" reports", disable=None, leave=False
    )
    return bar


def _source(given: str, arguments: argparse.Namespace, label_set: LabelSet) -> LabelSource:
    from data_builders.label_sources import CodeLabels, LabelerLabels, TableLabels

    if given == "rules":
        from baselines.rules import RulesLabeler

        return LabelerLabels(RulesLabeler.for_label_set(label_set, arguments.rules))
    if given == "openi-mesh":
        from data_builders.openi_codes import CodeTable

        path = arguments.openi_table
        table = (
            CodeTable.for_label_set(label_set) if path is None else CodeTable.load(path, label_set)
        )
        return CodeLabels(table, label_set)
    if not Path(given).exists():
        raise InputError("no such label table", remedy=f"give {SOURCES}", source=given)
    return TableLabels(Path(given), label_set, asked_columns=arguments.label_id_columns)


def _split(arguments: argparse.Namespace) -> tuple[Any, Mapping[str, Any]]:
    from data_builders.plan import SplitOptions
    from data_builders.split import parse_ratios
    from data_builders.split_file import read_split_file
    from labelwright.manifest import inputs

    path = arguments.split_file
    ratios = arguments.split or SplitOptions.ratios
    parse_ratios(ratios)
    table = None if path is None else read_split_file(path, asked=arguments.split_id_columns)
    options = SplitOptions(
        ratios=ratios,
        table=table,
        seed=arguments.seed,
        duplicates=arguments.duplicates,
        leakage=arguments.leakage,
        near_duplicates=arguments.near_duplicates,
    )
    return options, {} if path is None else {"split_file": inputs([path])[0]}


def _preview(found: Iterable[Report | Reject], job: Job, count: int) -> None:
    from data_builders.instructions import readable, record
    from data_builders.prepare import prepare

    shown = 0
    for item in prepare(found, job.label_set, job.source, sections=job.sections):
        if isinstance(item, Reject) or isinstance(item.labels, str):
            continue
        labels = dict(zip(job.label_set.names, item.labels, strict=True))
        made = record(job.label_set, item.report.id, item.report.text, labels, meta={})
        sys.stdout.write(readable(made))
        shown += 1
        if shown == count:
            return
    if not shown:
        raise InputError("no report can be used", remedy="check --labels, --sections and the ids")


def _summary(built: Built, out: Path) -> str:
    return "\n".join([*built.classes.lines(), "", *_notes(built.manifest), f"written to {out}", ""])


def _notes(manifest: Mapping[str, Any]) -> Iterator[str]:
    counts, split = manifest["counts"], manifest["split"]
    yield f"{counts['in']} rows in = {counts['records']} records + {counts['rejected']} rejected"
    for reason, count in counts["rejected_by_reason"].items():
        yield f"  rejected {count}: {reason}"
    for key in ("labels", "test_labels"):
        if left := (manifest[key] or {}).get("labels_without_report"):
            yield f"  {key} of {left} reports that are not in the input were not used"
    if counts["negatives_read_as_blank"]:
        yield f"  {counts['negatives_read_as_blank']} negatives read as blank (label set)"
    if augmentation := manifest["augmentation"]:
        yield (
            f"{augmentation['made']} variants of {augmentation['reports']} training reports "
            "were added to them"
        )
    yield f"{split['reports_that_repeat_a_text']} reports repeat the text of another"
    if (largest := split.get("largest_group", 0)) > max(1, counts["records"] / 10):
        yield (
            f"{largest} reports are linked by patient or equal text and stay in one split; "
            "--duplicates drop loosens them"
        )
    for pair, count in split["near_duplicates"]["reports"].items():
        yield f"near duplicates ({split['near_duplicates']['action']}): {count} {pair}"


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
