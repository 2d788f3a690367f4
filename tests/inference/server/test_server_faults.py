"""Model servers that fail, refuse, hang, redirect or lie."""

from __future__ import annotations

import csv
import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_tools import (
    HANG,
    LABELS,
    LINE,
    RESET,
    Reply,
    Server,
    fails,
    report_in,
    says,
    serving,
)

from inference.server.client import KEY_VARIABLE, Retry
from inference.server.labeler import TRIAL, ServerLabeler
from labelwright.cli import main
from labelwright.errors import ServerError
from labelwright.records import Certainty, Prediction, Reject, Report

CANARY = "canary-6f20"
QUICK = Retry(tries=3, limited_tries=4, first=0.001)
TEXTS = ("Mild edema.", f"No fracture. {CANARY}", "Clear lungs.", "Small effusion.", "Old rib.")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def connect(server: Server, **more: Any) -> ServerLabeler:
    options = {"label_set": LABELS, "concurrency": 2, "timeout": 5.0, "retry": QUICK} | more
    return ServerLabeler.connect(server.url, "chest", **options)


def reports(texts: tuple[str, ...] = TEXTS) -> list[Report]:
    return [Report(f"r{row}", text, "table.csv", row) for row, text in enumerate(texts, 1)]


def once_then_well(server: Server, first: Reply) -> None:
    """Every report fails at its first request and is answered at its second."""
    asked: set[str] = set()

    def behave(number: int, body: dict[str, Any]) -> Reply:
        text = report_in(body)
        new = text not in asked
        asked.add(text)
        return first if new else says(LINE)

    server.behave = behave


def command(server: Server, tmp_path: Path, *more: str) -> list[str]:
    table = tmp_path / "reports.csv"
    if not table.exists():
        with open(table, "w", newline="") as handle:
            rows = [(f"r{row}", text) for row, text in enumerate(TEXTS)]
            csv.writer(handle).writerows([("id", "text"), *rows])
    flags = ("--model", "chest", "--label-set", "chexpert-14", "--server", server.url)
    return ["label", str(table), *flags, "--out", str(tmp_path / "out"), *more]


@pytest.mark.parametrize(
    "first",
    [
        fails(429, retry_after="0"),
        fails(500),
        fails(503),
        (200, {}, b'{"choices": [{"mess'),
        (200, {}, b"[1, 2]"),
        RESET,
    ],
)
def test_what_passes_is_tried_again(server: Server, first: Reply) -> None:
    labeler = connect(server)
    once_then_well(server, first)
    answers = labeler.label_reports(reports())
    assert [answer.id for answer in answers] == ["r1", "r2", "r3", "r4", "r5"]
    for answer in answers:
        assert isinstance(answer, Prediction)
        assert answer.complete
        assert answer.labels["Edema"] is Certainty.POSITIVE
        assert answer.raw == LINE
    assert len(server.seen) == 1 + 2 * len(TEXTS)


def test_a_server_that_asks_for_time_gets_it(server: Server) -> None:
    labeler = connect(server, concurrency=5)
    once_then_well(server, fails(429, retry_after="0.4"))
    began = time.monotonic()
    labeler.label_reports(reports())
    assert 0.4 <= time.monotonic() - began < 30, "about as long as it asked for"
    assert Retry().wait(0, asked=3600.0) == 60.0
    assert all(0.25 <= Retry().wait(0) <= 0.5 for _ in range(50))
    assert all(15 <= Retry().wait(30) <= 30 for _ in range(50))


