"""Chat completions: what the client gets, in one piece or as a stream."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from apps.http.openai.answering import Said, Thought
from apps.http.openai.answers import Answer
from apps.http.openai.asked import MODEL
from apps.http.openai.errors import error_object
from apps.http.openai.sse import DONE, STILL_HERE, event, pieces
from hugginggpt.errors import HuggingGPTError


@dataclass(frozen=True)
class ChatCompletion:
    """A chat completion.

    Attributes:
        request_id: the id of the request.
        with_usage: whether a stream ends with the usage.
    """

    request_id: str
    with_usage: bool = False
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The completion in one piece."""
        message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": []}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return self._base("chat.completion") | {"choices": [choice], "usage": _usage(answer)}

    async def stream(self, said: AsyncIterator[Said]) -> AsyncIterator[str]:
        """The completion as events: the progress as reasoning, then the answer."""
        yield self._chunk({"role": "assistant", "content": ""})
        try:
            async for one in said:
                match one:
                    case None:
                        yield STILL_HERE
                    case Thought(text):
                        yield self._chunk({"reasoning_content": text})
                    case Answer() as answer:
                        for piece in pieces(answer.text):
                            yield self._chunk({"content": piece})
                        yield self._chunk({}, "stop")
                        if self.with_usage:
                            base = self._base("chat.completion.chunk")
                            yield event(base | {"choices": [], "usage": _usage(answer)})
        except HuggingGPTError as error:
            yield event({"error": error_object(error)})
            return
        yield DONE

    def _base(self, what: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.request_id}",
            "object": what,
            "created": self.created,
            "model": MODEL,
            "system_fingerprint": None,
        }

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        counted = {"usage": None} if self.with_usage else {}
        return event(self._base("chat.completion.chunk") | {"choices": [choice]} | counted)


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }
