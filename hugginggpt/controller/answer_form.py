"""Answers in a form: JSON that keeps to a schema of the user's, with values from the results and nothing else."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from hugginggpt.controller.dates import names_day
from hugginggpt.controller.form_check import schema_problems
from hugginggpt.controller.grounding import unfounded
from hugginggpt.deadline import Deadline
from hugginggpt.plan.meant import objects_in
from hugginggpt.text import one_line, storable, visible

_MOST_VALUES = 2_000
_SHOWN_CHARS = 80
_MOST_PROBLEMS = 12
_FEW_WORDS = 8  # a value of more words is a text, which may say things in other words
_MOST_DIGITS = 40
_STEM_CHARS = 4  # a shorter word has to stand alone
NAME_WORDS = re.compile(r"[A-Z]{2,}(?![a-z])|[^\W\d_]+?(?=[A-Z]|[\W\d_]|\Z)|\d+")
"""The words of a name such as dueDate, due_date or VATNumber."""

_LITTLE_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the of on in at to for by with and or is are was were be been has have had does did do can it its this "
        "that whether if there any",
    )
)
_NUMBER = re.compile(r"(?<![\w.,])[-−+]?\d+(?:[.,]\d+)*(?!\w)|(?<=[a-z€$£¥])\d+(?:[.,]\d+)*")
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")


@dataclass(frozen=True)
class Given:
    """What the values of a form may be made of.

    Attributes:
        texts: every text that the controller was given.
        results: those of them that the tasks made. What these do not speak of is neither true nor false.
        counts: numbers that count the given things.
        known_models: ids of models that may only be named if they were given.
        knows_verdicts: whoever filled in the form has found where a text says yes or no.
    """

    texts: Sequence[str]
    results: Sequence[str] = ()
    counts: Collection[int] = ()
    known_models: Collection[str] = ()
    knows_verdicts: bool = False


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
    given: Given,
    deadline: Deadline | None = None,
) -> list[str]:
    """What is wrong with a form, one sentence each: where it does not keep to the schema, and what it invents.

    Args:
        form: what was filled in.
        schema: the schema.
        given: what its values may be made of.
        deadline: when the check has to be done.

    Raises:
        DeadlineExceededError: that time is up.
    """
    if not isinstance(form, dict):
        return ["The answer is not a JSON object."]
    try:
        leaves = list(islice(_leaves(form), _MOST_VALUES + 1))
    except RecursionError:
        return ["The form is nested too deeply."]
    if len(leaves) > _MOST_VALUES:
        return [f"The form has more than {_MOST_VALUES:,} values."]
    if any(isinstance(value, float) and not math.isfinite(value) for _, value in leaves):
        return ["The form has a number that JSON does not have."]
    problems = schema_problems(form, schema, deadline)
    allowed = {_plain(str(value)) for value in _constants(schema) if not isinstance(value, bool)}
    source = _Source(given.texts, given.counts)
    texts = []
    for place, value in leaves:
        if isinstance(value, bool):
            if not (given.knows_verdicts or _is_spoken_of(place, schema, given.results)):
                problems.append(f"{place}: the results do not speak of it, so it is neither true nor false.")
        elif value is None or _plain(str(value)) in allowed:
            continue
        elif isinstance(value, str) and len(value.split()) > _FEW_WORDS:
            texts.append(value)
        elif not source.has(value):
            problems.append(f"{place}: '{one_line(str(value), _SHOWN_CHARS)}' is not in the results.")
    if texts:
        problems += unfounded("\n".join(texts), given.texts, counts=given.counts, known_models=given.known_models)
    return problems[:_MOST_PROBLEMS]


def _is_spoken_of(place: str, schema: Mapping[str, Any], results: Sequence[str]) -> bool:
    """Whether the results have the words of the name of a value, or those of one of its descriptions."""
    name = re.sub(r"(?:\[\d+\])+\Z", "", place).rpartition(".")[2]
    spoken = " ".join(re.findall(r"\w+", visible("\n".join(results)).casefold()))
    return any(
        words and all(_is_in(word, spoken) for word in words)
        for words in map(_subject, (name, *_descriptions(name, schema)))
    )


def _subject(text: str) -> list[str]:
    """The words that say what a yes or no is about: "invoice" and "paid" of "whether the invoice is paid"."""
    return [word for part in NAME_WORDS.findall(text) if (word := part.casefold()) not in _LITTLE_WORDS]


def _is_in(word: str, spoken: str) -> bool:
    """Whether a word, with another ending or in a compound perhaps, is among others."""
    stem = re.sub(r"(?<=\w{4})(?:ed|ing|es|s|d|e)\Z", "", word)
    return stem in spoken if len(stem) >= _STEM_CHARS else re.search(rf"\b{re.escape(word)}\b", spoken) is not None


def _descriptions(name: str, schema: Any) -> Iterator[str]:
    """The titles and descriptions of every value of a name."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict) and isinstance(wanted := properties.get(name), dict):
            yield from (str(wanted[key]) for key in ("title", "description") if key in wanted)
        for inside in schema.values():
            yield from _descriptions(name, inside)
    elif isinstance(schema, list):
        for inside in schema:
            yield from _descriptions(name, inside)


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
            return value.strip() in self._text or names_day(self._text, *map(int, date.groups()))
        words = re.findall(r"\w+", visible(value).casefold())
        if not words or f" {' '.join(words)} " in self._joined:
            return bool(words)
        numbers = _NUMBER.findall(visible(value))
        return all(self._has_number(number) for number in numbers) and all(
            word in self._words for word in words if not word.isdigit()
        )

    def _has_number(self, written: str) -> bool:
        return not self._numbers.isdisjoint(_values_of(written))


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


def _plain(text: str) -> str:
    return " ".join(visible(text).casefold().split())
