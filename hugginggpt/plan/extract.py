"""Find the plan in what a controller wrote: prose and code fences around it, loose JSON inside."""

import json
import re
from typing import Any

from hugginggpt.errors import PlanError

MAX_CHARS = 200_000
_MAX_STARTS = 2_000
_FENCE = re.compile(r"```[a-zA-Z]*\s*\n?(.*?)```", re.DOTALL)
_BRACKET = re.compile(r"[\[{]")
_PLAN_START = re.compile(r"\[\s*\{|\{")
_WRAPPERS = ("tasks", "plan", "task_nodes")
_KIND_KEYS = ("task", "kind", "tool")

RawTask = dict[str, Any]


def extract_tasks(text: str) -> list[RawTask]:
    """The planned tasks as the controller wrote them, not yet checked.

    What is a plan as a whole, or in a code fence, is taken as it is. Otherwise the text is read in
    several ways, and the one that finds most tasks counts, of equals the last: a controller may
    think aloud or give an example before it comes to the plan.

    Raises:
        PlanError: there is no plan in the text.
    """
    if len(text) > MAX_CHARS:
        raise PlanError(f"The plan is longer than {MAX_CHARS:,} characters.")
    fenced = [block.strip() for block in _FENCE.findall(text)]
    whole = [tasks for block in (text.strip(), *fenced) if (tasks := _as_tasks(_strictly(block))) is not None]
    if whole and not fenced:
        return whole[0]
    found = [*whole, *_scanned(text), *_repaired(text, fenced)]
    if not found:
        raise PlanError("There is no plan in this text: a JSON list of tasks was expected.")
    return max(reversed(found), key=len)


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
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _scanned(text: str) -> list[list[RawTask]]:
    """Every plan that stands in the text as correct JSON; single tasks outside of lists make one together."""
    decoder = json.JSONDecoder(strict=False)
    plans: list[list[RawTask]] = []
    single: list[RawTask] = []
    position = 0
    for _ in range(_MAX_STARTS):
        start = _BRACKET.search(text, position)
        if start is None:
            break
        try:
            value, position = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            position = start.end()
            continue
        tasks = _as_tasks(value)
        if tasks and tasks == [value]:
            single.append(value)
        elif tasks:
            plans.append(tasks)
    return [single, *plans] if single else plans


def _repaired(text: str, fenced: list[str]) -> list[list[RawTask]]:
    """The plans that a repairing parser makes of what is no correct JSON."""
    import json_repair

    start = _PLAN_START.search(text)
    plans = []
    for loose in (*fenced, text[start.start() :] if start else ""):
        if loose.startswith(("[", "{")):
            try:
                plans.append(_as_tasks(json_repair.loads(loose, skip_json_loads=True)))
            except Exception:  # it guesses: some texts break an assertion of its own
                continue
    return [tasks for tasks in plans if tasks]
