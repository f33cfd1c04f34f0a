"""Create the tables of the trace."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of the trace."""
    op.create_table(
        "artifacts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("mime", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("preview", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_artifacts"),
        sa.UniqueConstraint("sha256", "type", "mime", name="uq_artifacts_sha256_type_mime"),
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
    )
    op.create_table(
        "hub_lookups",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_hub_lookups"),
    )
    op.create_table(
        "model_cards",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("downloads", sa.BigInteger(), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["kind"], ["hub_lookups.kind"], name="fk_model_cards_kind_hub_lookups", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("kind", "position", name="pk_model_cards"),
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("plan_source", sa.Text(), nullable=True),
        sa.Column("plan_repairs", sa.JSON(), nullable=True),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("response_source", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("life", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_requests_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
    )
    op.create_index(
        "ix_requests_conversation_id_created_at", "requests", ["conversation_id", "created_at"], unique=False
    )
    op.create_index("ix_requests_created_at", "requests", ["created_at"], unique=False)
    op.create_table(
        "flow_runs",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("life", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("flow_run_id", sa.Text(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ending", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name="fk_flow_runs_request_id_requests", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request_id", "life", name="pk_flow_runs"),
    )
    op.create_index("ix_flow_runs_flow_run_id", "flow_runs", ["flow_run_id"], unique=False)
    op.create_table(
        "planned_tasks",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("args", sa.JSON(), nullable=False),
        sa.Column("dep", sa.JSON(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=True),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("endpoint", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("prefect_task_run_id", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name="fk_planned_tasks_request_id_requests", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request_id", "task_id", name="pk_planned_tasks"),
    )
    op.create_index("ix_planned_tasks_kind_status", "planned_tasks", ["kind", "status"], unique=False)
    op.create_table(
        "request_resources",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("artifact_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"], name="fk_request_resources_artifact_id_artifacts"),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name="fk_request_resources_request_id_requests", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request_id", "position", name="pk_request_resources"),
        sa.UniqueConstraint("request_id", "name", name="uq_request_resources_request_id_name"),
    )
    op.create_index("ix_request_resources_artifact_id", "request_resources", ["artifact_id"], unique=False)
    op.create_table(
        "controller_calls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("life", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("prompt_name", sa.Text(), nullable=False),
        sa.Column("prompt_sha256", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("cost_microdollars", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id", "life"],
            ["flow_runs.request_id", "flow_runs.life"],
            name="fk_controller_calls_request_id_life_flow_runs",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_controller_calls"),
    )
    op.create_index("ix_controller_calls_request_id", "controller_calls", ["request_id"], unique=False)
    op.create_table(
        "expert_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("life", sa.Integer(), nullable=False),
        sa.Column("run_count", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("passing", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id", "life"],
            ["flow_runs.request_id", "flow_runs.life"],
            name="fk_expert_runs_request_id_life_flow_runs",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["request_id", "task_id"],
            ["planned_tasks.request_id", "planned_tasks.task_id"],
            name="fk_expert_runs_request_id_task_id_planned_tasks",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_expert_runs"),
    )
    op.create_index("ix_expert_runs_model_id_status", "expert_runs", ["model_id", "status"], unique=False)
    op.create_index("ix_expert_runs_request_id_task_id", "expert_runs", ["request_id", "task_id"], unique=False)
    op.create_table(
        "model_selections",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("chosen_by", sa.Text(), nullable=False),
        sa.Column("ranked", sa.JSON(), nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id", "task_id"],
            ["planned_tasks.request_id", "planned_tasks.task_id"],
            name="fk_model_selections_request_id_task_id_planned_tasks",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("request_id", "task_id", name="pk_model_selections"),
    )
    op.create_index("ix_model_selections_model_id", "model_selections", ["model_id"], unique=False)
    op.create_table(
        "task_outputs",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("artifact_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"], name="fk_task_outputs_artifact_id_artifacts"),
        sa.ForeignKeyConstraint(
            ["request_id", "task_id"],
            ["planned_tasks.request_id", "planned_tasks.task_id"],
            name="fk_task_outputs_request_id_task_id_planned_tasks",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("request_id", "task_id", "item", "position", name="pk_task_outputs"),
    )
    op.create_index("ix_task_outputs_artifact_id", "task_outputs", ["artifact_id"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_task_outputs_artifact_id", table_name="task_outputs")
    op.drop_table("task_outputs")
    op.drop_index("ix_model_selections_model_id", table_name="model_selections")
    op.drop_table("model_selections")
    op.drop_index("ix_expert_runs_request_id_task_id", table_name="expert_runs")
    op.drop_index("ix_expert_runs_model_id_status", table_name="expert_runs")
    op.drop_table("expert_runs")
    op.drop_index("ix_controller_calls_request_id", table_name="controller_calls")
    op.drop_table("controller_calls")
    op.drop_index("ix_request_resources_artifact_id", table_name="request_resources")
    op.drop_table("request_resources")
    op.drop_index("ix_planned_tasks_kind_status", table_name="planned_tasks")
    op.drop_table("planned_tasks")
    op.drop_index("ix_flow_runs_flow_run_id", table_name="flow_runs")
    op.drop_table("flow_runs")
    op.drop_index("ix_requests_created_at", table_name="requests")
    op.drop_index("ix_requests_conversation_id_created_at", table_name="requests")
    op.drop_table("requests")
    op.drop_table("model_cards")
    op.drop_table("hub_lookups")
    op.drop_table("conversations")
    op.drop_table("artifacts")
