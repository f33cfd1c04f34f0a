"""What a chat application puts around the words of its user, as Open WebUI does where files are attached.

It is for a language model alone. The words become the request again; passages that were found in documents become a
file, which is read like any other.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from apps.http.openai.attachments import upload
from apps.http.openai.messages import Message

_BEGINS = "### Task:"
_SOURCE = re.compile(r"</?source\b[^<>]{0,500}>")
_ATTACHED = re.compile(r"\s*<attached_files>\n(?:<file [^\n]*/>\n)*</attached_files>\s*")
NAME = "context.txt"
"""The name of the file."""


def unwrapped(messages: Sequence[Message]) -> list[Message]:
    """Messages as their user wrote them."""
    return [_unwrapped(message) if message.role == "user" else message for message in messages]


def _unwrapped(message: Message) -> Message:
    text, found = _question(message.text)
    files = [] if not found else [upload(NAME, found.encode("utf-8", "replace"))]
    if (listed := _ATTACHED.match(text)) is not None:
        text = text[listed.end() :]
    return replace(message, text=text, files=(*message.files, *files))


def _question(text: str) -> tuple[str, str]:
    """The question in a prompt with passages that were found for it, and these passages; else the text."""
    prompt = tagged(text, "context") if text.startswith(_BEGINS) else None
    if prompt is None:
        return text, ""
    query = tagged(prompt.after, "user_query")
    question = (prompt.after if query is None else query.inside).strip()
    passages = _SOURCE.sub("\n", prompt.inside).strip()
    return (question, passages) if question and passages else (text, "")


class Tagged(NamedTuple):
    """A text in three parts, of which the middle is between the first opening and the last closing tag of a name."""

    before: str
    inside: str
    after: str


def tagged(text: str, name: str) -> Tagged | None:
    """A text in three parts; None if it does not have these tags."""
    before, opening, rest = text.partition(f"<{name}>")
    inside, closing, after = rest.rpartition(f"</{name}>")
    return Tagged(before, inside, after) if opening and closing else None
