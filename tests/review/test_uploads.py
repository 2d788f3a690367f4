"""What an admin sends through the browser, and what others try to send."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest
import uvicorn
from review_browsing import Browser
from review_tools import (
    PASSWORD,
    TEXTS,
    TYPES,
    entity,
    prediction,
    project,
    quick_passwords,
    take_in,
)

from labelwright.cli import main
from labelwright.io.lock import locked
from review import loop
from review.checking import problems
from review.leftovers import IMPORTS, UPLOADS
from review.models import models
from review.store.people import add_person
from review.store.store import Store
from review.web import imports, uploads

HEADER = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
MODEL = {
    "model.safetensors": struct.pack("<Q", len(HEADER)) + HEADER + b"\0\0\0\0",
    "config.json": b"{}",
    "label_set.yaml": TYPES.encode(),
}


def here(command: list[str], log: IO[bytes]) -> int:
    """Run a command in this process instead of one of its own."""
    said = io.TextIOWrapper(log, write_through=True)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(command)
    said.detach()
    return code


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    made = project(tmp_path / "p")
    quick_passwords(monkeypatch)
    monkeypatch.setattr(loop, "process", here)
    for name, role in (("anna", "annotator"), ("ada", "admin")):
        add_person(made, name, role, PASSWORD)
    yield made
    made.close()


@pytest.fixture
def ada(store: Store) -> Browser:
    browser = Browser(store)
    browser.login("ada")
    return browser


def send(browser: Browser, path: str, files: dict[str, bytes], **fields: str) -> Any:
    """Send a form with files; its token is in a header, as in no real form, or in ``form``."""
    given = [("files", (name, io.BytesIO(body))) for name, body in files.items()]
    data = {"form": browser.token} | fields
    return browser.client.post(path, data=data, files=given or [("files", ("", b""))])


def take(browser: Browser, files: dict[str, bytes], **fields: str) -> str:
    """Send an import and wait until it has ended; gives the page."""
    assert send(browser, "/imports", files, **fields).status_code == 303
    for thread in threading.enumerate():
        if thread.name.startswith("import"):
            thread.join()
    return str(browser.get("/imports").text)


def test_notes_and_predictions_are_sent_and_the_files_are_gone(store: Store, ada: Browser) -> None:
    table = b"key,what\nn1,Gout is seen.\nn2,\nn3,No asthma.\n"
    page = take(ada, {"my notes.csv": table}, **{"id-column": "key", "text-columns": "what"})
    assert "2 notes added" in page
    assert "my notes.csv" in page
    assert "<td>n2</td>" in page
    row = prediction("n1", [entity("Gout is seen.", "Gout")])
    page = take(ada, {"predictions.jsonl": json.dumps(row).encode()}, what="predictions")
    assert "1 proposal on 1 note" in page
    assert "<td>n2</td>" not in page
    page = take(ada, {"odd.csv": b"a,b\n1,2\n"})
    assert "failed" in page
    kept = [path.name for path in (store.folder / IMPORTS).rglob("*") if path.is_file()]
    assert sorted(kept) == sorted(["import.json", "log.txt"] * 3)
    assert not list((store.folder / "uploads").iterdir())
    with store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT kind, person, after FROM event").all()
    assert [row.person for row in rows if row.kind == "files sent"] == [2, 2, 2]
    assert "Gout" not in str(rows)
    assert list(problems(store)) == []


def test_files_have_any_names_and_are_gone_whatever_happens(
    store: Store, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the names of what is kept of an import, and where no process can be started."""
    notes = {"import.json": b'{"id": "n1", "text": "Gout."}\n', "log.txt": b"No asthma."}
    assert "2 notes added" in take(ada, notes)

    def full(command: list[str], log: IO[bytes]) -> int:
        raise OSError

    monkeypatch.setattr(loop, "process", full)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    assert "failed" in take(ada, {"n.csv": b"id,text\n1,x\n"})
    kept = [path.name for path in (store.folder / IMPORTS).rglob("*") if path.is_file()]
    assert sorted(kept) == sorted(["import.json", "log.txt"] * 2)
    assert not ada.app.state.site.importing.locked()


