"""Chat completions: what the client gets, in one piece or as a stream."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from apps.http.openai.answering import Said
from apps.http.openai.answers import Answer
from apps.http.openai.errors import error_object
from apps.http.openai.models import ChatChoice, ChatChunk, ChatCompletion, ChatMessage, ChatUsage, ChunkChoice, Delta
from apps.http.sse import DONE, STILL_HERE, event
from hugginggpt.errors import HuggingGPTError


@dataclass(frozen=True)
class Chat:
    """A chat completion.

    Attributes:
        request_id: the id of the request.
        with_usage: whether a stream ends with the usage.
    """

    request_id: str
    with_usage: bool = False
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> ChatCompletion:
        """The completion in one piece."""
        message = ChatMessage(refusal=answer.text) if answer.is_refusal else ChatMessage(content=answer.text)
        choice = ChatChoice(message=message)
        return ChatCompletion(id=self._id, created=self.created, choices=[choice], usage=_usage(answer))

    async def stream(self, said: AsyncIterator[Said]) -> AsyncIterator[str]:
        """The completion as events: the progress as reasoning, then the answer."""
        yield self._chunk({"role": "assistant", "content": ""})
        try:
            async for one in said:
                match one:
                    case None:
                        yield STILL_HERE
                    case str() as thought:
                        yield self._chunk({"reasoning_content": thought})
                    case Answer() as answer:
                        for piece in answer.pieces:
                            yield self._chunk({"refusal": piece} if answer.is_refusal else {"content": piece})
                        yield self._event(choices=[ChunkChoice(delta={}, finish_reason="stop")])
                        if self.with_usage:
                            yield self._event(usage=_usage(answer))
        except HuggingGPTError as error:
            yield event({"error": error_object(error).model_dump()})
        else:
            yield DONE

    def _chunk(self, delta: Delta) -> str:
        return self._event(choices=[ChunkChoice(delta=delta)])

    def _event(self, **content: Any) -> str:
        chunk = ChatChunk(id=self._id, created=self.created, **content)
        return event(chunk.model_dump(exclude=None if self.with_usage else {"usage"}))

    @property
    def _id(self) -> str:
        return f"chatcmpl-{self.request_id}"


def _usage(answer: Answer) -> ChatUsage:
    read, written = answer.prompt_tokens, answer.completion_tokens
    return ChatUsage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)
