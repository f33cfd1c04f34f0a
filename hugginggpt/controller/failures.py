"""Why a call to the controller failed, and whether another attempt can help."""

import json
import re
from collections.abc import Collection
from dataclasses import replace
from enum import Enum, auto

from hugginggpt.controller.reply import CUT_OFF, ENDLESS, FILTERED, REFUSAL, WEB_PAGE, CallFailed, Reply
from hugginggpt.controller.tool_calls import answer_in
from hugginggpt.errors import ControllerAuthError, ControllerError
from hugginggpt.spoken import is_json
from hugginggpt.text import one_line


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


_SENT = r"\b(?:prompts?|inputs?|messages?|conversation|sequence)"
# How servers say that the prompt is too long. What they say of the longest answer reads alike: see _LIMIT.
_TOO_LONG = _any(
    r"context[_ -]?(?:length|window|size|limit)",
    r"\b(?:maximum|available|model's) context\b",
    r"\bn_ctx\b|\bnum_ctx\b",
    r"\bmax(?:imum)? (?:prompt|input|context|sequence|model)[_ ](?:length|tokens|size)",
    rf"(?:{_SENT}|\brequest(?: body)?)[_ ](?:(?:is|are|was)[_ ])?too[_ ](?:long|large)",
    rf"{_SENT}\b[^.:]{{0,60}}\bexceed",
    r"\bexceed\w* (?:the )?context",
    r"\bexceed\w* the (?:maximum|max|limit on the)\b.{0,30}\btokens?\b",
    r"\bexceed\w*\b.{0,30}\b(?:token|prompt|input|sequence|message)s?[ _-](?:limit|length|window|size|count|tokens)",
    r"\btokens?[_ ]limit[_ ](?:\w{1,10}[_ ])?(?:exceeded|reached)",
    r"too many (?:input )?tokens|\binput token count",
    r"\binputs?\W{0,3}must have (?:less|fewer) than",
    r"range of input length",
    r"tokens to keep from the initial prompt",
    r"longer than the (?:model|maximum)",
    r"tokens \+ `?max_new_tokens",
    r"\b(?:reduce|shorten) (?:the length|your (?:prompt|input))|must be reduced",
    r"string_above_max_length|request_too_large",
)
# How they say it of a request that never fits into their limit a minute. Others are let in later.
_TOO_LARGE_A_MINUTE = _any(r"too (?:large|long)", r"must be reduced", r"context[_ ](?:length|window|size)")
_LIMIT = _any(
    r"max[_ ](?:(?:completion|output)[_ ])?tokens\b\W{0,3}(?:\(\d+\) ?)?"
    r"(?:(?:must|should|can|may) (?:be|not)|cannot|exceeds?\b(?! (?:the )?context)|:? ?\d+ ?>)",
    r"range of `?max_tokens",
    r"maximum (?:number of )?tokens you requested",
)
_UNFINISHED = re.compile(r"could not finish the message|max_tokens or model output limit was reached")
_LOADING = _any(
    r"\bloading\b|\bload in progress|\binitiali[sz]ing\b",
    r"\bbeing (?:(?:down)?loaded|initiali[sz]ed|pulled|deployed|started)",
    r"\b(?:warming|starting|waking|spinning|booting|scaling) up|\bis (?:starting|booting|waking)",
    r"\bcold[ -](?:boot|start)|\bscaled (?:down )?to (?:zero|0)\b",
    r"\b(?:pulling|downloading) (?:the )?model",
    r"\bnot (?:yet )?ready|\bnot yet (?:loaded|available)",
)
_NOT_LOADING = _any(
    r"\b(?:error|exception|fail(?:ed|ure|s)?|unable|could not|cannot|can't|crash(?:ed)?|timed? ?out|problem)"
    r"(?: (?:while|when|during|in|to|on|for|be|waiting|the|a|model))* (?:re)?(?:load|initiali[sz])",
    r"\b(?:load|initiali[sz])(?:ing)?(?: (?:the|a|of|has|was|been|model))*"
    r" (?:errors?|exception|fail|crash|stopped|aborted|cancell?ed|interrupted|timed out|terminated)",
    r"\boverload|\binsufficient\b|\bnot enough\b|\bout of memory",
)
_QUOTA = re.compile(
    r"insufficient[_ ]?(?:quota|balance|credit|funds)|exceeded your (?:current )?quota|out of credits?"
    r"|(?:credit|account) balance|requires? (?:more )?credits|payment required"
)
_BILLING = re.compile(r"\bbilling\b")
# Who may ask from where, and for what: no other key and no other model changes that.
_POLICY = re.compile(
    r"\b(?:countr(?:y|ies)|regions?|territor(?:y|ies)|locations?|polic(?:y|ies)|billing|ip|ips|privacy|sanction\w*|embargo\w*)\b"
    r"|unsupported_country"
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
    r"|\A[^:]*: model: \S+\Z|\bnot found the model\b"
)
_ADDRESS = re.compile(
    r"\broute\b|\bpath not found|unknown_url|page not found|unexpected endpoint|resource not found|cannot post"
    r"|invalid url"
)
_TOO_BIG = re.compile(
    r"requires? more (?:system )?memory|out of memory|not enough memory|insufficient (?:system )?(?:memory|resources)"
)
_SAYS_KEY, _SAYS_MODEL = re.compile(r"(?:\b|_)keys?\b"), re.compile(r"\bmodels?\b")
# What is said where nothing is known, in any order: "404 Not Found", "HTTP 403", "Error 404 (Not Found)".
_EMPTY_WORDS = frozenset(
    ("http", "error", "status", "code", "page", "not", "found", "forbidden", "unauthorized", "nginx")
)


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


