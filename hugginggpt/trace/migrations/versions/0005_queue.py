"""Add the queue of requests, deadlines, and what loading a model took."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TIMES = ("deadline_at", "queued_at", "claimed_until")


def upgrade() -> None:
    """Add the queue of requests, deadlines, and what loading a model took."""
    for name in _TIMES:
        op.add_column("requests", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("requests", sa.Column("claimed_by", sa.Text(), nullable=True))
    op.add_column("requests", sa.Column("starts", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("requests", sa.Column("asked_sha256", sa.Text(), nullable=True))
    op.add_column("expert_runs", sa.Column("load_seconds", sa.Double(), nullable=True))
    op.create_index("ix_requests_status_queued_at", "requests", ["status", "queued_at"])


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_requests_status_queued_at", "requests")
    op.drop_column("expert_runs", "load_seconds")
    for name in (*_TIMES, "claimed_by", "starts", "asked_sha256"):
        op.drop_column("requests", name)
