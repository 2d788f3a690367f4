"""Kinds of model servers: how each is recognised, and what it must be told beyond the standard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.server import answers as server_answers
from inference.server.client import Failure, ServerClient
from labelwright.errors import ConfigError, ServerError
from labelwright.tasks.base import Choices, Grammar

VLLM, LLAMA, TRANSFORMERS, OPENAI = "vllm", "llama.cpp", "transformers", "openai"
KINDS = (VLLM, LLAMA, TRANSFORMERS, OPENAI)
AUTO = "auto"
MODES = ("free", "constrained")
OWNERS = {"vllm": VLLM, "llamacpp": LLAMA, "me": LLAMA}
"""``owned_by`` in a server's list of models; ``me`` is the server of llama-cpp-python."""

ALTERNATIVES = 20
"""Alternatives to ask for per token: as many as OpenAI and vLLM give unless configured."""


@dataclass(frozen=True)
class Served:
    """What a server says of itself and of the model asked for.

    Attributes:
        kind: one of :data:`KINDS`.
        listed: whether the server lists the model under this name.
        context: the longest sequence in tokens, where the server tells.
    """

    kind: str
    listed: bool
    context: int | None


def look(client: ServerClient, model: str, kind: str) -> Served:
    """Ask the server which models it has, and find out its kind.

    Raises:
        ServerError: it does not answer, or has no such model.
        ConfigError: an unknown kind.
    """
    if kind not in (AUTO, *KINDS):
        raise ConfigError(
            f"unknown kind of server {kind!r}", remedy=f"choose one of: {', '.join(KINDS)}"
        )
    page = client.get(f"{client.address.url}/models")
    if isinstance(page, Failure):
        if page.status == 500 and kind in {AUTO, TRANSFORMERS} and _has_load_model(client):
            # transformers serve lists what is in the hub's cache, and fails if there is none.
            return Served(TRANSFORMERS, listed=False, context=None)
        if page.status == 0 or page.status >= 500:
            raise ServerError(
                f"the server {client.address.host} {page.reason}",
                remedy="start it and wait until it is ready, or check --server",
            )
        raise client.error(page)
    rows = page.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ServerError(
            f"{client.address.host} does not list its models as OpenAI's interface does",
            remedy="check the end of --server (mostly /v1)",
        )
    named = {str(row.get("id")): row for row in rows}
    if kind == AUTO:
        kind = _recognised(client, rows)
    if model not in named and kind != TRANSFORMERS:
        known = ", ".join(sorted(named)[:10]) or "none"
        raise ServerError(
            f"the server {client.address.host} has no model {model!r}",
            remedy=f"give --model as the server names it: {known}",
        )
    return Served(kind, model in named, _context(named.get(model, {})))


def _recognised(client: ServerClient, rows: list[dict[str, Any]]) -> str:
    owners = {OWNERS.get(str(row.get("owned_by"))) for row in rows} - {None}
    if len(owners) == 1:
        return str(owners.pop())
    return TRANSFORMERS if _has_load_model(client) else OPENAI


def _has_load_model(client: ServerClient) -> bool:
    """Whether the server has a page that only ``transformers serve`` has."""
    pages = client.get(f"{client.address.root}/openapi.json")
    return not isinstance(pages, Failure) and "/load_model" in (pages.get("paths") or {})


def _context(row: Mapping[str, Any]) -> int | None:
    meta = row.get("meta")
    places = [row.get("max_model_len"), meta.get("n_ctx") if isinstance(meta, dict) else None]
    return next((int(n) for n in places if isinstance(n, int) and n > 0), None)


def settings(
    kind: str,
    mode: str,
    choices: Choices | None,
    *,
    probs: bool,
    grammar: Grammar | None = None,
) -> dict[str, Any]:
    """The part of every request that says how to decode: greedy, unpenalised, constrained.

    Servers take penalties from the model's ``generation_config.json`` or have their own
    (llama-cpp-python: 1.1), which would change greedy answers; so they are switched off here.

    Raises:
        ConfigError: this kind of server cannot decode so.
    """
    if mode not in MODES:
        raise ConfigError(
            f"--decode {mode} is not possible through a server",
            remedy=f"choose one of: {', '.join(MODES)}",
        )
    asked: dict[str, Any] = {"temperature": 0.0}
    if kind == VLLM:
        asked |= {"repetition_penalty": 1.0}
    elif kind == LLAMA:
        asked |= {"repeat_penalty": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}
    elif kind == TRANSFORMERS:
        # This server computes its repetition penalty as 1 + frequency_penalty.
        asked |= {"frequency_penalty": 0.0}
    if probs and kind != TRANSFORMERS:
        asked |= {"logprobs": True}
        if choices is not None:
            asked |= {"top_logprobs": ALTERNATIVES}
    if mode == "free":
        return asked
    if choices is not None:
        return asked | _constraint(kind, choices)
    schema = None if grammar is None else grammar.json_schema
    return asked if schema is None else asked | _json_constraint(kind, schema)


def _json_constraint(kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """An answer in JSON that keeps to a schema."""
    if kind == VLLM:
        return {"structured_outputs": {"json": schema}}
    if kind == LLAMA:
        return {"response_format": {"type": "json_object", "schema": schema}}
    if kind == TRANSFORMERS:
        raise _cannot()
    named = {"name": "answer", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _cannot() -> ConfigError:
    return ConfigError(
        "this server (transformers serve) cannot constrain answers",
        remedy="use --decode free, or serve the model with vLLM or llama.cpp",
    )


def _constraint(kind: str, choices: Choices) -> dict[str, Any]:
    if kind == VLLM:
        return {"structured_outputs": {"regex": server_answers.regex(choices)}}
    if kind == LLAMA:
        return {"grammar": server_answers.gbnf(choices)}
    if kind == TRANSFORMERS:
        raise _cannot()
    schema = {"name": "labels", "strict": True, "schema": server_answers.json_schema(choices)}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}
