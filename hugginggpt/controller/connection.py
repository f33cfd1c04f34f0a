"""The `openai` client, with calls that can be cancelled and that keep their time limit.

The asynchronous client runs on one background thread. Giving up a call closes its connection at
once, which also stops the computation behind it, and a server that sends its bytes slowly cannot
exceed the limit.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from hugginggpt.addresses import shown as shown_address
from hugginggpt.controller.error_body import is_web_page, read_error, read_text
from hugginggpt.controller.reply import ENDLESS, LATE, WEB_PAGE, CallFailed, Reply, failed, reply_in, shown, spent_in
from hugginggpt.costs import reported_cost
from hugginggpt.deadline import Deadline
from hugginggpt.errors import TaskCancelledError
from hugginggpt.retry_after import retry_after

if TYPE_CHECKING:
    import ssl

    import httpx2
    import openai

_SLICE = 0.05  # seconds between two looks at the deadline
_CLOSING_SECONDS = 2.0
_CLOSED = "Its connection was closed."
_NO_KEY = "none"  # the client insists on one
_MOST_BYTES = 16_000_000
_MOST_ERROR_BYTES = 100_000
_ERROR_SECONDS = 5.0


@lru_cache(maxsize=1)
def certificates() -> ssl.SSLContext:
    """The TLS context of all connections: it has read the certificates of all authorities, which takes 20 ms."""
    import httpx2

    return httpx2.create_ssl_context()


class Connection:
    """One OpenAI-compatible server, until it is closed.

    Args:
        base_url: with its query, which goes with every request.
        api_key: None if the server needs none.
    """

    def __init__(self, base_url: str, api_key: str | None) -> None:
        self.base_url = base_url
        self.api_key = api_key
        self._secrets = () if api_key is None else (api_key,)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._client: openai.AsyncOpenAI | None = None

    def send(self, request: dict[str, Any], timeout: float, deadline: Deadline | None) -> Reply:
        """Make one call.

        Args:
            request: the arguments of `chat.completions.create`.
            timeout: seconds that the whole call may take.
            deadline: checked while waiting, so that cancelling it ends the call.

        Raises:
            CallFailed: there was no usable reply.
            DeadlineExceededError: the deadline passed or was cancelled, or the connection was closed.
        """
        with self._lock:  # so that closing the connection ends every call that began before
            if self._closed:
                raise TaskCancelledError(_CLOSED)
            future = asyncio.run_coroutine_threadsafe(self._create(request, timeout), self._running_loop())
        end = time.monotonic() + timeout
        try:
            while not concurrent.futures.wait([future], timeout=_SLICE).done:
                if deadline is not None:
                    deadline.check()
                if time.monotonic() >= end:
                    raise self.late(timeout)
            return future.result()
        except concurrent.futures.CancelledError:
            raise TaskCancelledError(_CLOSED) from None
        finally:
            future.cancel()

    async def _create(self, request: dict[str, Any], timeout: float) -> Reply:
        import httpx2
        import openai

        create = self._openai().chat.completions.with_streaming_response.create
        body = bytearray()
        try:
            async with create(**request, timeout=timeout) as answer:
                headers = answer.headers
                async for part in answer.iter_bytes():
                    body += part
                    if len(body) > _MOST_BYTES:
                        raise CallFailed(f"the reply is longer than {_MOST_BYTES:,} bytes", code=ENDLESS, passing=False)
        except (openai.APITimeoutError, httpx2.TimeoutException):
            raise self.late(timeout) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__
            if isinstance(cause, CallFailed):
                raise cause from None
            raise CallFailed(self._shown(str(cause) or type(cause).__name__ if cause else "no connection")) from None
        except httpx2.HTTPError as error:
            raise CallFailed(self._shown(str(error) or type(error).__name__)) from None
        except (openai.APIError, ValueError) as error:
            raise CallFailed(f"the reply cannot be read ({type(error).__name__})") from None
        try:
            return _with_cost(self.reply(bytes(body)), headers)
        except CallFailed as failure:
            failure.reply = failure.reply and _with_cost(failure.reply, headers)
            raise

    def reply(self, body: bytes) -> Reply:
        """What the body of a successful answer says.

        Raises:
            CallFailed: it is no chat completion, or an error.
        """
        return reply_in(read_text(body.decode("utf-8", "replace")), *self._secrets)

    def refused(self, status: int, body: str, headers: Mapping[str, str]) -> CallFailed:
        """Why a call failed whose answer has no HTTP status of success."""
        if 300 <= status < 400:
            to = shown_address(headers.get("location", ""))
            return CallFailed(f"redirects {f'to {to}' if to else 'elsewhere'}", status=status, passing=False)
        said = read_text(body)
        failure = failed(read_error(said), status, *self._secrets)
        failure.reply = spent_in(said, *self._secrets)
        if is_web_page(body):
            failure.code = WEB_PAGE
        if (wait := retry_after(headers)) is not None:
            failure.retry_after = wait
        return failure

    async def _check_status(self, answer: httpx2.Response) -> None:
        """Raise what a server refuses a call with. The client itself would read an error to its end, however long."""
        if answer.is_success:
            return
        body = bytearray()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ERROR_SECONDS):
                async for part in answer.aiter_bytes():
                    body += part[:_MOST_ERROR_BYTES]
                    if len(body) >= _MOST_ERROR_BYTES:
                        break
        await answer.aclose()
        raise self.refused(answer.status_code, body.decode("utf-8", "replace"), answer.headers)

    def late(self, timeout: float) -> CallFailed:
        """The failure of a call that took too long."""
        return CallFailed(f"no answer within {timeout:g} seconds", code=LATE)

    def _shown(self, text: str) -> str:
        return shown(text, *self._secrets)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that calls run on; the caller holds the lock."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_run, args=(self._loop,), name="controller", daemon=True)
            self._thread.start()
        return self._loop

    def _openai(self) -> openai.AsyncOpenAI:
        """The client, only used on the loop's thread."""
        import openai

        if self._client is None:
            # Some servers take keys or versions in the query; the client would append its paths after it.
            bare, _, query = self.base_url.partition("?")
            given = dict(parse_qsl(query, keep_blank_values=True))
            # Azure's versioned addresses take the key of a resource in this header alone.
            azure = {"api-key": self.api_key} if self.api_key is not None and "api-version" in given else None
            self._client = openai.AsyncOpenAI(
                base_url=bare,
                default_query=given,
                default_headers=azure,
                api_key=self.api_key or _NO_KEY,
                max_retries=0,
                # A redirected POST becomes a GET, or loses its key.
                http_client=openai.DefaultAsyncHttpxClient(
                    verify=certificates(), follow_redirects=False, event_hooks={"response": [self._check_status]}
                ),
            )
        return self._client

    def close(self) -> None:
        """Cancel running calls, and close the connections and their thread. Nothing can be sent afterwards."""
        with self._lock:
            self._closed = True
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._end(), loop).result(timeout=_CLOSING_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(timeout=_CLOSING_SECONDS)

    async def _end(self) -> None:
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._disconnect()

    async def _disconnect(self) -> None:
        if self._client is not None:
            await self._client.close()


def _with_cost(reply: Reply, headers: Mapping[str, str]) -> Reply:
    """A reply with the cost that only the headers name: LiteLLM's proxy puts it there."""
    if reply.cost_microdollars is not None:
        return reply
    return replace(reply, cost_microdollars=reported_cost({"cost": headers.get("x-litellm-response-cost")}))


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
