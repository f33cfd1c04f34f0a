"""Plans for requests whose answer is a form: without a large model, its values are looked for in whole texts."""

from collections.abc import Callable, Iterator, Sequence

from hugginggpt.capabilities import ValueType
from hugginggpt.controller.client import Controller
from hugginggpt.controller.planning import Checks
from hugginggpt.errors import PlanError
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.resource import Resource

_READS = {ValueType.IMAGE: ("image-to-text", "image"), ValueType.AUDIO: ("automatic-speech-recognition", "audio")}
_ASKS = "document-question-answering"


def plan_for_form(
    controller: Controller, plan: Callable[[], Plan], resources: Sequence[Resource], checks: Checks
) -> Plan:
    """The plan of a request whose answer is a form.

    The packaged model fills in a form from the texts of the files and from what the tasks have read, so pictures of
    documents, pages that are pictures, and recordings are read in full, whatever the request asks of them, and also if
    there is no other plan. A file whose text is there needs no task. A picture that the plan looks at, such as a photo,
    is left to it.

    Args:
        controller: the controller that plans.
        plan: has it plan.
        resources: the request's files and the results of earlier turns.
        checks: what a plan has to pass.

    Raises:
        PlanError: there is no plan, and no file that can be read.
    """
    if not controller.knows_little:
        return plan()
    try:
        planned = plan()
    except PlanError:
        planned = _reading_in_full(Plan(), resources, checks)
        if not planned.tasks and not any(_has_text(file) for file in resources if not file.earlier):
            raise
        return planned
    return _reading_in_full(planned, resources, checks)


def _reading_in_full(plan: Plan, resources: Sequence[Resource], checks: Checks) -> Plan:
    tasks = list(plan.tasks)
    read: list[str] = []
    for file in resources:
        reads = _READS.get(ValueType.IMAGE if _has_unread_pages(file) else file.artifact.type)
        if file.earlier or reads is None:
            continue
        using = [task for task in plan.tasks if file.name in _values(task)]
        if any(task.task != _ASKS for task in using):
            continue  # it is read already, or looked at
        kind, argument = reads
        reading = PlannedTask(task=kind, id=1 + max((t.id for t in tasks), default=-1), args={argument: file.name})
        if checks.problems(alone := Plan(tasks=(reading,))) or checks.obstacles(alone, True):
            continue
        # The form has the answers to its questions; another task may need them, too.
        needed = {task_id for task in plan.tasks for task_id in task.dep}
        tasks = [task for task in tasks if task not in using or task.id in needed]
        tasks.append(reading)
        read.append(file.name)
    if not read:
        return plan
    return plan.model_copy(
        update={"tasks": tuple(tasks), "repairs": (*plan.repairs, f"For the form, {', '.join(read)} is read in full.")}
    )


def _has_text(file: Resource) -> bool:
    return bool(file.artifact.preview) and not _has_unread_pages(file)


def _has_unread_pages(file: Resource) -> bool:
    return file.parts is not None and file.parts.unread


def _values(task: PlannedTask) -> Iterator[object]:
    for value in task.args.values():
        yield from value if isinstance(value, list) else [value]
