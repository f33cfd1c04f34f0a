"""The controller: one language model behind the OpenAI protocol, over HTTP or in this process."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from hugginggpt.controller.call import BROKEN_OFF, LIKELIEST, ControllerCall, Recorder, Sampling
from hugginggpt.controller.failures import Cause, cause_of, check_reply
from hugginggpt.controller.prompts import Prompt, Room, estimate_tokens, render
from hugginggpt.controller.reply import CallFailed, Reply
from hugginggpt.controller.server import Server
from hugginggpt.controller.tries import Tries
from hugginggpt.controller_name import EMBEDDED, ControllerName
from hugginggpt.costs import controller_cost
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, ControllerUnavailableError, DeadlineExceededError, EndlessAnswerError
from hugginggpt.settings import Settings

_CHECK_TOKENS = 256
_MOST_THOUGHTS = 20_000  # characters in the trace
# The length of a prompt is estimated, so only of a long one, and of much too few tokens, something can be concluded.
_MANY_TOKENS = 1000
_USUALLY_READ, _HARDLY_READ, _HARDLY_COUNTED = 0.7, 0.5, 0.25
_USUAL_CONTEXTS = tuple(1024 * 2**power for power in range(8))
_warned = set[tuple[str, str]]()

logger = logging.getLogger(__name__)

Slot = Callable[[Deadline | None], contextlib.AbstractContextManager[object]]

Check = Callable[[Deadline | None], None]


class _Used(NamedTuple):
    prompt: int
    completion: int
    estimated: bool = False


class Controller:
    """The language model that plans, chooses and answers.

    Thread-safe. Nothing is connected or loaded before the first call.

    Example:
        >>> controller = Controller.from_settings(get_settings())
        >>> controller.chat(render("summarization", text="..."), stage="summarization", max_tokens=200)
    """

    def __init__(
        self,
        server: Server,
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
        return cls(Server(settings))

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
    def context_tokens(self) -> Room:
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
        and never beyond the deadline. A server that is loading its model is waited for up to
        `HUGGINGGPT_CONTROLLER_PATIENCE` seconds. An answer that was cut off is asked for again with more room; a text
        that is cut off once more ends with a note.

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
        tries = Tries(
            self._server, prompt, stage=stage, max_tokens=max_tokens, schema=schema, sampling=sampling, extra=extra
        )
        try:
            while True:
                if deadline is not None:
                    deadline.check()
                request = tries.next()
                try:
                    reply = self._try(tries, prompt, stage, request, deadline)
                except CallFailed as failure:
                    _pause(tries.after(failure, request, deadline), deadline)
                else:
                    if (text := tries.answer(reply)) is not None:
                        return text
        except DeadlineExceededError as error:
            if deadline is not None and deadline.cancelled:
                raise ControllerUnavailableError(error.message) from error  # not the server's fault
            raise tries.unavailable(f"gave no answer: {error.message}") from error

    def check(self, deadline: Deadline | None = None) -> None:
        """Ask the controller for one word, to see whether it works.

        Args:
            deadline: when to stop; cancelling it stops the call at once.

        Raises:
            ControllerError: and its subclasses, as `chat` does.
        """
        try:
            unrecorded = Controller(self._server, owner=False)
            unrecorded.chat(render("check"), stage="check", max_tokens=_CHECK_TOKENS, deadline=deadline)
        except EndlessAnswerError:
            logger.info("The controller at %s thinks longer than a check may take.", self.label)
        except ControllerError as error:
            failure = error.__context__
            if not isinstance(failure, CallFailed) or cause_of(failure) not in (Cause.REFUSED, Cause.FILTERED):
                raise
            raise ControllerError(
                f"The controller at {self.label} refuses to answer even with one word ({failure.detail.rstrip('.')}); "
                "set HUGGINGGPT_CONTROLLER_MODEL to another model."
            ) from error

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        if self._owner:
            self._server.close()

    def _try(
        self, tries: Tries, prompt: Prompt, stage: str, request: dict[str, Any], deadline: Deadline | None
    ) -> Reply:
        """Make one try, and record it whatever its outcome, but for those that a loading server turns away again."""
        connection = self._server.connection()
        reply: Reply | None = None
        error: str | None = None
        recorded = self._record is not None
        with self._slot(deadline), self._server.slot(deadline):
            if self._check is not None:
                self._check(deadline)
            timeout = self.settings.controller_timeout
            if deadline is not None:
                timeout = min(timeout, max(deadline.remaining(), 0.001))
            started_at, start = datetime.now(UTC), time.monotonic()
            try:
                reply = connection.send(request, timeout, deadline)
                self._warn_of_a_cut(reply, prompt)
                return check_reply(reply, tries.is_structured, tries.fields)
            except BaseException as failure:
                if reply is None and isinstance(failure, CallFailed):
                    reply = failure.reply
                error = _recorded(failure)
                recorded = recorded and not (isinstance(failure, CallFailed) and tries.is_still_loading(failure))
                raise
            finally:
                if recorded and self._record is not None:
                    self._record(
                        ControllerCall(
                            stage=stage,
                            prompt_name=prompt.name,
                            prompt_sha256=prompt.sha256,
                            model=self.model,
                            attempt=tries.number,
                            prompt_tokens=(used := _used(reply, prompt)).prompt,
                            completion_tokens=used.completion,
                            seconds=time.monotonic() - start,
                            cost_microdollars=self._cost(reply, used),
                            estimated=used.estimated,
                            error=error,
                            thoughts=(reply.thoughts[:_MOST_THOUGHTS] or None) if reply else None,
                            started_at=started_at,
                        )
                    )

    def _warn_of_a_cut(self, reply: Reply, prompt: Prompt) -> None:
        """Say once that the server may have cut a prompt, as Ollama does without an error."""
        read, sent = reply.prompt_tokens, prompt.tokens
        if read is None or self.is_embedded or sent < _MANY_TOKENS or read >= _USUALLY_READ * sent:
            return
        if (self.label, self.model) not in _warned and (read < _HARDLY_READ * sent or _is_usual_context(read)):
            _warned.add((self.label, self.model))
            logger.warning(
                "The server read only %d of about %d tokens: %s at %s may cut prompts without an error, or count only "
                "what it had not read before. If its context is shorter, set HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS (now "
                "%d) to what it takes.",
                read,
                sent,
                self.model,
                self.label,
                self.context_tokens,
            )

    def _cost(self, reply: Reply | None, used: _Used) -> int | None:
        """What a call has cost, by the server's own account if it gives one."""
        if reply is not None and reply.cost_microdollars is not None:
            return reply.cost_microdollars
        return controller_cost(self.settings, used.prompt, used.completion)


