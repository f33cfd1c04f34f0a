"""Evaluations of controllers in the trace: every prediction and the scores."""

from datetime import datetime

from sqlalchemy import Select, delete, func, select

from hugginggpt.evaluation.prediction import Prediction
from hugginggpt.evaluation.report import EvaluationReport
from hugginggpt.evaluation.subject import Subject
from hugginggpt.plan import Argument, Plan, PlannedTask
from hugginggpt.trace.database import Database
from hugginggpt.trace.rows import insert_for
from hugginggpt.trace.tables import EvaluationRow, PredictionRow


class Evaluations:
    """The evaluations in the trace database. Raises the errors of `Trace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, subject: Subject, dataset: str, new_id: str, *, fresh: bool = False) -> str:
        """Begin an evaluation, or continue the latest one of the same subject.

        Args:
            subject: what is evaluated.
            dataset: path of the dataset.
            new_id: the id if a new evaluation begins.
            fresh: always begin a new one.

        Returns:
            The evaluation's id.
        """
        with self._database.writing() as session:
            found = None if fresh else session.scalar(_latest(subject))
            if found is None:
                now = self._database.now(session)
                session.add(EvaluationRow(id=new_id, dataset=dataset, created_at=now, **subject.model_dump()))
            return found or new_id

    def latest(self, subject: Subject) -> str | None:
        """Id of the latest evaluation of a subject; None if there is none."""
        with self._database.reading() as session:
            return session.scalar(_latest(subject))

    def record(self, evaluation_id: str, prediction: Prediction) -> None:
        """Record a prediction, unless the sample already has one."""
        row = prediction.model_dump(exclude={"plan"}) | {
            "evaluation_id": evaluation_id,
            "plan": None if prediction.plan is None else prediction.plan.to_list(),
            "repairs": None if prediction.plan is None else list(prediction.plan.repairs),
        }
        with self._database.writing() as session:
            row["created_at"] = self._database.now(session)
            session.execute(insert_for(session, PredictionRow).values(row).on_conflict_do_nothing())

    def forget(self, evaluation_id: str) -> None:
        """Delete the predictions of an evaluation, so that each sample is planned anew."""
        with self._database.writing() as session:
            session.execute(delete(PredictionRow).filter_by(evaluation_id=evaluation_id))

    def reports(self, dataset_sha256: str, most: int) -> list[tuple[datetime, EvaluationReport]]:
        """The scores of the latest evaluations of a dataset, newest first, each with the time of its last scoring."""
        scored = select(EvaluationRow.scored_at, EvaluationRow.report).where(
            EvaluationRow.dataset_sha256 == dataset_sha256, EvaluationRow.report.is_not(None)
        )
        with self._database.reading() as session:
            rows = session.execute(scored.order_by(EvaluationRow.scored_at.desc()).limit(most))
            return [(at, EvaluationReport.model_validate(report)) for at, report in rows]

    def predictions(self, evaluation_id: str) -> dict[int, Prediction]:
        """Every prediction so far, by the sample's position in the dataset."""
        with self._database.reading() as session:
            rows = session.scalars(select(PredictionRow).filter_by(evaluation_id=evaluation_id))
            return {row.position: _prediction(row) for row in rows}

    def count(self, evaluation_id: str, samples: int) -> int:
        """How many of the first samples have a prediction."""
        made = select(func.count()).where(
            PredictionRow.evaluation_id == evaluation_id, PredictionRow.position < samples
        )
        with self._database.reading() as session:
            return session.scalar(made) or 0

    def record_report(self, report: EvaluationReport) -> None:
        """Record the scores. They replace earlier scores unless those cover more samples."""
        with self._database.writing() as session:
            evaluation = session.get_one(EvaluationRow, report.evaluation_id)
            if evaluation.report is not None and evaluation.report["samples"] > report.samples:
                return
            evaluation.report = report.model_dump(mode="json")
            evaluation.scored_at = self._database.now(session)


def _latest(subject: Subject) -> Select[tuple[str]]:
    of_subject = select(EvaluationRow.id).filter_by(**subject.model_dump())
    return of_subject.order_by(EvaluationRow.created_at.desc()).limit(1)


def _prediction(row: PredictionRow) -> Prediction:
    tasks = None if row.plan is None else [_task(**task) for task in row.plan]
    return Prediction(
        position=row.position,
        sample_id=row.sample_id,
        request=row.request,
        plan=None if tasks is None else Plan(tasks=tuple(tasks), repairs=tuple(row.repairs or ())),
        error=row.error,
        error_type=row.error_type,
        seconds=row.seconds,
        calls=row.calls,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
    )


def _task(task: str, id: int, dep: list[int], args: dict[str, Argument]) -> PlannedTask:
    return PlannedTask(task=task, id=id, dep=tuple(k for k in dep if k >= 0), args=args)
