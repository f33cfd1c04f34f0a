"""Find the plan in a controller's answer: prose and code fences around it, loose JSON inside."""

import json
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hugginggpt.capabilities import find_kind
from hugginggpt.errors import PlanError
from hugginggpt.plan.limits import check_length
from hugginggpt.plan.loose import Piece, loose_pieces
from hugginggpt.plan.meant import meant

_FENCE = "```"
_BRACKET = re.compile(r"[\[{]")
_MOST_DIGITS = 20  # of a whole number
_MOST_FENCES = 100
_MOST_FAILED = 2_000  # brackets that begin no JSON
_READ_AGAIN = 8  # a text is read at most this many times over, if bracket after bracket begins no JSON
_PLAN_FIELDS = ("tasks", "plan", "steps", "task_nodes", "task_list", "subtasks", "nodes", "workflow", "actions")
_WRAPPERS = (
    *_PLAN_FIELDS, "result", "output", "response", "answer", "data", "json", "function", "arguments", "parameters",
)  # fmt: skip
_MOST_WRAPPED = 6
_NOTHING: tuple[Any, ...] = (None, "", "none", "null", "[]", [], {})
# An empty list says that nothing is to be done if it stands alone on its line or is called the plan.
_EMPTY_LIST = re.compile(r"\[\s*+\]")
_CALLS_IT_PLAN = re.compile(
    r"(?:so,? )?(?:(?:the|my|final|full|task|here is|here's) ){0,3}"
    r"(?:(?:plan|tasks?|answer|output|result|response|json|steps)(?: list)?(?: is)?)?",
    re.IGNORECASE,
)
_SAYS_NOTHING = re.compile(r"\b(?:no|none|nothing|empty|directly|plan)\b", re.IGNORECASE)
_MARKUP = " \t\r*_`:=>-#."
_SAID_AROUND = 60  # characters of the line
KIND_KEYS = ("task", "kind", "tool")
"""Fields for the kind of a task, in the order in which they count."""
ID_KEYS = ("id", "task_id", "step")
"""Fields for its id."""
DEP_KEYS = ("dep", "deps", "depends_on", "dependencies", "dependency")
"""Fields for the tasks that it waits for."""
ARGUMENT_KEYS = ("args", "arguments", "inputs", "input", "parameters", "params")
"""Fields for its arguments."""
_OTHER_KIND_KEYS = ("task_type", "type", "action", "name", "step", "function", "tool_name", "task_name")
_NAMESPACE = re.compile(r"[.:/]")
_CALLED = re.compile(r"\s?(?:\([^()]*\)|:[^:]*|[ _-]?(?:tool|task|model))$", re.IGNORECASE)

RawTask = dict[str, Any]


def extract_tasks(text: str) -> list[RawTask]:
    """The planned tasks as the controller wrote them, not yet checked.

    If the text as a whole is a plan, it is taken as it stands. Of several plans in it, empty ones among them, the last
    complete one counts that is meant: a controller may first show the form, or try.

    Raises:
        PlanError: there is no plan in the text, or it is too long.
    """
    check_length(text)
    if (whole := _as_plan(_strictly(text.strip()), many=False)) is not None:
        return whole
    correct = list(_correct_pieces(text))
    for pieces in _readings(text, correct):
        if found := meant(text, pieces):
            return _settled(found)
    raise PlanError("There is no plan in this text: a JSON list of tasks was expected.")


def _settled(found: Sequence[Piece]) -> list[RawTask]:
    """The last of several plans; of plans that are all cut off, the last of the longest."""
    longest = found[-1:] if found[-1].complete else sorted(found, key=lambda piece: len(piece.value))
    tasks: list[RawTask] = longest[-1].value
    return tasks


