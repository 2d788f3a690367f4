"""``labelwright review``: people correct what a labeler said, and the next one learns from it."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from labelwright.commands.flags import Verb, add_verbs
from labelwright.commands.review import looping, people, serving, taking
from labelwright.commands.review.project import ProjectOptions, opened
from labelwright.errors import InputError, MissingExtraError, OutputError
from labelwright.label_set import LabelSet
from labelwright.options import flag, positive, seed, share, switch
from labelwright.text.amounts import amount

EPILOG = """\
from reports and predictions to a page to work on
  labelwright label notes.csv --out run
  labelwright review init project --label-set chexpert-14
  labelwright review user add project anna --role admin
  labelwright review import project notes.csv --pred run
  labelwright review serve project
"""


@dataclass(frozen=True, kw_only=True)
class InitOptions(ProjectOptions):
    """Of ``init``."""

    label_set: str = flag("what is asked of the notes", required=True, metavar="NAME|FILE")
    database: str = flag(
        "postgresql://user@host/name (default: SQLite in the folder)", default="", metavar="URL"
    )
    models: str = flag(
        "where models are kept: a folder or s3://bucket/prefix (default: in the folder)",
        default="",
        metavar="DIR|URL",
    )
    blind_every: int = flag(
        "one of N notes is drawn at random and shown without proposals (default: 5)",
        default=5,
        type=positive,
        metavar="N",
    )
    double: float = flag(
        "share of the notes that two people annotate (default: 0)",
        default=0.0,
        type=share,
        metavar="SHARE",
    )
    seed: int = flag("of the draws (default: 0)", default=0, type=seed, metavar="N")


@dataclass(frozen=True, kw_only=True)
class ExportOptions(ProjectOptions):
    """Of ``export``."""

    out: Path = flag("where they go", required=True, type=Path, metavar="DIR")
    person: str = flag("what this annotator alone says", default="", metavar="NAME")
    silver: bool = switch("what labelers marked, after verdicts on phrases")
    overwrite: bool = switch("replace an earlier export")


@dataclass(frozen=True, kw_only=True)
class AgreementOptions(ProjectOptions):
    """Of ``agreement``."""

    out: Path | None = flag("the numbers as a table", type=Path, metavar="FILE.csv")


@dataclass(frozen=True, kw_only=True)
class BackupOptions(ProjectOptions):
    """Of ``backup``."""

    out: Path = flag("a new folder", required=True, type=Path, metavar="DIR")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Verbs and their flags."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    retrain = add_verbs(parser, VERBS)["retrain"]
    retrain.formatter_class = argparse.RawDescriptionHelpFormatter
    retrain.epilog = looping.EPILOG


def run(arguments: argparse.Namespace) -> int:
    """Carry out the verb."""
    for package in ("sqlalchemy", "starlette", "argon2", "re2", "uvicorn", "python_multipart"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "labelwright review", "review")
    verb = VERBS[arguments.verb]
    options = verb.options.from_flags(arguments)
    options.refuse_idle()
    said = verb.do(options)
    sys.stdout.write(f"{said}\n" if said else "")
    return 0


def _init(options: InitOptions) -> str:
    from review.kinds.forms import form_of
    from review.store.store import Settings, create

    label_set = LabelSet.load(options.label_set)
    form_of(label_set)
    settings = Settings(options.blind_every, options.double, options.seed)
    where = {"database": options.database, "models": options.models}
    create(options.project, label_set, settings, **where)
    return (
        f"{options.project}: a project for {label_set.name}\n"
        f"next: labelwright review user add {options.project} NAME --role admin"
    )


def _export(options: ExportOptions) -> str:
    from labelwright.runtime.progress import progress_bar
    from review.exporting import export, export_silver
    from review.importing import mover

    store = opened(options)
    if options.silver:
        options.refuse(("person",), "is not for --silver")
        counts = export_silver(store, options.out, overwrite=options.overwrite)
        return ", ".join(f"{count} {name}" for name, count in counts.items())
    with progress_bar(desc="exporting", unit=" notes", leave=False) as bar:
        done = export(
            store,
            options.out,
            person=options.person,
            overwrite=options.overwrite,
            seen=mover(bar),
        )
    lines = []
    for part, count in done.notes.items():
        items = done.items.get(part)
        more = "" if items is None else f", {amount(items, 'item')}"
        lines.append(f"{part}: {amount(count, 'note')}{more}")
    return "\n".join([*lines, str(options.out)])


def _index(options: ProjectOptions) -> str:
    from review.store.trigrams import build

    build(opened(options))
    return "the index is there; notes that come are added to it"


def _phrases(options: ProjectOptions) -> str:
    from review.kinds.forms import form_of
    from review.store.phrases import gather

    store = opened(options)
    found, fresh = gather(store, form_of(store.label_set))
    return f"{amount(found, 'phrase')}, {fresh} of them new; decide on the page Phrases"


def _agreement(options: AgreementOptions) -> str:
    import csv
    from dataclasses import asdict, fields

    from eval.stats.resampling import bootstrap_score
    from labelwright.io.jsonl import atomic_write
    from review.agreement import Row, agreement
    from review.kinds.forms import form_of

    store = opened(options)
    with store.reading() as connection:
        found = agreement(connection, form_of(store.label_set), bootstrap_score)
    if options.out is not None:
        with atomic_write(options.out) as handle:
            writer = csv.DictWriter(handle, [field.name for field in fields(Row)])
            writer.writeheader()
            writer.writerows(asdict(row) for row in found.rows)
    if not found.rows:
        return "no two sides have finished the same notes yet"
    lines = []
    for row in found.rows:
        between = "" if row.low is None else f" ({row.low:.3f} to {row.high:.3f})"
        lines.append(
            f"{row.one} / {row.other}: {row.measure}, {row.label}: "
            f"{row.number}{between}, {amount(row.notes, 'note')}"
        )
    return "\n".join(lines)


def _check(options: ProjectOptions) -> str:
    from labelwright.io.lock import locked
    from review.checking import problems
    from review.leftovers import sweep
    from review.store import events

    store = opened(options)
    with suppress(OutputError), locked(options.project):  # else a server runs
        if left := sweep(store):
            sys.stdout.write(f"{amount(left, 'file')} of an import that was killed deleted\n")
    count = 0
    for problem in problems(store):
        count += 1
        sys.stdout.write(problem + "\n")
    with store.reading() as connection:
        number, digest = events.head(connection)
    sys.stdout.write(f"{number} events, last hash {digest}\n")
    if count:
        raise InputError(
            amount(count, "problem"), remedy="restore a backup", source=options.project
        )
    return "the project is whole"


def _backup(options: BackupOptions) -> str:
    from review.checking import backup

    facts = backup(opened(options), options.out)
    last = facts["last_event"]
    files = amount(len(facts["files"]), "file")
    return f"{options.out}: {files}, event {last['number']}\nlast hash {last['hash']}"


VERBS = {
    "init": Verb("a new project", InitOptions, _init),
    "user": Verb(
        "people: add, list, password, role, disable, enable", people.PersonOptions, people.change
    ),
    "import": Verb(
        "notes, annotations and predictions into a project", taking.ImportOptions, taking.take
    ),
    "serve": Verb("open the pages to browsers", serving.ServerOptions, serving.serve),
    "export": Verb("finished notes -> what build and eval read", ExportOptions, _export),
    "index": Verb("make search for rare patterns quick", ProjectOptions, _index),
    "phrases": Verb("wordings of the newest predictions, to decide on", ProjectOptions, _phrases),
    "agreement": Verb("how far people and labelers agree", AgreementOptions, _agreement),
    "models": Verb("versions of models", looping.ModelOptions, looping.models),
    "retrain": Verb(
        "train on what is finished, label all notes anew", looping.RetrainOptions, looping.retrain
    ),
    "label": Verb("let the chosen model read all notes", looping.ReadOptions, looping.label),
    "check": Verb("whether the project is whole", ProjectOptions, _check),
    "backup": Verb("a copy, also while the server runs", BackupOptions, _backup),
}
