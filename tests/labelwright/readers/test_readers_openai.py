"""OpenAI batch files: told by their keys; the report is the last message of the user."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from fhir_examples import diagnostic_report, ndjson
from reading_tools import failure, read, saved, texts

from labelwright.errors import ConfigError
from labelwright.readers import ReadOptions, scan
from labelwright.records import Report


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def request(identifier: Any, *messages: Any, **body: Any) -> dict[str, Any]:
    """A line as https://platform.openai.com/docs/guides/batch describes it."""
    return {
        "custom_id": identifier,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o", "messages": list(messages), "max_tokens": 100} | body,
    }


SYSTEM = {"role": "system", "content": "You label reports."}
ANSWER = {"role": "assistant", "content": "Effusion positive."}


def test_the_last_user_message_is_the_report(tmp_path: Path) -> None:
    path = ndjson(
        tmp_path / "batch.jsonl",
        request("a", SYSTEM, user("IMPRESSION: Normal.")),
        request("b", SYSTEM, user("An example."), ANSWER, user("Clear lungs.")),
        request("c", user([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}])),
        request("d", user("Clear."), ANSWER),
    )
    items = read(path)
    assert [(i.id, i.row) for i in items] == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]
    assert texts(items) == ["IMPRESSION: Normal.", "Clear lungs.", "one\ntwo", "Clear."]
    assert isinstance(items[0], Report)
    assert [s.name for s in items[0].sections] == ["impression"]


def test_the_responses_api(tmp_path: Path) -> None:
    line = request("a")
    line["body"] = {"model": "gpt-4o", "input": "Clear."}
    parts = request("b")
    parts["body"] = {"input": [user([{"type": "input_text", "text": "Normal."}])]}
    assert texts(read(ndjson(tmp_path / "a.jsonl", line, parts))) == ["Clear.", "Normal."]


def test_lines_that_cannot_be_used(tmp_path: Path) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    plain = {"type": "text", "text": "a"}
    no_user = "no user message with plain text parts only"
    cases = [
        (request("a", user("Clear.")), "Clear."),
        (request("a", user("Clear.")), f"duplicate id; first seen at {tmp_path}/a.jsonl:1"),
        (request("b", SYSTEM), no_user),
        (request("c", user([plain, picture])), no_user),
        (request("d", user(None)), no_user),
        (request("e", user({"text": "a"})), no_user),
        (request("f", "a", None, 7), no_user),
        (request("g", messages={"role": "user"}), no_user),
        (request("h", user([{"type": "text", "text": 7}])), no_user),
        (request("i", user([])), "the report has no text"),
        (request("j", user(" ")), "the report has no text"),
        (request("k", user("a\0")), "the report holds NUL bytes"),
        (request("l", user("\ud800")), "half a surrogate pair stands in it, no character"),
        (request("\ud800", user("a")), "half a surrogate pair stands in it, no character"),
        (request(7, user("a")), "custom_id is missing or no text"),
        (request(" ", user("a")), "the id is missing"),
        ({"body": {}}, "custom_id is missing or no text"),
        ({"custom_id": "m", "body": "secret"}, no_user),
        (["secret"], "the line is JSON but no object"),
    ]
    path = ndjson(tmp_path / "a.jsonl", *(line for line, _ in cases))
    assert texts(read(path)) == [expected for _, expected in cases]


def test_keys_that_stand_twice(tmp_path: Path) -> None:
    whole = json.dumps(request("a", user("Clear.")))
    twice = whole[:-1] + ', "custom_id": "b"}'
    inner = whole.replace('"content": "Clear."', '"content": "Clear.", "content": "Normal."')
    assert texts(read(saved(tmp_path, "a.jsonl", f"{twice}\n{inner}\n"))) == [
        "custom_id or body appears twice in the line",
        "no user message with plain text parts only",
    ]


@pytest.mark.parametrize("first", [None, "not JSON", [1]])
def test_the_first_object_tells_the_kind(tmp_path: Path, first: Any) -> None:
    before = [] if first is None else [first]
    requests = ndjson(tmp_path / "a.jsonl", *before, request("a", user("Clear.")))
    assert texts(read(requests))[-1] == "Clear."
    resources = ndjson(tmp_path / "b.jsonl", *before, diagnostic_report())
    assert texts(read(resources))[-1].startswith("FINDINGS")
    table = ndjson(tmp_path / "c.jsonl", *before, {"id": 1, "text": "Clear."})
    assert texts(read(table))[-1] == "Clear."


def test_the_format_by_flag(tmp_path: Path) -> None:
    path = ndjson(tmp_path / "a.jsonl", request("a", user("Clear.")))
    assert "no column looks like the id" in failure(path, ReadOptions(format="jsonl")).what
    other = ndjson(tmp_path / "b.txt", request("a", user("Clear.")))
    assert texts(read(other, ReadOptions(format="openai-batch"))) == ["Clear."]
    assert texts(read(path, ReadOptions(id_column="custom_id"))) == ["Clear."]
    with pytest.raises(ConfigError, match="no columns but custom_id"):
        scan([path], ReadOptions(text_columns=("content",)))


def test_packed(tmp_path: Path) -> None:
    line = json.dumps(request("a", user("Clear."))).encode()
    assert texts(read(saved(tmp_path, "a.jsonl.gz", gzip.compress(line)))) == ["Clear."]
    assert texts(read(saved(tmp_path, "a.jsonl.zst", zstd.compress(line)))) == ["Clear."]
