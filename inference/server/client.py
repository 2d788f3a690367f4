"""Requests to a model server: many at once, bounded retries, no redirects, no text in errors."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import ssl
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from inference.server.address import Address
from labelwright.errors import ServerError
from labelwright.runtime.progress import teller

if TYPE_CHECKING:
    import httpx2

KEY_VARIABLE = "LABELWRIGHT_API_KEY"
LARGEST_ANSWER = 8 << 20
CONNECT_SECONDS = 10.0
TEMPORARY = {408, 425, 429, 500, 502, 503, 504, 529}
"""Answers after which the same request may succeed."""

_TOO_LONG = re.compile(
    r"context[ _](length|size|window)|maximum context|max_model_len|too (long|large)", re.IGNORECASE
)
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Retry:
    """How often a request is sent again, and how long to wait before.

    The n-th wait is ``first * 2 ** n`` seconds, at most ``longest``, and a random part of up
    to a half is taken off so that requests do not come back together. A server's own
    ``Retry-After`` is obeyed up to ``longest_asked`` seconds.

    Attributes:
        tries: for connections that fail and for answers such as HTTP 503.
        limited_tries: for HTTP 429, which says that all is well but too fast.
    """

    tries: int = 5
    limited_tries: int = 10
    first: float = 0.5
    longest: float = 30.0
    longest_asked: float = 60.0

    def wait(self, number: int, asked: float | None = None) -> float:
        """Seconds to wait after failed try ``number`` (from 0)."""
        own: float = min(self.first * 2**number, self.longest) * (1 - random.random() / 2)
        return own if asked is None else max(own, min(asked, self.longest_asked))


@dataclass(frozen=True)
class Failure:
    """A request that got no answer; ``reason`` never quotes the server, who may quote a report.

    Attributes:
        status: the HTTP status; 0 where there was none.
        again: whether sending it again may help.
        too_long: the server says that the prompt does not fit.
    """

    reason: str
    status: int = 0
    again: bool = False
    too_long: bool = False
    asked: float | None = None


@dataclass
class Run:
    """What the requests of one call have in common: when so many fail, the server is gone."""

    patience: int
    lost: int = 0

    def note(self, outcome: Mapping[str, Any] | Failure) -> bool:
        """Count an outcome; ``True`` once too many requests in a row were lost."""
        if not isinstance(outcome, Failure):
            self.lost = 0
        elif outcome.again:
            self.lost += 1
        return self.lost >= self.patience


class ServerClient:
    """Sends requests; Ctrl-C ends a wait at once. Between two calls no connection is open.

    Addresses on this machine are asked directly, never by a proxy; for others the usual
    variables (``HTTPS_PROXY``, …) count. Redirects are errors: a request with report text
    goes to the address that was given, or nowhere.

    Args:
        concurrency: requests at the same time.
        timeout: seconds for one whole answer.
        key: sent as a bearer token; read from :data:`KEY_VARIABLE` if not given.
    """

    def __init__(
        self,
        address: Address,
        *,
        concurrency: int,
        timeout: float,
        retry: Retry | None = None,
        key: str | None = None,
    ) -> None:
        self.address = address
        self.concurrency = concurrency
        self.timeout = timeout
        self._retry = retry or Retry()
        self._key = os.environ.get(KEY_VARIABLE, "") if key is None else key
        if any(not "!" <= sign <= "~" for sign in self._key):
            raise ServerError(
                f"the key in {KEY_VARIABLE} holds characters that no key has",
                remedy="set it again, without spaces and line ends",
            )
        self._trust: ssl.SSLContext | None = None

    def get(self, url: str) -> Mapping[str, Any] | Failure:
        """One page as JSON.

        Tried twice where the connection broke off: a server that failed on the request before
        may have closed it.
        """
        outcome = self._in_thread(lambda http: self._once(http, "GET", url, None))
        if isinstance(outcome, Failure) and outcome.again and not outcome.status:
            outcome = self._in_thread(lambda http: self._once(http, "GET", url, None))
        return outcome

    def ask(self, body: Mapping[str, Any]) -> Mapping[str, Any] | Failure:
        """One chat completion, with retries."""
        return self._in_thread(lambda http: self._patient(http, body))

    def ask_all(self, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | Failure]:
        """One outcome per chat completion, in order.

        Raises:
            ServerError: the server is gone: several requests in a row got no answer in spite
                of retries. What was under way is dropped.
        """
        tell = teller()
        return self._in_thread(lambda http: self._all(http, bodies, tell))

    def error(self, failure: Failure) -> ServerError:
        """The failure as the one line that ends a run."""
        where = self.address.host
        status = failure.status
        if status in {401, 403}:
            return ServerError(
                f"the server {where} does not let us in (HTTP {status})",
                remedy=f"set its key in the environment variable {KEY_VARIABLE}",
            )
        if status == 404:
            return ServerError(
                f"the server {where} has no such page or model (HTTP 404)",
                remedy="check the end of --server (mostly /v1) and --model",
            )
        if 300 <= status < 400:
            return ServerError(
                f"the server {where} sends requests on to another address (HTTP {status})",
                remedy="give that address with --server; redirects are not followed",
            )
        return ServerError(
            f"the server {where} {failure.reason}",
            remedy="see its log; finished rows are kept, and the same command goes on from there",
        )

    def _in_thread(
        self, work: Callable[[httpx2.AsyncClient], Coroutine[Any, Any, _Result]]
    ) -> _Result:
        """Run ``work`` with open connections, and close them; cancel it if we are interrupted.

        It has a thread of its own, since the caller may have an event loop running (a notebook
        has), and since a wait for a thread is one that Ctrl-C ends.
        """
        result: Future[_Result] = Future()
        running: Future[Callable[[], object]] = Future()

        async def session() -> _Result:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            running.set_result(lambda: loop.call_soon_threadsafe(task.cancel) if task else None)
            async with self._connections() as http:
                return await work(http)

        def target() -> None:
            try:
                result.set_result(asyncio.run(session()))
            except BaseException as error:  # noqa: BLE001  raised again below
                result.set_exception(error)

        thread = threading.Thread(target=target, name="labelwright-server", daemon=True)
        thread.start()
        try:
            return result.result()
        except BaseException:
            if not result.done():
                running.result(timeout=1.0)()
            raise
        finally:
            thread.join(timeout=1.0)

    async def _all(
        self,
        http: httpx2.AsyncClient,
        bodies: Sequence[Mapping[str, Any]],
        tell: Callable[[int, int], None],
    ) -> list[Mapping[str, Any] | Failure]:
        gate = asyncio.Semaphore(self.concurrency)
        run = Run(patience=max(3, self.concurrency))
        done = 0

        async def one(body: Mapping[str, Any]) -> Mapping[str, Any] | Failure:
            nonlocal done
            async with gate:
                outcome = await self._patient(http, body)
            done += 1
            tell(done, len(bodies))
            if run.note(outcome) and isinstance(outcome, Failure):
                raise self.error(outcome)
            return outcome

        tasks = [asyncio.ensure_future(one(body)) for body in bodies]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _patient(
        self, http: httpx2.AsyncClient, body: Mapping[str, Any]
    ) -> Mapping[str, Any] | Failure:
        number = 0
        while True:
            outcome = await self._once(http, "POST", f"{self.address.url}/chat/completions", body)
            if not isinstance(outcome, Failure) or not outcome.again:
                return outcome
            number += 1
            limited = outcome.status == 429
            if number >= (self._retry.limited_tries if limited else self._retry.tries):
                return outcome
            await asyncio.sleep(self._retry.wait(number - 1, outcome.asked))

    async def _once(
        self, http: httpx2.AsyncClient, method: str, url: str, body: Mapping[str, Any] | None
    ) -> Mapping[str, Any] | Failure:
        import httpx2

        try:
            async with asyncio.timeout(self.timeout):
                return await _send(http, method, url, body)
        except (TimeoutError, httpx2.TimeoutException):
            return Failure(f"gave no answer within {self.timeout:g} seconds", again=True)
        except httpx2.ProxyError:
            return Failure("is not reached: the proxy of the environment failed", again=True)
        except httpx2.ConnectError as error:
            if "certificate" in str(error).lower():
                return Failure("has a certificate that this machine does not trust")
            return Failure("refuses the connection or is not running", again=True)
        except httpx2.TransportError as error:
            return Failure(f"broke off the connection ({type(error).__name__})", again=True)

    def _connections(self) -> httpx2.AsyncClient:
        import httpx2

        if self._trust is None:
            self._trust = ssl.create_default_context()
        key = {"authorization": f"Bearer {self._key}"} if self._key else {}
        return httpx2.AsyncClient(
            headers={"user-agent": "labelwright", "accept": "application/json", **key},
            timeout=httpx2.Timeout(self.timeout, connect=min(CONNECT_SECONDS, self.timeout)),
            limits=httpx2.Limits(max_connections=self.concurrency),
            follow_redirects=False,
            trust_env=not self.address.local,
            verify=self._trust,
        )


async def _send(
    http: httpx2.AsyncClient, method: str, url: str, body: Mapping[str, Any] | None
) -> Mapping[str, Any] | Failure:
    content = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"} if content else {}
    async with http.stream(method, url, content=content, headers=headers) as reply:
        received = bytearray()
        async for piece in reply.aiter_bytes():
            received += piece
            if len(received) > LARGEST_ANSWER:
                return Failure("gives answers of more than 8 MB", status=reply.status_code)
    if reply.status_code == 200:
        value = _object(received)
        if value is None:
            return Failure("answers with something that is no JSON object", 200, again=True)
        return value
    return _refusal(reply.status_code, received, reply.headers.get("retry-after"))


def _object(received: bytes | bytearray) -> dict[str, Any] | None:
    try:
        value = json.loads(received)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refusal(status: int, received: bytearray, retry_after: str | None) -> Failure:
    """What a status means. The server's own words decide only whether the prompt was too long."""
    error = (_object(received) or {}).get("error")
    words = (
        " ".join(str(error.get(key)) for key in ("code", "type", "message"))
        if isinstance(error, dict)
        else str(error)
    )
    try:
        asked = None if retry_after is None else max(0.0, float(retry_after))
    except ValueError:
        asked = None
    return Failure(
        f"refuses a request (HTTP {status})"
        if status < 500
        else f"failed on a request (HTTP {status})",
        status=status,
        again=status in TEMPORARY,
        too_long=status == 413 or (status in {400, 422} and bool(_TOO_LONG.search(words))),
        asked=asked,
    )
