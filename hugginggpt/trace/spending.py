"""What a request has cost so far, in the trace."""

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from hugginggpt.costs import Budget
from hugginggpt.trace.tables import ControllerCallRow, ExpertRunRow, RequestRow


def budget(session: Session, request_id: str) -> Budget:
    """What a request may cost, and what it has cost so far."""
    spent = sum(
        session.scalar(select(func.sum(row.cost_microdollars)).filter_by(request_id=request_id)) or 0
        for row in (ControllerCallRow, ExpertRunRow)
    )
    ceiling = session.get_one(RequestRow, request_id).options.get("max_cost")
    return Budget(ceiling=None if ceiling is None else round(ceiling * 1e6), spent=spent)


def add_cost(session: Session, attempt_id: int, microdollars: int) -> None:
    """Record that a call within an attempt has cost this much more."""
    so_far = func.coalesce(ExpertRunRow.cost_microdollars, 0)
    of_attempt = update(ExpertRunRow).where(ExpertRunRow.id == attempt_id)
    session.execute(of_attempt.values(cost_microdollars=so_far + microdollars))
