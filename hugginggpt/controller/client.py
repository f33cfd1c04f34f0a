"""The controller: one language model behind the OpenAI protocol, over HTTP or in this process."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from hugginggpt.addresses import shown
from hugginggpt.controller.call import LIKELIEST, ControllerCall, Recorder, Sampling
from hugginggpt.controller.connection import CallFailed, Connection, Reply
from hugginggpt.controller.dialect import known_dialect, remember_dialect
from hugginggpt.controller.failures import check_reply, is_too_long, lasting_error
from hugginggpt.controller.prompts import Prompt, render
from hugginggpt.controller_name import EMBEDDED, ControllerName
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerUnavailableError, DeadlineExceededError
from hugginggpt.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 8.0
_CHECK_TOKENS = 16


Slot = Callable[[Deadline | None], contextlib.AbstractContextManager[object]]

Check = Callable[[Deadline | None], None]


class _Server:
    """The connection and its slots, which all controllers of one configuration share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.is_embedded = settings.uses_embedded_controller
        self.slots = threading.BoundedSemaphore(settings.controller_concurrency)
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    @property
    def model(self) -> str:
        if not self.is_embedded:
            return self.settings.controller_model
        from hugginggpt.controller.embedded import server as embedded

        return embedded.model_name(self.settings)

    @property
    def context_tokens(self) -> int:
        if not self.is_embedded:
            return self.settings.controller_context_tokens
        from hugginggpt.controller.embedded.model import CONTEXT_TOKENS

        return min(self.settings.controller_context_tokens, CONTEXT_TOKENS)

    @property
    def label(self) -> str:
        """The server's name for error messages."""
        if self.is_embedded:
            return "the embedded controller"
        return shown(self.settings.openai_base_url or OPENAI_URL)

    def connection(self) -> Connection:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection

    def _connect(self) -> Connection:
        if self.is_embedded:
            from hugginggpt.controller.embedded import server as embedded
            from hugginggpt.controller.embedded.connection import LocalConnection

            address = embedded.start(self.settings)
            return LocalConnection(address.base_url, address.key)
        key = self.settings.openai_api_key
        # Local servers need no key, but the client insists on one.
        return Connection(
            self.settings.openai_base_url or OPENAI_URL, key.get_secret_value() if key is not None else "none"
        )

    @contextlib.contextmanager
    def slot(self, deadline: Deadline | None) -> Iterator[None]:
        while not self.slots.acquire(timeout=0.1):
            if deadline is not None:
                deadline.check()
        try:
            with computing(deadline) if self.is_embedded else contextlib.nullcontext():
                yield
        finally:
            self.slots.release()

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class Controller:
    """The language model that plans, chooses and answers.

    Thread-safe. Nothing is connected or loaded before the first call.

    Example:
        >>> controller = Controller.from_settings(get_settings())
        >>> controller.chat(render("summarization", text="..."), stage="summarization", max_tokens=200)
    """

    def __init__(
        self,
        server: _Server,
        record: Recorder | None = None,
        *,
        slot: Slot = contextlib.nullcontext,
        check: Check | None = None,
        owner: bool = True,
    ) -> None:
        self._server = server
        self._record = record
        self._slot = slot
        self._check = check
        self._owner = owner

    @classmethod
    def from_settings(cls, settings: Settings) -> Controller:
        """The configured server, or the embedded model if neither a key nor a base URL is set."""
        return cls(_Server(settings))

    @property
    def model(self) -> str:
        """The model's name."""
        return self._server.model

    @property
    def label(self) -> str:
        """Where it runs, without user name and password."""
        return self._server.label

    @property
    def name(self) -> ControllerName:
        """The controller, as users see it."""
        return ControllerName(model=self.model, server=EMBEDDED if self.is_embedded else self.label)

    @property
    def is_embedded(self) -> bool:
        """Whether it is the small model in this process, which needs short, plain prompts."""
        return self._server.is_embedded

    @property
    def knows_little(self) -> bool:
        """Whether it is the packaged small model, which works on what it is given and knows next to nothing."""
        return self.is_embedded and self.settings.embedded_controller_gguf is None

    @property
    def settings(self) -> Settings:
        """The settings that it was made from."""
        return self._server.settings

    @property
    def context_tokens(self) -> int:
        """Token budget of one call, including the answer."""
        return self._server.context_tokens

    def recording(
        self, record: Recorder, slot: Slot = contextlib.nullcontext, check: Check | None = None
    ) -> Controller:
        """A controller on the same connection with a recorder of its own; closing it does nothing.

        Args:
            record: receives every attempt.
            slot: entered around every attempt, to keep a limit shared with other processes.
            check: called right before every attempt; if it raises, the attempt is not made.
        """
        return Controller(self._server, record, slot=slot, check=check, owner=False)

    def chat(
        self,
        prompt: Prompt,
        *,
        stage: str,
        max_tokens: int,
        schema: dict[str, Any] | None = None,
        sampling: Sampling = LIKELIEST,
        extra: dict[str, Any] | None = None,
        deadline: Deadline | None = None,
    ) -> str:
        """Ask the controller, and return the text of its answer.

        A temporary failure is retried up to `HUGGINGGPT_CONTROLLER_RETRIES` times, no earlier than the server asks for
        and never beyond the deadline.

        Args:
            prompt: from `hugginggpt.controller.prompts`.
            stage: the purpose of the call, for the trace.
            max_tokens: the longest answer.
            schema: JSON schema of the answer. If the server does not support schemas, it is asked for JSON, then for
                text, so the caller still has to parse tolerantly.
            sampling: how the answer is drawn.
            extra: fields that only the embedded server knows, such as a grammar or an adapter.
            deadline: when to stop; cancelling it stops the call at once.

        Raises:
            ControllerAuthError: the key is not accepted, or no quota is left.
            ControllerUnavailableError: no usable reply within the retries or the deadline.
            ControllerError: the server refuses the request, or the model declines it.
        """
        connection = self._server.connection()
        dialect = known_dialect(connection.base_url, self.model)
        room = max(max_tokens, self.context_tokens - prompt.tokens)
        attempt, failures = 0, 0
        try:
            while True:
                if deadline is not None:
                    deadline.check()
                attempt += 1
                request = {"model": self.model, "messages": list(prompt.messages)} | dialect.options(
                    stage=stage, max_tokens=max_tokens, schema=schema, sampling=sampling
                )
                if self.is_embedded:
                    # llama.cpp would reuse one request's cache for the next, although the adapter may differ.
                    request["extra_body"] = {"cache_prompt": False} | (extra or {})
                try:
                    reply = self._attempt(prompt, stage, attempt, request, schema is not None, deadline)
                except CallFailed as failure:
                    if failure.status in (400, 422) and not is_too_long(failure):
                        other = dialect.without(failure.param, schema is not None)
                        if other is not None:
                            dialect = other
                            continue
                    if failure.code == "cut_off":
                        max_tokens = min(2 * max_tokens, room)
                    failures += 1
                    self._wait_before_repeat(failure, failures, deadline)
                else:
                    remember_dialect(connection.base_url, self.model, dialect)
                    return reply.text.strip()
        except DeadlineExceededError as error:
            raise self._unavailable(f"gave no answer: {error.message.rstrip('.')}") from error

    def check(self, deadline: Deadline | None = None) -> None:
        """Ask the controller for one word, to see whether it works.

        Args:
            deadline: when to stop; cancelling it stops the call at once.

        Raises:
            ControllerError: and its subclasses, as `chat` does.
        """
        failed: list[ControllerCall] = []
        asking = Controller(self._server, lambda call: failed.append(call), owner=False)
        try:
            asking.chat(render("check"), stage="check", max_tokens=_CHECK_TOKENS, deadline=deadline)
        except ControllerUnavailableError:
            # A model that thinks first does not get to a word within so few tokens, but it did answer.
            if not (failed and failed[-1].completion_tokens):
                raise

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        if self._owner:
            self._server.close()

    def _attempt(
        self,
        prompt: Prompt,
        stage: str,
        attempt: int,
        request: dict[str, Any],
        structured: bool,
        deadline: Deadline | None,
    ) -> Reply:
        """Make one attempt, and record it whatever its outcome."""
        connection = self._server.connection()
        reply: Reply | None = None
        error: str | None = None
        with self._slot(deadline), self._server.slot(deadline):
            if self._check is not None:
                self._check(deadline)
            timeout = self.settings.controller_timeout
            if deadline is not None:
                timeout = min(timeout, max(deadline.remaining(), 0.001))
            started_at, start = datetime.now(UTC), time.monotonic()
            try:
                reply = connection.send(request, timeout, deadline)
                check_reply(reply, structured)
                return reply
            except BaseException as failure:
                error = str(failure) or type(failure).__name__
                raise
            finally:
                if self._record is not None:
                    self._record(
                        ControllerCall(
                            stage=stage,
                            prompt_name=prompt.name,
                            prompt_sha256=prompt.sha256,
                            model=self.model,
                            attempt=attempt,
                            prompt_tokens=reply.prompt_tokens if reply else 0,
                            completion_tokens=reply.completion_tokens if reply else 0,
                            seconds=time.monotonic() - start,
                            cost_microdollars=self._cost(reply),
                            error=error,
                            started_at=started_at,
                        )
                    )

    def _cost(self, reply: Reply | None) -> int | None:
        settings = self.settings
        prices = (settings.price_per_million_prompt_tokens, settings.price_per_million_completion_tokens)
        if prices == (None, None):
            return None
        if reply is None:
            return 0
        # Dollars per million tokens equal millionths of a dollar per token.
        return round(reply.prompt_tokens * (prices[0] or 0.0) + reply.completion_tokens * (prices[1] or 0.0))

    def _wait_before_repeat(self, failure: CallFailed, failures: int, deadline: Deadline | None) -> None:
        """Wait before the next attempt.

        Raises:
            ControllerError: and its subclasses, if another attempt cannot help or there is no time for it.
        """
        settings = self.settings
        lasting = lasting_error(
            failure,
            server=self.label,
            model=self.model,
            has_key=settings.openai_api_key is not None,
            context_tokens=self.context_tokens,
        )
        if lasting is not None:
            raise lasting
        if failures > settings.controller_retries:
            times = "once" if failures == 1 else f"{failures} times"
            raise self._unavailable(f"failed {times}; the last error: {failure.detail}")
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (failures - 1)) * random.uniform(0.5, 1.0)
        if failure.retry_after is not None:
            wait = failure.retry_after
            longest = settings.controller_timeout
            if wait > (longest if deadline is None else min(longest, deadline.remaining())):
                raise self._unavailable(f"asks to wait {wait:.0f} s, longer than the time left: {failure.detail}")
        if deadline is None:
            time.sleep(wait)
        else:
            deadline.sleep(wait)

    def _unavailable(self, what: str) -> ControllerUnavailableError:
        who, mend = (
            ("The embedded controller", "try again, or set OPENAI_API_KEY or OPENAI_BASE_URL to use another")
            if self._server.is_embedded
            else (f"The controller at {self._server.label}", "try again later, or check OPENAI_BASE_URL")
        )
        return ControllerUnavailableError(f"{who} {what}; {mend}.")
