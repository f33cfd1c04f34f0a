"""What can be asked of the trace. Functions on an open session; `Trace` gives them one."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from hugginggpt.artifacts import Artifact, Resource
from hugginggpt.controller_name import ControllerName
from hugginggpt.errors import DiskFullError, ModelDiskFullError, StorageError, TaskCancelledError, TraceError
from hugginggpt.media import EXTENSIONS
from hugginggpt.models.card import Candidate, Endpoint, ModelChoice
from hugginggpt.models.disk import ModelUse
from hugginggpt.models.figures import LATEST, MEMORY, Figures, Measurement, Run, figures_of
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.request import Budget
from hugginggpt.results import RequestStatus, TaskResult, TaskStatus
from hugginggpt.text import is_storable, one_line
from hugginggpt.trace.lifecycle import died
from hugginggpt.trace.rows import MOST_ROWS, SHOWN_ID
from hugginggpt.trace.story import (
    Attempt,
    CallTrace,
    EndedRun,
    Life,
    OutputFile,
    RequestSummary,
    RequestTrace,
    Selection,
    TaskTrace,
    Totals,
    Turn,
)
from hugginggpt.trace.tables import (
    ControllerCallRow,
    Conversation,
    ExpertRun,
    FlowRun,
    LatestMeasurement,
    ModelFigures,
    ModelSelection,
    PlannedTaskRow,
    Request,
    RequestResource,
    StoredArtifact,
    TaskOutput,
)


def find_id(session: Session, table: type[Request] | type[Conversation], prefix: str) -> str:
    """The one request or conversation whose id is, or begins with, the given text.

    Raises:
        TraceError: there is none, or more than one.
    """
    what, shown = "request" if table is Request else "conversation", one_line(prefix, SHOWN_ID)
    if not is_storable(prefix):
        raise TraceError(f"There is no {what} '{shown}' in the trace: ids are letters and digits.")
    if session.get(table, prefix) is not None:
        return prefix
    begins = table.id.startswith(prefix, autoescape=True)
    found = session.scalars(select(table.id).where(begins).order_by(table.id).limit(4)).all() if prefix else []
    if not found:
        raise TraceError(f"There is no {what} '{shown}' in the trace: `hugginggpt trace list` shows those there are.")
    if len(found) > 1:
        some = ", ".join([*found[:3], "..."] if len(found) > 3 else found)
        raise TraceError(f"Several {what}s begin with '{shown}' ({some}): give more of the id.")
    return found[0]


def resources_of(session: Session, request_id: str) -> tuple[Resource, ...]:
    """What a request's plan can name."""
    rows = session.execute(
        select(RequestResource, StoredArtifact)
        .join(StoredArtifact)
        .where(RequestResource.request_id == request_id)
        .order_by(RequestResource.position)
    )
    return tuple(Resource(name=row.name, artifact=_artifact(stored), source=row.source) for row, stored in rows)


def plan_of(session: Session, request_id: str) -> Plan | None:
    """A request's plan; None when none is recorded."""
    request = session.get(Request, request_id)
    return None if request is None else _plan(request, _task_rows(session, request_id))


def choices_of(session: Session, request_id: str) -> dict[int, ModelChoice]:
    """The model chosen for each task, as far as it is."""
    rows = session.scalars(select(ModelSelection).filter_by(request_id=request_id).order_by(ModelSelection.task_id))
    return {row.task_id: _choice(row) for row in rows}


def results_of(session: Session, request_id: str) -> dict[int, TaskResult]:
    """The results of the tasks that have one."""
    done = (TaskStatus.COMPLETED, TaskStatus.CACHED)
    return {
        row.task_id: TaskResult.model_validate(row.result)
        for row in _task_rows(session, request_id)
        if row.result is not None and row.status in done
    }


def uses_of_models(session: Session) -> dict[str, ModelUse]:
    """How often each model was run on this machine, and when last, by its id."""
    counted = session.execute(
        select(ExpertRun.model_id, func.count(), func.max(ExpertRun.started_at))
        .where(ExpertRun.endpoint == Endpoint.LOCAL)
        .group_by(ExpertRun.model_id)
    )
    return {model: ModelUse(runs, last) for model, runs, last in counted}


def kinds_used(session: Session, since: datetime) -> set[str]:
    """The kinds of task that models of this machine were run for since a moment."""
    here = ExpertRun.endpoint.in_([Endpoint.LOCAL, Endpoint.EMBEDDED])
    runs = select(PlannedTaskRow.kind.distinct()).join(
        ExpertRun,
        and_(ExpertRun.request_id == PlannedTaskRow.request_id, ExpertRun.task_id == PlannedTaskRow.task_id),
    )
    return set(session.scalars(runs.where(here, ExpertRun.started_at >= since)))


