"""Plans in the trace: the tasks of each version, in their order."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.results import TaskOutcome, TaskStatus
from hugginggpt.trace.tables import PlannedTaskRow, RequestRow


def task_rows(session: Session, request_id: str) -> Sequence[PlannedTaskRow]:
    """The tasks of a request's plan, in the plan's order."""
    in_order = select(PlannedTaskRow).filter_by(request_id=request_id).order_by(PlannedTaskRow.position)
    return session.scalars(in_order).all()


def plan_of(request: RequestRow, rows: Sequence[PlannedTaskRow]) -> Plan | None:
    """The latest version of a request's plan; None if none is recorded."""
    if request.planned_at is None:
        return None
    version = version_of(rows)
    return Plan(tasks=_tasks_of(rows, version), repairs=tuple(request.plan_repairs or ()), version=version)


def version_of(rows: Sequence[PlannedTaskRow]) -> int:
    """The latest version of a plan, from 1."""
    return max((max(row.added_in, row.dropped_in or 1) for row in rows), default=1)


def _task(row: PlannedTaskRow) -> PlannedTask:
    return PlannedTask(task=row.kind, id=row.task_id, dep=tuple(row.dep), args=row.args)


def earlier_plans(rows: Sequence[PlannedTaskRow]) -> tuple[Plan, ...]:
    """The versions before the latest one, oldest first."""
    return tuple(Plan(tasks=_tasks_of(rows, version), version=version) for version in range(1, version_of(rows)))


def _tasks_of(rows: Sequence[PlannedTaskRow], version: int) -> tuple[PlannedTask, ...]:
    """The tasks of a version of a plan."""
    return tuple(
        _task(row) for row in rows if row.added_in <= version and (row.dropped_in is None or row.dropped_in > version)
    )


def went_around(rows: Sequence[PlannedTaskRow]) -> tuple[list[TaskOutcome], set[int]]:
    """The tasks without a result that only earlier versions have, in their order, and the ids of those added since."""
    dropped = [
        TaskOutcome(planned=_task(row), status=TaskStatus(row.status), error=row.error)
        for row in rows
        if row.dropped_in is not None and row.result is None
    ]
    return dropped, {row.task_id for row in rows if row.added_in > 1}


def new_row(request_id: str, task: PlannedTask, position: int, version: int = 1) -> PlannedTaskRow:
    """The row of a task that nothing has been done for."""
    return PlannedTaskRow(
        request_id=request_id,
        task_id=task.id,
        position=position,
        kind=task.task,
        args=dict(task.args),
        dep=list(task.dep),
        status=TaskStatus.PLANNED,
        cached=False,
        added_in=version,
    )


def add_version(session: Session, request: RequestRow, plan: Plan) -> None:
    """Write a further version of a plan: tasks that it does not have are dropped, and those that are new are added."""
    rows = task_rows(session, request.id)
    version = version_of(rows) + 1
    kept, known = {task.id for task in plan.tasks}, {row.task_id for row in rows}
    for row in rows:
        if row.task_id not in kept and row.dropped_in is None:
            row.dropped_in = version
    request.plan_repairs = list(plan.repairs)
    new = [task for task in plan.tasks if task.id not in known]
    session.add_all(new_row(request.id, task, len(rows) + n, version) for n, task in enumerate(new))
