"""Requests in line: who has them worked on next. Functions on an open session; `Trace` gives them one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from hugginggpt.artifacts import Resource
from hugginggpt.results import RequestStatus
from hugginggpt.trace import lifecycle
from hugginggpt.trace.rows import MOST_ROWS
from hugginggpt.trace.story import WaitingRequest
from hugginggpt.trace.tables import FlowRun, Request

MOST_LIVES = 5
"""A request that ended so many processes is not given another."""

MOST_STARTS = 200
"""A request that so many flow runs were started for, and none began, is not given another."""

DISK_FULL = "disk full"
"""How a life ended that found no room for what it made. It does not count as one whose process died."""

SHOWN_CHARS = 1000
"""A flow run that is started for a request in line is told so much of its text, and nothing else but its id."""

_MOST_DOUBLINGS = 5
"""How often the pause between two flow runs that do not begin their request is doubled."""


def claim(session: Session, now: datetime, holder: str, seconds: float, limit: int) -> list[WaitingRequest]:
    """Claim requests that wait: not begun, or left by a process that died.

    One whose flow runs end before they begin it, or find the disk full, is claimed for longer each time.
    """
    # Of two who claim at once, the second passes over what the first looks at; on SQLite it waits for the first.
    waiting = (
        select(Request)
        .where(
            Request.queued_at.is_not(None),
            or_(
                Request.status == RequestStatus.QUEUED,
                and_(
                    Request.status == RequestStatus.RUNNING,
                    or_(Request.lease_until.is_(None), Request.lease_until <= now),
                ),
            ),
            or_(Request.claimed_until.is_(None), Request.claimed_until <= now),
        )
        .order_by(Request.claimed_until.is_not(None), Request.claimed_until, Request.queued_at, Request.id)
        .limit(min(limit, MOST_ROWS))
        .with_for_update(skip_locked=True)
    )
    claimed = []
    for request in session.scalars(waiting).all():
        full = _ended_full(session, request)
        if request.life - full >= MOST_LIVES:
            died = request.life - full
            _give_up(session, request, now, f"Its process died {died} times, so it is not begun again.")
            continue
        doublings = min(max(0, request.starts - 1 - request.life) + full, _MOST_DOUBLINGS)
        request.claimed_by, request.claimed_until = holder, now + timedelta(seconds=seconds * 2**doublings)
        last = session.get(FlowRun, (request.id, request.life))
        claimed.append(
            WaitingRequest(
                request_id=request.id,
                text=request.text,
                life=request.life,
                flow_run_id=None if last is None else last.flow_run_id,
            )
        )
    return claimed


def _ended_full(session: Session, request: Request) -> int:
    """How many lives of a request found the disk full."""
    lives = select(func.count()).select_from(FlowRun).filter_by(request_id=request.id, ending=DISK_FULL)
    return session.scalar(lives) or 0


def check_told(request: Request, text: str, resources: Sequence[Resource], options: dict[str, Any]) -> None:
    """Raise unless this is the known request, or what a flow run is told that is to begin or to resume it.

    Raises:
        RequestIdError: it is another one.
    """
    if resources or options.get("plan") or text not in ("", request.text, request.text[:SHOWN_CHARS]):
        lifecycle.check_same(request, text, resources, options)


def start_again(session: Session, request: Request, now: datetime, over: int, why: str) -> bool:
    """Count a flow run that is over although its request is not; False when no other is to be started."""
    if over - request.life >= MOST_STARTS:
        error = f"{over} flow runs ended before they began it, so no other is started; the last one said: {why}"
        _give_up(session, request, now, error)
        return False
    request.starts = max(request.starts, over + 1)
    return True


def _give_up(session: Session, request: Request, now: datetime, error: str) -> None:
    lifecycle.end_life(session, request, now, ending="died", error=None)
    lifecycle.finish(
        session,
        request,
        now,
        status=RequestStatus.FAILED,
        response=None,
        response_source="none",
        error=error,
        error_type="HuggingGPTError",
        outcomes=[],
    )