def measured(session: Session, now: datetime) -> dict[tuple[str, str, str], Figures]:
    """What the latest runs of each model came to, by kind, model id and endpoint.

    Runs that say nothing of the model do not count: those that were stopped, whose process died, or
    whose result could not be stored.
    """
    no_fault = [e.__name__ for e in (TaskCancelledError, StorageError, DiskFullError, ModelDiskFullError)]
    counts = or_(
        ExpertRun.status == "completed", and_(ExpertRun.status == "failed", ExpertRun.error_type.not_in(no_fault))
    )
    place = (PlannedTaskRow.kind, ExpertRun.model_id, ExpertRun.endpoint)
    latest = (
        select(
            *place,
            ExpertRun.request_id,
            ExpertRun.task_id,
            ExpertRun.status,
            ExpertRun.error,
            ExpertRun.passing,
            ExpertRun.seconds,
            PlannedTaskRow.status.label("task_status"),
            func.row_number().over(partition_by=place, order_by=ExpertRun.id.desc()).label("age"),
        )
        .join(
            PlannedTaskRow,
            and_(PlannedTaskRow.request_id == ExpertRun.request_id, PlannedTaskRow.task_id == ExpertRun.task_id),
        )
        .where(ExpertRun.started_at >= now - MEMORY, counts)
        .subquery()
    )
    elements = (
        select(func.count(TaskOutput.item.distinct()))
        .where(TaskOutput.request_id == latest.c.request_id, TaskOutput.task_id == latest.c.task_id)
        .scalar_subquery()
    )
    in_order = select(*latest.c, elements.label("elements")).where(latest.c.age <= LATEST).order_by(latest.c.age)
    runs: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
    for row in session.execute(in_order):
        failed = row.status == "failed"
        run = Run(
            seconds=row.seconds,
            error=(row.error or "unknown") if failed else None,
            passing=row.passing,
            done_by_another=failed and row.task_status in (TaskStatus.COMPLETED, TaskStatus.CACHED),
            elements=row.elements,
        )
        runs[row.kind, row.model_id, row.endpoint].append(run)
    return {place: figures_of(of_one) for place, of_one in runs.items()}


def latest_measurement(session: Session) -> Measurement | None:
    """The figures that were measured last; None when that was never done."""
    latest = session.scalar(select(LatestMeasurement))
    if latest is None:
        return None
    rows = session.scalars(select(ModelFigures))
    figures = {
        (row.kind, row.model_id, row.endpoint): Figures.model_validate(row, from_attributes=True) for row in rows
    }
    return Measurement(latest.measured_at, figures)


def failed_in(session: Session, request_id: str, task_id: int, life: int) -> set[str]:
    """The candidates that failed a task for good in one life, as "endpoint:id"."""
    failed = session.execute(
        select(ExpertRun.endpoint, ExpertRun.model_id).where(
            ExpertRun.request_id == request_id,
            ExpertRun.task_id == task_id,
            ExpertRun.life == life,
            ExpertRun.status == "failed",
            ExpertRun.passing.is_(False),
        )
    )
    return {f"{endpoint}:{model_id}" for endpoint, model_id in failed}


NO_LONGER_HELD = "Its process no longer works on the request."
"""Why a life is over whose process ended, or was followed by another."""


def lives_over(session: Session, lives: Sequence[tuple[str, int]], now: datetime) -> dict[tuple[str, int], str]:
    """Which lives have to stop, and why."""
    found = session.execute(
        select(Request.id, Request.life, Request.status, Request.holder, Request.deadline_at, Request.options).where(
            Request.id.in_({request_id for request_id, _ in lives})
        )
    )
    rows = {row.id: row for row in found}
    over = {}
    for request_id, life in lives:
        row = rows.get(request_id)
        if row is None:
            continue
        if row.status == RequestStatus.CANCELLED:
            over[request_id, life] = "The request was cancelled."
        elif row.life != life or row.status != RequestStatus.RUNNING or row.holder is None:
            over[request_id, life] = NO_LONGER_HELD
        elif row.deadline_at is not None and row.deadline_at <= now:
            over[request_id, life] = f"The request was not answered within its {row.options['deadline']:g} seconds."
    return over


def runs_over(session: Session, flow_run_ids: Sequence[str], before: datetime) -> dict[str, EndedRun]:
    """How flow runs ended whose requests had ended before a moment, by Prefect's ids."""
    found = session.execute(
        select(FlowRun.flow_run_id, FlowRun.ending, Request.status, Request.response, Request.error)
        .join(Request)
        .where(FlowRun.flow_run_id.in_(flow_run_ids), Request.finished_at <= before)
        .order_by(FlowRun.life)
    )
    # A flow run that was tried again has several lives: its last one counts.
    return {
        row.flow_run_id: EndedRun(
            ending=row.ending or "died", status=row.status, response=row.response, error=row.error
        )
        for row in found
    }


