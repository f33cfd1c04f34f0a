"""Responses: what the client gets, in one piece or as a stream of typed events."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from apps.http.openai.answering import Said, Thought
from apps.http.openai.answers import Answer
from apps.http.openai.asked import MODEL
from apps.http.openai.errors import openai_status
from apps.http.openai.sse import STILL_HERE, event, pieces
from hugginggpt.errors import HuggingGPTError

Item = dict[str, Any]


@dataclass(frozen=True)
class Response:
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

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The response with its answer."""
        return self._object("completed", [self._message(answer.text)], usage=_usage(answer))

    def standing(self, status: str) -> dict[str, Any]:
        """The response without an answer: `queued`, `in_progress` or `cancelled`."""
        return self._object(status, [])

    def failed(self, error: HuggingGPTError) -> dict[str, Any]:
        """The response that there is no answer to."""
        code = "server_error" if openai_status(error) >= 500 else "invalid_prompt"
        return self._object("failed", [], error={"code": code, "message": error.message})

    async def stream(self, said: AsyncIterator[Said]) -> AsyncIterator[str]:
        """The response as events: the progress as an item of reasoning, then the answer as a message."""
        events = _Events()
        reasoning = _Reasoning(f"rs_{self.request_id}", events)
        begun = self.standing("in_progress")
        yield events.event("response.created", response=begun)
        yield events.event("response.in_progress", response=begun)
        try:
            async for one in said:
                match one:
                    case None:
                        yield STILL_HERE
                    case Thought(text):
                        for written in reasoning.goes_on(text):
                            yield written
                    case Answer() as answer:
                        for written in [*reasoning.ends(), *self._told(answer, len(reasoning.items), events)]:
                            yield written
                        items = [*reasoning.items, self._message(answer.text)]
                        whole = self._object("completed", items, usage=_usage(answer))
                        yield events.event("response.completed", response=whole)
        except HuggingGPTError as error:
            for written in reasoning.ends():
                yield written
            yield events.event("response.failed", response=self.failed(error) | {"output": reasoning.items})

    def _told(self, answer: Answer, index: int, events: "_Events") -> list[str]:
        """The events of the message with the answer."""
        whole = self._message(answer.text)
        begun = whole | {"status": "in_progress", "content": []}
        where = {"item_id": whole["id"], "output_index": index, "content_index": 0}
        (part,) = whole["content"]
        return [
            events.event("response.output_item.added", output_index=index, item=begun),
            events.event("response.content_part.added", **where, part=part | {"text": ""}),
            *(
                events.event("response.output_text.delta", **where, delta=piece, logprobs=[])
                for piece in pieces(answer.text)
            ),
            events.event("response.output_text.done", **where, text=answer.text, logprobs=[]),
            events.event("response.content_part.done", **where, part=part),
            events.event("response.output_item.done", output_index=index, item=whole),
        ]

    def _message(self, text: str) -> Item:
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        return {
            "id": f"msg_{self.request_id}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }

    def _object(
        self, status: str, output: list[Item], usage: dict[str, Any] | None = None, error: dict[str, str] | None = None
    ) -> dict[str, Any]:
        return {
            "id": f"resp_{self.request_id}",
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": self.background,
            "error": error,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": None,
            "metadata": {},
            "model": MODEL,
            "output": output,
            "parallel_tool_calls": False,
            "previous_response_id": self.previous,
            "reasoning": {"effort": None, "summary": None},
            "store": True,
            "temperature": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": None,
            "truncation": "disabled",
            "usage": usage,
            "user": None,
        }


class _Events:
    """Numbers the events of a stream."""

    def __init__(self) -> None:
        self._number = -1

    def event(self, kind: str, **content: Any) -> str:
        self._number += 1
        return event({"type": kind, "sequence_number": self._number, **content}, kind)


class _Reasoning:
    """The item with the progress, which is there once there is some."""

    def __init__(self, item_id: str, events: _Events) -> None:
        self.items: list[Item] = []
        self._events = events
        self._id = item_id
        self._text = ""

    def goes_on(self, text: str) -> list[str]:
        written = []
        if not self._text:
            empty: Item = {"id": self._id, "type": "reasoning", "summary": []}
            written = [
                self._events.event("response.output_item.added", output_index=0, item=empty),
                self._event("part.added", part={"type": "summary_text", "text": ""}),
            ]
        self._text += text
        return [*written, self._event("text.delta", delta=text)]

    def ends(self) -> list[str]:
        if not self._text:
            return []
        part = {"type": "summary_text", "text": self._text}
        item: Item = {"id": self._id, "type": "reasoning", "summary": [part]}
        self.items.append(item)
        return [
            self._event("text.done", text=self._text),
            self._event("part.done", part=part),
            self._events.event("response.output_item.done", output_index=0, item=item),
        ]

    def _event(self, what: str, **content: Any) -> str:
        where = {"item_id": self._id, "output_index": 0, "summary_index": 0}
        return self._events.event(f"response.reasoning_summary_{what}", **where, **content)


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }
