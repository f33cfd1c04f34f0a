"""Questions that a chat application has put its own search results around, as Open WebUI does for uploaded documents.

The prompt that it makes of them is for a language model alone. The question becomes the request again, and what was
found becomes a file, which is read like any other.
"""

import re
from dataclasses import replace

from apps.http.openai.attachments import Attachment
from apps.http.openai.messages import Message

_BEGINS = "### Task:"
_CONTEXT = re.compile(r"<context>\n?(?P<found>.*)</context>(?P<after>.*)", re.DOTALL)
_QUESTION = re.compile(r"<user_query>(?P<question>.*?)</user_query>", re.DOTALL)
_SOURCE = re.compile(r"</?source\b[^>]*>")
NAME = "context.txt"
"""The name of the file."""


def unwrapped(message: Message) -> Message:
    """A message as its user wrote it, with what was found for it as a file; any other message as it is."""
    if message.role != "user" or not message.text.startswith(_BEGINS):
        return message
    match = _CONTEXT.search(message.text)
    if match is None:
        return message
    tagged = _QUESTION.search(match["after"])
    question = (match["after"] if tagged is None else tagged["question"]).strip()
    found = _SOURCE.sub("\n", match["found"]).strip()
    if not question or not found:
        return message
    file = Attachment(name=NAME, data=found.encode("utf-8", "replace"))
    return replace(message, text=question, files=(*message.files, file))