def _readings(text: str, correct: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The plans in a text, read in one way after another, from what is surely a plan to what may be one.

    What lies between correct plans is read loosely. A single task outside a list is only a plan if there is no list.
    """
    plans = [replace(piece, value=plan) for piece in correct if (plan := _as_plan(piece.value, many=True)) is not None]
    empty = [Piece([], *match.span()) for match in _EMPTY_LIST.finditer(text) if _stands_alone(text, *match.span())]
    sure = sorted([*plans, *empty], key=lambda piece: piece.start)
    between = [piece for start, end in _gaps(sure, len(text)) for piece in _moved(loose_pieces(text[start:end]), start)]
    yield sorted([*sure, *_plans(between, many=bool(plans))], key=lambda piece: piece.start)
    fenced = [piece for start, end in _fences(text) for piece in _moved(loose_pieces(text[start:end]), start)]
    yield [*_plans(correct), *_plans(fenced)]


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether a line says nothing but this, or calls it the plan."""
    before = text[max(0, start - _SAID_AROUND) : start].rpartition("\n")[2]
    after = text[end : end + _SAID_AROUND].partition("\n")[0].strip(_MARKUP)
    if after and not (after[0] == "(" and after[-1] == ")"):
        return False
    label = " ".join(before.strip(_MARKUP).split())
    says_why = before.rstrip(" `*").endswith(":") and _SAYS_NOTHING.search(label) is not None
    return says_why or _CALLS_IT_PLAN.fullmatch(label) is not None


def _gaps(pieces: Sequence[Piece], length: int) -> Iterator[tuple[int, int]]:
    starts, ends = [0, *(piece.end for piece in pieces)], [*(piece.start for piece in pieces), length]
    return zip(starts, ends, strict=True)


def _moved(pieces: Iterable[Piece], by: int) -> Iterator[Piece]:
    return (replace(piece, start=piece.start + by, end=piece.end + by) for piece in pieces)


def _fences(text: str) -> list[tuple[int, int]]:
    """Where the content of the last code fences lies that looks like JSON."""
    fences = [match.start() for match in re.finditer(_FENCE, text)]
    blocks = [(start + len(_FENCE), end) for start, end in zip(fences[::2], fences[1::2], strict=False)]
    return [
        (start, end)
        for start, end in blocks
        if text[start:end].lstrip(string.ascii_letters).lstrip().startswith(("[", "{"))
    ][-_MOST_FENCES:]


def _as_plan(found: Any, *, many: bool) -> list[RawTask] | None:
    """The tasks of a plan; an empty list if it says that nothing is to be done; None if it is no plan.

    Args:
        many: a single task outside a list is no plan, and an empty list may mean anything.
    """
    if _says_nothing(found):
        return []
    tasks = _as_tasks(found, many=many)
    return tasks if tasks or not many else None


def _says_nothing(found: Any, deeper: int = _MOST_WRAPPED) -> bool:
    """Whether a value is a wrapper with an empty plan."""
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict) or deeper <= 0:
        return False
    named = with_plain_names(found)
    if kind_of(named) is not None:
        return False
    if any(named.get(field, "x") in _NOTHING for field in _PLAN_FIELDS):
        return True
    return any(_says_nothing(_inside(named[wrapper]), deeper - 1) for wrapper in _WRAPPERS if wrapper in named)


def _as_tasks(found: Any, *, many: bool = False, deeper: int = _MOST_WRAPPED) -> list[RawTask] | None:
    """The tasks that a value holds, however it is wrapped; None if it is no plan.

    Args:
        many: a single task outside a list is no plan.
    """
    if deeper <= 0:
        return None
    if isinstance(found, list):
        return _as_list(found, many, deeper)
    if not isinstance(found, dict):
        return None
    if (by_kind := _by_kind(found)) and (len(by_kind) > 1 or not many):
        return by_kind
    named = with_plain_names(found)
    if kind_of(named) is not None:
        return None if many else [found]
    if found and all(isinstance(task, dict) and _is_task(task) for task in found.values()):
        return [_with_id(task, str(name)) for name, task in found.items()]
    members = [*(named[wrapper] for wrapper in _WRAPPERS if wrapper in named), *named.values()]
    for number, member in enumerate(members):
        is_wrapper = number < len(members) - len(named)
        if isinstance(inside := _inside(member), list | dict):
            tasks = _as_tasks(inside, many=many or not is_wrapper, deeper=deeper - 1)
            if tasks is not None:
                return tasks
    return [found] if _is_task(found) and not many else None


