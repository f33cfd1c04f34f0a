"""Calls of tools that a model makes instead of saying something, and the answer in a form that is in them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hugginggpt.capabilities import find_kind

_MOST_CALLS = 200


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool: the tool's name, and the arguments as JSON."""

    name: str
    arguments: str

    @property
    def values(self) -> Any:
        """What the arguments hold; None if they are not JSON."""
        try:
            return json.loads(self.arguments or "{}", strict=False)
        except (ValueError, RecursionError):
            return None


def calls_in(message: Mapping[str, Any]) -> Iterator[ToolCall]:
    """The calls in a message of the OpenAI protocol."""
    given = message.get("tool_calls")
    calls = given if isinstance(given, list) and given else [message.get("function_call")]
    for call in calls[:_MOST_CALLS]:
        called = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(called, dict):
            continue
        arguments = called.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""
        yield ToolCall(str(called.get("name") or "").rpartition(".")[2], text.strip())


def answer_in(calls: Sequence[ToolCall], fields: Collection[str] = ()) -> str:
    """The answer in a form that calls hold; "" if there is none.

    One call may be the whole answer. Several may be its parts: a plan with one call for each task, which is named after
    a kind, or has a task for its arguments.

    Args:
        calls: in the order of the model.
        fields: what a whole answer has.
    """
    given = [call.values for call in calls]
    whole = [n for n, values in enumerate(given) if fields and isinstance(values, dict) and {*fields} <= {*values}]
    if whole:
        return calls[whole[-1]].arguments
    if any(find_kind(call.name) for call in calls):
        named = zip(calls, given, strict=True)
        tasks = [{"task": call.name, "args": args if isinstance(args, dict) else {}} for call, args in named]
        return json.dumps(tasks, ensure_ascii=False)
    if len(calls) > 1 and all(isinstance(values, dict) and "task" in values for values in given):
        return json.dumps(given, ensure_ascii=False)
    return next((call.arguments for call in calls if call.arguments), "")
