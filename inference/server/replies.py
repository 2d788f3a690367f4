"""What a server's reply says: text, end, probabilities, tokens and what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from inference.decode.line_probs import line_probs
from inference.decode.part_reader import Said, halves_of
from inference.prompts import Refusal
from inference.server import answers as server_answers
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask
from labelwright.records import Answer, Span
from labelwright.tasks import kind_of

MILLION = 1_000_000
LEAST_TOKENS, CHARS_PER_TOKEN = 128, 1.5
"""Room for the answer to a text: so many tokens, and one per so many characters."""


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


def answer_of(label_set: LabelSet, reply: Reply, prices: Prices) -> Answer:
    """A reply read as a line of choices or a JSON object of them."""
    kind = kind_of(label_set)
    raw, _, tokens = content(reply.body)
    raw = raw or ""
    parsed = kind.parse(label_set, kind.plain(raw), "", ended=reply.ended)
    return Answer(
        value=parsed.value,
        raw=raw,
        problems=parsed.problems,
        notes=reply.notes + parsed.notes,
        seconds=reply.seconds,
        probs=server_answers.probabilities(label_set, raw, tokens),
        usage=reply.usage(prices),
    )


class ServerAsker:
    """Asks a server for free answers; a :class:`inference.decode.part_reader.Asker`.

    Args:
        plain: an answer in another writing as the task's own.
        send: one reply or refusal each.
    """

    def __init__(
        self,
        plain: Callable[[str], str],
        send: Callable[[Sequence[Ask]], list[Reply | Refusal]],
        prices: Prices,
    ) -> None:
        self._plain = plain
        self._send = send
        self._prices = prices

    def ask(self, asks: Sequence[Ask]) -> list[Said | Refusal]:
        """One answer or refusal each, in order."""
        return [
            reply if isinstance(reply, Refusal) else self._said(reply) for reply in self._send(asks)
        ]

    def parts(self, text: str) -> list[Span] | Refusal:
        """Halves: how much fits is the server's to know."""
        halves = halves_of(text)
        return Refusal("too long for the server's model") if halves is None else halves

    def _said(self, reply: Reply) -> Said:
        raw, _, tokens = content(reply.body)
        raw = raw or ""
        lines = self._plain(raw)
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
