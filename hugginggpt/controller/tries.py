"""The tries of one call: what a failure leads to, until there is an answer or an error."""

from __future__ import annotations

import logging
import math
import random
import time
from typing import Any

from hugginggpt.controller.call import Sampling
from hugginggpt.controller.dialect import known_dialect, remember_dialect
from hugginggpt.controller.failures import (
    Cause,
    cause_of,
    is_cut_off,
    is_loading,
    lasting_embedded_error,
    lasting_error,
)
from hugginggpt.controller.prompts import Prompt
from hugginggpt.controller.reply import LATE, CallFailed, Reply
from hugginggpt.controller.server import Server
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, ControllerUnavailableError, EndlessAnswerError

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 8.0
_LOADING_WAIT = 2.0
_MORE_ROOM, _MORE_ROOM_TO_THINK = 2, 4
_MARGIN = 1.05
_MOST_STEPS = 12  # from one dialect to another

_CUT_OFF_NOTE = "(The answer was cut off here, at its token limit.)"

logger = logging.getLogger(__name__)


class Tries:
    """One call to the controller, tried until it succeeds or nothing can help.

    Args:
        server: the server to ask.
        prompt: what is asked.
        stage: the purpose of the call.
        max_tokens: the longest answer of the first try.
        schema: JSON schema of the answer.
        sampling: how the answer is drawn.
        extra: fields that only the embedded server knows.
    """

    def __init__(
        self,
        server: Server,
        prompt: Prompt,
        *,
        stage: str,
        max_tokens: int,
        schema: dict[str, Any] | None,
        sampling: Sampling,
        extra: dict[str, Any] | None,
    ) -> None:
        self.number = 0
        self._server, self._prompt, self._stage = server, prompt, stage
        # The length of the prompt is estimated.
        left = server.context_tokens - math.ceil(_MARGIN * prompt.tokens)
        self._max_tokens, self._room = max_tokens, max(max_tokens, left)
        self._schema, self._sampling, self._extra = schema, sampling, extra
        self._base_url = server.connection().base_url
        self._dialect = known_dialect(self._base_url, server.model, stage)
        self._failures = self._steps = self._cut_offs = self._written_badly = 0
        self._loading_since: float | None = None

    @property
    def is_structured(self) -> bool:
        """Whether the answer has a form, so that a part of it is useless."""
        return self._schema is not None

    @property
    def fields(self) -> list[str]:
        """What an answer in a form has to have."""
        return list((self._schema or {}).get("required", ()))

    def next(self) -> dict[str, Any]:
        """The request of the next try."""
        self.number += 1
        request = {
            "model": self._server.model,
            "messages": self._dialect.messages(self._prompt.messages),
            **self._dialect.options(
                stage=self._stage, max_tokens=self._max_tokens, schema=self._schema, sampling=self._sampling
            ),
        }
        if self._server.is_embedded:
            # llama.cpp would reuse one request's cache for the next, although the adapter may differ.
            request["extra_body"] = {"cache_prompt": False} | (self._extra or {})
        return request

    def answer(self, reply: Reply) -> str | None:
        """The text of a usable reply; None if it was cut off, and another try has more room."""
        remember_dialect(self._base_url, self._server.model, self._stage, self._dialect)
        text = reply.text.strip()
        if reply.finish != "length":
            return text
        self._cut_offs += 1
        if self._cut_offs > 1 or self._server.is_embedded or not self._makes_room(_MORE_ROOM):
            return f"{text}\n\n{_CUT_OFF_NOTE}"
        return None

    def is_still_loading(self, failure: CallFailed) -> bool:
        """Whether the server said before, and says again, that it is loading its model."""
        return self._loading_since is not None and is_loading(failure)

    def after(self, failure: CallFailed, request: dict[str, Any], deadline: Deadline | None) -> float:
        """How many seconds to wait before the next try.

        Args:
            failure: why the last one failed.
            request: what it sent.
            deadline: when there has to be an answer.

        Raises:
            ControllerError: and its subclasses, if another try cannot help or there is no time for it.
        """
        if is_cut_off(failure):
            if not self._makes_room(_MORE_ROOM_TO_THINK if not self.is_structured else _MORE_ROOM):
                raise self._no_end(failure)
            return 0.0
        if is_loading(failure):
            return self._until_loaded(failure)
        self._loading_since = None
        if self._changes_dialect(failure, request):
            return 0.0
        self._failures += 1
        if (lasting := self._lasting(failure)) is not None:
            raise lasting
        if self._failures > self._server.settings.controller_retries:
            times = "once" if self._failures == 1 else f"{self._failures} times"
            raise self.unavailable(f"failed {times}; the last error: {failure.detail}", failure)
        return self._wait(failure, deadline)

    def _changes_dialect(self, failure: CallFailed, request: dict[str, Any]) -> bool:
        """Whether the next try asks in another way, because of what the server refuses."""
        cause = cause_of(failure)
        if cause not in (None, Cause.MODEL, Cause.ADDRESS) or self._steps >= _MOST_STEPS:
            return False
        if failure.is_of_the_model:
            # Once is chance. A model that cannot write in a form fails again and again.
            self._written_badly += 1
            if self._written_badly == 1 and self._server.settings.controller_retries:
                return False
        other = self._dialect.without(failure, request, guess=cause is None)
        if other is None:
            return False
        self._steps += 1
        self._dialect = other
        return True

    def unavailable(self, what: str, failure: CallFailed | None = None) -> ControllerUnavailableError:
        """The error of a server that gave no answer.

        Args:
            what: what it did, after its name.
            failure: how its last try failed.
        """
        if failure is not None and failure.code == LATE:
            now = self._server.settings.controller_timeout
            mend = f"give it more time with HUGGINGGPT_CONTROLLER_TIMEOUT (now {now:g} seconds), or use a faster model"
        elif self._server.is_embedded:
            mend = "try again, or set OPENAI_API_KEY or OPENAI_BASE_URL to use another"
        else:
            mend = "try again later, or check OPENAI_BASE_URL"
        return ControllerUnavailableError(f"{self._named()} {what.rstrip('.')}; {mend}.")

    def _named(self) -> str:
        return "The embedded controller" if self._server.is_embedded else f"The controller at {self._server.label}"

    def _makes_room(self, times: int) -> bool:
        """Give the next try more tokens; False if there are no more."""
        most = min(self._room, self._dialect.most_tokens or self._room)
        before, self._max_tokens = self._max_tokens, min(times * self._max_tokens, most)
        return self._max_tokens > before

    def _no_end(self, failure: CallFailed) -> EndlessAnswerError:
        room = self._server.context_tokens
        return EndlessAnswerError(
            f"{self._named()} did not come to an end within {self._max_tokens} tokens ({failure.detail.rstrip('.')}); "
            f"{room.more} (now {room} tokens), or use a model that thinks less."
        )

    def _until_loaded(self, failure: CallFailed) -> float:
        patience, now = self._server.settings.controller_patience, time.monotonic()
        if self._loading_since is None:
            self._loading_since = now
            logger.warning("Waiting for %s: %s", self._server.label, failure.detail)
        wait = max(_LOADING_WAIT, failure.retry_after or 0.0)
        if now + wait - self._loading_since > patience:
            raise ControllerUnavailableError(
                f"{self._named()} is still loading its model ({failure.detail.rstrip('.')}); try again later, or set "
                f"HUGGINGGPT_CONTROLLER_PATIENCE to more seconds (now {patience:g})."
            )
        return wait

    def _lasting(self, failure: CallFailed) -> ControllerError | None:
        if self._server.is_embedded:
            return lasting_embedded_error(failure, model=self._server.model, more_room=self._server.context_tokens.more)
        return lasting_error(
            failure,
            server=self._server.label,
            model=self._server.model,
            has_key=self._server.settings.openai_api_key is not None,
            context_tokens=self._server.context_tokens,
        )

    def _wait(self, failure: CallFailed, deadline: Deadline | None) -> float:
        if failure.retry_after is None:
            return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (self._failures - 1)) * random.uniform(0.5, 1.0)
        wait, longest = failure.retry_after, self._server.settings.controller_timeout
        if wait > (longest if deadline is None else min(longest, deadline.remaining())):
            raise self.unavailable(f"asks to wait {wait:.0f} s, longer than the time left: {failure.detail}", failure)
        return wait
