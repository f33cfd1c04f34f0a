"""Requests in line: who works on them next, and how the flow runs that were started for them ended."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from hugginggpt.errors import HuggingGPTError, RequestClosedError
from hugginggpt.results import RequestStatus
from hugginggpt.trace.database import Database
from hugginggpt.trace.lifecycle import create, end_life, finish
from hugginggpt.trace.rows import MOST_ROWS, OPEN, locked, locked_known, no_such
from hugginggpt.trace.sameness import check_resumed, check_same
from hugginggpt.trace.story import AskedRequest, EndedRun, WaitingRequest
from hugginggpt.trace.tables import FlowRunRow, RequestRow

OPENING_SECONDS = 300.0
"""If a process has not opened the request that it put in line within this many seconds, another one is started."""

MOST_LIVES = 5
"""After this many processes have died on a request, no other process gets it."""

MOST_STARTS = 200
"""After this many flow runs have ended without beginning a request, no other is started for it."""

DISK_FULL = "disk full"
"""The ending of a life that had no room for its results. It does not count as a process that died."""

_MOST_DOUBLINGS = 5
"""The pause between flow runs that do not begin their request doubles at most this often."""


class Queue:
    """The requests in line. Raises the errors of `Trace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, asked: AskedRequest, *, holder: str | None = None, seconds: float = 0.0) -> bool:
        """Put a request in line for any process to claim. Doing so twice is the same as doing so once.

        Args:
            asked: the request, with its id.
            holder: this process, as `holder_name()` returns it, if it is going to open the request itself. For a known
                request, it is then compared as `Lifecycle.open` does.
            seconds: how long no other process can claim it in that case.

        Returns:
            False if it was already in the trace, in whatever state.

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
        """Claim requests that are in line and that no process works on.

        They have not begun yet, or their process died. Requests that were never claimed come first, then those whose
        claim ran out longest ago. If the flow runs of a request end before they begin it, or find the disk full, each
        claim lasts longer.

        Args:
            holder: this process, as `holder_name()` returns it.
            seconds: how long no other process can claim them. A claim is never given back: it runs out, or ends when
                its request begins.
            limit: claim at most this many.
        """
        with self._database.writing() as session:
            now = self._database.now(session)
            left = or_(RequestRow.lease_until.is_(None), RequestRow.lease_until <= now)
            # If two processes claim at once, the second skips the rows that the first has locked; on SQLite it waits.
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
                    _give_up(session, request, now, f"Its process died {died} times, so it is not tried again.")
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
        """The number of the flow run that is to answer a request, among those started for it: 1 for the first.

        Raises:
            TraceError: the request is unknown.
        """
        with self._database.reading() as session:
            request = session.get(RequestRow, request_id)
            if request is None:
                raise no_such("request", request_id)
            return request.starts

    def start_again(self, request_id: str, over: int, why: str) -> int:
        """Count one more flow run after one ended before its request did. Concurrent calls get the same number.

        Args:
            request_id: the request.
            over: the number of the flow run that ended.
            why: why it ended, in one sentence.

        Returns:
            The number of the flow run that is to answer it now.

        Raises:
            TraceError: the request is unknown.
            RequestClosedError: it has ended, or is given up now because too many flow runs did not begin it.
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
        """How the flow runs of ended requests ended, by Prefect's ids.

        Args:
            flow_run_ids: Prefect's ids.
            seconds: leave out flow runs whose requests ended more recently than this.
        """
        of_request = (FlowRunRow.request_id, RequestRow.status, RequestRow.error)
        runs = select(FlowRunRow.flow_run_id, FlowRunRow.ending, *of_request).join(RequestRow).order_by(FlowRunRow.life)
        with self._database.reading() as session:
            before = self._database.now(session) - timedelta(seconds=seconds)
            ended = runs.where(FlowRunRow.flow_run_id.in_(flow_run_ids), RequestRow.finished_at <= before)
            # A flow run that Prefect retried has several lives: the last one counts.
            return {
                row.flow_run_id: EndedRun(
                    request_id=row.request_id, ending=row.ending or "died", status=row.status, error=row.error
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
