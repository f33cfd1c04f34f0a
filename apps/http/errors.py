"""How errors reach the clients of the service."""

from fastapi.responses import JSONResponse

from hugginggpt.errors import (
    ForbiddenError,
    HuggingGPTError,
    PassingError,
    RequestClosedError,
    RequestIdError,
    RequestInProgressError,
    TooLargeError,
    TooManyRequestsError,
    TraceError,
    UsageError,
)

RETRY_SECONDS = 5
"""When to try again what was too much."""

_STATUSES: tuple[tuple[type[HuggingGPTError], int], ...] = (
    (TooManyRequestsError, 429),
    (PassingError, 503),
    (RequestIdError, 409),
    (RequestInProgressError, 409),
    (RequestClosedError, 409),
    (ForbiddenError, 403),
    (TooLargeError, 413),
    (UsageError, 422),
    (TraceError, 404),
    (HuggingGPTError, 500),
)
"""The status code of each error, the more special ones first."""


def status_of(error: HuggingGPTError) -> int:
    """The status code of an error."""
    return next(status for kind, status in _STATUSES if isinstance(error, kind))


def refusal(type_: str, message: str, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as a client gets it: its class and its sentence, which OpenAI's clients look for in `error`."""
    known = {"type": type_, "message": message}
    retry = {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503) else {}
    return JSONResponse({**known, "error": known}, status, {**retry, **(headers or {})})
