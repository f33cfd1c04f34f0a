"""Fills a form without a large model: the reader is asked for each value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hugginggpt.answer_schema import resolver_of
from hugginggpt.controller.answer_form import NAME_WORDS
from hugginggpt.controller.dates import only_day
from hugginggpt.controller.embedded.question_words import AUXILIARY, INTERROGATIVE, MODAL
from hugginggpt.controller.embedded.reader import Reader
from hugginggpt.controller.form_check import FORMATS
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError

_MOST_NESTED = 4
_MOST_QUESTIONS = 500
_NUMBER = re.compile(r"[-+−(]?\d+(?:[.,]\d+)*")
_GROUPED = re.compile(r"(?<=\d)[ \u00a0\u202f'’](?=\d{3}(?!\d))")
_SCALED = re.compile(r"\b(?:thousand|million|billion|[km]n?)\b", re.IGNORECASE)
_ASKS = re.compile(rf"(?:{INTERROGATIVE}|{AUXILIARY}|{MODAL})\b", re.IGNORECASE)


def filled_from(text: str, schema: Mapping[str, Any], reader: Reader, deadline: Deadline | None) -> dict[str, Any]:
    """A form with what the reader is sure of. What the text does not say is null where that is allowed, else left out.

    Args:
        text: what to read.
        schema: JSON schema of an object; the description of a value, or its name, is the question.
        reader: what reads.
        deadline: when it has to be done.

    Raises:
        DeadlineExceededError: time is up.
        ControllerError: the form asks for too many values.
    """
    return _Filling(text, schema, reader, deadline).object(schema, _MOST_NESTED)


class _Filling:
    def __init__(self, text: str, schema: Mapping[str, Any], reader: Reader, deadline: Deadline | None) -> None:
        self._text, self._resolver = text, resolver_of(schema)
        self._reader, self._deadline = reader, deadline
        self._left = _MOST_QUESTIONS

    def object(self, schema: Mapping[str, Any], deeper: int) -> dict[str, Any]:
        form: dict[str, Any] = {}
        properties = schema.get("properties")
        for name, given in (properties if isinstance(properties, dict) else {}).items():
            if self._left == 0:
                raise ControllerError(f"The form asks for more than {_MOST_QUESTIONS} values: ask for fewer at a time.")
            self._left -= 1
            shapes = self._shapes(given)
            types = frozenset(type for shape in shapes for type in _types(shape))
            inner = next((shape for shape in shapes if "object" in _types(shape)), None)
            if inner is not None and deeper > 1:
                form[name] = self.object(inner, deeper - 1)
                continue
            wanted = given if isinstance(given, dict) else {}
            question = question_for(name, wanted, types, is_day=any(shape.get("format") == "date" for shape in shapes))
            reading = self._reader.read(question, self._text, self._deadline)
            value = _value(reading.span, reading.verdict, shapes, types) if reading.span and reading.is_sure else None
            if value is not None or "null" in types:
                form[name] = value
        return form

    def _shapes(self, given: Any, deeper: int = _MOST_NESTED) -> list[Mapping[str, Any]]:
        """What a value may be: the schema itself, what it refers to, or each of its alternatives."""
        if not isinstance(given, dict) or deeper <= 0:
            return []
        if isinstance(given.get("$ref"), str):
            return self._shapes(self._referred(given["$ref"]), deeper - 1)
        for either in ("anyOf", "oneOf", "allOf"):
            if isinstance(given.get(either), list):
                return [shape for part in given[either] for shape in self._shapes(part, deeper - 1)]
        return [given]

    def _referred(self, reference: str) -> Any:
        from referencing.exceptions import Unresolvable

        try:
            return self._resolver.lookup(reference).contents
        except Unresolvable:  # it belongs to a part that has an id of its own
            return None


def question_for(name: str, wanted: Mapping[str, Any], types: frozenset[str], *, is_day: bool = False) -> str:
    """The question that a value answers: its description or title if that is one, or made of its name."""
    said = (
        str(wanted.get("description") or wanted.get("title") or "").strip()
        or " ".join(NAME_WORDS.findall(name)).lower()
    )
    said = said.rstrip(" .") or name
    if said.endswith("?"):
        return said
    said = said[:1].lower() + said[1:] if said[1:2].islower() else said
    if types - {"null"} == {"boolean"}:
        said = said.removeprefix("whether ")
        if (has := re.match(r"(?:has|have) ", said)) is not None:
            return f"Does it have {said[has.end() :]}?"
        is_clause = re.search(r" (?:is|was|are|were) ", said) is not None
        return f"{said[0].upper()}{said[1:]}?" if is_clause else f"Is it {said.removeprefix('is ')}?"
    if _ASKS.match(said):
        return f"{said[0].upper()}{said[1:]}?"
    article = "" if said.startswith(("the ", "a ", "an ")) else "the "
    return f"{'When' if is_day else 'What'} is {article}{said}?"


def _types(wanted: Mapping[str, Any]) -> frozenset[str]:
    given = wanted.get("type")
    if isinstance(given, str):
        return frozenset([given])
    if isinstance(given, list):
        return frozenset(part for part in given if isinstance(part, str))
    return frozenset(["object"] if "properties" in wanted else ["string"])


def _value(span: str, verdict: bool | None, shapes: Sequence[Mapping[str, Any]], types: frozenset[str]) -> Any:
    """The answer as the schema wants it; None if it does not fit."""
    choices = [one for shape in shapes if isinstance(shape.get("enum"), list) for one in shape["enum"]]
    if choices:
        return _choice(span, [one for one in choices if isinstance(one, str)])
    if "boolean" in types:
        return verdict
    if types & {"number", "integer"}:
        return _number(span, "integer" in types and "number" not in types)
    return _text(span, shapes) if "string" in types else None


def _text(span: str, shapes: Sequence[Mapping[str, Any]]) -> str | None:
    """A span in the first format that it can be written in; as it is if it may have any."""
    from jsonschema import FormatChecker

    formats = [shape.get("format") for shape in shapes if "string" in _types(shape)]
    if any(format not in FORMATS for format in formats):
        return span
    for format in formats:
        if format == "date":
            if (day := only_day(span)) is not None:
                return day.isoformat()
        elif FormatChecker().conforms(span, str(format)):
            return span
    return None


def _choice(span: str, choices: Sequence[str]) -> str | None:
    """The choice that a span names: the same words, or else the longest one that stands in it as a whole."""
    said = span.casefold().strip()
    for one in sorted(choices, key=len, reverse=True):
        if one.casefold() == said or re.search(rf"(?<!\w){re.escape(one.casefold())}(?!\w)", said):
            return one
    return None


def _number(span: str, whole: bool) -> int | float | None:
    """The only number in a span such as "1,593.96 EUR", "1.593,96 €" or "1 593,96"."""
    found = _NUMBER.findall(_GROUPED.sub("", span))
    if len(found) != 1 or _SCALED.search(span):
        return None
    (written,) = found
    sign = -1 if written[0] in "-−(" else 1
    digits = written.lstrip("-+−(")
    marks = re.findall(r"[.,]", digits)
    is_grouping = len(set(marks)) == 1 and re.fullmatch(r"[1-9]\d{0,2}(?:[.,]\d{3})+", digits) is not None
    if marks and not is_grouping:
        before, _, after = digits.rpartition(marks[-1])
        number: float = float(f"{re.sub(r'[.,]', '', before)}.{after}")
    else:
        number = int(re.sub(r"[.,]", "", digits))
    if number == int(number) and (whole or isinstance(number, int)):
        return sign * int(number)
    return None if whole else sign * number
