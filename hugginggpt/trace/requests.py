"""Queries about the requests in the trace: everything that happened for one of them, and lists of them.

`Requests` is what other modules call; the functions below it read rows, for the other topics too.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, func, or_, select, union_all
from sqlalchemy.orm import Session

from hugginggpt.artifacts import Artifact
from hugginggpt.controller_name import EMBEDDED, ControllerName
from hugginggpt.conversation import result_name
from hugginggpt.media import EXTENSIONS
from hugginggpt.models.card import Candidate, Endpoint, ModelChoice
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.request import EarlierResult, Exchange
from hugginggpt.resource import Parts, Resource
from hugginggpt.results import RequestStatus, TaskResult, TaskStatus
from hugginggpt.trace.database import Database
from hugginggpt.trace.plans import earlier_plans, plan_of, task_rows
from hugginggpt.trace.rows import MOST_ROWS, died, find_id
from hugginggpt.trace.story import (
    Attempt,
    CallTrace,
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
    ArtifactRow,
    ControllerCallRow,
    ConversationRow,
    ExpertRunRow,
    FlowRunRow,
    ModelSelectionRow,
    PlannedTaskRow,
    RequestResourceRow,
    RequestRow,
    TaskOutputRow,
)


class Requests:
    """Reads requests from the trace. Raises the errors of `Trace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, id_or_prefix: str, *, key: str | None = None) -> RequestTrace:
        """Everything that happened for a request.

        Args:
            id_or_prefix: its id, or any unique beginning of it.
            key: find only requests that were made with the key of this name.

        Raises:
            TraceError: no request, or more than one, has an id that begins like this.
        """
        with self._database.reading() as session:
            request_id = find_id(session, RequestRow, id_or_prefix, key)
            return _story_of(session, request_id, self._database.now(session))

    def knows(self, request_id: str) -> bool:
        """Whether a request has that id."""
        with self._database.reading() as session:
            return session.get(RequestRow, request_id) is not None

    def latest(
        self, limit: int = 20, conversation_id: str | None = None, *, key: str | None = None
    ) -> list[RequestSummary]:
        """The latest requests, newest first.

        Args:
            limit: at most this many.
            conversation_id: only those of this conversation.
            key: only those that were made with the key of this name.
        """
        done = PlannedTaskRow.status.in_([TaskStatus.COMPLETED, TaskStatus.CACHED])
        tasks = (
            select(
                PlannedTaskRow.request_id,
                func.count().label("all"),
                func.count(PlannedTaskRow.task_id).filter(done).label("done"),
            )
            .group_by(PlannedTaskRow.request_id)
            .subquery()
        )
        query = (
            select(RequestRow, func.coalesce(tasks.c.all, 0), func.coalesce(tasks.c.done, 0))
            .outerjoin(tasks, tasks.c.request_id == RequestRow.id)
            .order_by(RequestRow.created_at.desc(), RequestRow.id.desc())
            .limit(min(limit, MOST_ROWS))
        )
        if conversation_id is not None:
            query = query.where(RequestRow.conversation_id == conversation_id)
        if key is not None:
            query = query.where(RequestRow.key_name == key)
        with self._database.reading() as session:
            now = self._database.now(session)
            return [
                RequestSummary(
                    request_id=request.id,
                    conversation_id=request.conversation_id,
                    text=request.text,
                    status=_status(request, now),
                    response=request.response,
                    error=request.error,
                    door=request.door,
                    created_at=request.created_at,
                    finished_at=request.finished_at,
                    lives=request.life,
                    tasks=planned,
                    tasks_done=tasks_done,
                )
                for request, planned, tasks_done in session.execute(query)
            ]

    def counts(self) -> dict[RequestStatus, int]:
        """How many requests have each status."""
        others = select(RequestRow.status, func.count()).where(RequestRow.status != RequestStatus.RUNNING)
        running = select(RequestRow).where(RequestRow.status == RequestStatus.RUNNING)
        with self._database.reading() as session:
            now = self._database.now(session)
            found = session.execute(others.group_by(RequestRow.status))
            counts = {RequestStatus(status): count for status, count in found}
            return counts | Counter(_status(request, now) for request in session.scalars(running))

    def conversation(self, id_or_prefix: str, *, key: str | None = None) -> str:
        """The full id of a conversation.

        Args:
            id_or_prefix: its id, or any unique beginning of it.
            key: find only conversations in which a request was made with the key of this name.

        Raises:
            TraceError: no conversation, or more than one, has an id that begins like this.
        """
        with self._database.reading() as session:
            return find_id(session, ConversationRow, id_or_prefix, key)

    def latest_conversation(self, *, key: str | None = None) -> str | None:
        """The conversation of the newest request, or of the newest made with a key; None if there is none."""
        newest = select(RequestRow.conversation_id).order_by(RequestRow.created_at.desc(), RequestRow.id.desc())
        if key is not None:
            newest = newest.where(RequestRow.key_name == key)
        with self._database.reading() as session:
            return session.scalar(newest.limit(1))

    def stored_file(self, sha256: str, *, key: str | None = None) -> Artifact | None:
        """The file with that hash that a request came with, or that came of one.

        Args:
            sha256: its hash.
            key: only requests that were made with the key of this name.

        Returns:
            None if there is no such file.
        """
        came_with = select(RequestResourceRow.artifact_id, RequestResourceRow.request_id)
        came_of = select(TaskOutputRow.artifact_id, TaskOutputRow.request_id)
        of_requests = union_all(came_with, came_of).subquery()
        query = (
            select(ArtifactRow)
            .join(of_requests, of_requests.c.artifact_id == ArtifactRow.id)
            .where(ArtifactRow.sha256 == sha256)
            .order_by(ArtifactRow.id)
            .limit(1)
        )
        if key is not None:
            query = query.join(RequestRow, RequestRow.id == of_requests.c.request_id).where(RequestRow.key_name == key)
        with self._database.reading() as session:
            row = session.scalar(query)
            return None if row is None else _artifact(row)

    def turns(self, conversation_id: str, before: str | None = None) -> list[Turn]:
        """The answered requests of a conversation, oldest first.

        Args:
            conversation_id: the conversation.
            before: a request of it, to get only the requests before that one.
        """
        steps = (PlannedTaskRow.task_id, PlannedTaskRow.kind, PlannedTaskRow.dep, PlannedTaskRow.args)
        query = (
            select(RequestRow, *steps)
            .outerjoin(PlannedTaskRow, PlannedTaskRow.request_id == RequestRow.id)
            .where(RequestRow.conversation_id == conversation_id)
            .order_by(RequestRow.created_at, RequestRow.id, PlannedTaskRow.position)
        )
        with self._database.reading() as session:
            if before is not None and (until := session.get(RequestRow, before)) is not None:
                same_moment = and_(RequestRow.created_at == until.created_at, RequestRow.id < until.id)
                query = query.where(or_(RequestRow.created_at < until.created_at, same_moment))
            tasks: dict[RequestRow, list[PlannedTask]] = {}
            for request, task_id, kind, dep, args in session.execute(query):
                planned = tasks.setdefault(request, [])
                if task_id is not None:
                    planned.append(PlannedTask(task=kind, id=task_id, dep=tuple(dep), args=args))
            numbered = {
                number: request
                for number, request in enumerate(tasks, start=1)
                if request.response is not None and request.finished_at is not None
            }
            ids = [request.id for request in numbered.values()]
            outputs, files = _outputs(session, ids), _resources(session, ids)
            return [
                _turn(number, request, Plan(tasks=tuple(tasks[request])), outputs[request.id], files[request.id])
                for number, request in numbered.items()
            ]


def resources_of(session: Session, request_id: str) -> tuple[Resource, ...]:
    """The resources that a request's plan can name."""
    return tuple(_resources(session, [request_id])[request_id])


def _resources(session: Session, request_ids: Sequence[str]) -> dict[str, list[Resource]]:
    """The resources of each request."""
    rows = session.execute(
        select(RequestResourceRow, ArtifactRow)
        .join(ArtifactRow)
        .where(RequestResourceRow.request_id.in_(request_ids))
        .order_by(RequestResourceRow.request_id, RequestResourceRow.position)
    )
    found: dict[str, list[Resource]] = defaultdict(list)
    for row, stored in rows:
        found[row.request_id].append(
            Resource(
                name=row.name,
                artifact=_artifact(stored),
                source=row.source,
                notes=tuple(row.notes or ()),
                parts=None if row.parts is None else Parts.model_validate(row.parts),
            )
        )
    return found


def _story_of(session: Session, request_id: str, now: datetime) -> RequestTrace:
    """Everything that the trace knows about a request."""
    request = session.get_one(RequestRow, request_id)
    rows = task_rows(session, request_id)
    lives_in_order = select(FlowRunRow).filter_by(request_id=request_id).order_by(FlowRunRow.life)
    lives = tuple(map(_life, session.scalars(lives_in_order)))
    calls_in_order = select(ControllerCallRow).filter_by(request_id=request_id).order_by(ControllerCallRow.id)
    calls = tuple(map(_call, session.scalars(calls_in_order)))
    tasks = _tasks(session, request_id, rows)
    attempts = [attempt for task in tasks for attempt in task.attempts]
    paid = [call.cost_microdollars for call in calls] + [attempt.cost_microdollars for attempt in attempts]
    costs = [cost for cost in paid if cost is not None]
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
        door=request.door,
        key_name=request.key_name,
        in_line=request.queued_at is not None,
        created_at=request.created_at,
        planned_at=request.planned_at,
        finished_at=request.finished_at,
        lives=lives,
        plan=plan_of(request, rows),
        earlier_plans=earlier_plans(rows),
        plan_source=request.plan_source,
        tasks=tasks,
        controller_calls=calls,
        files=tuple(_outputs(session, [request_id])[request_id]),
        totals=Totals(
            seconds=round(sum(_seconds(life, now, working=status is RequestStatus.RUNNING) for life in lives), 3),
            controller_calls=len(calls),
            prompt_tokens=sum(call.prompt_tokens for call in calls),
            completion_tokens=sum(call.completion_tokens for call in calls),
            cost_microdollars=sum(costs) if costs else None,
            estimated=any(call.estimated for call in calls),
            unpriced=_unpriced(calls, attempts, lives),
        ),
    )


def _unpriced(calls: Sequence[CallTrace], attempts: Sequence[Attempt], lives: Sequence[Life]) -> tuple[str, ...]:
    """The models that were called elsewhere, and whose costs nobody knows."""
    here = {life.life for life in lives if life.controller is not None and life.controller.server == EMBEDDED}
    models = [call.model for call in calls if call.cost_microdollars is None and call.life not in here]
    models += [
        attempt.model
        for attempt in attempts
        if attempt.endpoint is Endpoint.REMOTE and attempt.status == "completed" and attempt.cost_microdollars is None
    ]
    return tuple(dict.fromkeys(models))


def _turn(
    number: int, request: RequestRow, plan: Plan, outputs: Sequence[OutputFile], files: Sequence[Resource]
) -> Turn:
    """A finished request as a turn of its conversation, with a name for each of its results."""
    seen: dict[int, int] = defaultdict(int)
    results, resources = [], []
    for output in outputs:
        seen[output.task_id] += 1
        artifact = output.artifact
        name = result_name(number, output.task_id, seen[output.task_id], EXTENSIONS.get(artifact.mime, ""))
        results.append(EarlierResult(task_id=output.task_id, item=output.item, name=name, type=artifact.type))
        resources.append(Resource(name=name, artifact=artifact, source=request.id))
    return Turn(
        request_id=request.id,
        exchange=Exchange(
            text=request.text,
            response=request.response or "",
            plan=None if request.planned_at is None else plan,
            results=tuple(results),
        ),
        resources=tuple(resources),
        files=tuple(files),
    )


def _tasks(session: Session, request_id: str, rows: Sequence[PlannedTaskRow]) -> tuple[TaskTrace, ...]:
    selections = {
        row.task_id: Selection(choice=choice_of(row), cached=row.cached, created_at=row.created_at)
        for row in session.scalars(select(ModelSelectionRow).filter_by(request_id=request_id))
    }
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    for run in session.scalars(select(ExpertRunRow).filter_by(request_id=request_id).order_by(ExpertRunRow.id)):
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
            replaced=row.dropped_in is not None,
        )
        for row in rows
    )


def _outputs(session: Session, request_ids: Sequence[str]) -> dict[str, list[OutputFile]]:
    """The outputs of each request."""
    rows = session.execute(
        select(TaskOutputRow, ArtifactRow)
        .join(ArtifactRow)
        .where(TaskOutputRow.request_id.in_(request_ids))
        .order_by(TaskOutputRow.request_id, TaskOutputRow.task_id, TaskOutputRow.item, TaskOutputRow.position)
    )
    found: dict[str, list[OutputFile]] = defaultdict(list)
    for row, stored in rows:
        output = OutputFile(task_id=row.task_id, item=row.item, position=row.position, artifact=_artifact(stored))
        found[row.request_id].append(output)
    return found


def _status(request: RequestRow, now: datetime) -> RequestStatus:
    return RequestStatus.DIED if died(request, now) else RequestStatus(request.status)


def _seconds(life: Life, now: datetime, *, working: bool) -> float:
    return (now - life.started_at).total_seconds() if working and life.ended_at is None else life.seconds


def _artifact(row: ArtifactRow) -> Artifact:
    return Artifact.model_validate(row, from_attributes=True)


def choice_of(row: ModelSelectionRow) -> ModelChoice:
    """The model chosen for a task."""
    chosen, *alternatives = (Candidate.model_validate(candidate) for candidate in row.ranked)
    return ModelChoice(
        kind=row.kind,
        chosen=chosen,
        reason=row.reason,
        chosen_by=row.chosen_by,
        alternatives=tuple(alternatives),
    )


def _life(row: FlowRunRow) -> Life:
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


def _attempt(row: ExpertRunRow) -> Attempt:
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
        cost_microdollars=row.cost_microdollars,
    )
