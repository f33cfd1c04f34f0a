"""What the trace knows about models: the cards of the latest Hub lookups, and figures from their runs."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from hugginggpt.errors import DiskFullError, ModelDiskFullError, StorageError, TaskCancelledError
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.models.disk import ModelUse
from hugginggpt.models.figures import LATEST, MEMORY, Figures, Measurement, Run, figures_of
from hugginggpt.results import TaskStatus
from hugginggpt.trace.database import Database
from hugginggpt.trace.rows import insert_for
from hugginggpt.trace.tables import (
    ExpertRunRow,
    HubLookupRow,
    MeasurementRow,
    ModelCardRow,
    ModelFiguresRow,
    PlannedTaskRow,
    TaskOutputRow,
)


class Models:
    """Cards and figures of models. Raises the errors of `Trace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cards(self, kind: str) -> tuple[list[ModelCard], datetime] | None:
        """The cards of the latest Hub lookup of a kind, and its time; None if there was none."""
        in_order = select(ModelCardRow.card).filter_by(kind=kind).order_by(ModelCardRow.position)
        with self._database.reading() as session:
            lookup = session.get(HubLookupRow, kind)
            if lookup is None:
                return None
            return [ModelCard.model_validate(card) for card in session.scalars(in_order)], lookup.fetched_at

    def kinds(self) -> frozenset[str]:
        """The kinds that were looked up on the Hub."""
        with self._database.reading() as session:
            return frozenset(session.scalars(select(HubLookupRow.kind)))

    def save_cards(self, kind: str, cards: Sequence[ModelCard]) -> None:
        """Replace the cards of a kind with those of a new lookup."""
        with self._database.writing() as session:
            now = datetime.now(UTC)
            # Written first: it makes other processes that save the same kind wait.
            session.execute(
                insert_for(session, HubLookupRow)
                .values(kind=kind, fetched_at=now)
                .on_conflict_do_update(index_elements=[HubLookupRow.kind], set_={"fetched_at": now})
            )
            session.execute(delete(ModelCardRow).filter_by(kind=kind))
            session.add_all(
                ModelCardRow(
                    kind=kind,
                    position=position,
                    model_id=card.id,
                    downloads=card.downloads,
                    card=card.model_dump(mode="json"),
                )
                for position, card in enumerate(cards)
            )

    def measurement(self, max_age: float) -> Measurement:
        """The figures of all models from their latest runs, the same for all processes.

        Args:
            max_age: seconds after which a measurement is replaced by a new one.
        """
        oldest = timedelta(seconds=max_age)
        with self._database.reading() as session:
            latest = _latest_measurement(session)
            if latest is not None and latest.at > self._database.now(session) - oldest:
                return latest
        with self._database.writing() as session:
            now = self._database.now(session)
            # If several processes get here at once, the others wait for the first and use its measurement.
            claim = insert_for(session, MeasurementRow).values(id=1, measured_at=now)
            mine = session.execute(
                claim.on_conflict_do_update(
                    index_elements=[MeasurementRow.id],
                    set_={"measured_at": now},
                    where=MeasurementRow.measured_at <= now - oldest,
                ).returning(MeasurementRow.id)
            ).all()
            if mine:
                session.execute(delete(ModelFiguresRow))
                session.add_all(
                    ModelFiguresRow(kind=kind, model_id=model_id, endpoint=endpoint, **figures.model_dump())
                    for (kind, model_id, endpoint), figures in _measured(session, now).items()
                )
            measurement = _latest_measurement(session)
            assert measurement is not None
            return measurement

    def uses(self) -> dict[str, ModelUse]:
        """How often this machine's own experts ran each model, and when they last did, by model id."""
        counted = (
            select(ExpertRunRow.model_id, func.count(), func.max(ExpertRunRow.started_at))
            .where(ExpertRunRow.endpoint == Endpoint.LOCAL)
            .group_by(ExpertRunRow.model_id)
        )
        with self._database.reading() as session:
            return {model: ModelUse(runs, last) for model, runs, last in session.execute(counted)}

    def kinds_used(self, within: timedelta) -> set[str]:
        """The kinds of task that models on this machine ran for lately."""
        here = ExpertRunRow.endpoint.in_([Endpoint.LOCAL, Endpoint.EMBEDDED])
        kinds = select(PlannedTaskRow.kind.distinct()).join(ExpertRunRow, _is_of_task())
        with self._database.reading() as session:
            since = self._database.now(session) - within
            return set(session.scalars(kinds.where(here, ExpertRunRow.started_at >= since)))


def _measured(session: Session, now: datetime) -> dict[tuple[str, str, str], Figures]:
    """The figures of each model from its latest runs, by kind, model id and endpoint.

    Runs that say nothing about the model do not count: those that were stopped, whose process died, or whose result
    could not be stored.
    """
    no_fault = [e.__name__ for e in (TaskCancelledError, StorageError, DiskFullError, ModelDiskFullError)]
    counts = or_(
        ExpertRunRow.status == "completed",
        and_(ExpertRunRow.status == "failed", ExpertRunRow.error_type.not_in(no_fault)),
    )
    place = (PlannedTaskRow.kind, ExpertRunRow.model_id, ExpertRunRow.endpoint)
    latest = (
        select(
            *place,
            ExpertRunRow.request_id,
            ExpertRunRow.task_id,
            ExpertRunRow.status,
            ExpertRunRow.error,
            ExpertRunRow.passing,
            ExpertRunRow.seconds,
            PlannedTaskRow.status.label("task_status"),
            func.row_number().over(partition_by=place, order_by=ExpertRunRow.id.desc()).label("age"),
        )
        .join(PlannedTaskRow, _is_of_task())
        .where(ExpertRunRow.started_at >= now - MEMORY, counts)
        .subquery()
    )
    elements = (
        select(func.count(TaskOutputRow.item.distinct()))
        .where(TaskOutputRow.request_id == latest.c.request_id, TaskOutputRow.task_id == latest.c.task_id)
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


def _latest_measurement(session: Session) -> Measurement | None:
    """The figures of the latest measurement; None if there was none."""
    latest = session.scalar(select(MeasurementRow))
    if latest is None:
        return None
    rows = session.scalars(select(ModelFiguresRow))
    figures = {
        (row.kind, row.model_id, row.endpoint): Figures.model_validate(row, from_attributes=True) for row in rows
    }
    return Measurement(latest.measured_at, figures)


def _is_of_task() -> ColumnElement[bool]:
    """Joins attempts to the task that they belong to."""
    return and_(PlannedTaskRow.request_id == ExpertRunRow.request_id, PlannedTaskRow.task_id == ExpertRunRow.task_id)
