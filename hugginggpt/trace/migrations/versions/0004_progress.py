"""Add the progress of attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the progress of attempts."""
    op.add_column("expert_runs", sa.Column("progress", sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo it."""
    op.drop_column("expert_runs", "progress")
