"""Find the plan in a controller's answer: prose and code fences around it, loose JSON inside."""

import itertools
import json
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hugginggpt.capabilities import find_kind
from hugginggpt.errors import PlanError
from hugginggpt.plan.limits import check_length
from hugginggpt.plan.loose import loose_values

_FENCE = "```"
_BRACKET = re.compile(r"[\[{]")
_MOST_DIGITS = 20  # of a whole number
_MOST_FENCES = 100
_MOST_FAILED = 2_000  # brackets that begin no JSON
_READ_AGAIN = 8  # a text is read at most this many times over, if bracket after bracket begins no JSON
_WRAPPERS = (
    "tasks", "plan", "steps", "task_nodes", "task_list", "subtasks", "nodes", "workflow", "actions", "result", "output",
    "response", "answer", "data", "json", "arguments", "parameters",
)  # fmt: skip
_MOST_WRAPPED = 6
KIND_KEYS = ("task", "kind", "tool")
"""Fields for the kind of a task, in the order in which they count."""
ID_KEYS = ("id", "task_id", "step")
"""Fields for its id."""
_OTHER_KIND_KEYS = ("task_type", "type", "action", "name", "step", "function")
_EXAMPLE = re.compile(
    r"\be\.g|\bfor instance\b|\b(?:for|an?|this|one|as an?) (?:example|sample)\b|\bexamples?:?$", re.IGNORECASE
)
_SAID_BEFORE = 80  # characters before a block that can call it an example

RawTask = dict[str, Any]


def extract_tasks(text: str) -> list[RawTask]:
    """The planned tasks as the controller wrote them, not yet checked.

    If the text as a whole is a plan, it is taken as it stands. Of several plans in it the last one counts that is not
    called an example: a controller may first show the form, or try. If no list of tasks is correct JSON, the text is
    read loosely, and the reading with the most tasks counts; among equals the last.

    Raises:
        PlanError: there is no plan in the text, or it is too long.
    """
    check_length(text)
    if (whole := _as_tasks(_strictly(text.strip()))) is not None:
        return whole
    values = list(_values(text))
    correct = [(tasks, start, end) for value, start, end in values if (tasks := _as_tasks(value, many=True))]
    meant = [tasks for tasks, start, _ in correct if not _is_called_example(text, start)]
    rest = text[correct[-1][2] :] if correct else text
    if later := _plans(loose_values(rest), many=bool(correct)):
        return max(reversed(later), key=len)
    if meant:
        return meant[-1]
    fenced = _fenced(text)
    read = [_plans(value for value, _, _ in values), *(_plans(loose_values(block)) for block in fenced)]
    found = [*itertools.chain.from_iterable(read), *(tasks for tasks, _, _ in correct)]
    if found:
        return max(reversed(found), key=len)
    if _says_empty([value for value, _, _ in values], text, fenced):
        return []
    raise PlanError("There is no plan in this text: a JSON list of tasks was expected.")


def _is_called_example(text: str, start: int) -> bool:
    """Whether what is said right before a block calls it an example."""
    before = text[max(0, start - _SAID_BEFORE) : start].rstrip().removesuffix("json").removesuffix(_FENCE).rstrip()
    return _EXAMPLE.search(re.split(r"\n|[.!?] ", before)[-1]) is not None


def _says_empty(values: Sequence[Any], text: str, fenced: Sequence[str]) -> bool:
    """Whether a text holds an empty plan: in a wrapper, in a fence or on a line of its own."""
    found = [*values, *map(_strictly, fenced)]
    return any(isinstance(value, dict) and _as_tasks(value) == [] for value in found) or any(
        line.strip() == "[]" for line in (*text.splitlines(), *fenced)
    )


