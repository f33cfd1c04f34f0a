"""The parts of the OpenAI protocol that a server supports, learned from its refusals.

For structured output, JSON schema is tried first, then JSON mode, then plain text for the tolerant
parsers. Models also differ in the name of the token limit and in whether they accept a temperature
or a seed.
"""

import threading
from dataclasses import dataclass, replace
from typing import Any, Literal

from hugginggpt.controller.call import Sampling

Structure = Literal["json_schema", "json_object", "text"]

_WAY_DOWN: dict[Structure, Structure | None] = {"json_schema": "json_object", "json_object": "text", "text": None}


@dataclass(frozen=True)
class Dialect:
    """How to ask one model on one server."""

    structure: Structure = "json_schema"
    limit: str = "max_tokens"
    dropped: frozenset[str] = frozenset()

    def options(
        self, *, stage: str, max_tokens: int, schema: dict[str, Any] | None, sampling: Sampling
    ) -> dict[str, Any]:
        """The request's options besides model and messages. The stage names the schema."""
        options: dict[str, Any] = {self.limit: max_tokens, "temperature": sampling.temperature}
        if sampling.seed is not None:
            options["seed"] = sampling.seed
        if schema is not None and self.structure == "json_schema":
            described = {"name": stage, "schema": schema, "strict": is_strict(schema)}
            options["response_format"] = {"type": "json_schema", "json_schema": described}
        elif schema is not None and self.structure == "json_object":
            options["response_format"] = {"type": "json_object"}
        return {name: value for name, value in options.items() if name not in self.dropped}

    def without(self, refused: str | None, structured: bool) -> "Dialect | None":
        """The dialect to try after a request was refused as malformed; None if there is no other.

        Args:
            refused: the parameter that the server rejected, if it named one.
            structured: whether the refused request asked for structured output.
        """
        if refused == "max_tokens" and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        if refused in ("temperature", "seed") and refused not in self.dropped:
            return replace(self, dropped=self.dropped | {refused})
        lower = _WAY_DOWN[self.structure]
        return replace(self, structure=lower) if structured and lower is not None else None


def is_strict(schema: Any) -> bool:
    """Whether a schema fits OpenAI's strict mode: all properties required, no others allowed."""
    if isinstance(schema, list):
        return all(is_strict(part) for part in schema)
    if not isinstance(schema, dict):
        return True
    if "properties" in schema:
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema["properties"]) != set(schema.get("required", ())):
            return False
    return all(is_strict(part) for part in schema.values())


_known: dict[tuple[str, str], Dialect] = {}
_lock = threading.Lock()


def known_dialect(server: str, model: str) -> Dialect:
    """What this process has learned about a model on a server."""
    with _lock:
        return _known.get((server, model), Dialect())


def remember_dialect(server: str, model: str, dialect: Dialect) -> None:
    """Remember what worked, for the rest of the process."""
    with _lock:
        _known[server, model] = dialect
