"""Why a call to the controller failed, and whether another attempt can help."""

import re
from dataclasses import replace
from enum import Enum, auto

from hugginggpt.controller.reply import CUT_OFF, ENDLESS, FILTERED, REFUSAL, CallFailed, Reply, json_in_thoughts
from hugginggpt.errors import ControllerAuthError, ControllerError

_TOO_LONG = re.compile(
    r"context[_ -]?(?:length|window|size)|\b(?:maximum|available|model's) context\b|\bn_ctx\b|\bnum_ctx\b"
    r"|\b(?:prompt|input|request|messages?|conversation) (?:(?:is|are|was) )?too (?:long|large)"
    r"|too many (?:input )?tokens|\binput token count|\bexceeds? the (?:maximum|max|limit on the)\b.{0,30}\btokens?\b"
    r"|\b(?:reduce|shorten) (?:the length|your (?:prompt|input))|string_above_max_length|request_too_large"
    r"|longer than the (?:model|maximum)|exceeds? (?:the )?context|tokens \+ `?max_new_tokens|must be reduced"
)
_LIMIT = re.compile(r"max_(?:completion_)?tokens\W{0,3}(?: ?must be (?:less|at most)|:? ?\d+ ?>)|range of `?max_tokens")
_UNFINISHED = re.compile(r"could not finish the message|max_tokens or model output limit was reached")
_LOADING = re.compile(
    r"(?<!error )\bloading\b(?! (?:error|failed))|warming up|starting up|is starting|not (?:yet )?(?:ready|loaded)"
)
_NOT_LOADING = re.compile(r"\b(?:error|fail(?:ed|ure)|unable|could not|cannot|can't)\b.{0,20}\bload")
_QUOTA = re.compile(
    r"insufficient[_ ]?(?:quota|balance|credit|funds)|exceeded your (?:current )?quota|\bbilling\b|out of credits?"
    r"|(?:credit|account) balance|requires? (?:more )?credits|payment required"
)
_KEY = re.compile(
    r"api[ _-]?key|(?:incorrect|invalid|wrong) key|unauthori[sz]ed|authenti|credential"
    r"|\btoken (?:is )?(?:invalid|expired)"
)
_FILTERED = re.compile(
    r"content[_ ]?filter|content management policy|moderation|\bflagged\b|responsibleai"
    r"|safety (?:system|setting|filter)|prohibited[_ ]content"
)
_MODEL = re.compile(
    r"\bmodels?\b.{0,80}\b(?:not[ _]found|not exist|unknown|is not (?:a )?(?:valid|available))"
    r"|model_not_found|\b(?:no such|unknown|invalid) model|try pulling it|not a valid model|decommissioned"
    r"|model_not_supported|deploymentnotfound|deployment .{0,60}not exist|no endpoints found for\b"
    r"|\A[^:]*: model: \S+\Z"
)
_ADDRESS = re.compile(
    r"\broute\b|\bpath not found|unknown_url|page not found|unexpected endpoint|resource not found|cannot post"
    r"|invalid url"
)
_TOO_BIG = re.compile(r"requires? more (?:system )?memory|out of memory|not enough memory|insufficient memory")


class Cause(Enum):
    """Why a call failed, where the server or the client says so."""

    TOO_LONG = auto()
    REDIRECTED = auto()
    REFUSED = auto()
    FILTERED = auto()
    NO_QUOTA = auto()
    KEY = auto()
    MODEL = auto()
    ADDRESS = auto()
    ENDLESS = auto()
    TOO_BIG = auto()


def check_reply(reply: Reply, structured: bool) -> Reply:
    """The reply, if it is usable.

    Of an answer in a form, the arguments of a tool call count as text where there is none, and so do thoughts that are
    JSON and nothing else.

    Args:
        reply: what the server answered.
        structured: whether an answer in a form was asked for.

    Raises:
        CallFailed: the reply is empty, a refusal, or cut off although a part of it is useless.
    """
    is_cut = reply.finish == "length"
    text = reply.text.strip()
    if structured and not is_cut and not ("{" in text or "[" in text):
        # A model that calls a tool may say that it does.
        text = reply.arguments.strip() or text or json_in_thoughts(reply)
    if reply.refusal and not text:
        raise CallFailed(f'the model declined to answer: "{reply.refusal.strip()}"', code=REFUSAL, passing=False)
    if reply.finish == "content_filter":
        raise CallFailed("the server's filter withheld the answer", code=FILTERED, passing=False)
    if is_cut and (structured or not text):
        who = "its thoughts" if reply.thoughts and not text else "the answer"
        raise CallFailed(f"{who} reached the token limit", code=CUT_OFF)
    if not text:
        raise CallFailed("the answer is empty, but for thoughts" if reply.thoughts else "the answer is empty")
    return replace(reply, text=text)


def is_cut_off(failure: CallFailed) -> bool:
    """Whether the model had more to say, or to think, than its token limit allowed."""
    return failure.code == CUT_OFF or _UNFINISHED.search(_said(failure)) is not None


