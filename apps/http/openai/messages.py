"""The messages of a call: what was said, and the files that came with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from apps.http.openai.attachments import Attachment, Attachments
from apps.http.openai.errors import ParameterError
from hugginggpt.text import is_blank, one_line

Role = Literal["system", "user", "assistant", "tool"]

_ROLES: Mapping[str, Role] = {role: role for role in get_args(Role)} | {"developer": "system", "function": "tool"}
_TEXTS = ("text", "input_text", "output_text")
_MOST_SHOWN = 40


@dataclass(frozen=True)
class Message:
    """Something that was said.

    Attributes:
        text: the text, in one piece.
        files: the files that came with it.
    """

    role: Role
    text: str
    files: tuple[Attachment, ...] = ()


def read_messages(given: object, param: str) -> list[Message]:
    """The messages of a call, of either API.

    Args:
        given: a list of messages; other items of the Responses API, such as reasoning, are left out.
        param: how the call names them.

    Raises:
        ParameterError: they cannot be used, or the user says nothing in them.
    """
    if not isinstance(given, list):
        raise ParameterError(f"'{param}' has to be a list of messages.", param)
    attachments = Attachments()
    read = [
        _message(item, f"{param}[{number}]", attachments)
        for number, item in enumerate(given)
        if not _is_other_item(item)
    ]
    last = next((message for message in reversed(read) if message.role == "user"), None)
    if last is None:
        raise ParameterError(f"'{param}' has no message of the user: add one that says what to do.", param)
    if is_blank(last.text):
        raise ParameterError("The last message of the user has no text: say what to do.", param)
    return read


def _is_other_item(item: object) -> bool:
    return isinstance(item, dict) and "role" not in item and isinstance(item.get("type"), str)


def _message(item: object, param: str, attachments: Attachments) -> Message:
    if not isinstance(item, dict):
        raise ParameterError(f"'{param}' has to be a message: an object with role and content.", param)
    given = item.get("role")
    role = _ROLES.get(given) if isinstance(given, str) else None
    if role is None:
        raise ParameterError(f"'{param}.role' has to be one of {', '.join(_ROLES)}.", f"{param}.role")
    content = item.get("content")
    where = f"{param}.content"
    if content is None and role != "user":
        return Message(role, "")
    if isinstance(content, str):
        return Message(role, content)
    if not isinstance(content, list):
        raise ParameterError(f"'{where}' has to be a text or a list of parts.", where)
    return _of_parts(role, content, where, attachments)


def _of_parts(role: Role, parts: Sequence[object], param: str, attachments: Attachments) -> Message:
    texts: list[str] = []
    files: list[Attachment] = []
    for number, part in enumerate(parts):
        where = f"{param}[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(part, dict) or not isinstance(kind, str):
            raise ParameterError(f"'{where}' has to be an object with a type.", where)
        if kind in _TEXTS:
            texts.append(_text(part, where))
        elif role == "user":
            file = attachments.read(kind, part, where)
            if file is None:
                shown = one_line(kind, _MOST_SHOWN)
                raise ParameterError(f"'{where}' is of the type '{shown}', which is not known here.", where)
            files.append(file)
    return Message(role, "\n".join(texts), tuple(files))


def _text(part: Mapping[str, Any], param: str) -> str:
    text = part.get("text")
    if not isinstance(text, str):
        raise ParameterError(f"'{param}.text' has to be a text.", f"{param}.text")
    return text
