"""What chat applications ask besides their users: titles, tags, suggestions. It is answered without a request of ours.

Only the wording tells such a call from a question. The wordings are those of Open WebUI, LibreChat and LobeChat.
"""

import json
import re
from collections.abc import Sequence

from apps.http.openai.messages import Message
from apps.http.openai.wrapping import tagged
from hugginggpt.text import one_line

_MOST_WORDS = 6
_MOST_CHARS = 50
_UNTITLED = "New chat"

_OPEN_WEBUI = ("### Task:", "Generate a concise, 3-5 word title", "Create a concise, 3-5 word title")
_KEYS: dict[str, object] = {"tags": [], "follow_ups": [], "queries": [], "text": ""}
"""What Open WebUI asks for as JSON, by its key, and what it gets."""
_EMOJI = "Your task is to reflect the speaker's likely facial expression through a fitting emoji."
_LIBRECHAT = (
    "Provide a concise, 5-word-or-less title for the conversation",
    "Analyze this conversation and provide:\n1. The detected language of the conversation\n2. A concise title",
)
_LOBECHAT = ("You are a professional conversation summarizer. Generate a concise title", "你是一名擅长会话的助理")
_FIRST = re.compile(
    r"^[ \t]{0,9}(?:user|human): ?(?P<said>.*?)(?=^[ \t]{0,9}(?:user|human|assistant|ai):|\Z)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)


def housekeeping(messages: Sequence[Message]) -> str | None:
    """The answer to a call in which a chat application asks something for itself; None if the user asks something."""
    last = messages[-1]
    if last.role != "user":
        return None
    text = last.text.lstrip()
    if text.startswith(_EMOJI):
        return "🙂"
    if text.startswith(_OPEN_WEBUI) and (prompt := tagged(text, "chat_history")) is not None:
        return _for_open_webui(prompt.before + prompt.after, prompt.inside)
    if text.startswith(_LIBRECHAT[0]):
        return _title(text.partition("Conversation:")[2] or _said_before(messages))
    if text.startswith(_LIBRECHAT[1]):
        return json.dumps({"language": "English", "title": _title(text.partition("\n\n")[2])}, ensure_ascii=False)
    if any(message.role in ("system", "developer") and message.text.startswith(_LOBECHAT) for message in messages):
        return _title(text)
    return None


def _for_open_webui(prompt: str, chat: str) -> str:
    if '"title"' in prompt:
        return json.dumps({"title": _title(chat)}, ensure_ascii=False)
    if '"prompt"' in prompt:
        return json.dumps({"prompt": one_line(_first(chat))}, ensure_ascii=False)
    for key, nothing in _KEYS.items():
        if f'"{key}"' in prompt:
            return json.dumps({key: nothing})
    return _title(chat) if "title" in prompt.lower() else "{}"


def _title(chat: str) -> str:
    """The first words of the first message of the user."""
    words = one_line(_first(chat)).split()
    title = one_line(" ".join(words[:_MOST_WORDS]), _MOST_CHARS).rstrip(" .,:;!?-")
    return title or _UNTITLED


def _first(chat: str) -> str:
    match = _FIRST.search(chat)
    return chat if match is None else match["said"]


def _said_before(messages: Sequence[Message]) -> str:
    return next((message.text for message in messages if message.role == "user"), "")
