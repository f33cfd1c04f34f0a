"""Requests in line: who works on them next, and what became of the flow runs that were started for them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from hugginggpt.errors import HuggingGPTError, RequestClosedError
from hugginggpt.results import RequestStatus
from hugginggpt.trace.database import Database
from hugginggpt.trace.lifecycle import check_resumed, check_same, create, end_life, finish
from hugginggpt.trace.rows import MOST_ROWS, OPEN, locked, locked_known, no_such
from hugginggpt.trace.story import AskedRequest, EndedRun, WaitingRequest
from hugginggpt.trace.tables import FlowRunRow, RequestRow

MOST_LIVES = 5
"""A request that ended so many processes is not given another."""

MOST_STARTS = 200
"""A request that was not begun by so many flow runs is not given another."""

DISK_FULL = "disk full"
"""How a life ended that found no room for what it made. It does not count as a process that died."""

_MOST_DOUBLINGS = 5
"""How often the pause between two flow runs that do not begin their request is doubled."""


class Queue:
    """The requests in line. Errors as those of `Trace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, asked: AskedRequest, *, holder: str | None = None, seconds: float = 0.0) -> bool:
        """Put a request in line, to be begun by whoever claims it. Doing so twice is the same as doing so once.

        Args:
            asked: the request, with its id.
            holder: this process, as `holder_name()` gives it, if it is going to open the request itself. For a known
                request, it is then compared as `Lifecycle.open` does.
            seconds: how long nobody else takes it then.

        Returns:
            False when it was in the trace before, whatever became of it since.

        Raises:
            RequestIdError: the id is not valid, or another request has it.
            TraceError: the conversation is unknown.
        """
        with self._database.writing() as session:
            request = locked(session, asked.request_id) if asked.request_id else None
            if request is not None:
                (check_resumed if holder else check_same)(request, asked)
                return False
            now = self._database.now(session)
            request = create(session, now, asked)
            request.queued_at = now
            if holder is not None:
                request.claimed_by, request.claimed_until = holder, now + timedelta(seconds=seconds)
            return True

    def claim(self, holder: str, seconds: float, limit: int) -> list[WaitingRequest]:
        """Undertake to have requests worked on that are in line and that nobody works on.

        These were not begun yet, or were left by a process that died. Requests that were never claimed come first,
        then those whose claim ran out longest ago. A request whose flow runs end before they begin it, or find the
        disk full, is claimed for longer each time.

        Args:
            holder: this process, as `holder_name()` gives it.
            seconds: how long nobody else takes them. A claim is not given back: it runs out, or ends when its request
                is begun.
            limit: at most so many.
        """
        with self._database.writing() as session:
            now = self._database.now(session)
            left = or_(RequestRow.lease_until.is_(None), RequestRow.lease_until <= now)
            # Of two who claim at once, the second passes over what the first looks at; on SQLite it waits for it.
            waiting = (
                select(RequestRow)
                .where(
                    RequestRow.queued_at.is_not(None),
                    or_(
                        RequestRow.status == RequestStatus.QUEUED,
                        and_(RequestRow.status == RequestStatus.RUNNING, left),
                    ),
                    or_(RequestRow.claimed_until.is_(None), RequestRow.claimed_until <= now),
                )
                .order_by(
                    RequestRow.claimed_until.is_not(None), RequestRow.claimed_until, RequestRow.queued_at, RequestRow.id
                )
                .limit(min(limit, MOST_ROWS))
                .with_for_update(skip_locked=True)
            )
            claimed = []
            for request in session.scalars(waiting).all():
                full = _ended_full(session, request)
                died = request.life - full
                if died >= MOST_LIVES:
                    _give_up(session, request, now, f"Its process died {died} times, so it is not begun again.")
                    continue
                doublings = min(max(0, request.starts - 1 - request.life) + full, _MOST_DOUBLINGS)
                request.claimed_by, request.claimed_until = holder, now + timedelta(seconds=seconds * 2**doublings)
                last = session.get(FlowRunRow, (request.id, request.life))
                claimed.append(
                    WaitingRequest(
                        request_id=request.id,
                        text=request.text,
                        life=request.life,
                        flow_run_id=None if last is None else last.flow_run_id,
                    )
                )
            return claimed

    def starts(self, request_id: str) -> int:
        """Which of the flow runs started for a request is to answer it: 1 for the first.

        Raises:
            TraceError: the request is unknown.
        """
        with self._database.reading() as session:
            request = session.get(RequestRow, request_id)
            if request is None:
                raise no_such("request", request_id)
            return request.starts

    def start_again(self, request_id: str, over: int, why: str) -> int:
        """Count one more flow run, since one ended before its request did. Two who do so at once get the same number.

        Args:
            request_id: the request.
            over: which of its flow runs ended.
            why: why that one ended, one sentence.

        Returns:
            which is to answer it now.

        Raises:
            TraceError: the request is unknown.
            RequestClosedError: it has ended, or is given up now: too many flow runs did not begin it.
        """
        with self._database.writing() as session:
            request = locked_known(session, request_id)
            if request.status in OPEN and over - request.life >= MOST_STARTS:
                given_up = (
                    f"{over} flow runs ended before they began it, so no other is started; the last one said: {why}"
                )
                _give_up(session, request, self._database.now(session), given_up)
            open_still, error = request.status in OPEN, request.error
            if open_still:
                request.starts = max(request.starts, over + 1)
            starts = request.starts
        if not open_still:
            raise RequestClosedError(f"Request {request_id} has ended, so no run is started for it: {error or 'done'}")
        return starts

    def has_begun(self, flow_run_id: str) -> bool:
        """Whether a flow run has begun a request."""
        begun = select(FlowRunRow.request_id).where(FlowRunRow.flow_run_id == flow_run_id).limit(1)
        with self._database.reading() as session:
            return session.scalar(begun) is not None

    def runs_over(self, flow_run_ids: Sequence[str], seconds: float) -> dict[str, EndedRun]:
        """How flow runs ended whose requests have ended, by Prefect's ids.

        Args:
            flow_run_ids: Prefect's ids.
            seconds: leave out those whose requests ended less than so long ago.
        """
        of_request = (RequestRow.status, RequestRow.response, RequestRow.error)
        runs = select(FlowRunRow.flow_run_id, FlowRunRow.ending, *of_request).join(RequestRow).order_by(FlowRunRow.life)
        with self._database.reading() as session:
            before = self._database.now(session) - timedelta(seconds=seconds)
            ended = runs.where(FlowRunRow.flow_run_id.in_(flow_run_ids), RequestRow.finished_at <= before)
            # A flow run that was tried again has several lives: its last one counts.
            return {
                row.flow_run_id: EndedRun(
                    ending=row.ending or "died", status=row.status, response=row.response, error=row.error
                )
                for row in session.execute(ended)
            }


def _ended_full(session: Session, request: RequestRow) -> int:
    """How many lives of a request found the disk full."""
    lives = select(func.count()).select_from(FlowRunRow).filter_by(request_id=request.id, ending=DISK_FULL)
    return session.scalar(lives) or 0


def _give_up(session: Session, request: RequestRow, now: datetime, error: str) -> None:
    end_life(session, request, now, ending="died")
    finish(session, request, now, status=RequestStatus.FAILED, error=HuggingGPTError(error))