def check_reply(reply: Reply, structured: bool, fields: Collection[str] = ()) -> Reply:
    """The reply, if it is usable.

    Of an answer in a form, calls of tools count as text where the text is not JSON, and so do thoughts that are JSON
    and nothing else.

    Args:
        reply: what the server answered.
        structured: whether an answer in a form was asked for.
        fields: what the form has to have, by which a whole answer is told from a part.

    Raises:
        CallFailed: the reply is empty, a refusal, or cut off although a part of it is useless.
    """
    is_cut = reply.finish == "length"
    text = reply.text.strip()
    if structured and not is_cut and not _is_filled(text):
        # A model that calls a tool may say that it does.
        text = answer_in(reply.calls, fields) or text or reply.json_thoughts
    refusal = reply.refusal or (reply.text if reply.finish == "refusal" else "")
    if reply.finish == "refusal" or (refusal and not text):
        said = f': "{one_line(refusal)}"' if refusal.strip() else ""
        raise CallFailed(f"the model declined to answer{said}", code=REFUSAL, passing=False)
    if reply.finish == "content_filter":
        raise CallFailed("the server's filter withheld the answer", code=FILTERED, passing=False)
    if is_cut and (structured or not text):
        who = "its thoughts" if reply.thoughts and not text else "the answer"
        raise CallFailed(f"{who} reached the token limit", code=CUT_OFF)
    if not text:
        raise CallFailed("the answer is empty, but for thoughts" if reply.thoughts else "the answer is empty")
    return replace(reply, text=text)


def _is_filled(text: str) -> bool:
    """Whether a text is JSON with something in it, and nothing else."""
    return is_json(text) and bool(json.loads(text, strict=False))


def is_cut_off(failure: CallFailed) -> bool:
    """Whether the model had more to say, or to think, than its token limit allowed."""
    return failure.code == CUT_OFF or _UNFINISHED.search(_said(failure)) is not None


def is_loading(failure: CallFailed) -> bool:
    """Whether the server says that it is still loading the model."""
    said = _said(failure)
    possible = failure.status in (None, 409, 425, 429, 500, 502, 503, 504) and failure.passing
    return possible and _LOADING.search(said) is not None and _NOT_LOADING.search(said) is None