def is_loading(failure: CallFailed) -> bool:
    """Whether the server says that it is still loading the model."""
    said = _said(failure)
    possible = failure.status in (None, 425, 500, 502, 503) and failure.passing
    return possible and _LOADING.search(said) is not None and _NOT_LOADING.search(said) is None


def cause_of(failure: CallFailed) -> Cause | None:
    """Why a call failed for good; None if nobody says so, and another attempt may work unless it was refused."""
    said, status = _said(failure), failure.status
    if failure.code in (REFUSAL, ENDLESS):
        return Cause.REFUSED if failure.code == REFUSAL else Cause.ENDLESS
    if status is not None and 300 <= status < 400:
        return Cause.REDIRECTED
    may_be_long = status in (None, 400, 413, 422, 429, 500) and not is_cut_off(failure) and not _LIMIT.search(said)
    if may_be_long and failure.retry_after is None and _TOO_LONG.search(said):
        return Cause.TOO_LONG
    if failure.code == FILTERED or (status in (400, 403, 422) and _FILTERED.search(said)):
        return Cause.FILTERED
    # A limit that comes back by itself, such as one a minute, is said with the time until then.
    if status == 402 or (status in (None, 400, 403, 429) and _QUOTA.search(said) and failure.retry_after is None):
        return Cause.NO_QUOTA
    if status == 401 or (status in (None, 400, 403) and _KEY.search(said)):
        return Cause.KEY
    if status in (400, 404) and _MODEL.search(said):
        return Cause.MODEL
    if status == 405 or (status == 404 and _says_nothing(failure)):
        return Cause.ADDRESS
    if status in (None, 400, 404) and _ADDRESS.search(said):
        return Cause.ADDRESS
    return Cause.TOO_BIG if status in (None, 500) and _TOO_BIG.search(said) else None


def lasting_error(
    failure: CallFailed, *, server: str, model: str, has_key: bool, context_tokens: int
) -> ControllerError | None:
    """The error for a failure that no retry can fix; None if another attempt may work.

    Args:
        failure: how the call failed.
        server: the server's name for error messages.
        model: the controller's model.
        has_key: an API key is configured.
        context_tokens: the configured size of the model's context.
    """
    words = failure.detail.rstrip(".: ")
    quoted = "" if _says_nothing(failure) else f" ({words})"
    match cause_of(failure):
        case Cause.NO_QUOTA:
            return ControllerAuthError(
                f"The account at {server} has no quota left{quoted}; add credit there, or use another OPENAI_API_KEY."
            )
        case Cause.KEY:
            answer = "did not accept the key in OPENAI_API_KEY" if has_key else "asks for a key"
            return ControllerAuthError(
                f"The controller at {server} {answer}{quoted}; set OPENAI_API_KEY to a key that is valid there."
            )
        case Cause.TOO_LONG:
            return ControllerError(
                f"The request is longer than the context of {model}{quoted}; set HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS "
                f"to what it takes (now {context_tokens})."
            )
        case Cause.REDIRECTED:
            return ControllerError(f"The controller at {server} {words}; set OPENAI_BASE_URL to where it is.")
        case Cause.REFUSED:
            return ControllerError(f"The controller at {server} refused: {words}; reword the request.")
        case Cause.FILTERED:
            return ControllerError(f"The controller at {server} gave no answer: {words}; reword the request.")
        case Cause.MODEL:
            return ControllerError(
                f"The controller at {server} does not know the model {model}{quoted}; "
                "set HUGGINGGPT_CONTROLLER_MODEL to one that it serves, or correct OPENAI_BASE_URL."
            )
        case Cause.ADDRESS:
            return ControllerError(
                f"There is no controller at {server}{quoted}; correct OPENAI_BASE_URL, which often ends in /v1, "
                "or set HUGGINGGPT_CONTROLLER_MODEL to a model that is served there."
            )
        case Cause.ENDLESS:
            return ControllerError(
                f"The controller at {server} does not come to an end: {words}; "
                "set HUGGINGGPT_CONTROLLER_MODEL to another model."
            )
        case Cause.TOO_BIG:
            return ControllerError(
                f"The server at {server} has no memory for {model}{quoted}; "
                "set HUGGINGGPT_CONTROLLER_MODEL to a smaller model."
            )
    if not failure.passing:
        key = "what OPENAI_API_KEY may use there, " if failure.status == 403 and has_key else ""
        return ControllerError(
            f"The controller at {server} refused the request: {words}; "
            f"check {key}HUGGINGGPT_CONTROLLER_MODEL and OPENAI_BASE_URL."
        )
    return None


def _said(failure: CallFailed) -> str:
    return f"{failure.code}: {failure.detail}".lower()


def _says_nothing(failure: CallFailed) -> bool:
    bare = failure.detail.lower().strip(" .:")
    return bare in (f"http {failure.status}", "not found", "forbidden", "unauthorized", "error", "")