def _fenced(text: str) -> list[str]:
    """The content of the last code fences that looks like JSON, without the name of the language."""
    parts = text.split(_FENCE)
    blocks = (part.lstrip(string.ascii_letters).strip() for part in parts[1 : len(parts) - 1 : 2])
    return [block for block in blocks if block.startswith(("[", "{"))][-_MOST_FENCES:]


def _as_tasks(found: Any, *, many: bool = False, deeper: int = _MOST_WRAPPED) -> list[RawTask] | None:
    """The tasks that a value holds, however it is wrapped; None if it is no plan.

    Args:
        many: a single task outside a list is no plan.
    """
    if isinstance(found, list):
        found = [element for element in found if element is not None]
        return found if all(isinstance(element, dict) for element in found) and (not many or _has_task(found)) else None
    if not isinstance(found, dict) or deeper <= 0:
        return None
    named = with_plain_names(found)
    if kind_of(named) is not None:
        return None if many else [found]
    if found and all(isinstance(task, dict) and _is_task(task) for task in found.values()):
        return [_with_id(task, str(name)) for name, task in found.items()]
    members = [*(named[wrapper] for wrapper in _WRAPPERS if wrapper in named), *named.values()]
    for number, inside in enumerate(members):
        is_wrapper = number < len(members) - len(named)
        inside = _strictly(inside) if isinstance(inside, str) and inside.lstrip()[:1] in ("{", "[") else inside
        if isinstance(inside, list | dict):
            tasks = _as_tasks(inside, many=many or not is_wrapper, deeper=deeper - 1)
            if tasks is not None:
                return tasks
    return [found] if _is_task(found) and not many else None


def _has_task(found: list[RawTask]) -> bool:
    return any(_is_task(task) for task in found)


def _is_task(found: RawTask) -> bool:
    """Whether an object says what kind of task it is, in a field for it, or in another one by the name of a kind."""
    task = with_plain_names(found)
    return any(isinstance(task.get(key), str) for key in KIND_KEYS) or kind_of(task) is not None


def with_plain_names(task: RawTask) -> RawTask:
    """A task with the names of its fields in lower case."""
    return {str(name).strip().lower(): value for name, value in task.items()}


def kind_of(task: RawTask) -> str | None:
    """The first kind that a field of a task names, in the fields for it or in others, such as its type or name.

    Args:
        task: with plain names.
    """
    names = (task.get(key) for key in (*KIND_KEYS, *_OTHER_KIND_KEYS))
    return next((kind for name in names if isinstance(name, str) and (kind := find_kind(name)) is not None), None)


def _with_id(task: RawTask, name: str) -> RawTask:
    """A task with the id that it has as a member of an object."""
    return task if any(str(key).lower() in ID_KEYS for key in task) else {**task, "id": name}


def _strictly(text: str) -> Any:
    try:
        return json.loads(text, strict=False, parse_int=_whole)
    except (ValueError, RecursionError):
        return None


def _whole(digits: str) -> int | str:
    """A whole number; one that is too long for an id or a parameter stays text, as Python may refuse to convert it."""
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _values(text: str) -> Iterator[tuple[Any, int, int]]:
    """Every piece of correct JSON in the text, with its start and end."""
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
            yield value, start.start(), position


def _read_in_vain(error: Exception, text: str, start: int) -> int:
    """How many characters were read before the error; all of them if the error does not say."""
    says = isinstance(error, json.JSONDecodeError) and not error.msg.startswith("Unterminated string")
    end = error.pos if says and isinstance(error, json.JSONDecodeError) else len(text)
    return max(1, end - start)


def _plans(values: Iterable[Any], *, many: bool = False) -> list[list[RawTask]]:
    """The values that are plans; single tasks outside a list make one plan together, unless only lists count."""
    plans: list[list[RawTask]] = []
    single: list[RawTask] = []
    for value in values:
        if isinstance(value, dict) and _is_task(value):
            single.append(value)
        elif tasks := _as_tasks(value, many=many):
            plans.append(tasks)
    return [single, *plans] if single and not many else plans
