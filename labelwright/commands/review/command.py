"""``labelwright review``: people correct what a labeler said, and the next one learns from it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.commands.input_flags import OptionalReadingOptions
from labelwright.commands.review import looping, serving
from labelwright.errors import ConfigError, InputError, MissingExtraError
from labelwright.label_set import LabelSet
from labelwright.options import positive, seed, share
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from labelwright.records import Reject, Report
    from review.store.store import Store

EPILOG = """\
from reports and predictions to a page to work on
  labelwright label notes.csv --out run
  labelwright review init project --label-set chexpert-14
  labelwright review user add project anna --role admin
  labelwright review import project notes.csv --pred run
  labelwright review serve project
"""
ROLES = ("admin", "adjudicator", "annotator", "reader")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Verbs and their flags."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_init(verbs.add_parser("init", help="a new project"))
    user = verbs.add_parser("user", help="people: add, list, password, role, disable, enable")
    _project(user, action=True)
    load = verbs.add_parser("import", help="notes, annotations and predictions into a project")
    _add_import(load)
    serving.add_arguments(_project(verbs.add_parser("serve", help="open the pages to browsers")))
    out = _project(verbs.add_parser("export", help="finished notes -> what build and eval read"))
    out.add_argument("--out", required=True, type=Path, metavar="DIR", help="where they go")
    out.add_argument("--person", default="", metavar="NAME", help="what this annotator alone says")
    out.add_argument(
        "--silver", action="store_true", help="what labelers marked, after verdicts on phrases"
    )
    out.add_argument("--overwrite", action="store_true", help="replace an earlier export")
    _project(verbs.add_parser("index", help="make search for rare patterns quick"))
    _project(verbs.add_parser("phrases", help="wordings of the newest predictions, to decide on"))
    measure = _project(verbs.add_parser("agreement", help="how far people and labelers agree"))
    measure.add_argument("--out", type=Path, metavar="FILE.csv", help="the numbers as a table")
    looping.add_model_arguments(verbs.add_parser("models", help="versions of models"))
    looping.add_retrain_arguments(
        verbs.add_parser("retrain", help="train on what is finished, label all notes anew")
    )
    looping.add_label_arguments(
        verbs.add_parser("label", help="let the chosen model read all notes")
    )
    _project(verbs.add_parser("check", help="whether the project is whole"))
    copy = _project(verbs.add_parser("backup", help="a copy, also while the server runs"))
    copy.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
    for verb in verbs.choices.values():
        verb.add_argument("--debug", action="store_true", help="show tracebacks")


def _project(parser: argparse.ArgumentParser, *, action: bool = False) -> argparse.ArgumentParser:
    if action:
        parser.add_argument(
            "action", choices=("add", "list", "password", "role", "disable", "enable")
        )
    parser.add_argument("project", type=Path, metavar="DIR", help="the project's folder")
    if action:
        parser.add_argument("name", nargs="?", help="the person's name")
        parser.add_argument("--role", choices=ROLES, help="what they may do")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )
        parser.add_argument(
            "--no-password", action="store_true", help="only a proxy lets this person in"
        )
    return parser


def _add_init(parser: argparse.ArgumentParser) -> None:
    _project(parser)
    add = parser.add_argument
    add("--label-set", required=True, metavar="NAME|FILE", help="what is asked of the notes")
    add(
        "--database",
        default="",
        metavar="URL",
        help="postgresql://user@host/name (default: SQLite in the folder)",
    )
    add(
        "--models",
        default="",
        metavar="DIR|URL",
        help="where models are kept: a folder or s3://bucket/prefix (default: in the folder)",
    )
    add(
        "--blind-every",
        type=positive,
        default=5,
        metavar="N",
        help="one of N notes is drawn at random and shown without proposals (default: 5)",
    )
    add(
        "--double",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="share of the notes that two people annotate (default: 0)",
    )
    add("--seed", type=seed, default=0, metavar="N", help="of the draws (default: 0)")


def _add_import(parser: argparse.ArgumentParser) -> None:
    _project(parser)
    OptionalReadingOptions.add_flags(parser)
    group = parser.add_argument_group("review")
    group.add_argument(
        "--pred",
        action="append",
        type=Path,
        default=[],
        metavar="DIR|FILE",
        help="folder of labelwright label, or its predictions.jsonl: proposals; repeatable",
    )
    group.add_argument(
        "--annotations",
        metavar="NAME",
        default="",
        help="take the input's entities in as the finished work of this person",
    )
    group.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="with --annotations: the values, as labelwright build takes them",
    )
    group.add_argument(
        "--mongo", metavar="URI", help="notes of a MongoDB: mongodb://user@host/database"
    )
    group.add_argument("--mongo-collection", metavar="NAME", help="the collection they are in")
    group.add_argument(
        "--mongo-fields",
        type=_fields,
        default=("_id", "text", ""),
        metavar="ID,TEXT[,PATIENT]",
        help="its fields (default: _id,text)",
    )
    group.add_argument("--round", type=positive, metavar="N", help="round of training of --pred")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the verb."""
    _installed()
    verbs: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "init": _init,
        "user": _user,
        "import": _import,
        "serve": serving.run,
        "export": _export,
        "index": _index,
        "phrases": _phrases,
        "agreement": _agreement,
        "models": lambda given: looping.models(given, _open(given)),
        "retrain": lambda given: looping.retrain(given, _open(given)),
        "label": lambda given: looping.label(given, _open(given)),
        "check": _check,
        "backup": _backup,
    }
    return verbs[arguments.verb](arguments)


