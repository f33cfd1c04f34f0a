"""The tables of the trace.

`docs/trace.md` is generated from this module: a class docstring becomes the table's description,
`doc=` a column's. A change needs a migration in `migrations/versions/`, and its number in `migrate.py`.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hugginggpt.text import storable


class UTCDateTime(TypeDecorator[datetime]):
    """A moment: timezone-aware and in UTC on every database, including SQLite, which knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: converted to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time in the trace needs a time zone.")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """From the database: SQLite gives no zone back, PostgreSQL the session's."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text that every database accepts.

    Models write NUL characters, which PostgreSQL refuses, and file names and arguments may contain lone surrogates,
    which UTF-8 cannot encode. Both become replacement characters.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """To the database: without the characters that it would refuse."""
        return None if value is None else storable(str(value))


class Base(DeclarativeBase):
    """Base of all tables: constraint names by convention, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: CleanText,
        float: Double,
        datetime: UTCDateTime,
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
    }


class ConversationRow(Base):
    """One row per conversation: a sequence of requests in which each knows the earlier ones."""

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class RequestRow(Base):
    """One row per request, with its answer."""

    __tablename__ = "requests"
    __table_args__ = (
        Index(None, "conversation_id", "created_at"),
        Index(None, "created_at"),
        Index(None, "status", "queued_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey(ConversationRow.id, ondelete="CASCADE"))
    text: Mapped[str] = mapped_column(doc="what was asked")
    options: Mapped[dict[str, Any]] = mapped_column(doc="the options of the request")
    asked_sha256: Mapped[str | None] = mapped_column(
        doc="hash of the text, the files and a given plan: a request with the same id must match it"
    )
    status: Mapped[str] = mapped_column(
        doc="`queued` until a process begins it, then `running`, then `completed`, `partial`, `failed` or `cancelled`"
    )
    plan_source: Mapped[str | None] = mapped_column(
        doc="where the plan came from: `controller`, `given` by the user, or `cache`"
    )
    plan_repairs: Mapped[list[Any] | None] = mapped_column(doc="what was changed to make the plan valid, as sentences")
    planned_at: Mapped[datetime | None] = mapped_column(doc="when the plan was recorded; null if there is none")
    response: Mapped[str | None] = mapped_column(doc="the answer")
    response_source: Mapped[str | None] = mapped_column(
        doc="`controller`, `results` if the results are the answer, `fixed` for a fixed text, "
        "`plain` for the plain list of results, or `none`"
    )
    error: Mapped[str | None] = mapped_column(doc="why it failed, or why its answer is the plain list of results")
    error_type: Mapped[str | None] = mapped_column(doc="class of the error")
    life: Mapped[int] = mapped_column(doc="how many processes have worked on it so far")
    holder: Mapped[str | None] = mapped_column(doc="the process that works on it: host, process id and start time")
    lease_until: Mapped[datetime | None] = mapped_column(
        doc="when the process counts as dead unless it renews its lease; a request whose process died can be resumed"
    )
    deadline_at: Mapped[datetime | None] = mapped_column(doc="when the work on it has to end; null for no limit")
    queued_at: Mapped[datetime | None] = mapped_column(
        doc="when it was put in line; if its process dies, a request in line is resumed automatically"
    )
    claimed_by: Mapped[str | None] = mapped_column(doc="the process that last claimed it, to start a flow run")
    claimed_until: Mapped[datetime | None] = mapped_column(doc="until then, no other process can claim it")
    starts: Mapped[int] = mapped_column(
        server_default="1", doc="how many flow runs were started for it; all but the last ended before the request did"
    )
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class FlowRunRow(Base):
    """One row per life of a request, that is, per process that worked on it. Each is one Prefect flow run."""

    __tablename__ = "flow_runs"
    __table_args__ = (Index(None, "flow_run_id"),)

    request_id: Mapped[str] = mapped_column(ForeignKey(RequestRow.id, ondelete="CASCADE"), primary_key=True)
    life: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="1 for the first process")
    flow_run_id: Mapped[str | None] = mapped_column(doc="Prefect's id of the flow run")
    holder: Mapped[str] = mapped_column(doc="host, process id and start time of the process")
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(doc="when the process last renewed its lease")
    ended_at: Mapped[datetime | None] = mapped_column(doc="when it ended or, if it died, when it was last seen")
    ending: Mapped[str | None] = mapped_column(
        doc="`finished`, `died`, `disk full`, or the state that Prefect reported, such as `cancelled`"
    )
    error: Mapped[str | None] = mapped_column(doc="the error that Prefect reported, in one sentence")
    controller_model: Mapped[str | None] = mapped_column(doc="the controller's model; null if it is not known")
    controller_server: Mapped[str | None] = mapped_column(doc="where the controller is: `embedded`, or a base URL")


class ArtifactRow(Base):
    """One row per value in the artifact store, which has the bytes under their hash."""

    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("sha256", "type", "mime"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(doc="hash of the encoded bytes, which names it in the store")
    type: Mapped[str] = mapped_column(doc="`text`, `image`, `audio`, `video`, `table` or `structured`")
    mime: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger, doc="encoded size")
    preview: Mapped[str | None] = mapped_column(doc="the first 4000 characters of its text; null for media")
    created_at: Mapped[datetime]


class RequestResourceRow(Base):
    """One row per file of a request, and per result of an earlier turn that its plan may name."""

    __tablename__ = "request_resources"
    __table_args__ = (UniqueConstraint("request_id", "name"), Index(None, "artifact_id"))

    request_id: Mapped[str] = mapped_column(ForeignKey(RequestRow.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(doc="its name in plans")
    source: Mapped[str] = mapped_column(doc="path or URL as given, or the id of the earlier request")
    notes: Mapped[list[Any] | None] = mapped_column(
        doc="what the user should know of how the file was taken, as sentences"
    )
    artifact_id: Mapped[int] = mapped_column(ForeignKey(ArtifactRow.id))
    parts: Mapped[dict[str, Any] | None] = mapped_column(
        doc="what a document can be used as: its pages and tables; null for any other file"
    )


class PlannedTaskRow(Base):
    """One row per task of a request's plan, with its result."""

    __tablename__ = "planned_tasks"
    __table_args__ = (Index(None, "kind", "status"),)

    request_id: Mapped[str] = mapped_column(ForeignKey(RequestRow.id, ondelete="CASCADE"), primary_key=True)
    task_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="its id in the plan")
    position: Mapped[int] = mapped_column(doc="its position in the plan's order, from 0")
    kind: Mapped[str] = mapped_column(doc="the kind of AI task")
    args: Mapped[dict[str, Any]] = mapped_column(doc="its arguments, references included")
    dep: Mapped[list[Any]] = mapped_column(doc="ids of the tasks it waits for")
    status: Mapped[str] = mapped_column(doc="`planned` until it is `completed`, `cached`, `failed` or `skipped`")
    error: Mapped[str | None] = mapped_column(doc="why it has no result, in one sentence")
    cached: Mapped[bool] = mapped_column(doc="whether the result came from a cache, so that no expert ran")
    model_id: Mapped[str | None] = mapped_column(doc="the model that made the result")
    revision: Mapped[str | None]
    endpoint: Mapped[str | None] = mapped_column(doc="where it ran: `embedded`, `controller`, `local` or `remote`")
    seconds: Mapped[float | None] = mapped_column(doc="how long it took to make the result")
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    prefect_task_run_id: Mapped[str | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(doc="the whole result, as the flow passes it to later tasks")
    added_in: Mapped[int] = mapped_column(server_default="1", doc="the version of the plan that it came with, from 1")
    dropped_in: Mapped[int | None] = mapped_column(doc="the version that goes another way; null if the last one has it")


class TaskOutputRow(Base):
    """One row per output of a task."""

    __tablename__ = "task_outputs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["request_id", "task_id"], [PlannedTaskRow.request_id, PlannedTaskRow.task_id], ondelete="CASCADE"
        ),
        Index(None, "artifact_id"),
    )

    request_id: Mapped[str] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, doc="element of the task's list; 0 for a task without a list"
    )
    position: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, doc="position among the outputs of that element"
    )
    artifact_id: Mapped[int] = mapped_column(ForeignKey(ArtifactRow.id))


