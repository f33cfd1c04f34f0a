"""Responses: what the client gets, in one piece or as a stream of typed events."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from apps.http.openai.answering import Said
from apps.http.openai.answers import Answer
from apps.http.openai.errors import openai_status
from apps.http.openai.models import (
    OutputMessage,
    OutputText,
    Reasoning,
    Refusal,
    Response,
    ResponseError,
    ResponseUsage,
    Status,
    SummaryText,
)
from apps.http.sse import STILL_HERE, event
from hugginggpt.errors import HuggingGPTError

Event = tuple[str, dict[str, Any]]
"""The type of an event, and what is in it besides."""


@dataclass(frozen=True)
class Responding:
    """A response.

    Attributes:
        request_id: the id of the request.
        previous: the id of the response that it goes on from.
        background: whether it was asked for in the background.
    """

    request_id: str
    previous: str | None = None
    background: bool = False
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer, *before: Reasoning) -> Response:
        """The response with its answer, and with the items before that."""
        read, written = answer.prompt_tokens, answer.completion_tokens
        usage = ResponseUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)
        return self.standing("completed", output=[*before, self._message(answer)], usage=usage)

    def failed(self, error: HuggingGPTError, *before: Reasoning) -> Response:
        """The response that there is no answer to."""
        code = "server_error" if openai_status(error) >= 500 else "invalid_prompt"
        return self.standing("failed", output=list(before), error=ResponseError(code=code, message=error.message))

    def standing(self, status: Status, **more: Any) -> Response:
        """The response as it stands."""
        id_, previous = f"resp_{self.request_id}", self.previous
        known = {"created_at": self.created, "background": self.background, "previous_response_id": previous}
        return Response(id=id_, status=status, **known, **more)

    async def stream(self, said: AsyncIterator[Said]) -> AsyncIterator[str]:
        """The response as events: the progress as an item of reasoning, then the answer as a message."""
        numbers = count()
        async for one in self._events(said):
            if one is None:
                yield STILL_HERE
            else:
                kind, content = one
                yield event({"type": kind, "sequence_number": next(numbers), **content}, kind)

    async def _events(self, said: AsyncIterator[Said]) -> AsyncIterator[Event | None]:
        for begins in ("created", "in_progress"):
            yield f"response.{begins}", {"response": self.standing("in_progress")}
        output: list[Reasoning] = []
        thoughts, answer, failed = "", None, None
        item = Reasoning(id=f"rs_{self.request_id}")
        where: dict[str, Any] = {"item_id": item.id, "output_index": 0, "summary_index": 0}
        try:
            async for one in said:
                match one:
                    case None:
                        yield None
                    case str():
                        if not thoughts:
                            yield "response.output_item.added", {"output_index": 0, "item": item}
                            yield "response.reasoning_summary_part.added", {**where, "part": SummaryText()}
                        thoughts += one
                        yield "response.reasoning_summary_text.delta", {**where, "delta": one}
                    case Answer():
                        answer = one
        except HuggingGPTError as error:
            failed = error
        if thoughts:
            summary = SummaryText(text=thoughts)
            output.append(Reasoning(id=item.id, summary=[summary]))
            yield "response.reasoning_summary_text.done", {**where, "text": thoughts}
            yield "response.reasoning_summary_part.done", {**where, "part": summary}
            yield "response.output_item.done", {"output_index": 0, "item": output[0]}
        if answer is not None:
            message = self._message(answer)
            where = {"item_id": message.id, "output_index": len(output), "content_index": 0}
            begun = OutputMessage(id=message.id)
            yield "response.output_item.added", {"output_index": len(output), "item": begun}
            yield "response.content_part.added", {**where, "part": Refusal() if answer.is_refusal else OutputText()}
            kind, name = ("refusal", "refusal") if answer.is_refusal else ("output_text", "text")
            more: dict[str, Any] = {} if answer.is_refusal else {"logprobs": []}
            for piece in answer.pieces:
                yield f"response.{kind}.delta", {**where, "delta": piece, **more}
            yield f"response.{kind}.done", {**where, name: answer.text, **more}
            yield "response.content_part.done", {**where, "part": message.content[0]}
            yield "response.output_item.done", {"output_index": len(output), "item": message}
            yield "response.completed", {"response": self.whole(answer, *output)}
        elif failed is not None:
            yield "response.failed", {"response": self.failed(failed, *output)}

    def _message(self, answer: Answer) -> OutputMessage:
        part = Refusal(refusal=answer.text) if answer.is_refusal else OutputText(text=answer.text)
        return OutputMessage(id=f"msg_{self.request_id}", status="completed", content=[part])
