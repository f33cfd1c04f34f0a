"""The parts of the OpenAI protocol that a server supports, learned from its refusals.

For structured output, JSON schema is tried first, then JSON mode, then plain text for the tolerant
parsers. Models also differ in the name of the token limit, in whether they accept a temperature
or a seed, in whether they know a system message, and in whether they may think.
"""

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from hugginggpt.controller.call import Sampling
from hugginggpt.controller.reply import CallFailed

Structure = Literal["json_schema", "json_object", "text"]
Message = Mapping[str, Any]

_WAY_DOWN: dict[Structure, Structure | None] = {"json_schema": "json_object", "json_object": "text", "text": None}
_LIMITS = ("max_tokens", "max_completion_tokens")
_SYSTEM = "system"
_FORMAT = "response_format"
# How refusals speak of what they are about.
_NAMED = {
    "temperature": r"\btemperature\b",
    "seed": r"\bseed\b",
    **dict.fromkeys(_LIMITS, r"\bmax(?:imum)?[_ ](?:(?:completion|output|number of)[_ ])?tokens\b"),
    _FORMAT: r"response[_ .]?format|json[_ -]?(?:schema|object|mode)|structured[_ ](?:output|generation|decoding)"
    r"|\bgrammars?\b|\bguided|output[_ ]schema|\bschema\b",
    _SYSTEM: r"\bsystem[_ '\"]*(?:role|message|prompt|instruction)|roles?\b.{0,40}\bsystem\b|developer instruction"
    r"|roles must alternate|only user and assistant roles",
}
# An error in an answer of success may come without a status.
_REFUSING = (None, 400, 404, 415, 422, 500, 501, 502)
_MALFORMED = (400, 422)
_MOST = re.compile(
    r"(?:at most|maximum(?: value)?(?: of| is|:)?|maximum (?:completion|output) tokens"
    r"|(?:less|lower|smaller) than or equal to|up to|limit of|<=|>|\[\d+,)[\s:(`]*(\d{2,7})\b"
)
_BELOW = re.compile(r"(?:less|lower|smaller|fewer) than\s*`?(\d{2,7})\b")
_ABOUT_THE_SCHEMA = re.compile(
    r"invalid schema|\bstrict\b|additionalProperties|not permitted|unsupported keyword", re.I
)
_THINKING = "enable_thinking"