def _installed() -> None:
    for package in ("sqlalchemy", "starlette", "argon2", "re2", "uvicorn", "python_multipart"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "labelwright review", "review")


def _open(arguments: argparse.Namespace) -> Store:
    from review.store.store import open_store

    return open_store(arguments.project)


def _init(arguments: argparse.Namespace) -> int:
    from review.kinds.forms import form_of
    from review.store.store import Settings, create

    label_set = LabelSet.load(arguments.label_set)
    form_of(label_set)
    settings = Settings(arguments.blind_every, arguments.double, arguments.seed)
    create(
        arguments.project,
        label_set,
        settings,
        database=arguments.database,
        models=arguments.models,
    )
    sys.stdout.write(
        f"{arguments.project}: a project for {label_set.name}\n"
        f"next: labelwright review user add {arguments.project} NAME --role admin\n"
    )
    return 0


def _user(arguments: argparse.Namespace) -> int:
    from review.store import people, work

    store, action, name = _open(arguments), arguments.action, arguments.name
    if action == "list":
        with store.reading() as connection:
            for each in people.people(connection):
                sys.stdout.write(f"{each.name}\t{each.role}{chr(9) + 'off' * each.disabled}\n")
        return 0
    if not name:
        raise ConfigError("no name is given", remedy=f"labelwright review user {action} DIR NAME")
    if action in ("add", "role") and arguments.role is None:
        raise ConfigError("no role is given", remedy=f"give --role, one of: {', '.join(ROLES)}")
    if action == "add":
        password = None if arguments.no_password else _password(arguments)
        people.add_person(store, name, arguments.role, password)
    elif action == "password":
        people.set_password(store, name, _password(arguments))
    elif action == "role":
        people.set_role(store, name, arguments.role)
    else:
        people.set_disabled(store, name, action == "disable")
    if action in ("role", "disable", "enable"):
        work.release_unfit(store, name)
    sys.stdout.write(f"{name}: {action} done\n")
    return 0


def _password(arguments: argparse.Namespace) -> str:
    if arguments.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise ConfigError(
            "a password cannot be asked for without a terminal", remedy="give --password-stdin"
        )
    from getpass import getpass

    first = getpass("Password, 12 characters or more: ")
    if getpass("Again: ") != first:
        raise ConfigError("the two differ", remedy="try again")
    return first


def _import(arguments: argparse.Namespace) -> int:
    from review import importing

    if (arguments.mongo is None) != (arguments.mongo_collection is None):
        raise ConfigError("--mongo and --mongo-collection go together", remedy="give both")
    if not arguments.files and not arguments.pred and arguments.mongo is None:
        raise ConfigError("nothing to import", remedy="name files with notes, or --pred")
    if arguments.labels is not None and not arguments.annotations:
        raise ConfigError("--labels is for --annotations", remedy="say whose annotations they are")
    from inference.cut import SectionCut, left_to_cut
    from labelwright.commands.evidence import as_labeled

    store = _open(arguments)
    reading = OptionalReadingOptions.from_flags(arguments).reading
    read = []
    for path in arguments.pred:
        folder = path if path.is_dir() else path.parent
        reading, sections = as_labeled(reading, arguments.files, folder)
        read.append(sections)
    sections = store.keep_to(read)
    cut = SectionCut(left_to_cut(arguments.files, sections)).stream
    done = importing.import_all(
        store,
        importing.Given(arguments.files, reading, _of_mongo(arguments), cut),
        predictions=arguments.pred,
        annotator=arguments.annotations,
        labels=arguments.labels,
        number=arguments.round,
    )
    sys.stdout.write("\n".join(done.lines()) + "\n")
    if done.empty:
        raise InputError("nothing could be imported", remedy="see rejects.jsonl in the project")
    return 0