def _used(reply: Reply | None, prompt: Prompt) -> _Used:
    """The tokens of a call. One without a reply counts as none: nobody knows whether it was begun."""
    if reply is None:
        return _Used(0, 0)
    read, written = reply.prompt_tokens, reply.completion_tokens
    if read is not None and prompt.tokens >= _MANY_TOKENS and read < _HARDLY_COUNTED * prompt.tokens:
        read = None
    if read is not None and written is not None:
        return _Used(read, written)
    estimated = estimate_tokens(reply.written) if written is None else written
    return _Used(prompt.tokens if read is None else read, estimated, estimated=True)


def _is_usual_context(tokens: int) -> bool:
    """Whether a number of tokens is that of a context which is full, such as 4096."""
    return any(0.97 * full <= tokens <= full for full in _USUAL_CONTEXTS)


def _recorded(failure: BaseException) -> str:
    """What the trace says of a failed try: the words of a server follow the status it answered with."""
    if not isinstance(failure, CallFailed):
        return f"{BROKEN_OFF}: {str(failure) or type(failure).__name__}"
    answered = failure.status is not None and failure.status >= 400
    status = f"HTTP {failure.status}" if answered and not failure.detail.startswith("HTTP ") else ""
    return f"{status}: {failure.detail}" if status else failure.detail


def _pause(seconds: float, deadline: Deadline | None) -> None:
    if deadline is None:
        time.sleep(seconds)
    else:
        deadline.sleep(seconds)
