"""What a chat application puts around the words of its user, as Open WebUI does where files are attached.

It is for a language model alone. The words become the request again; passages that were found in documents become a
file, which is read like any other.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from apps.http.openai.attachments import Attachment
from apps.http.openai.messages import Message

_BEGINS = "### Task:"
_CONTEXT = re.compile(r"<context>\n?(?P<found>.*)</context>(?P<after>.*)", re.DOTALL)
_QUESTION = re.compile(r"<user_query>(?P<question>.*?)</user_query>", re.DOTALL)
_SOURCE = re.compile(r"</?source\b[^>]*>")
_ATTACHED = re.compile(r"\s*<attached_files>\n(?:<file [^\n]*/>\n)*</attached_files>\s*")
NAME = "context.txt"
"""The name of the file."""


def unwrapped(messages: Sequence[Message]) -> list[Message]:
    """Messages as their user wrote them."""
    return [_unwrapped(message) if message.role == "user" else message for message in messages]


def _unwrapped(message: Message) -> Message:
    text, found = _question(message.text)
    files = [] if not found else [Attachment(name=NAME, data=found.encode("utf-8", "replace"))]
    if (listed := _ATTACHED.match(text)) is not None:
        text = text[listed.end() :]
    return replace(message, text=text, files=(*message.files, *files))


def _question(text: str) -> tuple[str, str]:
    """The question in a prompt with passages that were found for it, and these passages; else the text."""
    match = _CONTEXT.search(text) if text.startswith(_BEGINS) else None
    if match is None:
        return text, ""
    tagged = _QUESTION.search(match["after"])
    question = (match["after"] if tagged is None else tagged["question"]).strip()
    found = _SOURCE.sub("\n", match["found"]).strip()
    return (question, found) if question and found else (text, "")
