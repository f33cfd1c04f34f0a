"""The `openai` client, with calls that can be cancelled and that keep their time limit.

The asynchronous client runs on one background thread. Giving up a call closes its connection at
once, which also stops the computation behind it, and a server that sends its bytes slowly cannot
exceed the limit.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from hugginggpt.deadline import Deadline
from hugginggpt.errors import TaskCancelledError
from hugginggpt.redaction import redact
from hugginggpt.retry_after import retry_after
from hugginggpt.text import one_line, storable

if TYPE_CHECKING:
    import ssl

    import openai

_SLICE = 0.05  # seconds between two looks at the deadline
_CLOSING_SECONDS = 2.0
_CLOSED = "Its connection was closed."
_MOST_DETAIL = 300
_MOST_REPLY = 1_000_000  # characters, including what a model thinks aloud
_PASSING_STATUSES = {408, 409, 429}


@dataclass(frozen=True)
class Reply:
    """The controller's answer.

    Attributes:
        finish: "stop", "length", "content_filter", or another reason that the server gives.
        refusal: the model's own words, if it declined.
    """

    text: str
    finish: str
    refusal: str | None
    prompt_tokens: int
    completion_tokens: int


@lru_cache(maxsize=1)
def certificates() -> ssl.SSLContext:
    """The TLS context of all connections: it has read the certificates of all authorities, which takes 20 ms."""
    import httpx2

    return httpx2.create_ssl_context()


class CallFailed(Exception):
    """A call gave no usable reply.

    Attributes:
        status: HTTP status; None if there was no answer at all.
        code: the server's code for the cause.
        param: the parameter that the server rejected.
        detail: the server's message, without secrets.
        retry_after: seconds that the server asks to wait.
        passing: another attempt may work.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        passing: bool = True,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after
        self.passing = passing


class Connection:
    """One OpenAI-compatible server, until it is closed."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self.base_url = base_url
        self.api_key = api_key
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
                    raise CallFailed(f"no answer within {timeout:g} seconds")
            return future.result()
        except concurrent.futures.CancelledError:
            raise TaskCancelledError(_CLOSED) from None
        finally:
            future.cancel()

    async def _create(self, request: dict[str, Any], timeout: float) -> Reply:
        import openai

        try:
            completion = await self._openai().chat.completions.create(**request, timeout=timeout)
        except openai.APIStatusError as error:
            raise self.refused(error.status_code, error.body, error.response.headers) from None
        except openai.APITimeoutError:
            raise CallFailed(f"no answer within {timeout:g} seconds") from None
        except openai.APIConnectionError as error:
            cause = error.__cause__
            raise CallFailed(self.redact(str(cause) or type(cause).__name__ if cause else "no connection")) from None
        except (openai.APIError, ValueError) as error:
            raise CallFailed(f"the reply cannot be read ({type(error).__name__})") from None
        return reply_in(completion)

    def refused(self, status: int, said: object, headers: Mapping[str, str]) -> CallFailed:
        """Why a call failed whose answer has an HTTP status of failure.

        Args:
            status: the status.
            said: what the body says about the error, if it can be read.
            headers: the answer's headers.
        """
        error = said if isinstance(said, dict) else {}
        message = error.get("message")
        detail = message if isinstance(message, str) else f"HTTP {status}"
        return CallFailed(
            self.redact(detail),
            status=status,
            code=" ".join(str(error[name]) for name in ("code", "type") if error.get(name)),
            param=_named_parameter(error.get("param"), detail),
            retry_after=retry_after(headers),
            passing=status in _PASSING_STATUSES or status >= 500,
        )

    def redact(self, text: str) -> str:
        """The text on one line of bounded length, without the key or anything that looks like one."""
        return one_line(redact(text, self.api_key), _MOST_DETAIL)

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
            self._client = openai.AsyncOpenAI(
                base_url=bare,
                default_query=dict(parse_qsl(query, keep_blank_values=True)),
                api_key=self.api_key,
                max_retries=0,
                http_client=openai.DefaultAsyncHttpxClient(verify=certificates()),
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


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def reply_in(completion: Any) -> Reply:
    """What a completion says; it may be a web page or any JSON, because nobody has checked it.

    Raises:
        CallFailed: it is not a completion, or too long.
    """
    choices: Any = getattr(completion, "choices", None)
    message = getattr(choices[0], "message", None) if choices else None
    if message is None:
        raise CallFailed("the reply is not a chat completion", passing=isinstance(choices, list))
    usage = completion.usage
    text = storable(message.content or "")
    if len(text) > _MOST_REPLY:
        raise CallFailed(f"the reply is longer than {_MOST_REPLY:,} characters", passing=False)
    # Models that think aloud do so before the answer.
    text = re.sub(r"\A\s*<think>.*?</think>", "", text, flags=re.DOTALL)
    return Reply(
        text=text,
        finish=choices[0].finish_reason or "stop",
        refusal=getattr(message, "refusal", None),
        prompt_tokens=getattr(usage, "prompt_tokens", None) or 0,
        completion_tokens=getattr(usage, "completion_tokens", None) or 0,
    )


def _named_parameter(param: object, detail: str) -> str | None:
    """The parameter that a server rejects, from the field for it or from its message."""
    if param:
        return str(param)
    found = re.search(r"unsupported (?:parameter|value):? '(\w+)'", detail, re.IGNORECASE)
    return found.group(1) if found else None