def _as_list(found: list[Any], many: bool, deeper: int) -> list[RawTask] | None:
    flat = [inner for element in found for inner in (element if isinstance(element, list) else [element])]
    elements = [element for element in flat if element is not None]
    if not all(isinstance(element, dict) for element in elements):
        return None
    tasks = [task for element in elements for task in _unwrapped(element, deeper - 1)]
    return None if many and not any(map(_is_task, tasks)) else tasks


def _unwrapped(element: RawTask, deeper: int) -> list[RawTask]:
    """The tasks that an element of a list holds; the element itself if it holds none that can be read."""
    if tasks := _by_kind(element):
        return tasks
    named = with_plain_names(element)
    if kind_of(named) is not None:
        return [element]
    for key in (*KIND_KEYS, *_OTHER_KIND_KEYS):
        inside = named.get(key)
        if isinstance(inside, dict) and kind_of(with_plain_names(inside)) is not None:
            return [{**{name: value for name, value in named.items() if name != key}, **inside}]
    return _as_tasks(element, many=True, deeper=deeper) or [element]


def _by_kind(found: RawTask) -> list[RawTask]:
    """The tasks of an object whose fields are kinds, such as `{"image-to-text": {"image": "a.png"}}`."""
    kinds = {name: kind for name, value in found.items() if isinstance(value, dict) and (kind := find_kind(name))}
    rest = {name: value for name, value in found.items() if name not in kinds}
    if not kinds or (rest and (len(kinds) > 1 or not {*map(str.lower, rest)} <= {*ID_KEYS, *DEP_KEYS})):
        return []
    return [
        {**rest, **(inside if {*inside} & {*ARGUMENT_KEYS} else {"args": inside}), "task": kind}
        for name, kind in kinds.items()
        for inside in [found[name]]
    ]


def _inside(member: Any) -> Any:
    """The value of a field, which may be JSON written as a text."""
    return _strictly(member) if isinstance(member, str) and member.lstrip()[:1] in ("{", "[") else member


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
    return next((kind for name in names if isinstance(name, str) and (kind := _kind_named(name)) is not None), None)


def _kind_named(name: str) -> str | None:
    """The kind of a name, which may be written as that of a function: `functions.image-to-text`, `image-to-text()`."""
    names = (name, _CALLED.sub("", name.strip(_MARKUP)))
    found = (find_kind(part) for one in names for part in (one, _NAMESPACE.split(one)[-1]))
    return next((kind for kind in found if kind is not None), None)


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


def _correct_pieces(text: str) -> Iterator[Piece]:
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
            yield Piece(value, start.start(), position)


def _read_in_vain(error: Exception, text: str, start: int) -> int:
    """How many characters were read before the error; all of them if the error does not say."""
    says = isinstance(error, json.JSONDecodeError) and not error.msg.startswith("Unterminated string")
    end = error.pos if says and isinstance(error, json.JSONDecodeError) else len(text)
    return max(1, end - start)


def _plans(pieces: Iterable[Piece], *, many: bool = False) -> list[Piece]:
    """The pieces that are plans; single tasks outside a list make one plan together, unless only lists count."""
    plans: list[Piece] = []
    single: list[Piece] = []
    for piece in pieces:
        if isinstance(piece.value, dict) and kind_of(with_plain_names(piece.value)) is not None:
            single.append(piece)
        elif (tasks := _as_plan(piece.value, many=many)) or (
            tasks == [] and piece.complete and isinstance(piece.value, dict)
        ):
            plans.append(replace(piece, value=tasks))
    if plans or many or not single:
        return plans
    return [replace(single[-1], value=[piece.value for piece in single], start=single[0].start)]
