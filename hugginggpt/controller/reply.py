"""What a server answered to a call: the model's words apart from its thoughts, or why there are none.

Nothing here relies on what the OpenAI protocol promises: servers send thoughts in place of content, lists of parts,
tool calls, errors with a status of success, web pages, and any other JSON.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from hugginggpt.controller.error_body import ErrorBody, read_error
from hugginggpt.costs import reported_cost
from hugginggpt.redaction import MASK, redact
from hugginggpt.spoken import is_json, spoken_in
from hugginggpt.text import one_line, storable

_MOST_REPLY = 1_000_000  # characters, including what a model thinks aloud
_MOST_DETAIL = 300
_SHORTEST_SECRET = 8
_PASSING_STATUSES = {408, 409, 425, 429}
_LASTING_CODES = re.compile(
    r"invalid|unauthori[sz]ed|forbidden|permission|not_?found|unsupported|insufficient|billing|content_?filter|moderation"
)
# Mistral says "model_length", DeepSeek "insufficient_system_resource", Gemini "MAX_TOKENS" and "SAFETY".
_FINISHES = {
    "length": re.compile(r"length|max_\w*tokens|token_limit"),
    "content_filter": re.compile(r"content_filter|safety|recitation|blocklist|prohibited|spii"),
    "error": re.compile(r"error|insufficient|abort|cancel|malformed"),
}
_FENCED = re.compile(r"\A```\w*\s*(.*?)\s*```\Z", re.DOTALL)


CUT_OFF, ENDLESS, LATE, REFUSAL, FILTERED = "cut_off", "endless", "late", "refusal", "content_filter"
"""Codes of failures that only the client sees: an answer reached its token limit, is longer than any should be, did not
come in time, is a refusal, or was withheld by the server's filter."""


class CallFailed(Exception):
    """A call gave no usable reply.

    Attributes:
        status: HTTP status; None if there was no answer at all.
        code: the server's codes for the cause, in lower case, or one of this module's.
        param: the parameter that the server rejected, if it names one.
        detail: the server's message, without secrets.
        retry_after: seconds that the server asks to wait.
        passing: another attempt may work.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str = "",
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


@dataclass(frozen=True)
class Reply:
    """The controller's answer.

    Attributes:
        text: what the model says, without its thoughts.
        thoughts: what it thinks aloud.
        arguments: those of a tool call that it makes instead of saying something.
        finish: "stop", "length", "content_filter", or another reason that the server gives.
        refusal: the model's own words, if it declined.
        prompt_tokens: None if the server does not say.
        completion_tokens: including those of thoughts; None if the server does not say.
        cost_microdollars: millionths of a US dollar; None if the server does not say.
    """

    text: str
    finish: str = "stop"
    thoughts: str = ""
    arguments: str = ""
    refusal: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_microdollars: int | None = None


def reply_in(body: Any, *secrets: str) -> Reply:
    """What the body of a successful answer says.

    Args:
        body: what its JSON holds.
        secrets: what to leave out of errors, besides what looks like a key.

    Raises:
        CallFailed: it is an error, no completion, or too long.
    """
    if not isinstance(body, dict):
        raise CallFailed("the reply is not a chat completion", passing=False)
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    choice = choice if isinstance(choice, dict) else {}
    for said in (body.get("error"), choice.get("error")):
        if said:
            raise failed(read_error(said), None, *secrets)
    finish = _finish(choice.get("finish_reason"))
    if finish == "error":
        raise CallFailed("the server broke off with an error")
    message = choice.get("message")
    if message is None and finish in ("length", "content_filter"):
        message = {}
    if not isinstance(message, dict):
        if choices is None and (inside := read_error(body)).message:
            raise failed(inside, None, *secrets)
        raise CallFailed("the reply is not a chat completion", passing=isinstance(choices, list))
    reply = _reply(message, finish, body.get("usage"), *secrets)
    if len(reply.text) + len(reply.thoughts) > _MOST_REPLY:
        raise CallFailed(f"the reply is longer than {_MOST_REPLY:,} characters", code=ENDLESS, passing=False)
    return reply


def failed(error: ErrorBody, status: int | None, *secrets: str) -> CallFailed:
    """Why a call failed.

    Args:
        error: what the server says.
        status: the HTTP status; None if that was one of success, so that only the server's words count.
        secrets: what to leave out of the detail, besides what looks like a key.
    """
    if status is None and error.status is None:
        passing = not _LASTING_CODES.search(error.codes)
    else:
        known = status or error.status or 0
        passing = known in _PASSING_STATUSES or known >= 500
    # Groq refuses what its model wrote, not what it was asked.
    passing = passing or "json_validate_failed" in error.codes
    detail = shown(error.message, *secrets) or (f"HTTP {status}" if status else "an error without a message")
    return CallFailed(
        detail,
        status=status or error.status,
        code=error.codes,
        param=error.param,
        retry_after=error.retry_after,
        passing=passing,
    )


def shown(text: str, *secrets: str) -> str:
    """The text on one line of bounded length, without secrets or anything that looks like one."""
    return one_line(redact(text, *secrets), _MOST_DETAIL)


def _finish(reason: Any) -> str:
    """Why an answer ends, in OpenAI's words."""
    said = str(reason or "stop").lower()
    return next((ours for ours, theirs in _FINISHES.items() if theirs.search(said)), said)


def _reply(message: dict[str, Any], finish: str, usage: Any, *secrets: str) -> Reply:
    spoken = spoken_in(message)
    prompt_tokens, completion_tokens = _usage(usage)
    return Reply(
        # What looks like a key may be what was asked for; our own never is.
        text=_masked(storable(spoken.said), *secrets),
        finish=finish,
        thoughts=redact(storable(spoken.thoughts), *secrets),
        arguments=_masked(storable(_arguments(message)), *secrets),
        refusal=shown(spoken.refusal, *secrets) or None,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost_microdollars=reported_cost(usage),
    )


def _masked(text: str, *secrets: str) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK) if len(secret) >= _SHORTEST_SECRET else text
    return text


def _arguments(message: dict[str, Any]) -> str:
    """The arguments of the first tool call."""
    calls = message.get("tool_calls")
    first = calls[0] if isinstance(calls, list) and calls else message.get("function_call")
    called = first.get("function", first) if isinstance(first, dict) else None
    given = called.get("arguments") if isinstance(called, dict) else None
    if isinstance(given, str):
        return given
    return json.dumps(given) if isinstance(given, dict | list) else ""


def json_in_thoughts(reply: Reply) -> str:
    """The thoughts, if they are JSON and nothing else: some servers take an answer in a form for thoughts."""
    text = reply.thoughts.strip()
    fenced = _FENCED.match(text)
    text = fenced[1] if fenced else text
    return text if is_json(text) else ""


def _usage(usage: Any) -> tuple[int | None, int | None]:
    """Tokens of the prompt and of the completion."""
    given = usage if isinstance(usage, dict) else {}
    prompt, completion, total = (
        _count(given.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    if prompt is not None and total is not None:
        # Some servers count thoughts in the total only.
        completion = max(completion or 0, total - prompt)
    return prompt, completion


def _count(given: Any) -> int | None:
    return int(given) if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < 1e12 else None
