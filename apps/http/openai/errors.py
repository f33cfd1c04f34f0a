"""How errors reach clients that speak OpenAI's protocol."""

from pydantic import ValidationError
from starlette.responses import JSONResponse

from apps.http.errors import RETRY_SECONDS, status_of
from apps.http.openai.models import ErrorObject
from hugginggpt.errors import HuggingGPTError, UsageError
from hugginggpt.text import one_line

_UNPROCESSABLE = 422
_MOST_SHOWN = 100
_SENTENCES = {
    "bool_type": "has to be true or false",
    "int_type": "has to be a whole number",
    "json_invalid": "is not JSON",
    "list_type": "has to be a list",
    "literal_error": "has to be one of {expected}",
    "missing": "is missing",
    "string_pattern_mismatch": "has to be the name of a format, such as wav",
    "string_type": "has to be a text",
    "value_error": "{error}",
}
"""What is wrong with a parameter, by Pydantic's name for it; for any other, it is no object."""


class ParameterError(UsageError):
    """A parameter of a call cannot be used."""

    def __init__(self, message: str = "", param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


def unusable(error: ValidationError) -> ParameterError:
    """Why a call cannot be used, in a sentence."""
    problem = error.errors()[0]
    param = ""
    for before, name in zip(("", *problem["loc"]), problem["loc"], strict=False):
        if isinstance(name, int):
            param += f"[{name}]"
        elif not isinstance(before, int):  # after a number, it says which model was tried
            param += f".{name}" if param else name
    param = one_line(param, _MOST_SHOWN)
    if problem["type"] == "extra_forbidden":
        within, _, name = param.rpartition(".")
        return ParameterError(f"'{within}' has no '{name}'.", within)
    sentence = _SENTENCES.get(problem["type"], "has to be an object").format(**problem.get("ctx", {}))
    subject = f"'{param}'" if param else "The body of the call"
    return ParameterError(f"{subject} {sentence}.", param or None)


def error_object(error: HuggingGPTError) -> ErrorObject:
    """An error as the protocol has it."""
    status = openai_status(error)
    own = error if isinstance(error, ParameterError) else ParameterError()
    return ErrorObject(
        message=error.message,
        type="rate_limit_error" if status == 429 else "invalid_request_error" if status < 500 else "server_error",
        param=own.param,
        code=own.code or type(error).__name__,
    )


def error_answer(error: HuggingGPTError) -> JSONResponse:
    """The answer to a call that failed. Clients repeat it only if that may help."""
    status = openai_status(error)
    again = status in (429, 503)
    headers = {"Retry-After": str(RETRY_SECONDS)} if again else {"X-Should-Retry": "false"}
    return JSONResponse({"error": error_object(error).model_dump()}, status, headers)


def openai_status(error: HuggingGPTError) -> int:
    """The status code of an error."""
    if isinstance(error, ParameterError) and error.code == "model_not_found":
        return 404
    status = status_of(error)
    return 400 if status == _UNPROCESSABLE else status
