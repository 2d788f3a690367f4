"""``labelwright review import``: notes, annotations and predictions into a project."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelwright.commands.input_flags import OptionalReadingOptions
from labelwright.commands.review.project import ProjectOptions, opened
from labelwright.errors import ConfigError, InputError, MissingExtraError
from labelwright.options import flag, positive
from labelwright.records import Reject, Report

WAIT_MS = 5000


def _fields(text: str) -> tuple[str, str, str]:
    names = [name.strip() for name in text.split(",")]
    if len(names) not in (2, 3) or not all(names):
        raise argparse.ArgumentTypeError("must be ID,TEXT or ID,TEXT,PATIENT")
    return names[0], names[1], names[2] if len(names) == 3 else ""


@dataclass(frozen=True, kw_only=True)
class ImportOptions(OptionalReadingOptions, ProjectOptions, group="review"):
    """Of ``import``."""

    pred: tuple[Path, ...] = flag(
        "folder of labelwright label, or its predictions.jsonl: proposals; repeatable",
        default=(),
        action="append",
        type=Path,
        metavar="DIR|FILE",
    )
    annotations: str = flag(
        "take the input's entities in as the finished work of this person",
        default="",
        metavar="NAME",
    )
    labels: Path | None = flag(
        "with --annotations: the values, as labelwright build takes them",
        beside="annotations",
        type=Path,
        metavar="FILE",
    )
    mongo: str | None = flag("notes of a MongoDB: mongodb://user@host/database", metavar="URI")
    mongo_collection: str | None = flag("the collection they are in", metavar="NAME")
    mongo_fields: tuple[str, str, str] = flag(
        "its fields (default: _id,text)",
        default=("_id", "text", ""),
        beside="mongo",
        type=_fields,
        metavar="ID,TEXT[,PATIENT]",
    )
    round: int | None = flag(
        "round of training of --pred", beside="pred", type=positive, metavar="N"
    )


def take(options: ImportOptions) -> str:
    """Take everything in; what it brought."""
    from labelwright.commands.evidence import as_labeled
    from labelwright.results import left_to_cut
    from labelwright.text.sections import SectionCut
    from review import importing

    if (options.mongo is None) != (options.mongo_collection is None):
        raise ConfigError("--mongo and --mongo-collection go together", remedy="give both")
    if not options.files and not options.pred and options.mongo is None:
        raise ConfigError("nothing to import", remedy="name files with notes, or --pred")
    store = opened(options)
    reading, read = options.reading, []
    for path in options.pred:
        folder = path if path.is_dir() else path.parent
        reading, sections = as_labeled(reading, options.files, folder)
        read.append(sections)
    sections = store.keep_to(read)
    cut = SectionCut(left_to_cut(options.files, sections)).stream
    done = importing.import_all(
        store,
        importing.Given(options.files, reading, _of_mongo(options), cut),
        predictions=options.pred,
        annotator=options.annotations,
        labels=options.labels,
        number=options.round,
    )
    said = "\n".join(done.lines())
    if done.empty:
        sys.stdout.write(said + "\n")
        raise InputError("nothing could be imported", remedy="see rejects.jsonl in the project")
    return said


def _of_mongo(options: ImportOptions) -> Iterable[Report | Reject]:
    if options.mongo is None:
        return ()
    identifier, text, patient = options.mongo_fields
    return read_mongo(
        options.mongo,
        str(options.mongo_collection),
        id_field=identifier,
        text_field=text,
        patient_field=patient,
    )


def read_mongo(
    address: str, collection: str, *, id_field: str, text_field: str, patient_field: str = ""
) -> Iterator[Report | Reject]:
    """Yield the documents of a collection as reports, in the order of their ids.

    Args:
        address: ``mongodb://user@host/database``; the password is that of the environment's
            ``MONGO_PASSWORD``.
        collection: its name.

    Raises:
        ConfigError: the address names no database, or holds a password.
        InputError: the server cannot be reached, or refuses.
        MissingExtraError: pymongo is not installed.
    """
    try:
        import pymongo
        from pymongo.errors import PyMongoError
        from pymongo.uri_parser import parse_uri
    except ModuleNotFoundError:
        raise MissingExtraError("pymongo", "MongoDB", "review-mongo") from None
    try:
        parts = parse_uri(address)
        name = parts["database"]
        if not name:
            raise ConfigError(
                "the address names no database", remedy="give mongodb://host/database"
            )
        wanted = {field: 1 for field in (id_field, text_field, patient_field) if field}
        if parts["password"]:
            raise ConfigError(
                "the address holds a password", remedy="set MONGO_PASSWORD, and leave it out here"
            )
        login: dict[str, Any] = {}
        if parts["username"]:
            login = {"username": parts["username"], "password": os.environ.get("MONGO_PASSWORD")}
        client: Any = pymongo.MongoClient(address, serverSelectionTimeoutMS=WAIT_MS, **login)
        with client:
            found = client[name][collection].find({}, wanted).sort("_id", 1)
            for row, document in enumerate(found, 1):
                yield _report(document, collection, row, (id_field, text_field, patient_field))
    except PyMongoError as error:
        raise InputError(
            f"the MongoDB server cannot be read ({type(error).__name__})",
            remedy="check the address, and that this machine may read the collection",
        ) from None


def _report(
    document: Any, collection: str, row: int, fields: tuple[str, str, str]
) -> Report | Reject:
    id_field, text_field, patient_field = fields
    identifier, text = document.get(id_field), document.get(text_field)
    if identifier is None:
        return Reject(None, collection, row, f"no {id_field}")
    if not isinstance(text, str):
        return Reject(str(identifier), collection, row, f"no text in {text_field}")
    patient = document.get(patient_field) if patient_field else None
    return Report(
        str(identifier), text, collection, row, patient=None if patient is None else str(patient)
    )