def cause_of(failure: CallFailed) -> Cause | None:
    """Why a call failed for good; None if nobody says so, and another attempt may work unless it was refused."""
    said, status = _said(failure), failure.status
    if failure.code in (REFUSAL, ENDLESS):
        return Cause.REFUSED if failure.code == REFUSAL else Cause.ENDLESS
    if failure.is_of_the_model:
        return None
    if status is not None and 300 <= status < 400:
        return Cause.REDIRECTED
    if _is_too_long(failure):
        return Cause.TOO_LONG
    if failure.code == FILTERED or (status in (400, 403, 422) and _FILTERED.search(said)):
        return Cause.FILTERED
    # A limit that comes back by itself, such as one a minute, is said with the time until then.
    is_quota = _QUOTA.search(said) or (status != 403 and _BILLING.search(said))
    if status == 402 or (status in (None, 400, 403, 429) and is_quota and failure.retry_after is None):
        return Cause.NO_QUOTA
    is_policy = status == 403 and _POLICY.search(said) and not _SAYS_KEY.search(said)
    if status == 401 or (status in (None, 400, 403) and _KEY.search(said) and not is_policy):
        return Cause.KEY
    if status in (400, 404) and _MODEL.search(said):
        return Cause.MODEL
    if status == 405 or (status == 404 and (_says_nothing(failure) or failure.code == WEB_PAGE)):
        return Cause.ADDRESS
    if status in (None, 400, 404) and _ADDRESS.search(said):
        return Cause.ADDRESS
    return Cause.TOO_BIG if status in (None, 500) and _TOO_BIG.search(said) else None


def _is_too_long(failure: CallFailed) -> bool:
    said, status = _said(failure), failure.status
    if failure.retry_after is not None or is_cut_off(failure) or _LIMIT.search(said):
        return False
    if status == 429:
        return _TOO_LARGE_A_MINUTE.search(said) is not None
    return status == 413 or (status in (None, 400, 422, 500) and _TOO_LONG.search(said) is not None)


def lasting_error(
    failure: CallFailed, *, server: str, model: str, has_key: bool, context_tokens: int
) -> ControllerError | None:
    """The error for a failure of a server that no retry can fix; None if another attempt may work.

    Args:
        failure: how the call failed.
        server: the server's name for error messages.
        model: the controller's model.
        has_key: an API key is configured.
        context_tokens: the configured size of the model's context.
    """
    words, quoted = _words(failure)
    match cause_of(failure):
        case Cause.NO_QUOTA:
            other = "" if failure.status == 403 else ", or use another OPENAI_API_KEY"
            return ControllerAuthError(f"The account at {server} has no quota left{quoted}; add credit there{other}.")
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
                f"There is no controller at this address, {server}{quoted}; "
                "correct OPENAI_BASE_URL, which often ends in /v1."
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
    if failure.passing:
        return None
    return ControllerError(f"The controller at {server} refused the request: {words}; {_to_check(failure, has_key)}.")


def lasting_embedded_error(failure: CallFailed, *, model: str, more_room: str) -> ControllerError | None:
    """The error for a failure of the embedded controller that no retry can fix; None if another attempt may work.

    Args:
        failure: how the call failed.
        model: its model.
        more_room: what lets it take longer requests.
    """
    words, quoted = _words(failure)
    cause = cause_of(failure)
    if cause is Cause.TOO_LONG:
        return ControllerError(
            f"The request is longer than the context of {model}{quoted}; shorten it, or {more_room}."
        )
    if cause is None and failure.passing:
        return None
    return ControllerError(
        f"The embedded controller refused the request: {words}; reword it, or configure another controller."
    )


def _to_check(failure: CallFailed, has_key: bool) -> str:
    """What to do about a request that was refused. Of a key or a model only speaks who was told of it."""
    if failure.status not in (403, 404):
        return "check HUGGINGGPT_CONTROLLER_MODEL and OPENAI_BASE_URL"
    said = failure.detail.lower()
    is_policy = _POLICY.search(_said(failure)) is not None
    checks = [
        *(["what OPENAI_API_KEY may use there"] if has_key and _SAYS_KEY.search(said) else []),
        *(["HUGGINGGPT_CONTROLLER_MODEL"] if _SAYS_MODEL.search(said) and not is_policy else []),
    ]
    return f"check {' and '.join(checks)}" if checks else "set OPENAI_BASE_URL to a server that takes it"


def _words(failure: CallFailed) -> tuple[str, str]:
    """The server's words, and the same in brackets if they say anything."""
    words = failure.detail.rstrip(".: ")
    return words, "" if _says_nothing(failure) else f" ({words})"


def _said(failure: CallFailed) -> str:
    return f"{failure.code}: {failure.detail}".lower()


def _says_nothing(failure: CallFailed) -> bool:
    return {*re.findall(r"[a-z]+", failure.detail.lower())} <= _EMPTY_WORDS
