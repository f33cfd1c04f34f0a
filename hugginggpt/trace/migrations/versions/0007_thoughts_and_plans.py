"""Add what the controller thought aloud, whether its tokens are estimated, and versions of plans."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the controller thought aloud, whether its tokens are estimated, and versions of plans."""
    op.add_column("controller_calls", sa.Column("thoughts", sa.Text(), nullable=True))
    op.add_column("controller_calls", sa.Column("estimated", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("planned_tasks", sa.Column("added_in", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("planned_tasks", sa.Column("dropped_in", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Undo it."""
    op.drop_column("planned_tasks", "dropped_in")
    op.drop_column("planned_tasks", "added_in")
    op.drop_column("controller_calls", "estimated")
    op.drop_column("controller_calls", "thoughts")
