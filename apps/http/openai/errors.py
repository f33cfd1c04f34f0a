"""How errors reach clients that speak OpenAI's protocol."""

from typing import Any

from starlette.responses import JSONResponse

from apps.http.errors import RETRY_SECONDS, status_of
from hugginggpt.errors import HuggingGPTError, UsageError

_UNPROCESSABLE = 422


class ParameterError(UsageError):
    """A parameter of a call cannot be used."""

    def __init__(self, message: str = "", param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


def error_object(error: HuggingGPTError) -> dict[str, Any]:
    """An error as the protocol has it."""
    status = openai_status(error)
    return {
        "message": error.message,
        "type": "rate_limit_error" if status == 429 else "invalid_request_error" if status < 500 else "server_error",
        "param": error.param if isinstance(error, ParameterError) else None,
        "code": (error.code if isinstance(error, ParameterError) else None) or type(error).__name__,
    }


def error_answer(error: HuggingGPTError) -> JSONResponse:
    """The answer to a call that failed. Clients repeat it only if that may help."""
    status = openai_status(error)
    again = status in (429, 503)
    headers = {"Retry-After": str(RETRY_SECONDS)} if again else {"X-Should-Retry": "false"}
    return JSONResponse({"error": error_object(error)}, status, headers)


def openai_status(error: HuggingGPTError) -> int:
    """The status code of an error."""
    if isinstance(error, ParameterError) and error.code == "model_not_found":
        return 404
    status = status_of(error)
    return 400 if status == _UNPROCESSABLE else status