def test_only_admins_send_and_only_from_the_site_itself(store: Store, ada: Browser) -> None:
    anna = Browser(store)
    anna.login("anna")
    notes = {"n.jsonl": b'{"id": "n1", "text": "x"}\n'}
    for path in ("/imports", "/models"):
        assert send(anna, path, notes).status_code == 403
        assert send(Browser(store), path, notes).status_code == 401
        assert send(ada, path, notes, form="guessed").status_code == 403
        ada.client.headers["origin"] = "https://evil.example"
        assert send(ada, path, notes).status_code == 403
        del ada.client.headers["origin"]
        assert send(ada, path, {}).status_code == 422
    assert not (store.folder / IMPORTS).exists()
    assert not any(path.is_file() for path in (store.folder / "uploads").rglob("*"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../../evil.csv", "leads elsewhere"),
        ("/etc/evil.csv", "leads elsewhere"),
        ("a/../../evil.csv", "leads elsewhere"),
        ("..\\evil.csv", "leads elsewhere"),
        (".hidden.csv", "letters, digits"),
        ("-x.csv", "letters, digits"),
        ("a\x00.csv", "letters, digits"),
        ("n" * 200, "letters, digits"),
        ("folder/notes.csv", "not a folder"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(
    store: Store, ada: Browser, name: str, said: str
) -> None:
    body = (
        f'--b\r\nContent-Disposition: form-data; name="form"\r\n\r\n{ada.token}\r\n'
        f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        "x\r\n--b--\r\n"
    )
    answer = ada.client.post(
        "/imports", content=body, headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code in (400, 422)
    assert said in answer.text
    assert not list(store.folder.parent.rglob("*evil*"))
    assert not list((store.folder / "uploads").iterdir())


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"x"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"no form at all"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nx',
        ),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X: y\r\n" * 99 + b"\r\nx\r\n--b--"),
    ],
)
def test_bodies_that_are_no_forms_are_refused(
    store: Store, ada: Browser, kind: str, body: bytes
) -> None:
    answer = ada.client.post("/models", content=body, headers={"content-type": kind})
    assert answer.status_code == 400
    assert not (store.folder / "uploads").exists() or not list((store.folder / "uploads").iterdir())


def test_uploads_have_an_end(store: Store, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LARGEST", 1 << 20)
    assert send(ada, "/models", {"model.safetensors": b"x" * (2 << 20)}).status_code == 413
    assert send(ada, "/models", MODEL, name="n" * 3000).status_code == 413
    many = {f"{n}.json": b"{}" for n in range(uploads.MOST_FILES + 1)}
    assert send(ada, "/models", many, name="m").status_code == 413
    assert not list((store.folder / "uploads").iterdir())


def test_models_are_sent_chosen_and_fetched(store: Store, ada: Browser) -> None:
    """A folder as browsers send it, with a checkpoint below that is no part of the model."""
    files = {f"m/{name}": body for name, body in MODEL.items()}
    sent = files | {"m/checkpoint-1/optimizer.pt": b"\x80\x04"}
    assert send(ada, "/models", sent, name="first").status_code == 303
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in (MODEL | {"config.json": b'{"a": 1}'}).items():
            member = tarfile.TarInfo(f"model/{name}")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    assert send(ada, "/models", {"m.tar.gz": buffer.getvalue()}, name="first").status_code == 303
    one, two = models(store)
    assert set(one.files) == set(MODEL)
    assert ada.post("/models/choose", {"name": "first", "version": two.version}).status_code == 303
    assert [each.chosen for each in models(store)] == [False, True]
    assert two.version[:12] in ada.get("/models").text
    answer = ada.client.get("/models/get", params={"name": "first", "version": one.version})
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        found = {
            Path(member.name).name: tar.extractfile(member).read()  # type: ignore[union-attr]
            for member in tar
            if member.isfile()
        }
    assert found == MODEL
    assert ada.client.get("/models/get", params={"name": "../first"}).status_code == 404
    assert not list((store.folder / "uploads").iterdir())


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("pytorch_model.bin", b"\x80\x04", "is no file of a model folder"),
        ("evil.pkl", b"\x80\x04", "is no file of a model folder"),
        ("m.zip", b"PK\x03\x04", "is no file of a model folder"),
        ("model.safetensors", b"\x80\x04.", "is no sound safetensors file"),
        ("config.json", b'{"auto_map": {"AutoModel": "x.Y"}}', "asks for code of its own"),
    ],
)
def test_what_is_no_model_is_refused(
    store: Store, ada: Browser, name: str, body: bytes, said: str
) -> None:
    answer = send(ada, "/models", MODEL | {name: body}, name="m")
    assert answer.status_code == 422
    assert said in answer.text
    assert str(store.folder) not in answer.text
    assert models(store) == []
    assert not list((store.folder / "uploads").iterdir())


def test_what_a_killed_server_left_of_an_import_is_deleted_at_the_next_start_and_check(
    store: Store, ada: Browser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """But not what lies where a model is being unpacked at this moment, nor beside a server."""
    never = SimpleNamespace(start=lambda: None)
    monkeypatch.setattr(imports, "Thread", lambda **_: never)  # killed before it began
    notes = {"n.csv": b"id,text\n1,Gout.\n"}
    half, unpacked = store.folder / UPLOADS / "half", store.folder / UPLOADS / "unpacked"
    send(ada, "/imports", notes)
    for folder in (half, unpacked):
        folder.mkdir()
        (folder / "part.csv").write_bytes(b"id,te")

    def left() -> list[str]:
        return sorted(path.name for path in store.folder.rglob("*.csv"))

    assert left() == ["n.csv", "part.csv", "part.csv"]
    with locked(store.folder):
        assert main(["review", "check", str(store.folder)]) == 0
    assert len(left()) == 3
    with locked(unpacked):
        assert main(["review", "check", str(store.folder)]) == 0
        assert left() == ["part.csv"]
    assert "2 files of an import that was killed deleted" in capsys.readouterr().out
    monkeypatch.setattr(uvicorn, "run", lambda *_, **__: None)
    assert main(["review", "serve", str(store.folder)]) == 0
    assert "1 file deleted; send them again" in capsys.readouterr().out
    assert left() == []
    fresh = Browser(store)
    fresh.login("ada")
    assert "broken off" in fresh.get("/imports").text


def test_one_import_runs_at_a_time(store: Store, ada: Browser) -> None:
    take_in(store, TEXTS)
    assert ada.app.state.site.importing.acquire(blocking=False)
    assert send(ada, "/imports", {"n.csv": b"id,text\n1,x\n"}).status_code == 503
    assert not (store.folder / IMPORTS).exists()
    ada.app.state.site.importing.release()
