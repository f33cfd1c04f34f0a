"""The messages of a call: what was said, and the files that came with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from apps.http.openai.attachments import Attachment, Attachments
from apps.http.openai.errors import ParameterError
from apps.http.openai.models import GivenMessage, Item, OtherPart, TextPart
from hugginggpt.text import is_blank, one_line

_MOST_SHOWN = 40


@dataclass(frozen=True)
class Message:
    """Something that was said.

    Attributes:
        text: the text, in one piece.
        files: the files that came with it.
    """

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    text: str
    files: tuple[Attachment, ...] = ()


def read_messages(items: Sequence[Item], param: str) -> list[Message]:
    """The messages of a call, of either API.

    Args:
        items: the messages; other items of the Responses API, such as reasoning, are left out.
        param: how the call names them.

    Raises:
        ParameterError: they cannot be used, or the user says nothing in them.
    """
    attachments = Attachments()
    read = [
        _message(item, f"{param}[{number}].content", attachments)
        for number, item in enumerate(items)
        if isinstance(item, GivenMessage)
    ]
    last = next((message for message in reversed(read) if message.role == "user"), None)
    if last is None:
        raise ParameterError(f"'{param}' has no message of the user: add one that says what to do.", param)
    if is_blank(last.text):
        raise ParameterError("The last message of the user has no text: say what to do.", param)
    return read


def parted(messages: Sequence[Message]) -> tuple[Sequence[Message], Message]:
    """What was said before the user's last message, and that; what comes after it is left out."""
    last = max(number for number, message in enumerate(messages) if message.role == "user")
    return messages[:last], messages[last]


def _message(given: GivenMessage, param: str, attachments: Attachments) -> Message:
    """A message. Of what others than the user say, only texts are read."""
    texts: list[str] = []
    files: list[Attachment] = []
    for number, part in enumerate(given.content):
        where = f"{param}[{number}]"
        if isinstance(part, TextPart):
            texts.append(part.text)
        elif given.role != "user":
            continue
        elif isinstance(part, OtherPart):
            shown = one_line(part.type, _MOST_SHOWN)
            raise ParameterError(f"'{where}' is of the type '{shown}', which is not known here.", where)
        else:
            files.append(attachments.read(part, where))
    return Message(given.role, "\n".join(texts), tuple(files))