class ModelSelectionRow(Base):
    """One row per task: the model that was chosen for it, and why."""

    __tablename__ = "model_selections"
    __table_args__ = (
        ForeignKeyConstraint(
            ["request_id", "task_id"], [PlannedTaskRow.request_id, PlannedTaskRow.task_id], ondelete="CASCADE"
        ),
        Index(None, "model_id"),
    )

    request_id: Mapped[str] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    model_id: Mapped[str] = mapped_column(doc="the chosen model")
    revision: Mapped[str | None]
    endpoint: Mapped[str]
    reason: Mapped[str]
    chosen_by: Mapped[str] = mapped_column(
        doc="`request` if that named the model, `controller` if it picked among several, else `ranking`"
    )
    ranked: Mapped[list[Any]] = mapped_column(
        doc="the chosen candidate, then its fallbacks in order, each with its card"
    )
    cached: Mapped[bool] = mapped_column(doc="whether the choice came from a cache")
    created_at: Mapped[datetime]


class ExpertRunRow(Base):
    """One row per attempt to run a model for a task."""

    __tablename__ = "expert_runs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["request_id", "task_id"], [PlannedTaskRow.request_id, PlannedTaskRow.task_id], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(["request_id", "life"], [FlowRunRow.request_id, FlowRunRow.life], ondelete="CASCADE"),
        Index(None, "request_id", "task_id"),
        Index(None, "model_id", "status"),
        Index(None, "started_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str]
    task_id: Mapped[int]
    life: Mapped[int]
    run_count: Mapped[int] = mapped_column(doc="which try of the Prefect task run this was, from 1")
    model_id: Mapped[str]
    revision: Mapped[str | None]
    endpoint: Mapped[str]
    status: Mapped[str] = mapped_column(
        doc="`running`, `completed`, `failed`, or `interrupted` if its process was stopped or died"
    )
    progress: Mapped[str | None] = mapped_column(doc="the latest progress, such as `12 of 25 steps` or `page 7 of 30`")
    error: Mapped[str | None]
    error_type: Mapped[str | None] = mapped_column(doc="class of the error")
    passing: Mapped[bool] = mapped_column(doc="whether the failure may be temporary, so the model is tried again")
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    seconds: Mapped[float | None]
    load_seconds: Mapped[float | None] = mapped_column(
        doc="the part of `seconds` until the model was loaded; null if it was already loaded"
    )
    cost_microdollars: Mapped[int | None] = mapped_column(
        BigInteger, doc="what its provider reported, in millionths of a US dollar; null if it reported nothing"
    )


class ControllerCallRow(Base):
    """One row per call to the controller, including failed tries."""

    __tablename__ = "controller_calls"
    __table_args__ = (
        ForeignKeyConstraint(["request_id", "life"], [FlowRunRow.request_id, FlowRunRow.life], ondelete="CASCADE"),
        Index(None, "request_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str]
    life: Mapped[int]
    task_id: Mapped[int | None] = mapped_column(doc="the task that the call was for; null for the plan and the answer")
    stage: Mapped[str] = mapped_column(
        doc="its purpose: `plan`, `replan`, `select`, `respond`, or the kind of a text task"
    )
    prompt_name: Mapped[str]
    prompt_sha256: Mapped[str] = mapped_column(doc="hash of the prompt's template")
    model: Mapped[str]
    attempt: Mapped[int] = mapped_column(doc="which try of the call this was, from 1")
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    seconds: Mapped[float]
    cost_microdollars: Mapped[int | None] = mapped_column(
        BigInteger, doc="cost in millionths of a US dollar; null if it is not known"
    )
    estimated: Mapped[bool] = mapped_column(
        server_default=false(), doc="tokens and cost are estimated, because the server does not count"
    )
    error: Mapped[str | None] = mapped_column(doc="why it gave no answer, or why a further plan was not used")
    thoughts: Mapped[str | None] = mapped_column(doc="what the model thought aloud, from the beginning")
    started_at: Mapped[datetime]


class HubLookupRow(Base):
    """One row per kind whose models were looked up on the Hub."""

    __tablename__ = "hub_lookups"

    kind: Mapped[str] = mapped_column(primary_key=True)
    fetched_at: Mapped[datetime]


class ModelCardRow(Base):
    """One row per model of the latest Hub lookup of a kind."""

    __tablename__ = "model_cards"

    kind: Mapped[str] = mapped_column(ForeignKey(HubLookupRow.kind, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="its position in the Hub's answer")
    model_id: Mapped[str]
    downloads: Mapped[int] = mapped_column(BigInteger)
    card: Mapped[dict[str, Any]] = mapped_column(doc="everything known about the model")


class MeasurementRow(Base):
    """A single row: when the models' figures were last measured."""

    __tablename__ = "measurements"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="always 1")
    measured_at: Mapped[datetime]


class ModelFiguresRow(Base):
    """One row per kind, model and endpoint: the figures from its latest runs, which selection uses."""

    __tablename__ = "model_figures"

    kind: Mapped[str] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str] = mapped_column(primary_key=True)
    runs: Mapped[int] = mapped_column(doc="how many runs count: at most the latest 8 of the last 7 days")
    completed: Mapped[int] = mapped_column(doc="how many of them completed their task")
    blame: Mapped[float] = mapped_column(
        doc="sum of the failures, weighted: 1 if another model did the task, 0.5 if none did, 0.25 if temporary"
    )
    seconds: Mapped[float | None] = mapped_column(
        doc="median time for an element of the input; null if no run succeeded"
    )
    last_error: Mapped[str | None] = mapped_column(doc="the error of the latest failure")


class EvaluationRow(Base):
    """One row per evaluation of a controller's planning on a dataset."""

    __tablename__ = "evaluations"
    __table_args__ = (Index(None, "dataset_sha256", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(doc="path of the dataset")
    dataset_sha256: Mapped[str] = mapped_column(doc="hash of the dataset")
    controller: Mapped[str] = mapped_column(doc="`embedded` or `openai`")
    model: Mapped[str] = mapped_column(doc="the controller's model")
    planner_sha256: Mapped[str] = mapped_column(
        doc="hash of all that makes its plans: prompts, kinds, our code, and the weights or the server's address"
    )
    created_at: Mapped[datetime]
    scored_at: Mapped[datetime | None] = mapped_column(doc="when it was last scored; null until it has finished")
    report: Mapped[dict[str, Any] | None] = mapped_column(doc="the scores, as `evaluate --json` prints them")


class PredictionRow(Base):
    """One row per planned sample of a dataset."""

    __tablename__ = "predictions"

    evaluation_id: Mapped[str] = mapped_column(ForeignKey(EvaluationRow.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, doc="the sample's position in the dataset, from 0"
    )
    sample_id: Mapped[str] = mapped_column(doc="the sample's id in the dataset")
    request: Mapped[str] = mapped_column(doc="what was asked")
    plan: Mapped[list[Any] | None] = mapped_column(doc="the plan, in the format of `--plan`; null if none was valid")
    repairs: Mapped[list[Any] | None] = mapped_column(doc="what was changed to make the plan valid, as sentences")
    error: Mapped[str | None] = mapped_column(doc="why there is no valid plan")
    error_type: Mapped[str | None] = mapped_column(doc="class of the error")
    seconds: Mapped[float] = mapped_column(doc="time from the request to the plan")
    calls: Mapped[int] = mapped_column(doc="calls to the controller")
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    created_at: Mapped[datetime]
