"""Labels reports with a model behind an OpenAI-compatible server: vLLM, llama.cpp and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from inference.decode.part_reader import PartReader
from inference.prompts import PLACEHOLDER, Refusal
from inference.server.address import Address, parse_address
from inference.server.client import Retry, ServerClient
from inference.server.kinds import AUTO, Served, look
from inference.server.model import KnownModel, known_model
from inference.server.prompts import OWN, check_prompt, version_of
from inference.server.replies import Prices, Reply, ServerAsker, answer_of
from inference.server.requests import TRIAL, Asking, Requests
from labelwright.checkpoint import load_task
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask
from labelwright.records import Answer, Prediction, Reject, Report
from labelwright.tasks import kind_of
from labelwright.version import __version__

__all__ = ["TRIAL", "ServerLabeler"]

WINDOW_REQUESTS = 8


class ServerLabeler:
    """Labels reports through ``/chat/completions``.

    It implements :class:`labelwright.labelers.base.ReportLabeler`, so the batch runner takes it.
    """

    def __init__(
        self,
        client: ServerClient,
        model: str,
        known: KnownModel,
        served: Served,
        mode: str,
        asking: Asking | None = None,
    ) -> None:
        self.name, self.label_set = Path(model).name, known.label_set
        self._client = client
        self._model = model
        self._known = known
        self._served = served
        self._asking = replace(asking or Asking(), mode=mode)
        self._requests = Requests(client, model, known, served, self._asking)
        self._parts: PartReader | None = None
        kind = kind_of(known.label_set)
        if kind.choices(known.label_set) is None:
            asker = ServerAsker(kind.plain, self._requests.replies, self._asking.prices)
            self._parts = PartReader(known.label_set, asker, long="windows")
        self.sections = known.sections
        self.window = WINDOW_REQUESTS * client.concurrency
        """Reports to give at once: enough to keep the server busy, few enough to lose."""

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
        prompt: str = OWN,
        price_in: float | None = None,
        price_out: float | None = None,
        answer_tokens: int | None = None,
    ) -> ServerLabeler:
        """Check the address, look at the server and try the model out on a made-up sentence.

        Args:
            server: the address, e.g. ``http://127.0.0.1:8000/v1``.
            model: the name that the server uses. Where it is also a folder that training
                wrote, label set, sections and context are read from there.
            decode: ``free`` or ``constrained`` (only valid answers).
            kind: a name of :data:`inference.server.kinds.KINDS`, or found out.
            concurrency: requests at the same time.
            timeout: seconds for one answer.
            allow_remote: whether report text may leave this machine.
            folder: the model's folder as training wrote it, where ``model`` is another name.
            prompt: a name that :func:`inference.server.prompts.names` gives.
            price_in: of a million prompt tokens, in any currency.
            price_out: of a million completion tokens.
            answer_tokens: that an answer may take; by the label set or the text if not given.

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
        if (price_in is None) != (price_out is None):
            raise ConfigError(
                "one price alone tells no cost", remedy="give both --price-in and --price-out"
            )
        check_prompt(prompt, known.label_set)
        asking = Asking(decode, prompt, Prices(price_in, price_out), answer_tokens)
        return cls(client, model, known, look(client, model, kind), decode, asking)

    def of(self, label_set: LabelSet) -> ServerLabeler:
        """The same model asked for another label set."""
        known = replace(self._known, label_set=label_set)
        return ServerLabeler(
            self._client, self._model, known, self._served, self._asking.mode, self._asking
        )

    @property
    def neighbours(self) -> Mapping[str, Any] | None:
        """How similar reports stood in the prompts of its training; ``None`` where not known."""
        return self._known.neighbours

    @property
    def by_group(self) -> bool:
        """Whether it was trained to be asked for one group of fields at a time."""
        return self._known.by_group

    @property
    def address(self) -> Address:
        """Where the server is."""
        return self._client.address

    @property
    def kind(self) -> str:
        """A name of :data:`inference.server.kinds.KINDS`."""
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
            "prompt_version": version_of(self._asking.prompt, known.label_set),
            "prompt": self._requests.chat(PLACEHOLDER),
            "decoding": self._requests.told(),
            "context": self._requests.context,
            "versions": {"labelwright": __version__},
            "runtime": {
                "server": self.address.url,
                "concurrency": self._client.concurrency,
                "timeout": self._client.timeout,
                **self._asking.prices.to_json(),
            },
        }

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """Label reports whose text is cut already; one result each, in order.

        A report that the server refuses, or fails on again and again while it answers others,
        is rejected.

        Raises:
            ServerError: the server stopped answering.
        """
        return self.label_led(reports, [""] * len(reports))

    def label_led(
        self, reports: Sequence[Report], leads: Sequence[str]
    ) -> list[Prediction | Reject]:
        """The same, each report shown behind its lead, which no answer is about."""
        pairs = zip(reports, leads, strict=True)
        asks = [Ask(report.text, lead) for report, lead in pairs]
        if self._parts is None:
            answers = [self._answer(reply) for reply in self._requests.replies(asks)]
        else:
            answers = self._parts.read(asks)
        return [
            Reject(report.id, report.source, report.row, answer.reason)
            if isinstance(answer, Refusal)
            else Prediction.of(report, answer, model=self.name, task=self.label_set.task)
            for report, answer in zip(reports, answers, strict=True)
        ]

    def _answer(self, reply: Reply | Refusal) -> Answer | Refusal:
        if isinstance(reply, Refusal):
            return reply
        return answer_of(self.label_set, reply, self._asking.prices)
