"""What a call asks for, as a request of ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import UploadFile

from apps.http.openai.answers import without_links
from apps.http.openai.attachments import Attachment
from apps.http.openai.errors import ParameterError
from apps.http.openai.messages import Message
from apps.http.requests import NewRequest
from hugginggpt.request import MOST_QUOTED, MOST_QUOTED_CHARS, QuotedExchange, RequestOptions
from hugginggpt.submission import new_id, objection

MODEL = "hugginggpt"
"""The id of the only model."""

_OWN = "hugginggpt"
"""The field of a call with our own options."""
_OPTIONS = set(RequestOptions.model_fields) - {"history"}
_MOST_QUOTED_TEXT = 4000
"""Characters of a quoted text; the rest of a longer one is left out."""


@dataclass(frozen=True)
class Asked:
    """A request, and the files that came with it as data."""

    request: NewRequest
    uploads: tuple[UploadFile, ...]


def check_model(body: Mapping[str, Any]) -> None:
    """Raise unless a call is for our model, or names none.

    Raises:
        ParameterError: it is for another.
    """
    name = body.get("model", MODEL)
    if not isinstance(name, str):
        raise ParameterError("'model' has to be a text.", "model")
    if name != MODEL:
        raise unknown_model(name)


def unknown_model(name: str) -> ParameterError:
    """The error for a model that is not ours."""
    return ParameterError(f"The model '{name[:100]}' does not exist: use {MODEL}.", "model", "model_not_found")


def flag(body: Mapping[str, Any], name: str) -> bool:
    """A parameter that is true or false, and false if it is left out.

    Raises:
        ParameterError: it is something else.
    """
    given = body.get(name)
    if given is not None and not isinstance(given, bool):
        raise ParameterError(f"'{name}' has to be true or false.", name)
    return bool(given)


def asked_by(
    body: Mapping[str, Any], messages: Sequence[Message], conversation: str | None, form: tuple[str, object]
) -> Asked:
    """The request of a call.

    Args:
        body: the call's parameters.
        messages: what was said, with the user's last message as the request. Messages after that are left out.
        conversation: the conversation of ours that it continues; None if what was said before is to be quoted.
        form: the name and value of the parameter that gives the form of the answer.

    Raises:
        ParameterError: a parameter cannot be used.
    """
    last = max(number for number, message in enumerate(messages) if message.role == "user")
    message = messages[last]
    before = messages[:last] if conversation is None else ()
    files = [file for earlier in (*before, message) for file in earlier.files]
    uploads = [upload for file in files if (upload := file.upload) is not None]
    schema = _schema(*form)
    options = _options(body) | ({} if schema is None else {"answer_schema": schema})
    try:
        request = NewRequest(
            request=message.text,
            files=tuple(_sources(files)),
            id=new_id(),
            conversation=conversation,
            **{**options, "history": quoted(before)},
        )
    except ValidationError as error:
        problem = error.errors()[0]
        where = str(problem["loc"][0]) if problem["loc"] else _OWN
        param = form[0] if where == "answer_schema" and schema is not None else where
        raise ParameterError(objection([{**problem, "loc": (param, *problem["loc"][1:])}]), param) from None
    return Asked(request, tuple(uploads))


def quoted(messages: Sequence[Message]) -> tuple[QuotedExchange, ...]:
    """What was said, as exchanges of a request and its answer: the latest ones that may be quoted, long texts cut."""
    exchanges: list[QuotedExchange] = []
    for message in messages:
        if message.role == "user":
            exchanges.append(QuotedExchange(request=message.text[:_MOST_QUOTED_TEXT], answer=""))
        elif message.role == "assistant" and exchanges:
            answer = "\n\n".join(filter(None, (exchanges[-1]["answer"], without_links(message.text))))
            exchanges[-1]["answer"] = answer[:_MOST_QUOTED_TEXT]
    kept: list[QuotedExchange] = []
    left = MOST_QUOTED_CHARS
    for exchange in reversed(exchanges[-MOST_QUOTED:]):
        left -= len(exchange["request"]) + len(exchange["answer"])
        if left < 0:
            break
        kept.append(exchange)
    return tuple(reversed(kept))


def _sources(files: Sequence[Attachment]) -> list[str]:
    return [file.source for file in files if file.data is None]


def _options(body: Mapping[str, Any]) -> dict[str, Any]:
    own = body.get(_OWN)
    if own is None:
        return {}
    if not isinstance(own, dict) or not isinstance(own.get("options", {}), dict):
        raise ParameterError(f"'{_OWN}' has to be an object with options.", _OWN)
    options: dict[str, Any] = own.get("options", {})
    for unknown in (*(own.keys() - {"options"}), *(options.keys() - _OPTIONS)):
        raise ParameterError(
            f"'{_OWN}' has no '{str(unknown)[:40]}': its options are {', '.join(sorted(_OPTIONS))}.", _OWN
        )
    return options


def _schema(param: str, given: object) -> dict[str, Any] | None:
    """The JSON schema that an answer has to keep to, from `response_format` or `text.format`; None if it is text."""
    if given is None:
        return None
    kind = given.get("type") if isinstance(given, dict) else None
    if not isinstance(given, dict) or kind not in ("text", "json_schema"):
        raise ParameterError(f"'{param}.type' has to be text, or json_schema with a schema.", param)
    if kind == "text":
        return None
    within = given.get("json_schema", given)
    schema = within.get("schema") if isinstance(within, dict) else None
    if not isinstance(schema, dict):
        raise ParameterError(f"'{param}' has no schema: give one as an object.", param)
    return schema
