"""What a call asks for, as a request of ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import UploadFile

from apps.http.openai.answers import without_links
from apps.http.openai.errors import ParameterError
from apps.http.openai.messages import Message, parted
from apps.http.openai.models import Form, Own
from apps.http.requests import NewRequest
from hugginggpt.request import MOST_QUOTED, MOST_QUOTED_CHARS, QuotedExchange
from hugginggpt.submission import new_id, objection

_MOST_QUOTED_TEXT = 4000
"""Characters of a quoted text; the rest of a longer one is left out."""


@dataclass(frozen=True)
class Asked:
    """A request, and the files that came with it as data."""

    request: NewRequest
    uploads: tuple[UploadFile, ...]


def asked_by(
    messages: Sequence[Message],
    conversation: str | None = None,
    own: Own | None = None,
    form: Form | None = None,
    form_param: str = "",
) -> Asked:
    """The request of a call.

    Args:
        messages: what was said, with the user's last message as the request. Messages after that are left out.
        conversation: the conversation of ours that it continues; None if what was said before is to be quoted.
        own: our own parameters.
        form: the form of the answer.
        form_param: how the call names it.

    Raises:
        ParameterError: a parameter cannot be used.
    """
    before, last = parted(messages)
    before = before if conversation is None else ()
    files = [file for message in (*before, last) for file in message.files]
    options = {} if own is None else own.options.model_dump(exclude_unset=True)
    schema = _schema(form, form_param)
    if schema is not None:
        options["answer_schema"] = schema
    try:
        request = NewRequest(
            request=last.text,
            files=tuple(file for file in files if isinstance(file, str)),
            id=new_id(),
            conversation=conversation,
            history=quoted(before),
            **options,
        )
    except ValidationError as error:
        problem = error.errors()[0]
        param = str(problem["loc"][0]) if problem["loc"] else "hugginggpt"
        param = form_param if param == "answer_schema" and schema is not None else param
        raise ParameterError(objection([{**problem, "loc": (param, *problem["loc"][1:])}]), param) from None
    return Asked(request, tuple(file for file in files if isinstance(file, UploadFile)))


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


def _schema(form: Form | None, param: str) -> dict[str, Any] | None:
    """The JSON schema that an answer has to keep to; None if it is text."""
    if form is None or form.type == "text":
        return None
    schema = (form.json_schema or form).schema_
    if schema is None:
        raise ParameterError(f"'{param}' has no schema: give one as an object.", param)
    return schema
