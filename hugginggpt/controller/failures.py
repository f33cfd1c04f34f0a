"""Why a call to the controller failed, and whether another attempt can help."""

from hugginggpt.controller.connection import CallFailed, Reply
from hugginggpt.errors import ControllerAuthError, ControllerError


def check_reply(reply: Reply, structured: bool) -> None:
    """Refuse an unusable reply.

    Raises:
        CallFailed: the reply is empty, a refusal, or cut off although a part of it is useless.
    """
    if reply.refusal or reply.finish == "content_filter":
        raise CallFailed("the model declined to answer", passing=False)
    if reply.finish == "length" and (structured or not reply.text.strip()):
        raise CallFailed("the answer was cut off at its token limit", code="cut_off")
    if not reply.text.strip():
        raise CallFailed("the answer is empty")


def is_too_long(failure: CallFailed) -> bool:
    """Whether the server refused the request because it exceeds the model's context."""
    said = f"{failure.code} {failure.detail}".lower()
    return failure.status in (400, 413, 422) and "context" in said and ("length" in said or "exceed" in said)


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
    if failure.status == 402 or "insufficient_quota" in (failure.code or ""):
        return ControllerAuthError(
            f"The account at {server} has no quota left; add credit there, or use another OPENAI_API_KEY."
        )
    if failure.status in (401, 403):
        answer = "did not accept the key in OPENAI_API_KEY" if has_key else "asks for a key"
        return ControllerAuthError(
            f"The controller at {server} {answer}; set OPENAI_API_KEY to a key that is valid there."
        )
    if failure.status == 404:
        return ControllerError(
            f"The controller at {server} does not know the model {model}; "
            "set HUGGINGGPT_CONTROLLER_MODEL to one that it serves, or correct OPENAI_BASE_URL."
        )
    if is_too_long(failure):
        return ControllerError(
            f"The request is longer than the context of {model}; set HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS "
            f"to what it takes (now {context_tokens})."
        )
    if not failure.passing:
        return ControllerError(
            f"The controller at {server} refused the request: {failure.detail.rstrip('.')}; "
            "check HUGGINGGPT_CONTROLLER_MODEL and OPENAI_BASE_URL."
        )
    return None
