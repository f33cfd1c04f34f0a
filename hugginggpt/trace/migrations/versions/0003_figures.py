"""Create the tables of measured figures of models."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of measured figures of models."""
    op.create_table(
        "measurements",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_measurements"),
    )
    op.create_table(
        "model_figures",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.Column("blame", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "model_id", "endpoint", name="pk_model_figures"),
    )
    op.create_index("ix_expert_runs_started_at", "expert_runs", ["started_at"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_expert_runs_started_at", table_name="expert_runs")
    op.drop_table("model_figures")
    op.drop_table("measurements")