def budget_of(session: Session, request_id: str) -> Budget:
    """What a request may cost and has cost, in millionths of a US dollar."""
    ceiling = session.get_one(Request, request_id).options.get("max_cost")
    costs = select(func.sum(ControllerCallRow.cost_microdollars)).where(ControllerCallRow.request_id == request_id)
    return Budget(ceiling=None if ceiling is None else round(ceiling * 1e6), spent=session.scalar(costs) or 0)


def story_of(session: Session, request_id: str, now: datetime) -> RequestTrace:
    """Everything that is known of a request."""
    request = session.get_one(Request, request_id)
    task_rows = _task_rows(session, request_id)
    lives = tuple(map(_life, session.scalars(select(FlowRun).filter_by(request_id=request_id).order_by(FlowRun.life))))
    calls_in_order = select(ControllerCallRow).filter_by(request_id=request_id).order_by(ControllerCallRow.id)
    calls = tuple(map(_call, session.scalars(calls_in_order)))
    tasks = _tasks(session, request_id, task_rows)
    costs = [call.cost_microdollars for call in calls if call.cost_microdollars is not None]
    status = _status(request, now)
    return RequestTrace(
        request_id=request.id,
        conversation_id=request.conversation_id,
        text=request.text,
        options=request.options,
        resources=resources_of(session, request_id),
        status=status,
        response=request.response,
        response_source=request.response_source,
        error=request.error,
        error_type=request.error_type,
        created_at=request.created_at,
        planned_at=request.planned_at,
        finished_at=request.finished_at,
        lives=lives,
        plan=_plan(request, task_rows),
        plan_source=request.plan_source,
        tasks=tasks,
        controller_calls=calls,
        files=_outputs(session, request_id),
        totals=Totals(
            seconds=round(sum(_seconds(life, now, working=status is RequestStatus.RUNNING) for life in lives), 3),
            controller_calls=len(calls),
            prompt_tokens=sum(call.prompt_tokens for call in calls),
            completion_tokens=sum(call.completion_tokens for call in calls),
            cost_microdollars=sum(costs) if costs else None,
        ),
    )


def counts(session: Session, now: datetime) -> dict[RequestStatus, int]:
    """How many requests have each status."""
    others = select(Request.status, func.count()).where(Request.status != RequestStatus.RUNNING)
    found = {RequestStatus(status): count for status, count in session.execute(others.group_by(Request.status))}
    running = session.scalars(select(Request).where(Request.status == RequestStatus.RUNNING))
    return found | Counter(_status(request, now) for request in running)


def summaries(session: Session, now: datetime, limit: int, conversation_id: str | None) -> list[RequestSummary]:
    """The latest requests, newest first."""
    counts = (
        select(
            PlannedTaskRow.request_id,
            func.count().label("tasks"),
            func.count(PlannedTaskRow.task_id)
            .filter(PlannedTaskRow.status.in_([TaskStatus.COMPLETED, TaskStatus.CACHED]))
            .label("done"),
        )
        .group_by(PlannedTaskRow.request_id)
        .subquery()
    )
    query = (
        select(Request, func.coalesce(counts.c.tasks, 0), func.coalesce(counts.c.done, 0))
        .outerjoin(counts, counts.c.request_id == Request.id)
        .order_by(Request.created_at.desc(), Request.id.desc())
        .limit(min(limit, MOST_ROWS))
    )
    if conversation_id is not None:
        query = query.where(Request.conversation_id == conversation_id)
    return [
        RequestSummary(
            request_id=request.id,
            conversation_id=request.conversation_id,
            text=request.text,
            status=_status(request, now),
            response=request.response,
            error=request.error,
            created_at=request.created_at,
            finished_at=request.finished_at,
            lives=request.life,
            tasks=tasks,
            tasks_done=done,
        )
        for request, tasks, done in session.execute(query)
    ]


def turns_of(session: Session, conversation_id: str, before: str | None) -> list[Turn]:
    """The answered requests of a conversation, oldest first, up to one of them."""
    query = select(Request).where(Request.conversation_id == conversation_id).order_by(Request.created_at, Request.id)
    if before is not None and (until := session.get(Request, before)) is not None:
        same_moment = and_(Request.created_at == until.created_at, Request.id < until.id)
        query = query.where(or_(Request.created_at < until.created_at, same_moment))
    return [
        Turn(
            request_id=request.id,
            text=request.text,
            response=request.response,
            resources=_turn_resources(number, request.id, _outputs(session, request.id)),
            files=resources_of(session, request.id),
        )
        for number, request in enumerate(session.scalars(query).all(), start=1)
        if request.response is not None and request.finished_at is not None
    ]


def latest_conversation(session: Session) -> str | None:
    """The conversation of the newest request."""
    newest = select(Request.conversation_id).order_by(Request.created_at.desc(), Request.id.desc()).limit(1)
    return session.scalar(newest)


