"""What a server says about an error, in whatever form it says it.

OpenAI sends `{"error": {"message", "type", "code", "param"}}`; others send a list of such objects (Gemini), a plain
text (LM Studio), `{"detail": ...}` (FastAPI), or the error of another server in a field or text of theirs (OpenRouter).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

_MOST_NESTED = 8
_MOST_PARTS = 50
_WORDS = ("message", "msg", "detail", "details", "error", "errors", "error_description", "description", "reason", "raw")
_INSIDE = ("metadata", "inner_error", "innererror", "cause", "body", "response")
_CODES = ("code", "type", "status", "@type", "error_type", "failed_reason")
_CODE = re.compile(r"[A-Z][A-Z0-9_]{3,60}")
_DELAY = re.compile(r"(?:retry|wait)[_-]?(?:delay|after|in)?(?P<unit>[_-]?(?:ms|milliseconds))?", re.IGNORECASE)
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s?(ms|milliseconds?|s|secs?|seconds?|m|min|minutes?)?\Z", re.IGNORECASE)
_ASKED = re.compile(
    r"\b(?:try again|retry|wait)\D{0,30}?((?:\d{1,6}(?:\.\d{1,9})?\s?(?:ms|s|m|min|h)[a-z]{0,8}\s?){1,3})", re.I
)
_PARTS = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)\s?(ms|[smh])", re.IGNORECASE)
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_MARKUP = re.compile(r"\A\s*<(?:!doctype|html|\?xml)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title>([^<]{1,200})</title>", re.IGNORECASE)


@dataclass(frozen=True)
class ErrorBody:
    """An error as a server describes it.

    Attributes:
        message: the server's own words, those of an error inside another one last; empty if it says nothing.
        codes: its codes, types and states, in lower case, separated by spaces.
        status: an HTTP status that it names.
        param: the parameter that it is about.
        retry_after: seconds that it asks to wait.
    """

    message: str = ""
    codes: str = ""
    status: int | None = None
    param: str | None = None
    retry_after: float | None = None


def read_error(said: Any) -> ErrorBody:
    """Read an error from the body of an answer, or from a part of it.

    Args:
        said: what JSON holds, or text.
    """
    parts = list(islice(_parts(said, _MOST_NESTED), _MOST_PARTS))
    messages = list(dict.fromkeys(text for name, text in parts if name == "message" and text))
    # A server that repeats another one's words inside its own says them once.
    messages = [m for m in messages if not any(m != other and m in other for other in messages)]
    codes = [text.lower() for name, text in parts if name == "code"]
    message = ": ".join(m.rstrip(" .:") for m in messages)
    delays = [float(text) for name, text in parts if name == "delay"]
    asked = _asked_in(message)
    return ErrorBody(
        message=message,
        codes=" ".join(dict.fromkeys(codes)),
        status=next((int(code) for code in codes if re.fullmatch(r"[45]\d\d", code)), None),
        param=next((text for name, text in parts if name == "param"), None),
        retry_after=max(delays) if delays else asked,
    )


def is_web_page(text: str) -> bool:
    """Whether the text of an answer is a page for people."""
    return _MARKUP.match(text) is not None


def read_text(text: str) -> Any:
    """What the text of an answer holds: what its JSON says, the title of a web page, or the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if is_web_page(text):
        title = _TITLE.search(text)
        return title[1] if title else ""
    return text


def _parts(said: Any, deeper: int) -> Iterator[tuple[str, str]]:
    """Messages, codes, parameters and delays, from the outside to the inside."""
    if deeper <= 0 or said is None or isinstance(said, bool):
        return
    if isinstance(said, str):
        inside = read_text(said) if said.lstrip()[:1] in ("{", "[", "<") else None
        if inside is None or inside == said:
            yield "message", " ".join(said.split())
        else:
            yield from _parts(inside, deeper - 1)
    elif isinstance(said, list):
        for one in said[:_MOST_PARTS]:
            yield from _parts(one, deeper - 1)
    elif isinstance(said, dict):
        yield from _parts_of_object({str(key).lower(): value for key, value in said.items()}, deeper)


def _parts_of_object(said: dict[str, Any], deeper: int) -> Iterator[tuple[str, str]]:
    for name, value in said.items():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            if name in _CODES:
                yield "code", str(value)
            elif name == "param" and value:
                yield "param", str(value)
            elif _DELAY.fullmatch(name) and (seconds := _seconds(value, _DELAY.fullmatch(name))) is not None:
                yield "delay", str(seconds)
    place = said.get("loc")
    if isinstance(place, list) and place and isinstance(place[-1], str):
        yield "param", place[-1]
    for name in (*_WORDS, *_INSIDE):
        value = said.get(name)
        if isinstance(value, str) and (name in _INSIDE or (name == "reason" and _CODE.fullmatch(value))):
            continue  # Gemini's reason is a code
        yield from _parts(value, deeper - 1)


def _seconds(value: str | int | float, name: re.Match[str] | None) -> float | None:
    found = _SECONDS.match(str(value).strip())
    if found is None:
        return None
    unit = (found[2] or ("ms" if name is not None and name["unit"] else "s")).lower()
    seconds = float(found[1]) * _UNITS["ms" if unit.startswith(("ms", "mil")) else unit[0]]
    return seconds if math.isfinite(seconds) else None


def _asked_in(message: str) -> float | None:
    """The delay that words ask for: "Please try again in 6m0s"."""
    found = _ASKED.search(message)
    return sum(float(n) * _UNITS[unit.lower()] for n, unit in _PARTS.findall(found[1])) if found else None
