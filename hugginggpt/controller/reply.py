"""What a server answered to a call: the model's words apart from its thoughts, or why there are none.

Nothing here relies on what the OpenAI protocol promises: servers send thoughts in place of content, lists of parts,
tool calls, errors with a status of success, web pages, and any other JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hugginggpt.controller.error_body import ErrorBody, read_error
from hugginggpt.controller.tool_calls import ToolCall, calls_in
from hugginggpt.costs import reported_cost
from hugginggpt.redaction import MASK, is_secret_key, redact
from hugginggpt.spoken import is_json, spoken_in, without_thoughts
from hugginggpt.text import one_line, storable

_MOST_REPLY = 1_000_000  # characters, including what a model thinks aloud
_MOST_DETAIL = 300
_PASSING_STATUSES = {408, 409, 425, 429}
_LASTING_CODES = re.compile(
    r"invalid|unauthori[sz]ed|forbidden|permission|not_?found|unsupported|insufficient|billing|content_?filter|moderation"
)
# Mistral says "model_length", DeepSeek "insufficient_system_resource", Gemini "MAX_TOKENS" and "SAFETY".
_FINISHES = {
    "length": re.compile(r"length|max_\w*tokens|token_limit"),
    "content_filter": re.compile(r"content_filter|safety|recitation|blocklist|prohibited|spii"),
    "error": re.compile(r"error|insufficient|abort|cancel|malformed"),
    "refusal": re.compile(r"refus|declined"),
}
# Groq refuses what its model wrote, not what the model was asked.
_WRITTEN_BADLY = re.compile(
    r"json_validate_failed|tool_use_failed|output_parse_failed|failed to (?:generate|validate) json"
    r"|model (?:generated|produced) (?:output|json|text) that could not be parsed|but model called a tool"
)
_FENCED = re.compile(r"\A```\w*\s*(.*?)\s*```\Z", re.DOTALL)


CUT_OFF, ENDLESS, LATE, REFUSAL, FILTERED = "cut_off", "endless", "late", "refusal", "content_filter"
WEB_PAGE = "web_page"
"""Codes of failures that only the client sees: an answer reached its token limit, is longer than any should be, did not
come in time, is a refusal, was withheld by the server's filter, or is a page for people."""


class CallFailed(Exception):
    """A call gave no usable reply.

    Attributes:
        status: HTTP status; None if there was no answer at all.
        code: the server's codes for the cause, in lower case, or one of this module's.
        param: the parameter that the server rejected, if it names one.
        detail: the server's message, without secrets.
        retry_after: seconds that the server asks to wait.
        passing: another attempt may work.
        reply: what came with the failure, for its tokens and cost; None if nothing did.
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
        self.reply: Reply | None = None

    @property
    def is_of_the_model(self) -> bool:
        """Whether the server complains of what its model wrote."""
        return _WRITTEN_BADLY.search(f"{self.code} {self.detail}".lower()) is not None


@dataclass(frozen=True)
class Reply:
    """The controller's answer.

    Attributes:
        text: what the model says, without its thoughts.
        finish: "stop", "length", "content_filter", "refusal", or another reason that the server gives.
        thoughts: what it thinks aloud.
        json_thoughts: JSON that the server took for thoughts, as it is; "" if there is none.
        calls: the tools that it calls instead of saying something.
        refusal: the model's own words, if it declined.
        prompt_tokens: None if the server does not say.
        completion_tokens: including those of thoughts; None if the server does not say.
        cost_microdollars: millionths of a US dollar; None if the server does not say.
    """

    text: str
    finish: str = "stop"
    thoughts: str = ""
    json_thoughts: str = ""
    calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_microdollars: int | None = None

    @property
    def written(self) -> str:
        """Everything that the model wrote."""
        return "".join([self.thoughts, self.text, *(call.arguments for call in self.calls)])


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
    try:
        return _completion(body, *secrets)
    except CallFailed as failure:
        failure.reply = spent_in(body, *secrets)
        raise


def spent_in(body: Any, *secrets: str) -> Reply | None:
    """What is in the body of a failure, for its tokens and cost; None if the model did nothing."""
    if not isinstance(body, dict):
        return None
    message = _choice_in(body).get("message")
    reply = _reply(message if isinstance(message, dict) else {}, "error", body.get("usage"), *secrets)
    known = (reply.prompt_tokens, reply.completion_tokens, reply.cost_microdollars)
    return reply if reply.written or any(number is not None for number in known) else None


def _choice_in(body: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def _completion(body: Mapping[str, Any], *secrets: str) -> Reply:
    choices, choice = body.get("choices"), _choice_in(body)
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
    detail = shown(error.message, *secrets) or (f"HTTP {status}" if status else "an error without a message")
    failure = CallFailed(
        detail,
        status=status or error.status,
        code=error.codes,
        param=error.param,
        retry_after=error.retry_after,
        passing=passing,
    )
    failure.passing = passing or failure.is_of_the_model
    return failure


def shown(text: str, *secrets: str) -> str:
    """The text on one line of bounded length, without secrets or anything that looks like one."""
    return one_line(redact(text, *filter(is_secret_key, secrets)), _MOST_DETAIL)


def _finish(reason: Any) -> str:
    """Why an answer ends, in OpenAI's words."""
    said = str(reason or "stop").lower()
    return next((ours for ours, theirs in _FINISHES.items() if theirs.search(said)), said)


def _reply(message: Mapping[str, Any], finish: str, usage: Any, *secrets: str) -> Reply:
    spoken = spoken_in(message)
    text, thoughts = storable(spoken.said), storable(spoken.thoughts)
    calls = tuple(ToolCall(call.name, _masked(storable(call.arguments), *secrets)) for call in calls_in(message))
    prompt_tokens, completion_tokens = _usage(usage, is_empty=not (text or thoughts or calls))
    return Reply(
        # What looks like a key may be what was asked for; our own never is.
        text=_masked(text, *secrets),
        finish=finish,
        thoughts=redact(thoughts, *filter(is_secret_key, secrets)),
        json_thoughts=_masked(_json_in(thoughts), *secrets),
        calls=calls,
        refusal=shown(spoken.refusal, *secrets) or None,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost_microdollars=reported_cost(usage),
    )


def _masked(text: str, *secrets: str) -> str:
    for secret in filter(is_secret_key, secrets):
        text = text.replace(secret, MASK)
    return text


def _json_in(thoughts: str) -> str:
    """Thoughts that are JSON and nothing else, or end where JSON begins: some servers take an answer for thoughts."""
    text = without_thoughts(thoughts).said
    fenced = _FENCED.match(text)
    text = fenced[1] if fenced else text
    return text if is_json(text) else ""


def _usage(usage: Any, is_empty: bool) -> tuple[int | None, int | None]:
    """Tokens of the prompt and of the completion. A server that does not count says 0."""
    given = usage if isinstance(usage, dict) else {}
    prompt, completion, total = (
        _count(given.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    prompt = prompt or None
    if prompt is not None and total is not None:
        # Some servers count thoughts in the total only.
        completion = max(completion or 0, total - prompt)
    return prompt, completion if completion or is_empty else None


def _count(given: Any) -> int | None:
    return int(given) if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < 1e12 else None