def test_a_server_that_fails_for_ever_ends_the_run_and_it_can_go_on(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr("inference.server.client.Retry.wait", lambda *_: 0.001)
    server.behave = lambda number, body: (
        says(LINE) if report_in(body) in {TRIAL, TEXTS[0]} else fails(500, CANARY)
    )
    words = command(server, tmp_path, "--shard-rows", "1", "--concurrency", "1")
    # The first report is answered, so the server is there, and each of the others is to blame.
    assert main(words) == 0
    assert "1 labeled, 4 rejected" in capfd.readouterr().out
    server.behave = lambda number, body: fails(500, CANARY) if number > 0 else says(LINE)
    server.seen.clear()
    again = [*words[:-6], "--out", str(tmp_path / "new"), *words[-4:]]
    assert main(again) == 2
    said = capfd.readouterr()
    assert f"127.0.0.1:{server.server_address[1]} failed on a request (HTTP 500); see" in said.err
    assert CANARY not in said.err + said.out
    server.behave = lambda number, body: says(LINE)
    assert main(again) == 0
    assert "5 labeled, 0 rejected" in capfd.readouterr().out
    assert (tmp_path / "new" / "manifest.json").is_file()


def test_a_report_that_hangs_the_server_is_rejected_and_the_others_are_labeled(
    server: Server,
) -> None:
    labeler = connect(server, timeout=6.0, retry=Retry(tries=1, first=0.001))
    server.behave = lambda number, body: HANG if CANARY in report_in(body) else says(LINE)
    answers = labeler.label_reports(reports())
    assert [type(answer) for answer in answers] == [
        Prediction,
        Reject,
        Prediction,
        Prediction,
        Prediction,
    ]
    assert isinstance(answers[1], Reject)
    assert answers[1].reason == (
        "the server gave no answer within 6 seconds, though it answers others"
    )


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_report_that_the_server_refuses_is_rejected(server: Server, concurrency: int) -> None:
    labeler = connect(server, concurrency=concurrency)
    server.behave = lambda number, body: (
        fails(422, CANARY) if CANARY in report_in(body) else says(LINE)
    )
    answers = labeler.label_reports(reports())
    rejects = [answer for answer in answers if isinstance(answer, Reject)]
    assert [(reject.id, reject.row) for reject in rejects] == [("r2", 2)]
    assert rejects[0].reason == "the server refuses a request (HTTP 422), though it answers others"


def test_reports_beyond_the_context_are_rejected(server: Server) -> None:
    labeler = connect(server)
    server.behave = lambda number, body: (
        fails(400, "This model's maximum context length is 2048 tokens. However, ...")
        if CANARY in report_in(body)
        else says(LINE)
    )
    answer = labeler.label_reports(reports())[1]
    assert isinstance(answer, Reject)
    assert answer.reason == "too long for the server's model"
    assert sum(CANARY in report_in(body) for body in server.seen) == 1


def test_a_prompt_longer_than_the_model_that_a_server_took_is_rejected(server: Server) -> None:
    row = {"id": "chest", "owned_by": "vllm", "max_model_len": 600}
    server.models = (200, {}, json.dumps({"data": [row]}).encode())
    usage = {"choices": [{"message": {"content": LINE}}], "usage": {"prompt_tokens": 590}}
    labeler = connect(server)
    server.behave = lambda number, body: (200, {}, json.dumps(usage).encode())
    (answer,) = labeler.label_reports(reports(("Clear.",)))
    assert isinstance(answer, Reject)
    assert answer.reason.startswith("too long for the model: 590 prompt tokens and up to ")
    assert answer.reason.endswith("answer tokens, context 600")


def test_no_redirect_is_followed(server: Server) -> None:
    with serving() as other:
        labeler = connect(server)
        server.behave = lambda number, body: fails(307, location=other.url + "/chat/completions")
        with pytest.raises(ServerError, match=r"sends requests on to another address \(HTTP 307\)"):
            labeler.label_reports(reports())
        assert other.paths == []


def test_ctrl_c_ends_a_wait_at_once(server: Server) -> None:
    labeler = connect(server, timeout=60.0)
    server.behave = lambda number, body: HANG
    began = time.monotonic()
    us = threading.get_ident()
    threading.Timer(0.3, signal.pthread_kill, [us, signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        labeler.label_reports(reports())
    assert time.monotonic() - began < 15, "the server would be silent for 20 seconds"


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    assert main(command(server, tmp_path)) == 0
    assert {headers.get("authorization") for headers in server.headers} == {None}
    server.headers.clear()
    monkeypatch.setenv(KEY_VARIABLE, "sk-secret-81")
    words = [*command(server, tmp_path)[:-1], str(tmp_path / "out2")]
    assert main(words) == 0
    assert {headers.get("authorization") for headers in server.headers} == {"Bearer sk-secret-81"}
    said = capfd.readouterr()
    written = "".join(path.read_text() for path in (tmp_path / "out2").iterdir() if path.is_file())
    assert "sk-secret" not in said.out + said.err + written
    server.models = fails(401)
    assert main([*words[:-1], str(tmp_path / "out3")]) == 2
    assert (
        f"does not let us in (HTTP 401); set its key in the environment variable {KEY_VARIABLE}"
        in (capfd.readouterr().err)
    )


def test_a_key_with_a_line_end_is_refused(server: Server, monkeypatch: Any) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sk-1\nx: y")
    with pytest.raises(ServerError, match="holds characters that no key has"):
        connect(server)


@pytest.mark.parametrize(
    ("models", "flags", "message"),
    [
        (None, ("--model", "chess"), "has no model 'chess'; give --model as the server names it:"),
        (fails(404), (), "has no such page or model (HTTP 404); check the end of --server"),
        ((200, {}, b"<html>"), (), "something that is no JSON object"),
        ((200, {}, b"{}"), (), "does not list its models as OpenAI's interface does"),
        (fails(502), (), "failed on a request (HTTP 502); start it and wait until it is ready"),
    ],
)
def test_servers_that_cannot_be_used(
    server: Server,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    models: Reply | None,
    flags: tuple[str, ...],
    message: str,
) -> None:
    if models is not None:
        server.models = models
    assert main(command(server, tmp_path, *flags)) == 2
    said = capfd.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert server.seen == []
    assert not (tmp_path / "out").exists()


def test_nobody_listens(server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = command(server, tmp_path)
    server.shutdown()
    server.server_close()
    assert main(words) == 2
    said = capfd.readouterr().err
    assert "refuses the connection or is not running; start it and wait" in said
    assert said.count("\n") == 1


def test_no_proxy_stands_between_us_and_this_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert len(connect(server).label_reports(reports())) == len(TEXTS)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--device", "cpu"), "--device does not apply to a model behind a server"),
        (("--rules", "r.yaml"), "--rules does not apply to a model behind a server"),
        (("--decode", "one-pass"), "--decode one-pass is not possible through a server; choose"),
        (("--concurrency", "0"), "--concurrency: must be a whole number of at least 1"),
        (("--server", "http://192.0.2.1"), "give --allow-remote if that is permitted"),
    ],
)
def test_flags_that_cannot_work(
    server: Server,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    message: str,
) -> None:
    try:
        code = main(command(server, tmp_path, *flags))
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 2
    said = capfd.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_server_flags_are_for_a_server(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = command(server, tmp_path)
    place = words.index("--server")
    words = [*words[:place], *words[place + 2 :], "--concurrency", "2", "--allow-remote"]
    assert main(words) == 2
    assert (
        "--concurrency, --allow-remote do not apply to a generative model" in capfd.readouterr().err
    )
