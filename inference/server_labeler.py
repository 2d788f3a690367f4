"""Labels reports with a model behind an OpenAI-compatible server: vLLM, llama.cpp and others."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import labelwright
from inference import server_answers
from inference.prompts import PLACEHOLDER
from inference.server_address import Address, parse_address
from inference.server_client import Failure, Retry, ServerClient
from inference.server_kinds import AUTO, OPENAI, Served, look, settings
from inference.server_model import Known, known_model
from labelwright.certainty import parse
from labelwright.checkpoint import load_task
from labelwright.errors import ServerError
from labelwright.label_set import LabelSet
from labelwright.prompt import messages, prompt_version
from labelwright.records import Prediction, Reject, Report
from labelwright.special_tokens import break_up

WINDOW_REQUESTS = 8
TRIAL = "The heart is of normal size."
"""What the server is asked before it sees a report; written for this purpose."""


class ServerLabeler:
    """Labels reports through ``/chat/completions``.

    It implements :class:`labelwright.labeler.ReportLabeler`, so the batch runner takes it.
    """

    def __init__(
        self, client: ServerClient, model: str, known: Known, served: Served, mode: str
    ) -> None:
        self._client = client
        self._model = model
        self._known = known
        self._served = served
        self._mode = mode
        self._good: str | None = None
        self.sections = known.sections
        self.window = WINDOW_REQUESTS * client.concurrency
        """Reports to give at once: enough to keep the server busy, few enough to lose."""
        self._asked: dict[str, Any] = {}
        self._try_out()

    @classmethod
    def connect(  # noqa: PLR0913
        cls,
        server: str,
        model: str,
        *,
        label_set: LabelSet | str | Path | None = None,
        decode: str = "free",
        kind: str = AUTO,
        sections: str | None = None,
        concurrency: int = 8,
        timeout: float = 120.0,
        allow_remote: bool = False,
        folder: str | Path | None = None,
        retry: Retry | None = None,
    ) -> ServerLabeler:
        """Check the address, look at the server and try the model out on a made-up sentence.

        Args:
            server: the address, e.g. ``http://127.0.0.1:8000/v1``.
            model: the name that the server uses. Where it is also a folder that training
                wrote, label set, sections and context are read from there.
            decode: ``free`` or ``constrained`` (only valid answers).
            kind: a name of :data:`inference.server_kinds.KINDS`, or found out.
            concurrency: requests under way at the same time.
            timeout: seconds for one answer.
            allow_remote: whether report text may leave this machine.
            folder: the model's folder as training wrote it, where ``model`` is another name.

        Raises:
            ConfigError: a choice cannot work, or the address is elsewhere and not allowed.
            ServerError: the server does not answer, refuses, or has no such model.
            CheckpointError: the folder was made for another label set or prompt.
        """
        address = parse_address(server, allow_remote=allow_remote)
        if isinstance(label_set, str | Path):
            label_set = LabelSet.load(label_set)
        if folder is not None:
            load_task(folder)  # says what is missing there
        known = known_model(model if folder is None else folder, label_set, sections)
        client = ServerClient(address, concurrency=concurrency, timeout=timeout, retry=retry)
        return cls(client, model, known, look(client, model, kind), decode)

    @property
    def name(self) -> str:
        """The server's name of the model; the last part of a path."""
        return Path(self._model).name

    @property
    def label_set(self) -> LabelSet:
        """The observations it labels."""
        return self._known.label_set

    @property
    def neighbours(self) -> Mapping[str, Any] | None:
        """How similar reports stood in the prompts of its training; ``None`` where not known."""
        return self._known.neighbours

    @property
    def address(self) -> Address:
        """Where the server is."""
        return self._client.address

    @property
    def kind(self) -> str:
        """A name of :data:`inference.server_kinds.KINDS`."""
        return self._served.kind

    def describe(self) -> Mapping[str, Any]:
        """All that is known of what the answers depend on.

        A server's weights cannot be hashed from here: if it loads another model under the
        same name, nobody notices.
        """
        known = self._known
        return {
            "kind": "server",
            "name": self._model,
            "weights": "held by the server, not hashed",
            "folder_sha256": known.sha256,
            "server": {
                "kind": self.kind,
                "place": "this machine" if self.address.local else "remote",
                "lists_the_model": self._served.listed,
            },
            "label_set": known.label_set.name,
            "label_set_sha256": known.label_set.fingerprint,
            "prompt_version": prompt_version(known.label_set),
            "prompt": messages(known.label_set, PLACEHOLDER),
            "decoding": {"mode": self._mode, "strategy": "greedy", **self._asked},
            "context": self._context,
            "versions": {"labelwright": labelwright.__version__},
            "runtime": {
                "server": self.address.url,
                "concurrency": self._client.concurrency,
                "timeout": self._client.timeout,
            },
        }

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """Label reports whose text is cut already; one result each, in order.

        A report that the server refuses, or fails on again and again while it answers others,
        is rejected.

        Raises:
            ServerError: the server stopped answering.
        """
        began = time.perf_counter()
        texts = [break_up(self._known.special, report.text) for report in reports]
        asked = [index for index, report in enumerate(reports) if report.text.strip()]
        outcomes = self._client.ask_all([self._body(texts[index]) for index in asked])
        settled = dict(zip(asked, self._settled(texts, asked, outcomes), strict=True))
        share = (time.perf_counter() - began) / max(len(asked), 1)
        results: list[Prediction | Reject] = []
        for index, report in enumerate(reports):
            answer = settled.get(index, "the report is empty")
            if isinstance(answer, str):
                results.append(Reject(report.id, report.source, report.row, answer))
            else:
                notes = () if texts[index] == report.text else ("special token in the text",)
                results.append(self._prediction(report, answer, notes, share))
        return results

    @property
    def _context(self) -> int | None:
        return self._known.context or self._served.context

    def _body(self, text: str) -> dict[str, Any]:
        chat = messages(self.label_set, text)
        return {"model": self._model, "messages": chat, **self._asked}

    def _try_out(self) -> None:
        """Ask about a made-up sentence, so that no report leaves for a server that cannot work.

        Servers that know no probabilities refuse the wish for them, or ignore it.
        """
        room = {"max_tokens": self._known.room}
        for probs in (True, False):
            wish = settings(self.kind, self._mode, self.label_set, probs=probs)
            self._asked = wish | room
            answer = self._client.ask(self._body(TRIAL))
            refused = isinstance(answer, Failure) and answer.status in {400, 422}
            if not (refused and self.kind == OPENAI and probs):
                break
        if isinstance(answer, Failure):
            if refused and self._mode != "free":
                raise ServerError(
                    f"the server {self.address.host} refuses constrained answers (HTTP "
                    f"{answer.status})",
                    remedy="use --decode free, or say with --server-kind what it is",
                )
            raise self._client.error(answer)
        text, reason, _ = _content(answer)
        if text is None:
            raise ServerError(
                f"{self.address.host} answers with something that is no chat completion",
                remedy="check the end of --server (mostly /v1)",
            )
        if self._mode != "free" and reason == "length":
            raise ServerError(
                f"the model did not end its answer within {self._known.room} tokens",
                remedy="it is not able to answer so; use --decode free or another model",
            )
        if self._mode != "free" and not server_answers.is_valid(self.label_set, text):
            raise ServerError(
                f"the server {self.address.host} ignores the constraint on its answers",
                remedy="use --decode free, or say with --server-kind what it is",
            )

    def _settled(
        self,
        texts: Sequence[str],
        asked: Sequence[int],
        outcomes: list[Mapping[str, Any] | Failure],
    ) -> list[Mapping[str, Any] | str]:
        """Answers, or why there is none.

        A report without an answer is asked about once more. If that fails too, the server must
        answer a report that it answered before: only then the report is to blame.
        """
        for index, outcome in zip(asked, outcomes, strict=True):
            if not isinstance(outcome, Failure):
                self._good = texts[index]
        settled: list[Mapping[str, Any] | str] = []
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
                "too long for the server's model"
                if outcome.too_long
                else f"the server {outcome.reason}, though it answers others"
            )
        return settled

    def _still_there(self, failure: Failure) -> None:
        text = TRIAL if self._good is None else self._good
        if isinstance(self._client.ask(self._body(text)), Failure):
            raise self._client.error(failure)

    def _too_long(self, answer: Mapping[str, Any]) -> str | None:
        """Servers that know no limit of their own go past the model's without a word."""
        usage = answer.get("usage")
        count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        context = self._context
        if not isinstance(count, int) or context is None or count + self._known.room <= context:
            return None
        return (
            f"too long for the model: {count} prompt tokens and up to {self._known.room} answer "
            f"tokens, context {context}"
        )

    def _prediction(
        self, report: Report, answer: Mapping[str, Any], notes: tuple[str, ...], seconds: float
    ) -> Prediction:
        raw, reason, tokens = _content(answer)
        raw = raw or ""
        ended = {"stop": True, "length": False}.get(str(reason))
        parsed = parse(self.label_set, server_answers.as_line(raw), ended=ended)
        return Prediction(
            id=report.id,
            labels=parsed.labels,
            model=self.name,
            raw=raw,
            problems=parsed.problems,
            notes=notes + parsed.notes,
            probs=server_answers.probabilities(self.label_set, raw, tokens),
            seconds=seconds,
        )


def _content(answer: Mapping[str, Any]) -> tuple[str | None, object, object]:
    """Text, reason of the end, and tokens with probabilities; ``None`` for what is not there."""
    try:
        choice = answer["choices"][0]
        text = choice["message"].get("content")
        tokens = (choice.get("logprobs") or {}).get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        return None, None, None
    return "" if text is None else str(text), choice.get("finish_reason"), tokens