@dataclass(frozen=True)
class Dialect:
    """How to ask one model on one server.

    Attributes:
        structure: what it understands of structured output.
        strict: it takes schemas of the strict kind; of others it takes any.
        limit: its name for the token limit.
        dropped: the parameters that it refuses.
        most_tokens: the largest limit that it takes; None if it has said nothing about it.
        knows_system: it takes a system message. Otherwise that is said at the beginning of the user's.
        may_think: whether it thinks is left to it. Some of DashScope's models may not when they are asked without
            streaming, or for JSON.
    """

    structure: Structure = "json_schema"
    strict: bool = True
    limit: str = "max_tokens"
    dropped: frozenset[str] = frozenset()
    most_tokens: int | None = None
    knows_system: bool = True
    may_think: bool = True

    def options(
        self, *, stage: str, max_tokens: int, schema: dict[str, Any] | None, sampling: Sampling
    ) -> dict[str, Any]:
        """The request's options besides model and messages. The stage names the schema."""
        limit = max_tokens if self.most_tokens is None else min(max_tokens, self.most_tokens)
        options: dict[str, Any] = {self.limit: limit, "temperature": sampling.temperature}
        if sampling.seed is not None:
            options["seed"] = sampling.seed
        if schema is not None and self.structure == "json_schema":
            described = {"name": stage, "schema": schema, "strict": self.strict and is_strict(schema)}
            options["response_format"] = {"type": "json_schema", "json_schema": described}
        elif schema is not None and self.structure == "json_object":
            options["response_format"] = {"type": "json_object"}
        if not self.may_think:
            options["extra_body"] = {_THINKING: False}
        return {name: value for name, value in options.items() if name not in self.dropped}

    def messages(self, messages: Sequence[Message]) -> list[Message]:
        """The messages as the server takes them."""
        if self.knows_system:
            return list(messages)
        system = "\n\n".join(str(m["content"]) for m in messages if m["role"] == "system")
        others = [m for m in messages if m["role"] != "system"]
        if not system:
            return others
        if not others or others[0]["role"] != "user":
            return [{"role": "user", "content": system}, *others]
        first = others[0]
        return [{**first, "content": f"{system}\n\n{first['content']}"}, *others[1:]]

    def without(self, refusal: CallFailed, request: Mapping[str, Any], *, guess: bool) -> "Dialect | None":
        """The dialect to try after a refusal; None if it is about something else, or there is no other.

        Args:
            refusal: how the request was refused.
            request: what was sent.
            guess: whether a refusal that names nothing is taken to be about the form of the answer.
        """
        if refusal.status not in _REFUSING:
            return None
        if refusal.is_of_the_model:
            return self._with_less_structure(refusal, request) if _FORMAT in request else None
        if self.may_think and _THINKING in refusal.detail:
            return replace(self, may_think=False)
        sent = {*request} | {_SYSTEM for m in request.get("messages", ()) if m["role"] == "system"}
        about = _about(refusal, sent)
        if about in _LIMITS:
            return self._with_other_limit(refusal, request[about])
        if about in ("temperature", "seed"):
            return replace(self, dropped=self.dropped | {about})
        if about == _SYSTEM:
            return replace(self, knows_system=False)
        if about == _FORMAT or (guess and about is None and refusal.status in _MALFORMED and _FORMAT in sent):
            return self._with_less_structure(refusal, request)
        return None

    def _with_less_structure(self, refusal: CallFailed, request: Mapping[str, Any]) -> "Dialect | None":
        described = request[_FORMAT].get("json_schema") if _FORMAT in request else None
        if described is not None and described["strict"] and _ABOUT_THE_SCHEMA.search(refusal.detail):
            return replace(self, strict=False)
        lower = _WAY_DOWN[self.structure]
        return replace(self, structure=lower) if lower is not None else None

    def _with_other_limit(self, refusal: CallFailed, asked: int) -> "Dialect | None":
        most = [int(number) for number in _MOST.findall(refusal.detail)]
        most += [int(number) - 1 for number in _BELOW.findall(refusal.detail)]
        if any(number < asked for number in most):
            return replace(self, most_tokens=min(number for number in most if number < asked))
        if self.limit == "max_tokens" and "max_completion_tokens" not in self.dropped:
            # Which of the names have been tried is told by what is dropped.
            return replace(self, limit="max_completion_tokens", dropped=self.dropped | {"max_tokens"})
        return replace(self, dropped=self.dropped | {self.limit})


def _about(refusal: CallFailed, sent: Iterable[str]) -> str | None:
    """The part of what was sent that a refusal is about: what it names first."""
    words = f"{refusal.param or ''} {refusal.detail}".lower()
    found = {
        name: match.start()
        for name, words_for in _NAMED.items()
        if name in sent and (match := re.search(words_for, words))
    }
    return min(found, key=lambda name: found[name]) if found else None


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


_known: dict[tuple[str, str, str], Dialect] = {}
_ANY_STAGE = ""
_lock = threading.Lock()


def known_dialect(server: str, model: str, stage: str) -> Dialect:
    """What this process has learned about a model on a server.

    How an answer is structured is learned from calls for the same purpose alone: a refusal may be about the schema of
    one purpose, such as that of a user's form.
    """
    with _lock:
        return _known.get((server, model, stage)) or _known.get((server, model, _ANY_STAGE)) or Dialect()


def remember_dialect(server: str, model: str, stage: str, dialect: Dialect) -> None:
    """Remember what worked, for the rest of the process."""
    with _lock:
        _known[server, model, stage] = dialect
        _known[server, model, _ANY_STAGE] = replace(dialect, structure="json_schema", strict=True)