def _turn_resources(turn: int, request_id: str, outputs: Iterable[OutputFile]) -> tuple[Resource, ...]:
    """Name the outputs of a turn `turn-2-task-0.png`; of several outputs of a task, numbered from the second."""
    seen: dict[int, int] = defaultdict(int)
    resources = []
    for output in outputs:
        seen[output.task_id] += 1
        number = f"-{seen[output.task_id]}" if seen[output.task_id] > 1 else ""
        name = f"turn-{turn}-task-{output.task_id}{number}{EXTENSIONS.get(output.artifact.mime, '')}"
        resources.append(Resource(name=name, artifact=output.artifact, source=request_id))
    return tuple(resources)


def _task_rows(session: Session, request_id: str) -> Sequence[PlannedTaskRow]:
    in_order = select(PlannedTaskRow).filter_by(request_id=request_id).order_by(PlannedTaskRow.position)
    return session.scalars(in_order).all()


def _plan(request: Request, rows: Sequence[PlannedTaskRow]) -> Plan | None:
    if request.planned_at is None:
        return None
    tasks = tuple(PlannedTask(task=row.kind, id=row.task_id, dep=tuple(row.dep), args=row.args) for row in rows)
    return Plan(tasks=tasks, repairs=tuple(request.plan_repairs or ()))


def _tasks(session: Session, request_id: str, rows: Sequence[PlannedTaskRow]) -> tuple[TaskTrace, ...]:
    selections = {
        row.task_id: Selection(choice=_choice(row), cached=row.cached, created_at=row.created_at)
        for row in session.scalars(select(ModelSelection).filter_by(request_id=request_id))
    }
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    for run in session.scalars(select(ExpertRun).filter_by(request_id=request_id).order_by(ExpertRun.id)):
        attempts[run.task_id].append(_attempt(run))
    return tuple(
        TaskTrace(
            id=row.task_id,
            task=row.kind,
            args=row.args,
            dep=tuple(row.dep),
            status=TaskStatus(row.status),
            error=row.error,
            cached=row.cached,
            seconds=row.seconds,
            started_at=row.started_at,
            ended_at=row.ended_at,
            prefect_task_run_id=row.prefect_task_run_id,
            selection=selections.get(row.task_id),
            attempts=tuple(attempts[row.task_id]),
            result=None if row.result is None else TaskResult.model_validate(row.result),
        )
        for row in rows
    )


def _outputs(session: Session, request_id: str) -> tuple[OutputFile, ...]:
    rows = session.execute(
        select(TaskOutput, StoredArtifact)
        .join(StoredArtifact)
        .where(TaskOutput.request_id == request_id)
        .order_by(TaskOutput.task_id, TaskOutput.item, TaskOutput.position)
    )
    return tuple(
        OutputFile(task_id=row.task_id, item=row.item, position=row.position, artifact=_artifact(stored))
        for row, stored in rows
    )


def _status(request: Request, now: datetime) -> RequestStatus:
    return RequestStatus.DIED if died(request, now) else RequestStatus(request.status)


def _seconds(life: Life, now: datetime, *, working: bool) -> float:
    return (now - life.started_at).total_seconds() if working and life.ended_at is None else life.seconds


def _artifact(row: StoredArtifact) -> Artifact:
    return Artifact.model_validate(row, from_attributes=True)


def _choice(row: ModelSelection) -> ModelChoice:
    chosen, *alternatives = (Candidate.model_validate(candidate) for candidate in row.ranked)
    return ModelChoice(
        kind=row.kind,
        chosen=chosen,
        reason=row.reason,
        chosen_by=row.chosen_by,
        alternatives=tuple(alternatives),
    )


def _life(row: FlowRun) -> Life:
    known = row.controller_model is not None and row.controller_server is not None
    controller = ControllerName(model=row.controller_model, server=row.controller_server) if known else None
    return Life(
        life=row.life,
        flow_run_id=row.flow_run_id,
        holder=row.holder,
        started_at=row.started_at,
        seen_at=row.seen_at,
        ended_at=row.ended_at,
        ending=row.ending,
        error=row.error,
        controller=controller,
    )


def _call(row: ControllerCallRow) -> CallTrace:
    return CallTrace.model_validate(row, from_attributes=True)


def _attempt(row: ExpertRun) -> Attempt:
    return Attempt(
        life=row.life,
        run_count=row.run_count,
        model=row.model_id,
        revision=row.revision,
        endpoint=Endpoint(row.endpoint),
        status=row.status,
        progress=row.progress,
        error=row.error,
        error_type=row.error_type,
        passing=row.passing,
        started_at=row.started_at,
        ended_at=row.ended_at,
        seconds=row.seconds,
        load_seconds=row.load_seconds,
    )
