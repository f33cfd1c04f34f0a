"""Find the plan in what a controller wrote: prose and code fences around it, loose JSON inside."""

import json
import re
from collections.abc import Iterator
from typing import Any

from hugginggpt.errors import PlanError

MAX_CHARS = 200_000
_MAX_STARTS = 2_000
_FENCE = re.compile(r"```[a-zA-Z]*\s*\n?(.*?)```", re.DOTALL)
_WRAPPERS = ("tasks", "plan", "task_nodes")
_KIND_KEYS = ("task", "kind", "tool")

RawTask = dict[str, Any]


def extract_tasks(text: str) -> list[RawTask]:
    """The planned tasks as the controller wrote them, not yet checked.

    Raises:
        PlanError: there is no plan in the text.
    """
    if len(text) > MAX_CHARS:
        raise PlanError(f"The plan is longer than {MAX_CHARS:,} characters.")
    for found in _values(text):
        tasks = _as_tasks(found)
        if tasks is not None:
            return tasks
    raise PlanError("There is no plan in this text: a JSON list of tasks was expected.")


def _as_tasks(found: Any) -> list[RawTask] | None:
    if isinstance(found, dict):
        if any(key in found for key in _KIND_KEYS):
            return [found]
        inside = next((found[key] for key in _WRAPPERS if key in found), None)
        return inside if _is_list_of_objects(inside) else None
    return found if _is_list_of_objects(found) else None


def _is_list_of_objects(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(element, dict) for element in found)


def _values(text: str) -> Iterator[Any]:
    """JSON values in the text, the likeliest first.

    All of it, code fences, what starts at a bracket, and at last the same read by a repairing parser.
    """
    fenced = [block.strip() for block in _FENCE.findall(text)]
    for whole in (text.strip(), *fenced):
        try:
            yield json.loads(whole, strict=False)
        except (ValueError, RecursionError):
            continue
    yield from (value for value in _embedded(text) if value != [])
    yield from _repaired(text, fenced)


def _embedded(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)
    position = 0
    for _ in range(_MAX_STARTS):
        start = re.compile(r"[\[{]").search(text, position)
        if start is None:
            return
        try:
            value, position = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            position = start.end()
        else:
            yield value


def _repaired(text: str, fenced: list[str]) -> Iterator[Any]:
    import json_repair

    start = re.search(r"\[\s*\{|\{", text)
    for loose in (*fenced, text[start.start() :] if start else ""):
        if not loose.startswith(("[", "{")):
            continue
        try:
            yield json_repair.loads(loose, skip_json_loads=True)
        except (ValueError, RecursionError):
            continue
