"""Find the plan in a controller's answer: prose and code fences around it, loose JSON inside."""

import itertools
import json
import re
import string
from collections.abc import Iterable, Iterator
from typing import Any

from hugginggpt.errors import PlanError
from hugginggpt.plan.limits import check_length
from hugginggpt.plan.loose import loose_values

_FENCE = "```"
_BRACKET = re.compile(r"[\[{]")
_MOST_DIGITS = 20  # of a whole number
_MOST_FENCES = 100
_MOST_FAILED = 2_000  # brackets that begin no JSON
_READ_AGAIN = 8  # a text is read at most this many times over, if bracket after bracket begins no JSON
_WRAPPERS = ("tasks", "plan", "task_nodes")
_KIND_KEYS = ("task", "kind", "tool")

RawTask = dict[str, Any]


def extract_tasks(text: str) -> list[RawTask]:
    """The planned tasks as the controller wrote them, not yet checked.

    If the text as a whole is a plan, it is taken as it stands. Otherwise it is read in several ways, and
    the reading with the most tasks counts; among equals the last, because a controller may think aloud
    or give an example before the plan.

    Raises:
        PlanError: there is no plan in the text, or it is too long.
    """
    check_length(text)
    fenced = _fenced(text)
    whole = [tasks for block in (text.strip(), *fenced) if (tasks := _as_tasks(_strictly(block))) is not None]
    if whole and not fenced:
        return whole[0]
    read = [_plans(_values(text)), *(_plans(loose_values(block)) for block in (*fenced, text))]
    found = [*whole, *itertools.chain.from_iterable(read)]
    if not found:
        raise PlanError("There is no plan in this text: a JSON list of tasks was expected.")
    return max(reversed(found), key=len)


def _fenced(text: str) -> list[str]:
    """The content of the last code fences that looks like JSON, without the name of the language."""
    parts = text.split(_FENCE)
    blocks = (part.lstrip(string.ascii_letters).strip() for part in parts[1 : len(parts) - 1 : 2])
    return [block for block in blocks if block.startswith(("[", "{"))][-_MOST_FENCES:]


def _as_tasks(found: Any) -> list[RawTask] | None:
    if isinstance(found, dict):
        if any(key in found for key in _KIND_KEYS):
            return [found]
        inside = next((found[key] for key in _WRAPPERS if key in found), None)
        return inside if _is_list_of_objects(inside) else None
    return found if _is_list_of_objects(found) else None


def _is_list_of_objects(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(element, dict) for element in found)


def _strictly(text: str) -> Any:
    try:
        return json.loads(text, strict=False, parse_int=_whole)
    except (ValueError, RecursionError):
        return None


def _whole(digits: str) -> int | str:
    """A whole number; one that is too long for an id or a parameter stays text, as Python may refuse to convert it."""
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _values(text: str) -> Iterator[Any]:
    """Every piece of correct JSON in the text."""
    decoder = json.JSONDecoder(strict=False, parse_int=_whole)
    position, failed, left = 0, 0, _READ_AGAIN * len(text)
    while failed < _MOST_FAILED and left > 0 and (start := _BRACKET.search(text, position)) is not None:
        try:
            value, position = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError) as error:
            failed += 1
            left -= _read_in_vain(error, text, start.start())
            position = start.end()
        else:
            yield value


def _read_in_vain(error: Exception, text: str, start: int) -> int:
    """How many characters were read before the error; all of them if the error does not say."""
    says = isinstance(error, json.JSONDecodeError) and not error.msg.startswith("Unterminated string")
    end = error.pos if says and isinstance(error, json.JSONDecodeError) else len(text)
    return max(1, end - start)


def _plans(values: Iterable[Any]) -> list[list[RawTask]]:
    """The values that are plans; single tasks outside a list make one plan together."""
    plans: list[list[RawTask]] = []
    single: list[RawTask] = []
    for value in values:
        tasks = _as_tasks(value)
        if tasks and tasks == [value]:
            single.append(value)
        elif tasks:
            plans.append(tasks)
    return [single, *plans] if single else plans
