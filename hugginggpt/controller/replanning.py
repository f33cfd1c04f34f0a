"""Another way to the same end, after tasks of a plan have failed for good."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from hugginggpt.capabilities import ValueType
from hugginggpt.controller.call import REPLAN
from hugginggpt.controller.client import Controller
from hugginggpt.controller.planning import Checks, answer_room, planning_data
from hugginggpt.controller.prompts import Cuttable, cuttable, render_within, shorten
from hugginggpt.deadline import Deadline
from hugginggpt.errors import PlanError
from hugginggpt.plan import Plan, PlannedTask, parse_plan, plan_schema
from hugginggpt.plan.extract import RawTask, extract_tasks
from hugginggpt.plan.renumber import merged
from hugginggpt.resource import Resource
from hugginggpt.results import TaskOutcome
from hugginggpt.text import visible

_PREVIEW_CHARS = 400


def plan_rest(
    controller: Controller,
    *,
    text: str,
    resources: Sequence[Resource],
    kinds: Iterable[str],
    outcomes: Sequence[TaskOutcome],
    deadline: Deadline | None,
    checks: Checks,
) -> Plan:
    """Have the controller plan what is missing after tasks have failed for good.

    Args:
        controller: the controller that plans; not the small one, which plans from the request alone.
        text: the request.
        resources: what the plan may name.
        kinds: the kinds that can run here.
        outcomes: how each task of the plan ended.
        deadline: when planning has to be done.
        checks: what the plan has to pass.

    Returns:
        the tasks that are done, unchanged, with others for the rest.

    Raises:
        PlanError: its answer is no plan, or nothing better.
        ControllerError: and its subclasses, as `Controller.chat` raises them.
    """
    done = [outcome for outcome in outcomes if outcome.result is not None]
    failed = [outcome for outcome in outcomes if outcome.result is None]
    offered = tuple(dict.fromkeys(kinds))
    data = planning_data(visible(text), resources, (), offered)
    data |= {"done": list(map(_facts, done)), "failed": list(map(_facts, failed))}
    room = answer_room(controller)
    answer = controller.chat(
        render_within("replanning", controller.context_tokens - room, **data),
        stage=REPLAN,
        max_tokens=room,
        schema=plan_schema(offered),
        deadline=deadline,
    )
    kept = [outcome.planned for outcome in done]
    new = [task for task in extract_tasks(answer) if not _is_one_of(task, kept)]
    plan = parse_plan(json.dumps([*Plan(tasks=tuple(kept)).to_list(), *new]))
    done_ids = {task.id for task in kept}
    plan = merged(plan, _repeated(plan, done_ids))
    rest = Plan(tasks=tuple(task for task in plan.tasks if task.id not in done_ids))
    tried = [(outcome.planned.task, outcome.planned.args) for outcome in failed]
    if not rest.tasks:
        raise PlanError("The controller plans nothing more.")
    if all((task.task, task.args) in tried for task in rest.tasks):
        raise PlanError("The controller only repeats what has failed.")
    if wrong := [*checks.obstacles(rest, False), *checks.problems(plan)]:
        raise PlanError("\n".join(wrong))
    return plan


def given_up(dropped: Sequence[TaskOutcome], instead: Sequence[TaskOutcome]) -> list[TaskOutcome]:
    """Of the tasks that further plans went around, those in whose place nothing of the kind was made.

    What was only made for other tasks may be missing, if there is something in the place of those. Words stand for
    words, and a picture for a picture.

    Args:
        dropped: the tasks without a result that earlier versions of the plan had.
        instead: how the tasks ended that were added since.
    """
    made = Counter(_result_of(outcome) for outcome in instead if outcome.result is not None)
    wanted = {need for outcome in dropped for need in outcome.planned.needs}
    lost: list[TaskOutcome] = []
    for outcome in dropped:
        if outcome.planned.id in wanted:
            continue
        if made[_result_of(outcome)]:
            made[_result_of(outcome)] -= 1
        else:
            lost.append(outcome)
    for outcome in reversed(dropped):
        if any(outcome.planned.id in one.planned.needs for one in lost):
            lost.append(outcome)
    return [outcome for outcome in dropped if outcome in lost]


def _result_of(outcome: TaskOutcome) -> ValueType:
    """The type of what a task makes, where everything in words counts as text."""
    made = outcome.planned.capability.outputs[0]
    return ValueType.TEXT if made in (ValueType.STRUCTURED, ValueType.TABLE) else made


def _is_one_of(task: RawTask, planned: Sequence[PlannedTask]) -> bool:
    """Whether a task as the controller wrote it repeats one that is done."""
    return any(str(task.get("id")) == str(one.id) and task.get("task") == one.task for one in planned)


def _repeated(plan: Plan, done: Collection[int]) -> dict[int, int]:
    """Of each new task that does what is done already, the id of the one that did it."""
    finished = [task for task in plan.tasks if task.id in done]
    return {
        task.id: one.id
        for task in plan.tasks
        if task.id not in done
        for one in finished
        if (one.task, one.args) == (task.task, task.args)
    }


def _facts(outcome: TaskOutcome) -> dict[str, Any]:
    """One outcome as the prompt shows it."""
    planned = outcome.planned
    facts: dict[str, Any] = {"id": planned.id, "task": planned.task, "args": cuttable(planned.args)}
    if outcome.result is None:
        return facts | {"error": outcome.error or "unknown"}
    texts = [a.preview for a in outcome.result.outputs if a.preview is not None]
    return facts | {"result": Cuttable(shorten("\n".join(texts), _PREVIEW_CHARS))}
