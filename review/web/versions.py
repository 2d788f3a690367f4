"""The page of models: versions sent, chosen and fetched."""

from __future__ import annotations

import secrets
import shutil
import tarfile

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from labelwright.errors import InputError
from review import models
from review.leftovers import UPLOADS
from review.store import events
from review.store.events import Happening
from review.web.site import Ask, DeniedError


def show(ask: Ask) -> Response:
    """All versions, the newest first."""
    return ask.page("models.html", models=models.models(ask.site.store)[::-1])


def add(ask: Ask) -> Response:
    """Take a model in: a folder of files or a tar file."""
    upload = ask.upload
    if upload is None or not upload.files:
        raise DeniedError(422, "choose a folder or a tar file first")
    first = upload.files[0]
    tar = len(upload.files) == 1 and first.name.endswith((".tar", ".tar.gz", ".tgz"))
    source = first.path if tar else upload.folder
    models.add_model(ask.site.store, upload.fields.get("name", ""), source, ask.who.id)
    return ask.go("/models")


def choose(ask: Ask) -> Response:
    """Make a version the one that labels and is trained further."""
    name, version = ask.fields.get("name", ""), ask.fields.get("version", "")
    models.choose(ask.site.store, name, version, ask.who.id)
    return ask.go("/models")


def fetch(ask: Ask) -> Response:
    """A version as a tar file, every file of it compared with its hash."""
    name, version = ask.query("name"), ask.query("version")
    folder = ask.site.store.folder / UPLOADS / secrets.token_hex(8)
    folder.mkdir(parents=True, mode=0o700)
    try:
        kept = models.get_model(ask.site.store, name, version, folder / "model")
        path = folder / "model.tar"
        with tarfile.open(path, "w") as tar:
            tar.add(folder / "model", f"{kept.name}-{kept.version[:12]}")
        shutil.rmtree(folder / "model")
    except InputError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise DeniedError(404, error.what) from None
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise DeniedError(507, "there is no room for the file") from None
    with ask.site.store.writing() as connection:
        after = {"model": kept.name, "version": kept.version}
        events.append(connection, Happening("model fetched", ask.who.id, after=after))
    return FileResponse(
        path,
        media_type="application/x-tar",
        filename=f"{kept.name}-{kept.version[:12]}.tar",
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )
