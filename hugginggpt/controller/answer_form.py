"""Answers in a form: JSON that keeps to a schema of the user's, with values from the results and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from hugginggpt.controller.grounding import foreign_words, unfounded
from hugginggpt.plan.loose import loose_values
from hugginggpt.text import one_line, storable, visible

_MOST_VALUES = 2_000
_SHOWN_CHARS = 80
_MOST_PROBLEMS = 12
_FEW_WORDS = 8  # a value of more words is a text, which may say things in other words
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def read_form(answer: str) -> Any:
    """The object in an answer, whatever is written around it; None if there is none."""
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return next((value for value in loose_values(answer) if isinstance(value, dict)), None)


def written_form(form: Mapping[str, Any]) -> str:
    """A form as the text of an answer."""
    return storable(json.dumps(form, indent=2, ensure_ascii=False))


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
    try:
        errors = list(Draft202012Validator(schema).iter_errors(form))
    except (Unresolvable, RecursionError, re.error) as error:
        return [f"The schema cannot be applied: {one_line(str(error), _SHOWN_CHARS)}."]
    problems = [f"{_place(error.absolute_path)}: {one_line(error.message, 2 * _SHOWN_CHARS)}." for error in errors]
    allowed = {text for value in _constants(schema) for text in [_plain(str(value))]}
    source = "\n".join(given)
    for number, (place, value) in enumerate(_leaves(form)):
        if number >= _MOST_VALUES:
            problems.append(f"The form has more than {_MOST_VALUES:,} values.")
            break
        if isinstance(value, bool) or value is None or _plain(str(value)) in allowed:
            continue
        if not _is_grounded(value, source, counts, known_models):
            problems.append(f"{place}: '{one_line(str(value), _SHOWN_CHARS)}' is not in the results.")
    return problems[:_MOST_PROBLEMS]


def _is_grounded(value: Any, source: str, counts: Collection[int], known_models: Collection[str]) -> bool:
    text = str(value)
    if _plain(text) in _plain(source):
        return True
    if (date := _ISO_DATE.fullmatch(text.strip())) is not None:
        return _has_date(source, *map(int, date.groups()))
    if unfounded(text, [source], counts=counts, known_models=known_models):
        return False
    if isinstance(value, int | float) or len(text.split()) > _FEW_WORDS:
        return True
    foreign, _ = foreign_words(text, [source])
    return not foreign


def _has_date(source: str, year: int, month: int, day: int) -> bool:
    """Whether the source names a day, however it writes dates."""
    if not 1 <= month <= len(_MONTHS):
        return False
    numbers = {int(number) for number in re.findall(r"(?<!\d)\d{1,4}(?!\d)", source)}
    has_month = month in numbers or re.search(rf"\b{_MONTHS[month - 1]}", source, re.IGNORECASE) is not None
    return bool({year, year % 100} & numbers) and day in numbers and has_month


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
