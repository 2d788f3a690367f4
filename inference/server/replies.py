"""What a server's reply says: text, end, probabilities, tokens and what they cost."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from inference.answer import Answer
from inference.decode.entity_reader import Said, halves_of
from inference.decode.line_probs import line_probs
from inference.prompts import Refusal
from inference.server import answers as server_answers
from labelwright.label_set import LabelSet
from labelwright.records import Span
from labelwright.tasks.certainty.answer import parse
from labelwright.tasks.entities import answer as entities

MILLION = 1_000_000
LEAST_TOKENS, CHARS_PER_TOKEN = 128, 1.5
"""Room for the answer to a text: so many tokens, and one per so many characters."""

_FENCE = re.compile(r"\A\s*```\w*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_TYPE_KEYS = ("type", "entity", "label", "entity_type")
_TEXT_KEYS = ("text", "mention", "span", "value")


@dataclass(frozen=True, slots=True)
class Prices:
    """Currency units per million tokens, as a provider lists them; ``None`` for not known."""

    prompt: float | None = None
    completion: float | None = None

    def to_json(self) -> dict[str, float]:
        """Those that are known, for the manifest."""
        both = {"price_in": self.prompt, "price_out": self.completion}
        return {name: price for name, price in both.items() if price is not None}


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer to one request.

    Attributes:
        body: the chat completion.
        notes: what was changed in the text before it was sent.
        seconds: its share of the time of all requests that were under way with it.
    """

    body: Mapping[str, object]
    notes: tuple[str, ...]
    seconds: float

    @property
    def ended(self) -> bool | None:
        """Whether the model itself ended the answer, where the server tells."""
        return {"stop": True, "length": False}.get(str(content(self.body)[1]))

    def usage(self, prices: Prices) -> dict[str, float] | None:
        """Tokens, and their cost where both prices are known; ``None`` where it tells none."""
        given = self.body.get("usage")
        if not isinstance(given, dict):
            return None
        found: dict[str, float] = {
            name: given[name]
            for name in ("prompt_tokens", "completion_tokens")
            if isinstance(given.get(name), int)
        }
        if len(found) == 2 and prices.prompt is not None and prices.completion is not None:
            paid = found["prompt_tokens"] * prices.prompt
            paid += found["completion_tokens"] * prices.completion
            found["cost"] = paid / MILLION
        return found or None


def content(body: Mapping[str, object]) -> tuple[str | None, object, object]:
    """Text, reason of the end, and tokens with probabilities; ``None`` for what is not there."""
    try:
        choice = body["choices"][0]  # type: ignore[index]
        text = choice["message"].get("content")
        tokens = (choice.get("logprobs") or {}).get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        return None, None, None
    return "" if text is None else str(text), choice.get("finish_reason"), tokens


def certainties(label_set: LabelSet, reply: Reply, prices: Prices) -> Answer:
    """A reply read as an answer line or a JSON object of certainties."""
    raw, _, tokens = content(reply.body)
    raw = raw or ""
    parsed = parse(label_set, server_answers.as_line(raw), ended=reply.ended)
    return Answer(
        labels=parsed.labels,
        raw=raw,
        problems=parsed.problems,
        notes=reply.notes + parsed.notes,
        seconds=reply.seconds,
        probs=server_answers.probabilities(label_set, raw, tokens),
        usage=reply.usage(prices),
    )


class ServerAsker:
    """Asks a server for entities; it implements :class:`inference.decode.entity_reader.Asker`.

    Args:
        send: one reply or refusal per text.
    """

    def __init__(
        self, send: Callable[[Sequence[str]], list[Reply | Refusal]], prices: Prices
    ) -> None:
        self._send = send
        self._prices = prices

    def ask(self, texts: Sequence[str]) -> list[Said | Refusal]:
        """One answer or refusal per text, in order."""
        return [
            reply if isinstance(reply, Refusal) else self._said(reply)
            for reply in self._send(texts)
        ]

    def parts(self, text: str) -> list[Span] | Refusal:
        """Halves: how much fits is the server's to know."""
        halves = halves_of(text)
        return Refusal("too long for the server's model") if halves is None else halves

    def _said(self, reply: Reply) -> Said:
        raw, _, tokens = content(reply.body)
        raw = raw or ""
        lines = as_lines(raw)
        return Said(
            raw=lines,
            ended=reply.ended,
            seconds=reply.seconds,
            probs=_line_probs(tokens, raw) if lines == raw else None,
            notes=reply.notes if lines == raw else (*reply.notes, "answer in JSON or marked up"),
            usage=reply.usage(self._prices),
        )


def room_for(text: str) -> int:
    """Tokens that an answer about ``text`` may take, with no tokenizer at hand."""
    return LEAST_TOKENS + int(len(text) / CHARS_PER_TOKEN)


def as_lines(raw: str) -> str:
    """An answer as lines ``type: text``: without a code fence; from JSON where it is some.

    Understood are ``{"type": ["mention", …], …}`` and lists of objects that have a type and a
    text, alone or as the only value of an object. Anything else stays as it is.
    """
    fenced = _FENCE.match(raw)
    bare = fenced[1] if fenced else raw
    if not bare.lstrip().startswith(("{", "[")):
        return bare
    try:
        value = json.loads(bare)
    except (ValueError, RecursionError):
        return bare
    pairs = _pairs(value)
    if pairs is None:
        return bare
    lines = [f"{kind}: {' '.join(mention.split())}" for kind, mention in pairs]
    return "\n".join(lines) or entities.NONE


def _pairs(value: object) -> list[tuple[str, str]] | None:
    if isinstance(value, dict):
        only = next(iter(value.values())) if len(value) == 1 else None
        if isinstance(only, list) and only and all(isinstance(item, dict) for item in only):
            return _pairs(only)
        found = [
            (str(kind), mention)
            for kind, given in value.items()
            for mention in (given if isinstance(given, list) else [given])
            if mention is not None
        ]
        return found if all(isinstance(mention, str) for _, mention in found) else None
    if not isinstance(value, list):
        return None
    pairs = []
    for item in value:
        if not isinstance(item, dict):
            return None
        kind = next((item[key] for key in _TYPE_KEYS if isinstance(item.get(key), str)), None)
        mention = next((item[key] for key in _TEXT_KEYS if isinstance(item.get(key), str)), None)
        if kind is None or mention is None:
            return None
        pairs.append((kind, mention))
    return pairs


def _line_probs(tokens: object, raw: str) -> list[float] | None:
    """From a server's ``logprobs.content``; ``None`` where it is missing or of another text."""
    if not isinstance(tokens, list) or not tokens:
        return None
    try:
        pieces = [str(row["token"]) for row in tokens]
        probs = [min(math.exp(float(row["logprob"])), 1.0) for row in tokens]
    except (TypeError, KeyError, ValueError, OverflowError):
        return None
    return line_probs(pieces, probs, raw)
