"""Give tasks of a plan other ids."""

from collections.abc import Callable, Collection, Mapping
from itertools import count

from hugginggpt.plan.model import Argument, Plan, PlannedTask
from hugginggpt.plan.references import canonical


def renumbered(plan: Plan, keep: Collection[int], first: int) -> Plan:
    """The plan with new ids, from `first` on, for all tasks but those to keep; references and order follow."""
    free = count(first)
    ids = {task.id: task.id if task.id in keep else next(free) for task in plan.tasks}
    return plan.model_copy(update={"tasks": tuple(_moved(task, ids.__getitem__) for task in plan.tasks)})


def merged(plan: Plan, same: Mapping[int, int]) -> Plan:
    """The plan without the tasks that others stand for, to which references to them then lead.

    Args:
        plan: the plan.
        same: of each task to leave out, the id of the one that stands for it.
    """
    tasks = (_moved(task, lambda k: same.get(k, k)) for task in plan.tasks if task.id not in same)
    return plan.model_copy(update={"tasks": tuple(tasks)})


def _moved(task: PlannedTask, new_id: Callable[[int], int]) -> PlannedTask:
    """The task with other ids, its own and those that it refers to."""

    def moved(value: Argument) -> Argument:
        if isinstance(value, list):
            return [canonical(element, new_id) if isinstance(element, str) else element for element in value]
        return canonical(value, new_id) if isinstance(value, str) else value

    return task.model_copy(
        update={
            "id": new_id(task.id),
            "dep": tuple(sorted({new_id(k) for k in task.dep})),
            "args": {name: moved(value) for name, value in task.args.items()},
        }
    )
