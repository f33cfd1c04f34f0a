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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from hugginggpt.deadline import Deadline
from hugginggpt.errors import TaskCancelledError
from hugginggpt.redaction import redact
from hugginggpt.retry_after import retry_after
from hugginggpt.text import one_line, storable

if TYPE_CHECKING:
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

    def __init__(self, base_url: str, api_key: str, *, trust_environment: bool = True) -> None:
        self.base_url = base_url
        self._api_key = api_key
        self._trust_environment = trust_environment
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
            raise self._refused(error) from None
        except openai.APITimeoutError:
            raise CallFailed(f"no answer within {timeout:g} seconds") from None
        except openai.APIConnectionError as error:
            cause = error.__cause__
            raise CallFailed(self.redact(str(cause) or type(cause).__name__ if cause else "no connection")) from None
        except (openai.APIError, ValueError) as error:
            raise CallFailed(f"the reply cannot be read ({type(error).__name__})") from None
        return _reply(completion)

    def _refused(self, error: openai.APIStatusError) -> CallFailed:
        return CallFailed(
            self.redact(_detail(error)),
            status=error.status_code,
            code=" ".join(str(name) for name in (error.code, error.type) if name),
            param=_named_parameter(error),
            retry_after=retry_after(error.response.headers),
            passing=error.status_code in _PASSING_STATUSES or error.status_code >= 500,
        )

    def redact(self, text: str) -> str:
        """The text on one line of bounded length, without the key or anything that looks like one."""
        return one_line(redact(text, self._api_key), _MOST_DETAIL)

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
                api_key=self._api_key,
                max_retries=0,
                http_client=openai.DefaultAsyncHttpxClient(trust_env=self._trust_environment),
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
        if self._client is not None:
            await self._client.close()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _reply(completion: Any) -> Reply:
    # The client does not check the reply, which may be a web page or any JSON.
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


def _detail(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return f"HTTP {error.status_code}"


def _named_parameter(error: openai.APIStatusError) -> str | None:
    """The parameter that a server rejects, from the field for it or from its message."""
    if error.param:
        return error.param
    found = re.search(r"unsupported (?:parameter|value):? '(\w+)'", _detail(error), re.IGNORECASE)
    return found.group(1) if found else None
