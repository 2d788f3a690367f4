"""Notes from a MongoDB collection, for ``labelwright review import --mongo``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from labelwright.errors import ConfigError, InputError, MissingExtraError
from labelwright.records import Reject, Report

WAIT_MS = 5000


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
