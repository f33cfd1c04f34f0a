"""The JSON schema of a plan, for controllers with structured output."""

from collections.abc import Iterable
from typing import Any

from hugginggpt.capabilities import CAPABILITIES, Capability


def plan_schema(kinds: Iterable[str]) -> dict[str, Any]:
    """The schema of `{"tasks": [...]}` over the offered kinds; `parse_plan` reads what keeps to it."""
    return {
        "type": "object",
        "properties": {"tasks": {"type": "array", "items": {"anyOf": [_task(CAPABILITIES[k]) for k in kinds]}}},
        "required": ["tasks"],
        "additionalProperties": False,
    }


def _task(capability: Capability) -> dict[str, Any]:
    text = {"type": "string"}
    arguments: dict[str, Any] = {
        i.name: {"type": "array", "items": text} if i.many else {"anyOf": [text, {"type": "array", "items": text}]}
        for i in capability.inputs
    }
    arguments |= {
        name: {"type": "integer" if type is int else "number"}
        for name, type in capability.parameters.items()
        if name != "seed"  # it is derived from the inputs
    }
    return {
        "type": "object",
        "properties": {
            "task": {"type": "string", "enum": [capability.kind]},
            "id": {"type": "integer"},
            "dep": {"type": "array", "items": {"type": "integer"}},
            "args": {
                "type": "object",
                "properties": arguments,
                "required": [i.name for i in capability.inputs if i.required],
                "additionalProperties": False,
            },
        },
        "required": ["task", "id", "dep", "args"],
        "additionalProperties": False,
    }
