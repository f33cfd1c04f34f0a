"""Fills a form without a large model: the reader is asked for each value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hugginggpt.controller.embedded.reader import Reader
from hugginggpt.deadline import Deadline

_MOST_NESTED = 4
_NUMBER = re.compile(r"[-+]?\d+(?:[.,' ]\d+)*")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def filled_from(text: str, schema: Mapping[str, Any], reader: Reader, deadline: Deadline | None) -> dict[str, Any]:
    """A form with what the reader is sure of. What the text does not say is null where that is allowed, else left out.

    Args:
        text: what to read.
        schema: JSON schema of an object; the description of a value, or its name, is the question.
        reader: what reads.
        deadline: when it has to be done.

    Raises:
        DeadlineExceededError: time is up.
    """
    return _object(text, schema, reader, deadline, _MOST_NESTED)


def _object(
    text: str, schema: Mapping[str, Any], reader: Reader, deadline: Deadline | None, deeper: int
) -> dict[str, Any]:
    form: dict[str, Any] = {}
    properties = schema.get("properties")
    for name, wanted in (properties if isinstance(properties, dict) else {}).items():
        if not isinstance(wanted, dict):
            continue
        types = _types(wanted)
        if "object" in types and deeper > 1:
            form[name] = _object(text, wanted, reader, deadline, deeper - 1)
            continue
        reading = reader.read(question_for(name, wanted, types), text, deadline)
        value = _value(reading.span, reading.verdict, wanted, types) if reading.span and reading.is_sure else None
        if value is not None or "null" in types:
            form[name] = value
    return form


def question_for(name: str, wanted: Mapping[str, Any], types: frozenset[str]) -> str:
    """The question that a value answers: its description or title if that is one, or made of its name."""
    said = str(wanted.get("description") or wanted.get("title") or " ".join(_WORDS.findall(name)).lower()).strip()
    if said.endswith("?"):
        return said
    said = said[:1].lower() + said[1:] if said[1:2].islower() else said
    if types == {"boolean"}:
        return f"Is it {said.removeprefix('is ').rstrip('.')}?"
    article = "" if said.startswith(("the ", "a ", "an ", "how ", "who ", "when ")) else "the "
    return f"What is {article}{said.rstrip('.')}?"


def _types(wanted: Mapping[str, Any]) -> frozenset[str]:
    given = wanted.get("type", "string")
    types = frozenset([given] if isinstance(given, str) else given if isinstance(given, list) else ["string"])
    either = [part for part in wanted.get("anyOf", ()) if isinstance(part, dict) and isinstance(part.get("type"), str)]
    return frozenset(part["type"] for part in either) or types


def _value(span: str, verdict: bool | None, wanted: Mapping[str, Any], types: frozenset[str]) -> Any:
    """The answer as the schema wants it; None if it does not fit."""
    choices = wanted.get("enum")
    if isinstance(choices, list):
        return next((one for one in choices if isinstance(one, str) and one.casefold() in span.casefold()), None)
    if "boolean" in types:
        return verdict
    if types & {"number", "integer"}:
        return _number(span, "integer" in types and "number" not in types)
    return span if "string" in types else None


def _number(span: str, whole: bool) -> int | float | None:
    """The number in a span such as "1,593.96 EUR" or "1.593,96 €"."""
    found = _NUMBER.search(span)
    if found is None:
        return None
    written = re.sub(r"['\s]", "", found.group())
    marks = re.findall(r"[.,]", written)
    decimal = marks[-1] if marks and (len(set(marks)) > 1 or not re.search(r"[.,]\d{3}\Z", written)) else None
    digits = "".join("." if sign == decimal and n == written.rfind(sign) else "" if sign in ".," else sign
                     for n, sign in enumerate(written))  # fmt: skip
    number = float(digits)
    if number.is_integer() and (whole or decimal is None):
        return int(number)
    return None if whole else number