def _of_mongo(arguments: argparse.Namespace) -> Iterable[Report | Reject]:
    if arguments.mongo is None:
        return ()
    from labelwright.commands.review.mongo import read_mongo

    identifier, text, patient = arguments.mongo_fields
    return read_mongo(
        arguments.mongo,
        arguments.mongo_collection,
        id_field=identifier,
        text_field=text,
        patient_field=patient,
    )


def _fields(text: str) -> tuple[str, str, str]:
    names = [name.strip() for name in text.split(",")]
    if len(names) not in (2, 3) or not all(names):
        raise argparse.ArgumentTypeError("must be ID,TEXT or ID,TEXT,PATIENT")
    return names[0], names[1], names[2] if len(names) == 3 else ""


def _export(arguments: argparse.Namespace) -> int:
    from labelwright.runtime.progress import progress_bar
    from review.exporting import export, export_silver
    from review.importing import mover

    store = _open(arguments)
    if arguments.silver:
        counts = export_silver(store, arguments.out, overwrite=arguments.overwrite)
        sys.stdout.write(", ".join(f"{count} {name}" for name, count in counts.items()) + "\n")
        return 0
    with progress_bar(desc="exporting", unit=" notes", leave=False) as bar:
        done = export(
            store,
            arguments.out,
            person=arguments.person,
            overwrite=arguments.overwrite,
            seen=mover(bar),
        )
    for part, count in done.notes.items():
        items = done.items.get(part)
        more = "" if items is None else f", {amount(items, 'item')}"
        sys.stdout.write(f"{part}: {amount(count, 'note')}{more}\n")
    sys.stdout.write(f"{arguments.out}\n")
    return 0


def _index(arguments: argparse.Namespace) -> int:
    from review.store.trigrams import build

    build(_open(arguments))
    sys.stdout.write("the index is there; notes that come are added to it\n")
    return 0


def _phrases(arguments: argparse.Namespace) -> int:
    from review.kinds.forms import form_of
    from review.store.phrases import gather

    store = _open(arguments)
    found, fresh = gather(store, form_of(store.label_set))
    sys.stdout.write(
        f"{amount(found, 'phrase')}, {fresh} of them new; decide on the page Phrases\n"
    )
    return 0


def _agreement(arguments: argparse.Namespace) -> int:
    import csv
    from dataclasses import asdict

    from eval.stats.resampling import bootstrap_score
    from labelwright.io.jsonl import atomic_write
    from review.agreement import agreement
    from review.kinds.forms import form_of

    store = _open(arguments)
    with store.reading() as connection:
        found = agreement(connection, form_of(store.label_set), bootstrap_score)
    for row in found.rows:
        between = "" if row.low is None else f" ({row.low:.3f} to {row.high:.3f})"
        sys.stdout.write(
            f"{row.one} / {row.other}: {row.measure}, {row.label}: "
            f"{row.number}{between}, {amount(row.notes, 'note')}\n"
        )
    if not found.rows:
        sys.stdout.write("no two sides have finished the same notes yet\n")
    if arguments.out is not None:
        with atomic_write(arguments.out) as handle:
            writer = csv.DictWriter(handle, list(asdict(found.rows[0])) if found.rows else ["one"])
            writer.writeheader()
            writer.writerows(asdict(row) for row in found.rows)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from review.checking import problems
    from review.store import events

    store = _open(arguments)
    count = 0
    for problem in problems(store):
        count += 1
        sys.stdout.write(problem + "\n")
    with store.reading() as connection:
        number, digest = events.head(connection)
    sys.stdout.write(f"{number} events, last hash {digest}\n")
    if count:
        raise InputError(
            f"{count} problem{'s' * (count != 1)}",
            remedy="restore a backup",
            source=arguments.project,
        )
    sys.stdout.write("the project is whole\n")
    return 0


def _backup(arguments: argparse.Namespace) -> int:
    from review.checking import backup

    facts = backup(_open(arguments), arguments.out)
    last = facts["last_event"]
    sys.stdout.write(
        f"{arguments.out}: {amount(len(facts['files']), 'file')}, event {last['number']}\n"
    )
    sys.stdout.write(f"last hash {last['hash']}\n")
    return 0
