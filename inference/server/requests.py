"""A model behind a server asked about texts: requests, replies, whose fault a failure is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.prompts import SPARE_TOKENS, Refusal
from inference.server import answers as server_answers
from inference.server.client import Failure, ServerClient
from inference.server.kinds import OPENAI, Served, settings
from inference.server.model import KnownModel
from inference.server.prompts import OWN, chat, check_prompt
from inference.server.replies import Prices, Reply, content, room_for
from labelwright.errors import ConfigError, ServerError
from labelwright.labelers.base import Ask
from labelwright.tasks import kind_of
from labelwright.tasks.base import Chat
from labelwright.text.special_tokens import break_up

TRIAL = "The heart is of normal size."
"""What the server is asked before it sees a report; written for this purpose."""
FREE = "free"


@dataclass(frozen=True, slots=True)
class Asking:
    """What may be chosen of the requests.

    Attributes:
        mode: ``free`` or ``constrained`` (only valid answers).
        prompt: a name that :func:`inference.server.prompts.names` gives.
        answer_tokens: that an answer may take; by the label set or the text if ``None``.
    """

    mode: str = FREE
    prompt: str = OWN
    prices: Prices = field(default_factory=Prices)
    answer_tokens: int | None = None


class Requests:
    """Asks one model; nothing is sent that it cannot answer.

    Raises:
        ConfigError: a choice cannot work.
        ServerError: the server does not answer a made-up sentence as it should.
    """

    def __init__(
        self, client: ServerClient, model: str, known: KnownModel, served: Served, asking: Asking
    ) -> None:
        check_prompt(asking.prompt, known.label_set)
        self._choices = kind_of(known.label_set).choices(known.label_set)
        self.by_text = self._choices is None
        """Whether the room for an answer depends on the text."""
        self._grammar = kind_of(known.label_set).grammar(known.label_set) if self.by_text else None
        if self.by_text and self._grammar is None and asking.mode != FREE:
            raise ConfigError(
                f"--decode {asking.mode} is not for {known.label_set.task}, whose answers a server "
                "writes freely",
                remedy="remove it",
            )
        self._client = client
        self._model = model
        self._known = known
        self._kind = served.kind
        self._asking = asking
        self.context = known.context or served.context
        self._good: str | None = None
        self._asked: dict[str, Any] = {}
        self._try_out()

    def chat(self, text: str) -> Chat:
        """The prompt of a text."""
        return chat(self._asking.prompt, self._known.label_set, text)

    def told(self) -> dict[str, Any]:
        """How the server is told to decode, where that is the same for all texts."""
        varies = self.by_text and self._asking.answer_tokens is None
        room = "by the text" if varies else self._room("")
        return {"mode": self._asking.mode, "strategy": "greedy", **self._asked, "max_tokens": room}

    def replies(self, asks: Sequence[Ask]) -> list[Reply | Refusal]:
        """One reply or refusal each, in order.

        Raises:
            ServerError: the server stopped answering.
        """
        began = time.perf_counter()
        given = [ask.whole for ask in asks]
        texts = [break_up(self._known.special, text) for text in given]
        asked = [index for index, text in enumerate(given) if text.strip()]
        outcomes = self._client.ask_all([self._body(texts[index]) for index in asked])
        settled = dict(zip(asked, self._settled(texts, asked, outcomes), strict=True))
        share = (time.perf_counter() - began) / max(len(asked), 1)
        results: list[Reply | Refusal] = []
        for index, text in enumerate(given):
            answer = settled.get(index, Refusal("the report is empty"))
            if isinstance(answer, Refusal):
                results.append(answer)
            else:
                notes = () if texts[index] == text else ("special token in the text",)
                results.append(Reply(answer, notes, share))
        return results

    def _room(self, text: str) -> int:
        """Tokens that an answer may take; where the text decides, at most half the context."""
        if self._asking.answer_tokens is not None:
            return self._asking.answer_tokens
        if not self.by_text:
            return self._known.room
        room = room_for(text)
        if longest := kind_of(self._known.label_set).longest_answer(self._known.label_set):
            room = min(room, longest + SPARE_TOKENS)  # no token is shorter than a byte
        return room if self.context is None else min(room, self.context // 2)

    def _body(self, text: str) -> dict[str, Any]:
        asked = {**self._asked, "max_tokens": self._room(text)}
        return {"model": self._model, "messages": self.chat(text), **asked}

    def _try_out(self) -> None:
        """Ask about a made-up sentence, so that no report leaves for a server that cannot work.

        Servers that know no probabilities refuse the wish for them, or ignore it.
        """
        for probs in (True, False):
            asked = (self._kind, self._asking.mode, self._choices)
            self._asked = settings(*asked, probs=probs, grammar=self._grammar)
            answer = self._client.ask(self._body(TRIAL))
            refused = isinstance(answer, Failure) and answer.status in {400, 422}
            if not (refused and self._kind == OPENAI and probs):
                break
        if isinstance(answer, Failure):
            if refused and self._asking.mode != FREE:
                raise ServerError(
                    f"the server {self._client.address.host} refuses constrained answers (HTTP "
                    f"{answer.status})",
                    remedy="use --decode free, or say with --server-kind what it is",
                )
            raise self._client.error(answer)
        text, reason, _ = content(answer)
        if text is None:
            raise ServerError(
                f"{self._client.address.host} answers with something that is not a chat completion",
                remedy="check the end of --server (mostly /v1)",
            )
        if self._asking.mode != FREE and reason == "length":
            raise ServerError(
                f"the model did not end its answer within {self._room(TRIAL)} tokens",
                remedy="it is not able to answer so; use --decode free or another model",
            )
        if self._asking.mode != FREE and not server_answers.is_valid(self._known.label_set, text):
            raise ServerError(
                f"the server {self._client.address.host} ignores the constraint on its answers",
                remedy="use --decode free, or say with --server-kind what it is",
            )

    def _settled(
        self,
        texts: Sequence[str],
        asked: Sequence[int],
        outcomes: list[Mapping[str, Any] | Failure],
    ) -> list[Mapping[str, Any] | Refusal]:
        """Answers, or why there is none.

        A report without an answer is asked about once more. If that fails too, the server must
        answer a report that it answered before: only then the report is to blame.
        """
        for index, outcome in zip(asked, outcomes, strict=True):
            if not isinstance(outcome, Failure):
                self._good = texts[index]
        settled: list[Mapping[str, Any] | Refusal] = []
        for index, outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome, Failure) and not outcome.too_long:
                outcome = self._client.ask(self._body(texts[index]))
            if not isinstance(outcome, Failure):
                self._good = texts[index]
                settled.append(self._too_long(outcome) or outcome)
                continue
            if not outcome.too_long:
                self._still_there(outcome)
            settled.append(
                Refusal("too long for the server's model", too_long=True)
                if outcome.too_long
                else Refusal(f"the server {outcome.reason}, though it answers others")
            )
        return settled

    def _still_there(self, failure: Failure) -> None:
        text = TRIAL if self._good is None else self._good
        if isinstance(self._client.ask(self._body(text)), Failure):
            raise self._client.error(failure)

    def _too_long(self, answer: Mapping[str, Any]) -> Refusal | None:
        """Servers that know no limit of their own go past the model's without a word.

        Where the text decides it is enough if what was written fits, since the room is generous.
        """
        usage = answer.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        count, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
        room = written if self.by_text else self._known.room
        context = self.context
        if not isinstance(count, int) or not isinstance(room, int) or context is None:
            return None
        if count + room <= context:
            return None
        return Refusal(
            f"too long for the model: {count} prompt tokens and up to {room} answer tokens, "
            f"context {context}",
            too_long=True,
        )
