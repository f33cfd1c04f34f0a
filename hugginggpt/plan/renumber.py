"""Give tasks of a plan other ids."""

from collections.abc import Collection
from itertools import count

from hugginggpt.plan.model import Argument, Plan
from hugginggpt.plan.references import canonical


def renumbered(plan: Plan, keep: Collection[int], first: int) -> Plan:
    """The plan with new ids, from `first` on, for all tasks but those to keep; references and order follow."""
    free = count(first)
    ids = {task.id: task.id if task.id in keep else next(free) for task in plan.tasks}

    def moved(value: Argument) -> Argument:
        if isinstance(value, list):
            return [canonical(element, ids.__getitem__) if isinstance(element, str) else element for element in value]
        return canonical(value, ids.__getitem__) if isinstance(value, str) else value

    tasks = tuple(
        task.model_copy(
            update={
                "id": ids[task.id],
                "dep": tuple(sorted(ids[k] for k in task.dep)),
                "args": {name: moved(value) for name, value in task.args.items()},
            }
        )
        for task in plan.tasks
    )
    return plan.model_copy(update={"tasks": tasks})
