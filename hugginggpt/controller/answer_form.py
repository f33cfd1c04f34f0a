"""Answers in a form: JSON that keeps to a schema of the user's, with values from the results and nothing else."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from hugginggpt.controller.grounding import unfounded
from hugginggpt.plan.meant import objects_in
from hugginggpt.text import one_line, storable, visible

_MOST_VALUES = 2_000
_SHOWN_CHARS = 80
_MOST_PROBLEMS = 12
_FEW_WORDS = 8  # a value of more words is a text, which may say things in other words
_MOST_DIGITS = 40
_BETWEEN = r"(?:st|nd|rd|th)?[\s./,-]{1,3}(?:of |the )?"  # the parts of a date
_NUMBER = re.compile(r"(?<![\w.,])[-−+]?\d+(?:[.,]\d+)*(?!\w)|(?<=[a-z€$£¥])\d+(?:[.,]\d+)*")
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def read_form(answer: str) -> Any:
    """The object in an answer, whatever is written around it, the last one that is meant; None if there is none."""
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return next(reversed(objects_in(answer)), None)


def written_form(form: Mapping[str, Any]) -> str:
    """A form as the text of an answer."""
    return storable(json.dumps(form, indent=2, ensure_ascii=False, allow_nan=False))


def form_problems(
    form: Any,
    schema: Mapping[str, Any],
    given: Sequence[str],
    *,
    counts: Collection[int] = (),
    known_models: Collection[str] = (),
) -> list[str]:
    """What is wrong with a form, one sentence each: where it does not keep to the schema, and what it invents.

    Args:
        form: what was filled in.
        schema: the schema.
        given: every text that the controller was given.
        counts: numbers that count the given things.
        known_models: ids of models that may only be named if they were given.
    """
    from jsonschema import Draft202012Validator
    from referencing.exceptions import Unresolvable

    if not isinstance(form, dict):
        return ["The answer is not a JSON object."]
    leaves = list(islice(_leaves(form), _MOST_VALUES + 1))
    if len(leaves) > _MOST_VALUES:
        return [f"The form has more than {_MOST_VALUES:,} values."]
    if any(isinstance(value, float) and not math.isfinite(value) for _, value in leaves):
        return ["The form has a number that JSON does not have."]
    try:
        errors = list(islice(Draft202012Validator(schema).iter_errors(form), _MOST_PROBLEMS))
    except (Unresolvable, RecursionError, ArithmeticError, re.error) as error:
        return [f"The schema cannot be applied: {one_line(str(error), _SHOWN_CHARS)}."]
    problems = [f"{_place(error.absolute_path)}: {one_line(error.message, 2 * _SHOWN_CHARS)}." for error in errors]
    allowed = {_plain(str(value)) for value in _constants(schema)}
    source = _Source(given, counts)
    texts = []
    for place, value in leaves:
        if isinstance(value, bool) or value is None or _plain(str(value)) in allowed:
            continue
        if isinstance(value, str) and len(value.split()) > _FEW_WORDS:
            texts.append(value)
        elif not source.has(value):
            problems.append(f"{place}: '{one_line(str(value), _SHOWN_CHARS)}' is not in the results.")
    if texts:
        problems += unfounded("\n".join(texts), given, counts=counts, known_models=known_models)
    return problems[:_MOST_PROBLEMS]


class _Source:
    """What a value of a form may be made of."""

    def __init__(self, given: Sequence[str], counts: Collection[int]) -> None:
        self._text = visible("\n".join(given)).casefold()
        words = re.findall(r"\w+", self._text)
        self._words = frozenset(words)
        self._joined = f" {' '.join(words)} "
        self._numbers = {value for written in _NUMBER.findall(self._text) for value in _values_of(written)}
        self._numbers |= {Decimal(count) for count in counts}

    def has(self, value: str | int | float) -> bool:
        """Whether a number, a day, or all the words of a short text are in the source."""
        if not isinstance(value, str):
            return Decimal(str(value)) in self._numbers
        if (date := _ISO_DATE.fullmatch(value.strip())) is not None:
            return value.strip() in self._text or self._has_day(*map(int, date.groups()))
        words = re.findall(r"\w+", visible(value).casefold())
        if not words or f" {' '.join(words)} " in self._joined:
            return bool(words)
        numbers = _NUMBER.findall(visible(value))
        return all(self._has_number(number) for number in numbers) and all(
            word in self._words for word in words if not word.isdigit()
        )

    def _has_number(self, written: str) -> bool:
        return not self._numbers.isdisjoint(_values_of(written))

    def _has_day(self, year: int, month: int, day: int) -> bool:
        """Whether the source names a day, however it writes dates."""
        if not 1 <= month <= len(_MONTHS):
            return False
        parts = {
            "d": f"0?{day}",
            "m": rf"(?:0?{month}|{_MONTHS[month - 1]}[a-z]*\.?)",
            "y": f"'?(?:{year}|{year % 100:02})",
        }
        orders = (_BETWEEN.join(parts[part] for part in order) for order in ("dmy", "mdy", "ymd"))
        return any(re.search(rf"(?<!\d){written}(?!\d)", self._text) for written in orders)


def _values_of(written: str) -> Iterator[Decimal]:
    """What a number may be worth: marks in it divide thousands, or the last one is the decimal mark."""
    sign = -1 if written[0] in "-−" else 1
    digits = written.lstrip("-−+")[:_MOST_DIGITS]
    yield sign * Decimal(re.sub(r"\D", "", digits))
    if marks := re.findall(r"[.,]", digits):
        before, _, after = digits.rpartition(marks[-1])
        yield sign * Decimal(f"{re.sub(r'[^0-9]', '', before)}.{after}")


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from _leaves(inside, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            yield from _leaves(inside, f"{place}[{number}]")
    else:
        yield place, value


def _constants(schema: Any) -> Iterator[Any]:
    """The values that a schema itself names."""
    if isinstance(schema, dict):
        if "const" in schema:
            yield schema["const"]
        if isinstance(schema.get("enum"), list):
            yield from schema["enum"]
        for inside in schema.values():
            yield from _constants(inside)
    elif isinstance(schema, list):
        for inside in schema:
            yield from _constants(inside)


def _place(path: Sequence[str | int]) -> str:
    found = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return one_line(found, _SHOWN_CHARS) or "The form"


def _plain(text: str) -> str:
    return " ".join(visible(text).casefold().split())
